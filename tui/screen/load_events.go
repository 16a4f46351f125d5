package screen

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/figure"
	"weir/tui/style"
)

// drawStages is the plan of the run: what is behind, now and ahead; then the verdict as it stands, then what happened.
func drawStages(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	in := framed(c.Stale(l != nil && l.Silent), "Stages and events", "", focused)
	w, h := in.Size()
	y := 0
	if l != nil {
		stages(in.At(0, 0), l)
		y++
		if h == 2 { // one line is left: what is wrong, else what happened last
			all, judged := happened(s), l.Verdict != "" || invalid(l) != ""
			switch {
			case judged && (l.Over() || l.Verdict != "pass" || len(all) == 0):
				verdictLine(in.At(0, y), l)
			case len(all) > 0:
				events(in.Sub(0, y, w, 1), s, all)
			default:
				limitLine(in.At(0, y), l)
			}
			return
		}
		if l.Verdict != "" || invalid(l) != "" {
			verdictLine(in.At(0, y), l)
			y++
		}
	}
	if y < h {
		events(in.Sub(0, y, w, h-y), s, happened(s))
	}
}

// happened is the log strip with what was done to the run by hand, in the order of time. Of commits, which come each second, the
// newest is enough here.
func happened(s State) []control.Event {
	var out []control.Event
	committed := false
	for _, e := range slices.Backward(s.Snap.Events) {
		if e.Kind != "commit" || !committed {
			out = append(out, e)
		}
		committed = committed || e.Kind == "commit"
	}
	slices.Reverse(out)
	if l := s.Snap.Load; l != nil {
		start := began(l)
		for _, c := range l.Changes {
			kind, text := "hand", c.What
			if mark, ok := strings.CutPrefix(c.What, "mark: "); ok {
				kind, text = "mark", mark
			}
			out = append(out, control.Event{At: start.Add(time.Duration(min(finite(c.T), 1e9) * float64(time.Second))), Kind: kind, Text: text + "  (at " + figure.Clock(c.T) + ")"})
		}
	}
	slices.SortStableFunc(out, func(a, b control.Event) int { return a.At.Compare(b.At) })
	return out
}

// stages behind, now and ahead.
func stages(p *canvas.Pen, l *control.Load) {
	t := p.Theme()
	first := 0 // what is behind gives way when not all stages fit
	for first < l.StageIndex && first < len(l.Stages)-1 && stagesWidth(l.Stages[first:]) > p.Room() {
		first++
	}
	if first > 0 {
		p.Put(style.Dim, fmt.Sprintf("%s %d done %s ", t.Good, first, t.Arrow))
	}
	for i, st := range l.Stages {
		if i < first {
			continue
		}
		symbol, role := t.Todo, style.Dim
		switch {
		case l.State == control.Done && complete(l) || i < l.StageIndex:
			symbol, role = t.Good, style.Good
		case i == l.StageIndex && l.Over():
			symbol, role = t.Pause, style.Warn
		case i == l.StageIndex && !l.Over():
			symbol, role = t.Run, style.Accent
		}
		if i > first {
			p.Put(style.Dim, " "+t.Arrow+" ")
		}
		p.Put(role, symbol).Put(style.Plain, stageText(st))
	}
	if len(l.Stages) == 0 {
		text := "constant " + figure.Short(l.TargetRate) + "/s"
		if l.MaxMode {
			text = "as fast as acks allow"
		}
		if l.Planned > 0 {
			text += ", " + figure.Count(l.Planned) + " messages"
		}
		p.Fit(style.Plain, text, 0)
	}
}

// complete says that the schedule came to its end; a run that was stopped has stages that never were.
func complete(l *control.Load) bool { return !(l.Total > 0) || l.Elapsed >= l.Total-1 }

func stageText(st control.Stage) string {
	text := " " + st.Name
	if st.Duration > 0 {
		text += " " + figure.Roughly(st.Duration)
	}
	if st.Target > 0 {
		text += " " + figure.Short(st.Target)
	}
	return text
}

func stagesWidth(stages []control.Stage) int {
	const around = 4 // symbol and arrow
	n := 0
	for _, st := range stages {
		n += canvas.Width(stageText(st)) + around
	}
	return n + 10 // room for "3 done"
}

func briefStages(p *canvas.Pen, s State) {
	l := s.Snap.Load
	if l == nil {
		return
	}
	p.Fit(style.Plain, fmt.Sprintf("stage %d/%d %s", min(l.StageIndex+1, len(l.Stages)), len(l.Stages), l.Stage), 0)
	if l.Verdict != "" {
		p.Fit(style.Dim, " verdict "+l.Verdict, 0)
	}
}
