package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/oklog/ulid/v2"

	"weir/internal/lake"
)

// finish does the steps of a move after its decision: any number of helpers may.
func (d *Desk) finish(ctx context.Context, m Move, tried map[Position]Row) error {
	if m.Kind == Discarded {
		if err := d.audit(ctx, m); err != nil {
			return fmt.Errorf("audit of the discard: %w", err)
		}
	}
	to, err := json.Marshal(counted{N: m.N})
	if err != nil {
		return err
	}
	err = d.rewrite(ctx, m.Takes, tried, lake.Commit{
		Job: mover, ID: fmt.Sprintf("out-%d", m.N),
		Advance: func(stored json.RawMessage) (json.RawMessage, error) {
			var at counted
			if len(stored) > 0 {
				if err := json.Unmarshal(stored, &at); err != nil {
					return nil, err
				}
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
func (d *Desk) Tried(ctx context.Context, st State, tried map[Position]Row) error {
	if len(tried) == 0 {
		return nil
	}
	err := d.rewrite(ctx, nil, tried, lake.Commit{Job: mover, ID: "tried-" + ulid.Make().String(), Advance: func(stored json.RawMessage) (json.RawMessage, error) {
		var at counted
		if len(stored) > 0 {
			if err := json.Unmarshal(stored, &at); err != nil {
				return nil, err
			}
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
func (d *Desk) rewrite(ctx context.Context, drop Positions, tried map[Position]Row, c lake.Commit) error {
	for try := 0; ; try++ {
		err := d.rewriteOnce(ctx, drop, tried, c)
		if err == nil || errors.Is(err, ErrMoved) || ctx.Err() != nil || try == 5 {
			return err
		}
	}
}

func (d *Desk) rewriteOnce(ctx context.Context, drop Positions, tried map[Position]Row, c lake.Commit) error {
	plan, err := d.q.Plan(ctx)
	if err != nil {
		return err
	}
	if d.shape, err = d.q.Widen(Schema); err != nil {
		return err
	}
	left := len(drop) + len(tried)
	for _, f := range plan.Files {
		if left <= 0 {
			break
		}
		one := plan
		one.Files = []lake.PlannedFile{f}
		hit, err := d.hits(ctx, one, drop, tried)
		if err == nil && hit > 0 {
			left -= hit
			var files []lake.File
			files, err = d.without(ctx, one, drop, tried)
			c.Add, c.Remove = append(c.Add, files...), append(c.Remove, f.File)
		}
		if err != nil {
			return errors.Join(err, d.q.Drop(c.Add))
		}
	}
	rc, err := d.q.Commit(ctx, c)
	if rc.Already || errors.Is(err, ErrMoved) { // another helper's files are in the table, not these
		return errors.Join(err, d.q.Drop(c.Add))
	}
	return err // on another error the files stay: nobody knows for sure
}

func (d *Desk) hits(ctx context.Context, p lake.Plan, drop Positions, tried map[Position]Row) (n int, err error) {
	for c, err := range d.q.Scan(ctx, p) {
		if err != nil {
			return 0, err
		}
		for _, r := range Rows(c.Batch) {
			if _, again := tried[r.Position()]; again || drop[r.Position()] {
				n++
			}
		}
	}
	return n, nil
}

// without writes what is to stay of the rows of a file.
func (d *Desk) without(ctx context.Context, p lake.Plan, drop Positions, tried map[Position]Row) ([]lake.File, error) {
	return d.q.WriteShape(ctx, d.shape, d.batches(func(yield func([]Row, error) bool) {
		for c, err := range d.q.Scan(ctx, p) {
			if err != nil {
				yield(nil, err)
				return
			}
			var stay []Row
			for _, r := range Rows(c.Batch) {
				if drop[r.Position()] {
					continue
				}
				if now, ok := tried[r.Position()]; ok {
					r.Attempt = max(1, r.Attempt) + 1
					r.Reason, r.Error, r.SchemaID, r.LastTried = now.Reason, now.Error, now.SchemaID, now.At
				}
				stay = append(stay, r)
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
