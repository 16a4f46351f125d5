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

// drawPreview is what a run would do: its rate over time, its sizes, what it needs, what to beware of.
func (pf *Profiles) drawPreview(c *canvas.Canvas, s State, focused bool) {
	v, old, waits := pf.current()
	title := "Preview"
	if p := pf.selected(); pf.open == nil && p != nil {
		title += " of " + p.Name
	}
	age := ""
	switch {
	case v != nil && old && waits:
		age = "of an earlier text, updating"
	case v != nil && old:
		age = "of an earlier text"
	}
	in := c.BoxAged(title, age, focused)
	w, h := in.Size()
	switch {
	case pf.open == nil && pf.selected() != nil && pf.selected().Problem != nil:
		complain(in, placed(*pf.selected().Problem))
		return
	case v == nil && waits:
		in.At(0, 0).Put(style.Dim, "making it "+in.Theme.Ellipsis)
		return
	case v == nil:
		in.At(0, 0).Put(style.Dim, "none yet")
		return
	case v.Error != "" && pf.open == nil:
		complain(in, v.Error)
		return
	case v.Error != "":
		y := pf.open.troubles(in, 0, 3)
		pf.changes(in, y)
		return
	}
	part := in.Stale(old)
	plot := max(min(h/3, 14), 4)
	wide := pf.open != nil && pf.split && c.Width() < 120 // not zoomed
	if wide || pf.open == nil {
		plot = max(min(h-7, 16), 4)
	}
	y := drawPlan(part.Sub(0, 0, w, plot), v)
	y = drawNeeds(part, v, y)
	if wide {
		return
	}
	if pf.open == nil {
		for _, text := range v.Warnings {
			for i, line := range in.Wrap(text, w-2, h-y) {
				if i == 0 {
					part.Text(0, y, style.Warn, in.Theme.Warn)
				}
				part.Text(2, y, style.Warn, line)
				y++
			}
		}
		return
	}
	if d := pf.open; len(d.Problems) > 0 || len(v.Warnings) > 0 && !old {
		rows := in.Sub(0, y, w, max(h-y-3, 1))
		y += d.troubles(rows, 0, 2)
	}
	pf.changes(in, y)
}

func complain(in *canvas.Canvas, text string) {
	w, h := in.Size()
	for y, line := range in.Wrap(in.Theme.Bad+" "+text, w, h) {
		in.Text(0, y, style.Warn, line)
	}
}

// changes is the difference to the saved file below line y.
func (pf *Profiles) changes(in *canvas.Canvas, y int) {
	w, h := in.Size()
	if d := pf.open; d != nil && d.dirty() && h-y >= 2 {
		in.At(0, y).Put(style.Dim, "difference to the saved file:")
		d.drawChanges(in.Sub(0, y+1, w, h-y-1))
	}
}

// drawPlan is the rate over the whole plan. It gives the lines that it took.
func drawPlan(in *canvas.Canvas, v *control.ProfilePreview) int {
	w, h := in.Size()
	rate := func(x float64) string { return figure.Axis(x) }
	unit := "msg/s"
	if v.Unit == "bytes/s" {
		rate, unit = figure.Bytes, "bytes/s"
	}
	if len(v.Curve) == 0 {
		in.At(0, 0).Put(style.Dim, "rate  ").Fit(style.Plain, "as fast as acknowledgements allow", 0)
		return 1
	}
	top, end := 0.0, v.Curve[len(v.Curve)-1].T
	points := make([]chart.Point, len(v.Curve))
	for i, p := range v.Curve {
		top = max(top, p.Target)
		points[i] = chart.Point{X: p.T / max(end, 1e-9), Y: p.Target}
	}
	top = chart.Nice(top)
	const left = 8
	lines, cols := h-3, w-left
	in.At(0, 0).Put(style.Dim, "rate "+unit+"  ").Fit(style.Plain, "peak "+rate(peakOf(v)), 0)
	if lines < 2 || cols < 8 {
		values := make([]float64, len(v.Curve))
		for i, p := range v.Curve {
			values[i] = p.Target
		}
		in.Text(0, 1, style.Accent, chart.Spark(values, w, top, in.Theme.Level))
		return 2
	}
	for y, row := range chart.Plot(chart.Figure{Top: top, Got: points, Now: 1}, cols, lines, in.Theme.Level) {
		for x, k := range row {
			if k.Mark != chart.None {
				in.Text(left+x, 1+y, style.Accent, string(k.Rune))
			}
		}
		in.Text(left-1, 1+y, style.Dim, in.Theme.V)
	}
	for _, k := range []float64{0.5, 1} {
		y := 1 + lines - int(math.Round(float64(lines)*k))
		in.Text(left-1, y, style.Dim, in.Theme.Tick)
		in.Right(left-1, y, style.Dim, rate(top*k))
	}
	in.Text(left-1, 1+lines, style.Dim, in.Theme.Corner)
	in.Fill(left, 1+lines, cols, style.Dim, in.Theme.H)
	for _, k := range []float64{0, 0.5, 1} {
		text := figure.Roughly(end * k)
		if k == 0 {
			text = "0"
		}
		x := min(left+int(float64(cols-1)*k)-canvas.Width(text)/2, w-canvas.Width(text))
		in.Text(max(x, left-1), 2+lines, style.Dim, text)
	}
	return lines + 3
}

func peakOf(v *control.ProfilePreview) float64 {
	if v.Unit == "bytes/s" {
		return v.PeakB
	}
	return v.Peak
}

