// Package schedule knows when jobs are due, and starts them.
//
// A schedule cuts time into data intervals, as Airflow does: each tick of the cron ends one and begins the next, and the run
// of an interval starts when it has ended. Start with [Config.Timetable]; [Due] is the plan, [Loop] carries it out.
//
// # Promises
//
// Intervals have no gap and no overlap, also over the change to summer time and back. Planning is a function of the clock
// and of the runs that are known; an interval that has a run is not planned again, so a restart or a second scheduler
// starts none twice and forgets none that its policy asks for.
package schedule

import (
	"fmt"
	"time"

	"github.com/robfig/cron/v3"
)

// A Slot is a data interval, [Start, End), in the schedule's time zone: its business date is the day of Start there.
type Slot struct{ Start, End time.Time }

// Key is the same for the same interval.
func (s Slot) Key() string {
	return s.Start.UTC().Format(time.RFC3339) + "/" + s.End.UTC().Format(time.RFC3339)
}

// A Timetable is a cron in its time zone.
type Timetable struct {
	cron  cron.Schedule
	zone  *time.Location
	start time.Time // zero: none
}

// Timetable compiles a schedule that has been validated.
func (c Config) Timetable() (Timetable, error) {
	zone, err := time.LoadLocation(c.Timezone)
	if err != nil {
		return Timetable{}, err
	}
	t := Timetable{zone: zone}
	if t.cron, err = cron.ParseStandard(c.Cron); err != nil {
		return t, err
	}
	if s, ok := t.cron.(*cron.SpecSchedule); ok {
		s.Location = zone
	}
	if c.Start != "" {
		day, err := time.Parse(time.DateOnly, c.Start)
		if err != nil {
			return t, err
		}
		t.start = time.Date(day.Year(), day.Month(), day.Day(), 0, 0, 0, 0, zone)
	}
	return t, nil
}

// Next is the first tick after a time.
func (t Timetable) Next(after time.Time) time.Time { return t.cron.Next(after.In(t.zone)) }

// Last is the newest interval that has ended at a time; ok is false if there is none within five years.
func (t Timetable) Last(at time.Time) (s Slot, ok bool) {
	for back := 2 * time.Minute; back < 5*366*24*time.Hour; back *= 4 {
		var ticks [2]time.Time
		n := 0
		for tick := t.Next(at.Add(-back)); !tick.IsZero() && !tick.After(at); tick = t.Next(tick) {
			ticks[0], ticks[1] = ticks[1], tick
			n++
		}
		if n >= 2 {
			return Slot{ticks[0], ticks[1]}, true
		}
	}
	return Slot{}, false
}

// Between are the intervals that start at or after from and have ended by to, at most max of them.
func (t Timetable) Between(from, to time.Time, max int) []Slot {
	var all []Slot
	for begin := t.Next(from.Add(-time.Nanosecond)); len(all) < max && !begin.IsZero(); {
		end := t.Next(begin)
		if end.IsZero() || end.After(to) {
			break
		}
		all = append(all, Slot{begin, end})
		begin = end
	}
	return all
}

// most is how many intervals are planned at once; the others follow.
const most = 1000

// Due lists the intervals that are to be run, the earliest first. newest is the end of the newest interval that has a run,
// zero if the job has none; since is when this scheduler began to serve.
func Due(c Config, t Timetable, now, newest, since time.Time) []Slot {
	from := newest
	if from.IsZero() {
		from = t.start
		if last, ok := t.Last(now); from.IsZero() && ok {
			from = last.Start // a new job begins with the interval that has just ended
		}
		if from.IsZero() {
			return nil
		}
	}
	all := t.Between(from, now, most)
	switch c.CatchUp {
	case "all":
	case "none":
		for len(all) > 0 && !all[0].End.After(since) {
			all = all[1:]
		}
	default:
		if missed := len(all) - 1; missed > 0 {
			keep := missed
			for keep > 0 && all[keep-1].End.After(since) { // what ended while we served is not catching up
				keep--
			}
			all = all[keep:]
		}
	}
	return all
}

func (s Slot) String() string {
	return fmt.Sprintf("%s to %s", s.Start.UTC().Format(time.RFC3339), s.End.UTC().Format(time.RFC3339))
}
