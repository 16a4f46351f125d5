package main

import (
	"context"
	"fmt"
	"time"

	"weir/internal/cli"
	"weir/internal/load"
	"weir/internal/project"
)

// watch gives the function that is told how the run stands, and one to call at its end. It prints a line a second for people;
// whoever else wants to know (the control socket of the home) is called from here as well.
func watch(_ context.Context, app *cli.App, _ *project.Project) (show func(load.Progress), end func()) {
	var last time.Time
	return func(p load.Progress) {
		if p.Final == nil && p.At.Sub(last) >= time.Second-50*time.Millisecond {
			last = p.At
			fmt.Fprintln(app.Stderr, progressLine(p))
		}
	}, func() {}
}
