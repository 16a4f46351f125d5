package regress

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// A Change is a run of a history from which on the metric is another.
type Change struct {
	Index     int     `json:"index"` // of the first run of the new level
	Before    float64 `json:"before"`
	After     float64 `json:"after"`
	P         float64 `json:"p"`
	Magnitude float64 `json:"magnitude"` // relative
}

const (
	changeWindow = 50
	changeP      = 0.001
	weak         = 10 // points are first found at a p so much larger, and then have to hold between their neighbours
)

// Changes finds the change points of a series: E-divisive (Matteson and James 2014) where a t-test replaces the permutations, so that
// the same series always gives the same points, in windows of 50 (Fleming et al., Hunter, ICPE 2023).
func Changes(series []float64) []Change {
	found := map[int]bool{}
	for start := 0; ; start += changeWindow / 2 {
		end := min(start+changeWindow, len(series))
		for _, i := range split(series[start:end], changeP*weak) {
			found[start+i] = true
		}
		if end == len(series) {
			break
		}
	}
	points := slices.Sorted(func(yield func(int) bool) {
		for i := range found {
			if !yield(i) {
				return
			}
		}
	})
	for { // the least certain one goes, until all hold between their neighbours
		worst, p := -1, changeP
		for k := range points {
			if q := welch(around(series, points, k)); q > p {
				worst, p = k, q
			}
		}
		if worst < 0 {
			break
		}
		points = slices.Delete(points, worst, worst+1)
	}
	out := make([]Change, len(points))
	for k, i := range points {
		before, after := around(series, points, k)
		a, b := stat.Mean(before, nil), stat.Mean(after, nil)
		out[k] = Change{Index: i, Before: a, After: b, P: welch(before, after), Magnitude: math.Abs(b-a) / math.Abs(a)}
	}
	return out
}

// around are the values between a point and its neighbours.
func around(series []float64, points []int, k int) (before, after []float64) {
	from, to := 0, len(series)
	if k > 0 {
		from = points[k-1]
	}
	if k+1 < len(points) {
		to = points[k+1]
	}
	return series[from:points[k]], series[points[k]:to]
}

// split cuts where the two sides are farthest apart, and then each side, as long as a t-test holds the cut for real.
func split(x []float64, p float64) []int {
	const least = 3
	if len(x) < 2*least {
		return nil
	}
	best, at := math.Inf(-1), 0
	for i := least; i <= len(x)-least; i++ {
		if q := energy(x[:i], x[i:]); q > best {
			best, at = q, i
		}
	}
	if !(welch(x[:at], x[at:]) <= p) {
		return nil
	}
	out := split(x[:at], p)
	out = append(out, at)
	for _, i := range split(x[at:], p) {
		out = append(out, at+i)
	}
	return out
}

// energy is how far two samples are apart (Székely and Rizzo), weighted by their sizes.
func energy(x, y []float64) float64 {
	between, n, m := 0.0, float64(len(x)), float64(len(y))
	for _, a := range x {
		for _, b := range y {
			between += math.Abs(a - b)
		}
	}
	within := func(z []float64) float64 {
		s := 0.0
		for i := range z {
			for j := i + 1; j < len(z); j++ {
				s += math.Abs(z[i] - z[j])
			}
		}
		return s * 2 / (float64(len(z)) * float64(len(z)-1))
	}
	return n * m / (n + m) * (2*between/(n*m) - within(x) - within(y))
}

// welch is the two-sided p of Welch's t-test.
func welch(x, y []float64) float64 {
	if len(x) < 2 || len(y) < 2 {
		return 1
	}
	mx, vx := stat.MeanVariance(x, nil)
	my, vy := stat.MeanVariance(y, nil)
	a, b := vx/float64(len(x)), vy/float64(len(y))
	if a+b == 0 {
		if mx == my {
			return 1
		}
		return 0
	}
	t := (mx - my) / math.Sqrt(a+b)
	df := (a + b) * (a + b) / (a*a/float64(len(x)-1) + b*b/float64(len(y)-1))
	return 2 * distuv.StudentsT{Mu: 0, Sigma: 1, Nu: df}.Survival(math.Abs(t))
}
