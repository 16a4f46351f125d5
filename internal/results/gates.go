package results

import (
	"fmt"
	"strings"
	"time"

	"weir/internal/load"
	"weir/internal/regress"
	"weir/internal/verify"
)

// A Report is what the formats show: a run with its proof, or a comparison.
type Report struct {
	Name    string // of the profile
	ID      string // of the run or the comparison
	At      time.Time
	Seconds float64
	Verdict string
	Reason  string
	Good    bool // nothing that CI has to stop for
	Gates   []Gate
	Run     *Result
	Compare *regress.Comparison
}

// A Gate is one thing that was judged.
type Gate struct {
	Group string // validity, delivery, threshold, integrity, compare
	Name  string
	State State
	Text  string // one sentence
	// Got, Max and Margin are those of a threshold.
	Got, Max, Margin float64
}

// A State of a gate.
type State string

// States of a gate.
const (
	Pass    State = "pass"
	Fail    State = "fail"
	Invalid State = "invalid" // nothing can be said
	Warn    State = "warn"    // worth a look, stops nothing
)

// OfRun makes the report of a run.
func OfRun(r *Result) Report {
	s := r.Summary
	out := Report{Name: s.Profile, ID: r.Run, At: r.Started, Seconds: s.Seconds, Verdict: string(s.Verdict), Reason: s.Reason, Run: r}
	out.Gates = append(out.Gates, validity(s))
	if why := r.Strained(); why != "" {
		out.Gates = append(out.Gates, Gate{Group: "validity", Name: "the generator had CPU to spare", State: Warn, Text: why})
	}
	out.Gates = append(out.Gates, delivery(s))
	for _, c := range s.Thresholds {
		out.Gates = append(out.Gates, threshold(c))
	}
	if p := r.Proof; p != nil {
		out.Gates = append(out.Gates, fresh(p, r.Limits)...)
		out.Gates = append(out.Gates, integrity(p, r.Limits)...)
		for _, g := range out.Gates {
			if out.Verdict == string(load.VerdictPass) && g.State == Fail { // the run passed, its proof did not
				out.Verdict, out.Reason = g.Group, g.Text
			}
		}
	}
	out.Good = out.Verdict == string(load.VerdictPass)
	return out
}

func validity(s load.Summary) Gate {
	g := Gate{Group: "validity", Name: "the generator kept its schedule", State: Pass}
	switch {
	case s.Verdict == load.VerdictInvalid || s.Verdict == load.VerdictInterrupted:
		g.State, g.Text = Invalid, s.Reason
	case s.Target > 0:
		g.Text = fmt.Sprintf("%.0f of %.0f messages/s, %.3g ms behind the schedule at the 99th percentile", s.Rate, s.Target, s.Lag.P99)
	default:
		g.Text = "the run had no schedule: " + s.LatencyOf
	}
	return g
}

func delivery(s load.Summary) Gate {
	g := Gate{Group: "delivery", Name: "every message was acknowledged", State: Pass, Text: fmt.Sprintf("%d of %d messages were acknowledged", s.Acked, s.Sent)}
	switch {
	case s.Verdict == load.VerdictFailed:
		g.State, g.Text = Fail, s.Reason
	case s.Errors > 0: // a threshold allows or forbids it
		g.State = Warn
	}
	return g
}

func threshold(c load.Check) Gate {
	g := Gate{Group: "threshold", Name: c.Name, State: Pass, Got: c.Got, Max: c.Max, Margin: c.Margin}
	unit := ""
	for _, u := range []string{"ms", "s"} {
		if name, _, _ := strings.Cut(c.Name, " "); unit == "" && strings.HasSuffix(name, "_"+u) {
			unit = " " + u
		}
	}
	says := fmt.Sprintf("%s is %s%s, at most %s%s is allowed", c.Name, digits(c.Got), unit, digits(c.Max), unit)
	switch {
	case !c.Measured:
		g.State, g.Text = Invalid, c.Name+": no message was measured"
	case !c.OK:
		g.State, g.Text = Fail, says
		if c.Max > 0 {
			g.Text += fmt.Sprintf(" (%.0f %% too much)", -100*c.Margin)
		}
		if c.AbortedS > 0 {
			g.Text += fmt.Sprintf("; it ended the run after %.0f s", c.AbortedS)
		}
	default:
		g.Text = fmt.Sprintf("%s (%.0f %% left)", says, 100*c.Margin)
	}
	return g
}

