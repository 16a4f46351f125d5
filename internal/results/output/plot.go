package output

import (
	"fmt"
	"math"
	"strings"
)

// A plot is a figure whose texts are HTML and whose drawing is SVG that stretches: so letters keep their size at any width.
type plot struct {
	Title, Unit, Note string
	XTitle            string // of the x axis
	Height            int    // px
	Small             bool   // it needs less room than the others
	X, Y              []tick
	Lines             []series
	Rects             []rect
	Scale             []shade // what the inks of rects mean
	Marks             []tick  // vertical lines, numbered as the events are
	Rules             []rule  // horizontal lines
	Bands             []tick  // names of stages, where each begins
}

// shade is an ink and what it stands for.
type shade struct {
	Opacity float64
	Text    string
}

// tick is a label at a share of the axis, in %.
type tick struct {
	At   float64
	Text string
}

type series struct {
	Name, Class, Path string
}

type rect struct {
	X, Y, W, H float64 // of 1000 x 300
	Class      string
	Opacity    float64
	Title      string
}

type rule struct {
	Y    float64 // of 300
	Text string
}

const (
	wide = 1000.0
	high = 300.0
)

// scale maps values to a share of the axis.
type scale struct {
	low, high float64
	log       bool
}

func (s scale) at(v float64) float64 {
	if s.log {
		return (math.Log(max(v, s.low)) - math.Log(s.low)) / (math.Log(s.high) - math.Log(s.low))
	}
	return (v - s.low) / (s.high - s.low)
}

func (s scale) x(v float64) float64 { return wide * min(1, max(0, s.at(v))) }
func (s scale) y(v float64) float64 { return high * (1 - min(1, max(0, s.at(v)))) }

// linear is a scale from 0 to a round number above v.
func linear(v float64) scale {
	if !(v > 0) {
		return scale{0, 1, false}
	}
	step := niceStep(v)
	return scale{0, step * math.Ceil(v/step*1.02), false}
}

func niceStep(v float64) float64 {
	raw := v / 4
	p := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 2.5, 5, 10} {
		if m*p >= raw {
			return m * p
		}
	}
	return 10 * p
}

// logarithmic spans whole steps of 1, 2, 5 around what is shown.
func logarithmic(low, high float64) scale {
	low = max(low, 1e-3)
	high = max(high, low*2)
	return scale{math.Pow(10, math.Floor(math.Log10(low))), roundUp(high), true}
}

func roundUp(v float64) float64 {
	p := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 2, 5} {
		if m*p >= v*0.999 {
			return m * p
		}
	}
	return 10 * p
}

// ticks of a scale: the share counts from the low end.
func (s scale) ticks(text func(float64) string) []tick {
	var all []tick
	if s.log {
		for v := s.low; v <= s.high*1.001; v *= 10 {
			all = append(all, tick{100 * s.at(v), text(v)})
		}
		if len(all) < 3 {
			for v := s.low; v <= s.high; v *= 10 {
				for _, m := range []float64{2, 5} {
					if v*m <= s.high*1.001 {
						all = append(all, tick{100 * s.at(v*m), text(v * m)})
					}
				}
			}
		}
		return all
	}
	step := niceStep(s.high - s.low)
	for v := s.low; v <= s.high*1.0001; v += step {
		all = append(all, tick{100 * s.at(v), text(v)})
	}
	return all
}

// line draws points; a value that is not a number breaks it.
func line(n int, x, y func(i int) float64) string {
	var b strings.Builder
	pen := "M"
	for i := range n {
		u, v := x(i), y(i)
		if math.IsNaN(u) || math.IsNaN(v) {
			pen = "M"
			continue
		}
		fmt.Fprintf(&b, "%s%.1f %.1f", pen, u, v)
		pen = "L"
	}
	return b.String()
}

// clock writes s of a schedule for an axis.
func clock(s float64) string {
	switch {
	case s < 120:
		return fmt.Sprintf("%gs", math.Round(s*10)/10)
	case s < 7200:
		return fmt.Sprintf("%gm", math.Round(s/6)/10)
	}
	return fmt.Sprintf("%gh", math.Round(s/360)/10)
}

// timeScale is the x axis of what goes over time.
func timeScale(end float64) (scale, []tick) {
	s := scale{0, max(end, 1), false}
	step := s.high / 4
	for _, nice := range []float64{1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400} {
		if nice >= s.high/6 {
			step = nice
			break
		}
	}
	var all []tick
	for v := 0.0; v <= s.high; v += step {
		all = append(all, tick{100 * s.at(v), clock(v)})
	}
	return s, all
}

// short writes an axis label: 12k, 3.4M.
func short(v float64) string {
	for _, u := range []struct {
		size float64
		unit string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if math.Abs(v) >= u.size {
			return fmt.Sprintf("%.3g%s", v/u.size, u.unit)
		}
	}
	return fmt.Sprintf("%.3g", v)
}

// Grid is where a tick of the y axis crosses the drawing.
func (t tick) Grid() float64 { return high * (1 - t.At/100) }
