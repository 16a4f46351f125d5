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

// axis is the part of the run, in seconds since its start, that the curves show.
type axis struct {
	from, to, now float64
	over          bool // now is the end
}

// axisOf is the whole plan, or the window with a little of what comes.
func axisOf(l *control.Load, s State) axis {
	now, w := finite(l.Elapsed), s.Window.Seconds()
	a := axis{0, span0(l), now, l.Over()}
	if w <= 0 || w >= a.to {
		return a
	}
	a.from, a.to = max(0, now-w), min(a.to, now+w/8)
	if a.from == 0 {
		a.to = min(span0(l), w)
	}
	return a
}

// x is the place of a moment: 0 at the left edge, 1 at the right one.
func (a axis) x(t float64) float64 { return (t - a.from) / max(a.to-a.from, 1e-9) }

// points of the history that the axis shows.
func (a axis) points(h []control.Point, value func(control.Point) float64) []chart.Point {
	out := make([]chart.Point, 0, len(h))
	for _, p := range h {
		if x := a.x(p.T); x >= 0 && x <= 1 {
			out = append(out, chart.Point{X: x, Y: value(p)})
		}
	}
	return out
}

// marks are the moments at which somebody changed something.
func (a axis) marks(l *control.Load) []float64 {
	var out []float64
	for _, c := range l.Changes {
		if x := a.x(c.T); x >= 0 && x < 1 {
			out = append(out, x)
		}
	}
	return out
}

func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}

// drawRate is the planned rate against the measured one, with the rest of the plan ahead of now, and beneath it how late the
// generator itself was.
func (ld *Load) drawRate(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Sent rate", focused)
		return
	}
	history := ld.history(l, s)
	read := slices.ContainsFunc(history, func(p control.Point) bool { return p.Read > 0 })
	title := fmt.Sprintf("Sent rate msg/s (%s target, %s got", c.Theme.Target, gotSign(c.Theme))
	if l.MaxMode {
		title = fmt.Sprintf("Sent rate msg/s (%s got, max: no target", gotSign(c.Theme))
	}
	if read && c.Width() >= 60 {
		title += ", " + besideSign(c.Theme) + " read back"
	}
	in := c.Stale(l.Silent).BoxAged(title+")"+windowed(s), loadNote(s, l), focused)
	a := axisOf(l, s)
	top := 0.0
	for _, p := range history {
		top = max(top, finite(p.Rate), finite(p.Target))
	}
	if !l.MaxMode {
		top = max(top, finite(l.TargetRate))
		for _, st := range l.Stages {
			top = max(top, finite(st.Target))
		}
	}
	f := chart.Figure{Top: chart.Nice(top * 1.02), Now: a.x(a.now), Got: a.points(history, func(p control.Point) float64 { return p.Rate }), Marks: a.marks(l)}
	if read {
		f.Beside = a.points(history, func(p control.Point) float64 { return p.Read })
	}
	if !l.MaxMode {
		f.Plan = func(x float64) float64 { return planned(l, a.from+x*(a.to-a.from)) }
	}
	w, h := in.Size()
	if lag := h - 1; lag >= 5 { // the honest-generator light
		lagLine(in.Sub(0, lag, w, 1), l, a, history)
		in = in.Sub(0, 0, w, lag)
	}
	plotOn(in, f, a, linear(f.Top, figure.Axis))
}

// lagLine stands under the rate, on the same time axis. A lag below what counts as late does not look like a mountain.
func lagLine(in *canvas.Canvas, l *control.Load, a axis, history []control.Point) {
	points := a.points(history, func(p control.Point) float64 { return p.Lag })
	worst := 10.0
	for _, p := range points {
		worst = max(worst, finite(p.Y))
	}
	role := style.Accent
	if late(l) {
		role = style.Warn
	}
	const left = 7
	in.Text(0, 0, style.Dim, "lag ms")
	in.Text(left, 0, role, chart.SparkAt(points, max(in.Width()-left, 0), worst, in.Theme.Level))
	if text := " up to " + figure.Millis(worst); worst > 10 && in.Width() > 40 {
		in.Right(in.Width(), 0, role, text)
	}
}

func windowed(s State) string {
	if s.Window <= 0 {
		return ""
	}
	return ", last " + figure.Roughly(s.Window.Seconds())
}

