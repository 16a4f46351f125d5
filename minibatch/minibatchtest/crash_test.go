package minibatchtest

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"strings"
	"testing"

	"weir/minibatch"
)

// shelf is a destination in memory.
type shelf struct {
	rows  []string
	at    minibatch.Cursor
	split bool // the cursor is a second step
}

func number(n int) minibatch.Cursor {
	return minibatch.Cursor{Kind: "number", Version: 1, Value: json.RawMessage(fmt.Sprint(n))}
}

func (s *shelf) Position(context.Context, string) (minibatch.Cursor, error) { return s.at, nil }

func (s *shelf) Stage(_ context.Context, _ minibatch.Part, in iter.Seq2[string, error]) (minibatch.Staged, error) {
	var rows []string
	for r, err := range in {
		if err != nil {
			return minibatch.Staged{}, err
		}
		rows = append(rows, r)
	}
	return minibatch.Staged{Rows: int64(len(rows)), Value: rows}, nil
}

func (s *shelf) Commit(ctx context.Context, b minibatch.Batch, staged []minibatch.Staged) (minibatch.Receipt, error) {
	if s.at.Equal(b.To) {
		return minibatch.Receipt{Already: true}, nil
	}
	if !s.at.Equal(b.From) {
		return minibatch.Receipt{}, minibatch.ErrMoved
	}
	for _, st := range staged {
		s.rows = append(s.rows, st.Value.([]string)...)
	}
	if s.split {
		if err := Step(ctx, "between rows and cursor"); err != nil {
			return minibatch.Receipt{}, err
		}
	}
	s.at = b.To
	return minibatch.Receipt{}, nil
}

func (s *shelf) Abort(context.Context, []minibatch.Staged) error { return nil }

// counter is a source of the numbers below end, in batches of three.
type counter struct{ end int }

func (c counter) Plan(_ context.Context, after minibatch.Cursor, _ minibatch.Limits) (minibatch.Batch, error) {
	var from int
	_ = json.Unmarshal(after.Value, &from)
	to := min(from+3, c.end)
	b := minibatch.Batch{From: after, To: number(to)}
	if from < to {
		b.Parts = []minibatch.Part{{Spec: json.RawMessage(fmt.Sprintf("[%d,%d]", from, to))}}
	}
	return b, nil
}

func (c counter) Open(_ context.Context, p minibatch.Part) iter.Seq2[int, error] {
	return func(yield func(int, error) bool) {
		var span [2]int
		_ = json.Unmarshal(p.Spec, &span)
		for n := span[0]; n < span[1] && yield(n, nil); n++ {
		}
	}
}

func trial(split bool) func() Trial[int, string] {
	return func() Trial[int, string] {
		s := &shelf{split: split}
		return Trial[int, string]{
			Rows: func() []string { return s.rows },
			Job: func() minibatch.Job[int, string] {
				return minibatch.Job[int, string]{
					Name: "numbers", Source: counter{8}, Sink: s,
					Transform: func(_ context.Context, _ minibatch.Part, in iter.Seq2[int, error], emit minibatch.Emit[string]) error {
						for n, err := range in {
							if err == nil {
								err = emit(fmt.Sprint("row ", n))
							}
							if err != nil {
								return err
							}
						}
						return nil
					},
				}
			},
		}
	}
}

func TestAJobThatKeepsItsPromisePasses(t *testing.T) { Crash(t, trial(false)) }

// recorded is a test that is allowed to fail.
type recorded struct {
	testing.TB
	said []string
}

func (r *recorded) Helper()             {}
func (r *recorded) Logf(string, ...any) {}
func (r *recorded) Errorf(format string, a ...any) {
	r.said = append(r.said, fmt.Sprintf(format, a...))
}

func TestASplitCommitIsFound(t *testing.T) {
	r := &recorded{TB: t}
	Crash(r, trial(true))
	if len(r.said) != 1 || !strings.Contains(r.said[0], "(between rows and cursor)") || !strings.Contains(r.said[0], "doubled or foreign: row 0") {
		t.Errorf("got %q", r.said)
	}
}
