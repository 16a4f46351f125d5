package screen

import (
	"cmp"
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

// rung is a rate of the ladder with its trials.
type rung struct {
	rate   float64
	trials []control.Trial
	now    *control.Trial
}

// ladder has the rates that were tried, the highest first.
func ladder(f *control.Search) []rung {
	var out []rung
	at := func(rate float64) *rung {
		for i := range out {
			if out[i].rate == rate {
				return &out[i]
			}
		}
		out = append(out, rung{rate: rate})
		return &out[len(out)-1]
	}
	for _, t := range f.Trials {
		r := at(t.Rate)
		r.trials = append(r.trials, t)
	}
	if f.Trial != nil {
		at(f.Trial.Rate).now = f.Trial
	}
	slices.SortFunc(out, func(a, b rung) int { return cmp.Compare(b.rate, a.rate) })
	return out
}

func searchRate(f *control.Search, v float64) string {
	switch {
	case f.Bytes:
		return figure.Bytes(v) + "/s"
	case v < 1000 && v != math.Trunc(v):
		return fmt.Sprintf("%.4g/s", finite(v))
	}
	return figure.Whole(v) + "/s"
}

// drawSearch: which rates were kept, which were not, and what lies between.
func drawSearch(c *canvas.Canvas, s State, focused bool) {
	f := s.Snap.Search
	if f == nil {
		in := c.Box("Capacity search", focused)
		in.At(0, 0).Fit(style.Dim, "none; it finds the highest rate at which limits are kept:", 0)
		in.At(0, 1).Fit(style.Plain, "loadgen search ci --slo 'p99<100ms, lost=0'", 0)
		return
	}
	note := ""
	if f.Silent {
		note = "silent for " + figure.Span(s.Now.Sub(f.At))
	}
	in := c.Stale(f.Silent).BoxAged("Capacity search  "+f.Profile+"  "+f.SLO, note, focused)
	w, h := in.Size()
	searchState(in.At(0, 0), s, f)
	y := 1
	if h > 3 && f.Verdict == "" {
		bracket(in.At(0, y), f)
		y++
	}
	if f.Over() && len(f.Reasons) > 0 && h-y > 3 {
		in.At(0, y).Put(style.Dim, "because ").Fit(style.Plain, strings.Join(f.Reasons, "; "), 0)
		y++
	}
	rungs := ladder(f)
	from := 0
	if room := h - y; len(rungs) > room && room > 0 { // the edge stays in sight
		edge := slices.IndexFunc(rungs, func(r rung) bool { return f.HighestKept > 0 && r.rate <= f.HighestKept })
		if edge < 0 {
			edge = len(rungs) - 1
		}
		from = min(max(edge-room/2, 0), len(rungs)-room)
	}
	if len(rungs) == 0 && y < h {
		in.At(0, y).Fit(style.Dim, "no trial has ended yet", 0)
	}
	top := 1.0
	for _, r := range rungs {
		top = max(top, finite(r.rate))
	}
	for _, r := range rungs[from:] {
		if y >= h {
			return
		}
		rungLine(in.Sub(0, y, w, 1), f, r, top)
		y++
	}
}

// rungLine is a rate with an outcome for each of its trials, and what they said.
func rungLine(in *canvas.Canvas, f *control.Search, r rung, top float64) {
	w := in.Width()
	in.Right(13, 0, style.Strong, searchRate(f, r.rate))
	p := in.At(14, 0)
	told, kept, not := "", 0, 0
	for _, t := range r.trials {
		symbol, role := in.Theme.Bad, style.Warn
		switch t.Outcome {
		case control.Kept:
			symbol, role = in.Theme.Good, style.Good
			kept++
		case control.Invalid:
			symbol, role = in.Theme.Warn, style.Dim
		default:
			not++
		}
		p.Put(role, symbol)
		if t.Told != "" {
			told = t.Told
		}
	}
	if r.now != nil {
		p.Put(style.Accent, in.Theme.Run)
	}
	p.To(20)
	if w >= 100 {
		bar := style.Dim
		if kept > not {
			bar = style.Accent
		}
		p.Put(bar, chart.Bar(finite(r.rate)/top, 30, in.Theme.Level)).Put(style.Plain, " ")
	}
	word, role := "not kept", style.Warn
	switch {
	case len(r.trials) == 0:
		word, role = "trying", style.Accent
	case kept > not:
		word, role = "kept", style.Good
	case kept+not == 0:
		word, role = "invalid", style.Dim
	}
	at := p.X()
	p.Put(role, word).To(at+9).Put(style.Plain, " ")
	if r.now != nil && len(r.trials) == 0 {
		told = r.now.Phase
	}
	p.Fit(style.Plain, told, 0)
}

func searchState(p *canvas.Pen, s State, f *control.Search) {
	t := p.Theme()
	switch {
	case f.Error != "":
		p.Put(style.Bad, t.Bad+" FAILED").Put(style.Plain, "  ").Fit(style.Plain, f.Error, 0)
		return
	case f.Over() && f.Verdict == "":
		p.Put(style.Warn, t.Pause+" stopped").Fit(style.Plain, "  after "+trialsIn(f), 0)
		return
	case f.Over():
		symbol, role := t.Good, style.Good
		switch f.Verdict {
		case "not kept", "generator", "inconclusive":
			symbol, role = t.Warn, style.Warn
		}
		p.Put(role, symbol+" ").Put(style.Strong, p.Fitted(f.Headline, max(p.Room()-22, 10)))
		if f.Confidence != "" {
			p.Put(style.Dim, "  confidence ").Fit(confidenceRole(f.Confidence), f.Confidence, 0)
		}
		if text := "   " + trialsIn(f); p.Room() >= len(text) {
			p.Put(style.Dim, text)
		}
		return
	}
	p.Put(style.Accent, t.Run+" ")
	if x := f.Trial; x != nil {
		p.Put(style.Strong, fmt.Sprintf("trial %d: %s", len(f.Trials)+1, searchRate(f, x.Rate))).Put(style.Dim, "  "+x.Phase+"  ")
		took := x.Took
		if !f.Silent && !s.Dead && !x.Began.IsZero() { // between two of its steps it says nothing new
			took = max(took, s.Now.Sub(x.Began).Seconds())
		}
		if x.Length > 0 && took <= x.Length {
			if p.Room() > 50 {
				p.Put(style.Accent, chart.Bar(took/x.Length, 12, t.Level)).Put(style.Plain, " ")
			}
			p.Put(style.Plain, figure.Seconds(took)+" of "+figure.Seconds(x.Length))
		} else {
			p.Put(style.Plain, "for "+figure.Seconds(took))
		}
		if x.Step != "" && x.Step != "load" {
			p.Put(style.Plain, ", "+x.Step)
		}
	} else {
		p.Put(style.Plain, "begins")
	}
	if left := f.Most - f.Spent; f.Most > 0 {
		p.Fit(style.Dim, "   at most "+figure.Seconds(max(left, 0))+" left", 0)
	}
}

func trialsIn(f *control.Search) string {
	n := fmt.Sprintf("%d trials", len(f.Trials))
	if len(f.Trials) == 1 {
		n = "1 trial"
	}
	return n + ", " + figure.Seconds(f.Spent)
}

func confidenceRole(c string) style.Role {
	switch c {
	case "high":
		return style.Good
	case "low":
		return style.Warn
	}
	return style.Plain
}

// bracket is what is known of the capacity so far.
func bracket(p *canvas.Pen, f *control.Search) {
	lo, hi := f.HighestKept, f.LowestNotKept
	p.Put(style.Dim, "capacity ")
	switch {
	case lo > 0 && hi > 0:
		p.Put(style.Plain, "between ").Put(style.Good, searchRate(f, lo)).Put(style.Plain, " and ").Put(style.Warn, searchRate(f, hi))
		if hi > lo {
			p.Put(style.Dim, fmt.Sprintf("  %s apart, wanted %s", figure.Percent(hi/lo-1), figure.Percent(f.Precision)))
		}
	case lo > 0:
		p.Put(style.Plain, "at least ").Put(style.Good, searchRate(f, lo)).Put(style.Dim, ", tried up to "+searchRate(f, f.To))
	case hi > 0:
		p.Put(style.Plain, "below ").Put(style.Warn, searchRate(f, hi)).Put(style.Dim, ", tried from "+searchRate(f, f.From))
	default:
		p.Put(style.Dim, "not known yet: "+searchRate(f, f.From)+" to "+searchRate(f, f.To))
	}
	if text := "   " + trialsIn(f); p.Room() >= len(text) {
		p.Put(style.Dim, text)
	}
}

// searchLine is the search in one line: on the Overview, and where there is no room for more.
func searchLine(p *canvas.Pen, s State, f *control.Search) {
	t := themeOf(p)
	switch {
	case f.Error != "":
		p.Put(style.Bad, t.Bad+" search FAILED").Fit(style.Plain, " "+f.Error, 0)
	case !f.Over():
		p.Put(style.Accent, t.Run).Put(style.Plain, " search "+figure.Short(f.HighestKept)+" to ")
		if f.LowestNotKept > 0 {
			p.Put(style.Plain, figure.Short(f.LowestNotKept)+"/s")
		} else {
			p.Put(style.Plain, "?")
		}
		p.Fit(style.Dim, "  after "+trialsIn(f), 0)
	case f.Verdict == "capacity":
		p.Put(style.Dim, "last search: ").Put(style.Strong, searchShort(f, f.Capacity)).Fit(style.Dim, " at "+f.SLO+agoOf(s, f), 0)
	case f.HighestKept > 0:
		p.Put(style.Dim, "last search: ").Put(style.Plain, f.Verdict+" ").Put(style.Strong, searchShort(f, f.HighestKept)).Fit(style.Dim, " at "+f.SLO+agoOf(s, f), 0)
	default:
		p.Put(style.Dim, "last search: ").Put(style.Warn, cmp.Or(f.Verdict, f.State)).Fit(style.Dim, " at "+f.SLO+agoOf(s, f), 0)
	}
}

func searchShort(f *control.Search, v float64) string {
	if f.Bytes {
		return figure.Bytes(v) + "/s"
	}
	return figure.Short(v) + "/s"
}

func agoOf(s State, f *control.Search) string {
	if f.Ended.IsZero() {
		return ""
	}
	return ", " + figure.Ago(s.Now, f.Ended)
}

func briefSearch(p *canvas.Pen, s State) {
	if f := s.Snap.Search; f != nil {
		searchLine(p, s, f)
	}
}
