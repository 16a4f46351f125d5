package load

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/config"
	"weir/internal/search"
)

// records of a produce request: the number stands at byte 57 of each batch.
func records(req kmsg.Request) (n int) {
	for _, t := range req.(*kmsg.ProduceRequest).Topics {
		for _, p := range t.Partitions {
			if len(p.Records) > 61 {
				n += int(binary.BigEndian.Uint32(p.Records[57:]))
			}
		}
	}
	return n
}

// A broker that takes so many messages a second and no more, searched with whole runs: client, schedule and histograms are the real
// ones, time is virtual. Each message takes a time of its own, and each trial finds the machine up to a hundredth faster or slower.
func TestACapacitySearchFindsWhatABrokerTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const capacity = 730.0
		var stack kfake.VirtualNetwork
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(stack.Listen))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		r := rand.New(rand.NewPCG(1, 2))
		var free time.Time
		machine := 1.0
		c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			var work float64
			for range records(req) {
				work += r.ExpFloat64() / capacity * machine
			}
			if now := time.Now(); free.Before(now) {
				free = now
			}
			free = free.Add(time.Duration(work * 1e9))
			until := free
			c.SleepControl(func() { <-time.After(time.Until(until)) })
			return nil, nil, false
		})
		slo, err := search.ParseSLO("p99<250ms")
		if err != nil {
			t.Fatal(err)
		}
		home := t.TempDir()
		plan := search.Config{From: 200, To: 10_000, Precision: 0.05, Repeats: 3, MaxTrials: 40, MaxTime: time.Hour, Trial: 12 * time.Second}
		var made []search.Trial
		for {
			step, result := plan.Next(made)
			if result != nil {
				t.Logf("%s %.4g/s, confidence %s: %v; %d trials", result.Verdict, result.Capacity, result.Confidence, result.Reasons, len(made))
				if result.Verdict != search.Found || math.Abs(result.Capacity/capacity-1) > 0.05 {
					t.Errorf("got %s %.4g/s, the broker takes %g/s", result.Verdict, result.Capacity, capacity)
				}
				return
			}
			p := profile("1", 0)
			p.Topic.Partitions = 1
			limit := Threshold{Metric: "response_ms", Stat: "p90", Max: 250, Abort: true, After: config.Duration(4 * time.Second)}
			if err := p.Trial(config.Rate{PerSecond: step.Rate}, 2*time.Second, 10*time.Second, limit); err != nil {
				t.Fatal(err)
			}
			machine = 1 + 0.01*(2*r.Float64()-1)
			began := time.Now()
			sum, err := Run(t.Context(), Options{
				Profile: p, Home: home, Register: register, nap: time.Sleep,
				Connect: func(o ...kgo.Opt) (*kgo.Client, error) {
					return kgo.NewClient(append(o, kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext))...)
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			values := map[string]float64{"p99": sum.P99, "errors": float64(sum.Errors) / float64(sum.Sent)}
			trial := search.Trial{Rate: step.Rate, Phase: step.Phase, Outcome: search.Kept, Took: time.Since(began), Reason: slo.Broken(values)}
			if late, held := sum.Late(125); late && !held {
				t.Fatalf("at %g/s: %s %s", step.Rate, sum.Verdict, sum.Reason)
			}
			if trial.Reason != "" {
				trial.Outcome = search.NotKept
			}
			t.Logf("%6g/s %-8s p99 %4.0f ms, %.1f s, %s %s", step.Rate, trial.Outcome, sum.P99, trial.Took.Seconds(), sum.Verdict, sum.Reason)
			made = append(made, trial)
		}
	})
}

func TestATrialOfAProfile(t *testing.T) {
	p := staged(Threshold{Metric: "lost", Max: 0})
	p.Rate.Arrival = "poisson"
	p.Warmup = config.Duration(time.Minute)
	if err := p.Trial(config.Rate{PerSecond: 700}, time.Second, 4*time.Second); err != nil {
		t.Fatal(err)
	}
	curve, err := p.Curve(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if at := curve.At(700); at != time.Second || p.Rate.Arrival != "poisson" || len(p.Thresholds) != 0 ||
		p.Warmup != config.Duration(time.Second) || p.Volume.Duration != config.Duration(5*time.Second) {
		t.Errorf("message 700 is due after %v; %+v", at, p)
	}
}

// Who is to blame for a late run decides whether it says anything of the target.
func TestLate(t *testing.T) {
	for _, x := range []struct {
		name       string
		sum        Summary
		late, held bool
	}{
		{"in time", Summary{Verdict: VerdictPass, Lag: Quantiles{P99: 5}}, false, false},
		{"behind by more than the SLO bears", Summary{Verdict: VerdictPass, Lag: Quantiles{P99: 60}}, true, false},
		{"the generator is slow", Summary{Verdict: VerdictInvalid, Lag: Quantiles{P99: 900}, BlockedS: 0.06}, true, false},
		{"the window was full", Summary{Verdict: VerdictInvalid, Lag: Quantiles{P99: 900}, BlockedS: 2}, true, true},
		{"ended by its limit, and slow", Summary{Verdict: VerdictSLO, Lag: Quantiles{P99: 900}}, true, false},
		{"dropped", Summary{Verdict: VerdictInvalid, Sent: 90, Dropped: 10}, true, true},
	} {
		if late, held := x.sum.Late(50); late != x.late || held != x.held {
			t.Errorf("%s: late %t, held %t", x.name, late, held)
		}
	}
}
