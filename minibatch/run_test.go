package minibatch

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// numbers is a source of the integers below end; its cursor is the next one.
type numbers struct {
	end  int64
	fail func(op string) error // nil: never
}

func at(n int64) Cursor {
	return Cursor{Kind: "number", Version: 1, Value: json.RawMessage(fmt.Sprint(n))}
}

func (c Cursor) number() (n int64) {
	_ = json.Unmarshal(c.Value, &n)
	return n
}

func (s *numbers) Plan(_ context.Context, after Cursor, l Limits) (Batch, error) {
	if err := s.fail("plan"); err != nil {
		return Batch{}, err
	}
	from := after.number()
	to := min(s.end, from+l.Rows)
	b := Batch{From: after, To: at(to)}
	for i, n := 0, from; n < to; i, n = i+1, n+5 {
		b.Parts = append(b.Parts, Part{Index: i, Spec: json.RawMessage(fmt.Sprintf("[%d,%d]", n, min(n+5, to)))})
	}
	return b, nil
}

func (s *numbers) Open(_ context.Context, p Part) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		if err := s.fail("open"); err != nil {
			yield(0, err)
			return
		}
		var span [2]int64
		_ = json.Unmarshal(p.Spec, &span)
		for n := span[0]; n < span[1]; n++ {
			if !yield(n, nil) {
				return
			}
		}
	}
}

// shelf is a sink in memory that keeps the promises of Sink.
type shelf struct {
	rows   []int64
	cursor Cursor
	ids    []string
	fail   func(op string) error
}

func (s *shelf) Position(context.Context, string) (Cursor, error) {
	return s.cursor, s.fail("position")
}

func (s *shelf) Stage(_ context.Context, _ Part, in iter.Seq2[int64, error]) (Staged, error) {
	var rows []int64
	var refused int64
	for n, err := range in {
		if err != nil {
			return Staged{}, err
		}
		if n < 0 {
			refused++
			continue
		}
		rows = append(rows, n)
	}
	return Staged{Rows: int64(len(rows)), Quarantined: refused, Value: rows}, s.fail("stage")
}

func (s *shelf) Commit(_ context.Context, b Batch, parts []Staged) (Receipt, error) {
	if slices.Contains(s.ids, b.ID()) {
		return Receipt{Already: true}, nil
	}
	if !s.cursor.Equal(b.From) {
		return Receipt{}, ErrMoved
	}
	if err := s.fail("before commit"); err != nil {
		return Receipt{}, err
	}
	for _, p := range parts {
		s.rows = append(s.rows, p.Value.([]int64)...)
	}
	s.cursor, s.ids = b.To, append(s.ids, b.ID())
	return Receipt{ID: b.ID()}, s.fail("after commit")
}

func (s *shelf) Abort(context.Context, []Staged) error { return nil }

func never(string) error { return nil }

