package load

import (
	"math"
	"time"
)

// A HeatColumn is how long the timed messages of a piece of the run took, from the intended send: Counts[i] of them took from
// HeatBound(Low+i) up to HeatBound(Low+i+1).
type HeatColumn struct {
	Start, End time.Duration
	Low        int
	Counts     []int64
}

// heatRows are the rows for each doubling of the time: more would be too fine to see.
const heatRows = 2

// HeatBound is the lower end of a row, ms.
func HeatBound(row int) float64 { return math.Exp2(float64(row)/heatRows) / 1000 }

// HeatRow is the row of a time in µs.
func HeatRow(us int64) int { return int(math.Floor(heatRows * math.Log2(float64(max(us, 1))))) }

// heat makes columns of the intervals. Those that are closed stay as they are: only the last one is counted anew each time.
func (s *series) heat() []HeatColumn {
	if len(s.columns) > len(s.intervals) { // they were thinned
		s.columns = s.columns[:0]
	}
	for i, x := range s.intervals {
		if i < len(s.columns) && s.columns[i].Start == x.Start && s.columns[i].End == x.End {
			continue
		}
		c := HeatColumn{Start: x.Start, End: x.End}
		x.Response.ForEachBucket(func(us, n int64) bool { // from the shortest on
			row := HeatRow(us)
			if len(c.Counts) == 0 {
				c.Low = row
			}
			for len(c.Counts) <= row-c.Low {
				c.Counts = append(c.Counts, 0)
			}
			c.Counts[row-c.Low] += n
			return true
		})
		s.columns = append(s.columns[:i], c)
	}
	return append([]HeatColumn(nil), s.columns...)
}
