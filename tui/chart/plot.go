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
	Marked       // the upright line of a moment
	Ruled        // the level line of a limit
	Planned      // the plan up to now
	Ahead        // the plan from now on
	Beside       // the second measured curve
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
	Top    float64
	Plan   Curve     // nil: none
	Now    float64   // the plan from here on (0..1) is drawn as lying ahead
	Got    []Point   // ordered by X
	Beside []Point   // a second measured curve, in dots; ordered by X
	Peaks  bool      // points that share a column show the greatest of them, not their mean
	Rule   float64   // a limit; 0 or above Top: none
	Marks  []float64 // moments (0..1)
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
	lines(rows, f, width, height, level)
	if f.Plan != nil {
		plan(rows, f, width, height, level)
	}
	for x, v := range perColumn(f.Beside, width, f.Peaks) {
		if ok(v) && x%2 == 0 {
			rows[row(v, f.Top, height)][x] = Cell{dot(level), Beside}
		}
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

// lines are the upright ones of moments and the level one of a limit.
func lines(rows [][]Cell, f Figure, width, height int, level style.Level) {
	upright, across := '┊', '╌'
	if level == style.ASCII {
		upright, across = ':', '='
	}
	for _, at := range f.Marks {
		if at >= 0 && at < 1 {
			x := int(at * float64(width))
			for y := range height {
				rows[y][x] = Cell{upright, Marked}
			}
		}
	}
	if ok(f.Rule) && f.Rule > 0 && f.Rule <= f.Top {
		for x := range width {
			rows[row(f.Rule, f.Top, height)][x] = Cell{across, Ruled}
		}
	}
}

func dot(level style.Level) rune {
	if level == style.ASCII {
		return 'o'
	}
	return '·'
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
	r := min(max(math.Floor(v/top*float64(height)), 0), float64(height-1)) // bounded before it becomes an int: a quotient may be huge
	return height - 1 - int(r)
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
	values := perColumn(f.Got, 2*width, f.Peaks)
	last := -1
	for px, v := range values {
		if !ok(v) {
			last = -1
			continue
		}
		py := 4*height - 1 - int(min(max(math.Round(v/f.Top*float64(4*height)-0.5), 0), float64(4*height-1)))
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
	for x, v := range perColumn(f.Got, width, f.Peaks) {
		if !ok(v) {
			continue
		}
		level := int(min(max(math.Round(v/f.Top*float64(height*n)), 1), float64(height*n)))
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
	for x, v := range perColumn(f.Got, width, f.Peaks) {
		if ok(v) {
			rows[row(v, f.Top, height)][x] = Cell{'*', Got}
		}
	}
}

// perColumn gives each of n columns the mean of its points, or the greatest; a column between two points takes a value on the
// line between.
func perColumn(points []Point, n int, peaks bool) []float64 {
	out := make([]float64, n)
	count := make([]int, n)
	for _, p := range points {
		if p.X >= 0 && p.X <= 1 && ok(p.Y) {
			x := min(int(p.X*float64(n)), n-1)
			if peaks {
				if count[x] == 0 || p.Y > out[x] {
					out[x] = p.Y
				}
			} else {
				out[x] += p.Y
			}
			count[x]++
		}
	}
	last := -1
	for x := range out {
		if count[x] == 0 {
			out[x] = math.NaN()
			continue
		}
		if !peaks {
			out[x] /= float64(count[x])
		}
		for g := last + 1; last >= 0 && g < x; g++ {
			out[g] = out[last] + (out[x]-out[last])*float64(g-last)/float64(x-last)
		}
		last = x
	}
	return out
}

// SparkAt draws points at their places on a line of columns, each the greatest of its points, scaled from 0 to top; top 0 takes
// the greatest value.
func SparkAt(points []Point, width int, top float64, level style.Level) string {
	if width <= 0 {
		return ""
	}
	return Spark(perColumn(points, width, true), width, top, level)
}
