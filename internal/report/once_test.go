package report

import (
	"context"
	"errors"
	"testing"

	"weir/minibatch"
)

// lossy is a destination whose answer to a commit is lost, before the commit took effect or after it.
type lossy struct {
	sink
	lose   int // commits whose answer is lost
	landed bool
	tries  int
}

func (l *lossy) Commit(ctx context.Context, b minibatch.Batch, parts []minibatch.Staged) (minibatch.Receipt, error) {
	l.tries++
	if l.lose == 0 {
		return l.sink.Commit(ctx, b, parts)
	}
	l.lose--
	if l.landed {
		if _, err := l.sink.Commit(ctx, b, parts); err != nil {
			return minibatch.Receipt{}, err
		}
	}
	return minibatch.Receipt{}, errors.New("connection reset by peer")
}

// Whether the commit whose answer was lost had landed or not: the table holds the interval once, in this run and the next.
func TestALostAnswerDoublesNothing(t *testing.T) {
	for _, landed := range []bool{true, false} {
		for name, c := range map[string]Config{
			"append":   {Query: byDay, Table: "bank.daily", Mode: "append"},
			"interval": {Query: byDay, Table: "bank.daily", Mode: "replace", IntervalColumn: "day"},
			"replace":  {Query: byDay, Table: "bank.daily", Mode: "replace"},
		} {
			t.Run(name, func(t *testing.T) {
				s := newSite(t)
				j, err := s.new(c, dayOf(1))
				s.ok(err)
				l := &lossy{sink: sink{j}, lose: 2, landed: landed}
				r, err := minibatch.Run(t.Context(), j.declare(l, nil), minibatch.Once)
				s.ok(err)
				if r.Retries == 0 {
					t.Error("nothing was tried again")
				}
				s.want("SELECT day::VARCHAR, n FROM bank.daily", "2026-11-21 10")
				_, err = s.run(c, dayOf(1))
				s.ok(err)
				s.want("SELECT day::VARCHAR, n FROM bank.daily", "2026-11-21 10")
			})
		}
	}
}

// Two workers make the same run; the slower one finds that the cursor has moved.
func TestASecondWorkerIsRefused(t *testing.T) {
	s := newSite(t)
	c := Config{Query: byDay, Table: "bank.daily", Mode: "append"}
	slow, err := s.new(c, dayOf(1))
	s.ok(err)
	b, err := source{slow}.Plan(t.Context(), minibatch.Cursor{}, minibatch.Limits{})
	s.ok(err)
	b.Job = slow.name
	staged, err := sink{slow}.Stage(t.Context(), b.Parts[0], source{slow}.Open(t.Context(), b.Parts[0]))
	s.ok(err)
	_, err = s.run(c, dayOf(1))
	s.ok(err)
	if _, err := (sink{slow}).Commit(t.Context(), b, []minibatch.Staged{staged}); !errors.Is(err, minibatch.ErrMoved) {
		t.Errorf("got %v, want %v", err, minibatch.ErrMoved)
	}
	s.want("SELECT count(*) FROM bank.daily", "1")
}

func TestIntervalsMerge(t *testing.T) {
	var d done
	for _, i := range []int{4, 0, 2, 1} {
		v := dayOf(i)
		d.Intervals = d.with(span{v.Start, v.End})
	}
	if len(d.Intervals) != 2 || d.Intervals[0].Start != dayOf(0).Start || d.Intervals[0].End != dayOf(2).End || d.Intervals[1].Start != dayOf(4).Start {
		t.Errorf("got %v, want days 0 to 2 and day 4", d.Intervals)
	}
	for i, want := range []bool{true, true, true, false, true} {
		if v := dayOf(i); d.has(span{v.Start, v.End}) != want {
			t.Errorf("has day %d: %v", i, !want)
		}
	}
	over := span{dayOf(2).Start, dayOf(4).Start}
	if d.has(over) || !d.overlaps(over) || d.overlaps(span{dayOf(3).Start, dayOf(3).End}) {
		t.Error("overlaps")
	}
}
