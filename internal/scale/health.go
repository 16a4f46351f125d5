package scale

import (
	"fmt"
	"slices"
	"time"
)

// health finds workers that are gone, hung or slow, and remembers slots that made workers slow.
type health struct {
	strikes map[string]int // checks in a row that a worker was slow
	slots   map[string]*slot
}

type slot struct {
	times int // workers that were slow here
	last  time.Time
	until time.Time // no new worker before
}

const (
	slowChecks = 3
	slowShare  = 0.5
	exclusion  = 10 * time.Minute
	forgiven   = 2 * time.Hour
)

// gone are the workers whose partitions go to others at once.
func (h *health) gone(s Signals, c Config) map[string]string {
	lost := map[string]string{}
	for i := range s.Workers {
		w := &s.Workers[i]
		switch {
		case w.State == Gone:
			lost[w.ID] = fmt.Sprintf("worker %s is gone", w.ID)
		case w.State == Starting:
		case s.At.Sub(w.Heard) > c.Silence:
			lost[w.ID] = fmt.Sprintf("worker %s has said nothing for %s", w.ID, seconds(s.At.Sub(w.Heard)))
		case s.At.Sub(w.Progress) > c.Lease && len(w.Holds) > 0:
			lost[w.ID] = fmt.Sprintf("worker %s lives but has not moved for %s", w.ID, seconds(s.At.Sub(w.Progress)))
		}
	}
	return lost
}

// check says who has to go. A worker is slow if it is busy and does less than half of what its peers do, three checks in a row.
func (h *health) check(v *view) []Stop {
	var out []Stop
	var speeds []float64
	busy := 0
	for i := range v.s.Workers {
		w := &v.s.Workers[i]
		if why, lost := v.lost[w.ID]; lost {
			out = append(out, Stop{Worker: w.ID, How: Kill, Reason: why})
			delete(h.strikes, w.ID)
			continue
		}
		if w.State == Ready {
			busy++
			if w.Waiting <= 0.9 && len(w.Holds) > 0 {
				speeds = append(speeds, w.Own)
			}
		}
	}
	slices.Sort(speeds)
	quota := max(1, busy/10) - h.out(v)
	for i := range v.s.Workers {
		w := &v.s.Workers[i]
		if v.lost[w.ID] != "" || w.State != Ready {
			continue
		}
		peers, ok := peerMedian(speeds, w.Own)
		// A worker that mostly waits keeps up; how long it waits for storage is not its fault, and not in Own.
		if !ok || w.Waiting > 0.5 || len(w.Holds) == 0 || w.Own >= slowShare*peers {
			delete(h.strikes, w.ID)
			continue
		}
		h.strikes[w.ID]++
		if h.strikes[w.ID] < slowChecks || quota <= 0 {
			continue
		}
		quota--
		delete(h.strikes, w.ID)
		out = append(out, Stop{Worker: w.ID, How: Drain, Slow: true, Reason: h.slow(w, peers, v.s.At)})
	}
	return out
}

// out is how many are left out already.
func (h *health) out(v *view) int {
	n := len(h.excluded(v.s.At))
	for i := range v.s.Workers {
		w := &v.s.Workers[i]
		if sl := h.slots[w.Slot]; w.State == Draining && sl != nil && !v.s.At.Before(sl.until) && v.s.At.Sub(sl.last) < time.Minute {
			n++
		}
	}
	return n
}

// slow notes it against the slot: the first time a new worker may start there, from the second on the slot rests.
func (h *health) slow(w *Worker, peers float64, at time.Time) string {
	sl := h.slots[w.Slot]
	if sl == nil || at.Sub(sl.last) > forgiven {
		sl = &slot{}
		h.slots[w.Slot] = sl
	}
	sl.times++
	sl.last = at
	then := "a new one takes its place"
	if sl.times > 1 {
		rest := exclusion << min(sl.times-2, 4)
		sl.until = at.Add(rest)
		then = fmt.Sprintf("slow for the %s time here, its slot rests for %s", ordinal(sl.times), minutes(rest))
	}
	return fmt.Sprintf("worker %s does %s, its peers do %s: %s", w.ID, perSecond(w.Own), perSecond(peers), then)
}

func (h *health) excluded(at time.Time) []string {
	var out []string
	for name, sl := range h.slots {
		if at.Before(sl.until) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// peerMedian is the lower median of the sorted speeds without one of value own; it takes two peers to tell who is odd.
func peerMedian(sorted []float64, own float64) (float64, bool) {
	k, found := slices.BinarySearch(sorted, own)
	n := len(sorted)
	if found {
		n--
	}
	if n < 2 {
		return 0, false
	}
	mid := (n - 1) / 2
	if found && mid >= k {
		mid++
	}
	return sorted[mid], true
}
