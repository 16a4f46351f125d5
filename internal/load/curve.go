package load

import (
	"math"
	"sort"
	"time"
)

// Forever is when a message is due that a curve never reaches.
const Forever = time.Duration(math.MaxInt64)

// A Curve says how much is due when. Its unit is the message, or with a rate in bytes/s the byte. All senders read it at once.
type Curve interface {
	// At returns when position x of the load is due, counted from the start of the schedule: message x, or what follows the
	// first x bytes. It is Forever if that is never, and never decreases.
	At(x float64) time.Duration
}

// A Planned curve knows its future; screens draw it.
type Planned interface {
	Curve
	// Rate is the planned rate at a moment, per second.
	Rate(t time.Duration) float64
	// Due is how much is due before t.
	Due(t time.Duration) float64
	// End is the length of the curve, Forever if it has none.
	End() time.Duration
	// Peak is the highest rate.
	Peak() float64
	// Stages are its pieces as people name them.
	Stages() []Stage
}

// A Ramp goes from From to To messages/s within Over; what comes after it has another curve.
type Ramp struct {
	From, To float64 // messages/s
	Over     time.Duration
}

// At solves From*t + a*t²/2 = n for t, where a is the slope in messages/s².
//
// The form 2n / (From + √(From² + 2an)) keeps its digits where the slope is almost or exactly 0 (the school formula divides
// by a) and where From is 0.
func (r Ramp) At(n float64) time.Duration {
	if n <= 0 {
		return 0
	}
	a := (r.To - r.From) / r.Over.Seconds()
	square := r.From*r.From + 2*a*n
	if square < 0 { // falling, and already at 0 before n
		return Forever
	}
	t := 2 * n / (r.From + math.Sqrt(square))
	if !(t < math.MaxInt64/1e9) {
		return Forever
	}
	return time.Duration(t * 1e9)
}

// Rate is the planned rate at t within the ramp.
func (r Ramp) Rate(t time.Duration) float64 {
	return r.From + (r.To-r.From)*min(1, t.Seconds()/r.Over.Seconds())
}

// Due is how much is due before t, t within the ramp.
func (r Ramp) Due(t time.Duration) float64 { return (r.From + r.Rate(t)) / 2 * t.Seconds() }

// A Stage is a named piece of a [Pieces] curve.
type Stage struct {
	Name string
	Ramp
	Start time.Duration // within the schedule
	First float64       // messages due before this stage
	Open  bool          // the last stage only: goes on at To for ever; Over is 0
}

// Pieces are ramps one after the other: what all shapes of load are made of.
type Pieces []Stage

// Append adds a ramp to the end; over 0 holds the rate for ever.
func (s Pieces) Append(name string, from, to float64, over time.Duration) Pieces {
	st := Stage{Name: name, Ramp: Ramp{from, to, over}, Open: over == 0}
	if len(s) > 0 {
		last := s[len(s)-1]
		st.Start = last.Start + last.Over
		st.First = last.First + last.Due(last.Over)
	}
	return append(s, st)
}

// At finds the piece by its first message.
func (s Pieces) At(n float64) time.Duration {
	i := sort.Search(len(s)-1, func(i int) bool { return s[i+1].First > n })
	st := s[i]
	if st.Open {
		if st.To <= 0 {
			return Forever
		}
		return st.Start + time.Duration((n-st.First)/st.To*1e9)
	}
	t := st.At(n - st.First)
	if t >= st.Over { // the curve's own end, or a rounding at a seam
		if i == len(s)-1 && n-st.First >= st.Due(st.Over) {
			return Forever
		}
		t = st.Over
	}
	return st.Start + t
}

// Index is the piece at t.
func (s Pieces) Index(t time.Duration) int {
	return sort.Search(len(s)-1, func(i int) bool { return s[i+1].Start > t })
}

// Stages are the pieces, those of one name that follow each other as one.
func (s Pieces) Stages() []Stage {
	var all []Stage
	for _, st := range s {
		if n := len(all) - 1; n >= 0 && all[n].Name == st.Name && st.Name != "" {
			all[n].Over, all[n].To, all[n].Open = all[n].Over+st.Over, st.To, st.Open
			continue
		}
		all = append(all, st)
	}
	return all
}

// Rate is the planned rate at t.
func (s Pieces) Rate(t time.Duration) float64 {
	st := s[s.Index(t)]
	if st.Open {
		return st.To
	}
	if t > st.Start+st.Over {
		return 0
	}
	return st.Ramp.Rate(t - st.Start)
}

// Due is how much is due before t.
func (s Pieces) Due(t time.Duration) float64 {
	st := s[s.Index(t)]
	if st.Open {
		return st.First + st.To*(t-st.Start).Seconds()
	}
	return st.First + st.Ramp.Due(min(t-st.Start, st.Over))
}

// End is the length of the curve; Forever if its last stage is open.
func (s Pieces) End() time.Duration {
	last := s[len(s)-1]
	if last.Open {
		return Forever
	}
	return last.Start + last.Over
}

// Peak is the highest planned rate.
func (s Pieces) Peak() float64 {
	var peak float64
	for _, st := range s {
		peak = max(peak, st.From, st.To)
	}
	return peak
}

// A Cycle repeats its pieces for ever.
type Cycle struct{ Pieces }

// At counts whole rounds first.
func (c Cycle) At(x float64) time.Duration {
	length := c.Pieces.End()
	each := c.Pieces.Due(length)
	rounds := math.Floor(x / each)
	if t := rounds * length.Seconds(); !(t < math.MaxInt64/2e9) {
		return Forever
	}
	t := c.Pieces.At(x - rounds*each)
	if t == Forever { // a rounding at the seam
		t = length
	}
	return time.Duration(rounds)*length + t
}

// Rate is the planned rate at t.
func (c Cycle) Rate(t time.Duration) float64 { return c.Pieces.Rate(t % c.Pieces.End()) }

// Due is how much is due before t.
func (c Cycle) Due(t time.Duration) float64 {
	length := c.Pieces.End()
	return float64(t/length)*c.Pieces.Due(length) + c.Pieces.Due(t%length)
}

// End is never.
func (c Cycle) End() time.Duration { return Forever }

// Flat is the curve of "as fast as acknowledgements allow": every message is due at once.
type Flat struct{}

// At is always 0.
func (Flat) At(float64) time.Duration { return 0 }
