// Package chart turns numbers into characters: sparks, bars, and a plot of a measured curve against a planned one.
//
// Start with [Spark], [Bar] or [Plot]. Nothing here knows colour; the level says which characters the terminal can show.
//
// # Promises
//
// A spark or bar has exactly the width that was asked for. A peak is never lost when many values share a column: the column
// shows the greatest of them. Not-a-number and infinite values draw as gaps.
package chart

import (
	"math"
	"strings"

	"weir/tui/style"
)

var (
	blockSteps = []rune(" ▁▂▃▄▅▆▇█")
	asciiSteps = []rune(" .:-=+*#@")
	barSteps   = []rune(" ▏▎▍▌▋▊▉█")
)

// Spark draws the values, the oldest first, as one line of columns, scaled from 0 to top; top 0 takes the greatest value.
// Fewer values than columns stand at the right: now is always at the right edge.
func Spark(values []float64, width int, top float64, level style.Level) string {
	if width <= 0 {
		return ""
	}
	columns := Resample(values, width)
	if top <= 0 {
		for _, v := range columns {
			if ok(v) {
				top = max(top, v)
			}
		}
	}
	steps := blockSteps
	if level == style.ASCII {
		steps = asciiSteps
	}
	var b strings.Builder
	b.WriteString(strings.Repeat(" ", width-len(columns)))
	for _, v := range columns {
		b.WriteRune(steps[step(v, top, len(steps)-1)])
	}
	return b.String()
}

// step is which of n marks shows v on a scale to top: 0 only for a gap, 1 at least for a value.
func step(v, top float64, n int) int {
	if !ok(v) {
		return 0
	}
	if top <= 0 || v <= 0 {
		return 1
	}
	return int(min(max(math.Ceil(v/top*float64(n)), 1), float64(n)))
}

func ok(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Resample gives at most width values; each is the greatest of those that fall into its column.
func Resample(values []float64, width int) []float64 {
	if len(values) <= width || width <= 0 {
		return values
	}
	out := make([]float64, width)
	for i := range out {
		from, to := i*len(values)/width, (i+1)*len(values)/width
		out[i] = math.NaN()
		for _, v := range values[from:max(to, from+1)] {
			if ok(v) && (!ok(out[i]) || v > out[i]) {
				out[i] = v
			}
		}
	}
	return out
}

// Columns draws each value as an upright column across the width, height lines from the top one down, scaled to the greatest; a
// value above 0 is never without a mark.
func Columns(values []float64, width, height int, level style.Level) []string {
	out := make([]string, max(height, 0))
	if width <= 0 || len(values) == 0 {
		return out
	}
	values = Resample(values, width)
	steps := blockSteps
	if level == style.ASCII {
		steps = asciiSteps
	}
	top := 0.0
	for _, v := range values {
		if ok(v) {
			top = max(top, v)
		}
	}
	n := len(steps) - 1
	for y := range out {
		var b strings.Builder
		for x := range width {
			i := x * len(values) / width
			full := 0
			if v := values[i]; ok(v) && v > 0 {
				full = step(v, top, n*height)
			}
			k := min(max(full-n*(height-1-y), 0), n)
			if next := (x + 1) * len(values) / width; next != i && width >= 3*len(values) { // a gap between columns
				k = 0
			}
			b.WriteRune(steps[k])
		}
		out[y] = b.String()
	}
	return out
}

// Bar fills share (0..1) of width cells, to an eighth of a cell; the rest is blank.
func Bar(share float64, width int, level style.Level) string {
	if width <= 0 {
		return ""
	}
	if !ok(share) {
		share = 0
	}
	share = min(max(share, 0), 1)
	if level == style.ASCII {
		n := int(math.Round(share * float64(width)))
		return strings.Repeat("#", n) + strings.Repeat(".", width-n)
	}
	eighths := int(math.Round(share * float64(width) * 8))
	full := eighths / 8
	s := strings.Repeat("█", full)
	if rest := eighths % 8; rest > 0 && full < width {
		s += string(barSteps[rest])
		full++
	}
	return s + strings.Repeat(" ", width-full)
}

// Nice is the least of 1, 2, 2.5, 5 x 10^n that is not below v: the top of an axis.
func Nice(v float64) float64 {
	if !ok(v) || v <= 0 {
		return 1
	}
	base := math.Pow(10, math.Floor(math.Log10(v)))
	for _, m := range []float64{1, 1.5, 2, 2.5, 3, 4, 5, 6, 8} {
		if v <= m*base*(1+1e-9) {
			return m * base
		}
	}
	return 10 * base
}
