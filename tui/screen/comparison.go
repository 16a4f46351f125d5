package screen

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/chart"
	"weir/tui/figure"
	"weir/tui/style"
)

// drawComparison: runs of two builds beside each other. The strip shows the pairs as they are made; each metric its estimate so far,
// with the interval, against the change that would matter.
func drawComparison(c *canvas.Canvas, s State, focused bool) {
	x := s.Snap.Comparison
	if x == nil {
		in := c.Box("Comparison", focused)
		in.At(0, 0).Fit(style.Dim, "none; it tells whether one build of a pipeline is slower than another:", 0)
		in.At(0, 1).Fit(style.Plain, "loadgen compare ci --baseline './main/pipeline run JOB' --candidate './pr/pipeline run JOB'", 0)
		return
	}
	title := "Comparison"
	if x.Kind == control.Calibrate {
		title = "Calibration: the same build twice"
	}
	title += "  " + x.Profile
	note := ""
	if x.Silent {
		note = "silent for " + figure.Span(s.Now.Sub(x.At))
	}
	in := c.Stale(x.Silent).BoxAged(title, note, focused)
	_, h := in.Size()
	comparisonState(in.At(0, 0), s, x)
	if h > 1 {
		pairStrip(in.At(0, 1), x)
	}
	y := 2
	last := 0
	if x.Verdict != "" || x.Error != "" {
		last = 1
	}
	for i, f := range x.Findings {
		if y >= h-last {
			break
		}
		if y == h-last-1 && i < len(x.Findings)-1 && h > 4 {
			in.At(0, y).Fit(style.Dim, fmt.Sprintf("%s %d more: z shows them", in.Theme.More, len(x.Findings)-i), 0)
			y++
			break
		}
		findingLine(in, y, x, f)
		y++
	}
	if len(x.Findings) == 0 && y < h-last {
		in.At(0, y).Fit(style.Dim, "no pair is complete yet", 0)
		y++
	}
	if last == 1 && y < h {
		comparisonVerdict(in.Sub(0, y, in.Width(), h-y), x)
	}
}

func comparisonState(p *canvas.Pen, s State, x *control.Comparison) {
	symbol, word, role := mark(p.Theme(), x.State)
	if x.State == control.Running {
		word = "running"
	}
	p.Put(role, symbol+" "+word).Put(style.Plain, "  ")
	if n := len(x.Runs); n > 0 && x.State == control.Running {
		r := x.Runs[n-1]
		p.Put(style.Plain, fmt.Sprintf("pair %d of %d", r.Pair, x.Pairs))
		if x.Round > 1 {
			p.Put(style.Warn, ", confirming round")
		}
		if r.State == control.Running {
			p.Put(style.Dim, "  now ").Put(style.Strong, r.Build)
			if r.Step != "" {
				p.Put(style.Plain, ": "+r.Step)
			}
		}
		p.Put(style.Plain, "  ")
	}
	took := x.Elapsed
	if !x.Over() && !x.Silent && !s.Dead && !x.Started.IsZero() { // between two of its steps it says nothing new
		took = max(took, s.Now.Sub(x.Started).Seconds())
	}
	p.Put(style.Dim, "for ").Put(style.Plain, figure.Seconds(took))
	switch {
	case x.Over() && !x.At.IsZero():
		p.Fit(style.Dim, ", "+figure.Ago(s.Now, x.At), 0)
	case x.Left > 0:
		p.Fit(style.Plain, ", about "+figure.Seconds(x.Left)+" left", 0)
	}
}

// pairStrip is a ring for each run, in the order in which they are made: who began changes from pair to pair, so that a drift of
// the machine hits both alike.
func pairStrip(p *canvas.Pen, x *control.Comparison) {
	t := p.Theme()
	ring := func(build string) string {
		if build == "baseline" {
			return t.A
		}
		return t.B
	}
	round, bad := 1, ""
	n := 0 // runs of the round: a pair that does not count is made again
	for _, r := range x.Runs {
		if p.Room() < 40 {
			break
		}
		if r.Round > round {
			p.Put(style.Dim, " | ")
			round, n = r.Round, 0
		}
		if n > 0 && n%2 == 0 {
			p.Put(style.Plain, " ")
		}
		n++
		switch r.State {
		case control.Running:
			p.Put(style.Chosen, ring(r.Build))
		case control.Warn:
			p.Put(style.Warn, t.Warn)
			bad = r.Why
		case control.Bad:
			p.Put(style.Bad, t.Bad)
			bad = r.Why
		default:
			p.Put(style.Accent, ring(r.Build))
		}
	}
	if last := len(x.Runs) - 1; last >= 0 && !x.Over() && x.Runs[last].Round == round {
		for k := 2*(x.Pairs-x.Runs[last].Pair) + n%2; k > 0 && p.Room() > 36; k-- {
			if k%2 == 0 {
				p.Put(style.Plain, " ")
			}
			p.Put(style.Dim, t.Dot)
		}
	}
	p.Fit(style.Dim, "   "+t.A+" baseline  "+t.B+" candidate   + is worse", 0)
	if bad != "" {
		p.Put(style.Dim, "  "+t.Warn+" ").Fit(style.Warn, bad, 0)
	}
}

