package regress

import (
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// environment is how runs scatter: of the host, of a drift in time (AR(1), 0.8), of each run; standard deviations of a logarithm.
type environment struct{ host, drift, run float64 }

var (
	quiet   = environment{0.01, 0.01, 0.015}
	typical = environment{0.05, 0.03, 0.03}
	noisy   = environment{0.10, 0.06, 0.06}
)

// job is one CI job: pairs on one host, the candidate slower by change.
func (e environment) job(r *rand.Rand, n int, change float64) []Pair {
	const rho = 0.8
	host, drift := e.host*r.NormFloat64(), e.drift*r.NormFloat64()
	pairs := make([]Pair, n)
	for i, who := range Order(n) {
		drift = rho*drift + math.Sqrt(1-rho*rho)*e.drift*r.NormFloat64()
		v := 100 * math.Exp(host+drift+e.run*r.NormFloat64())
		if who == 'B' {
			pairs[i/2].Candidate = v * (1 + change)
		} else {
			pairs[i/2].Base = v
		}
	}
	return pairs
}

var latency = Metric{Name: "p50", Unit: "ms", Better: Low, Floor: 0.05, Gated: true}

// share is how often a comparison says regressed; with confirm, a second job has to say it, too.
func share(t *testing.T, e environment, n int, change float64, confirm bool) float64 {
	t.Helper()
	reps := 4000
	if v, err := strconv.Atoi(os.Getenv("WEIR_REPS")); err == nil {
		reps = v
	}
	r := rand.New(rand.NewPCG(7, uint64(n)))
	found := 0
	for range reps {
		one := func() []Finding {
			f, err := Compare([]Metric{latency}, map[string][]Pair{"p50": e.job(r, n, change)})
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		f := one()
		if confirm && f[0].Verdict == Regressed {
			f = Confirmed(f, one())
		}
		if f[0].Verdict == Regressed {
			found++
		}
	}
	return float64(found) / float64(reps)
}

// The promise of the CI gate, with the product's own code: few false alarms, and a build that is 10 % slower is found.
func TestFalseAlarmsAndPower(t *testing.T) {
	for _, x := range []struct {
		name        string
		e           environment
		pairs       int
		change      float64
		confirm     bool
		least, most float64
	}{
		{"quiet, no change", quiet, 6, 0, false, 0, 0.001},
		{"quiet, +10 %", quiet, 6, 0.1, false, 0.99, 1},
		{"typical, no change", typical, 6, 0, false, 0, 0.01},
		{"typical, +10 %", typical, 6, 0.1, false, 0.95, 1},
		{"typical, no change, confirmed", typical, 6, 0, true, 0, 0.001},
		{"noisy, no change", noisy, 6, 0, false, 0, 0.04},
		{"noisy, no change, confirmed", noisy, 6, 0, true, 0, 0.003},
		{"noisy, +10 % with 8 pairs", noisy, 8, 0.1, false, 0.75, 1},
		{"noisy, +20 %", noisy, 6, 0.2, false, 0.97, 1},
	} {
		if got := share(t, x.e, x.pairs, x.change, x.confirm); got < x.least || got > x.most {
			t.Errorf("%s: regressed in %.2f %% of the jobs, expected %.1f to %.1f %%", x.name, 100*got, 100*x.least, 100*x.most)
		} else {
			t.Logf("%s: regressed in %.2f %%", x.name, 100*got)
		}
	}
}

func TestADriftHitsBothAlike(t *testing.T) {
	if got := string(Order(6)); got != "ABBABAABABBA" {
		t.Errorf("got %s", got)
	}
}

func TestSignFlipIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for range 200 {
		d := make([]float64, 1+r.IntN(9))
		for i := range d {
			d[i] = math.Round(8*r.NormFloat64()) / 4 // with ties and noughts
		}
		sum := 0.0
		for _, x := range d {
			sum += x
		}
		n := 0
		for mask := range 1 << len(d) {
			s := 0.0
			for i, x := range d {
				if mask>>i&1 == 1 {
					x = -x
				}
				s += x
			}
			if s >= sum-1e-9 {
				n++
			}
		}
		if want := float64(n) / float64(int(1)<<len(d)); signFlip(d) != want {
			t.Fatalf("%v: got %v, want %v", d, signFlip(d), want)
		}
	}
	if p := signFlip([]float64{1, 1, 1, 1, 1}); p != 1.0/32 {
		t.Errorf("five times worse: %v", p)
	}
}

// Hollander and Wolfe's depression scores; R's wilcox.test(paired, conf.int) says -0.46 [-0.786, -0.010] at 96.1 %.
func TestTheEstimateAndItsInterval(t *testing.T) {
	x := []float64{1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30}
	y := []float64{0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29}
	d := make([]float64, len(x))
	for i := range x {
		d[i] = y[i] - x[i]
	}
	e, from, to, c := hodgesLehmann(d)
	for _, p := range [][2]float64{{e, -0.46}, {from, -0.786}, {to, -0.010}, {c, 0.9609}} {
		if math.Abs(p[0]-p[1]) > 5e-4 {
			t.Errorf("got %v [%v, %v] at %v", e, from, to, c)
		}
	}
	if _, from, to, c := hodgesLehmann([]float64{1, 2, 3, 4, 5}); from != 1 || to != 5 || c != 1-2.0/32 {
		t.Errorf("of five: [%v, %v] at %v", from, to, c)
	}
}

// R's wilcox.test(x, y, alternative = "greater"): W = 35, p = 0.1272; with ties, all ways were counted by hand.
func TestMannWhitneyIsExact(t *testing.T) {
	x := []float64{0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46}
	y := []float64{1.15, 0.88, 0.90, 0.74, 1.21}
	if p := mannWhitney(y, x); math.Abs(p-0.1272) > 5e-5 {
		t.Errorf("got %v", p)
	}
	if p := mannWhitney([]float64{1, 2}, []float64{2, 3}); math.Abs(p-2.0/6) > 1e-12 { // rank sums of two of 1, 2.5, 2.5, 4: 6.5 twice, of six
		t.Errorf("with a tie: %v", p)
	}
}

func TestHolm(t *testing.T) {
	f := []Finding{{P: 0.01}, {P: 0.04}, {P: 0.03}, {P: 0.5}}
	for i := range f {
		f[i].Metric.Gated, f[i].n = i < 3, 6
	}
	holm(f, func(f *Finding) *float64 { return &f.P })
	for i, want := range []float64{0.03, 0.06, 0.06, 0.5} {
		if math.Abs(f[i].P-want) > 1e-12 {
			t.Errorf("p %d: got %v, want %v", i, f[i].P, want)
		}
	}
}

func same(n int, base, candidate float64) []Pair {
	out := make([]Pair, n)
	for i := range out {
		out[i] = Pair{base * (1 + 0.001*float64(i)), candidate * (1 + 0.001*float64((i*5)%n))}
	}
	return out
}

func TestVerdicts(t *testing.T) {
	p99 := Metric{Name: "p99", Unit: "ms", Better: Low, Floor: 0.10, Absolute: 5, Gated: true}
	rate := Metric{Name: "capacity", Better: High, Floor: 0.05, Gated: true}
	for _, x := range []struct {
		name   string
		m      Metric
		pairs  []Pair
		want   Verdict
		reason string
	}{
		{"slower", p99, same(6, 100, 120), Regressed, "p99 20."},
		{"faster", p99, same(6, 120, 100), Improved, "better"},
		{"less throughput", rate, same(6, 1000, 900), Regressed, "capacity"},
		{"more throughput", rate, same(6, 900, 1000), Improved, "better"},
		{"large share of next to nothing", p99, same(6, 2, 3), Unchanged, "within ±5 ms: proven"},
		{"probably the same", p99, []Pair{{100, 112}, {100, 92}, {100, 110}, {100, 95}, {100, 108}, {100, 96}}, Unchanged, "within ±10 %: not proven, 10 pairs probably would"},
		{"certain, but too small to matter", p99, same(6, 100, 104), Unchanged, "within ±10 %: proven"},
		{"the same", p99, same(6, 100, 100), Unchanged, "proven"},
		{"too few", p99, same(4, 100, 150), Inconclusive, "fewer than 5"},
		{"nothing", p99, nil, NoBaseline, "nothing to compare"},
		{"looks slower, may be chance", p99, []Pair{{100, 150}, {100, 92}, {100, 145}, {100, 95}, {100, 160}, {100, 96}}, Inconclusive, "pairs would probably decide"},
	} {
		f, err := Compare([]Metric{x.m}, map[string][]Pair{x.m.Name: x.pairs})
		if err != nil {
			t.Fatal(err)
		}
		if f[0].Verdict != x.want || !strings.Contains(f[0].Reason, x.reason) {
			t.Errorf("%s: got %s: %s", x.name, f[0].Verdict, f[0].Reason)
		}
		if (f[0].Verdict == Inconclusive || f[0].Verdict == Unchanged && !f[0].Equivalent) != (f[0].Needed > 0) {
			t.Errorf("%s: %d pairs needed", x.name, f[0].Needed)
		}
	}
	if _, err := Compare([]Metric{p99}, map[string][]Pair{"p99": same(21, 100, 101)}); !errors.Is(err, ErrPooled) {
		t.Errorf("messages were taken for runs: %v", err)
	}
	if _, err := Compare([]Metric{p99}, map[string][]Pair{"p99": {{0, 1}}}); err == nil {
		t.Error("a run without the metric was compared")
	}
}

func TestASecondRoundMustFindIt(t *testing.T) {
	compare := func(p []Pair) []Finding {
		f, err := Compare([]Metric{latency}, map[string][]Pair{"p50": p})
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	slow, fine := compare(same(6, 100, 120)), compare(same(6, 100, 100))
	if f := Confirmed(slow, fine); f[0].Verdict != Inconclusive || f[0].Needed != 8 || !strings.Contains(f[0].Reason, "the second round did not find it, 8 pairs would") {
		t.Errorf("got %+v", f[0])
	}
	if f := Confirmed(slow, slow); f[0].Verdict != Regressed {
		t.Errorf("got %s", f[0].Verdict)
	}
}

// Four metrics decide: six pairs cannot find anything, since 4/2^6 is above 5 %.
func TestEnoughPairsForTheGates(t *testing.T) {
	for gated, want := range map[int]int{1: 5, 2: 6, 3: 6, 4: 7, 6: 7, 7: 8} {
		if got := PairsFor(gated); got != want {
			t.Errorf("%d gated metrics: %d pairs, want %d", gated, got, want)
		}
	}
	var ms []Metric
	pairs := map[string][]Pair{}
	for _, n := range []string{"a", "b", "c", "d"} {
		ms = append(ms, Metric{Name: n, Better: Low, Floor: 0.05, Gated: true})
		pairs[n] = same(7, 100, 100)
	}
	pairs["a"] = same(7, 100, 130)
	f, err := Compare(ms, pairs)
	if err != nil || f[0].Verdict != Regressed || f[1].Verdict != Unchanged {
		t.Errorf("got %+v, %v", f, err)
	}
	pairs["a"] = same(6, 100, 130)
	if f, err = Compare(ms, pairs); err != nil || f[0].Verdict != Inconclusive || f[0].Needed != 7 {
		t.Errorf("six pairs: %s (%s), %v", f[0].Verdict, f[0].Reason, err)
	}
}

func TestWorst(t *testing.T) {
	for _, x := range []struct {
		all  []Verdict
		want Verdict
	}{
		{[]Verdict{Improved, Unchanged}, Unchanged}, {[]Verdict{Improved}, Improved}, {[]Verdict{Improved, Regressed, Unchanged}, Regressed},
		{[]Verdict{Regressed, Invalid}, Invalid}, {[]Verdict{Unchanged, Inconclusive}, Inconclusive}, {nil, Unchanged},
	} {
		if got := Worst(x.all...); got != x.want {
			t.Errorf("%v: %s", x.all, got)
		}
	}
}

func against(t *testing.T, base, cand, noise []float64) Finding {
	t.Helper()
	of := func(v []float64) map[string][]float64 { return map[string][]float64{"p50": v} }
	f, err := Stored([]Metric{latency}, of(base), of(cand), of(noise))
	if err != nil {
		t.Fatal(err)
	}
	return f[0]
}

func TestAStoredBaseline(t *testing.T) {
	base := []float64{100, 101, 99, 100, 102, 98}
	slow := []float64{110, 111, 109, 112, 108, 110}
	check := func(name string, cand, noise []float64, want Verdict) {
		t.Helper()
		f := against(t, base, cand, noise)
		if f.Verdict != want {
			t.Errorf("%s: got %s: %s", name, f.Verdict, f.Reason)
		}
	}
	check("slower", slow, nil, Regressed)
	check("slower, on a machine as noisy as that", slow, []float64{-0.1, 0.1, -0.05, 0.05, 0.08, -0.08}, Unchanged)
	check("the same", base, nil, Unchanged)
	check("slower, perhaps", []float64{100, 130, 98, 120, 99, 125}, nil, Inconclusive)
	check("too few", slow[:5], nil, Inconclusive)
	if f := against(t, nil, slow, nil); f.Verdict != NoBaseline {
		t.Errorf("without a baseline: %s", f.Verdict)
	}
	if f := against(t, base, []float64{101, 100, 102, 99, 100, 101}, nil); !f.Equivalent || !strings.Contains(f.Reason, "6 runs against 6 of the stored baseline; within ±5 %: proven") {
		t.Errorf("the same: %+v", f)
	}
	many := func(n int) map[string][]float64 { return map[string][]float64{"p50": make([]float64, n)} }
	if _, err := Stored([]Metric{latency}, many(5000), many(5000), nil); !errors.Is(err, ErrPooled) {
		t.Errorf("messages were taken for runs: %v", err)
	}
}

// Against a stored baseline, too, the number of metrics that decide is paid for.
func TestAStoredBaselineOfManyMetrics(t *testing.T) {
	base, cand, ms := map[string][]float64{}, map[string][]float64{}, []Metric(nil)
	for i := range 40 {
		m := latency
		m.Name, m.Gated = string(rune('A'+i)), true
		ms, base[m.Name], cand[m.Name] = append(ms, m), []float64{100, 101, 99, 102, 98, 100}, []float64{100, 101, 99, 102, 98, 100}
	}
	cand["A"] = []float64{110, 112, 109, 111, 113, 108} // all above: p is 1 of 924
	for n, want := range map[int]Verdict{40: Regressed, 1: Regressed} {
		f, err := Stored(ms[:n], base, cand, nil)
		if err != nil || f[0].Verdict != want {
			t.Errorf("one of %d: %s (%s), %v", n, f[0].Verdict, f[0].Reason, err)
		}
	}
	cand["A"][0] = 101.5 // one among the baseline's
	for n, want := range map[int]Verdict{40: Inconclusive, 1: Regressed} {
		f, err := Stored(ms[:n], base, cand, nil)
		if err != nil || f[0].Verdict != want {
			t.Errorf("nearly, one of %d: %s (%s), %v", n, f[0].Verdict, f[0].Reason, err)
		}
	}
}

// The interval of a shift holds what is true in 95 of 100 cases, as it says.
func TestTheIntervalOfAShift(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	in, said := 0, 0.0
	for range 4000 {
		x, y := make([]float64, 6), make([]float64, 7)
		for i := range x {
			x[i] = r.NormFloat64()
		}
		for i := range y {
			y[i] = 2 + r.NormFloat64()
		}
		_, from, to, conf := shift(x, y)
		if said = conf; from <= 2 && 2 <= to {
			in++
		}
	}
	if got := float64(in) / 4000; math.Abs(got-said) > 0.012 || said < 0.95 {
		t.Errorf("it holds the truth in %.1f %%, and says %.1f %%", 100*got, 100*said)
	}
}

// What it says a comparison finds, a comparison finds.
func TestCalibrationTellsWhatCanBeSeen(t *testing.T) {
	for name, e := range map[string]environment{"quiet": quiet, "typical": typical, "noisy": noisy} {
		r := rand.New(rand.NewPCG(3, 3))
		n, err := Calibrate(latency, e.job(r, 200, 0), 6)
		if err != nil {
			t.Fatal(err)
		}
		m := latency
		m.Floor = n.Floor
		if err := n.Check(m); err != nil {
			t.Error(err)
		}
		m.Floor = n.Floor / 2
		if err := n.Check(m); err == nil || !strings.Contains(err.Error(), "lies in the noise") {
			t.Errorf("%s: a floor in the noise was taken: %v", name, err)
		}
		found := 0
		for range 2000 {
			m := latency
			m.Floor = n.Floor
			f, err := Compare([]Metric{m}, map[string][]Pair{"p50": e.job(r, 6, n.Seen)})
			if err != nil {
				t.Fatal(err)
			}
			if f[0].Verdict == Regressed {
				found++
			}
		}
		t.Logf("%s: %+v, a change of %.1f %% was found in %.0f %%", name, n, 100*n.Seen, float64(found)/20)
		if found < 1500 || found > 1800 {
			t.Errorf("%s: a change of %.1f %% was found in %.0f %%, promised were 80", name, 100*n.Seen, float64(found)/20)
		}
	}
}

func TestChangesOfAHistory(t *testing.T) {
	series := func(r *rand.Rand, n int, level func(i int) float64) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = level(i) * (1 + 0.02*r.NormFloat64())
		}
		return x
	}
	false1 := 0
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 0))
		false1 += len(Changes(series(r, 200, func(int) float64 { return 100 })))
		got := Changes(series(r, 120, func(i int) float64 {
			switch {
			case i < 40:
				return 100
			case i < 80:
				return 108
			}
			return 101
		}))
		if len(got) < 2 || !slices.ContainsFunc(got, func(c Change) bool { return c.Index >= 36 && c.Index <= 44 }) || !slices.ContainsFunc(got, func(c Change) bool { return c.Index >= 76 && c.Index <= 84 }) {
			t.Errorf("seed %d: %+v", seed, got)
		}
	}
	if false1 > 15 {
		t.Errorf("%d changes in 50 histories where there are none", false1)
	}
	t.Logf("%d changes in 50 histories of 200 runs where there are none", false1)
	if got := Changes(nil); len(got) != 0 {
		t.Errorf("of nothing: %v", got)
	}
}

// Windows of a duet hang together; blocks keep the false alarms down.
