package screen

import (
	"fmt"
	"math"
	"sort"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/figure"
	"weir/tui/style"
)

// heatRows are the rows of a column for each doubling of the time.
const heatRows = 2

// rowOf is the row of a time in ms; low of a column is the lower end of one.
func rowOf(ms float64) int { return int(math.Round(heatRows * math.Log2(max(ms, 1e-3)*1000))) }

// msOf is the lower end of a row.
func msOf(row int) float64 { return math.Exp2(float64(row)/heatRows) / 1000 }

// shade of so many among all: each of the four stands for two more decimals, so that one message in a million is seen, too.
func shade(n, of int64) int {
	share := float64(n) / float64(max(of, 1))
	switch {
	case n <= 0 || of <= 0:
		return -1
	case share < 1e-4:
		return 0
	case share < 1e-2:
		return 1
	case share < 0.2:
		return 2
	}
	return 3
}

// heatTitle says what the shades mean: the share of the messages of their moment.
func heatTitle(t *style.Theme) string {
	return fmt.Sprintf("Response ms (%s to 0.01%% %s 1%% %s 20%% %s more)", t.Shades[0], t.Shades[1], t.Shades[2], t.Shades[3])
}

// drawHeat shows the whole distribution over time: each column is a moment, the stronger the shade, the larger the share of its messages
// that took so long. What a percentile hides stands here: two modes, a few that are stuck.
func (ld *Load) drawHeat(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Response times", focused)
		return
	}
	in := c.Stale(l.Silent).BoxAged(heatTitle(c.Theme)+windowed(s), loadNote(s, l), focused)
	w, h := in.Size()
	low, high := math.MaxInt, math.MinInt
	for _, col := range l.Heat {
		for i, n := range col.Counts {
			if n > 0 {
				low, high = min(low, rowOf(col.Low)+i), max(high, rowOf(col.Low)+i)
			}
		}
	}
	const left = 7
	rows := h - 2
	if high < low || rows < 2 || w < left+10 {
		in.Text(0, 0, style.Dim, "nothing measured yet")
		return
	}
	each := (high - low + rows) / rows // rows of the map in a line
	rows = (high-low)/each + 1
	a := axisOf(l, s)
	limit, _ := limitOf(l, "p99")
	cols := w - left
	roles := make([]style.Role, rows)
	for y := range rows {
		from := low + (rows-1-y)*each
		if (rows-y)%2 == 0 || rows < 5 {
			in.Right(left-1, y, style.Dim, figure.Axis(msOf(from+each)))
			in.Text(left-1, y, style.Dim, in.Theme.Tick)
		} else {
			in.Text(left-1, y, style.Dim, in.Theme.V)
		}
		if roles[y] = style.Accent; limit > 0 && msOf(from) >= limit {
			roles[y] = style.Warn
		}
	}
	second := func(x int) float64 { return a.from + (a.to-a.from)*float64(x)/float64(cols) }
	for x := range cols {
		lines, sum := heatOf(l.Heat, second(x), second(x+1), low, each, rows)
		for y, n := range lines {
			if k := shade(n, sum); k >= 0 {
				in.Text(left+x, y, roles[y], in.Theme.Shades[k])
			}
		}
	}
	in.Text(left-1, rows, style.Dim, in.Theme.Corner)
	in.Fill(left, rows, cols, style.Dim, in.Theme.H)
	timeAxis(in.Sub(left, rows, cols, 2), a)
}

// heatOf counts the messages between two seconds in each line, from the top down, and in all; a line has so many rows of the map.
func heatOf(all []control.HeatColumn, from, to float64, low, each, lines int) (counts []int64, sum int64) {
	counts = make([]int64, lines)
	i := sort.Search(len(all), func(i int) bool { return all[i].To > from })
	for ; i < len(all) && all[i].From < to; i++ {
		first := rowOf(all[i].Low) - low
		for k, n := range all[i].Counts {
			sum += n
			if row := first + k; row >= 0 && row < lines*each {
				counts[lines-1-row/each] += n
			}
		}
	}
	return counts, sum
}
