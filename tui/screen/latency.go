package screen

import (
	"fmt"
	"math"
	"slices"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/chart"
	"weir/tui/figure"
	"weir/tui/style"
)

// drawLatency: response counts from the intended send, so waiting behind the schedule is in it; service counts from the send.
func (ld *Load) drawLatency(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Latency", focused)
		return
	}
	in := c.Stale(l.Silent).BoxAged("Latency, intended send "+c.Theme.Arrow+" ack (ms)", loadNote(s, l), focused)
	w, h := in.Size()
	y := latencyTable(in, l, h)
	switch rest := h - y; {
	case rest >= 8 && w >= 110: // the panel alone on the screen
		ld.latencyPlot(in.Sub(0, y+1, w-48, rest-1), l, s)
		spectrum(in.Sub(w-46, y+1, 46, rest-1), l)
	case rest >= 14:
		ld.latencyPlot(in.Sub(0, y+1, w, rest/2), l, s)
		spectrum(in.Sub(0, y+2+rest/2, w, rest-rest/2-2), l)
	case rest >= 8:
		ld.latencyPlot(in.Sub(0, y+1, w, rest-1), l, s)
	case rest > 0:
		if rest > 2 {
			y++
		}
		ld.sparks(in.Sub(0, y, w, h-y), l, s)
	}
}

// latencyTable is the percentiles of the last seconds and of the whole run; it gives the lines it used.
func latencyTable(in *canvas.Canvas, l *control.Load, h int) int {
	w, _ := in.Size()
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
	if l.WindowS <= 0 {
		window = "last"
	}
	lines := []struct {
		name string
		q    control.Quantiles
		role style.Role
	}{{window, l.Window.Response, style.Strong}, {"whole run", l.Whole.Response, style.Strong}, {"service", l.Whole.Service, style.Plain}}
	if wide {
		lines[0].name, lines[2].name = "response, "+window, "service, from send"
		lines[1].name = "response, whole run"
	}
	y := 1
	for _, line := range lines {
		if y >= h {
			return y
		}
		in.Text(0, y, style.Dim, in.Fit(line.name, first-1))
		if line.q.Count == 0 {
			in.Text(first+1, y, style.Dim, "nothing measured")
		} else {
			for i, v := range []float64{line.q.P50, line.q.P90, line.q.P99, line.q.P999, line.q.Max} {
				role := line.role
				if limit, _ := limitOf(l, columns[i]); limit > 0 && v > limit && line.role == style.Strong {
					role = style.Bad
				}
				in.Right(edge(i), y, role, figure.Millis(v))
			}
			if wide {
				in.Right(edge(5), y, line.role, figure.Count(line.q.Count))
			}
		}
		y++
	}
	if any := slices.ContainsFunc(columns, func(name string) bool { v, _ := limitOf(l, name); return v > 0 }); any && y < h-1 {
		in.Text(0, y, style.Dim, "limit")
		for i, name := range columns {
			if limit, lim := limitOf(l, name); limit > 0 {
				symbol, _, role := mark(in.Theme, lim.State)
				in.Right(edge(i), y, style.Plain, in.Theme.AtMost+figure.Short(limit))
				in.Text(edge(i), y, role, symbol)
			}
		}
		y++
	}
	return y
}

