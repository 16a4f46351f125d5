// Package plain tells the facts of the screens as lines: for logs, CI, screen readers and pipes.
//
// Start with [Follow]. A line is printed when a state changes, and every so often for what moves; [Summary] is the end of it.
//
// # Promises
//
// Nothing but text and line ends, one fact a line, the time in front; no line is repeated while nothing changes except at the
// asked interval. The same figures as on the screens, from the same snapshot.
package plain

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"weir/internal/control"
)

// goneLimit is how long Follow waits for a server that has been there to come back.
const goneLimit = 30 * time.Second

// A source is what Follow needs of a control.Client.
type source interface {
	Stream(ctx context.Context) <-chan control.Update
}

// Follow prints what the client's server does: every change of a state at once, what moves each `every` (10 s if 0). It ends with the
// summary when the work is finished, when ctx ends, or, with an error, when nobody serves or the server does not come back.
func Follow(ctx context.Context, client *control.Client, w io.Writer, every time.Duration) error {
	return follow(ctx, client, w, every)
}

func follow(ctx context.Context, from source, w io.Writer, every time.Duration) error {
	if every <= 0 {
		every = 10 * time.Second
	}
	inner, cancel := context.WithCancel(ctx)
	updates := from.Stream(inner)
	defer func() { // the stream's goroutine ends before we do
		cancel()
		for range updates {
		}
	}()
	t := time.NewTicker(every)
	defer t.Stop()
	var f follower
	gone := time.NewTimer(goneLimit)
	gone.Stop()
	defer gone.Stop()
	finish := func(err error) error {
		if f.last.Snapshot != nil {
			print(w, Summary(f.last.Snapshot, time.Now()))
		}
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return finish(nil)
		case <-gone.C:
			return finish(fmt.Errorf("follow: %w", f.last.Err))
		case now := <-t.C:
			print(w, f.moving(now))
		case u, ok := <-updates:
			if !ok {
				return finish(nil)
			}
			if f.last.Live && !u.Live {
				gone.Reset(goneLimit)
			} else if u.Live {
				gone.Stop()
			}
			first := f.last.Heard.IsZero()
			print(w, f.changes(u, time.Now()))
			switch {
			case u.Live && u.Snapshot != nil && u.Snapshot.Done:
				return finish(nil)
			case first && !u.Live && errors.Is(u.Err, control.ErrNotServed):
				return u.Err
			}
		}
	}
}

func print(w io.Writer, lines []string) {
	for _, l := range lines {
		fmt.Fprintln(w, l) // a reader that went away ends the program by itself
	}
}
