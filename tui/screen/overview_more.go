package screen

import (
	"fmt"
	"time"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/figure"
	"weir/tui/style"
)

// drawLoadSummary is the load run on the Overview, with the comparison and the search.
func drawLoadSummary(c *canvas.Canvas, s State, focused bool) {
	const title = "Load & capacity"
	l := s.Snap.Load
	var more []func(p *canvas.Pen)
	if x := s.Snap.Comparison; x != nil {
		more = append(more, func(p *canvas.Pen) { briefComparison(p, s) })
	}
	if f := s.Snap.Search; f != nil {
		more = append(more, func(p *canvas.Pen) { searchLine(p, s, f) })
	}
	if l == nil {
		in := c.Box(title, focused)
		for y, draw := range more {
			draw(in.At(0, y))
		}
		if len(more) == 0 {
			in.At(0, 0).Fit(style.Dim, "no load run; start one in another terminal:", 0)
			in.At(0, 1).Fit(style.Plain, "loadgen run PROFILE", 0)
		}
		return
	}
	in := c.Stale(l.Silent).BoxAged(title, loadNote(s, l), focused)
	_, h := in.Size()
	symbol, word, role := badge(in.Theme, s)
	p := in.At(0, 0).Put(role, symbol+" "+word).Put(style.Plain, " ").Fit(style.Strong, l.Profile, 14)
	if l.Total > 0 {
		p.Fit(style.Plain, fmt.Sprintf("  %s of %s", figure.Percent(l.Progress), figure.Roughly(l.Total)), 0)
	} else {
		p.Fit(style.Plain, "  "+figure.Percent(l.Progress), 0)
	}
	p = in.At(2, 1)
	if l.MaxMode {
		p.Put(style.Dim, "target ").Put(style.Plain, "max")
	} else {
		p.Put(style.Dim, "target ").Put(style.Plain, figure.Short(l.TargetRate)+"/s")
	}
	p.Put(style.Dim, "  got ").Put(style.Plain, figure.Short(shownRate(l))+"/s ")
	rateMark(p, l)
	q := in.At(2, 2).Put(style.Dim, "p99 ").Put(style.Plain, figure.Millis(quantile(l).P99)+" ms")
	if _, lim := limitOf(l, "p99"); lim != nil {
		sym, _, r := mark(in.Theme, lim.State)
		q.Put(style.Dim, "  (limit "+lim.Want+")").Put(style.Plain, " ").Put(r, sym)
	}
	y := 3
	if h-y > len(more) || len(more) == 0 { // the proof, and what was sent, give way to what is searched for
		in.At(2, y).Put(style.Dim, "sent ").Put(style.Plain, compact(l.Sent)).Put(style.Dim, "  errors ").Put(errorRole(l.Errors), figure.Count(l.Errors))
		y++
	}
	if h-y > len(more) || len(more) == 0 {
		proofLine(in.At(2, y), s)
		y++
	}
	for _, draw := range more {
		draw(in.At(0, y))
		y++
	}
}

func briefLoad(p *canvas.Pen, s State) {
	l := s.Snap.Load
	if l == nil {
		p.Fit(style.Dim, "no load run", 0)
		return
	}
	symbol, word, role := badge(themeOf(p), s)
	p.Put(role, symbol+" "+word).Fit(style.Plain, fmt.Sprintf(" %s %s/s p99 %s ms", figure.Percent(l.Progress), figure.Short(l.Rate), figure.Millis(quantile(l).P99)), 0)
	if a := loadNote(s, l); a != "" {
		p.Fit(style.Warn, " "+a, 0)
	}
}

// quantile of the last seconds while it runs, of the whole once it is over.
func quantile(l *control.Load) control.Quantiles {
	if l.Over() || l.Window.Response.Count == 0 {
		return l.Whole.Response
	}
	return l.Window.Response
}

func loadNote(s State, l *control.Load) string {
	switch {
	case l.Over() || s.Dead:
		return ""
	case l.Silent:
		return "silent for " + figure.Span(s.Now.Sub(l.At))
	}
	return note(s, l.At)
}

func errorRole(n int64) style.Role {
	if n > 0 {
		return style.Warn
	}
	return style.Plain
}

// rateMark says whether the generator keeps its schedule.
func rateMark(p *canvas.Pen, l *control.Load) {
	switch {
	case l.MaxMode, l.State != control.Running:
	case l.Rate >= 0.99*l.TargetRate:
		p.Put(style.Good, themeOf(p).Good)
	default:
		p.Put(style.Warn, themeOf(p).Warn+" "+figure.Percent(l.Rate/l.TargetRate))
	}
}

