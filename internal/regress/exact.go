package regress

import (
	"math"
	"math/big"
	"slices"
)

// signFlip is the exact one-sided p of a permutation test on paired differences: the share of all 2^n ways to flip their signs whose
// mean is at least as large as the one that was seen (Fisher 1935; Pitman 1937).
func signFlip(d []float64) float64 {
	var sum, scale float64
	for _, x := range d {
		sum += x
		scale += math.Abs(x)
	}
	tiny := 1e-12 * scale
	var count func(i int, s, rest float64) int
	count = func(i int, s, rest float64) int { // how many ways from here reach sum; rest: what |d| from i on can add
		if s+rest < sum-tiny {
			return 0
		}
		if s-rest >= sum-tiny {
			return 1 << (len(d) - i)
		}
		a := math.Abs(d[i])
		return count(i+1, s+a, rest-a) + count(i+1, s-a, rest-a)
	}
	return float64(count(0, 0, scale)) / float64(int(1)<<len(d))
}

func negative(d []float64) []float64 {
	out := make([]float64, len(d))
	for i, x := range d {
		out[i] = -x
	}
	return out
}

// hodgesLehmann is the median of the Walsh averages, and the exact interval that belongs to the signed-rank test: the narrowest of
// at least 95 %, or the widest that so few values have (Hodges and Lehmann 1963; Hollander, Wolfe and Chicken, 3.3).
func hodgesLehmann(d []float64) (estimate, from, to, confidence float64) {
	var walsh []float64
	for i := range d {
		for j := i; j < len(d); j++ {
			walsh = append(walsh, (d[i]+d[j])/2)
		}
	}
	slices.Sort(walsh)
	estimate = median(walsh)
	k, tail := tailOf(signedRank(len(d)))
	k = min(k, (len(walsh)+1)/2)
	return estimate, walsh[k-1], walsh[len(walsh)-k], 1 - 2*tail
}

// tailOf is how many values of a statistic, counted by its ways, lie outside of an interval of at least 95 % at each end, and the
// chance of that: the largest k with P(T < k) at most 2.5 %, or 1 if so few runs have none.
func tailOf(ways []float64) (k int, tail float64) {
	all := 0.0
	for _, w := range ways {
		all += w
	}
	for below := 0.0; k < len(ways); k++ {
		below += ways[k]
		if below/all > 0.025 {
			break
		}
		tail = below / all
	}
	if k == 0 { // too few: all of them
		return 1, ways[0] / all
	}
	return k, tail
}

// signedRank counts, for each sum, the subsets of 1…n that have it.
func signedRank(n int) []float64 {
	ways := make([]float64, n*(n+1)/2+1)
	ways[0] = 1
	for r := 1; r <= n; r++ {
		for s := len(ways) - 1; s >= r; s-- {
			ways[s] += ways[s-r]
		}
	}
	return ways
}

func median(x []float64) float64 {
	if len(x) == 0 {
		return math.NaN()
	}
	s := slices.Sorted(slices.Values(x))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// holm corrects the p of all gated metrics for their number (Holm 1979). Those that are only shown are not tests.
func holm(all []Finding, p func(*Finding) *float64) {
	var gated []*float64
	for i := range all {
		if all[i].Metric.Gated && all[i].n > 0 {
			gated = append(gated, p(&all[i]))
		}
	}
	slices.SortFunc(gated, func(a, b *float64) int {
		switch {
		case *a < *b:
			return -1
		case *a > *b:
			return 1
		}
		return 0
	})
	least := 0.0
	for i, v := range gated {
		least = max(least, min(1, *v*float64(len(gated)-i)))
		*v = least
	}
}

// mannWhitney is the exact one-sided p that y is not larger than x, ties included: over all ways to choose which of the values are
// y's, the share whose rank sum is at least as large (Mann and Whitney 1947).
func mannWhitney(x, y []float64) float64 {
	all := slices.Sorted(slices.Values(slices.Concat(x, y)))
	rank := func(v float64) int { // twice the mid-rank: a whole number
		first, _ := slices.BinarySearch(all, v)
		last := first
		for last < len(all) && all[last] == v {
			last++
		}
		return first + last + 1
	}
	seen := 0
	for _, v := range y {
		seen += rank(v)
	}
	most := 0
	for _, v := range all {
		most += rank(v)
	}
	ways := make([][]float64, len(y)+1) // of n values, by rank sum
	for i := range ways {
		ways[i] = make([]float64, most+1)
	}
	ways[0][0] = 1
	for _, v := range all {
		r := rank(v)
		for n := len(y) - 1; n >= 0; n-- {
			for s := most - r; s >= 0; s-- {
				if ways[n][s] > 0 {
					ways[n+1][s+r] += ways[n][s]
				}
			}
		}
	}
	tail := 0.0
	for s := seen; s <= most; s++ {
		tail += ways[len(y)][s]
	}
	total, _ := new(big.Float).SetInt(new(big.Int).Binomial(int64(len(all)), int64(len(y)))).Float64()
	return tail / total
}
