package load

import (
	"sync"
	"sync/atomic"
	"time"
)

// A schedule is a curve as it is run: what somebody changes by hand while it runs bends it from that moment on. Senders read it
// without a lock.
type schedule struct {
	mu   sync.Mutex // of those who change it
	plan atomic.Pointer[plan]
}

// plan is a schedule between two changes.
type plan struct {
	pieces  []piece       // in the order of their beginning; the last one is in force
	changed chan struct{} // closed when there is a newer plan
}

// A piece is how the curve is followed from a moment on.
type piece struct {
	at     time.Duration // of the run
	x      float64       // position of the load there
	curve  Curve
	y      float64       // position on the curve there: with another factor than 1 it is not the load's
	c      time.Duration // time on the curve there
	factor float64       // of the curve's rate
	hold   float64       // a rate in place of the curve's; 0: none
	paused bool
}

func newSchedule(c Curve) *schedule {
	s := &schedule{}
	s.plan.Store(&plan{pieces: []piece{{curve: c, factor: 1}}, changed: make(chan struct{})})
	return s
}

// due is when position x is due, in the time of the run and in that of the curve. Both are Forever behind the curve's end; while
// the run is paused, the second is the time where it stands.
func (p *piece) due(x float64) (at, onCurve time.Duration) {
	switch {
	case p.paused:
		return Forever, p.c
	case p.hold > 0:
		t := time.Duration((x - p.x) / p.hold * 1e9)
		return p.at + t, p.c + t
	}
	c := p.curve.At(p.y + (x-p.x)/p.factor)
	if c == Forever {
		return Forever, Forever
	}
	return p.at + c - p.c, c
}

// due finds the piece in force at position x.
func (p *plan) due(x float64) (at, onCurve time.Duration) {
	i := len(p.pieces) - 1
	for i > 0 && p.pieces[i].x > x {
		i--
	}
	return p.pieces[i].due(x)
}

func (s *schedule) due(x float64) (at, onCurve time.Duration) { return s.plan.Load().due(x) }

// last is the piece in force.
func (s *schedule) last() piece {
	p := s.plan.Load().pieces
	return p[len(p)-1]
}

// now is the piece in force as if it began at t.
func (p piece) now(t time.Duration) piece {
	t = max(t, p.at)
	planned, ok := p.curve.(Planned)
	switch {
	case p.paused, !ok:
	case p.hold > 0:
		p.x += p.hold * (t - p.at).Seconds()
		p.c += t - p.at
	default:
		p.c += t - p.at
		y := planned.Due(p.c)
		p.x += p.factor * (y - p.y)
		p.y = y
	}
	p.at = t
	return p
}

// rate is what is planned at t, per second.
func (s *schedule) rate(t time.Duration) float64 {
	p := s.last().now(t)
	planned, ok := p.curve.(Planned)
	switch {
	case p.paused || !ok:
		return 0
	case p.hold > 0:
		return p.hold
	}
	return p.factor * planned.Rate(p.c)
}

// on is the time on the curve at t.
func (s *schedule) on(t time.Duration) time.Duration { return s.last().now(t).c }

// change puts a new piece in force. It gets the present one, as if it began now.
func (s *schedule) change(now time.Duration, to func(p *piece) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.plan.Load()
	p := old.pieces[len(old.pieces)-1].now(now)
	if err := to(&p); err != nil {
		return err
	}
	all := append(old.pieces[:len(old.pieces):len(old.pieces)], p)
	if len(all) > mostPieces { // messages that are due this long ago have been sent
		all = all[len(all)-mostPieces:]
	}
	s.plan.Store(&plan{pieces: all, changed: make(chan struct{})})
	close(old.changed)
	return nil
}

const mostPieces = 256
