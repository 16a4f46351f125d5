package load

import (
	"math"
	"time"
)

// Forever is when a message is due that a curve never reaches.
const Forever = time.Duration(math.MaxInt64)

// A Curve says when each message is due. It is read by all senders at once.
type Curve interface {
	// At returns when message n is due, counted from the start of the schedule; Forever if it never is. It never decreases.
	At(n uint64) time.Duration
}

// A Planned curve knows its future; screens draw it.
type Planned interface {
	Curve
	// Rate is the planned rate at a moment, in messages/s.
	Rate(t time.Duration) float64
	// Messages is how many are due before t.
	Messages(t time.Duration) float64
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
func (r Ramp) At(n uint64) time.Duration { return r.at(float64(n)) }

func (r Ramp) at(n float64) time.Duration {
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

// Messages is how many are due before t, t within the ramp.
func (r Ramp) Messages(t time.Duration) float64 { return (r.From + r.Rate(t)) / 2 * t.Seconds() }

// A Stage is a named piece of a [Stages] curve.
type Stage struct {
	Name string
	Ramp
	Start time.Duration // within the schedule
	First float64       // messages due before this stage
	Open  bool          // the last stage only: goes on at To for ever; Over is 0
}

// Stages are ramps one after the other.
type Stages []Stage

// Append adds a ramp to the end; over 0 holds the rate for ever.
func (s Stages) Append(name string, from, to float64, over time.Duration) Stages {
	st := Stage{Name: name, Ramp: Ramp{from, to, over}, Open: over == 0}
	if len(s) > 0 {
		last := s[len(s)-1]
		st.Start = last.Start + last.Over
		st.First = last.First + last.Messages(last.Over)
	}
	return append(s, st)
}

// At finds the stage by its first message. Stages are few: a walk is quicker than a search.
func (s Stages) At(n uint64) time.Duration {
	i := 0
	for i+1 < len(s) && s[i+1].First <= float64(n) {
		i++
	}
	st := s[i]
	if st.Open {
		if st.To <= 0 {
			return Forever
		}
		return st.Start + time.Duration((float64(n)-st.First)/st.To*1e9)
	}
	t := st.at(float64(n) - st.First)
	if t >= st.Over { // the curve's own end, or a rounding at a seam
		if i == len(s)-1 && float64(n)-st.First >= st.Messages(st.Over) {
			return Forever
		}
		t = st.Over
	}
	return st.Start + t
}

// Index is the stage at t.
func (s Stages) Index(t time.Duration) int {
	i := 0
	for i+1 < len(s) && s[i+1].Start <= t {
		i++
	}
	return i
}

// Rate is the planned rate at t.
func (s Stages) Rate(t time.Duration) float64 {
	st := s[s.Index(t)]
	if st.Open {
		return st.To
	}
	if t > st.Start+st.Over {
		return 0
	}
	return st.Ramp.Rate(t - st.Start)
}

// Messages is how many are due before t.
func (s Stages) Messages(t time.Duration) float64 {
	st := s[s.Index(t)]
	if st.Open {
		return st.First + st.To*(t-st.Start).Seconds()
	}
	return st.First + st.Ramp.Messages(min(t-st.Start, st.Over))
}

// End is the length of the curve; Forever if its last stage is open.
func (s Stages) End() time.Duration {
	last := s[len(s)-1]
	if last.Open {
		return Forever
	}
	return last.Start + last.Over
}

// Peak is the highest planned rate.
func (s Stages) Peak() float64 {
	var peak float64
	for _, st := range s {
		peak = max(peak, st.From, st.To)
	}
	return peak
}

// Flat is the curve of "as fast as acknowledgements allow": every message is due at once.
type Flat struct{}

// At is always 0.
func (Flat) At(uint64) time.Duration { return 0 }
