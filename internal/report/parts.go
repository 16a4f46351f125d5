package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"weir/internal/cli"
	"weir/internal/lake"
	"weir/minibatch"
)

// source plans one batch: this run.
type source struct{ j *Job }

func (s source) Plan(_ context.Context, after minibatch.Cursor, _ minibatch.Limits) (minibatch.Batch, error) {
	d, err := toDone(after)
	if err != nil {
		return minibatch.Batch{}, err
	}
	b := minibatch.Batch{From: after, Interval: s.j.run.Interval}
	next := done{Run: s.j.run.ID, Sources: s.j.sources, Intervals: d.Intervals}
	switch {
	case s.j.cfg.Incremental.On():
		if news := s.j.narrow(after.IsZero(), d, &next); !news {
			return b, nil
		}
	case s.j.cfg.Mode == "append":
		i := span{s.j.run.Interval.Start.UTC(), s.j.run.Interval.End.UTC()}
		switch {
		case s.j.run.Interval.IsZero():
			return b, minibatch.Fatal(cli.Usage(errors.New("mode append needs a data interval: it is how a repeated run is recognised"), fmt.Sprintf("`pipeline run %s --for 2026-11-20`", s.j.name)))
		case d.has(i):
			return b, nil // appended before: nothing to do
		case d.overlaps(i):
			return b, minibatch.Fatal(fmt.Errorf("a part of the data interval %s to %s was appended before; appending it again would double rows", i.Start, i.End))
		}
		next.Intervals = d.with(i)
	}
	b.To = next.cursor()
	b.Parts = []minibatch.Part{{}}
	return b, nil
}

func (s source) Open(context.Context, minibatch.Part) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) { yield(s.j.query, nil) }
}

// sink runs the query into files of the destination and commits them.
type sink struct{ j *Job }

func (s sink) Position(ctx context.Context, job string) (minibatch.Cursor, error) {
	p, err := s.j.table.Position(ctx, job)
	var c minibatch.Cursor
	var rolled *lake.RolledBackError
	if errors.As(err, &rolled) {
		err = minibatch.Fatal(err)
	}
	if err != nil || len(p.Cursor) == 0 {
		return c, err
	}
	return c, json.Unmarshal(p.Cursor, &c)
}

func (s sink) Stage(ctx context.Context, _ minibatch.Part, queries iter.Seq2[string, error]) (minibatch.Staged, error) {
	var out minibatch.Staged
	for query, err := range queries {
		if err != nil {
			return out, err
		}
		var r result
		out.Rows, err = s.j.stage(ctx, query, &r)
		out.Value = r
		if err != nil {
			return out, operator(err)
		}
	}
	return out, nil
}

func (s sink) Commit(ctx context.Context, b minibatch.Batch, parts []minibatch.Staged) (minibatch.Receipt, error) {
	r := parts[0].Value.(result)
	to, err := json.Marshal(b.To)
	if err != nil {
		return minibatch.Receipt{}, err
	}
	c := lake.Commit{Job: b.Job, ID: b.ID(), To: to, Add: r.add, Remove: r.remove, ReplaceAll: r.replaceAll}
	if !b.From.IsZero() {
		if c.From, err = json.Marshal(b.From); err != nil {
			return minibatch.Receipt{}, err
		}
	}
	rc, err := s.j.table.Commit(ctx, c)
	if errors.Is(err, lake.ErrMoved) {
		err = fmt.Errorf("%w (%w)", minibatch.ErrMoved, err)
	}
	if d, bad := toDone(b.To); err == nil && bad == nil {
		s.j.mark(ctx, d)
	}
	return minibatch.Receipt{ID: c.ID, Snapshot: rc.Snapshot, At: rc.At, Already: rc.Already}, operator(err)
}

func (s sink) Abort(_ context.Context, parts []minibatch.Staged) error {
	var errs []error
	for _, p := range parts {
		if r, ok := p.Value.(result); ok {
			errs = append(errs, s.j.table.Drop(r.add))
			for _, f := range r.add {
				_ = os.Remove(filepath.Dir(f.Path)) // the query's own folder, once it is empty
			}
		}
	}
	return errors.Join(errs...)
}

// operator marks what no retry mends.
func operator(err error) error {
	if err != nil && lake.Operator(err) {
		return minibatch.Fatal(err)
	}
	return err
}
