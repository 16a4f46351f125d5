package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"weir/internal/lake"
	"weir/minibatch"
)

// Added is a source of the rows that are added to a table, in the order of its commits. It stops where rows were taken away
// or rewritten meanwhile: what is new cannot be told then. A compaction by weir is no such thing, if the job had read all that there was
// when it last looked.
func Added[T any](l *Lake, name string) minibatch.Source[T] { return &added[T]{l: l, name: name} }

type added[T any] struct {
	l    *Lake
	name string
	job  string
}

func (s *added[T]) Named(job string) { s.job = job }

const (
	cursorKind    = "snapshot"
	cursorVersion = 1
)

// seen is the cursor's value. Snapshots expire within hours, so it is told by sequence numbers: files with a higher one are
// new, and as long as all rows of the others are still there nothing was taken away. A compaction by weir keeps to both.
type seen struct {
	Table string `json:"table"` // uuid
	Seq   int64  `json:"seq"`
	Rows  int64  `json:"rows"`            // up to that number
	Files int    `json:"files,omitempty"` // the same, as cursors had it that do not have rows
}

func (s seen) holds(files int, rows int64) bool {
	if s.Files > 0 {
		return s.Files == files
	}
	return s.Rows == rows
}

func (s *added[T]) Plan(ctx context.Context, after minibatch.Cursor, l minibatch.Limits) (minibatch.Batch, error) {
	var had seen
	if !after.IsZero() {
		if after.Kind != cursorKind || after.Version != cursorVersion {
			return minibatch.Batch{}, minibatch.Fatal(fmt.Errorf("the cursor is of kind %s version %d, this program reads %s version %d", after.Kind, after.Version, cursorKind, cursorVersion))
		}
		if err := json.Unmarshal(after.Value, &had); err != nil {
			return minibatch.Batch{}, minibatch.Fatal(fmt.Errorf("the cursor cannot be read: %w", err))
		}
	}
	t, p, err := planned(ctx, s.l, s.name)
	if err != nil {
		return minibatch.Batch{}, err
	}
	if had.Table != "" && had.Table != p.UUID {
		return minibatch.Batch{}, minibatch.Fatal(fmt.Errorf("table %s was dropped and made again", s.name))
	}
	old, oldRows := 0, int64(0)
	var fresh []lake.PlannedFile
	for _, f := range p.Files {
		if f.Seq > had.Seq {
			fresh = append(fresh, f)
		} else {
			old, oldRows = old+1, oldRows+f.Rows
		}
	}
	if !had.holds(old, oldRows) {
		return minibatch.Batch{}, minibatch.Fatal(fmt.Errorf("table %s: files that were read already are gone or were rewritten: what is new cannot be told", s.name))
	}
	slices.SortStableFunc(fresh, func(a, b lake.PlannedFile) int { return int(a.Seq - b.Seq) })
	b := minibatch.Batch{From: after, To: after}
	to := seen{Table: p.UUID, Seq: had.Seq, Rows: oldRows}
	if len(fresh) == 0 && had.Table != "" && s.job != "" { // a reader that is done for now: what it has not read stays apart from what it has
		_ = t.Mark(ctx, s.job, had.Seq) // without the mark, a compaction may stop it
	}
	for i, f := range fresh {
		if b.Rows >= l.Rows && f.Seq > to.Seq { // a commit is not torn: its files have one number
			break
		}
		spec, err := json.Marshal(f.Path)
		if err != nil {
			return b, err
		}
		b.Parts = append(b.Parts, minibatch.Part{Index: i, Spec: spec})
		b.Rows, b.Bytes = b.Rows+f.Rows, b.Bytes+f.Bytes
		to.Seq, to.Rows = f.Seq, to.Rows+f.Rows
	}
	if len(b.Parts) > 0 {
		v, err := json.Marshal(to)
		if err != nil {
			return b, err
		}
		b.To = minibatch.Cursor{Kind: cursorKind, Version: cursorVersion, Value: v}
	}
	return b, nil
}

var errGone = errors.New("the file is no longer in the table: it was rewritten since the batch was planned")

func (s *added[T]) Open(ctx context.Context, part minibatch.Part) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		err := s.read(ctx, part, yield)
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

func (s *added[T]) read(ctx context.Context, part minibatch.Part, yield func(T, error) bool) error {
	var path string
	if err := json.Unmarshal(part.Spec, &path); err != nil {
		return err
	}
	t, p, err := planned(ctx, s.l, s.name)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(p.Files, func(f lake.PlannedFile) bool { return f.Path == path })
	if i < 0 {
		return fmt.Errorf("%s: %w", path, errGone)
	}
	p.Files = p.Files[i : i+1]
	return scan(ctx, t, p, yield)
}
