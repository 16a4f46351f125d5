package load

import (
	"context"
	"math"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"pgregory.net/rapid"

	"weir/internal/config"
)

// virtual runs a profile against a broker in virtual time.
func virtual(t *testing.T, o Options) Summary {
	t.Helper()
	var stack kfake.VirtualNetwork
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(stack.Listen))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	o.Home, o.Register, o.nap = t.TempDir(), register, time.Sleep
	o.Connect = func(opts ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append(opts, kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext))...)
	}
	sum, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// Whatever is changed by hand, no message is due before the change that made it so, none is due twice, and what has been due is
// what the rates say.
func TestScheduleUnderHands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		curve := Pieces(nil).Append("up", 10, 500, time.Minute).Append("hold", 500, 500, 0)
		s, now, area := newSchedule(curve), time.Duration(0), 0.0
		integrate := func(for_ time.Duration) {
			const steps = 400
			for i := range steps {
				area += s.rate(now+for_*time.Duration(2*i+1)/(2*steps)) * for_.Seconds() / steps
			}
			now += for_
		}
		for range rapid.IntRange(1, 8).Draw(t, "changes") {
			integrate(time.Duration(rapid.Int64Range(1e6, 40e9).Draw(t, "for")))
			act := rapid.SampledFrom([]string{"pause", "resume", "scale", "hold", "follow", "next"}).Draw(t, "act")
			_ = s.change(now, func(p *piece) error {
				switch act {
				case "pause":
					p.paused = true
				case "resume":
					p.paused = false
				case "scale":
					p.factor *= rapid.Float64Range(0.5, 2).Draw(t, "by")
				case "hold":
					p.hold = rapid.Float64Range(1, 900).Draw(t, "rate")
				case "follow":
					p.hold, p.factor, p.y = 0, 1, curve.Due(p.c)
				case "next":
					if p.c < time.Minute {
						p.c, p.hold = time.Minute, 0
						p.y = curve.Due(p.c)
					}
				}
				return nil
			})
		}
		_ = s.change(now, func(p *piece) error { p.paused = false; return nil })
		integrate(10 * time.Second)
		x := s.last().now(now).x
		if math.Abs(x-area) > 1+area*0.01 {
			t.Fatalf("at %v %.1f messages were due, the rates add up to %.1f", now, x, area)
		}
		last := time.Duration(0)
		for n := 0.0; n < x; n += max(1, x/200) {
			at, _ := s.due(n)
			if at == Forever || at < last-time.Microsecond {
				t.Fatalf("message %.0f is due at %v, the one before at %v", n, at, last)
			}
			last = at
		}
		if at, _ := s.due(x + 1); at < now-time.Millisecond {
			t.Fatalf("the next message is due at %v, now is %v", at, now)
		}
	})
}

// A pause moves the rest of the schedule; nothing comes in a burst afterwards, and the run tells of it.
func TestPauseMovesTheSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live := NewLive()
		p := profile("1000", 0)
		p.Volume.Duration, p.Volume.Messages = config.Duration(10*time.Second), 0
		var most float64
		go func() {
			time.Sleep(3 * time.Second) // virtual time: synctest
			for _, do := range []func() error{live.Pause, func() error { return live.Mark("in the pause") }} {
				if err := do(); err != nil {
					t.Error(err)
				}
			}
			if live.Pause() == nil {
				t.Error("a paused run was paused")
			}
			time.Sleep(20 * time.Second) // virtual time: synctest
			if err := live.Resume(); err != nil {
				t.Error(err)
			}
		}()
		began := time.Now()
		var states []string
		sum := virtual(t, Options{Profile: p, Live: live, Progress: func(g Progress) {
			most = max(most, g.Rate)
			if !slices.Contains(states, g.State) {
				states = append(states, g.State)
			}
		}})
		if took := time.Since(began); took < 30*time.Second || took > 33*time.Second {
			t.Errorf("took %v, want the 10 s of the schedule and the 20 s of the pause", took)
		}
		if got := sum.Sent - sum.Warmup; got < 9999 || got > 10001 || most > 1300 {
			t.Errorf("%d messages, at most %.0f/s; want 10,000 and no burst", got, most)
		}
		if sum.Verdict != VerdictPass || !sum.Interactive || math.Abs(sum.PausedS-20) > 0.1 || math.Abs(sum.Rate-1000) > 20 || sum.Max > 1000 {
			t.Errorf("got %s (%s), interactive %v, paused %.1f s, %.0f/s, max %.0f ms", sum.Verdict, sum.Reason, sum.Interactive, sum.PausedS, sum.Rate, sum.Max)
		}
		if len(sum.Changes) != 3 || sum.Changes[1].What != "mark: in the pause" || !slices.Contains(states, Paused) {
			t.Errorf("changes %v, states %v", sum.Changes, states)
		}
	})
}

func TestRateIsChangedByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live := NewLive()
		p := profile("1000", 0)
		p.Volume.Messages = 0
		p.Rate.Stages = []StageSpec{{Name: "one", Target: config.Rate{PerSecond: 1000}, Duration: config.Duration(time.Minute)}, {Name: "two", Target: config.Rate{PerSecond: 100}, Duration: config.Duration(10 * time.Second)}}
		zero := config.Rate{PerSecond: 1000}
		p.Rate.Start = &zero
		must := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		go func() {
			time.Sleep(10*time.Second + 500*time.Millisecond) // virtual time: synctest
			must(live.Scale(2))
			time.Sleep(10 * time.Second) // virtual time: synctest
			must(live.Hold(config.Rate{PerSecond: 500}))
			time.Sleep(10 * time.Second) // virtual time: synctest
			must(live.Follow())
			time.Sleep(10 * time.Second) // virtual time: synctest
			must(live.Next())
			if live.Next() == nil || live.Hold(config.Rate{PerSecond: 1, Bytes: true}) == nil || live.Resume() == nil {
				t.Error("what cannot be was done")
			}
		}()
		sum := virtual(t, Options{Profile: p, Live: live})
		// 10 s at 1000/s, 2000/s, 500/s, 1000/s; then the second stage, from 1000/s down to 100/s in 10 s: 5,500.
		if got := float64(sum.Sent - sum.Warmup); math.Abs(got-50_500) > 1100 || sum.Verdict != VerdictPass {
			t.Errorf("got %.0f messages, %s (%s); want 50,500", got, sum.Verdict, sum.Reason)
		}
		if !sum.Interactive || len(sum.Changes) != 4 {
			t.Errorf("changes %v", sum.Changes)
		}
	})
}

func TestStoppedByHand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		live := NewLive()
		if err := live.Pause(); err == nil || !strings.Contains(err.Error(), "does not run") {
			t.Errorf("before the run: got %v", err)
		}
		go func() {
			time.Sleep(5 * time.Second) // virtual time: synctest
			if err := live.Stop(); err != nil {
				t.Error(err)
			}
		}()
		sum := virtual(t, Options{Profile: profile("1000", 1_000_000), Live: live})
		if sum.Verdict != VerdictInterrupted || !strings.Contains(sum.Reason, "by hand") || sum.Errors != 0 || sum.Sent != sum.Acked || sum.Sent > 5200 {
			t.Errorf("got %+v", sum)
		}
	})
}

// The table holds enough: the run ends as it should, whatever the other bounds are.
func TestUntilTheTableHoldsEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := profile("1000", 0)
		p.Volume = Volume{Until: Until{Rows: 20_000}}
		began := time.Now()
		sum := virtual(t, Options{Profile: p, Holds: func(context.Context) (int64, error) {
			if time.Since(began) < 5*time.Second {
				return 0, context.DeadlineExceeded // a table that cannot be asked yet
			}
			return int64(time.Since(began).Seconds() * 1000), nil
		}})
		if sum.Verdict != VerdictPass || sum.Errors != 0 || sum.Sent < 20_000 || sum.Sent > 23_000 {
			t.Errorf("got %s (%s), %d sent", sum.Verdict, sum.Reason, sum.Sent)
		}
	})
	if _, err := Run(t.Context(), Options{Profile: func() *Profile { p := profile("10", 0); p.Volume = Volume{Until: Until{Rows: 1}}; return p }(), Home: t.TempDir(), Register: register, Connect: connect(broker(t))}); err == nil || !strings.Contains(err.Error(), "volume.until") {
		t.Errorf("without a table: got %v", err)
	}
}

