package regress

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// LeastWindows is how many windows a duet must have.
const LeastWindows = 12

// Duet judges two builds that read the same log at the same time: a pair is the same window of time of both (Bulej et al., ICPE
// 2020). Windows next to each other are not independent, so they are drawn in blocks (Künsch 1989); because there are few blocks, what
// is drawn is widened as Student's distribution is wider than the normal one. A window of which one side has no value is left out.
// With the same seed the answer is the same.
func Duet(metrics []Metric, windows map[string][]Pair, seed uint64) ([]Finding, error) {
	out := make([]Finding, len(metrics))
	for i, m := range metrics {
		f, err := duet(m, windows[m.Name], seed)
		if err != nil {
			return nil, err
		}
		out[i] = f
	}
	judge(out, func(Metric) int { return LeastWindows })
	return out, nil
}

func duet(m Metric, windows []Pair, seed uint64) (Finding, error) {
	f := Finding{Metric: m, P: 1, PBetter: 1, of: "windows"}
	var d, base []float64
	for i, w := range windows {
		if w.Base == 0 || w.Candidate == 0 {
			continue
		}
		if !(w.Base > 0) || !(w.Candidate > 0) || math.IsInf(w.Base, 0) || math.IsInf(w.Candidate, 0) {
			return f, fmt.Errorf("%s: window %d is %v and %v: expected positive numbers", m.Name, i+1, w.Base, w.Candidate)
		}
		f.Pairs, d, base = append(f.Pairs, w), append(d, m.worse(w)), append(base, w.Base)
	}
	if f.n = len(d); f.n < LeastWindows {
		return f, nil
	}
	const draws = 4000
	rng := rand.New(rand.NewPCG(seed, 1))
	block := blockOf(len(d))
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
	at, wider := mean(d), widened(len(d), block)
	for i := range means {
		means[i] = at + wider*(means[i]-at)
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
	f.Estimate, f.From, f.To, f.Confidence = math.Expm1(at), math.Expm1(means[draws/40]), math.Expm1(means[draws-1-draws/40]), 0.95
	f.differ(median(base))
	return f, nil
}

func blockOf(n int) int { return int(math.Ceil(math.Cbrt(float64(n)))) }

// widened: so few blocks are drawn that their spread is too small, and is itself known badly.
func widened(n, block int) float64 {
	k := float64(n) / float64(block)
	student := distuv.StudentsT{Sigma: 1, Nu: k - 1}
	return math.Sqrt(k/(k-1)) * student.Quantile(1-Alpha) / distuv.UnitNormal.Quantile(1-Alpha)
}

func mean(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v
	}
	return s / float64(len(x))
}

// Asymmetric says why a duet may not fail a build, from what a duet of one build with itself (A/A) has found: where the two sides are
// not treated alike, one of them looks slower. Empty if each metric that decides was proven to be within its floor.
func Asymmetric(metrics []Metric, same []Finding) string {
	for _, m := range metrics {
		if !m.Gated {
			continue
		}
		i := slices.IndexFunc(same, func(f Finding) bool { return f.Metric.Name == m.Name })
		switch {
		case i < 0 || len(same[i].Pairs) < LeastWindows:
			return fmt.Sprintf("%s of the two sides was not calibrated", m.Name)
		case same[i].From <= -m.Floor || same[i].To >= m.Floor:
			return fmt.Sprintf("%s of one build on both sides differs by [%.1f %%, %.1f %%]: not proven to be within ±%.3g %%", m.Name, 100*same[i].From, 100*same[i].To, 100*m.Floor)
		}
	}
	return ""
}

// DuetPlan is how two builds are compared that run at the same time.
type DuetPlan struct {
	Metrics  []Metric
	Confirm  Confirm       // auto: if the duet could fail a build
	Advisory func() string // why it only warns; empty: it fails a build. Asked after the first duet
	Make     func(ctx context.Context, round int) (base, candidate Run, err error)
	Say      func(Run)
}

// Do makes a duet, and a second one to confirm what could fail a build.
func (p DuetPlan) Do(ctx context.Context) (Comparison, error) {
	var c Comparison
	first, err := p.round(ctx, &c, 1)
	if err != nil || first == nil {
		return c, err
	}
	c.Findings, c.Advisory = first, p.Advisory()
	if Worst(verdicts(first)...) == Regressed && (p.Confirm == Always || p.Confirm == Auto && c.Advisory == "") {
		if c.Second, err = p.round(ctx, &c, 2); err != nil || c.Second == nil {
			return c, err
		}
		c.Findings = Confirmed(first, c.Second)
	}
	c.Conclude()
	return c, nil
}

// round makes a duet until it is valid. It finds nothing if the data are not right, or if it is never valid.
func (p DuetPlan) round(ctx context.Context, c *Comparison, round int) ([]Finding, error) {
	for spare := again; ; spare-- {
		a, b, err := p.Make(ctx, round)
		if err != nil {
			return nil, fmt.Errorf("duet: %w", err)
		}
		for _, r := range []Run{a, b} {
			c.Runs = append(c.Runs, r)
			if p.Say != nil {
				p.Say(r)
			}
			if c.refuse(r); c.Broken {
				return nil, nil
			}
		}
		switch bad := cmp.Or(a.Invalid, b.Invalid); {
		case bad == "":
			return c.judgedDuet(p.Metrics, round)
		case spare == 0:
			c.Verdict, c.Reason = Invalid, fmt.Sprintf("the duet: %s; it was invalid more than %d times", bad, again)
			return nil, nil
		}
	}
}

// judgedDuet are the findings of a round: of the last duet in it, the ones before were invalid.
func (c *Comparison) judgedDuet(metrics []Metric, round int) ([]Finding, error) {
	sides := map[string]Run{}
	for _, r := range c.Runs {
		if r.Round == round {
			sides[r.Build] = r
		}
	}
	a, b := sides[Baseline], sides[Candidate]
	switch bad := cmp.Or(a.Invalid, b.Invalid); {
	case len(sides) == 0:
		return nil, nil
	case bad != "":
		c.Verdict, c.Reason = Invalid, "the duet: "+bad
		return nil, nil
	}
	pairs := map[string][]Pair{}
	for m, base := range a.Windows {
		for i, v := range b.Windows[m][:min(len(base), len(b.Windows[m]))] {
			pairs[m] = append(pairs[m], Pair{base[i], v})
		}
	}
	const seed = 1
	return Duet(metrics, pairs, seed)
}
