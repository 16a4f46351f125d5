package screen

import (
	"fmt"
	"time"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/chart"
	"weir/tui/figure"
	"weir/tui/style"
)

// badge is the state of the run in one word that nobody can miss.
func badge(t *style.Theme, s State) (symbol, word string, role style.Role) {
	l := s.Snap.Load
	if invalid(l) != "" {
		return t.Bad, "INVALID", style.Bad
	}
	pr := proofOf(s)
	switch {
	case l.State == control.Preparing:
		return t.Todo, "warm-up", style.Accent
	case l.State == control.Running:
		return t.Run, "measuring", style.Accent
	case l.State == control.Paused:
		return t.Pause, "paused", style.Warn
	case l.State == control.Draining:
		return t.Run, "draining", style.Accent
	case l.Over() && pr != nil && !pr.Done:
		return t.Run, "verifying", style.Accent
	}
	symbol, word, role = mark(t, l.State)
	switch l.Verdict {
	case "slo":
		return t.Bad, "limit broken", style.Bad
	case "failed", "fail":
		return t.Bad, "FAILED", style.Bad
	case "interrupted":
		return t.Warn, "interrupted", style.Warn
	}
	return symbol, word, role
}

// invalid says why the run's figures are worth nothing; empty if they are.
func invalid(l *control.Load) string {
	switch {
	case l.Self.Invalid != "":
		return l.Self.Invalid
	case l.Verdict == "invalid" && l.Reason != "":
		return l.Reason
	case l.Verdict == "invalid":
		return "the generator did not keep its schedule"
	}
	return ""
}

// Status is the run with its progress.
func (ld *Load) Status(p *canvas.Pen, s State) {
	l := s.Snap.Load
	if l == nil {
		if c, f := asked(s); c {
			briefComparison(p, s)
		} else if f {
			briefSearch(p, s)
		} else {
			p.Fit(style.Dim, "no load run", 0)
		}
		return
	}
	wide := p.Room() >= 100
	if trialStatus(p, s) {
		return
	}
	p.Put(style.Strong, p.Fitted(l.Profile, map[bool]int{true: 30, false: 18}[wide]))
	if wide && l.Cluster != "" {
		p.Put(style.Dim, " on ").Put(style.Plain, p.Fitted(l.Cluster, 24))
	}
	p.Put(style.Dim, " #"+tail(l.Run, 6)+"  ")
	symbol, word, role := badge(p.Theme(), s)
	p.Put(role, symbol+" "+word).Put(style.Plain, "  ")
	if n := len(l.Stages); n > 0 && l.Stage != "" && !l.Over() {
		p.Put(style.Plain, p.Fitted(l.Stage, 12)).Put(style.Dim, fmt.Sprintf(" %d/%d  ", min(l.StageIndex+1, n), n))
	}
	if wide && l.Interactive {
		p.Put(style.Warn, "by hand").Put(style.Dim, ", no baseline  ")
	}
	if wide && l.Resumed > 0 {
		p.Put(style.Warn, fmt.Sprintf("resumed %dx  ", l.Resumed))
	}
	p.Put(style.Plain, figure.Clock(l.Elapsed))
	left := l.Total - l.Elapsed
	rest := "" // left out rather than cut off
	switch {
	case l.Over():
	case l.Total > 0 && left > 0:
		rest = "  " + figure.Seconds(left) + " left"
	case l.Progress > 0.02 && l.Progress < 1: // a volume, not a time: at the mean rate so far
		rest = "  about " + figure.Seconds(l.Elapsed*(1-l.Progress)/l.Progress) + " left"
	}
	ends := ""
	if l.Total > 0 && left > 0 && left < 1e8 && !l.Over() && wide {
		form := "15:04"
		if left < 600 {
			form = "15:04:05"
		}
		ends = "  ends about " + s.Now.Add(time.Duration(left*float64(time.Second))).Format(form)
	}
	share := l.Progress
	if l.Over() && !complete(l) {
		share = l.Elapsed / l.Total
	}
	pct := fmt.Sprintf(" %4s", figure.Percent(share))
	if p.Room() < len(rest)+len(pct) {
		rest = ""
	}
	p.Put(style.Dim, rest)
	if p.Room() < len(ends)+len(pct)+10 {
		ends = ""
	}
	if width := p.Room() - len(pct) - len(ends) - 2; width >= 5 {
		p.Put(style.Plain, "  ").Put(style.Accent, chart.Bar(share, width, p.Theme().Level))
	}
	p.Put(style.Plain, pct+ends)
}

// trialStatus is the line of a run that is but one of a search's or a comparison's: its end says little.
func trialStatus(p *canvas.Pen, s State) bool {
	l := s.Snap.Load
	t := p.Theme()
	switch c, f := s.Snap.Comparison, s.Snap.Search; {
	case f != nil && !f.Over():
		p.Put(style.Accent, t.Run+" search ").Put(style.Strong, p.Fitted(f.Profile, 18)).Put(style.Plain, fmt.Sprintf("  trial %d", len(f.Trials)+1))
	case c != nil && !c.Over():
		p.Put(style.Accent, t.Run+" "+c.Kind+" ").Put(style.Strong, p.Fitted(c.Profile, 18))
		if n := len(c.Runs); n > 0 {
			p.Put(style.Plain, fmt.Sprintf("  pair %d of %d, %s", c.Runs[n-1].Pair, c.Pairs, c.Runs[n-1].Build))
		}
	default:
		return false
	}
	symbol, word, role := badge(t, s)
	if l.Over() {
		word = "load " + word
	}
	p.Put(style.Dim, "  run #"+tail(l.Run, 6)+" ").Put(role, symbol+" "+word).Put(style.Plain, " "+figure.Clock(l.Elapsed))
	pct := fmt.Sprintf(" %4s", figure.Percent(l.Progress))
	if width := min(p.Room()-len(pct)-2, 30); width >= 5 {
		p.Put(style.Plain, "  ").Put(style.Accent, chart.Bar(l.Progress, width, t.Level)).Put(style.Plain, pct)
	}
	return true
}

// tail is the end of a run id: its beginning is the date, the same for all runs of a day.
func tail(s string, n int) string {
	if len(s) > n {
		return s[len(s)-n:]
	}
	return s
}
