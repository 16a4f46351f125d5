package load

import (
	"math"
	"slices"
	"testing"
)

func TestSizesHaveTheirDistribution(t *testing.T) {
	draw := func(s Size) []int {
		r, all := rng{7}, make([]int, 100_000)
		for i := range all {
			all[i] = s.Draw(r.next(), r.next())
		}
		slices.Sort(all)
		return all
	}
	// Kolmogorov-Smirnov: the largest distance to the distribution function; 1.63/√n is exceeded once in a hundred.
	distance := func(sorted []int, cdf func(x float64) float64) float64 {
		var d float64
		for i, x := range sorted {
			d = max(d, math.Abs(cdf(float64(x)+0.5)-float64(i+1)/float64(len(sorted))))
		}
		return d
	}
	border := 1.63 / math.Sqrt(100_000)
	uniform := draw(UniformSize{300, 30_000})
	if d := distance(uniform, func(x float64) float64 { return (x - 299.5) / 29_701 }); d > border {
		t.Errorf("uniform: distance %.4f, want at most %.4f", d, border)
	}
	s := Lognormal(1024, 16<<10, 1, 100<<20)
	long := draw(s)
	if d := distance(long, func(x float64) float64 { return 0.5 * math.Erfc(-math.Log(x/s.Median)/s.Sigma/math.Sqrt2) }); d > border {
		t.Errorf("lognormal: distance %.4f, want at most %.4f", d, border)
	}
	if p99 := float64(long[99_000]); math.Abs(p99/(16<<10)-1) > 0.05 {
		t.Errorf("lognormal: p99 %v, want about 16 KiB", p99)
	}
	cut := draw(Lognormal(1024, 16<<10, 600, 5000))
	if cut[0] != 600 || cut[len(cut)-1] != 5000 {
		t.Errorf("lognormal with bounds: got %d to %d, want 600 to 5000", cut[0], cut[len(cut)-1])
	}
}
