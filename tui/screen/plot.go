package screen

import (
	"math"
	"slices"

	"weir/tui/canvas"
	"weir/tui/chart"
	"weir/tui/figure"
	"weir/tui/style"
)

// a tick stands beside the upright axis, at a share of its height.
type tick struct {
	at    float64
	label string
}

// ticks gives those that so many lines have room for.
type ticks func(lines int) []tick

// linear ticks of a scale from 0 to top.
func linear(top float64, label func(float64) string) ticks {
	return func(lines int) (out []tick) {
		n := 2
		if lines >= 8 {
			n = 4
		}
		for k := 1; k <= n; k++ {
			at := float64(k) / float64(n)
			out = append(out, tick{at, label(top * at)})
		}
		return out
	}
}

// A scale of milliseconds: linear, or logarithmic where a linear one would press everything but the peaks flat.
type scale struct {
	log      bool
	low, top float64
	ticks    ticks
}

const logFrom = 30 // times the median: then a peak would hide the rest

func scaleOf(points []chart.Point, limit float64) scale {
	var v []float64
	for _, p := range points {
		if p.Y > 0 && !math.IsInf(p.Y, 0) {
			v = append(v, p.Y)
		}
	}
	if len(v) == 0 {
		top := chart.Nice(max(limit, 1) * 1.02)
		return scale{top: top, ticks: linear(top, figure.Axis)}
	}
	slices.Sort(v)
	least, most := v[0], v[len(v)-1]
	if most < logFrom*v[len(v)/2] {
		if limit > 0 && limit < 4*most { // further up it would press the curve flat, too
			most = max(most, limit)
		}
		top := chart.Nice(most * 1.02)
		return scale{top: top, ticks: linear(top, figure.Axis)}
	}
	if limit > 0 {
		least, most = min(least, limit), max(most, limit)
	}
	low, top := math.Floor(math.Log10(least)), math.Ceil(math.Log10(most*1.001))
	return scale{log: true, low: low, top: top, ticks: func(lines int) (out []tick) {
		every := max(1, math.Ceil((top-low)/float64(max(lines/2, 1))))
		for d := top; d > low; d -= every {
			out = append(out, tick{(d - low) / (top - low), figure.Axis(math.Pow(10, d))})
		}
		return out
	}}
}

// of is the share of the height at which v stands; above 1 it lies beyond the scale.
func (s scale) of(v float64) float64 {
	if !s.log {
		return v / s.top
	}
	if v <= 0 {
		return 0
	}
	return max((math.Log10(v)-s.low)/(s.top-s.low), 0)
}

// plot draws a figure with its axes. seconds is what the time axis spans, now where we are on it.
func plot(in *canvas.Canvas, f chart.Figure, seconds, now float64, label func(float64) string) {
	plotOn(in, f, axis{to: seconds, now: now}, linear(f.Top, label))
}

var roles = map[chart.Mark]style.Role{chart.Marked: style.Dim, chart.Ahead: style.Dim, chart.Ruled: style.Warn, chart.Planned: style.Plain, chart.Beside: style.Plain, chart.Got: style.Accent}

// plotOn draws a figure with its axes.
func plotOn(in *canvas.Canvas, f chart.Figure, a axis, at ticks) {
	w, h := in.Size()
	const left = 7
	t := in.Theme
	cols, lines := w-left, h-2
	if cols < 8 || lines < 2 {
		in.Text(0, 0, style.Accent, chart.SparkAt(f.Got, w, f.Top, t.Level))
		return
	}
	for y, row := range chart.Plot(f, cols, lines, t.Level) {
		for x, k := range row {
			if k.Mark != chart.None {
				in.Text(left+x, y, roles[k.Mark], string(k.Rune))
			}
		}
	}
	for y := range lines {
		in.Text(left-1, y, style.Dim, t.V)
	}
	for _, k := range at(lines) { // the value of a tick is the upper edge of its line
		y := lines - int(math.Round(float64(lines)*k.at))
		if y >= 0 && y < lines {
			in.Text(left-1, y, style.Dim, t.Tick)
			in.Right(left-1, y, style.Dim, k.label)
		}
	}
	in.Text(left-1, lines, style.Dim, t.Corner)
	in.Fill(left, lines, cols, style.Dim, t.H)
	timeAxis(in.Sub(left, lines, cols, 2), a)
	for _, m := range f.Marks {
		in.Text(left+int(m*float64(cols)), lines, style.Accent, t.Mark)
	}
}

// timeAxis writes the times under a figure, and now where we are.
func timeAxis(in *canvas.Canvas, a axis) {
	cols := in.Width()
	seconds := a.to - a.from
	last := -1
	step := niceTime(seconds / float64(max(cols/11, 1)))
	name := "now"
	if a.over {
		name = "end"
	}
	nowX := int(min(max(a.x(a.now), 0), 1) * float64(cols-1))
	for at := math.Ceil(a.from/step) * step; at <= a.to; at += step {
		x := int(a.x(at) * float64(cols-1))
		text := figure.Roughly(at)
		if at == 0 {
			text = "0"
		}
		if x <= last || x+len(text) > cols || (x < nowX+4 && x+len(text)+1 > nowX) {
			continue
		}
		in.Text(x, 0, style.Dim, in.Theme.Foot)
		in.Text(x, 1, style.Dim, text)
		last = x + len(text)
	}
	if nowX+3 <= cols {
		in.Text(nowX, 0, style.Accent, in.Theme.Foot)
		in.Text(nowX, 1, style.Accent, name)
	} else {
		in.Right(cols, 1, style.Accent, name)
	}
}

// niceTime is the least usual step that is not below v seconds.
func niceTime(v float64) float64 {
	for _, s := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800} {
		if s >= v {
			return s
		}
	}
	return math.Ceil(v/86400) * 86400
}