func copyJob(src *numbers, dst *shelf) Job[int64, int64] {
	return Job[int64, int64]{
		Name: "copy", Source: src, Sink: dst, OneToOne: true, Limits: Limits{Rows: 20},
		Transform: func(_ context.Context, _ Part, in iter.Seq2[int64, error], emit Emit[int64]) error {
			for n, err := range in {
				if err == nil {
					err = emit(n)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}

func wantNumbers(t *testing.T, dst *shelf, n int64) {
	t.Helper()
	rows := slices.Sorted(slices.Values(dst.rows))
	if int64(len(rows)) != n || n > 0 && (rows[0] != 0 || rows[n-1] != n-1) {
		t.Fatalf("got %d rows %v…, want 0 to %d once each", len(rows), rows[:min(len(rows), 30)], n-1)
	}
}

func TestDrainCommitsEveryRowOnce(t *testing.T) {
	dst := &shelf{fail: never}
	r, err := Run(t.Context(), copyJob(&numbers{end: 103, fail: never}, dst), Drain)
	if err != nil || r.Batches != 6 || r.RowsIn != 103 || r.RowsOut != 103 {
		t.Fatalf("got %+v, %v", r, err)
	}
	wantNumbers(t, dst, 103)
	if r, err = Run(t.Context(), copyJob(&numbers{end: 103, fail: never}, dst), Drain); err != nil || r.Batches != 0 {
		t.Fatalf("a second run: %+v, %v; want nothing to do", r, err)
	}
}

// Each call fails once, before and after its effect, at every step of a run; the run mends it and the rows are those of a
// clean one.
func TestFailsAtEveryStep(t *testing.T) {
	steps := 0
	count := func(string) error { steps++; return nil }
	if _, err := Run(t.Context(), copyJob(&numbers{end: 50, fail: count}, &shelf{fail: count}), Drain); err != nil {
		t.Fatal(err)
	}
	for bad := 1; bad <= steps; bad++ {
		synctest.Test(t, func(t *testing.T) {
			n, where := 0, ""
			fail := func(op string) error {
				if n++; n == bad {
					where = op
					return errors.New("connection reset")
				}
				return nil
			}
			dst := &shelf{fail: fail}
			r, err := Run(t.Context(), copyJob(&numbers{end: 50, fail: fail}, dst), Drain)
			if err != nil || r.Retries != 1 {
				t.Fatalf("step %d (%s): %+v, %v", bad, where, r, err)
			}
			wantNumbers(t, dst, 50)
		})
	}
}

func TestGivesUpAndSaysSince(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		boom := errors.New("no broker answers")
		j := copyJob(&numbers{end: 9, fail: func(string) error { return boom }}, &shelf{fail: never})
		j.Retry = Retry{For: time.Minute}
		began := time.Now()
		_, err := Run(t.Context(), j, Drain)
		if !errors.Is(err, boom) || !strings.Contains(err.Error(), "job copy: given up after 1m") {
			t.Errorf("got %v", err)
		}
		if took := time.Since(began); took < time.Minute || took > 2*time.Minute {
			t.Errorf("gave up after %v, want about a minute", took)
		}
	})
}

func TestWhatNoRetryMends(t *testing.T) {
	for name, err := range map[string]error{"fatal": Fatal(errors.New("wrong type")), "moved": fmt.Errorf("%w: 5", ErrMoved)} {
		t.Run(name, func(t *testing.T) {
			dst := &shelf{fail: func(op string) error {
				if op == "before commit" {
					return err
				}
				return nil
			}}
			r, got := Run(t.Context(), copyJob(&numbers{end: 9, fail: never}, dst), Daemon)
			if !errors.Is(got, errors.Unwrap(err)) && !errors.Is(got, err) || r.Retries != 0 {
				t.Errorf("got %v after %d retries", got, r.Retries)
			}
			wantNumbers(t, dst, 0)
		})
	}
}

func TestAPanicIsAnErrorOfItsBatch(t *testing.T) {
	j := copyJob(&numbers{end: 9, fail: never}, &shelf{fail: never})
	j.Transform = func(context.Context, Part, iter.Seq2[int64, error], Emit[int64]) error { panic("index out of range") }
	if _, err := Run(t.Context(), j, Drain); err == nil || !strings.Contains(err.Error(), "panicked: index out of range") {
		t.Errorf("got %v", err)
	}
}

func TestAFloodOfRefusedRowsStopsTheJob(t *testing.T) {
	bad := func(_ context.Context, _ Part, in iter.Seq2[int64, error], emit Emit[int64]) error {
		for n, err := range in {
			if err == nil && n%10 == 0 {
				n = -1
			}
			if err == nil {
				err = emit(n)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	dst := &shelf{fail: never}
	j := copyJob(&numbers{end: 1000, fail: never}, dst)
	j.Transform, j.Skip = bad, Skip{MaxRows: 7}
	r, err := Run(t.Context(), j, Drain)
	if !errors.Is(err, ErrTooManyRefused) || r.Quarantined > 7 {
		t.Errorf("by rows: got %v with %d refused", err, r.Quarantined)
	}
	j.Sink, j.Skip = &shelf{fail: never}, Skip{MaxShare: 0.05, MinRows: 100}
	if r, err = Run(t.Context(), j, Drain); !errors.Is(err, ErrTooManyRefused) || r.RowsIn != 80 {
		t.Errorf("by share: got %v after %d rows", err, r.RowsIn)
	}
}

func TestRowsThatVanishAreNotCommitted(t *testing.T) {
	dst := &shelf{fail: never}
	j := copyJob(&numbers{end: 50, fail: never}, dst)
	copyAll := j.Transform
	j.Transform = func(ctx context.Context, p Part, in iter.Seq2[int64, error], emit Emit[int64]) error {
		return copyAll(ctx, p, in, func(n int64) error {
			if n == 13 {
				return nil // forgotten
			}
			return emit(n)
		})
	}
	if _, err := Run(t.Context(), j, Drain); err == nil || !strings.Contains(err.Error(), "read 20 rows, but 19 written") {
		t.Errorf("got %v", err)
	}
	wantNumbers(t, dst, 0)
	j.Transform = func(ctx context.Context, p Part, in iter.Seq2[int64, error], emit Emit[int64]) error {
		return copyAll(ctx, p, in, func(n int64) error {
			if n == 13 {
				Filter(ctx, 1)
				return nil
			}
			return emit(n)
		})
	}
	if r, err := Run(t.Context(), j, Drain); err != nil || r.Filtered != 1 || r.RowsOut != 49 {
		t.Errorf("left out on purpose: %+v, %v", r, err)
	}
}

func TestAStopFinishesTheBatchInWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		dst := &shelf{fail: never}
		j := copyJob(&numbers{end: 1000, fail: never}, dst)
		j.Sink = dst
		slow := j.Transform
		j.Transform = func(ctx context.Context, p Part, in iter.Seq2[int64, error], emit Emit[int64]) error {
			time.Sleep(time.Second)
			return slow(ctx, p, in, emit)
		}
		go func() {
			time.Sleep(2500 * time.Millisecond) // the first batch has four parts, two side by side
			stop()
		}()
		r, err := Run(ctx, j, Daemon)
		if err != nil || !r.Stopped || r.Batches != 2 {
			t.Errorf("got %+v, %v; want the second batch finished", r, err)
		}
		wantNumbers(t, dst, 40)
	})
}

// A run that is given up does not finish its batch, and commits nothing of it.
func TestAnAbandonedBatchIsNotCommitted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancelCause(t.Context())
		dst := &shelf{fail: never}
		j := copyJob(&numbers{end: 1000, fail: never}, dst)
		j.Sink = dst
		slow := j.Transform
		j.Transform = func(ctx context.Context, p Part, in iter.Seq2[int64, error], emit Emit[int64]) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Second):
			}
			return slow(ctx, p, in, emit)
		}
		go func() {
			time.Sleep(2500 * time.Millisecond)
			stop(fmt.Errorf("too long: %w", ErrAbandon))
		}()
		began := time.Now()
		r, err := Run(ctx, j, Daemon)
		if took := time.Since(began); err != nil || !r.Stopped || r.Batches != 1 || took != 2500*time.Millisecond {
			t.Errorf("got %+v, %v after %v; want the first batch only, at once", r, err, took)
		}
		wantNumbers(t, dst, 20)
	})
}

func TestBatchIDIsTheSameForTheSameWork(t *testing.T) {
	a := Batch{Job: "j", From: at(1), To: at(2)}
	if a.ID() != (Batch{Job: "j", From: at(1), To: at(2), Rows: 9}).ID() {
		t.Error("estimates must not change the id")
	}
	if a.ID() == (Batch{Job: "j", From: at(1), To: at(3)}).ID() || a.ID() == (Batch{Job: "k", From: at(1), To: at(2)}).ID() {
		t.Error("other work must have another id")
	}
}
