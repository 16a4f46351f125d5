//go:build real

package real

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"weir/internal/load"
	"weir/internal/registry"
	"weir/test/real/parts"
)

const (
	sizesEach = 6000
	// The probability that a sample of the right distribution is called wrong, for each of them. The seed makes it once and for all.
	sizesAlpha = 0.001
)

func phi(z float64) float64 { return 0.5 * math.Erfc(-z/math.Sqrt2) }

// squares are the observed sizes of the learned distribution: 400 + i²/2000 for i below 2000.
func squares() (lines string) {
	var b strings.Builder
	for i := range 2000 {
		fmt.Fprintln(&b, 400+i*i/2000)
	}
	return b.String()
}

// distance is that of Kolmogorov and Smirnov: the largest between the share of values up to x and what the distribution says, on
// both sides of each step. Sizes are whole numbers: x stands for all that is rounded to it.
func distance(sizes []int, cdf func(float64) float64) (d float64) {
	slices.Sort(sizes)
	n := float64(len(sizes))
	for i := 0; i < len(sizes); {
		next := i
		for next < len(sizes) && sizes[next] == sizes[i] {
			next++
		}
		x := float64(sizes[i])
		d = max(d, math.Abs(cdf(x+0.5)-float64(next)/n), math.Abs(cdf(x-0.5)-float64(i)/n))
		i = next
	}
	return d
}

// The sizes of values on a real broker follow each distribution that a profile can name, by a test of Kolmogorov and Smirnov; the
// same test refuses each sample for any other distribution, and for one that is a little off.
func TestSizesOnTheTopicHaveTheirDistribution(t *testing.T) {
	z99 := 2.3263478740408408
	between := func(p float64) float64 { return min(1, max(0, p)) }
	lognormal := func(median float64) func(float64) float64 {
		return func(x float64) float64 { return phi(math.Log(x/median) / (math.Log(4) / z99)) }
	}
	bank := map[string]struct {
		size string
		cdf  func(x float64) float64
		off  func(x float64) float64 // a little wrong
	}{
		"constant":  {"{distribution: constant, bytes: 1KiB}", func(x float64) float64 { return map[bool]float64{true: 1}[x > 1024] }, func(x float64) float64 { return map[bool]float64{true: 1}[x > 1025] }},
		"uniform":   {"{distribution: uniform, min: 400, max: 3999}", func(x float64) float64 { return between((x - 399.5) / 3600) }, func(x float64) float64 { return between((x - 399.5) / 3800) }},
		"normal":    {"{distribution: normal, mean: 2KiB, stddev: 250}", func(x float64) float64 { return phi((x - 2048) / 250) }, func(x float64) float64 { return phi((x - 2075) / 250) }},
		"lognormal": {"{distribution: lognormal, median: 1KiB, p99: 4KiB, max: 64KiB}", lognormal(1024), lognormal(1100)},
		"pareto": {"{distribution: pareto, min: 400, max: 64KiB, exponent: 1.5}", func(x float64) float64 {
			return between((1 - math.Pow(400/x, 1.5)) / (1 - math.Pow(400.0/65536, 1.5)))
		}, func(x float64) float64 { return between((1 - math.Pow(400/x, 1.4)) / (1 - math.Pow(400.0/65536, 1.4))) }},
		"buckets": {"{distribution: buckets, buckets: [{bytes: 400, weight: 3}, {min: 1001, max: 2000, weight: 1}]}", func(x float64) float64 {
			return 0.75*map[bool]float64{true: 1}[x > 400] + 0.25*between((x-1000.5)/1000)
		}, func(x float64) float64 {
			return 0.7*map[bool]float64{true: 1}[x > 400] + 0.3*between((x-1000.5)/1000)
		}},
		"learned": {"{distribution: learned, file: sizes.txt}", func(x float64) float64 { return between(math.Sqrt(max(0, x-400) / 2000)) }, func(x float64) float64 { return between(math.Sqrt(max(0, x-400) / 2200)) }},
	}
	broker := parts.Kafka(t)
	reg, err := registry.ServeEmbedded(t.Context(), "127.0.0.1:0", filepath.Join(t.TempDir(), "registry.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	b := newBench(t, broker.Addr, reg.URL())
	names := slices.Sorted(maps.Keys(bank))
	text := fmt.Sprintf("apiVersion: weir/v1\nkind: LoadProfile\nname: sizes\nrate: {stages: [{target: 6k/s}]}\nvolume: {messages: %d}\nmix:\n", sizesEach*len(names))
	for _, name := range names {
		text += fmt.Sprintf("  - {name: %s, weight: 1, topic: {name: sizes.%s, partitions: 2}, size: %s}\n", name, name, bank[name].size)
	}
	b.write("profiles/sizes.yaml", text)
	b.write("profiles/sizes.txt", squares())
	var sum load.Summary
	p, out, errs := b.start("loadgen", "run", "sizes", "--json")
	b.finish(p, out, errs, &sum, 0, 6)

	total := 0
	for _, name := range names {
		var sizes []int
		for _, r := range readTopic(t.Context(), t, broker.Addr, "sizes."+name) {
			sizes = append(sizes, len(r.Value))
		}
		total += len(sizes)
		border := math.Sqrt(-math.Log(sizesAlpha/2)/2) / math.Sqrt(float64(len(sizes)))
		right, off := distance(sizes, bank[name].cdf), distance(sizes, bank[name].off)
		t.Logf("%-9s n %d  D %.4f  D of one a little off %.4f  border %.4f (alpha %g)", name, len(sizes), right, off, border, sizesAlpha)
		if right > border {
			t.Errorf("%s: the distance is %.4f, want at most %.4f", name, right, border)
		}
		if off <= border {
			t.Errorf("%s: a distribution that is a little off passes with %.4f", name, off)
		}
		for _, other := range names {
			if d := distance(sizes, bank[other].cdf); other != name && d <= border {
				t.Errorf("%s passes for %s with %.4f", name, other, d)
			}
		}
	}
	if int64(total) != sum.Sent {
		t.Errorf("%d messages are on the topics, %d were sent", total, sum.Sent)
	}
}
