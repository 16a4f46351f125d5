package screen

import (
	"fmt"
	"math"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/chart"
	"weir/tui/figure"
	"weir/tui/style"
)

// drawRate is the planned rate against the measured one, with the rest of the plan ahead of now.
func drawRate(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Sent rate", focused)
		return
	}
	title := fmt.Sprintf("Sent rate msg/s (%s target, %s got)", c.Theme.Target, gotSign(c.Theme))
	if l.MaxMode {
		title = fmt.Sprintf("Sent rate msg/s (%s got; max: no target)", gotSign(c.Theme))
	}
	in := c.Stale(l.Silent).BoxAged(title, loadNote(s, l), focused)
	top := 0.0
	got := make([]chart.Point, 0, len(l.History))
	end := span0(l)
	for _, p := range l.History {
		top = max(top, p.Rate, p.Target)
		got = append(got, chart.Point{X: p.T / end, Y: p.Rate})
	}
	if !l.MaxMode {
		top = max(top, l.TargetRate)
		for _, st := range l.Stages {
			top = max(top, st.Target)
		}
	}
	f := chart.Figure{Top: chart.Nice(top * 1.02), Now: l.Elapsed / end, Got: got}
	if !l.MaxMode {
		f.Plan = func(x float64) float64 { return planned(l, x*end) }
	}
	plot(in, f, end, l.Elapsed, figure.Axis)
}

// drawTail is the p99 over the whole run.
func drawTail(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "p99 over the run", focused)
		return
	}
	in := c.Stale(l.Silent).BoxAged("p99 over the run (ms from the intended send)", loadNote(s, l), focused)
	top := 0.0
	end := span0(l)
	got := make([]chart.Point, 0, len(l.History))
	for _, p := range l.History {
		top = max(top, p.P99)
		got = append(got, chart.Point{X: p.T / end, Y: p.P99})
	}
	plot(in, chart.Figure{Top: chart.Nice(top * 1.02), Now: l.Elapsed / end, Got: got}, end, l.Elapsed, figure.Axis)
}

func gotSign(t *style.Theme) string {
	switch t.Level {
	case style.Braille:
		return "⣀"
	case style.Blocks:
		return "█"
	}
	return "*"
}

// span0 is the length of the time axis: the whole plan if it is known.
func span0(l *control.Load) float64 { return max(l.Total, l.Elapsed, 1) }

// planned is the target at t: as it was measured up to now, as the stages say from now on.
func planned(l *control.Load, t float64) float64 {
	h := l.History
	if n := len(h); n > 0 && t <= h[n-1].T {
		i, j := 0, n-1
		for j-i > 1 {
			if m := (i + j) / 2; h[m].T <= t {
				i = m
			} else {
				j = m
			}
		}
		if t < h[i].T || h[j].T <= h[i].T {
			return h[i].Target
		}
		return h[i].Target + (h[j].Target-h[i].Target)*(t-h[i].T)/(h[j].T-h[i].T)
	}
	if len(l.Stages) == 0 {
		return l.TargetRate
	}
	at, rate := l.Elapsed, l.TargetRate // ahead: along the stages from where we are
	begin := 0.0
	for i, st := range l.Stages {
		end := begin + st.Duration
		if i >= l.StageIndex && end > at {
			if t <= end {
				return rate + (st.Target-rate)*min(max((t-at)/(end-at), 0), 1)
			}
			at, rate = end, st.Target
		}
		begin = end
	}
	if t > begin+1 && begin > 0 {
		return math.NaN() // after the last stage nothing is planned
	}
	return rate
}

// plot draws a figure with its axes. seconds is what the time axis spans, now where we are on it.
func plot(in *canvas.Canvas, f chart.Figure, seconds, now float64, label func(float64) string) {
	w, h := in.Size()
	const left = 7
	t := in.Theme
	cols, lines := w-left, h-2
	if cols < 8 || lines < 2 {
		values := make([]float64, len(f.Got))
		for i, p := range f.Got {
			values[i] = p.Y
		}
		in.Text(0, 0, style.Accent, chart.Spark(values, w, f.Top, t.Level))
		return
	}
	for y, row := range chart.Plot(f, cols, lines, t.Level) {
		for x, k := range row {
			role := style.Dim
			switch k.Mark {
			case chart.None:
				continue
			case chart.Planned:
				role = style.Plain
			case chart.Got:
				role = style.Accent
			}
			in.Text(left+x, y, role, string(k.Rune))
		}
	}
	for y := range lines {
		in.Text(left-1, y, style.Dim, t.V)
	}
	ticks := 2
	if lines >= 8 {
		ticks = 4
	}
	for k := 1; k <= ticks; k++ { // the value of a tick is the upper edge of its line
		v := f.Top * float64(k) / float64(ticks)
		y := lines - int(math.Round(float64(lines*k)/float64(ticks)))
		in.Text(left-1, y, style.Dim, t.Tick)
		in.Right(left-1, y, style.Dim, label(v))
	}
	in.Text(left-1, lines, style.Dim, t.Corner)
	in.Fill(left, lines, cols, style.Dim, t.H)
	last := -1
	step := niceTime(seconds / float64(max(cols/11, 1)))
	nowX := int(min(now/seconds, 1) * float64(cols-1))
	for at := 0.0; at <= seconds; at += step {
		x := int(at / seconds * float64(cols-1))
		text := figure.Roughly(at)
		if at == 0 {
			text = "0"
		}
		if x <= last || x+len(text) > cols || (x < nowX+4 && x+len(text)+1 > nowX) {
			continue
		}
		in.Text(left+x, lines, style.Dim, t.Foot)
		in.Text(left+x, lines+1, style.Dim, text)
		last = x + len(text)
	}
	if nowX+3 <= cols {
		in.Text(left+nowX, lines, style.Accent, t.Foot)
		in.Text(left+nowX, lines+1, style.Accent, "now")
	} else {
		in.Right(w, lines+1, style.Accent, "now")
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
