package main

import (
	"fmt"
	"testing"

	"weir/internal/report"
	"weir/minibatch"
)

// Programs that read an outcome tell by its code what kind of failure it was.
func TestFailuresHaveTheirCodes(t *testing.T) {
	for want, err := range map[string]error{
		"data.check":            minibatch.Fatal(fmt.Errorf("%w; not_null id", report.ErrCheck)),
		"data.too_many_refused": fmt.Errorf("x: %w", minibatch.ErrTooManyRefused),
		"run.fenced":            fmt.Errorf("x: %w", minibatch.ErrMoved),
		"run.given_up":          fmt.Errorf("%w after 1m: x", minibatch.ErrGivenUp),
		"run.retry_budget":      fmt.Errorf("%w (%w): x", minibatch.ErrGivenUp, minibatch.ErrBudget),
		"run.error":             fmt.Errorf("x"),
	} {
		if got := code(err); got != want {
			t.Errorf("%v: got %s, want %s", err, got, want)
		}
	}
}
