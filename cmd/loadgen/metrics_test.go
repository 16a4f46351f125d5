package main

import (
	"slices"
	"strings"
	"testing"

	"weir/internal/regress"
)

// Which metrics there are, and which decide, is what docs/ci.md says; what a few messages make never decides.
func TestMetricsOfAComparison(t *testing.T) {
	for _, x := range []struct {
		k            kind
		shown, gated string
	}{
		{paced, "p50, p99, p99.9, max, fresh_p50, fresh_p99, cpu, drain", "p50, p99, fresh_p99, cpu, drain"},
		{flat, "cpu, drain, rate", "cpu, drain, rate"},
		{duet, "fresh_p50, fresh_p99, cpu", "fresh_p50, fresh_p99, cpu"},
	} {
		all, err := (&judging{}).metrics(x.k)
		if err != nil {
			t.Fatal(err)
		}
		gated := slices.DeleteFunc(slices.Clone(all), func(m regress.Metric) bool { return !m.Gated })
		if names(all) != x.shown || names(gated) != x.gated {
			t.Errorf("kind %d: %s, of which %s decide; want %s, of which %s", x.k, names(all), names(gated), x.shown, x.gated)
		}
	}
	all, err := (&judging{floors: []string{"p99=20%", "p99=7ms", "drain=3s"}, gates: []string{"p99"}}).metrics(paced)
	if err != nil {
		t.Fatal(err)
	}
	if m := all[1]; m.Floor != 0.2 || m.Absolute != 7 || !m.Gated || all[0].Gated || all[7].Absolute != 3 {
		t.Errorf("got %+v and %+v", m, all[7])
	}
}

// A calibration refuses the floors that somebody asked for, marks the others, and makes a noisy machine confirm.
func TestACalibrationRefusesFloorsInTheNoise(t *testing.T) {
	cal := &calibration{Noise: []regress.Noise{
		{Metric: "p99", Pairs: 6, Spread: 0.2, Floor: 0.15, Seen: 0.25}, {Metric: "cpu", Pairs: 6, Spread: 0.01, Floor: 0.008, Seen: 0.014},
	}}
	metrics, err := (&judging{}).metrics(paced)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range cal.Noise {
		for _, m := range metrics {
			if err := n.Check(m); m.Name == n.Metric && err != nil {
				cal.Refused = append(cal.Refused, err.Error())
			}
		}
	}
	if len(cal.Refused) != 1 || len(cal.asked(nil)) != 0 || len(cal.asked([]string{"cpu=1%"})) != 0 || len(cal.asked([]string{"p99=10%"})) != 1 {
		t.Errorf("refused %q, asked for %q", cal.Refused, cal.asked([]string{"p99=10%"}))
	}
	if text := noiseText(cal); strings.Count(text, "the floor lies in the noise") != 1 || !strings.Contains(text, "p99            20.0%        15.0%              25.0%   the floor") {
		t.Errorf("got\n%s", text)
	}
	if err := cal.check(metrics); err == nil || !strings.Contains(err.Error(), "lies in the noise") {
		t.Errorf("compare takes it: %v", err)
	}
	if s := cal.scatter(metrics); s != 0.2 {
		t.Errorf("scatter %v", s)
	}
	var none *calibration
	if none.check(metrics) != nil || none.scatter(metrics) != 0 || len(none.ratios()) != 0 {
		t.Error("without a calibration something is refused")
	}
}
