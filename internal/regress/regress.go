// Package regress judges from whole runs whether one build is slower than another.
//
// [Compare] takes pairs of runs that were made next to each other, in the order that [Order] gives; [Duet] takes windows of two builds
// that read the same log at the same time; [Stored] takes runs against a baseline of another day; [Changes] looks for the runs of a
// history at which something changed; [Calibrate] tells from runs of the same build how small a change can be seen at all, and
// [Asymmetric] whether a duet treats its two sides alike.
//
// # Promises
//
// The unit of replication is the run, never the message: a test over pooled messages always finds something. So no function here
// takes a run's samples, none takes more pairs than anybody makes runs, and a run that is counted twice is refused ([ErrPooled]).
// Tests are exact for the number of runs that there are: no normal approximation of six values. A metric has
// regressed only if chance is unlikely (p, after Holm's correction for all gated metrics) and the change is large enough to matter
// (relative and absolute floor). It is pure: numbers in, verdicts out, no clock; what is drawn at random has a seed.
package regress

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// Better says which way of a metric is good.
type Better string

// Latencies are better low, throughput is better high.
const (
	Low  Better = "low"
	High Better = "high"
)

// A Metric of a run.
type Metric struct {
	Name     string  `json:"name"`
	Unit     string  `json:"unit,omitempty"`
	Better   Better  `json:"better"`
	Floor    float64 `json:"floor"`              // a smaller relative change does not matter: 0.05
	Absolute float64 `json:"absolute,omitempty"` // nor does a smaller absolute one, in the metric's unit
	Gated    bool    `json:"gated"`              // it can fail a build; others are shown
}

// A Pair is a metric of two runs that were made next to each other: the baseline's and the candidate's.
type Pair struct {
	Base      float64 `json:"base"`
	Candidate float64 `json:"candidate"`
}

// worse is how much worse the candidate is, as a logarithm of the ratio: 0 is the same, positive is worse.
func (m Metric) worse(p Pair) float64 {
	d := math.Log(p.Candidate / p.Base)
	if m.Better == High {
		return -d
	}
	return d
}

// Verdict on a metric or on a comparison.
type Verdict string

// The verdicts, the worst last.
const (
	Improved     Verdict = "improved"
	Unchanged    Verdict = "unchanged"
	NoBaseline   Verdict = "no-baseline"
	Inconclusive Verdict = "inconclusive"
	SLO          Verdict = "slo" // a threshold of the profile is broken, whatever the baseline does
	Regressed    Verdict = "regressed"
	Invalid      Verdict = "invalid"
)

var order = []Verdict{Improved, Unchanged, NoBaseline, Inconclusive, SLO, Regressed, Invalid}

// Worst is the verdict of several: what a build is judged by.
func Worst(all ...Verdict) Verdict {
	out := Unchanged
	for _, v := range all {
		if v != Improved && slices.Index(order, v) > slices.Index(order, out) {
			out = v
		}
	}
	if out == Unchanged && len(all) > 0 && !slices.Contains(all, Unchanged) {
		return Improved
	}
	return out
}

const (
	// Alpha is the chance of a false alarm that is accepted, over all gated metrics.
	Alpha = 0.05
	// Least is how many pairs there must be: with fewer no result can be as unlikely as Alpha (2^-4 = 0.0625).
	Least = 5
	// Default and Most are how many pairs are made, if nothing else is said, and at most.
	Default, Most = 6, 12
	// most is how many are tested: a count of all ways, and more than anybody makes runs.
	most = 20
)

// ErrPooled means that what was handed in are not runs that were made for themselves.
var ErrPooled = errors.New("the unit of replication is the run, never the message: each value must come from a run of its own")

// PairsFor is how many pairs it takes to find anything when so many metrics decide: the smallest p there can be, times their number
// (Holm), must not be above Alpha.
func PairsFor(gated int) int {
	n := Least
	for float64(max(gated, 1))*math.Ldexp(1, -n) > Alpha {
		n++
	}
	return n
}

// Order is who runs when: A the baseline, B the candidate. ABBA BAAB … lets a drift of the machine hit both alike.
func Order(pairs int) []byte {
	out := make([]byte, 0, 2*pairs)
	for i := range pairs {
		ab := "AB"
		if i%4 == 1 || i%4 == 2 {
			ab = "BA"
		}
		out = append(out, ab...)
	}
	return out
}

