package notify

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// stalling takes the first message, and does not return from that before it is woken, whatever its context says.
type stalling struct {
	*threads
	taken, wake chan struct{}
}

func (f *stalling) Send(ctx context.Context, p channel.Post) (channel.Receipt, error) {
	r, err := f.threads.Send(ctx, p)
	close(f.taken)
	<-f.wake
	return r, err
}

// The sender stalls in the middle of a call, which arrives, and renews its lease no more. Another one takes over when that has run out,
// finds the message by looking and sends the rest; the first one wakes up, and neither writes nor sends any more.
func TestAcceptance_LeaseHandOverDoublesAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := outbox(t)
		far := &threads{}
		stuck := &stalling{threads: far, taken: make(chan struct{}), wake: make(chan struct{})}
		a, b := open(t, path, stuck, &flat{}, nil), open(t, path, far, &flat{}, nil)
		defer closed(t, a)
		defer closed(t, b)
		if ours, _, err := a.acquire(t.Context()); err != nil || !ours {
			t.Fatalf("acquire: %v, %v", ours, err)
		}
		accepted(t, a, settlements(outcome.Ready, nil), settlements(outcome.Ready, func(o *outcome.Outcome) { o.Job, o.RunID = "gl_other", "r2" }))
		for more := true; more; {
			var err error
			if more, err = a.routeNext(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		ended := make(chan error, 1)
		go func() {
			_, err := (&worker{s: a, name: "daily", channel: stuck}).step(t.Context())
			ended <- err
		}()
		<-stuck.taken
		drain(t, b, time.Minute)
		if took := time.Since(start); took < 15*time.Second || took > 30*time.Second {
			t.Errorf("handed over after %v, the lease is 15s", took)
		}
		close(stuck.wake)
		if err := <-ended; err != nil {
			t.Errorf("its late result: %v", err)
		}
		if got := far.ops(); got != "post ready, post ready" || len(far.there) != 2 {
			t.Errorf("told: %s; %d messages are there", got, len(far.there))
		}
		sent, err := b.Outbox(t.Context(), Filter{})
		if err != nil || len(sent) != 2 || sent[0].State != stSent || sent[1].State != stSent {
			t.Errorf("%+v, %v", sent, err)
		}

		accepted(t, a, settlements(outcome.Ready, func(o *outcome.Outcome) { o.Job, o.RunID = "gl_third", "r3" }))
		if ours, _, err := b.acquire(t.Context()); err != nil || !ours {
			t.Fatalf("acquire: %v, %v", ours, err)
		}
		if _, err := a.routeNext(t.Context()); !errors.Is(err, errNoLease) {
			t.Errorf("the sender that slept routes: %v", err)
		}
		if _, err := b.routeNext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := (&worker{s: a, name: "daily", channel: far}).step(t.Context()); !errors.Is(err, errNoLease) {
			t.Errorf("the sender that slept sends: %v", err)
		}
		drain(t, b, time.Minute)
		if got := far.ops(); got != "post ready, post ready, post ready" {
			t.Errorf("told in the end: %s", got)
		}
	})
}
