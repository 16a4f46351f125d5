package plain

import (
	"fmt"
	"strings"

	"weir/internal/control"
	"weir/tui/figure"
)

// Comparison in one line.
func Comparison(c *control.Comparison) string {
	b := fmt.Sprintf("%-9s %s %s", c.Kind, c.Profile, c.State)
	if c.Silent {
		b += " SILENT"
	}
	if n := len(c.Runs); n > 0 && !c.Over() {
		r := c.Runs[n-1]
		b += fmt.Sprintf("  pair %d of %d", r.Pair, c.Pairs)
		if r.Round > 1 {
			b += " of the confirming round"
		}
		b += ", " + r.Build
		if r.Step != "" {
			b += ": " + r.Step
		}
		if r.Why != "" {
			b += ", does not count: " + r.Why
		}
		if c.Left > 0 {
			b += ", about " + figure.Seconds(c.Left) + " left"
		}
	}
	for _, f := range c.Findings {
		if f.Pairs == 0 || !f.Gated {
			continue
		}
		b += fmt.Sprintf("  %s %s [%s, %s] of %s", f.Metric, figure.Change(f.Estimate), figure.Change(f.From), figure.Change(f.To), figure.Percent(f.Floor))
		if f.Noise > 0 {
			b += " noise " + figure.Percent(f.Noise)
		}
		if f.Verdict != "" {
			b += " " + f.Verdict
		}
	}
	switch {
	case c.Error != "":
		b += "  error: " + c.Error
	case c.Verdict != "":
		b += "  verdict " + c.Verdict + " " + c.Reason
	}
	return b
}

// Search in one line.
func Search(f *control.Search) string {
	b := fmt.Sprintf("search    %s %s %s", f.Profile, f.SLO, f.State)
	if f.Silent {
		b += " SILENT"
	}
	rate := func(v float64) string {
		if f.Bytes {
			return figure.Bytes(v) + "/s"
		}
		return figure.Whole(v) + "/s"
	}
	switch {
	case f.Error != "":
		return b + "  error: " + f.Error
	case f.Verdict != "":
		return b + "  " + f.Headline + "  confidence " + f.Confidence + " (" + strings.Join(f.Reasons, "; ") + fmt.Sprintf(")  %d trials in %s", len(f.Trials), figure.Seconds(f.Spent))
	}
	if n := len(f.Trials); n > 0 {
		t := f.Trials[n-1]
		b += fmt.Sprintf("  trial %d: %s %s %s", n, rate(t.Rate), t.Outcome, t.Told)
	}
	if f.HighestKept > 0 {
		b += "  kept " + rate(f.HighestKept)
	}
	if f.LowestNotKept > 0 {
		b += "  not kept " + rate(f.LowestNotKept)
	}
	if f.Trial != nil {
		b += fmt.Sprintf("  now %s (%s)", rate(f.Trial.Rate), f.Trial.Phase)
	}
	return b + fmt.Sprintf("  spent %s of %s", figure.Seconds(f.Spent), figure.Seconds(f.Most))
}
