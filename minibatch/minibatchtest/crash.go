// Package minibatchtest proves that a job takes effect exactly once, whatever breaks and whenever.
//
// Start with [Crash].
package minibatchtest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/minibatch"
)

// A Trial is a job over a source that has its input and a destination that is empty.
type Trial[In, Out any] struct {
	// Job makes the job as a new process would: with connections of its own. It is called after each crash.
	Job func() minibatch.Job[In, Out]
	// Rows reads what the destination holds, each row as a text, in any order.
	Rows func() []string
	// Mode in which the job runs: Drain, unless it is one that does the same thing each time, such as replacing a whole table.
	Mode minibatch.Mode
}

// Crash runs a job once to the end, to see its rows and to count its calls of source and sink. Then it runs the job again in
// a new trial for each call, and makes that call
//
//   - fail before its effect, and fail after it, as when an answer is lost: the runner tries again by itself;
//   - the last one of its process, before its effect and after it: a new process goes on.
//
// Each time the destination must end up with the rows of the clean run, each as often as there, and must never hold a row
// that the clean run does not have. open makes a trial; all trials must have the same input.
func Crash[In, Out any](t testing.TB, open func() Trial[In, Out]) {
	t.Helper()
	clean := open()
	count := &plan{}
	if err := run(clean.Job(), clean.Mode, count); err != nil {
		t.Fatalf("the clean run: %v", err)
	}
	want := sorted(clean.Rows())
	if len(want) == 0 {
		t.Fatal("the clean run left no row: nothing can be proven")
	}
	for call := 1; call <= count.calls; call++ {
		for _, f := range []fault{{call, false, false}, {call, true, false}, {call, false, true}, {call, true, true}} {
			x := open()
			p := &plan{fault: f}
			err := run(x.Job(), x.Mode, p)
			if f.dies {
				if extra := beyond(x.Rows(), want); extra != "" {
					t.Errorf("%s: the destination holds what a clean run does not have: %s", p, extra)
					return
				}
				err = run(x.Job(), x.Mode, &plan{})
			}
			if err != nil {
				t.Errorf("%s: the job does not recover: %v", p, err)
				return
			}
			if diff := compare(sorted(x.Rows()), want); diff != "" {
				t.Errorf("%s: %s", p, diff)
				return
			}
		}
	}
	t.Logf("%d rows, %d calls of source and sink, each broken in 4 ways", len(want), count.calls)
}

// fault is what happens to one call.
type fault struct {
	call  int  // its number, from 1; 0: none
	after bool // its effect has happened
	dies  bool // and no other call comes through
}

// plan numbers the calls of a run and breaks one.
type plan struct {
	fault
	mu    sync.Mutex
	calls int
	name  string // of the call that was broken
	dead  bool
	stop  context.CancelFunc
}

var errBroken = errors.New("broken on purpose")

func (p *plan) String() string {
	how := map[[2]bool]string{
		{false, false}: "failed before its effect", {true, false}: "had its effect, but its answer was lost",
		{false, true}: "was not made: the process died", {true, true}: "was the last of its process",
	}
	return fmt.Sprintf("call %d (%s) %s", p.call, p.name, how[[2]bool{p.after, p.dies}])
}

// do makes a call, unless its time has come.
func (p *plan) do(name string, f func() error) error {
	p.mu.Lock()
	if p.dead {
		p.mu.Unlock()
		return errBroken
	}
	p.calls++
	mine := p.calls == p.call
	if mine {
		p.name = name
		if !p.after {
			p.end()
			p.mu.Unlock()
			return errBroken
		}
	}
	p.mu.Unlock()
	err := f()
	if !mine {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end()
	return errBroken
}

func (p *plan) end() {
	if p.dies {
		p.dead = true
		p.stop()
	}
}

func run[In, Out any](j minibatch.Job[In, Out], m minibatch.Mode, p *plan) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	p.stop = stop
	j.Source, j.Sink = &source[In]{j.Source, p}, wrap(j.Sink, p)
	j.Retry = minibatch.Retry{For: 20 * time.Second, Base: time.Millisecond, Max: 5 * time.Millisecond}
	j.Limits.Parallel = 1 // the same calls in the same order each time
	_, err := minibatch.Run(ctx, j, m)
	return err
}

