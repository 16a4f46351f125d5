package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"weir/internal/storage"
	"weir/minibatch"
)

// pieceBytes is how much of a big file of lines, and how many small files, one part holds.
const pieceBytes = 32 << 20

// span is a piece of a file as it was found: the records that begin in [From, To).
type span struct {
	File     string    `json:"file"`
	Size     int64     `json:"size"`
	Time     time.Time `json:"time"`
	Tag      string    `json:"tag,omitempty"`
	From, To int64
}

func (s span) entry() storage.Entry {
	return storage.Entry{Name: s.File, Size: s.Size, Time: s.Time, Tag: s.Tag}
}

// found is a file that has not been taken whole.
type found struct {
	storage.Entry
	mark mark
	from int64
}

// Plan cuts the next batch: of the file that was begun, and then of files that were never taken, by name.
func (s *Source[T]) Plan(ctx context.Context, after minibatch.Cursor, l minibatch.Limits) (minibatch.Batch, error) {
	b := minibatch.Batch{From: after, To: after}
	at, err := toPosition(after)
	if err != nil {
		return b, err
	}
	all, err := s.list(ctx)
	if err != nil {
		return b, err
	}
	next, there, err := s.fresh(ctx, at, all)
	if err != nil || len(next) == 0 {
		return b, err
	}
	piece := max(1, min(pieceBytes, l.Bytes))
	var part []span
	var size int64
	flush := func() error {
		spec, err := json.Marshal(part)
		b.Parts = append(b.Parts, minibatch.Part{Index: len(b.Parts), Spec: spec})
		part, size = nil, 0
		return err
	}
	at.In = nil
	for _, f := range next {
		for from := f.from; from < f.Size && b.Bytes < max(1, l.Bytes); {
			to := f.Size
			if s.splits(f.Name) {
				to = min(from+piece, f.Size)
			}
			part = append(part, span{f.Name, f.Size, f.Time, f.Tag, from, to})
			size, b.Bytes = size+to-from, b.Bytes+to-from
			if size >= piece {
				if err := flush(); err != nil {
					return b, err
				}
			}
			at.In, from = newPiece(f, to), to
			if to == f.Size {
				at.Taken, at.In = append(at.Taken, f.mark), nil
			}
		}
		if at.In != nil || b.Bytes >= max(1, l.Bytes) {
			break
		}
	}
	if len(part) > 0 {
		if err := flush(); err != nil {
			return b, err
		}
	}
	if at.Taken, err = s.forget(at.Taken, there); err != nil {
		return b, err
	}
	b.To, err = at.cursor()
	return b, err
}

func newPiece(f found, to int64) *piece { return &piece{f.mark, f.Name, to} }

func (s *Source[T]) splits(name string) bool {
	return s.format.lines && !strings.HasSuffix(name, ".gz")
}

func (s *Source[T]) id(m mark) string { return m.id(s.o.byName) }

// fresh gives what has not been taken, and the ids of all files that were found.
func (s *Source[T]) fresh(ctx context.Context, at position, all []storage.Entry) (next []found, there map[string]bool, err error) {
	there = map[string]bool{}
	taken, latest := map[string]bool{}, map[string]mark{} // by id; by name
	for _, m := range at.Taken {
		taken[s.id(m)], latest[m.name()] = true, m
	}
	begun := at.In
	for _, e := range all {
		if m, ok := latest[string(sum(e.Name)[:6])]; ok && m.stamp() == string(stamp(e)) {
			there[s.id(m)] = true
			continue
		}
		content, err := s.content(ctx, e)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was removed since it was listed
		}
		if err != nil {
			return nil, nil, err
		}
		m := markOf(e, content)
		switch _, known := latest[m.name()]; {
		case taken[s.id(m)]:
		case begun != nil && s.id(begun.Mark) == s.id(m):
			if !there[s.id(m)] {
				next = slices.Insert(next, 0, found{e, m, begun.Offset})
			}
			at.In = nil
		case known && !s.o.changed:
			return nil, nil, minibatch.Fatal(fmt.Errorf("%s was taken, and has other content now (%d bytes, changed %s): put the old one back or give the new one another name (or, in the job's code, files.TakeChanged)",
				e.Name, e.Size, e.Time.UTC().Format(time.DateTime)))
		case !there[s.id(m)]: // of two equal files the first is taken
			next = append(next, found{e, m, 0})
		}
		there[s.id(m)] = true
	}
	if at.In != nil {
		return nil, nil, minibatch.Fatal(fmt.Errorf("%s was taken up to byte %d, and is gone or has other content now: put it back as it was", at.In.Name, at.In.Offset))
	}
	return next, there, nil
}

// forget keeps the cursor small.
func (s *Source[T]) forget(taken marks, there map[string]bool) (marks, error) {
	over := len(taken) - s.o.remember
	if over <= 0 {
		return taken, nil
	}
	kept := slices.DeleteFunc(slices.Clone(taken), func(m mark) bool {
		if over > 0 && !there[s.id(m)] {
			over--
			return true
		}
		return false
	})
	if over > 0 {
		return nil, minibatch.Fatal(fmt.Errorf("%d files that were taken still fit %s, and the cursor can remember %d: move the oldest away (or, in the job's code, files.Remember)",
			len(kept), s.pattern, s.o.remember))
	}
	return kept, nil
}
