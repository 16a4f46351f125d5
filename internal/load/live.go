package load

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"weir/internal/config"
)

// Live changes a run while it runs. Whatever it changes, but for a mark, makes the run interactive: its figures are those of no
// profile, and it can never be a baseline.
type Live struct {
	mu      sync.Mutex
	run     *run
	stop    func(error)
	changes []Change
	hands   bool          // somebody changed it
	paused  time.Duration // in all, until the last resume
	since   time.Duration // of the pause that lasts
}

// A Change is what was done to a run by hand, or a mark.
type Change struct {
	At   float64 `json:"at_s"` // seconds since the start of the schedule
	What string  `json:"what"`
}

// NewLive gives the handle for [Options.Live].
func NewLive() *Live { return &Live{} }

// Errors of changes that are not possible.
var (
	errNotRunning = errors.New("the schedule does not run yet, or not any more")
	errNoSchedule = errors.New("acknowledgements decide when messages are sent in this run: there is no rate to change")
	errStopped    = errors.New("stopped by hand")
)

func (l *Live) attach(r *run, stop func(error)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.run, l.stop = r, stop
}

func (l *Live) detach() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since > 0 {
		l.paused += l.run.pace.now() - l.since
		l.since = 0
	}
	l.run = nil
}

// alter changes the schedule and notes it.
func (l *Live) alter(to func(p *piece) (what string, err error)) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.run == nil {
		return errNotRunning
	}
	if l.run.flat {
		return errNoSchedule
	}
	now, what := l.run.pace.now(), ""
	if err := l.run.schedule.change(now, func(p *piece) (err error) {
		what, err = to(p)
		return err
	}); err != nil {
		return err
	}
	l.hands = true
	l.note(now, what)
	return nil
}

const mostChanges = 10_000

func (l *Live) note(now time.Duration, what string) {
	if len(l.changes) < mostChanges {
		l.changes = append(l.changes, Change{float64(now.Milliseconds()) / 1000, what})
	}
}

// Pause stops the schedule; what was due is still sent. The rest of the schedule is due later by as long as the pause lasts.
func (l *Live) Pause() error {
	return l.alter(func(p *piece) (string, error) {
		if p.paused {
			return "", errors.New("the run is paused already")
		}
		p.paused, l.since = true, p.at
		return "paused", nil
	})
}

// Resume goes on.
func (l *Live) Resume() error {
	return l.alter(func(p *piece) (string, error) {
		if !p.paused {
			return "", errors.New("the run is not paused")
		}
		p.paused = false
		l.paused += p.at - l.since
		l.since = 0
		return "resumed", nil
	})
}

// Scale multiplies the rate from now on: 1.05 is 5 % more.
func (l *Live) Scale(by float64) error {
	return l.alter(func(p *piece) (string, error) {
		if !(by > 0) || p.factor*by < 0.001 || p.factor*by > 1000 {
			return "", fmt.Errorf("want a factor that leaves the rate between a thousandth and the thousandfold of the profile's, got %g", by)
		}
		if p.hold > 0 {
			p.hold *= by
		} else {
			p.factor *= by
		}
		return fmt.Sprintf("rate times %.4g", by), nil
	})
}

// Hold keeps a rate in place of the curve, until [Live.Follow].
func (l *Live) Hold(rate config.Rate) error {
	return l.alter(func(p *piece) (string, error) {
		if !(rate.PerSecond > 0) || rate.Max || rate.PerSecond > 1e12 {
			return "", fmt.Errorf("want a rate above 0/s, got %v", rate)
		}
		if bytes := l.run.Profile.Rate.bytes(); bytes != rate.Bytes {
			return "", fmt.Errorf("the profile's rates are in %s, got %v", map[bool]string{false: "messages/s, as 20k/s", true: "bytes/s, as 12MiB/s"}[bytes], rate)
		}
		p.hold = rate.PerSecond
		return fmt.Sprintf("rate held at %v", rate), nil
	})
}

// Follow goes back to the profile's rate at this time.
func (l *Live) Follow() error {
	return l.alter(func(p *piece) (string, error) {
		p.hold, p.factor = 0, 1
		if planned, ok := p.curve.(Planned); ok {
			p.y = planned.Due(p.c)
		}
		return "back to the profile's rate", nil
	})
}

// Next goes to the next stage at once.
func (l *Live) Next() error {
	return l.alter(func(p *piece) (string, error) {
		planned, ok := p.curve.(Planned)
		if !ok {
			return "", errNoSchedule
		}
		for _, st := range planned.Stages() {
			if st.Start > p.c {
				p.c, p.hold = st.Start, 0
				p.y = planned.Due(p.c)
				return "stage " + st.Name, nil
			}
		}
		return "", errors.New("this is the last stage: stop ends the run")
	})
}

// Mark writes a text beside the run's figures at this time.
func (l *Live) Mark(text string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.run == nil {
		return errNotRunning
	}
	l.note(l.run.pace.now(), "mark: "+text[:min(len(text), 200)])
	return nil
}

// Stop ends the sending; what was sent is waited for and judged. The second Stop gives that up, too.
func (l *Live) Stop() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.run == nil {
		return errNotRunning
	}
	now := l.run.pace.now()
	for _, c := range l.changes {
		if c.What == errStopped.Error() {
			l.note(now, "aborted by hand")
			l.run.abort()
			return nil
		}
	}
	l.hands = true
	l.note(now, errStopped.Error())
	l.stop(errStopped)
	return nil
}

// Abort ends the sending and gives up what is on its way; what is known of the run is kept.
func (l *Live) Abort() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.run == nil {
		return errNotRunning
	}
	l.hands = true
	l.note(l.run.pace.now(), "aborted by hand")
	l.stop(errStopped)
	l.run.abort()
	return nil
}

// state is what screens and results show.
func (l *Live) state(now time.Duration) (paused bool, pausedFor time.Duration, hands bool, changes []Change) {
	l.mu.Lock()
	defer l.mu.Unlock()
	pausedFor = l.paused
	if paused = l.since > 0; paused {
		pausedFor += now - l.since
	}
	return paused, pausedFor, l.hands, append([]Change(nil), l.changes...)
}
