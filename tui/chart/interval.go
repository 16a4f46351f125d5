package chart

import (
	"math"

	"weir/tui/style"
)

// A Span is an estimate with its interval on a scale around 0, and how far from 0 nothing matters.
type Span struct {
	Estimate, From, To float64
	Floor              float64
	Scale              float64 // what the ends of the line stand for: -Scale and Scale
}

// Interval draws a span as one line: 0 in the middle, the floors beside it, the interval with its estimate. What lies beyond the
// scale ends in an arrow. Marks: Planned for 0, Ahead for the floors, Got for the interval.
func Interval(s Span, width int, level style.Level) []Cell {
	cells := make([]Cell, max(width, 0))
	if width < 5 || !(s.Scale > 0) || !ok(s.Scale) {
		return cells
	}
	zero, floor, bar, point, left, right := '│', '┊', '━', '●', '◀', '▶'
	if level == style.ASCII {
		zero, floor, bar, point, left, right = '|', ':', '=', '*', '<', '>'
	}
	mid := (width - 1) / 2
	half := float64(mid)
	at := func(v float64) int { return mid + int(math.Round(v/s.Scale*half)) }
	within := func(x int) int { return min(max(x, 0), width-1) }
	if ok(s.Floor) && s.Floor > 0 && s.Floor <= s.Scale {
		cells[within(at(-s.Floor))] = Cell{floor, Ahead}
		cells[within(at(s.Floor))] = Cell{floor, Ahead}
	}
	cells[mid] = Cell{zero, Planned}
	if !ok(s.Estimate) || !ok(s.From) || !ok(s.To) || s.From > s.To {
		return cells
	}
	clamp := func(v float64) float64 { return min(max(v, -2*s.Scale), 2*s.Scale) }
	from, to := at(clamp(s.From)), at(clamp(s.To))
	for x := within(from); x <= within(to); x++ {
		cells[x] = Cell{bar, Got}
	}
	cells[within(at(clamp(s.Estimate)))] = Cell{point, Got}
	if from < 0 {
		cells[0] = Cell{left, Got}
	}
	if to >= width {
		cells[width-1] = Cell{right, Got}
	}
	return cells
}
