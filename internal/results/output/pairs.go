package output

import (
	"fmt"
	"math"
	"slices"

	"weir/internal/regress"
)

// pairStrip shows a metric's pairs: a dot for each, the estimate with its interval, and the floor below which nobody minds.
type pairStrip struct {
	Finding  regress.Finding
	Gated    bool
	Baseline string
	Build    string
	From, To float64 // of the floor's band, %
	Left     float64 // of the interval, %
	Width    float64
	Estimate float64 // %
	Dots     []tick
	Axis     []tick
}

func stripsOf(c *regress.Comparison) []pairStrip {
	var all []pairStrip
	for _, f := range c.Findings {
		if len(f.Pairs) == 0 {
			continue
		}
		reach := max(1.5*f.Metric.Floor, math.Abs(f.From), math.Abs(f.To))
		var worse []float64
		for _, p := range f.Pairs {
			d := p.Candidate/p.Base - 1
			if f.Metric.Better == regress.High {
				d = p.Base/p.Candidate - 1
			}
			worse = append(worse, d)
			reach = max(reach, math.Abs(d))
		}
		reach *= 1.08
		at := func(v float64) float64 { return math.Round(1000*min(100, max(0, 50+50*v/reach))) / 1000 }
		base, cand := medians(f.Pairs)
		s := pairStrip{Finding: f, Gated: f.Metric.Gated, Baseline: fmt.Sprintf("%.4g %s", base, f.Metric.Unit), Build: fmt.Sprintf("%.4g %s", cand, f.Metric.Unit),
			From: at(-f.Metric.Floor), To: at(f.Metric.Floor), Left: at(f.From), Width: at(f.To) - at(f.From), Estimate: at(f.Estimate)}
		for i, d := range worse {
			s.Dots = append(s.Dots, tick{at(d), fmt.Sprintf("pair %d: %+.1f %%", i+1, 100*d)})
		}
		for _, v := range []float64{-f.Metric.Floor, 0, f.Metric.Floor} {
			s.Axis = append(s.Axis, tick{at(v), fmt.Sprintf("%+.3g%%", 100*v)})
		}
		s.Axis[1].Text = "same"
		all = append(all, s)
	}
	return all
}

func medians(all []regress.Pair) (base, candidate float64) {
	var a, b []float64
	for _, p := range all {
		a, b = append(a, p.Base), append(b, p.Candidate)
	}
	return middle(a), middle(b)
}

func middle(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
