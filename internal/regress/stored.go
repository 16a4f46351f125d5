package regress

import (
	"fmt"
	"math"
)

// LeastStored is how many runs each side of a comparison with a stored baseline must have.
const LeastStored = 6

// Stored judges runs against those of another time on the same kind of machine. noise are log-ratios of pairs of the same build: a
// change below three times their spread says nothing. Its verdict is a warning: a host that differs looks like a change.
func Stored(m Metric, base, candidate, noise []float64) (Finding, error) {
	f := Finding{Metric: m, P: 1, PBetter: 1}
	if len(base) < LeastStored || len(candidate) < LeastStored {
		f.Verdict, f.Needed = Inconclusive, LeastStored
		f.Reason = fmt.Sprintf("%d runs against %d: each side needs %d", len(candidate), len(base), LeastStored)
		if len(base) == 0 {
			f.Verdict, f.Reason = NoBaseline, "no baseline is stored"
		}
		return f, nil
	}
	worse := func(v float64) float64 {
		if m.Better == High {
			return -math.Log(v)
		}
		return math.Log(v)
	}
	var x, y, diffs []float64
	for i, v := range append(append([]float64{}, base...), candidate...) {
		if !(v > 0) {
			return f, fmt.Errorf("%s: run %d is %v: expected a positive number", m.Name, i+1, v)
		}
		if i < len(base) {
			x = append(x, worse(v))
		} else {
			y = append(y, worse(v))
		}
	}
	for _, a := range x {
		for _, b := range y {
			diffs = append(diffs, b-a)
		}
	}
	f.P, f.PBetter = mannWhitney(x, y), mannWhitney(y, x)
	f.Estimate = math.Expm1(median(diffs))
	f.Difference = f.Estimate * median(base)
	m.Floor = max(m.Floor, 3*mad(noise))
	f.Metric = m
	switch e := f.Estimate; {
	case f.P <= Alpha && e >= m.Floor && math.Abs(f.Difference) >= m.Absolute:
		f.Verdict = Regressed
	case f.PBetter <= Alpha && -e >= m.Floor && math.Abs(f.Difference) >= m.Absolute:
		f.Verdict = Improved
	default:
		f.Verdict = Unchanged
	}
	f.Reason = fmt.Sprintf("%s %+.1f %% against the stored baseline (positive is worse), p %.3f, %d runs against %d, floor %.1f %%", m.Name, 100*f.Estimate, min(f.P, f.PBetter), len(y), len(x), 100*m.Floor)
	return f, nil
}

// mad is the median distance from the median, scaled to a standard deviation.
func mad(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	m := median(x)
	d := make([]float64, len(x))
	for i, v := range x {
		d[i] = math.Abs(v - m)
	}
	return 1.4826 * median(d)
}