// Poisson arrivals: the count within a window has its mean as variance, and gaps are exponential; both fail for uniform ones.
func TestPoissonArrivals(t *testing.T) {
	const rate, shards, seconds = 400.0, 3, 2000
	curve := Pieces(nil).Append("", rate, rate, 0)
	dues := func(arrival string) []float64 {
		var all []float64
		for id := range shards {
			a := newArrivals(&Rate{Arrival: arrival}, 7, id, shards, float64(id))
			for {
				at := curve.At(a.x).Seconds()
				if at >= seconds {
					break
				}
				all = append(all, at)
				a.next(100)
			}
		}
		slices.Sort(all)
		return all
	}
	all := dues("poisson")
	if math.Abs(float64(len(all))/(rate*seconds)-1) > 0.01 {
		t.Fatalf("%d messages in %d s, want about %.0f", len(all), seconds, rate*seconds)
	}
	dispersion := func(all []float64) float64 {
		counts := make([]float64, seconds*10)
		for _, at := range all {
			counts[int(at*10)]++
		}
		mean, square := 0.0, 0.0
		for _, c := range counts {
			mean += c / float64(len(counts))
		}
		for _, c := range counts {
			square += (c - mean) * (c - mean) / float64(len(counts)-1)
		}
		return square / mean
	}
	if d := dispersion(all); math.Abs(d-1) > 0.05 { // its own spread: √(2/20,000) = 0.01
		t.Errorf("variance of counts over their mean: got %.3f, want 1", d)
	}
	if d := dispersion(dues("uniform")); d > 0.05 {
		t.Errorf("uniform arrivals: variance over mean is %.3f: the test sees no difference", d)
	}
	// Kolmogorov and Smirnov against the exponential distribution.
	gaps := make([]float64, len(all)-1)
	for i := range gaps {
		gaps[i] = all[i+1] - all[i]
	}
	slices.Sort(gaps)
	worst := 0.0
	for i, g := range gaps {
		f := 1 - math.Exp(-rate*g)
		worst = max(worst, math.Abs(f-float64(i)/float64(len(gaps))), math.Abs(f-float64(i+1)/float64(len(gaps))))
	}
	if limit := 1.95 / math.Sqrt(float64(len(gaps))); worst > limit { // p = 0.001
		t.Errorf("the gaps are %.5f off the exponential distribution, want at most %.5f", worst, limit)
	}
}

// A rate in bytes is met in bytes, whatever the sizes are.
func TestBytesPerSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := mustParse(t, strings.Replace(small, "100/s", "1MiB/s, duration: 20s", 1)+"size: {distribution: lognormal, median: 2KiB, p99: 32KiB, max: 200KiB}\n")
		p.Volume.Messages = 0
		sum := virtual(t, Options{Profile: p, Senders: 2})
		if got, want := float64(sum.Bytes), 20.0*(1<<20); math.Abs(got/want-1) > 0.03 || sum.Verdict != VerdictPass {
			t.Errorf("got %.0f bytes, %s (%s); want %.0f", got, sum.Verdict, sum.Reason, want)
		}
		if sum.Max > 200 {
			t.Errorf("max %.0f ms: the schedule was not kept", sum.Max)
		}
	})
}

// A closed model never has more on its way than it says, and its latency is called what it is.
func TestClosedModel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := profile("max", 2000)
		p.Rate = Rate{Closed: &Closed{InFlight: 8}}
		var most int64
		sum := virtual(t, Options{Profile: p, Progress: func(g Progress) { most = max(most, g.InFlight) }})
		if sum.Verdict != VerdictPass || sum.Acked != 2000 || sum.LatencyOf != ofClosed || most > 8 {
			t.Errorf("got %s (%s), %d acknowledged, latency of %q, %d in flight", sum.Verdict, sum.Reason, sum.Acked, sum.LatencyOf, most)
		}
	})
}

// With on_saturation: drop the schedule never lags: what finds no room is left out and counted, the proof's numbers have no hole,
// and a run that dropped more than 1 % is no pass.
func TestDropOnSaturation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stack kfake.VirtualNetwork
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(stack.Listen))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		var produced atomic.Int64
		c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			if produced.Add(1) == 100 {
				c.SleepControl(func() { time.Sleep(2 * time.Second) }) // virtual time: synctest
			}
			return nil, nil, false
		})
		p := profile("1000", 10_000)
		p.MaxInFlight, p.OnSaturation = 200, "drop"
		p.Topic.Partitions = 1
		home := t.TempDir()
		sum, err := Run(t.Context(), Options{
			Profile: p, Home: home, Register: register, nap: time.Sleep,
			Connect: func(o ...kgo.Opt) (*kgo.Client, error) {
				return kgo.NewClient(append(o, kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext))...)
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(float64(sum.Dropped)-1800) > 50 || sum.Acked != 10_000 || sum.Lag.P99 > 20 {
			t.Errorf("got %d dropped, %d acknowledged, lag p99 %.0f ms; want about 1800, 10000 and none", sum.Dropped, sum.Acked, sum.Lag.P99)
		}
		if sum.Verdict != VerdictInvalid || !strings.Contains(sum.Reason, "were dropped") {
			t.Errorf("got %s (%s)", sum.Verdict, sum.Reason)
		}
		m, err := ReadManifest(home, sum.Run)
		if err != nil || m.Shards[0].AckedBelow != uint64(10_000/len(m.Shards)) || len(m.Shards[0].Failed) > 0 {
			t.Errorf("manifest: %+v, %v", m.Shards[0], err)
		}
	})
}
