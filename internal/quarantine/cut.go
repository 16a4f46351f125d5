package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/oklog/ulid/v2"

	"weir/internal/lake"
)

// finish does the steps of a move after its decision: any number of helpers may. Who was not there when it was decided has no takes.
func (d *Desk) finish(ctx context.Context, m Move, takes map[Record]bool, tried map[Record]Row) error {
	if takes == nil {
		var err error
		if takes, err = d.taken(ctx, m); err != nil {
			return err
		}
	}
	if m.Kind == Discarded {
		if err := d.audit(ctx, m, takes); err != nil {
			return fmt.Errorf("audit of the discard: %w", err)
		}
	}
	to, err := json.Marshal(counted{N: m.N})
	if err != nil {
		return err
	}
	err = d.rewrite(ctx, takes, tried, lake.Commit{
		Job: mover, ID: fmt.Sprintf("out-%d", m.N),
		Advance: func(stored json.RawMessage) (json.RawMessage, error) {
			var at counted
			if err := read(stored, &at); err != nil {
				return nil, err
			}
			if at.N != m.Prev {
				return nil, fmt.Errorf("%w: the quarantine is at move %d", ErrMoved, at.N)
			}
			return to, nil
		},
	})
	if errors.Is(err, ErrMoved) { // another one has finished it
		return nil
	}
	return err
}

// Tried writes down that rows were tried again in vain: the attempt, when, and the newest error. It is lost if others move rows
// at the same time; the rows stay.
func (d *Desk) Tried(ctx context.Context, st State, tried map[Record]Row) error {
	if len(tried) == 0 {
		return nil
	}
	err := d.rewrite(ctx, nil, tried, lake.Commit{Job: mover, ID: "tried-" + ulid.Make().String(), Advance: func(stored json.RawMessage) (json.RawMessage, error) {
		var at counted
		if err := read(stored, &at); err != nil {
			return nil, err
		}
		if at.N != st.n {
			return nil, ErrMoved
		}
		return json.Marshal(at)
	}})
	if errors.Is(err, ErrMoved) {
		return nil
	}
	return err
}

// rewrite replaces the files that hold rows to be dropped or changed. Others may replace the same files at the same time (compaction
// does): then the commit fails as a whole and is made anew from the files that are there now.
func (d *Desk) rewrite(ctx context.Context, drop map[Record]bool, tried map[Record]Row, c lake.Commit) error {
	for try := 0; ; try++ {
		err := d.rewriteOnce(ctx, drop, tried, c)
		if err == nil || errors.Is(err, ErrMoved) || ctx.Err() != nil || try == 5 {
			return err
		}
	}
}

func (d *Desk) rewriteOnce(ctx context.Context, drop map[Record]bool, tried map[Record]Row, c lake.Commit) error {
	plan, err := d.q.Plan(ctx)
	if err != nil {
		return err
	}
	if d.shape, err = d.q.Widen(Schema); err != nil {
		return err
	}
	todo := newErrand(drop, tried)
	for _, f := range plan.Files {
		if len(todo.drop)+len(todo.tried) == 0 {
			break
		}
		one := plan
		one.Files = []lake.PlannedFile{f}
		hit, err := d.hits(ctx, one, todo)
		if err == nil && hit {
			var files []lake.File
			files, err = d.without(ctx, one, todo)
			c.Add, c.Remove = append(c.Add, files...), append(c.Remove, f.File)
		}
		if err != nil {
			return errors.Join(err, d.q.Drop(c.Add))
		}
	}
	rc, err := d.q.Commit(ctx, c)
	if rc.Already || errors.Is(err, ErrMoved) && !errors.Is(err, lake.ErrUnknown) { // another helper's files are in the table, not these
		return errors.Join(err, d.q.Drop(c.Add))
	}
	return err // on another error the files stay: nobody knows for sure
}

func (d *Desk) hits(ctx context.Context, p lake.Plan, todo *errand) (bool, error) {
	for c, err := range d.q.Scan(ctx, p) {
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc(Rows(c.Batch), todo.meant) {
			return true, nil
		}
	}
	return false, nil
}

// without writes what is to stay of the rows of a file.
func (d *Desk) without(ctx context.Context, p lake.Plan, todo *errand) ([]lake.File, error) {
	return d.q.WriteShape(ctx, d.shape, d.batches(func(yield func([]Row, error) bool) {
		for c, err := range d.q.Scan(ctx, p) {
			if err != nil {
				yield(nil, err)
				return
			}
			var stay []Row
			for _, r := range Rows(c.Batch) {
				if todo.apply(&r) {
					stay = append(stay, r)
				}
			}
			if len(stay) > 0 && !yield(stay, nil) {
				return
			}
		}
	}))
}

func (d *Desk) batches(rows iter.Seq2[[]Row, error]) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for some, err := range rows {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(Batch(d.shape.Schema(), some), nil) {
				return
			}
		}
	}
}
