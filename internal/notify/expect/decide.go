package expect

import "time"

// Seen is what is known about the run of a slot.
type Seen struct {
	Started bool // some run of it has begun
	Ready   bool // its data can be used
	Told    bool // people know that it went wrong, by other means than this clock
}

// Memory is what has been told about a slot.
type Memory struct {
	Told    int // messages so far
	Missing bool
	Late    bool
	Since   time.Time // of the first message
	Next    time.Time // of the next repeat; zero: none
	Closed  bool      // nothing more can come
}

// Call is what a decision asks for.
type Call string

// What is to be told.
const (
	Nothing Call = ""
	Missing Call = "missing" // it should have started
	Late    Call = "late"    // it should be ready
)

// repeatFor is how long a late run is told about again and again; then people have other means.
const repeatFor = 24 * time.Hour

// noticed is how late a deadline is noticed when notify did not run: see Decision.Noticed.
const noticed = 2 * time.Minute

// A Decision is what is to be told now, and what is to be remembered if that is done.
type Decision struct {
	Call    Call
	Due     time.Time // the deadline that was missed
	Noticed bool      // nobody was there when it passed
	Memory  Memory
}

// Decide says what is to be told about a slot at an instant.
func (r Rule) Decide(s Slot, seen Seen, m Memory, now time.Time) Decision {
	d := Decision{Memory: m}
	switch {
	case m.Closed:
		return d
	case seen.Ready:
		d.Memory.Closed, d.Memory.Next = true, time.Time{}
		return d
	case seen.Told:
		return d // one message for one incident, and the failure says more
	}
	late := !s.FinishBy.IsZero() && !now.Before(s.FinishBy)
	missing := !s.StartBy.IsZero() && !now.Before(s.StartBy) && !seen.Started
	again := !m.Next.IsZero() && !now.Before(m.Next) && now.Before(m.Since.Add(repeatFor))
	switch {
	case late && (!m.Late || again):
		d.Call, d.Due = Late, s.FinishBy
	case missing && !late && (!m.Missing || again):
		d.Call, d.Due = Missing, s.StartBy
	default:
		if !m.Next.IsZero() && !now.Before(m.Next) { // it has started meanwhile, and has time left, or it is told no more
			d.Memory.Next = time.Time{}
		}
		return d
	}
	if first := d.Call == Late && !m.Late || d.Call == Missing && !m.Missing; first {
		d.Noticed = now.Sub(d.Due) > noticed
	}
	d.Memory.Told++
	d.Memory.Late = m.Late || d.Call == Late
	d.Memory.Missing = m.Missing || d.Call == Missing
	if m.Since.IsZero() {
		d.Memory.Since = now
	}
	d.Memory.Next = time.Time{}
	if next := now.Add(time.Duration(r.Repeat)); r.Repeat > 0 && next.Before(d.Memory.Since.Add(repeatFor)) {
		d.Memory.Next = next
	}
	return d
}

// Wake is the next instant at which Decide may say something new about a slot, zero if there is none.
func (r Rule) Wake(s Slot, m Memory, now time.Time) time.Time {
	var next time.Time
	if m.Closed {
		return next
	}
	for _, t := range []time.Time{s.StartBy, s.FinishBy, m.Next} {
		if t.After(now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	return next
}
