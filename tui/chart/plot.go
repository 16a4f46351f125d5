package chart

import (
	"math"

	"weir/tui/style"
)

// A Mark says what a cell of a plot belongs to, so that the caller can give it a colour.
type Mark uint8

// The marks, the stronger ones last: got is drawn over the plan.
const (
	None    Mark = iota
	Planned      // the plan up to now
	Ahead        // the plan from now on
	Got
)

// A Cell of a plot.
type Cell struct {
	Rune rune
	Mark Mark
}

// A Curve is a value at each x from 0 to 1 across the plot; NaN where there is none.
type Curve func(x float64) float64

// A Figure is what [Plot] draws: a measured curve over a planned one, scaled from 0 to Top.
type Figure struct {
	Top  float64
	Plan Curve   // nil: none
	Now  float64 // the plan from here on (0..1) is drawn as lying ahead
	Got  []Point // ordered by X
}

// A Point of the measured curve.
type Point struct{ X, Y float64 } // X 0..1

// Plot draws into width x height cells, the top line first.
func Plot(f Figure, width, height int, level style.Level) [][]Cell {
	rows := make([][]Cell, max(height, 0))
	cells := make([]Cell, max(width, 0)*len(rows))
	for y := range rows {
		rows[y], cells = cells[:width:width], cells[width:]
	}
	if width <= 0 || height <= 0 || f.Top <= 0 {
		return rows
	}
	if f.Plan != nil {
		plan(rows, f, width, height, level)
	}
	switch level {
	case style.Braille:
		braille(rows, f, width, height)
	case style.Blocks:
		columns(rows, f, width, height, '█', blockSteps)
	default:
		points(rows, f, width, height)
	}
	return rows
}

func plan(rows [][]Cell, f Figure, width, height int, level style.Level) {
	line, ahead := '─', '┄'
	if level == style.ASCII {
		line, ahead = '-', '.'
	}
	for x := range width {
		at := (float64(x) + 0.5) / float64(width)
		v := f.Plan(at)
		if !ok(v) {
			continue
		}
		c := Cell{line, Planned}
		if at > f.Now {
			c = Cell{ahead, Ahead}
		}
		rows[row(v, f.Top, height)][x] = c
	}
}

// row that holds v, counted from the top.
func row(v, top float64, height int) int {
	r := int(math.Floor(v / top * float64(height)))
	return height - 1 - min(max(r, 0), height-1)
}

// braille draws the measured curve as a line of dots, 2 x 4 to a cell.
func braille(rows [][]Cell, f Figure, width, height int) {
	dots := [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}
	set := func(px, py int) {
		if px < 0 || px >= 2*width || py < 0 || py >= 4*height {
			return
		}
		c := &rows[py/4][px/2]
		if c.Mark != Got {
			*c = Cell{0x2800, Got}
		}
		c.Rune |= dots[py%4][px%2]
	}
	values := perColumn(f.Got, 2*width)
	last := -1
	for px, v := range values {
		if !ok(v) {
			last = -1
			continue
		}
		py := 4*height - 1 - min(max(int(math.Round(v/f.Top*float64(4*height)-0.5)), 0), 4*height-1)
		set(px, py)
		if last >= 0 { // join steep steps, or a ramp falls apart into dots
			for y := min(last, py) + 1; y < max(last, py); y++ {
				set(px, y)
			}
		}
		last = py
	}
}

// columns draws the measured curve as filled columns.
func columns(rows [][]Cell, f Figure, width, height int, full rune, steps []rune) {
	n := len(steps) - 1
	for x, v := range perColumn(f.Got, width) {
		if !ok(v) {
			continue
		}
		level := min(max(int(math.Round(v/f.Top*float64(height*n))), 1), height*n)
		for y := range height {
			switch part := level - y*n; {
			case part >= n:
				rows[height-1-y][x] = Cell{full, Got}
			case part > 0:
				rows[height-1-y][x] = Cell{steps[part], Got}
			}
		}
	}
}

// points draws the measured curve as one star per column.
func points(rows [][]Cell, f Figure, width, height int) {
	for x, v := range perColumn(f.Got, width) {
		if ok(v) {
			rows[row(v, f.Top, height)][x] = Cell{'*', Got}
		}
	}
}

// perColumn gives each of n columns the mean of its points; a column between two points takes a value on the line between.
func perColumn(points []Point, n int) []float64 {
	out := make([]float64, n)
	count := make([]int, n)
	for _, p := range points {
		if x := int(p.X * float64(n)); x >= 0 && x <= n && ok(p.Y) {
			x = min(x, n-1)
			out[x] += p.Y
			count[x]++
		}
	}
	last := -1
	for x := range out {
		if count[x] == 0 {
			out[x] = math.NaN()
			continue
		}
		out[x] /= float64(count[x])
		for g := last + 1; last >= 0 && g < x; g++ {
			out[g] = out[last] + (out[x]-out[last])*float64(g-last)/float64(x-last)
		}
		last = x
	}
	return out
}
