// Package landing keeps what came from a topic as it came, in Avro object container files, for replays and audits.
//
// Start with [Open]; [Zone.File] begins the file of a span, [File.Close] puts it into the zone, and [Zone.Sweep] after a commit
// removes what other tries of the same messages left.
//
// # Promises
//
// A file's name says what is in it (NAME-PARTITION-FIRST-LAST.avro), and the same span gives the same bytes: to write it again changes
// nothing. A file appears whole, or on a local disk it is replaced when its span is tried again. Of the files that end before a
// committed position each position lies in exactly one, once Sweep has been told of the commits.
package landing

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
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
	until map[int32]int64 // how far files of other tries may reach
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
	return &Zone{fs: f, dir: dir, topic: topic, until: map[int32]int64{}}, nil
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

// Sweep removes, of the positions that a commit has decided, the files of other tries, which were cut elsewhere. What lies behind them is
// left alone: another worker may be writing it. A span behind all files of others that were there at the last look needs no look.
func (z *Zone) Sweep(ctx context.Context, committed []Span) error {
	for _, s := range committed {
		z.mu.Lock()
		until, ok := z.until[s.Partition]
		z.mu.Unlock()
		if ok && s.From >= until {
			continue
		}
		all, err := z.Spans(ctx, s.Partition)
		if err != nil {
			return err
		}
		until = s.To
		for _, o := range all {
			if o == s || o.To <= s.From || o.From >= s.To {
				until = max(until, o.To)
				continue
			}
			if err := z.fs.Remove(z.name(o)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove a raw file of another try: %w", err)
			}
		}
		z.mu.Lock()
		z.until[s.Partition] = until
		z.mu.Unlock()
	}
	return nil
}

// Forget makes the next Sweep look: a try was given up.
func (z *Zone) Forget() {
	z.mu.Lock()
	defer z.mu.Unlock()
	clear(z.until)
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
