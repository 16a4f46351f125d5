package regress

import (
	"fmt"
	"math"
	"slices"
)

// LeastStored is how many runs each side of a comparison with a stored baseline must have.
const LeastStored = 6

// Stored judges runs against those of another time on the same kind of machine, each metric by its values of whole runs. noise are
// log-ratios of pairs of the same build: a change below three times their spread says nothing. Its verdict is a warning: a host that
// differs looks like a change.
func Stored(metrics []Metric, base, candidate, noise map[string][]float64) ([]Finding, error) {
	out := make([]Finding, len(metrics))
	for i, m := range metrics {
		m.Floor = max(m.Floor, 3*mad(noise[m.Name]))
		f, err := stored(m, base[m.Name], candidate[m.Name])
		if err != nil {
			return nil, err
		}
		out[i] = f
	}
	judge(out, func(Metric) int { return LeastStored })
	return out, nil
}

func stored(m Metric, base, candidate []float64) (Finding, error) {
	f := Finding{Metric: m, P: 1, PBetter: 1, n: min(len(base), len(candidate)), of: fmt.Sprintf("runs against %d of the stored baseline", len(base))}
	if len(base) > mostStored || len(candidate) > mostStored {
		return f, fmt.Errorf("%s: %d values against %d, and nobody makes more than %d runs: %w", m.Name, len(candidate), len(base), mostStored, ErrPooled)
	}
	if f.n < LeastStored {
		return f, nil
	}
	f.n = len(candidate)
	side := func(values []float64) ([]float64, error) {
		var out []float64
		for i, v := range values {
			if !(v > 0) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("%s: run %d is %v: expected a positive number", m.Name, i+1, v)
			}
			out = append(out, m.worse(Pair{1, v}))
		}
		return out, nil
	}
	x, err := side(base)
	if err != nil {
		return f, err
	}
	y, err := side(candidate)
	if err != nil {
		return f, err
	}
	f.P, f.PBetter = mannWhitney(x, y), mannWhitney(y, x)
	est, from, to, conf := shift(x, y)
	f.Estimate, f.From, f.To, f.Confidence = math.Expm1(est), math.Expm1(from), math.Expm1(to), conf
	f.differ(median(base))
	return f, nil
}

// mostStored bounds the exact count.
const mostStored = 60

// shift is the median of all differences between two samples, and the exact interval that belongs to the rank-sum test (Hodges and
// Lehmann 1963; Moses 1965).
func shift(x, y []float64) (estimate, from, to, confidence float64) {
	var diffs []float64
	for _, a := range x {
		for _, b := range y {
			diffs = append(diffs, b-a)
		}
	}
	slices.Sort(diffs)
	k, tail := tailOf(rankSums(len(x), len(y)))
	k = min(k, (len(diffs)+1)/2)
	return median(diffs), diffs[k-1], diffs[len(diffs)-k], 1 - 2*tail
}

// rankSums counts, for each value of the statistic U, the ways to choose n of n+m.
func rankSums(m, n int) []float64 {
	most := n*m + n*(n+1)/2
	ways := make([][]float64, n+1) // of so many values, by rank sum
	for i := range ways {
		ways[i] = make([]float64, most+1)
	}
	ways[0][0] = 1
	for r := 1; r <= n+m; r++ {
		for k := n - 1; k >= 0; k-- {
			for s := most - r; s >= 0; s-- {
				ways[k+1][s+r] += ways[k][s]
			}
		}
	}
	return ways[n][n*(n+1)/2:]
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
