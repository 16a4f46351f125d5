package regress

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// LeastWindows is how many windows a duet must have.
const LeastWindows = 12

// Duet judges two builds that read the same log at the same time: a pair is the same window of time of both (Bulej et al., ICPE
// 2020). Windows next to each other are not independent, so they are drawn in blocks (Künsch 1989). With the same seed the answer is
// the same.
func Duet(m Metric, windows []Pair, seed uint64) (Finding, error) {
	f := Finding{Metric: m, Pairs: windows, P: 1, PBetter: 1}
	if len(windows) < LeastWindows {
		f.Verdict, f.Needed, f.Reason = Inconclusive, LeastWindows, fmt.Sprintf("%d windows: at least %d are needed", len(windows), LeastWindows)
		return f, nil
	}
	d := make([]float64, len(windows))
	base := make([]float64, len(windows))
	for i, w := range windows {
		if !(w.Base > 0) || !(w.Candidate > 0) {
			return f, fmt.Errorf("%s: window %d is %v and %v: expected positive numbers", m.Name, i+1, w.Base, w.Candidate)
		}
		d[i], base[i] = m.worse(w), w.Base
	}
	const draws = 4000
	rng := rand.New(rand.NewPCG(seed, 1))
	block := int(math.Ceil(math.Cbrt(float64(len(d)))))
	means := make([]float64, draws)
	x := make([]float64, 0, len(d)+block)
	for i := range means {
		x = x[:0]
		for len(x) < len(d) {
			at := rng.IntN(len(d))
			for k := range block {
				x = append(x, d[(at+k)%len(d)])
			}
		}
		means[i] = mean(x[:len(d)])
	}
	slices.Sort(means)
	share := func(worse bool) float64 { // of draws on the other side of nought
		k, _ := slices.BinarySearch(means, 0)
		if !worse {
			k = draws - k
		}
		return float64(k+1) / (draws + 1)
	}
	f.P, f.PBetter = share(true), share(false)
	f.Estimate, f.From, f.To, f.Confidence = math.Expm1(mean(d)), math.Expm1(means[draws/40]), math.Expm1(means[draws-1-draws/40]), 0.95
	f.Difference = median(base) * f.Estimate
	f.judge(LeastWindows)
	return f, nil
}

func mean(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}