// digits writes four of them, and no exponent for what people count.
func digits(v float64) string {
	if v >= 1e4 && v < 1e12 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.4g", v)
}

func integrity(p *verify.Result, limits []load.Threshold) []Gate {
	allowed := map[string]float64{}
	for _, t := range limits {
		allowed[t.Metric] = t.Max
	}
	var all []Gate
	for _, x := range []struct {
		name string
		n    int64
		max  float64
	}{
		{"lost", p.Lost, allowed["lost"]}, {"doubled", p.Doubled, allowed["duplicated"]}, {"reordered", p.Reordered, 0}, {"altered", p.Altered, 0},
		{"quarantined without a reason", p.Unexplained, 0}, {"not checked for order", p.OrderUnchecked, 0},
	} {
		g := Gate{Group: "integrity", Name: x.name, State: Pass, Text: fmt.Sprintf("%d of %d messages are %s", x.n, p.Sent, x.name), Got: float64(x.n), Max: x.max}
		if g.Got > x.max {
			g.State = Fail
		}
		all = append(all, g)
	}
	return all
}

// fresh judges how old rows were when they became readable.
func fresh(p *verify.Result, limits []load.Threshold) []Gate {
	var all []Gate
	for _, t := range limits {
		if t.Metric != "freshness_s" {
			continue
		}
		got := Freshness(p, t.Stat)
		c := load.Check{Name: t.String(), Max: t.Max, Got: got, OK: got <= t.Max, Measured: p.ReadableRows > 0}
		if t.Max > 0 {
			c.Margin = (t.Max - got) / t.Max
		}
		all = append(all, threshold(c))
	}
	return all
}

// Freshness in s, from the intended send to the readable row; stat is p50, p99 or max.
func Freshness(p *verify.Result, stat string) float64 {
	return map[string]float64{"p50": p.ReadableP50, "p99": p.ReadableP99, "max": p.ReadableMax}[stat] / 1000
}

// OfComparison makes the report of a comparison.
func OfComparison(name, id string, at time.Time, c *regress.Comparison) Report {
	out := Report{Name: name, ID: id, At: at, Verdict: string(c.Verdict), Reason: c.Reason, Compare: c}
	out.Good = !c.Broken && (c.Verdict == regress.Improved || c.Verdict == regress.Unchanged || c.Advised())
	if c.Advisory != "" {
		out.Gates = append(out.Gates, Gate{Group: "compare", Name: "this is advice", State: Warn, Text: "it fails no build: " + c.Advisory})
	}
	out.Gates = append(out.Gates, right(c)...)
	for _, m := range c.Missed {
		g := Gate{Group: "threshold", Name: m.Name, State: Warn, Text: m.String()}
		if m.Blocks() {
			g.State = Fail
		}
		out.Gates = append(out.Gates, g)
	}
	for _, f := range c.Findings {
		out.Gates = append(out.Gates, compared(c, f))
	}
	if len(c.Findings) == 0 && !c.Broken {
		out.Gates = append(out.Gates, Gate{Group: "compare", Name: "there is something to compare", State: Invalid, Text: c.Reason})
	}
	return out
}

// right tells of the proofs; a stored baseline's runs have none of their own here.
func right(c *regress.Comparison) []Gate {
	g := Gate{Group: "integrity", Name: "the data are right"}
	proven := 0
	for _, r := range c.Runs {
		if r.Proven {
			proven++
		}
	}
	switch {
	case c.Broken:
		g.State, g.Text = Fail, c.Reason
	case proven == 0:
		return nil
	case proven < len(c.Runs):
		g.State, g.Text = Warn, fmt.Sprintf("only %d of %d runs were proven", proven, len(c.Runs))
	default:
		g.State, g.Text = Pass, fmt.Sprintf("in all %d runs nothing was lost, doubled, reordered or altered", proven)
	}
	return []Gate{g}
}

func compared(c *regress.Comparison, f regress.Finding) Gate {
	g := Gate{Group: "compare", Name: f.Metric.Name, State: Pass, Text: f.Reason}
	switch f.Verdict {
	case regress.Regressed:
		g.State = Fail
	case regress.Inconclusive, regress.Invalid, regress.NoBaseline:
		g.State = Invalid
	case regress.Improved, regress.Unchanged, regress.SLO:
	}
	if g.State != Pass && (!f.Metric.Gated || g.State == Fail && c.Advisory != "") {
		g.State = Warn
	}
	if f.Accepted != "" {
		g.State, g.Text = Warn, g.Text+" ("+f.Accepted+")"
	}
	return g
}
