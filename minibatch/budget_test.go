package minibatch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// flapping commits every other batch at the second try.
func flapping() (*numbers, *shelf) {
	n := 0
	return &numbers{end: 1 << 40, fail: never}, &shelf{fail: func(op string) error {
		if op != "before commit" {
			return nil
		}
		if n++; n%2 == 1 {
			return errors.New("503 SlowDown")
		}
		return nil
	}}
}

// A server that fails all the time is asked again ever more slowly; the retries stay within the budget in every minute.
func TestRetriesStayWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 30*time.Minute)
		defer stop()
		src, dst := flapping()
		j := copyJob(src, dst)
		var tries []time.Time
		var batches, waited int
		j.Observer = func(e Event) {
			switch e.Kind {
			case Retrying:
				tries = append(tries, e.Time)
				if e.Budget > 0 {
					waited++
				}
			case Committed:
				batches++
			}
		}
		r, err := Run(ctx, j, Daemon)
		if err != nil || r.Retries != len(tries) || r.Throttled != waited || waited == 0 {
			t.Errorf("got %d retries of %d, %d throttled of %d, %v", r.Retries, len(tries), r.Throttled, waited, err)
		}
		if most := 10 + 10*30 + batches/5 + 1; len(tries) > most || len(tries) < 200 {
			t.Errorf("%d retries for %d batches in 30 minutes, want at most %d, and not to stop trying", len(tries), batches, most)
		}
		wantNumbers(t, dst, int64(20*batches))
	})
}

// The same without a budget, as the measure of what it spares.
func TestWithoutABudgetItIsAStorm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		defer stop()
		src, dst := flapping()
		j := copyJob(src, dst)
		j.Retry.Budget = &Budget{Burst: 1e9}
		r, err := Run(ctx, j, Daemon)
		if err != nil || r.Retries < 300 || r.Throttled != 0 {
			t.Errorf("%d retries in a minute, %d throttled, %v", r.Retries, r.Throttled, err)
		}
	})
}

// A job that works most of the time never meets its budget.
func TestOneFailureInTenIsWithinTheBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		dst := &shelf{fail: func(op string) error {
			if op == "before commit" {
				if n++; n%10 == 0 {
					return errors.New("reset")
				}
			}
			return nil
		}}
		j := copyJob(&numbers{end: 20_000, fail: never}, dst)
		j.Retry = Retry{Base: time.Nanosecond, Max: time.Nanosecond, Budget: &Budget{PerMinute: -1}}
		r, err := Run(t.Context(), j, Drain)
		if err != nil || r.Throttled != 0 || r.Retries < 50 {
			t.Errorf("got %d retries for %d batches, %d throttled, %v", r.Retries, r.Batches, r.Throttled, err)
		}
		wantNumbers(t, dst, 20_000)
	})
}

func TestAnExhaustedBudgetEndsTheRun(t *testing.T) {
	for name, c := range map[string]struct {
		retry Retry
		want  string
	}{
		"time brings none":             {Retry{Budget: &Budget{Burst: 3, PerMinute: -1}}, "job copy: given up (retry budget exhausted: 3 retries for 0 batches): plan: no broker answers"},
		"the next one comes too late":  {Retry{For: 20 * time.Second, Budget: &Budget{Burst: 2, PerMinute: 1}}, "retry budget exhausted: 2 retries for 0 batches, the next one in "},
		"the time of one batch is out": {Retry{For: 20 * time.Second}, "given up after "},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				boom := errors.New("no broker answers")
				j := copyJob(&numbers{end: 9, fail: func(string) error { return boom }}, &shelf{fail: never})
				j.Retry = c.retry
				r, err := Run(t.Context(), j, Drain)
				if !errors.Is(err, boom) || !strings.Contains(err.Error(), c.want) || ClassOf(err) != Abandoned {
					t.Errorf("got %v", err)
				}
				if b := c.retry.Budget; errors.Is(err, ErrBudget) != (b != nil) || b != nil && r.Retries != int(b.Burst) {
					t.Errorf("got %v after %d retries", err, r.Retries)
				}
			})
		})
	}
}

// Jobs that share a budget share what a server has to bear.
func TestJobsShareABudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Budget{Burst: 4, PerMinute: 6}
		done := make(chan int)
		for range 3 {
			go func() {
				j := copyJob(&numbers{end: 9, fail: func(string) error { return errors.New("down") }}, &shelf{fail: never})
				j.Retry.Budget = b
				r, err := Run(context.Background(), j, Drain)
				if !errors.Is(err, ErrGivenUp) {
					t.Errorf("got %v", err)
				}
				done <- r.Retries
			}()
		}
		if all := <-done + <-done + <-done; all > 4+6*5+3 || all < 20 {
			t.Errorf("%d retries in five minutes, want 4 and 6 a minute", all)
		}
	})
}