// drawTail is the latency over the run: response and service, with the limit as a level line.
func (ld *Load) drawTail(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "p99 over the run", focused)
		return
	}
	title := fmt.Sprintf("p99 ms (%s response, %s service, %s limit)%s", gotSign(c.Theme), besideSign(c.Theme), ruleSign(c.Theme), windowed(s))
	if c.Width() < 66 {
		title = fmt.Sprintf("p99 ms (%s response %s service)%s", gotSign(c.Theme), besideSign(c.Theme), windowed(s))
	}
	in := c.Stale(l.Silent).BoxAged(title, loadNote(s, l), focused)
	ld.latencyPlot(in, l, s)
}

func (ld *Load) latencyPlot(in *canvas.Canvas, l *control.Load, s State) {
	a := axisOf(l, s)
	history := ld.history(l, s)
	timed := func(value func(control.Point) float64) []chart.Point { // a second in which nothing was measured is a gap, not a nought
		return a.points(history, func(p control.Point) float64 {
			if v := value(p); v > 0 {
				return v
			}
			return math.NaN()
		})
	}
	f := chart.Figure{Now: a.x(a.now), Marks: a.marks(l), Peaks: true,
		Got: timed(func(p control.Point) float64 { return p.P99 }), Beside: timed(func(p control.Point) float64 { return p.Service })}
	limit, _ := limitOf(l, "p99")
	t := scaleOf(f.Got, limit)
	f.Top = 1
	for _, all := range [][]chart.Point{f.Got, f.Beside} {
		for i := range all {
			all[i].Y = t.of(all[i].Y)
		}
	}
	if limit > 0 {
		f.Rule = t.of(limit)
	}
	plotOn(in, f, a, t.ticks)
	if limit > 0 && f.Rule > 1 {
		in.Right(in.Width(), 0, style.Dim, " limit "+figure.Millis(limit)+" "+in.Theme.Up)
	}
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

func besideSign(t *style.Theme) string {
	if t.Level == style.ASCII {
		return "o"
	}
	return "·"
}

func ruleSign(t *style.Theme) string {
	if t.Level == style.ASCII {
		return "="
	}
	return "╌"
}

// span0 is the length of the time axis: the whole plan if it is known.
func span0(l *control.Load) float64 { return min(max(finite(l.Total), finite(l.Elapsed), 1), 1e9) }

// planned is the target at t: as it was measured up to now, as the profile says from now on.
func planned(l *control.Load, t float64) float64 {
	if n := len(l.History); n > 0 && t <= l.History[n-1].T {
		return between(l.History, t)
	}
	if ends := l.Total; l.Over() || ends > 0 && t > ends {
		return math.NaN()
	}
	if n := len(l.Plan); n > 1 {
		return ahead(l, t)
	}
	if len(l.Stages) == 0 {
		return l.TargetRate
	}
	at, rate := l.Elapsed, lastTarget(l) // along the stages from where we are
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

// between two points of a curve lies the line from one to the other.
func between(h []control.Point, t float64) float64 {
	j, _ := slices.BinarySearchFunc(h, t, func(p control.Point, t float64) int { return cmp.Compare(p.T, t) })
	switch {
	case j <= 0:
		return h[0].Target
	case j >= len(h):
		return h[len(h)-1].Target
	}
	a, b := h[j-1], h[j]
	if b.T <= a.T || t < a.T {
		return a.Target
	}
	return a.Target + (b.Target-a.Target)*(t-a.T)/(b.T-a.T)
}

// ahead is the profile's curve as it will be from now on. A pause and a skipped stage move it in time, so it is laid with its end on the
// end of the run; a hand that is on the rate moves it up or down.
func ahead(l *control.Load, t float64) float64 {
	shift := 0.0
	if end := l.Plan[len(l.Plan)-1].T; l.Total > 0 {
		shift = l.Total - end
	}
	if !l.Interactive {
		return between(l.Plan, t-shift)
	}
	if held(l) {
		return lastTarget(l)
	}
	factor := 1.0
	if now := between(l.Plan, l.Elapsed-shift); now > 0 && l.TargetRate > 0 {
		factor = l.TargetRate / now
	}
	return between(l.Plan, t-shift) * factor
}

// lastTarget is the rate that is wanted, of a paused run the one before the pause.
func lastTarget(l *control.Load) float64 {
	if l.State == control.Paused {
		for _, p := range slices.Backward(l.History) {
			if p.Target > 0 {
				return p.Target
			}
		}
	}
	return l.TargetRate
}

// held: somebody holds the rate in place of the curve.
func held(l *control.Load) bool {
	for _, c := range slices.Backward(l.Changes) {
		switch {
		case strings.HasPrefix(c.What, "rate held"):
			return true
		case strings.HasPrefix(c.What, "back to"), strings.HasPrefix(c.What, "stage "):
			return false
		}
	}
	return false
}
