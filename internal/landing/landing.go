// Package landing keeps what came from a topic as it came, in Avro object container files, for replays and audits.
//
// Start with [Open]; [Zone.File] begins the file of a span, [File.Close] puts it into the zone, and [Zone.Sweep] after a commit
// removes what other tries of the same messages left.
//
// # Promises
//
// A file's name says what is in it (NAME-PARTITION-FIRST-LAST.avro), and the same span gives the same bytes: to write it again changes
// nothing. A file appears whole, or on a local disk it is replaced when its span is tried again. Each position before the
// committed one lies in a committed file, and once Sweep has been told of the commits no file is left whose positions newer ones all hold. So among
// the files that end before the committed position each position lies in exactly one, unless positions were set back into the middle of a file.
package landing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"weir/internal/storage"
)

// Zone is a directory for one topic. It is safe for concurrent use.
type Zone struct {
	fs    storage.FS
	dir   string
	topic string

	mu    sync.Mutex
	until map[int32]int64  // how far files of other tries may reach
	held  map[int32][]Span // what was committed while one still reached further, newest first: the table may forget it before that one is held
}

// Open opens the zone of a topic. Its id keeps a topic apart from one of the same name that was there before.
func Open(ctx context.Context, location string, c storage.Config, topic, id string) (*Zone, error) {
	f, err := storage.Open(ctx, location, c.Properties())
	if err != nil {
		return nil, fmt.Errorf("raw.location: %w", err)
	}
	dir := strings.TrimRight(location, "/")
	if id != "" {
		dir = storage.Join(dir, id)
	}
	return &Zone{fs: f, dir: dir, topic: topic, until: map[int32]int64{}, held: map[int32][]Span{}}, nil
}

// Span is what a file holds: positions [From, To) of a partition.
type Span struct {
	Partition int32 `json:"p"`
	From      int64 `json:"from"`
	To        int64 `json:"to"`
}

func (z *Zone) name(s Span) string {
	return storage.Join(z.dir, fmt.Sprintf("%s-%d-%020d-%020d.avro", z.topic, s.Partition, s.From, s.To-1))
}

var numbers = regexp.MustCompile(`^(.+)-(\d+)-(\d{20})-(\d{20})\.avro$`)

// parse reads a file's name; other topics' files are none of ours.
func (z *Zone) parse(name string) (s Span, ok bool) {
	m := numbers.FindStringSubmatch(path.Base(name))
	if m == nil || m[1] != z.topic {
		return s, false
	}
	p, err1 := strconv.ParseInt(m[2], 10, 32)
	from, err2 := strconv.ParseInt(m[3], 10, 64)
	last, err3 := strconv.ParseInt(m[4], 10, 64)
	return Span{int32(p), from, last + 1}, errors.Join(err1, err2, err3) == nil
}

// Spans lists the files of a partition by their first position.
func (z *Zone) Spans(ctx context.Context, partition int32) ([]Span, error) {
	found, err := z.fs.List(ctx, storage.Join(z.dir, fmt.Sprintf("%s-%d-*.avro", z.topic, partition)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // nothing has landed yet
	}
	if err != nil {
		return nil, fmt.Errorf("list raw files: %w", err)
	}
	var all []Span
	for _, e := range found {
		if s, ok := z.parse(e.Name); ok && s.Partition == partition {
			all = append(all, s)
		}
	}
	return all, nil
}

// Quiet reports that no file of another try reached into these spans, or lay behind them, when Sweep has looked last: it need not look.
func (z *Zone) Quiet(spans []Span) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	return !slices.ContainsFunc(spans, func(s Span) bool {
		until, ok := z.until[s.Partition]
		return !ok || s.From < until
	})
}

// Sweep is told what has been committed, newest first, and removes the files of which newer ones of these hold every position: what is left of
// tries that were cut elsewhere, and what was read once more. A file that holds one position more stays: that may be the only one which
// holds it, and another worker may be writing it. A span whose file is gone stands for nothing.
func (z *Zone) Sweep(ctx context.Context, committed []Span) error {
	of := map[int32][]Span{}
	for _, s := range committed {
		of[s.Partition] = append(of[s.Partition], s)
	}
	for p, spans := range of {
		if err := z.sweep(ctx, p, spans); err != nil {
			return err
		}
	}
	return nil
}

func (z *Zone) sweep(ctx context.Context, p int32, committed []Span) error {
	all, err := z.Spans(ctx, p)
	if err != nil {
		return err
	}
	z.mu.Lock()
	committed = append(committed, z.held[p]...)
	z.mu.Unlock()
	there := map[Span]bool{}
	for _, s := range all {
		there[s] = true
	}
	var until int64
	var kept, whole []Span // whole: what kept ones hold together, without borders
	counts := map[Span]bool{}
	for _, s := range committed {
		until = max(until, s.To)
		if there[s] && !counts[s] && !within(s, whole) {
			counts[s] = true
			kept, whole = append(kept, s), join(whole, s)
		}
	}
	top := until
	for _, s := range all {
		if counts[s] || !within(s, whole) {
			until = max(until, s.To)
			continue
		}
		if err := z.fs.Remove(z.name(s)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove a raw file of another try: %w", err)
		}
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	z.until[p] = until
	delete(z.held, p)
	if until > top {
		z.held[p] = kept
	}
	return nil
}

// within reports whether one of some spans that do not touch each other holds all of another one.
func within(s Span, apart []Span) bool {
	return slices.ContainsFunc(apart, func(o Span) bool { return o.From <= s.From && s.To <= o.To })
}

// join adds a span to some that do not touch each other, so that they still do not.
func join(apart []Span, s Span) []Span {
	return append(slices.DeleteFunc(apart, func(o Span) bool {
		if o.To < s.From || s.To < o.From {
			return false
		}
		s.From, s.To = min(s.From, o.From), max(s.To, o.To)
		return true
	}), s)
}

// Forget makes the next Sweep look, and not at what was committed before: a try was given up.
func (z *Zone) Forget() {
	z.mu.Lock()
	defer z.mu.Unlock()
	clear(z.until)
	clear(z.held)
}

// put writes a file, unless it is there with these bytes: a late worker must not open again what another has committed.
func (z *Zone) put(s Span, b []byte) error {
	name := z.name(s)
	had, err := z.fs.ReadFile(name)
	if err == nil && bytes.Equal(had, b) {
		return nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("raw file: %w", err)
	}
	if err := z.fs.WriteFile(name, b); err != nil {
		return fmt.Errorf("raw file: %w", err)
	}
	return nil
}