// drawNeeds is sizes, volume, keys and what the run asks of the machines.
func drawNeeds(in *canvas.Canvas, v *control.ProfilePreview, y int) int {
	w, h := in.Size()
	line := func(name string) *canvas.Pen {
		y++
		return in.At(0, y-1).Put(style.Dim, name).To(7)
	}
	if y < h {
		bars := make([]float64, len(v.Sizes))
		for i, b := range v.Sizes {
			bars[i] = float64(b.Count)
		}
		p := line("size")
		if n := min(len(bars), max(w-40, 8)); len(bars) > 1 {
			p.Put(style.Accent, chart.Spark(bars, n, 0, in.Theme.Level)).Put(style.Plain, "  ")
		}
		p.Fit(style.Plain, fmt.Sprintf("p50 %s  p99 %s B", figure.Short(v.Size.P50), figure.Short(v.Size.P99)), 0)
		if p.Room() > 16 {
			p.Fit(style.Plain, "  max "+figure.Short(v.Size.Max), 0)
		}
	}
	if y < h {
		line("sends").Fit(style.Plain, volumeText(v), 0)
	}
	if y < h && v.PeakB > 0 {
		line("needs").Fit(style.Plain, fmt.Sprintf("%s/s at the peak, %.1f cores", figure.Bytes(v.PeakB), math.Max(v.Cores, 0.1)), 0)
	}
	for _, part := range v.Parts {
		if y >= h {
			break
		}
		p := line("topic").Put(style.Plain, part.Topic)
		if len(v.Parts) > 1 {
			p.Put(style.Plain, fmt.Sprintf(" %.0f%%", 100*part.Share))
		}
		if part.Keys > 0 {
			p.Fit(style.Plain, fmt.Sprintf("  hottest of %d gets %.0f%%", part.Partitions, 100*part.Hottest), 0)
		} else {
			p.Fit(style.Plain, fmt.Sprintf("  %d partitions, no keys", part.Partitions), 0)
		}
	}
	return y
}

// drawDry is the dry run: stages, parts and sample records, on the whole screen.
func (pf *Profiles) drawDry(c *canvas.Canvas, s State, focused bool) {
	d := pf.open
	if d == nil {
		return
	}
	in := c.Box("Dry run of "+d.Name+": nothing is sent", focused)
	w, h := in.Size()
	v := d.preview
	switch {
	case v == nil || d.shows != d.Text:
		in.At(0, 0).Put(style.Dim, "making it "+in.Theme.Ellipsis)
		return
	case v.Error != "":
		d.troubles(in, 0, h)
		return
	}
	var lines []dryLine
	add := func(role style.Role, format string, args ...any) {
		lines = append(lines, dryLine{role, fmt.Sprintf(format, args...)})
	}
	unit := func(r float64) string {
		if v.Unit == "bytes/s" {
			return figure.Bytes(r) + "/s"
		}
		return figure.Short(r) + "/s"
	}
	for i, st := range v.Stages {
		length := "until the volume is sent"
		if st.Duration > 0 {
			length = figure.Roughly(st.Duration)
		}
		add(style.Plain, "stage %-2d  %-16s %10s  to %s", i+1, in.Fit(st.Name, 16), length, unit(st.Target))
	}
	add(style.Plain, "volume    %s", volumeText(v))
	add(style.Plain, "size      p50 %s  p90 %s  p99 %s  max %s B, of %s sampled", figure.Short(v.Size.P50), figure.Short(v.Size.P90), figure.Short(v.Size.P99), figure.Short(v.Size.Max), figure.Count(v.Size.Count))
	for _, p := range v.Parts {
		name := p.Topic
		if p.Name != "" {
			name = p.Name + " into " + p.Topic
		}
		add(style.Plain, "part      %s: %.1f%% of the messages, %s keys, the fullest of %d partitions gets %.1f%%", name, 100*p.Share, figure.Short(float64(p.Keys)), p.Partitions, 100*p.Hottest)
		if p.Faults > 0 {
			add(style.Warn, "          %s of %s sampled are wrong on purpose", figure.Count(p.Faults), figure.Count(p.Of))
		}
	}
	add(style.Plain, "cost      %.0f ns to make a message: %s/s on one core", v.Each, figure.Short(1e9/math.Max(v.Each, 1)))
	for _, text := range v.Warnings {
		add(style.Warn, "%s         %s", in.Theme.Warn, text)
	}
	for _, m := range v.Samples {
		label := ""
		if m.Part != "" {
			label = " of " + m.Part
		}
		if m.Fault != "" {
			label += " (" + m.Fault + ", on purpose)"
		}
		add(style.Strong, "message %d%s, key %q, %d bytes", m.Number, label, m.Key, m.Bytes)
		if m.Record != "" {
			for _, l := range in.Wrap(m.Record, w-2, 40) {
				add(style.Plain, "  %s", l)
			}
		}
		for _, l := range in.Wrap(m.Hex, w-2, 4) {
			add(style.Dim, "  %s", l)
		}
	}
	d.dryTop = min(d.dryTop, max(len(lines)-h, 0))
	for y := 0; y < h && d.dryTop+y < len(lines); y++ {
		in.At(0, y).Fit(lines[d.dryTop+y].role, lines[d.dryTop+y].text, 0)
	}
	if rest := len(lines) - d.dryTop - h; rest > 0 {
		in.Right(w, h-1, style.Dim, fmt.Sprintf(" %s %d more", in.Theme.More, rest))
	}
}

type dryLine struct {
	role style.Role
	text string
}
