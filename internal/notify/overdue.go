package notify

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"time"

	"weir/internal/calendar"
	"weir/internal/db"
	"weir/internal/notify/expect"
	"weir/internal/outcome"
)

// expectations compiles `expect`, in the order of the jobs' names.
func expectations(u Units, zone *time.Location, days map[string]calendar.Calendar) ([]expect.Rule, error) {
	var all []expect.Rule
	for _, job := range slices.Sorted(maps.Keys(u.Expect)) {
		c := u.Expect[job]
		in := zone
		if c.Timezone != "" {
			z, err := time.LoadLocation(c.Timezone)
			if err != nil {
				return nil, fmt.Errorf("expect.%s: %w", job, err)
			}
			in = z
		}
		cal, err := u.daysOf(job, days)
		if err != nil {
			return nil, fmt.Errorf("expect.%s: %w", job, err)
		}
		r, err := c.Rule(job, in, cal)
		if err != nil {
			return nil, fmt.Errorf("expect.%s: %w", job, err)
		}
		all = append(all, r)
	}
	return all, nil
}

// daysOf are the days on which a job is expected: its own, or those of its unit, or each day that the schedule names.
func (u Units) daysOf(job string, days map[string]calendar.Calendar) (calendar.Calendar, error) {
	c := u.Expect[job]
	if c.Calendar != "" {
		return workingDays(c.Calendar)
	}
	unit := (rules{units: u.Units}).unitOf(outcome.Outcome{Unit: c.Unit, Job: job})
	if u.Units[unit].Calendar != "" {
		return days[unit], nil
	}
	if c.Date == expect.PreviousWorkingDay {
		return workingDays("weekdays")
	}
	return workingDays("none")
}

func (u Units) validateExpect(no complain) {
	for _, job := range slices.Sorted(maps.Keys(u.Expect)) {
		c := u.Expect[job]
		at := "expect." + job
		for _, bad := range c.Check() {
			path := at
			if bad.Path != "" {
				path += "." + bad.Path
			}
			no(path, "%s", bad.Message)
		}
		if _, err := workingDays(c.Calendar); err != nil {
			no(at+".calendar", "%v", err)
		}
		if _, ok := u.Units[c.Unit]; !ok && c.Unit != "" {
			no(at+".unit", "there is no unit %q%s", c.Unit, didYouMean(c.Unit, slices.Sorted(maps.Keys(u.Units))))
		}
	}
}

// silentFor is how long no job at all must have been heard of before that is thought to be the cause.
const silentFor = time.Hour

// facts are what a message about an overdue run can say besides.
func (s *Service) facts(ctx context.Context, tx *sql.Tx, r expect.Rule, d due, now time.Time) (*outcome.Expected, error) {
	x := &outcome.Expected{Due: d.decision.Due, Noticed: d.decision.Noticed, Next: d.decision.Memory.Next, Started: d.arrival.started}
	if d.slot.Run.IsZero() { // a silence
		x.Started = time.Time{}
		return x, nil
	}
	past, err := history(ctx, tx, d.unit, r.Job, d.key)
	if err != nil {
		return nil, err
	}
	x.Usual = usualReady(r, d.slot, past)
	if took := usualTook(past); took > 0 && x.Started.IsZero() {
		x.IfNow = now.Add(took)
	}
	if len(past) > 0 {
		x.LastGood, x.LastRows = past[0].day, past[0].rows
	}
	for _, job := range r.After {
		n := outcome.Needed{Job: job}
		unit := s.rules.unitOf(outcome.Outcome{Unit: s.units.Expect[job].Unit, Job: job})
		if unit == "" {
			unit = d.unit
		}
		a, err := loadArrival(ctx, tx, unit, job, d.key)
		if err != nil {
			return nil, err
		}
		told, err := toldOf(ctx, tx, keyOf(outcome.Outcome{Unit: unit, Job: job, Interval: d.outcome(r).Interval}))
		if err != nil {
			return nil, err
		}
		n.Ready, n.Failed = a.ready, told == outcome.Failed
		x.Inputs = append(x.Inputs, n)
	}
	var last sql.NullInt64
	if err := tx.QueryRowContext(ctx, "SELECT max(ready) FROM arrival WHERE day = '' AND job <> ?", r.Job).Scan(&last); err != nil {
		return nil, err
	}
	if heard := db.Time(last.Int64); last.Int64 > 0 && now.Sub(heard) > silentFor && x.Started.IsZero() {
		x.Silent = heard
	}
	return x, nil
}
