// Package expect decides what a clock must say about runs that do not come: it is late, it has not started.
//
// Start with [Config.Rule]; [Rule.Slots] are the runs that are expected, [Rule.Decide] says what is to be told about one.
// [Compare] judges figures by what is usual.
//
// # Promises
//
// Pure: instants in, decisions out; no clock, no I/O. Each slot that the calendar works has one business date and each date
// one incident, also on the two days of the year on which an hour is missing or comes twice.
package expect

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"weir/internal/calendar"
)

// A Rule is a Config, ready to use.
type Rule struct {
	Config
	Job  string
	Zone *time.Location
	Days calendar.Calendar
	cron cron.Schedule // nil: none
}

// Rule compiles a config that has passed Check.
func (c Config) Rule(job string, zone *time.Location, days calendar.Calendar) (Rule, error) {
	r := Rule{Config: c, Job: job, Zone: zone, Days: days}
	if c.Schedule == "" {
		return r, nil
	}
	p, err := parseCron(c.Schedule)
	if err != nil {
		return r, fmt.Errorf("schedule: %w", err)
	}
	r.cron = p
	return r, nil
}

// A Slot is one run that is expected.
type Slot struct {
	Date     time.Time // the business date, as midnight in the rule's zone
	Run      time.Time // when it should start
	StartBy  time.Time // zero: does not matter
	FinishBy time.Time // zero: does not matter
	Holiday  string    // it is not expected, as this day is one; "weekend" on a weekend
}

// mostSlots bounds a schedule that ticks each minute.
const mostSlots = 10_000

// Slots lists what is expected to start in [from, to), the earliest first; with free also the days that the calendar takes out.
// Of several ticks with one business date only the first counts.
func (r Rule) Slots(from, to time.Time, free bool) []Slot {
	if r.cron == nil {
		return nil
	}
	// The cron runs on the wall clock, so that a tick in an hour that does not exist is late by what is missing, and one in
	// an hour that comes twice happens once.
	wall := asUTC(from.In(r.Zone)).Add(-26 * time.Hour) // the first tick of a date may lie before from
	var all []Slot
	seen := map[string]bool{}
	for range mostSlots {
		if wall = r.cron.Next(wall); wall.IsZero() {
			break
		}
		run := r.instant(wall)
		if !run.Before(to) {
			break
		}
		s := r.slot(wall, run)
		key := s.Date.Format(time.DateOnly)
		if s.Holiday != "" {
			key += " free"
		}
		if seen[key] {
			wall = time.Date(wall.Year(), wall.Month(), wall.Day(), 23, 59, 0, 0, time.UTC) // the next day may have another date
			continue
		}
		seen[key] = true
		if !run.Before(from) && (free || s.Holiday == "") {
			all = append(all, s)
		}
	}
	return all
}

// SlotOf gives the slot of a business date; ok is false if none has it.
func (r Rule) SlotOf(date time.Time) (s Slot, ok bool) {
	y, m, d := date.Date()
	for _, s := range r.Slots(time.Date(y, m, d, 0, 0, 0, 0, r.Zone), time.Date(y, m, d+15, 0, 0, 0, 0, r.Zone), false) {
		if sameDay(s.Date, date) {
			return s, true
		}
	}
	return Slot{}, false
}

func sameDay(a, b time.Time) bool { return a.Format(time.DateOnly) == b.Format(time.DateOnly) }

func (r Rule) slot(wall, run time.Time) Slot {
	y, m, d := wall.Date()
	s := Slot{Run: run, Date: time.Date(y, m, d, 0, 0, 0, 0, r.Zone)}
	if !r.Days.Working(s.Date) {
		s.Holiday = "weekend"
		if name, ok := r.Days.Holiday(s.Date); ok {
			s.Holiday = name
		}
	}
	s.StartBy, s.FinishBy = r.deadline(r.StartBy, wall, run), r.deadline(r.FinishBy, wall, run)
	switch r.Date {
	case PreviousDay:
		s.Date = time.Date(y, m, d-1, 0, 0, 0, 0, r.Zone)
	case PreviousWorkingDay:
		s.Date = r.Days.Previous(s.Date)
	}
	return s
}

// deadline is the first time by the clock after the run should start, or so long after that.
func (r Rule) deadline(d Deadline, wall, run time.Time) time.Time {
	switch {
	case !d.set:
		return time.Time{}
	case !d.clock:
		return run.Add(d.offset)
	}
	at := time.Date(wall.Year(), wall.Month(), wall.Day(), 0, 0, 0, 0, time.UTC).Add(d.offset)
	if at.Before(wall) {
		at = at.AddDate(0, 0, 1)
	}
	return r.instant(at)
}

// instant is when a wall clock of the zone shows this: for the first time where it does so twice, and right after the gap
// where it never does.
func (r Rule) instant(wall time.Time) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, r.Zone)
	begin, end := t.ZoneBounds()
	switch shown := asUTC(t); {
	case shown.After(wall) && !begin.IsZero():
		return begin.In(r.Zone)
	case shown.Before(wall) && !end.IsZero():
		return end.In(r.Zone)
	}
	if !begin.IsZero() {
		_, offset := begin.Add(-time.Nanosecond).In(r.Zone).Zone()
		if first := wall.Add(-time.Duration(offset) * time.Second).In(r.Zone); first.Before(t) && asUTC(first).Equal(wall) {
			return first
		}
	}
	return t
}

// asUTC gives what the wall clock shows, as if it were UTC.
func asUTC(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, time.UTC)
}
