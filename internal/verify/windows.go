package verify

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Windows ask for the ages of rows over time: of those that were due from From on, in N windows of Every. The zero value asks for
// nothing.
type Windows struct {
	From  time.Time
	Every time.Duration
	N     int
}

// A Window holds the rows of a run that were due within it.
type Window struct {
	Rows  int64     `json:"rows"`
	P50   float64   `json:"p50_ms"` // from the intended send to the readable row
	P99   float64   `json:"p99_ms"`
	Max   float64   `json:"max_ms"`
	Early int64     `json:"early,omitempty"` // readable before they were due: the clocks of generator and pipeline differ
	Last  time.Time `json:"last,omitzero"`   // when the last of them became readable
}

// at is the window of a message that was due at µs since 1970; negative if it belongs to none.
func (w Windows) at(due int64) int {
	since := time.Duration(due-w.From.UnixMicro()) * time.Microsecond
	if w.N == 0 || since < 0 || int(since/w.Every) >= w.N {
		return -1
	}
	return int(since / w.Every)
}

// windowAges are what a worker has seen of a window. The histogram grows with what is in it.
type windowAges struct {
	age   *hdrhistogram.PackedHistogram
	early int64
	last  int64 // µs since 1970
}

func (a *windowAges) add(readable, due int64) {
	if a.age == nil {
		a.age = hdrhistogram.NewPacked(1, 7*86_400_000_000, 3)
	}
	if readable < due {
		a.early++
	}
	_ = a.age.RecordValue(min(max(readable-due, 1), 7*86_400_000_000))
	a.last = max(a.last, readable)
}

// windows brings together what the workers have seen.
func (p *proof) windows() []Window {
	var all []Window
	for i := range p.o.Windows.N {
		sum := windowAges{age: hdrhistogram.NewPacked(1, 7*86_400_000_000, 3)}
		for _, w := range p.workers {
			if a := w.windowed[i]; a.age != nil {
				sum.age.Merge(a.age)
				sum.early, sum.last = sum.early+a.early, max(sum.last, a.last)
			}
		}
		out := Window{Rows: sum.age.TotalCount(), Early: sum.early}
		if out.Rows > 0 {
			out.P50, out.P99, out.Max = ms(sum.age.ValueAtPercentile(50)), ms(sum.age.ValueAtPercentile(99)), ms(sum.age.Max())
			out.Last = time.UnixMicro(sum.last).UTC()
		}
		all = append(all, out)
	}
	return all
}

// join is the same window of two tables: of times the largest.
func (w Window) join(o Window) Window {
	w.Rows, w.Early = w.Rows+o.Rows, w.Early+o.Early
	w.P50, w.P99, w.Max = max(w.P50, o.P50), max(w.P99, o.P99), max(w.Max, o.Max)
	if o.Last.After(w.Last) {
		w.Last = o.Last
	}
	return w
}
