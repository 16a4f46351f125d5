package show

import (
	"context"
	"path/filepath"
	"slices"
	"time"

	"weir/internal/control"
)

// Mirror shows the newest load run of the home on the hub, from the run's own control API: for screens of a home that nobody else
// serves. It ends with ctx.
func Mirror(ctx context.Context, hub *control.Hub, home string) {
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		if c := newestRun(ctx, home); c != nil {
			mirror(ctx, hub, c)
			c.Close()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// newestRun is the control API of the run that began last and still answers; nil if none does.
func newestRun(ctx context.Context, home string) *control.Client {
	all, err := filepath.Glob(LoadSocket(home, "*"))
	if err != nil {
		return nil
	}
	slices.Sort(all) // ULIDs sort by time
	slices.Reverse(all)
	for _, path := range all {
		c := control.Dial(path)
		if _, err := c.Snapshot(ctx); err == nil {
			return c
		}
		c.Close()
	}
	return nil
}

// mirror follows a run until it no longer answers. What it said last stays, marked as silent if it was not over.
func mirror(ctx context.Context, hub *control.Hub, c *control.Client) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for u := range c.Stream(ctx) {
		switch {
		case !u.Live:
			hub.Update(func(s *control.Snapshot) {
				if s.Load != nil && !s.Load.Over() {
					s.Load.Silent, s.Load.Source = true, "loadgen"
				}
			})
			return
		case u.Snapshot != nil && u.Snapshot.Load != nil:
			l := *u.Snapshot.Load
			hub.Update(func(s *control.Snapshot) { s.Load = &l })
		}
	}
}