func drawNotify(c *canvas.Canvas, s State, focused bool) {
	n := s.Snap.Notify
	if n == nil {
		c.Box("Notifications", focused).At(0, 0).Fit(style.Dim, "no outbox yet", 0)
		return
	}
	in := c.BoxAged("Notifications", note(s, n.At), focused)
	w, h := in.Size()
	p := in.At(0, 0)
	outbox(p, n)
	y := 1
	for _, ch := range n.Channels {
		if ch.State != control.OK && y < h {
			symbol, word, role := mark(in.Theme, ch.State)
			in.At(0, y).Put(role, symbol+" "+word).Put(style.Plain, " ").Fit(style.Plain, "channel "+ch.Name+" "+ch.Detail+since(s, ch.Since), 0)
			y++
		}
	}
	for i, m := range n.Messages {
		if y >= h {
			return
		}
		symbol, role := in.Theme.Good, style.Good
		switch m.State {
		case "sent":
		case "dead":
			symbol, role = in.Theme.Bad, style.Bad
		case "unknown":
			symbol, role = in.Theme.Warn, style.Warn
		default:
			symbol, role = in.Theme.Wait, style.Accent
		}
		at := m.At
		if at.IsZero() {
			at = m.Created
		}
		tail := fmt.Sprintf("%s  %s  %8s", m.Unit, in.Fit(m.Channel, 20), figure.Ago(s.Now, at))
		text := bare(m.Title)
		if m.Why != "" {
			text += " (" + m.Why + ")"
		}
		in.At(0, y).Put(role, symbol+" "+m.State).To(10).Put(style.Plain, " ").Fit(style.Plain, text, canvas.Width(tail)+2)
		in.Right(w, y, style.Plain, tail)
		if y++; m.Text != "" && y < h && h-y > len(n.Messages)-i-1 {
			in.At(11, y).Fit(style.Dim, m.Text, 0)
			y++
		}
	}
	if len(n.Messages) == 0 && y < h {
		in.At(0, y).Fit(style.Dim, "no messages yet", 0)
	}
}

func since(s State, at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return " since " + at.In(s.Now.Location()).Format("15:04")
}

func outbox(p *canvas.Pen, n *control.Notify) {
	for _, k := range []struct {
		name string
		n    int64
		bad  style.Role
	}{{"sent", n.Sent, style.Plain}, {"waiting", n.Waiting, style.Plain}, {"held", n.Held, style.Plain}, {"unknown", n.Unknown, style.Warn}, {"dead", n.Dead, style.Bad}} {
		r := style.Plain
		if k.n > 0 {
			r = k.bad
		}
		p.Put(style.Dim, k.name+" ").Put(r, figure.Count(k.n)).Put(style.Plain, "   ")
	}
	if n.Waiting > 0 && n.OldestWait > 0 {
		p.Fit(style.Dim, "oldest waits "+figure.Seconds(n.OldestWait), 0)
	}
}

func briefNotify(p *canvas.Pen, s State) {
	n := s.Snap.Notify
	if n == nil {
		p.Fit(style.Dim, "no outbox yet", 0)
		return
	}
	p.Fit(style.Plain, fmt.Sprintf("told %d waiting %d", n.Sent, n.Waiting+n.Held), 0)
	if n.Dead+n.Unknown > 0 {
		p.Put(style.Plain, " ").Put(style.Bad, fmt.Sprintf("stuck %d", n.Dead+n.Unknown))
	}
}

// drawJobs is the list of all jobs on a wide Overview.
func drawJobs(c *canvas.Canvas, s State, focused bool) {
	in := c.Box("Jobs", focused)
	_, h := in.Size()
	in.At(2, 0).Put(style.Dim, "JOB").To(24).Put(style.Dim, "TABLE").To(50).Put(style.Dim, "STATE").To(60).Put(style.Dim, "BEHIND").To(70).Put(style.Dim, "ROWS").To(86).
		Put(style.Dim, "QUARANTINED").To(100).Put(style.Dim, "LAST").To(112).Put(style.Dim, "UNIT").To(119).Put(style.Dim, "COMPLETE UP TO / INTERVAL")
	y := 1
	for _, st := range s.Snap.Streams {
		if y >= h {
			return
		}
		symbol, word, role := mark(in.Theme, st.State)
		in.At(0, y).Put(role, symbol).Put(style.Plain, " ").Put(style.Strong, in.Fit(st.Job, 20)).To(24).Put(style.Plain, in.Fit(st.Table, 25)).To(50).Put(role, word).
			To(60).Put(style.Plain, figure.Seconds(st.BehindSeconds)).To(70).Put(style.Plain, figure.Count(st.Rows)).To(86).Put(errorRole(st.Quarantined), figure.Count(st.Quarantined)).
			To(100).Put(style.Plain, figure.Ago(s.Now, st.LastCommit)).To(112).Put(style.Plain, in.Fit(st.Unit, 6)).To(119).Fit(style.Plain, upTo(s, st), 0)
		y++
	}
	for _, r := range s.Snap.Reports {
		if y >= h {
			return
		}
		symbol, word, role := mark(in.Theme, r.State)
		in.At(0, y).Put(role, symbol).Put(style.Plain, " ").Put(style.Strong, in.Fit(r.Job, 20)).To(24).Put(style.Plain, in.Fit(r.Table, 25)).To(50).Put(role, word).
			To(70).Put(style.Plain, figure.Count(r.Rows)).To(100).Put(style.Plain, figure.Ago(s.Now, r.Started)).To(112).Put(style.Plain, in.Fit(r.Unit, 6)).To(119).Fit(style.Plain, r.Interval, 0)
		y++
	}
}