type source[In any] struct {
	minibatch.Source[In]
	p *plan
}

func (s *source[In]) Plan(ctx context.Context, after minibatch.Cursor, l minibatch.Limits) (b minibatch.Batch, err error) {
	err = s.p.do("Plan", func() error { b, err = s.Source.Plan(ctx, after, l); return err })
	return b, err
}

// Open breaks before its first row or behind its last one.
func (s *source[In]) Open(ctx context.Context, part minibatch.Part) iter.Seq2[In, error] {
	return func(yield func(In, error) bool) {
		more := true
		err := s.p.do("Open", func() error {
			for row, err := range s.Source.Open(ctx, part) {
				if more = yield(row, err); !more {
					return nil
				}
			}
			return nil
		})
		if err != nil && more {
			var none In
			yield(none, err)
		}
	}
}

type sink[Out any] struct {
	minibatch.Sink[Out]
	p *plan
}

type keeper[Out any] struct{ *sink[Out] }

func (keeper[Out]) KeepsRefused() {}

func wrap[Out any](s minibatch.Sink[Out], p *plan) minibatch.Sink[Out] {
	w := &sink[Out]{s, p}
	if _, ok := s.(minibatch.Keeper); ok {
		return keeper[Out]{w}
	}
	return w
}

func (s *sink[Out]) Position(ctx context.Context, job string) (c minibatch.Cursor, err error) {
	err = s.p.do("Position", func() error { c, err = s.Sink.Position(ctx, job); return err })
	return c, err
}

func (s *sink[Out]) Stage(ctx context.Context, part minibatch.Part, rows iter.Seq2[Out, error]) (out minibatch.Staged, err error) {
	err = s.p.do("Stage", func() error { out, err = s.Sink.Stage(ctx, part, rows); return err })
	return out, err
}

func (s *sink[Out]) Commit(ctx context.Context, b minibatch.Batch, staged []minibatch.Staged) (rc minibatch.Receipt, err error) {
	err = s.p.do("Commit", func() error {
		rc, err = s.Sink.Commit(context.WithValue(ctx, planKey{}, s.p), b, staged)
		return err
	})
	return rc, err
}

func (s *sink[Out]) Abort(ctx context.Context, staged []minibatch.Staged) error {
	return s.p.do("Abort", func() error { return s.Sink.Abort(ctx, staged) })
}

type planKey struct{}

// Step lets [Crash] break a sink between two effects of its Commit. A sink that has one effect needs none; outside of Crash
// it does nothing.
func Step(ctx context.Context, name string) error {
	p, ok := ctx.Value(planKey{}).(*plan)
	if !ok {
		return nil
	}
	return p.do(name, func() error { return nil })
}

func sorted(rows []string) []string {
	rows = slices.Clone(rows)
	slices.Sort(rows)
	return rows
}

// beyond gives a row of which got has more than want.
func beyond(got, want []string) string {
	left := map[string]int{}
	for _, r := range want {
		left[r]++
	}
	for _, r := range got {
		if left[r]--; left[r] < 0 {
			return r
		}
	}
	return ""
}

func compare(got, want []string) string {
	var say []string
	if r := beyond(got, want); r != "" {
		say = append(say, "doubled or foreign: "+r)
	}
	if r := beyond(want, got); r != "" {
		say = append(say, "lost: "+r)
	}
	if len(say) == 0 {
		return ""
	}
	return fmt.Sprintf("the destination has %d rows, the clean run %d; %s", len(got), len(want), strings.Join(say, "; "))
}
