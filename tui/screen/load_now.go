package screen

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/figure"
	"weir/tui/style"
)

// drawNow is the state of the run in figures; the honest-generator light is the schedule lag.
func drawNow(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Now", focused)
		return
	}
	in := c.Stale(l.Silent).BoxAged("Now", loadNote(s, l), focused)
	w, h := in.Size()
	wide := w >= 40
	indent := 10
	if wide {
		indent = 14
	}
	var lines []func(p *canvas.Pen)
	add := func(name string, draw func(p *canvas.Pen)) {
		lines = append(lines, func(p *canvas.Pen) { draw(p.Put(style.Dim, name).To(indent)) })
	}
	rate := "rate"
	if l.Over() {
		rate = "mean rate"
	}
	add(rate, func(p *canvas.Pen) {
		p.Put(style.Strong, figure.Whole(shownRate(l))).Put(style.Plain, "/s ")
		rateMark(p, l)
		if wide && !l.MaxMode {
			p.Put(style.Dim, "  target ").Fit(style.Plain, figure.Whole(l.TargetRate), 0)
		}
		if l.MaxMode {
			p.Fit(style.Dim, " max", 0)
		}
	})
	if !l.Over() {
		add("volume", func(p *canvas.Pen) { p.Put(style.Plain, figure.Bytes(l.BytesPerSec)+"/s") })
	}
	add("lag p99", func(p *canvas.Pen) {
		p.Put(style.Plain, figure.Millis(l.LagP99)+" ms ")
		if late(l) {
			p.Put(style.Warn, in.Theme.Warn+" late")
		} else {
			p.Put(style.Good, in.Theme.Good)
		}
		if wide {
			p.Fit(style.Dim, "  behind its schedule", 0)
		}
	})
	add("in flight", func(p *canvas.Pen) {
		p.Put(style.Plain, figure.Count(l.InFlight))
		if wide && l.MaxInFlight > 0 {
			p.Fit(style.Dim, "  of at most "+figure.Count(l.MaxInFlight), 0)
		}
	})
	add("errors", func(p *canvas.Pen) {
		p.Put(errorRole(l.Errors), figure.Count(l.Errors))
		if all := causesOf(l); len(all) > 0 {
			p.Put(style.Plain, "  ").Fit(style.Warn, fmt.Sprintf("%s %s", all[0].Text, figure.Short(float64(all[0].Count))), 0)
		}
	})
	add("generator", func(p *canvas.Pen) { health(p, l) })
	if l.Dropped > 0 {
		add("dropped", func(p *canvas.Pen) {
			p.Put(style.Warn, figure.Count(l.Dropped)).Fit(style.Dim, "  due, not sent: window full", 0)
		})
	}
	if st := feeds(s); len(st) > 0 {
		add("table", func(p *canvas.Pen) {
			p.Put(behindRole(st[0]), figure.Seconds(st[0].BehindSeconds)+" behind").Fit(style.Dim, "  "+st[0].Job, 0)
		})
	}
	if l.Interactive || l.PausedS > 0 {
		add("by hand", func(p *canvas.Pen) {
			text := fmt.Sprintf("%d changes", len(l.Changes))
			if len(l.Changes) == 1 {
				text = "1 change"
			}
			if l.PausedS > 0 {
				text += ", paused " + figure.Seconds(l.PausedS)
			}
			if wide {
				text += ": no baseline"
			}
			p.Fit(style.Warn, text, 0)
		})
	}
	if l.Resumed > 0 {
		add("resumed", func(p *canvas.Pen) {
			p.Put(style.Warn, fmt.Sprintf("%dx", l.Resumed)).Fit(style.Dim, "  after its generator had died", 0)
		})
	}
	if q := l.Read; q != nil && q.Latency.Count > 0 {
		add("read back", func(p *canvas.Pen) {
			p.Put(style.Plain, "p50 "+figure.Millis(q.Latency.P50)+" p99 "+figure.Millis(q.Latency.P99)+" ms").Fit(style.Dim, "  later", 0)
		})
	}
	add("size", func(p *canvas.Pen) {
		p.Fit(style.Plain, "p50 "+figure.Short(l.Size.P50)+" p99 "+figure.Short(l.Size.P99)+" max "+figure.Short(l.Size.Max)+" B", 0)
	})
	if l.Topic != "" {
		add("topic", func(p *canvas.Pen) { p.Fit(style.Plain, l.Topic, 0) })
	}
	for y := range min(h, len(lines)) {
		lines[y](in.At(0, y))
	}
}

// shownRate is the rate of now, or the mean of a run that is over.
func shownRate(l *control.Load) float64 {
	if l.Over() && l.Elapsed > 0 {
		return float64(l.Acked) / l.Elapsed
	}
	return l.Rate
}

// late says that the generator itself is behind its plan: then its figures say more about it than about the broker.
func late(l *control.Load) bool {
	if l.MaxMode || l.Over() && l.Verdict == "pass" { // the run has judged that itself
		return false
	}
	return l.LagP99 > max(10, 0.2*quantile(l).P99)
}

func briefNow(p *canvas.Pen, s State) {
	if l := s.Snap.Load; l != nil {
		p.Fit(style.Plain, fmt.Sprintf("errors %s in flight %s lag p99 %s ms", figure.Short(float64(l.Errors)), figure.Short(float64(l.InFlight)), figure.Millis(l.LagP99)), 0)
	}
}

// causesOf errors, the most frequent first, also of a publisher that knows no times.
func causesOf(l *control.Load) []control.Cause {
	if len(l.Causes) > 0 {
		return l.Causes
	}
	var out []control.Cause
	for _, text := range slices.SortedFunc(maps.Keys(l.ErrorsByCause), func(a, b string) int {
		return cmp.Or(cmp.Compare(l.ErrorsByCause[b], l.ErrorsByCause[a]), cmp.Compare(a, b))
	}) {
		out = append(out, control.Cause{Text: text, Count: l.ErrorsByCause[text], First: -1, Last: -1})
	}
	return out
}
