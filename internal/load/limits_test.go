package load

import (
	"fmt"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/config"
)

// stalled runs a profile in virtual time against a broker that stalls for a second, so long after the first message.
func stalled(t *testing.T, p *Profile, after time.Duration) (sum Summary, rec *Record) {
	var stack kfake.VirtualNetwork
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(stack.Listen))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var begun time.Time
	var done atomic.Bool
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if begun.IsZero() {
			begun = time.Now()
		}
		if time.Since(begun) > after && !done.Swap(true) {
			c.SleepControl(func() { <-time.After(time.Second) })
		}
		return nil, nil, false
	})
	p.Topic.Partitions = 1
	sum, err = Run(t.Context(), Options{
		Profile: p, Home: t.TempDir(), Register: register, nap: time.Sleep, Keep: func(r *Record) { rec = r },
		Connect: func(o ...kgo.Opt) (*kgo.Client, error) {
			return kgo.NewClient(append(o, kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext))...)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum, rec
}

func staged(limits ...Threshold) *Profile {
	p := profile("500", 0)
	p.Rate.Stages = []StageSpec{
		{Name: "calm", Duration: config.Duration(10 * time.Second), Target: config.Rate{PerSecond: 500}},
		{Name: "busy", Duration: config.Duration(20 * time.Second), Target: config.Rate{PerSecond: 500}},
	}
	p.Thresholds = limits
	return p
}

// The broker stalls for a second in the middle of the second stage: 5 % of that stage wait, 3.3 % of the run, 20 % of the worst 5 s.
func TestThresholdsAreJudgedWhereTheyApply(t *testing.T) {
	p99 := Threshold{Metric: "response_ms", Stat: "p99", Max: 100}
	calm, busy, p90, window := p99, p99, p99, p99
	calm.Stage, busy.Stage = "calm", "busy"
	p90.Stat = "p90"
	window.Stat, window.Over = "p90", config.Duration(5*time.Second)
	synctest.Test(t, func(t *testing.T) {
		sum, rec := stalled(t, staged(calm, busy, p90, window, Threshold{Metric: "error_ratio", Max: 0}), 20*time.Second)
		want := []struct {
			name string
			ok   bool
			got  float64
		}{
			{"response_ms p99 of calm", true, 5}, {"response_ms p99 of busy", false, 800}, {"response_ms p90", true, 5},
			{"response_ms p90 over 5s", false, 500}, {"error_ratio", true, 0},
		}
		for i, w := range want {
			c := sum.Thresholds[i]
			if c.Name != w.name || c.OK != w.ok || !c.Measured || math.Abs(c.Got-w.got) > 0.1*w.got+10 {
				t.Errorf("got %+v, want %+v", c, w)
			}
		}
		if sum.Verdict != VerdictSLO || !strings.Contains(sum.Reason, "response_ms p99 of busy is ") {
			t.Errorf("got %s: %s", sum.Verdict, sum.Reason)
		}
		if len(rec.Stages) != 2 || rec.Stages[0].Name != "calm" || rec.Stages[0].Response.Max > 50 || rec.Stages[1].Response.Max < 900 {
			t.Errorf("stages: got %+v", rec.Stages)
		}
		for _, s := range rec.Stages {
			if math.Abs(s.Rate-500) > 5 || math.Abs(s.Target-500) > 1 {
				t.Errorf("stage %s: got %v of %v/s, want 500", s.Name, s.Rate, s.Target)
			}
		}
		if n := rec.Stages[0].Sent + rec.Stages[1].Sent + sum.Warmup; n != sum.Sent {
			t.Errorf("stages hold %d messages of %d", n, sum.Sent)
		}
		var timed, inIntervals, parts int64
		var worst float64
		for _, s := range rec.Seconds {
			timed, worst = timed+s.Count, max(worst, s.Max)
		}
		for _, i := range rec.Intervals {
			inIntervals += i.Response.TotalCount()
		}
		for _, p := range rec.Partitions {
			parts += p.Messages
		}
		if timed != sum.Response.Count || inIntervals != timed || worst != sum.Max || parts != sum.Acked || len(rec.Seconds) < 29 {
			t.Errorf("got %d timed in %d seconds, %d in the intervals, worst %v, %d in the partitions; want %d, %v, %d", timed, len(rec.Seconds), inIntervals, worst, parts, sum.Response.Count, sum.Max, sum.Acked)
		}
	})
}

func TestABrokenThresholdEndsTheRun(t *testing.T) {
	limit := Threshold{Metric: "response_ms", Stat: "max", Max: 500, Stage: "busy", Abort: true}
	late := limit
	late.After = config.Duration(15 * time.Second)
	for name, x := range map[string]struct {
		limit Threshold
		from  float64 // s
	}{"at once": {limit, 13}, "not before it has settled": {late, 25}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sum, _ := stalled(t, staged(x.limit), 12*time.Second)
				c := sum.Thresholds[0]
				if sum.Verdict != VerdictSLO || c.OK || c.AbortedS < x.from-0.1 || c.AbortedS > x.from+2.1 || sum.Sent > int64(500*(c.AbortedS+1)) {
					t.Errorf("got %s: %s after %d messages, %+v", sum.Verdict, sum.Reason, sum.Sent, c)
				}
			})
		})
	}
}

func TestAThresholdOfNothingProvesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := staged(Threshold{Metric: "response_ms", Stat: "max", Max: 5000, Stage: "busy"})
		p.Volume.Messages = 1000
		if sum, _ := stalled(t, p, time.Hour); sum.Verdict != VerdictInvalid || sum.Reason != "no message was measured for the threshold response_ms max of busy" {
			t.Errorf("got %s: %s", sum.Verdict, sum.Reason)
		}
	})
}

// However long a run is, what it keeps stays small, and the worst second is still there.
func TestTheSeriesStaysSmall(t *testing.T) {
	s := series{every: 1, each: 1}
	for i := range 100_000 {
		x := Second{T: float64(i + 1), Rate: 10, Count: 1, Max: 1}
		if i == 54_321 {
			x.Max = 99
		}
		s.point(x)
		if len(s.seconds) > mostSeconds {
			t.Fatalf("%d points after %d s", len(s.seconds), i)
		}
	}
	var n int64
	worst, last := 0.0, 0.0
	for _, x := range s.seconds {
		if n, worst = n+x.Count, max(worst, x.Max); x.Rate != 10 || x.T <= last {
			t.Fatalf("got %+v behind %v", x, last)
		}
		last = x.T
	}
	if n != 100_000 || worst != 99 || last != 100_000 {
		t.Errorf("got %d messages, worst %v, end %v", n, worst, last)
	}
}

func TestThresholdMistakesHaveTheirPlace(t *testing.T) {
	const small = "apiVersion: weir/v1\nkind: LoadProfile\nname: small\nrate: {stages: [{target: 100/s}]}\nvolume: {messages: 10}\ntopic: {name: orders}\n"
	for text, want := range map[string]string{
		"response_ms, stat: p99, max: 1, stage: hold":                      `p.yaml:7:62: stage: "hold" is none of stage 1`,
		"lost, max: 0, stage: stage 1":                                     `p.yaml:7:44: stage: lost is only known from the table, after the run: it is judged as a whole`,
		"freshness_s, stat: p99, max: 0, abort: true":                      `abort: freshness_s is only known from the table, after the run`,
		"response_ms, stat: p99, max: 1, over: 10ms":                       `p.yaml:7:61: over: want 1s to 24h`,
		"response_ms, stat: p99, max: 1, after: 10s":                       `p.yaml:7:62: after: only tells when abort or over begin to count`,
		"error_ratio, max: 5":                                              `p.yaml:7:41: max: want a share of 0 to 1: 0.01 is 1 %`,
		"error_ratio, max: 0.1, over: 1m":                                  `over: error_ratio is judged over the whole run: remove it`,
		"freshness_s, stat: p90, max: 5":                                   `stat: "p90" is none of p50, p99, max`,
		"drain_s, max: 1":                                                  `p.yaml:7:23: metric: drain_s is not supported in this version; it has response_ms, service_ms, error_ratio, memory_mib, memory_mib_h, freshness_s, lost, duplicated`,
		"response_ms, max: 1":                                              `threshold: response_ms wants a stat: p50, p90, p99, p99.9, max`,
		"response_ms, stat: p99, max: 1, stage: stage 1":                   "",
		"response_ms, stat: p99, max: 1, over: 1m, abort: true, after: 2m": "",
	} {
		_, err := Parse("p.yaml", []byte(small+"thresholds: [{metric: "+text+"}]\n"))
		if got := fmt.Sprint(err); want == "" && err != nil || !strings.Contains(got, want) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
