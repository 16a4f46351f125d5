package regress

import (
	"context"
	"fmt"
	"math"
	"slices"
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
	Proven  bool               `json:"proven,omitempty"`  // its data were looked at, row by row
	Missed  []string           `json:"missed,omitempty"`  // thresholds of the profile that it broke, one sentence each
	// Windows are the values of a duet over time, by metric; a window where nothing was measured is 0.
	Windows map[string][]float64 `json:"windows,omitempty"`
	File    string               `json:"file,omitempty"` // where all of it is kept
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
	Scatter float64                                       // of runs of the same build on this machine, from a calibration; 0: only these runs tell
	Make    func(ctx context.Context, r Run) (Run, error) // makes a run of r.Build and fills in the rest
	Say     func(r Run)                                   // after each run; nil: nobody listens
}

// A Comparison and all that led to it.
type Comparison struct {
	Profile  string    `json:"profile,omitempty"`
	Verdict  Verdict   `json:"verdict"`
	Reason   string    `json:"reason"`
	Broken   bool      `json:"broken,omitempty"`   // a run's data were not right: no speed excuses that
	Advisory string    `json:"advisory,omitempty"` // why a change for the worse warns, and fails no build
	Missed   []Miss    `json:"missed,omitempty"`   // thresholds of the profile
	Window   float64   `json:"window_s,omitempty"` // of a duet
	Place    string    `json:"place,omitempty"`    // of a duet: machine, broker and profile
	Findings []Finding `json:"findings,omitempty"`
	Second   []Finding `json:"confirming_round,omitempty"`
	Runs     []Run     `json:"runs"`
}

// Advised reports that the comparison found a change for the worse and only warns of it.
func (c *Comparison) Advised() bool { return c.Advisory != "" && c.Verdict == Regressed }

// A Miss is a threshold that runs broke.
type Miss struct {
	Name      string `json:"name"`
	Text      string `json:"text"` // of the last run that broke it
	Baseline  int    `json:"baseline"`
	Candidate int    `json:"candidate"`
	Runs      int    `json:"runs"` // of the candidate, that say something
}

// Blocks: a run alone may be unlucky, most of them are not.
func (m Miss) Blocks() bool { return 2*m.Candidate > m.Runs }

func (m Miss) String() string {
	return fmt.Sprintf("%s; the candidate broke it in %d of %d runs, the baseline in %d", m.Text, m.Candidate, m.Runs, m.Baseline)
}

// again is how many pairs may be made once more because a run in them was invalid.
const again = 2

// believed is the scatter up to which one round is believed.
const believed = 0.03

// Do makes the runs and judges them. A run whose data are not right ends it at once.
func (p Plan) Do(ctx context.Context) (Comparison, error) {
	var c Comparison
	first, err := p.round(ctx, &c, 1)
	if err != nil || c.Verdict == Invalid || c.Broken {
		return c, err
	}
	c.Findings = first
	if Worst(verdicts(first)...) == Regressed && (p.Confirm == Always || p.Confirm != Never && max(scatter(first), p.Scatter) > believed) {
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

// Conclude decides the verdict by the findings of the metrics that are gated, and by the profile's own limits.
func (c *Comparison) Conclude() {
	c.Missed = misses(c.Runs)
	if len(c.Findings) == 0 {
		c.Verdict, c.Reason = NoBaseline, "there are no pairs of runs to compare"
		return
	}
	all := verdicts(c.Findings)
	var why []string
	for _, m := range c.Missed {
		if m.Blocks() {
			all, why = append(all, SLO), append(why, m.String())
		}
	}
	if c.Verdict = Worst(all...); c.Verdict != SLO && c.Verdict != Regressed {
		why = nil
	}
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

// misses counts the thresholds that runs broke.
func misses(runs []Run) []Miss {
	var all []Miss
	n := 0
	for _, r := range runs {
		if r.Invalid != "" || r.Broken != "" {
			continue
		}
		if r.Build == Candidate {
			n++
		}
		for _, text := range r.Missed {
			name, _, _ := strings.Cut(text, " is ")
			i := slices.IndexFunc(all, func(m Miss) bool { return m.Name == name })
			if i < 0 {
				i, all = len(all), append(all, Miss{Name: name})
			}
			m := &all[i]
			if r.Build == Candidate {
				m.Candidate++
			} else {
				m.Baseline++
			}
			if m.Text == "" || r.Build == Candidate {
				m.Text = text
			}
		}
	}
	for i := range all {
		all[i].Runs = n
	}
	return all
}

// Judge makes a comparison of runs that are there already.
func Judge(metrics []Metric, runs []Run) (Comparison, error) {
	c := Comparison{Runs: runs}
	files := map[string]bool{}
	for _, r := range runs {
		c.refuse(r)
		if r.File != "" && files[r.File] {
			return c, fmt.Errorf("%s is counted twice: %w", r.File, ErrPooled)
		}
		files[r.File] = true
	}
	if c.Verdict == Invalid {
		return c, nil
	}
	var err error
	if c.Findings, err = c.judged(metrics, 1); err != nil || c.Verdict == Invalid {
		return c, err
	}
	if c.Second, err = c.judged(metrics, 2); err != nil || c.Verdict == Invalid {
		return c, err
	}
	if c.Second != nil {
		c.Findings = Confirmed(c.Findings, c.Second)
	}
	c.Conclude()
	return c, nil
}

// judged are the findings of a round's runs, nil if there are none. A pair in which a run was invalid was made again.
func (c *Comparison) judged(metrics []Metric, n int) ([]Finding, error) {
	if slices.ContainsFunc(c.Runs, func(r Run) bool { return r.Windows != nil }) {
		return c.judgedDuet(metrics, n)
	}
	pairs := map[string][]Pair{}
	open, bad, invalid, some := map[string]Run{}, "", 0, false
	for _, r := range c.Runs {
		if r.Round != n {
			continue
		}
		if _, twice := open[r.Build]; twice || len(open) > 0 && open[Other(r.Build)].Pair != r.Pair { // the pair before has no other half
			open, bad = map[string]Run{}, ""
		}
		some, open[r.Build] = true, r
		if r.Invalid != "" {
			bad = r.Invalid
		}
		if len(open) < 2 {
			continue
		}
		if bad == "" {
			add(pairs, metrics, open[Baseline], open[Candidate])
		} else if invalid++; invalid > again {
			c.Verdict, c.Reason = Invalid, tooOften(r.Pair, bad)
			return nil, nil
		}
		open, bad = map[string]Run{}, ""
	}
	if !some {
		return nil, nil
	}
	return Compare(metrics, pairs)
}

// Other is the other of the two builds.
func Other(build string) string {
	if build == Baseline {
		return Candidate
	}
	return Baseline
}

func tooOften(pair int, why string) string {
	return fmt.Sprintf("pair %d: %s; it was invalid more than %d times", pair, why, again)
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
				c.Verdict, c.Reason = Invalid, tooOften(i+1, bad)
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
