package notify

import (
	"fmt"
	"strings"
	"time"

	"weir/internal/outcome"
)

// quiet are a unit's quiet hours: spans between instants, not a comparison of clocks, so that the days on which clocks are
// changed have neither a gap nor a repeated piece.
type quiet struct {
	zone     *time.Location
	hours    bool
	from, to clock // of a day; over midnight if to is not after from
	weekends bool
	working  func(day time.Time) bool
	hold     map[outcome.State]bool
	let      expr // nil: nothing
}

// holds says whether this outcome waits while it is quiet.
func (q *quiet) holds(o outcome.Outcome) bool {
	if !q.hold[o.State] {
		return false
	}
	if q.let != nil {
		if ok, _ := q.let.eval(factsOf(o)); ok {
			return false
		}
	}
	return true
}

// longest is how many spans in a row are followed: a calendar that never works must not hold for ever.
const longest = 800

// until says when the quiet that is in force at t ends; the zero time if there is none then.
func (q *quiet) until(t time.Time) time.Time {
	end := t
	for range longest {
		next := q.endOf(end)
		if !next.After(end) {
			break
		}
		end = next
	}
	if end.Equal(t) {
		return time.Time{}
	}
	return end
}

// endOf is the end of a span that holds t, or t.
func (q *quiet) endOf(t time.Time) time.Time {
	y, m, d := t.In(q.zone).Date()
	for _, day := range []int{d - 1, d} { // last evening's hours reach into today
		if q.hours {
			to := q.to
			if to <= q.from {
				to += wholeDay
			}
			if start, end := q.from.on(y, m, day, q.zone), to.on(y, m, day, q.zone); !t.Before(start) && t.Before(end) {
				return end
			}
		}
	}
	// Noon exists on each day of each zone, midnight does not.
	if q.weekends && q.working != nil && !q.working(time.Date(y, m, d, 12, 0, 0, 0, q.zone)) {
		return wholeDay.on(y, m, d, q.zone)
	}
	return t
}

// clock is a time of day in minutes since midnight, as a clock on the wall shows it.
type clock int

const wholeDay = clock(24 * 60)

// on is the first instant of that day at which the wall's clock shows c or more: where 02:30 does not exist, it is 03:00;
// where it comes twice, the first.
func (c clock) on(y int, m time.Month, d int, zone *time.Location) time.Time {
	t := time.Date(y, m, d, int(c)/60, int(c)%60, 0, 0, zone)
	want := time.Date(y, m, d, int(c)/60, int(c)%60, 0, 0, time.UTC)
	shows := func(t time.Time) time.Time {
		_, offset := t.Zone()
		return t.UTC().Add(time.Duration(offset) * time.Second)
	}
	begin, end := t.ZoneBounds()
	switch shown := shows(t); {
	case shown.Before(want): // a gap, read with the time before it
		return end.In(zone)
	case shown.After(want): // the same, read with the time after it
		return begin.In(zone)
	}
	if !begin.IsZero() { // does it come twice, and is this the second?
		_, now := t.Zone()
		_, before := begin.Add(-time.Second).Zone()
		if first := t.Add(time.Duration(now-before) * time.Second); before > now && first.Before(begin) {
			return first
		}
	}
	return t
}

func (c clock) String() string { return fmt.Sprintf("%02d:%02d", int(c)/60, int(c)%60) }

// clockOf reads 07:30; 24:00 is the end of the day.
func clockOf(s string) (clock, error) {
	if t, err := time.Parse("15:04", s); err == nil && len(s) == 5 {
		return clock(t.Hour()*60 + t.Minute()), nil
	}
	if s == wholeDay.String() {
		return wholeDay, nil
	}
	return 0, fmt.Errorf("%q is no time of day; write it as 07:30", s)
}

// hours reads 20:00-07:30.
func hours(s string) (from, to clock, err error) {
	a, b, found := strings.Cut(s, "-")
	if !found {
		return 0, 0, fmt.Errorf("%q are no hours; write them as 20:00-07:30", s)
	}
	if from, err = clockOf(strings.TrimSpace(a)); err != nil {
		return 0, 0, err
	}
	if to, err = clockOf(strings.TrimSpace(b)); err != nil {
		return 0, 0, err
	}
	if from == to || from == wholeDay {
		return 0, 0, fmt.Errorf("%q has no end; write hours like 20:00-07:30", s)
	}
	return from, to, nil
}
