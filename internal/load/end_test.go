package load

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/config"
	"weir/internal/content"
)

// stalling runs a profile, in virtual time, against a broker that answers late what comes between two moments; to 0: it never answers.
func stalling(t *testing.T, ctx context.Context, o Options, from, to time.Duration) Summary {
	t.Helper()
	began, asleep := time.Now(), false
	return against(t, ctx, o, func(c *kfake.Cluster) (answer bool) {
		at := time.Since(began)
		switch {
		case at < from || to > 0 && at >= to:
			return true
		case asleep || to == 0:
			return false
		}
		asleep = true
		c.SleepControl(func() { <-time.After(to - at) })
		asleep = false
		return true
	})
}

// against runs a profile, in virtual time, against a broker that is asked which batches it answers.
func against(t *testing.T, ctx context.Context, o Options, answers func(*kfake.Cluster) bool) Summary {
	t.Helper()
	stack := &kfake.VirtualNetwork{}
	c := broker(t, kfake.ListenFn(stack.Listen))
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, nil, !answers(c)
	})
	o.Home, o.Register, o.nap = t.TempDir(), register, time.Sleep
	o.Connect = func(opts ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append(opts, kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext))...)
	}
	sum, err := Run(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// A run that has enough waits for what it has sent as long as one that has come to its end.
func TestEnoughIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, began := profile("1000", 0), time.Now()
		p.Volume = Volume{Until: Until{Rows: 1}}
		p.MaxInFlight = 1_000_000
		sum := stalling(t, t.Context(), Options{Profile: p, Holds: func(context.Context) (int64, error) {
			return int64(time.Since(began) / (5 * time.Second)), nil
		}}, 4*time.Second, 22*time.Second)
		if sum.Errors != 0 || sum.Verdict == VerdictFailed {
			t.Errorf("got %s (%s), %d errors", sum.Verdict, sum.Reason, sum.Errors)
		}
	})
}

// A message that is held back, to be out of order, is not on its way: the broker owes no answer for it, however long a pause lasts.
func TestAPauseHoldsMessagesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, live := profile("1000", 10_000), NewLive()
		p.Faults = content.Faults{OutOfOrder: 0.05}
		go func() {
			time.Sleep(5 * time.Second)
			if err := live.Pause(); err != nil {
				t.Error(err)
			}
			time.Sleep(2 * p.deliveryTimeout())
			if err := live.Resume(); err != nil {
				t.Error(err)
			}
		}()
		sum := virtual(t, Options{Profile: p, Live: live})
		if sum.Verdict != VerdictPass || sum.Sent != 10_000 {
			t.Errorf("got %s (%s), %d sent", sum.Verdict, sum.Reason, sum.Sent)
		}
	})
}

// A stop behind the schedule's end takes nothing from the run, and is not waited out.
func TestAStopBehindTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		answers, longest time.Duration
		verdict          Verdict
	}{
		"the broker answers in time": {10 * time.Second, 13 * time.Second, VerdictPass},
		"it does not":                {0, 18 * time.Second, VerdictInterrupted},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := profile("1000", 0)
				p.Volume = Volume{Duration: config.Duration(3 * time.Second)}
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				began := time.Now()
				time.AfterFunc(5*time.Second, cancel)
				sum := stalling(t, ctx, Options{Profile: p}, 2500*time.Millisecond, c.answers)
				if took := time.Since(began); sum.Verdict != c.verdict || took > c.longest {
					t.Errorf("got %s (%s), %d errors, after %v", sum.Verdict, sum.Reason, sum.Errors, took)
				}
			})
		})
	}
}

// With a rate in bytes a message takes as much of the schedule as it has bytes, also one before others that were held back.
func TestHeldMessagesTakeTheirOwnPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stack := &kfake.VirtualNetwork{}
		c, home := broker(t, kfake.ListenFn(stack.Listen)), t.TempDir()
		p := profile("1", 3000)
		p.Rate.Stages = []StageSpec{{Target: config.Rate{PerSecond: 1 << 20, Bytes: true}}}
		p.Size = content.Size{Distribution: "uniform", Min: 300, Max: 3000}
		p.Faults = content.Faults{OutOfOrder: 0.2}
		sum, err := Run(t.Context(), Options{Profile: p, Home: home, Register: register, nap: time.Sleep, Senders: 1, Connect: func(opts ...kgo.Opt) (*kgo.Client, error) {
			return kgo.NewClient(append(opts, kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext))...)
		}})
		if err != nil || sum.Acked != 3000 {
			t.Fatal(sum.Acked, err)
		}
		m, err := ReadManifest(home, "last")
		if err != nil {
			t.Fatal(err)
		}
		mix, err := m.Mix()
		if err != nil {
			t.Fatal(err)
		}
		w, bytes := mix.Writer(), 0
		for n := m.Warmup; n < 3000; n++ {
			fault, of := mix.Fate(n)
			bytes += len(w.Append(nil, n, of, fault, time.Now().UnixMicro()).Value)
		}
		if got := m.Shards[0].Position; got != float64(bytes) {
			t.Errorf("the schedule stands at %.0f bytes, %d have been sent", got, bytes)
		}
	})
}

// A stop is heard while the senders wait for a broker that acknowledges nothing any more.
func TestAStopWithAFullWindow(t *testing.T) {
	for _, rate := range []string{"1000", "max"} {
		t.Run(rate, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := profile(rate, 0)
				p.Volume = Volume{Duration: config.Duration(time.Hour)}
				p.MaxInFlight = 100
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				began := time.Now()
				time.AfterFunc(5*time.Second, cancel)
				asked := 0
				sum := against(t, ctx, Options{Profile: p, Senders: 2}, func(*kfake.Cluster) bool {
					asked++
					return asked < 50
				})
				if took := time.Since(began); sum.Verdict != VerdictInterrupted || took > 18*time.Second {
					t.Errorf("got %s (%s), %d errors, after %v", sum.Verdict, sum.Reason, sum.Errors, took)
				}
			})
		})
	}
}
