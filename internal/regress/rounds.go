package regress

import (
	"context"
	"fmt"
	"math"
	"strings"
)

// A Run of one of the two builds.
type Run struct {
	Build   string             `json:"build"` // baseline or candidate
	Pair    int                `json:"pair"`  // from 1
	Round   int                `json:"round"` // 1, or 2 for the confirming one
	Values  map[string]float64 `json:"values"`
	Invalid string             `json:"invalid,omitempty"` // why its figures say nothing: the generator was the bottleneck
	Broken  string             `json:"broken,omitempty"`  // why its data are not right: lost, doubled, …
	File    string             `json:"file,omitempty"`    // where all of it is kept
}

// The builds.
const (
	Baseline  = "baseline"
	Candidate = "candidate"
)

// Confirm says when a second round is made.
type Confirm string

// Auto confirms where the pairs scatter by more than 3 %.
const (
	Auto   Confirm = "auto"
	Always Confirm = "always"
	Never  Confirm = "never"
)

// Plan is how a comparison is made.
type Plan struct {
	Metrics []Metric
	Pairs   int // of a round
	Confirm Confirm
	Make    func(ctx context.Context, r Run) (Run, error) // makes a run of r.Build and fills in the rest
	Say     func(r Run)                                   // after each run; nil: nobody listens
}

// A Comparison and all that led to it.
type Comparison struct {
	Profile  string    `json:"profile,omitempty"`
	Verdict  Verdict   `json:"verdict"`
	Reason   string    `json:"reason"`
	Broken   bool      `json:"broken,omitempty"` // a run's data were not right: no speed excuses that
	Findings []Finding `json:"findings,omitempty"`
	Second   []Finding `json:"confirming_round,omitempty"`
	Runs     []Run     `json:"runs"`
}

// again is how many pairs may be made once more because a run in them was invalid.
const again = 2

// Do makes the runs and judges them. A run whose data are not right ends it at once.
func (p Plan) Do(ctx context.Context) (Comparison, error) {
	var c Comparison
	first, err := p.round(ctx, &c, 1)
	if err != nil || c.Verdict == Invalid || c.Broken {
		return c, err
	}
	c.Findings = first
	if Worst(verdicts(first)...) == Regressed && (p.Confirm == Always || p.Confirm != Never && scatter(first) > 0.03) {
		if c.Second, err = p.round(ctx, &c, 2); err != nil || c.Verdict == Invalid || c.Broken {
			return c, err
		}
		c.Findings = Confirmed(first, c.Second)
	}
	c.Conclude()
	return c, nil
}

// Excuse lets a metric pass that has regressed; the reason stays in the report. What is invalid or broken cannot be excused.
func (c *Comparison) Excuse(metric, why string) {
	if c.Broken || c.Verdict == Invalid {
		return
	}
	for i := range c.Findings {
		if f := &c.Findings[i]; f.Metric.Name == metric && f.Verdict == Regressed {
			f.Accepted = why
		}
	}
	c.Conclude()
}

// Conclude decides the verdict by the findings of the metrics that are gated.
func (c *Comparison) Conclude() {
	if len(c.Findings) == 0 {
		c.Verdict, c.Reason = NoBaseline, "there are no pairs of runs to compare"
		return
	}
	c.Verdict = Worst(verdicts(c.Findings)...)
	var why []string
	for _, f := range c.Findings {
		switch {
		case f.Metric.Gated && f.Accepted != "":
			why = append(why, f.Reason+" ("+f.Accepted+")")
		case f.Metric.Gated && f.Verdict == c.Verdict:
			why = append(why, f.Reason)
		}
	}
	c.Reason = strings.Join(why, "; ")
}

// Judge makes a comparison of runs that are there already.
func Judge(metrics []Metric, runs []Run) (Comparison, error) {
	c := Comparison{Runs: runs}
	for _, r := range runs {
		c.refuse(r)
	}
	if c.Verdict == Invalid {
		return c, nil
	}
	round := func(n int) ([]Finding, error) {
		pairs := map[string][]Pair{}
		byPair := map[int]map[string]Run{}
		for _, r := range runs {
			if r.Round == n && r.Invalid == "" {
				if byPair[r.Pair] == nil {
					byPair[r.Pair] = map[string]Run{}
				}
				byPair[r.Pair][r.Build] = r
			}
		}
		for i := 1; i <= len(byPair); i++ {
			both := byPair[i]
			add(pairs, metrics, both[Baseline], both[Candidate])
		}
		if len(byPair) == 0 {
			return nil, nil
		}
		return Compare(metrics, pairs)
	}
	var err error
	if c.Findings, err = round(1); err != nil {
		return c, err
	}
	if c.Second, err = round(2); err != nil {
		return c, err
	}
	if c.Second != nil {
		c.Findings = Confirmed(c.Findings, c.Second)
	}
	c.Conclude()
	return c, nil
}

func add(pairs map[string][]Pair, metrics []Metric, a, b Run) {
	for _, m := range metrics {
		x, ok := a.Values[m.Name]
		y, also := b.Values[m.Name]
		if ok && also {
			pairs[m.Name] = append(pairs[m.Name], Pair{x, y})
		}
	}
}

// round makes pairs until there are enough good ones.
func (p Plan) round(ctx context.Context, c *Comparison, round int) ([]Finding, error) {
	pairs := map[string][]Pair{}
	spare := again
	turns := Order(p.Pairs)
	for i := 0; i < p.Pairs; {
		runs := map[string]Run{}
		bad := ""
		for _, who := range turns[2*i : 2*i+2] {
			build := map[byte]string{'A': Baseline, 'B': Candidate}[who]
			r, err := p.Make(ctx, Run{Build: build, Pair: i + 1, Round: round})
			if err != nil {
				return nil, fmt.Errorf("pair %d, %s: %w", i+1, build, err)
			}
			c.Runs = append(c.Runs, r)
			if p.Say != nil {
				p.Say(r)
			}
			if c.refuse(r); c.Broken {
				return nil, nil
			}
			if r.Invalid != "" {
				bad = r.Invalid
			}
			runs[build] = r
		}
		if bad != "" {
			if spare--; spare < 0 {
				c.Verdict, c.Reason = Invalid, fmt.Sprintf("pair %d: %s; it was invalid more than %d times", i+1, bad, again)
				return nil, nil
			}
			continue
		}
		add(pairs, p.Metrics, runs[Baseline], runs[Candidate])
		i++
	}
	return Compare(p.Metrics, pairs)
}

// refuse notes a run whose data are not right.
func (c *Comparison) refuse(r Run) {
	if r.Broken != "" {
		c.Broken, c.Verdict = true, Invalid
		c.Reason = fmt.Sprintf("the %s's data are not right in pair %d: %s", r.Build, r.Pair, r.Broken)
	}
}

func verdicts(all []Finding) []Verdict {
	var out []Verdict
	for _, f := range all {
		switch {
		case !f.Metric.Gated:
		case f.Accepted != "":
			out = append(out, Unchanged)
		default:
			out = append(out, f.Verdict)
		}
	}
	return out
}

// scatter is the largest spread of a gated metric's pairs.
func scatter(all []Finding) float64 {
	most := 0.0
	for _, f := range all {
		if !f.Metric.Gated {
			continue
		}
		d := make([]float64, len(f.Pairs))
		for i, p := range f.Pairs {
			d[i] = f.Metric.worse(p)
		}
		most = max(most, mad(d))
	}
	return math.Expm1(most)
}
