package main

import (
	"context"
	"fmt"
	"time"

	"weir/internal/cli"
	"weir/internal/control"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/show"
)

// watch gives the function that is told how the run stands, and one to call at its end. It prints a line a second for people,
// and shows the run on the screens of whatever serves the control API of the home; where nothing does, that costs nothing.
func watch(ctx context.Context, app *cli.App, pr *project.Project) (tell func(load.Progress), end func()) {
	client := control.Dial(pr.Socket())
	screens := control.NewPublisher(ctx, client)
	var last time.Time
	return func(p load.Progress) {
			screens.Load(show.Load(p))
			if p.Final == nil && p.At.Sub(last) >= time.Second-50*time.Millisecond {
				last = p.At
				fmt.Fprintln(app.Stderr, progressLine(p))
			}
		}, func() {
			screens.Close()
			client.Close()
		}
}
