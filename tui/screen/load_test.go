package screen

import (
	"fmt"
	"math"
	"testing"

	"weir/internal/control"
	"weir/tui/chart"
)

// The curve ahead of now is what will come, also after somebody has had a hand in it.
func TestWhatIsPlanned(t *testing.T) {
	plan := []control.Point{{T: 0, Target: 0}, {T: 100, Target: 1000}, {T: 200, Target: 1000}, {T: 300, Target: 0}}
	run := func(change func(*control.Load)) *control.Load {
		l := &control.Load{State: control.Running, Elapsed: 100, Total: 300, TargetRate: 1000, Plan: plan,
			History: []control.Point{{T: 0, Target: 0}, {T: 50, Target: 500}, {T: 100, Target: 1000}}}
		if change != nil {
			change(l)
		}
		return l
	}
	for _, x := range []struct {
		name string
		l    *control.Load
		at   float64
		want float64
	}{
		{"behind: as it was", run(nil), 25, 250},
		{"ahead: the profile", run(nil), 250, 500},
		{"beyond its end", run(nil), 301, math.NaN()},
		{"a pause of 50 s moves it", run(func(l *control.Load) { l.Total, l.Interactive, l.PausedS = 350, true, 50; l.Elapsed = 150 }), 300, 500},
		{"twice the rate", run(func(l *control.Load) { l.Interactive, l.TargetRate = true, 2000 }), 250, 1000},
		{"held", run(func(l *control.Load) {
			l.Interactive, l.TargetRate, l.Changes = true, 700, []control.Change{{What: "rate held at 700/s"}}
		}), 290, 700},
		{"held while it is paused", run(func(l *control.Load) {
			l.State, l.Interactive, l.TargetRate, l.Changes = control.Paused, true, 0, []control.Change{{What: "rate held at 700/s"}, {What: "paused"}}
			l.History[2].Target = 700
		}), 290, 700},
		{"back to the profile", run(func(l *control.Load) {
			l.Interactive, l.Changes = true, []control.Change{{What: "rate held at 700/s"}, {What: "back to the profile's rate"}}
		}), 250, 500},
		{"over", run(func(l *control.Load) { l.State = control.Done }), 250, math.NaN()},
		{"no plan is told: the stages", run(func(l *control.Load) {
			l.Plan, l.StageIndex, l.Stages = nil, 1, []control.Stage{{Duration: 100, Target: 1000}, {Duration: 100, Target: 1000}, {Duration: 100, Target: 0}}
		}), 250, 500},
	} {
		if got := planned(x.l, x.at); math.Abs(got-x.want) > 1 && !(math.IsNaN(got) && math.IsNaN(x.want)) {
			t.Errorf("%s: got %v, want %v", x.name, got, x.want)
		}
	}
}

func TestLimitsAreFoundByTheirNames(t *testing.T) {
	for _, x := range []struct {
		name, want, stat string
		ms               float64
	}{
		{"response_ms p99", "≤ 100", "p99", 100}, {"p99", "≤ 100 ms", "p99", 100}, {"response_ms p99 of steady over 1m0s", "≤ 150", "p99", 150}, {"response_ms p99.9", "<= 250", "p99.9", 250},
		{"p99", "≤ 1.5 s", "p99", 1500}, {"response_ms p99.9", "≤ 250", "p99", 0}, {"service_ms p99", "≤ 100", "p99", 0}, {"freshness_s p99", "≤ 60", "p99", 0}, {"lost", "≤ 0", "p99", 0}, {"p99", "soon", "p99", 0},
		{"p99", "≤ NaN", "p99", 0}, {"response_ms max", "≤ 400", "max", 400},
	} {
		if got, _ := limitOf(&control.Load{Limits: []control.Limit{{Name: x.name, Want: x.want}}}, x.stat); got != x.ms {
			t.Errorf("%s %s: the limit on %s is %v, want %v", x.name, x.want, x.stat, got, x.ms)
		}
	}
}

func TestBrokenLimitsComeFirst(t *testing.T) {
	all := []control.Limit{{Name: "a", State: control.OK}, {Name: "b", State: control.Wait}, {Name: "c", State: control.Bad}, {Name: "d", State: control.Warn}}
	if got := byTrouble(all, 3); got[0].Name != "c" || got[1].Name != "d" || got[3].Name != "b" {
		t.Errorf("got %v", got)
	}
	if got := byTrouble(all, 4); got[0].Name != "a" {
		t.Error("the profile's order is lost although all fit")
	}
}