// An outage of minutes is survived as if there were no budget.
func TestAnOutageOfMinutesIsSurvived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		up := time.Now().Add(4 * time.Minute)
		dst := &shelf{fail: func(string) error {
			if time.Now().Before(up) {
				return errors.New("connection refused")
			}
			return nil
		}}
		r, err := Run(t.Context(), copyJob(&numbers{end: 100, fail: never}, dst), Drain)
		if late := time.Since(up); err != nil || late > 20*time.Second {
			t.Errorf("%v, %v after the server came back, %d retries", err, late, r.Retries)
		}
		wantNumbers(t, dst, 100)
	})
}

func TestClasses(t *testing.T) {
	boom := errors.New("boom")
	for want, errs := range map[Class][]error{
		"":        {nil},
		Transient: {boom, RetryAfter(boom, time.Second), context.DeadlineExceeded},
		Permanent: {Fatal(boom), fmt.Errorf("x: %w", ErrMoved), ErrTooManyRefused, fmt.Errorf("%w: %w", ErrTooManyRefused, Poison(1, "x"))},
		Poisoned:  {Poison(1, "x"), fmt.Errorf("part 1: %w", Poison(1, "x"))},
		Abandoned: {ErrAbandon, fmt.Errorf("%w after 1m: %w", ErrGivenUp, boom), fmt.Errorf("%w (%w): %w", ErrGivenUp, ErrBudget, boom)},
	} {
		for _, err := range errs {
			if got := ClassOf(err); got != want {
				t.Errorf("%v: got %s, want %s", err, got, want)
			}
		}
	}
}

// bad is a source in which every third number is poison.
type bad struct{ *numbers }

func (s bad) Open(ctx context.Context, p Part) iter.Seq2[int64, error] {
	return func(yield func(int64, error) bool) {
		for n, err := range s.numbers.Open(ctx, p) {
			if err == nil && n%3 == 0 {
				err = Poison(n, fmt.Sprint("no number: ", n))
			}
			if !yield(n, err) {
				return
			}
		}
	}
}

// keeping is a shelf that keeps refused rows.
type keeping struct {
	*shelf
	kept []Refused
}

func (*keeping) KeepsRefused() {}

func (s *keeping) Commit(ctx context.Context, b Batch, parts []Staged) (Receipt, error) {
	rc, err := s.shelf.Commit(ctx, b, parts)
	for _, p := range parts {
		if err == nil {
			s.kept = append(s.kept, p.Refused...)
		}
	}
	return rc, err
}

// A poisoned record never reaches the transform: it is kept, counted, and its batch goes on.
func TestPoisonGoesToQuarantine(t *testing.T) {
	src, dst := &numbers{end: 100, fail: never}, &keeping{shelf: &shelf{fail: never}}
	j := copyJob(src, dst.shelf)
	j.Source, j.Sink = bad{src}, dst
	r, err := Run(t.Context(), j, Drain)
	if err != nil || r.RowsIn != 100 || r.RowsOut != 66 || r.Quarantined != 34 || len(dst.kept) != 34 || r.Retries != 0 || dst.kept[1] != (Refused{int64(3), "no number: 3"}) {
		t.Errorf("got %+v, %v, %d kept", r, err, len(dst.kept))
	}
	j.Skip, dst.cursor = Skip{MaxRows: 3}, Cursor{}
	if _, err := Run(t.Context(), j, Drain); !errors.Is(err, ErrTooManyRefused) {
		t.Errorf("a flood: got %v", err)
	}
	j.Sink, dst.cursor = dst.shelf, Cursor{}
	if _, err := Run(t.Context(), j, Drain); err == nil || !strings.Contains(err.Error(), "this sink keeps no refused rows") || ClassOf(err) != Permanent {
		t.Errorf("without a place for it: got %v", err)
	}
}

// What is refused is in memory until the commit: a flood within one part ends it at once.
func TestAFloodWithinOnePartEndsIt(t *testing.T) {
	dst := &keeping{shelf: &shelf{fail: never}}
	seen := 0
	j := copyJob(&numbers{end: 1 << 20, fail: never}, dst.shelf)
	j.Sink, j.Limits.Rows, j.Skip = dst, 5, Skip{MaxRows: 2}
	j.Transform = func(ctx context.Context, _ Part, in iter.Seq2[int64, error], _ Emit[int64]) error {
		for n, err := range in {
			if err == nil {
				seen++
				err = Quarantine(ctx, n, "none is good")
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	if _, err := Run(t.Context(), j, Drain); !errors.Is(err, ErrTooManyRefused) || seen != 3 || !strings.Contains(err.Error(), "the last one: none is good") {
		t.Errorf("got %v after %d rows", err, seen)
	}
}