// findingLine: name, medians, estimate with its interval, and the interval drawn against the floor.
func findingLine(in *canvas.Canvas, y int, x *control.Comparison, f control.Finding) {
	w, _ := in.Size()
	gate := " "
	if f.Gated {
		gate = "*"
	}
	p := in.At(0, y).Put(style.Accent, gate).Put(style.Plain, " ").Put(style.Strong, in.Fit(f.Metric, 10)).To(12)
	if f.Pairs == 0 {
		p.Fit(style.Dim, " nothing measured yet", 0)
		return
	}
	if w >= 90 {
		p.Put(style.Plain, fmt.Sprintf(" %8s %s %-8s %-4s", figure.Millis(f.Base), in.Theme.Arrow, figure.Millis(f.Candidate), in.Fit(f.Unit, 4))).To(38)
	}
	symbol, word, role := verdictMark(in.Theme, f.Verdict)
	est := fmt.Sprintf(" %7s", figure.Change(f.Estimate))
	span := fmt.Sprintf(" [%s, %s]", figure.Change(f.From), figure.Change(f.To))
	p.Put(style.Strong, est).Put(style.Plain, span).To(p.X() + max(19-len(span), 0))
	tail := symbol + " " + word
	if x.Kind == control.Calibrate {
		tail = "noise " + figure.Percent(f.Noise)
		if f.Noise == 0 {
			tail = fmt.Sprintf("%d pairs", f.Pairs)
		}
		role = style.Plain
	} else if f.Verdict == "" {
		tail, role = fmt.Sprintf("%d pairs", f.Pairs), style.Dim
		if f.Pairs == 1 {
			tail = "1 pair"
		}
	}
	p.Put(style.Plain, " ")
	floor := ""
	if w >= 100 {
		floor = " floor " + figure.Percent(f.Floor)
	}
	if room := min(p.Room()-15-len(floor), 61); room >= 11 {
		scale := max(2*f.Floor, math.Abs(finite(f.From)), math.Abs(finite(f.To)))
		spanRole := style.Accent
		if f.From > f.Floor && f.Floor > 0 {
			spanRole = style.Warn
		}
		at := p.X()
		for i, k := range chart.Interval(chart.Span{Estimate: f.Estimate, From: f.From, To: f.To, Floor: f.Floor, Scale: min(scale, max(4*f.Floor, 0.5))}, room, in.Theme.Level) {
			switch k.Mark {
			case chart.None:
			case chart.Got:
				in.Text(at+i, y, spanRole, string(k.Rune))
			default:
				in.Text(at+i, y, style.Dim, string(k.Rune))
			}
		}
		p.To(at+room).Put(style.Dim, floor)
	}
	p.Put(style.Plain, " ").Fit(role, tail, 0)
}

// verdictMark of a metric or of a comparison: symbol, word and colour.
func verdictMark(t *style.Theme, verdict string) (string, string, style.Role) {
	switch verdict {
	case "improved", "unchanged", "calibrated":
		return t.Good, verdict, style.Good
	case "regressed", "invalid":
		return t.Bad, strings.ToUpper(verdict), style.Bad
	case "":
		return t.Wait, "", style.Dim
	}
	return t.Warn, verdict, style.Warn
}

func comparisonVerdict(in *canvas.Canvas, x *control.Comparison) {
	w, h := in.Size()
	symbol, word, role := verdictMark(in.Theme, x.Verdict)
	reason := x.Reason
	if x.Error != "" {
		symbol, word, role, reason = in.Theme.Bad, "FAILED", style.Bad, x.Error
	}
	in.Text(0, 0, role, symbol+" "+word)
	head := canvas.Width(symbol+word) + 3
	for y, line := range in.Wrap(reason, w-head, h) {
		in.Text(head, y, style.Plain, line)
	}
}

func briefComparison(p *canvas.Pen, s State) {
	x := s.Snap.Comparison
	if x == nil {
		return
	}
	symbol, word, role := verdictMark(themeOf(p), x.Verdict)
	switch {
	case x.Error != "":
		symbol, word, role = themeOf(p).Bad, "FAILED", style.Bad
	case !x.Over():
		symbol, word, role = themeOf(p).Run, "running", style.Accent
	}
	p.Put(style.Dim, x.Kind+" ").Put(role, symbol+" "+word).Put(style.Plain, " ")
	if !x.Over() && len(x.Runs) > 0 {
		p.Put(style.Plain, fmt.Sprintf("pair %d of %d ", x.Runs[len(x.Runs)-1].Pair, x.Pairs))
	}
	if i := slices.IndexFunc(x.Findings, func(f control.Finding) bool { return f.Gated && f.Pairs > 0 && f.Metric == "p99" }); i >= 0 {
		f := x.Findings[i]
		p.Fit(style.Plain, fmt.Sprintf("p99 %s [%s, %s]", figure.Change(f.Estimate), figure.Change(f.From), figure.Change(f.To)), 0)
	}
}