// Skew is counted per topic: a mix of a big and a small topic is not skewed.
func TestSkew(t *testing.T) {
	for _, x := range []struct {
		name string
		all  []control.PartitionSent
		skew float64
		hot  string
	}{
		{"none", nil, 0, "/0"},
		{"even", []control.PartitionSent{{Topic: "a", Messages: 5}, {Topic: "a", Partition: 1, Messages: 5}}, 1, "a/0"},
		{"hot", []control.PartitionSent{{Topic: "a", Messages: 30}, {Topic: "a", Partition: 1, Messages: 10}}, 1.5, "a/0"},
		{"a big and a small topic", []control.PartitionSent{{Topic: "a", Messages: 1000}, {Topic: "a", Partition: 1, Messages: 1000}, {Topic: "b", Messages: 1}, {Topic: "b", Partition: 1, Messages: 3}}, 1.5, "b/1"},
		{"nothing sent", []control.PartitionSent{{Topic: "a"}}, 0, "/0"},
	} {
		skew, hottest := skewOf(x.all)
		if got := partitionName(hottest, true); math.Abs(skew-x.skew) > 1e-9 || got != x.hot {
			t.Errorf("%s: got %v at %s, want %v at %s", x.name, skew, got, x.skew, x.hot)
		}
	}
}

// However many lines there are, no value is lost from the histogram.
func TestGroupedSizesKeepTheirSum(t *testing.T) {
	var all []control.SizeBar
	for i := range int64(23) {
		n := i * i
		if i < 2 || i > 20 {
			n = 0
		}
		all = append(all, control.SizeBar{Bytes: 1 << i, Count: n})
	}
	for n := 1; n < 30; n++ {
		sum := int64(0)
		out := grouped(all, n)
		for _, b := range out {
			sum += b.Count
		}
		if sum != 2869 || len(out) > n || out[len(out)-1].Bytes != 1<<20 {
			t.Errorf("%d lines: %d bars, %d values, up to %d", n, len(out), sum, out[len(out)-1].Bytes)
		}
	}
	if grouped(all[:1], 5) != nil || grouped(all, 0) != nil {
		t.Error("bars of nothing")
	}
}

func TestThePercentilesThatStay(t *testing.T) {
	var all []control.Percentile
	for _, p := range []float64{50, 75, 90, 95, 99, 99.5, 99.9, 99.99, 100} {
		all = append(all, control.Percentile{P: p})
	}
	for n, want := range map[int]string{1: "[99]", 3: "[50 99 100]", 5: "[50 90 99 99.9 100]", 9: "[50 75 90 95 99 99.5 99.9 99.99 100]", 0: "[]"} {
		got := []float64{}
		for _, p := range thinned(all, n) {
			got = append(got, p.P)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%d lines: %v, want %v", n, got, want)
		}
	}
}

// A peak of a hundred times the rest would press a linear curve flat; a limit far above it would, too.
func TestScaleOfLatencies(t *testing.T) {
	points := chartPoints(3, 3, 4, 3, 4, 900)
	s := scaleOf(points, 100)
	if !s.log || s.of(3) < 0.1 || s.of(900) > 1 || s.of(100) <= s.of(3) || s.of(0) != 0 {
		t.Errorf("3 at %v, 100 at %v, 900 at %v", s.of(3), s.of(100), s.of(900))
	}
	if s = scaleOf(chartPoints(3, 3, 4), 100); s.log || s.of(4) < 0.5 || s.of(100) <= 1 {
		t.Errorf("a limit of 100 over values of 4 presses them to %v", s.of(4))
	}
	if s = scaleOf(chartPoints(30, 40), 100); s.of(100) > 1 {
		t.Error("a limit near the values is not on the scale")
	}
	if s = scaleOf(chartPoints(math.NaN(), math.Inf(1), 0), 0); s.top <= 0 || math.IsInf(s.top, 0) {
		t.Errorf("of nothing: %+v", s)
	}
}

// The window of a long run has the seconds that the screen has seen, not the run's minutes.
func TestTheWindowIsFine(t *testing.T) {
	var ld Load
	l := &control.Load{Run: "r", State: control.Running, Total: 7200, History: []control.Point{{T: 0}, {T: 300}, {T: 600}, {T: 900}}}
	for i := range 4000 {
		l.Elapsed = 610 + float64(i)/2 // twice a second
		ld.Apply(&control.Snapshot{Load: l})
	}
	h := ld.history(l, State{Window: 1})
	if len(h) != 3+2000 || h[2].T != 600 || h[3].T != 610 || h[4].T != 611 {
		t.Errorf("%d points: %v", len(h), h[:5])
	}
	if got := ld.history(l, State{}); len(got) != 4 {
		t.Error("the whole run is not the run's own history")
	}
	for i := range 2 * recentPoints {
		l.Elapsed = 3000 + float64(i)
		ld.Apply(&control.Snapshot{Load: l})
	}
	if len(ld.recent) > recentPoints || ld.recent[len(ld.recent)-1].T != l.Elapsed {
		t.Errorf("%d points are kept", len(ld.recent))
	}
	l.Run = "another"
	if ld.Apply(&control.Snapshot{Load: l}); len(ld.recent) != 1 {
		t.Error("points of another run")
	}
}

func chartPoints(values ...float64) []chart.Point {
	var out []chart.Point
	for i, v := range values {
		out = append(out, chart.Point{X: float64(i) / float64(len(values)), Y: v})
	}
	return out
}
