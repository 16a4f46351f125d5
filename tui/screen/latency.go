package screen

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/chart"
	"weir/tui/figure"
	"weir/tui/style"
)

// drawLatency: response counts from the intended send, so waiting behind the schedule is in it; service counts from the send.
func drawLatency(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Latency", focused)
		return
	}
	in := c.Stale(l.Silent).BoxAged("Latency, intended send "+c.Theme.Arrow+" ack (ms)", loadNote(s, l), focused)
	w, h := in.Size()
	columns := []string{"p50", "p90", "p99", "p99.9", "max"}
	wide := w >= 90
	first, step := 10, 9
	if wide {
		columns = append(columns, "count")
		first, step = 20, 12
	}
	edge := func(i int) int { // where a column ends; counts are long
		if i == 5 {
			return first + 6*step + 4
		}
		return first + (i+1)*step - 2
	}
	for i, name := range columns {
		in.Right(edge(i), 0, style.Dim, name)
	}
	window := "last " + figure.Roughly(l.WindowS)
	if l.WindowS == 0 {
		window = "last"
	}
	lines := []struct {
		name string
		q    control.Quantiles
		role style.Role
	}{{window, l.Window.Response, style.Strong}, {"whole run", l.Whole.Response, style.Strong}, {"broker", l.Whole.Service, style.Plain}}
	if wide {
		lines[2].name = "broker alone"
	}
	y := 1
	for _, line := range lines {
		if y >= h {
			return
		}
		in.Text(0, y, style.Dim, in.Fit(line.name, first-1))
		if line.q.Count == 0 {
			in.Text(first, y, style.Dim, "nothing measured")
		} else {
			for i, v := range []float64{line.q.P50, line.q.P90, line.q.P99, line.q.P999, line.q.Max} {
				in.Right(edge(i), y, line.role, figure.Millis(v))
			}
			if wide {
				in.Right(edge(5), y, line.role, figure.Count(line.q.Count))
			}
		}
		y++
	}
	if h >= 8 {
		y++
	}
	if y < h {
		p99 := make([]float64, len(l.History))
		for i, pt := range l.History {
			p99[i] = pt.P99
		}
		in.At(0, y).Put(style.Dim, "p99 over run ").Put(style.Accent, chart.Spark(p99, max(w-14, 0), 0, in.Theme.Level))
		y++
	}
	if y < h {
		limitLine(in.At(0, y), l)
	}
}

// limitLine has the limits one after the other.
func limitLine(p *canvas.Pen, l *control.Load) {
	if len(l.Limits) == 0 {
		p.Fit(style.Dim, "the profile sets no limits", 0)
	}
	for _, lim := range l.Limits {
		symbol, _, role := mark(p.Theme(), lim.State)
		text := fmt.Sprintf(" %s %s", lim.Name, lim.Want)
		if p.Room() < canvas.Width(text)+2 {
			return
		}
		p.Put(role, symbol).Put(style.Plain, text+"   ")
	}
}

func briefLatency(p *canvas.Pen, s State) {
	l := s.Snap.Load
	if l == nil {
		p.Fit(style.Dim, "no load run", 0)
		return
	}
	q := quantile(l)
	p.Fit(style.Plain, fmt.Sprintf("ms p50 %s p99 %s max %s", figure.Millis(q.P50), figure.Millis(q.P99), figure.Millis(q.Max)), 0)
}

// drawLimits is the list of thresholds with the margin, and the verdict.
func drawLimits(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Limits", focused)
		return
	}
	in := c.Stale(l.Silent).Box("Limits", focused)
	_, h := in.Size()
	y := 0
	for _, lim := range l.Limits {
		if y >= h-1 {
			break
		}
		symbol, _, role := mark(in.Theme, lim.State)
		in.At(0, y).Put(role, symbol).Put(style.Plain, " "+in.Fit(lim.Name, 9)).To(12).Put(style.Plain, in.Fit(lim.Want, 12)).To(26).Put(style.Strong, in.Fit(lim.Got, 9)).To(36).Fit(style.Dim, lim.Spare, 0)
		y++
	}
	if len(l.Limits) == 0 {
		in.At(0, 0).Fit(style.Dim, "the profile sets no limits", 0)
		y++
	}
	if y+1 < h {
		y++
	}
	if l.Verdict != "" {
		verdictLine(in.At(0, y), l)
	}
}

func briefLimits(p *canvas.Pen, s State) {
	if l := s.Snap.Load; l != nil {
		limitLine(p, l)
	}
}

// drawGenerator: is the generator itself healthy? A slow generator must be seen at once.
func drawGenerator(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Generator", focused)
		return
	}
	in := c.Stale(l.Silent).BoxAged("Generator", loadNote(s, l), focused)
	_, h := in.Size()
	in.At(0, 0).Put(style.Dim, "CPU").To(13).Put(style.Plain, fmt.Sprintf("%.2f cores", l.CPU))
	in.At(0, 1).Put(style.Dim, "memory").To(13).Put(style.Plain, figure.Bytes(float64(l.RSS)))
	in.At(0, 2).Put(style.Dim, "schedule lag").To(13).Put(style.Plain, figure.Millis(l.LagP99)+" ms p99")
	in.At(0, 3).Put(style.Dim, "sent").To(13).Put(style.Plain, figure.Count(l.Sent))
	in.At(0, 4).Put(style.Dim, "acked").To(13).Put(style.Plain, figure.Count(l.Acked))
	y := 5
	in.At(0, y).Put(style.Dim, "errors").To(13).Put(errorRole(l.Errors), figure.Count(l.Errors))
	for _, cause := range causes(l.ErrorsByCause) {
		if y++; y >= h {
			return
		}
		in.At(2, y).Put(style.Warn, figure.Short(float64(l.ErrorsByCause[cause]))).To(10).Put(style.Plain, " ").Fit(style.Plain, cause, 0)
	}
}

// causes, the most frequent first.
func causes(m map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(m), func(a, b string) int {
		return cmp.Or(cmp.Compare(m[b], m[a]), cmp.Compare(a, b))
	})
}
