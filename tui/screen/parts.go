package screen

import (
	"slices"
	"strings"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/chart"
	"weir/tui/figure"
	"weir/tui/style"
)

// parts writes "✔ kafka  ! registry 4 s late" as far as there is room, the trouble first.
func parts(p *canvas.Pen, t *style.Theme, all []control.Part, reserve int) {
	sorted := slices.Clone(all)
	slices.SortStableFunc(sorted, func(a, b control.Part) int { return severity(b.State) - severity(a.State) })
	for _, part := range sorted {
		symbol, word, role := mark(t, part.State)
		text := " " + part.Name
		if part.State != control.OK {
			text += " " + word
			if part.Detail != "" {
				text += ": " + part.Detail
			}
		}
		if p.Room()-reserve < canvas.Width(text)+3 {
			if part.State == control.OK {
				return
			}
			text = " " + part.Name + " " + word
			if p.Room()-reserve < canvas.Width(text)+3 {
				return
			}
		}
		p.Put(role, symbol).Put(style.Plain, text).Put(style.Plain, "  ")
	}
}

func severity(state string) int {
	switch state {
	case control.OK, control.Done:
		return 0
	case control.Down, control.Bad, control.Failed:
		return 2
	}
	return 1
}

// proofBanner is the verdict of the table over the run: nothing on the screen is more important once it stands.
func proofBanner() Panel {
	return Panel{Name: "Proof", Draw: drawProof, Brief: func(p *canvas.Pen, s State) { proofLine(p, s) }}
}

func drawProof(c *canvas.Canvas, s State, focused bool) {
	pr := s.Snap.Proof
	if pr == nil {
		c.Box("Proof", focused).Text(0, 0, style.Dim, "none yet: a load run is proved when its rows are in the table")
		return
	}
	title := "Proof from the destination table"
	if pr.Run != "" {
		title += "  run " + pr.Run
	}
	age := note(s, pr.At)
	if pr.Done {
		age = ""
	}
	in := c.Stale(pr.Silent).BoxAged(title, age, focused)
	w, h := in.Size()
	if h <= 0 {
		return
	}
	symbol, role := check(c.Theme, pr.Good())
	word := " PROVED "
	switch {
	case !pr.Good():
		word = " NOT GOOD "
	case !pr.Done:
		word, role, symbol = " NOT YET ", style.Accent, c.Theme.Run
	}
	badge := role
	if pr.Done && pr.Good() {
		badge = style.Chosen
	}
	p := in.At(0, 0).Put(role, symbol+" ").Put(badge, word).Put(style.Plain, " ")
	for _, n := range []struct {
		name string
		n    int64
	}{{"lost", pr.Lost}, {"doubled", pr.Doubled}, {"reordered", pr.Reordered}, {"altered", pr.Altered}} {
		r, word := proved(pr, n.n)
		p.Put(style.Plain, "  "+n.name+" ").Put(r, word)
	}
	in.At(0, 1).Fit(style.Plain, sum(pr), 0)
	if !pr.Done {
		in.At(0, 2).Fit(style.Dim, "the rows are proved one by one when the run has ended", 0)
		return
	}
	readable := "readable " + figure.Millis(pr.ReadableP50) + " ms p50, " + figure.Millis(pr.ReadableP99) + " ms p99 after the intended send"
	if h > 2 {
		in.At(0, 2).Fit(style.Plain, readable, 0)
	} else if line := "   " + readable; w > 110 {
		in.Right(w, 1, style.Plain, line)
	}
}

// sum is the account of the messages; it has an equals sign only where it adds up.
func sum(p *control.Proof) string {
	terms := []string{"rows " + figure.Count(p.Rows)}
	for _, t := range []struct {
		name string
		n    int64
	}{{"quarantined ", p.Quarantined}, {"in flight ", p.InFlight}, {"lost ", p.Lost}} {
		if t.n != 0 {
			terms = append(terms, t.name+figure.Count(t.n))
		}
	}
	line := strings.Join(terms, " + ")
	if p.Doubled != 0 {
		line += " - doubled " + figure.Count(p.Doubled)
	}
	if p.Sent == p.Rows+p.Quarantined+p.InFlight+p.Lost-p.Doubled {
		return "sent " + figure.Count(p.Sent) + " = " + line
	}
	return "sent " + figure.Count(p.Sent) + ";  " + line
}

// proofLine is the proof in one line: for small screens and the panel of the load.
func proofLine(p *canvas.Pen, s State) {
	pr := s.Snap.Proof
	if pr == nil {
		p.Fit(style.Dim, "proof: none yet", 0)
		return
	}
	for i, n := range []struct {
		name string
		n    int64
	}{{"lost", pr.Lost}, {"dup", pr.Doubled}} {
		r, word := proved(pr, n.n)
		p.Put(style.Plain, strings.Repeat("  ", min(i, 1))+n.name+" ").Put(r, word)
	}
	if !pr.Good() && pr.Lost == 0 && pr.Doubled == 0 {
		p.Put(style.Plain, "  ").Put(style.Bad, "altered "+figure.Count(pr.Altered)+" reord "+figure.Count(pr.Reordered))
		return
	}
	if pr.Done {
		p.Fit(style.Plain, "  (proved)", 0)
	} else {
		p.Fit(style.Dim, "  at the end", 0)
	}
}

// proved is a figure of the proof: before the end a nought proves nothing, so it is not shown as one.
func proved(p *control.Proof, n int64) (style.Role, string) {
	switch {
	case n != 0:
		return style.Bad, figure.Count(n)
	case !p.Done:
		return style.Dim, "-"
	}
	return style.Good, "0"
}

// events writes the newest events, the newest at the bottom.
func events(c *canvas.Canvas, s State, all []control.Event) {
	w, h := c.Size()
	for i, e := range all[max(0, len(all)-h):] {
		r := style.Plain
		switch e.Kind {
		case "warn":
			r = style.Warn
		case "error":
			r = style.Bad
		}
		c.At(0, i).Put(style.Dim, e.At.In(s.Now.Location()).Format("15:04:05 ")).Put(r, e.Kind).To(17).Put(style.Plain, " ").Fit(style.Plain, e.Text, 0)
	}
	if len(all) == 0 && w > 0 {
		c.Text(0, 0, style.Dim, "nothing yet")
	}
}

func eventsPanel() Panel {
	return Panel{Name: "Events",
		Draw: func(c *canvas.Canvas, s State, focused bool) { events(c.Box("Events", focused), s, s.Snap.Events) },
		Brief: func(p *canvas.Pen, s State) {
			if n := len(s.Snap.Events); n > 0 {
				p.Fit(style.Plain, "last: "+s.Snap.Events[n-1].Text, 0)
				return
			}
			p.Put(style.Dim, "no events yet")
		}}
}

// trend is a spark of how far behind, with a word for where it goes.
func trend(t *style.Theme, h []control.StreamPoint, width int) (spark, arrow string) {
	values := make([]float64, len(h))
	for i, p := range h {
		values[i] = max(p.Behind, 0)
	}
	top := 10.0 // seconds: what is below is no lag, and must not look like a mountain
	for _, v := range values {
		top = max(top, v)
	}
	spark = chart.Spark(values, width, top, t.Level)
	arrow = t.Flat
	if n := len(values); n >= 4 { // the last quarter against the one before
		q := max(n/4, 1)
		was, is := mean(values[n-2*q:n-q]), mean(values[n-q:])
		switch {
		case is > was*1.1+0.5:
			arrow = t.Up
		case is < was*0.9-0.5:
			arrow = t.Down
		}
	}
	return spark, arrow
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(max(len(v), 1))
}