// A Finding is what there is to say about one metric.
type Finding struct {
	Metric     Metric  `json:"metric"`
	Pairs      []Pair  `json:"pairs"`
	Estimate   float64 `json:"estimate"`   // relative change, positive is worse: 0.1 is 10 % worse
	From       float64 `json:"from"`       // interval of the estimate …
	To         float64 `json:"to"`         // … with this confidence,
	Confidence float64 `json:"confidence"` // which is that of an exact interval: at most 95 % where so many pairs allow it
	Difference float64 `json:"difference"` // in the metric's unit, positive is worse
	P          float64 `json:"p"`          // that the candidate is worse by chance, corrected for the number of gated metrics
	PBetter    float64 `json:"p_better"`   // that it is better by chance
	Verdict    Verdict `json:"verdict"`
	Equivalent bool    `json:"equivalent"`            // proven: the whole interval lies within ±floor
	Needed     int     `json:"runs_needed,omitempty"` // pairs that would probably decide; of what is inconclusive, or unchanged and not proven to be
	Reason     string  `json:"reason"`                // one sentence
	Accepted   string  `json:"accepted,omitempty"`    // somebody lets it pass, and why: it fails no build

	n    int     // pairs, windows or runs
	of   string  // what was counted, if not pairs of runs
	base float64 // the baseline's median
}

// Compare judges metrics by their pairs. Each metric has as many pairs as it has valid runs.
func Compare(metrics []Metric, pairs map[string][]Pair) ([]Finding, error) {
	out := make([]Finding, len(metrics))
	for i, m := range metrics {
		f, err := find(m, pairs[m.Name])
		if err != nil {
			return nil, err
		}
		out[i] = f
	}
	need := PairsFor(gated(metrics))
	judge(out, func(m Metric) int {
		if m.Gated {
			return need
		}
		return Least
	})
	return out, nil
}

// judge corrects the p of all findings together and decides each; need is how many pairs a metric must have.
func judge(all []Finding, need func(Metric) int) {
	holm(all, func(f *Finding) *float64 { return &f.P })
	holm(all, func(f *Finding) *float64 { return &f.PBetter })
	for i := range all {
		all[i].judge(need(all[i].Metric))
	}
}

func gated(metrics []Metric) (n int) {
	for _, m := range metrics {
		if m.Gated {
			n++
		}
	}
	return n
}

func find(m Metric, pairs []Pair) (Finding, error) {
	f := Finding{Metric: m, Pairs: pairs, P: 1, PBetter: 1, n: len(pairs)}
	if len(pairs) > most {
		return f, fmt.Errorf("%s: %d pairs, and nobody makes more than %d: %w", m.Name, len(pairs), most, ErrPooled)
	}
	d := make([]float64, len(pairs))
	base := make([]float64, len(pairs))
	for i, p := range pairs {
		if !(p.Base > 0) || !(p.Candidate > 0) || math.IsInf(p.Base, 0) || math.IsInf(p.Candidate, 0) {
			return f, fmt.Errorf("%s: pair %d is %v and %v: expected positive numbers", m.Name, i+1, p.Base, p.Candidate)
		}
		d[i], base[i] = m.worse(p), p.Base
	}
	if len(pairs) == 0 {
		return f, nil
	}
	f.P, f.PBetter = signFlip(d), signFlip(negative(d))
	est, from, to, conf := hodgesLehmann(d)
	f.Estimate, f.From, f.To, f.Confidence = math.Expm1(est), math.Expm1(from), math.Expm1(to), conf
	f.differ(median(base))
	return f, nil
}

// differ is the change in the metric's unit.
func (f *Finding) differ(base float64) { f.base, f.Difference = base, base*f.Estimate }

// margin is the change that matters, as a share: both floors are reached.
func (f *Finding) margin() float64 {
	if f.base > 0 {
		return max(f.Metric.Floor, f.Metric.Absolute/f.base)
	}
	return f.Metric.Floor
}

