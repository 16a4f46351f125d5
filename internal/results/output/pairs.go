package output

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"weir/internal/regress"
)

// pairStrip shows a metric's pairs: a dot for each, the estimate with its interval, and the floor below which nobody minds.
type pairStrip struct {
	Finding  regress.Finding
	Gated    bool
	Floor    string
	Baseline string
	Build    string
	From, To float64 // of the floor's band, %
	Left     float64 // of the interval, %
	Width    float64
	Estimate float64 // %
	Dots     []tick
	Axis     []tick
}

// apart is how far two labels of a strip must lie apart, in %, so that they can be read on a telephone.
const apart = 17

func stripsOf(c *regress.Comparison) []pairStrip {
	var all []pairStrip
	for _, f := range c.Findings {
		if len(f.Pairs) == 0 {
			continue
		}
		reach := max(1.5*f.Metric.Floor, math.Abs(f.From), math.Abs(f.To))
		var worse []float64
		for _, p := range f.Pairs {
			d := p.Candidate/p.Base - 1
			if f.Metric.Better == regress.High {
				d = p.Base/p.Candidate - 1
			}
			worse = append(worse, d)
			reach = max(reach, math.Abs(d))
		}
		reach *= 1.08
		at := func(v float64) float64 { return math.Round(1000*min(100, max(0, 50+50*v/reach))) / 1000 }
		base, cand := medians(f.Pairs)
		s := pairStrip{Finding: f, Gated: f.Metric.Gated, Baseline: fmt.Sprintf("%.4g %s", base, f.Metric.Unit), Build: fmt.Sprintf("%.4g %s", cand, f.Metric.Unit),
			Floor: floorText(f.Metric), From: at(-f.Metric.Floor), To: at(f.Metric.Floor), Left: at(f.From), Width: at(f.To) - at(f.From), Estimate: at(f.Estimate)}
		what := "pair"
		if c.Window > 0 {
			what = "window"
		}
		for i, d := range worse {
			s.Dots = append(s.Dots, tick{at(d), fmt.Sprintf("%s %d: %+.1f %%", what, i+1, 100*d)})
		}
		s.Axis = []tick{{50, "same"}}
		label := func(v float64) tick { return tick{at(v), fmt.Sprintf("%+.3g %%", 100*v)} }
		if s.To-50 > apart {
			s.Axis = append(s.Axis, label(-f.Metric.Floor), label(f.Metric.Floor))
		}
		if far := reach / 1.25; at(far)-max(s.To, 50) > apart || s.To-50 <= apart {
			digits := math.Pow(10, math.Floor(math.Log10(far))-1)
			far = digits * math.Floor(far/digits)
			s.Axis = append(s.Axis, label(-far), label(far))
		}
		all = append(all, s)
	}
	return all
}

func floorText(m regress.Metric) string {
	text := fmt.Sprintf("%.3g %%", 100*m.Floor)
	if m.Absolute > 0 {
		text += fmt.Sprintf(" and %.3g %s", m.Absolute, m.Unit)
	}
	return text
}

// duetPlots are the windows of a duet over time, a plot for each metric.
func duetPlots(c *regress.Comparison) []plot {
	if c.Window <= 0 {
		return nil
	}
	sides := map[string]regress.Run{}
	for _, r := range c.Runs {
		if r.Round == 1 {
			sides[r.Build] = r // the last one: those before were invalid
		}
	}
	var all []plot
	note := fmt.Sprintf("both builds read the same log at the same time, in windows of %g s", c.Window)
	for _, f := range c.Findings {
		m := f.Metric
		a, b := sides[regress.Baseline].Windows[m.Name], sides[regress.Candidate].Windows[m.Name]
		n := min(len(a), len(b))
		if n < 2 {
			continue
		}
		x, ticks := timeScale(float64(n) * c.Window)
		y := linear(max(slices.Max(a), slices.Max(b)))
		p := plot{Title: m.Name, Unit: m.Unit, Height: 160, X: ticks, Y: y.ticks(short), XTitle: "since the end of the warm-up", Note: note}
		note = ""
		for _, s := range []struct {
			name, class string
			v           []float64
		}{{regress.Baseline, "c1", a}, {regress.Candidate, "c3", b}} {
			p.Lines = append(p.Lines, series{s.name, s.class, line(n, func(i int) float64 { return x.x((float64(i) + 0.5) * c.Window) }, func(i int) float64 {
				if s.v[i] == 0 {
					return math.NaN()
				}
				return y.y(s.v[i])
			})})
		}
		all = append(all, p)
	}
	return all
}

// runTable are the runs of a comparison, a column for each metric.
func runTable(c *regress.Comparison) (head []string, rows [][]string) {
	if c.Window > 0 {
		head = append(head, "build")
	} else {
		head = append(head, "pair", "build")
	}
	var metrics []string
	for _, f := range c.Findings {
		if slices.ContainsFunc(c.Runs, func(r regress.Run) bool { return r.Values[f.Metric.Name] != 0 }) {
			metrics = append(metrics, f.Metric.Name)
			head = append(head, strings.TrimSpace(f.Metric.Name+" "+f.Metric.Unit))
		}
	}
	head = append(head, "")
	for _, r := range c.Runs {
		name := r.Build
		var row []string
		if c.Window == 0 {
			row = append(row, fmt.Sprint(r.Pair))
		}
		if r.Round > 1 {
			name += " (2nd round)"
		}
		row = append(row, name)
		for _, m := range metrics {
			cell := "–"
			if v, ok := r.Values[m]; ok {
				cell = fmt.Sprintf("%.4g", v)
			}
			row = append(row, cell)
		}
		note := r.Broken
		if r.Invalid != "" {
			note = "invalid: " + r.Invalid
		}
		rows = append(rows, append(row, note))
	}
	return head, rows
}

func medians(all []regress.Pair) (base, candidate float64) {
	var a, b []float64
	for _, p := range all {
		a, b = append(a, p.Base), append(b, p.Candidate)
	}
	return middle(a), middle(b)
}

func middle(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	slices.Sort(v)
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
