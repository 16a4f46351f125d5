package screen

import (
	"fmt"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/figure"
	"weir/tui/style"
)

// teamHeight is how many lines the worker processes of a stream get of a panel: the decision, a heading, and one for each, or none.
func teamHeight(t *control.Team, h int) int {
	if t == nil {
		return 0
	}
	switch room := h - 7; { // what else a reader needs comes first
	case room < 1:
		return 0
	case room < 3:
		return 1
	default:
		return min(2+len(t.Workers), room)
	}
}

// drawTeam shows why there are so many workers, and how each of them does: those that have to go first.
func drawTeam(in *canvas.Canvas, t *control.Team) {
	w, h := in.Size()
	role := style.Plain
	if t.Verdict != "" {
		role = style.Warn
	}
	in.At(0, 0).Put(style.Dim, "team  ").Fit(role, t.Reason, 0)
	if h < 3 {
		return
	}
	columns := []struct {
		name string
		x    int
	}{{"WORKER", 6}, {"STATE", 14}, {"PARTS", 24}, {"rec/s", 31}, {"WAITS", 39}, {"STORAGE", 46}, {"ROWS", 55}, {"PID", 63}}
	for _, c := range columns {
		if c.x+len(c.name) <= w {
			in.Text(c.x, 1, style.Dim, c.name)
		}
	}
	rows := ordered(t.Workers)
	for i, k := range rows {
		y := 2 + i
		if y == h-1 && len(rows)-i > 1 {
			in.Text(6, y, style.Dim, fmt.Sprintf("%s %d more", in.Theme.More, len(rows)-i))
			return
		}
		state := style.Good
		switch k.State {
		case "draining", "starting":
			state = style.Warn
		case "lost":
			state = style.Bad
		}
		p := in.At(6, y).Put(style.Strong, k.ID).To(14).Put(state, k.State).To(24).Put(style.Plain, fmt.Sprintf("%5d", k.Partitions)).To(31).Put(style.Plain, fmt.Sprintf("%5s", figure.Short(k.PerSec))).
			To(39).Put(style.Plain, fmt.Sprintf("%5s", figure.Percent(k.Waiting))).To(46).Put(style.Plain, fmt.Sprintf("%7s", figure.Percent(k.Blocked))).To(55).Put(style.Plain, fmt.Sprintf("%6s", figure.Short(float64(k.Rows)))).
			To(63).Put(style.Plain, fmt.Sprint(k.PID))
		if k.Reason != "" && w > 100 {
			p.To(72).Fit(style.Warn, k.Reason, 0)
		}
	}
}

// ordered puts workers that are not well in front of the others.
func ordered(all []control.Worker) []control.Worker {
	var out, well []control.Worker
	for _, k := range all {
		if k.State == "reading" {
			well = append(well, k)
		} else {
			out = append(out, k)
		}
	}
	return append(out, well...)
}