func (f *Finding) judge(need int) {
	n, floor := f.n, f.margin()
	f.Equivalent = n >= need && f.From > -floor && f.To < floor
	matters := func(e float64) bool { return e >= floor }
	way := "better"
	if f.Estimate > 0 {
		way = "worse"
	}
	switch {
	case n == 0:
		f.Verdict, f.Reason = NoBaseline, "there is nothing to compare with"
	case n < need:
		f.Verdict, f.Needed = Inconclusive, need
		f.Reason = fmt.Sprintf("%d %s: fewer than %d can prove nothing", n, f.units(), need)
	case f.P <= Alpha && matters(f.Estimate):
		f.Verdict, f.Reason = Regressed, f.sentence("worse")
	case f.PBetter <= Alpha && matters(-f.Estimate):
		f.Verdict, f.Reason = Improved, f.sentence("better")
	case matters(math.Abs(f.Estimate)): // it looks like a change, and may be chance
		f.Verdict, f.Needed = Inconclusive, f.needed()
		f.Reason = fmt.Sprintf("%s; %d %s would probably decide", f.sentence(way), f.Needed, f.units())
	default:
		f.Verdict = Unchanged
		proof := "proven"
		if !f.Equivalent {
			f.Needed = f.toProve()
			proof = fmt.Sprintf("not proven, %d %s probably would", f.Needed, f.units())
		}
		within := fmt.Sprintf("%.3g %%", 100*f.Metric.Floor)
		if floor > f.Metric.Floor {
			within = fmt.Sprintf("%.3g %s", f.Metric.Absolute, f.Metric.Unit)
		}
		f.Reason = fmt.Sprintf("%s; within ±%s: %s", f.sentence(way), within, proof)
	}
}

func (f *Finding) units() string {
	if f.of == "" {
		return "pairs"
	}
	return f.of
}

func (f *Finding) sentence(way string) string {
	e, from, to, p := f.Estimate, f.From, f.To, f.P
	if way == "better" {
		e, from, to, p = -e, -f.To, -f.From, f.PBetter
	}
	change := fmt.Sprintf("%.1f %% %s", tenths(e), way)
	if tenths(e) == 0 {
		change = "the same"
	}
	return fmt.Sprintf("%s %s [%.1f %%, %.1f %%], p %.3f, %d %s", f.Metric.Name, change, tenths(from), tenths(to), p, f.n, f.units())
}

// tenths of a percent, and never -0.0.
func tenths(share float64) float64 { return math.Round(1000*share)/10 + 0 }

// needed: the interval shrinks with the root of the number of pairs; it has to end at the floor's side of nought.
func (f *Finding) needed() int {
	return f.shrunk(max(math.Abs(math.Log1p(f.Estimate)), math.Log1p(f.margin())/2))
}

// toProve: for the same reason, the interval has to fit between the floors.
func (f *Finding) toProve() int {
	return f.shrunk(math.Log1p(f.margin()) - math.Abs(math.Log1p(f.Estimate)))
}

// shrunk is how many pairs make half of the interval as small as gap.
func (f *Finding) shrunk(gap float64) int {
	half := (math.Log1p(f.To) - math.Log1p(f.From)) / 2
	n := float64(f.n) * (half / gap) * (half / gap)
	return max(int(math.Ceil(min(n, 9999))), f.n+2)
}

// Prove asks for more than no finding: what is unchanged must be proven to be within the floor, else it is inconclusive.
func Prove(all []Finding) []Finding {
	out := slices.Clone(all)
	for i := range out {
		if out[i].Verdict == Unchanged && !out[i].Equivalent {
			out[i].Verdict = Inconclusive
		}
	}
	return out
}

// Confirmed joins a round and the one that was made to confirm it on a fresh job: what only one of them found is not certain.
func Confirmed(first, second []Finding) []Finding {
	out := slices.Clone(first)
	for i := range out {
		if out[i].Verdict != Regressed {
			continue
		}
		j := slices.IndexFunc(second, func(f Finding) bool { return f.Metric.Name == out[i].Metric.Name })
		if j < 0 || second[j].Verdict != Regressed {
			out[i].Verdict, out[i].Needed = Inconclusive, out[i].n+2
			if j >= 0 {
				out[i].Needed = max(out[i].Needed, second[j].Needed)
			}
			out[i].Reason += fmt.Sprintf("; the second round did not find it, %d %s would probably decide", out[i].Needed, out[i].units())
		}
	}
	return out
}
