package load

import (
	"context"
	"syscall"
	"time"
)

// A pacer waits until a moment of the schedule. Go's own timers may be up to a millisecond late on an idle machine (the poller
// counts in milliseconds), so the last stretch is slept in the kernel.
type pacer struct {
	start time.Time
	nap   func(time.Duration) // at most a few milliseconds; tests with virtual time put time.Sleep here
}

const (
	// coarse is the longest stretch that is slept in the kernel, where a stop is not heard.
	coarse = 2 * time.Millisecond
	// quantum is the shortest sleep: at high rates a few messages go out together, at most this late, instead of a wake-up for each.
	quantum = 200 * time.Microsecond
)

func (p *pacer) now() time.Duration { return time.Since(p.start) }

// until returns the time when it is due, or when ctx or the plan has ended.
func (p *pacer) until(ctx context.Context, due time.Duration, changed <-chan struct{}) time.Duration {
	now := p.now()
	for due > now && ctx.Err() == nil {
		if left := due - now; left > coarse {
			t := time.NewTimer(left - coarse/2)
			select {
			case <-ctx.Done():
				t.Stop()
			case <-changed:
				t.Stop()
				return p.now()
			case <-t.C:
			}
		} else {
			p.nap(max(left, quantum))
		}
		now = p.now()
	}
	return now
}

// kernelNap may return early after a signal; until asks the clock again.
func kernelNap(d time.Duration) {
	ts := syscall.NsecToTimespec(d.Nanoseconds())
	_ = syscall.Nanosleep(&ts, nil)
}