// sparks are the percentiles over the run, a line each; of one line it is the p99.
func (ld *Load) sparks(in *canvas.Canvas, l *control.Load, s State) {
	w, h := in.Size()
	a := axisOf(l, s)
	history := ld.history(l, s)
	for y, k := range []struct {
		name  string
		value func(control.Point) float64
	}{
		{"p99", func(p control.Point) float64 { return p.P99 }}, {"p99.9", func(p control.Point) float64 { return p.P999 }}, {"p50", func(p control.Point) float64 { return p.P50 }},
	} {
		if y >= h {
			return
		}
		points := a.points(history, k.value)
		most := 0.0
		for _, p := range points {
			most = max(most, finite(p.Y))
		}
		if most <= 0 && y > 0 { // a publisher that does not tell it
			continue
		}
		limit, _ := limitOf(l, k.name)
		note := " up to " + figure.Millis(most)
		if limit > 0 {
			note += ", limit " + figure.Short(limit)
		}
		role := style.Accent
		if limit > 0 && most > limit {
			role = style.Warn
		}
		p := in.At(0, y).Put(style.Dim, k.name).To(6)
		p.Put(role, chart.SparkAt(points, max(w-6-len(note), 8), 0, in.Theme.Level)).Fit(style.Dim, note, 0)
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

// drawSpectrum is the whole distribution: response and service at each percentile.
func drawSpectrum(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Percentiles", focused)
		return
	}
	spectrum(c.Stale(l.Silent).BoxAged("Percentiles of the run (ms)", loadNote(s, l), focused), l)
}

// percentiles of the run, the five of the table if the publisher tells no more.
func percentiles(l *control.Load) []control.Percentile {
	if len(l.Spectrum) > 0 {
		return l.Spectrum
	}
	r, v := l.Whole.Response, l.Whole.Service
	if r.Count == 0 {
		return nil
	}
	return []control.Percentile{{P: 50, Response: r.P50, Service: v.P50}, {P: 90, Response: r.P90, Service: v.P90}, {P: 99, Response: r.P99, Service: v.P99}, {P: 99.9, Response: r.P999, Service: v.P999}, {P: 100, Response: r.Max, Service: v.Max}}
}

// thinned keeps n of the percentiles: those that everybody asks for first.
func thinned(all []control.Percentile, n int) []control.Percentile {
	if len(all) <= n {
		return all
	}
	keep := make([]bool, len(all))
	kept := 0
	take := func(i int) {
		if i >= 0 && kept < n && !keep[i] {
			keep[i] = true
			kept++
		}
	}
	for _, p := range []float64{99, 50, 100, 99.9, 90, 99.99, 95, 99.5, 75} {
		take(slices.IndexFunc(all, func(x control.Percentile) bool { return math.Abs(x.P-p) < 1e-9 }))
	}
	for i := len(all) - 1; i >= 0; i-- {
		take(i)
	}
	var out []control.Percentile
	for i, p := range all {
		if keep[i] {
			out = append(out, p)
		}
	}
	return out
}

// spectrum draws a line for each percentile; bars are logarithmic, as a tail is.
func spectrum(in *canvas.Canvas, l *control.Load) {
	w, h := in.Size()
	all := thinned(percentiles(l), h-1)
	if len(all) == 0 {
		in.Text(0, 0, style.Dim, "nothing measured yet")
		return
	}
	in.Right(17, 0, style.Dim, "response")
	in.Right(27, 0, style.Dim, "service")
	low, high := math.Inf(1), 0.0
	for _, p := range all {
		if p.Response > 0 && !odd(p.Response) {
			low, high = min(low, p.Response), max(high, p.Response)
		}
	}
	for i, p := range all {
		name := "p" + figure.Axis(p.P)
		if p.P >= 100 {
			name = "max"
		} else if p.P > 99 {
			name = fmt.Sprintf("p%.6g", p.P)
		}
		role := style.Plain
		if limit, _ := limitOf(l, name); limit > 0 && p.Response > limit {
			role = style.Bad
		}
		y := i + 1
		in.Text(0, y, style.Dim, name)
		in.Right(17, y, role, figure.Millis(p.Response))
		in.Right(27, y, style.Plain, figure.Millis(p.Service))
		if room := w - 29; room > 3 && p.Response > 0 && high > 0 {
			share := 1.0
			if high > low {
				share = 0.08 + 0.92*math.Log(p.Response/low)/math.Log(high/low)
			}
			in.Text(29, y, style.Accent, chart.Bar(share, room, in.Theme.Level))
		}
	}
}
