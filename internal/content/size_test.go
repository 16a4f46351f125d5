package content

import (
	"math"
	"slices"
	"testing"

	"weir/internal/config"
)

// TestSizesHaveTheirDistribution holds the sizes of generated values, not of a drawer alone, against the distribution asked for.
func TestSizesHaveTheirDistribution(t *testing.T) {
	const n = 20_000
	// Kolmogorov-Smirnov: the largest distance to the distribution function; 1.63/√n is exceeded once in a hundred.
	border := 1.63 / math.Sqrt(n)
	k := config.Size(1 << 10)
	observed := make([]int, 5000)
	for i := range observed {
		observed[i] = 400 + i*i/5000
	}
	for name, c := range map[string]struct {
		size Size
		cdf  func(x float64) float64
	}{
		"uniform":   {uniform(300, 5000), func(x float64) float64 { return (x - 299.5) / 4701 }},
		"normal":    {Size{Distribution: "normal", Mean: 2 * k, StdDev: 300}, func(x float64) float64 { return phi((x - 2048) / 300) }},
		"lognormal": {Size{Distribution: "lognormal", Median: k, P99: 4 * k, Max: 900 * k}, func(x float64) float64 { return phi(math.Log(x/1024) / (math.Log(4) / z99)) }},
		"pareto": {Size{Distribution: "pareto", Min: 300, Max: 100 * k, Exponent: 1.5}, func(x float64) float64 {
			return (1 - math.Pow(300/x, 1.5)) / (1 - math.Pow(300.0/(100<<10), 1.5))
		}},
		"buckets": {Size{Distribution: "buckets", Buckets: []SizeBucket{{Bytes: 300, Weight: 3}, {Min: 1001, Max: 2000, Weight: 1}}}, func(x float64) float64 {
			return 0.75 + 0.25*max(0, (x-1000.5)/1000)
		}},
		"learned": {Learn(observed), func(x float64) float64 { return min(1, math.Sqrt((x-400)/5000)) }},
	} {
		t.Run(name, func(t *testing.T) {
			g := mustGenerator(t, Spec{Seed: 9, Size: c.size})
			w, all, buf := g.Writer(), make([]int, n), []byte(nil)
			for i := range all {
				buf = w.Append(buf[:0], uint64(i))
				all[i] = HeaderSize + len(buf)
			}
			slices.Sort(all)
			var d float64
			for i, x := range all {
				if i+1 == len(all) || all[i+1] != x { // ties: only the last of equal sizes is a point of the function
					d = max(d, math.Abs(c.cdf(float64(x)+0.5)-float64(i+1)/n))
				}
			}
			if d > border {
				t.Errorf("distance %.4f, want at most %.4f", d, border)
			}
		})
	}
	cut := mustGenerator(t, Spec{Size: Size{Distribution: "lognormal", Median: k, P99: 16 * k, Min: 600, Max: 20_000}})
	w, least, most := cut.Writer(), math.MaxInt, 0
	for i := range uint64(n) {
		s := HeaderSize + len(w.Append(nil, i))
		least, most = min(least, s), max(most, s)
	}
	if least != 600 || most != 20_000 {
		t.Errorf("lognormal with bounds: got %d to %d, want 600 to 20000", least, most)
	}
}

func phi(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

func TestZipfAndChoices(t *testing.T) {
	for _, exp := range []float64{0.5, 0.99, 1, 1.1, 2} {
		const n, draws = 1000, 200_000
		z, r, counts := newZipf(n, exp), rng{5}, make([]float64, n+1)
		for range draws {
			counts[z.draw(&r)]++
		}
		sum := 0.0
		for k := 1; k <= n; k++ {
			sum += math.Pow(float64(k), -exp)
		}
		chi := 0.0
		for k := 1; k <= 20; k++ {
			want := draws * math.Pow(float64(k), -exp) / sum
			chi += (counts[k] - want) * (counts[k] - want) / want
		}
		if chi > 45 { // 20 degrees of freedom: 0.1 %
			t.Errorf("exponent %v: chi² of the first 20 ranks is %.1f, want below 45", exp, chi)
		}
	}
	hot := newChooser(1000, Choice{Hot: HotShare{Share: 0.2, Keys: 1}})
	first := 0
	for n := range uint64(50_000) {
		d := draw{rng: streamOf(1, n, 2), n: n}
		if hot.draw(&d) == 0 {
			first++
		}
	}
	if share := float64(first) / 50_000; math.Abs(share-0.2008) > 0.01 {
		t.Errorf("hot share: got %.3f, want 0.2", share)
	}
	in := newChooser(7, Choice{Distribution: "sequential"})
	for n := range uint64(20) {
		if d := (draw{n: n}); in.draw(&d) != n%7 {
			t.Fatal("sequential keys do not follow the number")
		}
	}
}
