package screen

import (
	"fmt"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/chart"
	"weir/tui/figure"
	"weir/tui/style"
)

// busy is the share of the generator's cores that are in use above which it is no longer trusted.
const busy = 0.85

func cpuShare(l *control.Load) float64 {
	if l.Self.Cores <= 0 {
		return 0
	}
	return l.CPU / float64(l.Self.Cores)
}

// unwell says what is wrong with the generator itself, in a few words; empty: nothing.
func unwell(l *control.Load) string {
	switch {
	case invalid(l) != "":
		return "INVALID"
	case cpuShare(l) >= busy:
		return "CPU " + figure.Percent(cpuShare(l)) + " busy"
	case late(l):
		return "late"
	case l.Self.GCPauseP99 > 10:
		return "GC " + figure.Millis(l.Self.GCPauseP99) + " ms"
	}
	return ""
}

func health(p *canvas.Pen, l *control.Load) {
	cpu := fmt.Sprintf("%.1f", l.CPU)
	if odd(l.CPU) {
		cpu = "-"
	}
	if n := l.Self.Cores; n > 0 {
		cpu += fmt.Sprintf(" of %d", n)
	}
	cpu += " cores"
	if why := unwell(l); why != "" {
		p.Put(style.Warn, themeOf(p).Warn+" "+why)
		if p.Room() > len(cpu)+2 {
			p.Put(style.Plain, "  "+cpu)
		}
		return
	}
	p.Put(style.Plain, cpu).Put(style.Good, " "+themeOf(p).Good)
}

func odd(v float64) bool { return v != v || v-v != 0 }

func briefGenerator(p *canvas.Pen, s State) {
	if l := s.Snap.Load; l != nil {
		health(p.Put(style.Dim, "generator "), l)
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
	w, h := in.Size()
	y := 0
	line := func(name string, draw func(p *canvas.Pen)) {
		if y < h {
			draw(in.At(0, y).Put(style.Dim, name).To(13))
			y++
		}
	}
	if why := invalid(l); why != "" {
		for _, text := range in.Wrap("INVALID: "+why, w, max(min(3, h-4), 1)) {
			in.Text(0, y, style.Bad, text)
			y++
		}
	}
	g := l.Self
	line("CPU", func(p *canvas.Pen) {
		role := style.Plain
		if cpuShare(l) >= busy {
			role = style.Warn
		}
		health(p, l)
		if share := cpuShare(l); share > 0 && p.Room() > 12 {
			p.Put(style.Plain, "  ").Put(role, chart.Bar(share, p.Room()-8, in.Theme.Level)).Fit(role, " "+figure.Percent(share), 0)
		}
	})
	line("memory", func(p *canvas.Pen) { p.Put(style.Plain, figure.Bytes(float64(l.RSS))) })
	line("GC pause", func(p *canvas.Pen) {
		if g.GCPauses == 0 {
			p.Fit(style.Dim, "none so far", 0)
			return
		}
		p.Put(style.Plain, fmt.Sprintf("p99 %s max %s ms", figure.Millis(g.GCPauseP99), figure.Millis(g.GCPauseMax))).Fit(style.Dim, "  of "+figure.Count(g.GCPauses), 0)
	})
	line("schedule lag", func(p *canvas.Pen) {
		role := style.Plain
		if late(l) {
			role = style.Warn
		}
		p.Put(role, figure.Millis(l.LagP99)+" ms p99")
	})
	line("in flight", func(p *canvas.Pen) {
		p.Put(style.Plain, figure.Count(l.InFlight))
		if l.MaxInFlight > 0 {
			p.Fit(style.Dim, " of "+figure.Count(l.MaxInFlight), 0)
		}
	})
	line("window full", func(p *canvas.Pen) {
		role := style.Plain
		if g.WindowFullS > 0 {
			role = style.Warn
		}
		p.Put(role, fmt.Sprintf("%s in all", figure.Seconds(g.WindowFullS)))
		if g.WindowFullS > 0 {
			p.Fit(style.Dim, "  the broker took less", 0)
		}
	})
	line("clock", func(p *canvas.Pen) {
		if g.ClockError == 0 {
			p.Fit(style.Dim, "of the broker: not measured", 0)
			return
		}
		p.Fit(style.Plain, fmt.Sprintf("the broker's %s ms %s, to %s ms", figure.Millis(max(g.Clock, -g.Clock)), map[bool]string{true: "behind", false: "ahead"}[g.Clock < 0], figure.Millis(g.ClockError)), 0)
	})
	if l.Resumed > 0 {
		line("resumed", func(p *canvas.Pen) { p.Put(style.Warn, fmt.Sprintf("%d times", l.Resumed)) })
	}
	if l.Dropped > 0 {
		line("dropped", func(p *canvas.Pen) {
			p.Put(style.Warn, figure.Count(l.Dropped)).Fit(style.Dim, "  due while the window was full", 0)
		})
	}
	if h-y > 1 && w >= 40 { // room for the causes where the panel of errors is not shown
		for _, cause := range causesOf(l) {
			line("error", func(p *canvas.Pen) {
				p.Put(style.Warn, figure.Count(cause.Count)).Put(style.Plain, "  ").Fit(style.Plain, cause.Text, 0)
			})
		}
	}
}
