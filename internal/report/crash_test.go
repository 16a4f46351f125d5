package report

import (
	"strings"
	"testing"

	"weir/minibatch"
	"weir/minibatch/minibatchtest"
)

// Wherever a run dies or an answer is lost: the destination has the day's rows once, beside those of the other days.
func TestDiesAtEveryStep(t *testing.T) {
	for name, c := range map[string]Config{
		"append":   {Query: byDay, Table: "bank.daily", Mode: "append"},
		"interval": {Query: byDay, Table: "bank.daily", Mode: "replace", IntervalColumn: "day"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			minibatchtest.Crash(t, func() minibatchtest.Trial[string, string] {
				s := makeSite(t)
				_, err := s.run(c, dayOf(0)) // the day before is there
				s.ok(err)
				return minibatchtest.Trial[string, string]{
					Mode: minibatch.Once,
					Job: func() minibatch.Job[string, string] {
						j, err := s.new(c, dayOf(1))
						s.ok(err)
						return j.declare(sink{j}, nil)
					},
					Rows: func() []string { return strings.Split(s.ask("SELECT day::VARCHAR, n FROM bank.daily"), "; ") },
				}
			})
		})
	}
}
