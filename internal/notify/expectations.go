package notify

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"weir/internal/notify/expect"
	"weir/internal/outcome"
)

// States of an expectation that no run has.
const (
	Done     = "done"
	ToCome   = "to come"
	NotToday = "not today"
)

// An ExpectationStatus says how an expected run of today stands.
type ExpectationStatus struct {
	Job          string    `json:"job"`
	Unit         string    `json:"unit,omitempty"`
	Title        string    `json:"title,omitempty"`
	BusinessDate string    `json:"business_date,omitempty"` // 2026-11-20
	State        string    `json:"state"`                   // done, running, late, missing, failed, to come, not today
	Reason       string    `json:"reason,omitempty"`        // of "not today": Good Friday, weekend, not scheduled
	Scheduled    time.Time `json:"scheduled,omitzero"`      // when it should start
	StartBy      time.Time `json:"start_by,omitzero"`
	Due          time.Time `json:"due,omitzero"`         // finish by
	Usual        time.Time `json:"usual,omitzero"`       // ready by, as a median of past arrivals; zero: too few
	Ready        time.Time `json:"ready,omitzero"`       // of "done"
	NextUpdate   time.Time `json:"next_update,omitzero"` // of "late" and "missing": when it is told again
}

// ExpectationsToday lists what units.yaml expects today, in the order in which it is due, and what is overdue from before.
func (s *Service) ExpectationsToday(ctx context.Context) ([]ExpectationStatus, error) {
	all := []ExpectationStatus{}
	now := time.Now()
	for _, r := range s.expected {
		some, err := s.today(ctx, r, now)
		if err != nil {
			return nil, fmt.Errorf("expectations of job %s: %w", r.Job, err)
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b ExpectationStatus) int {
		if c := cmp.Compare(restOf(a), restOf(b)); c != 0 {
			return c
		}
		return cmp.Or(firstOf(a.Due, a.StartBy).Compare(firstOf(b.Due, b.StartBy)), cmp.Compare(a.Job, b.Job))
	})
	return all, nil
}

// restOf puts what is not expected last.
func restOf(e ExpectationStatus) int {
	if e.State == NotToday {
		return 1
	}
	return 0
}

func (s *Service) today(ctx context.Context, r expect.Rule, now time.Time) (all []ExpectationStatus, err error) {
	q := s.db.Read()
	unit, err := s.unitOfJob(ctx, q, r)
	if err != nil {
		return nil, err
	}
	life, err := loadArrival(ctx, q, unit, r.Job, "")
	if err != nil {
		return nil, err
	}
	base := ExpectationStatus{Job: r.Job, Unit: unit, Title: cmp.Or(r.Title, life.title)}
	if r.Freshness > 0 {
		e := base
		if e.State, e.Ready = ToCome, life.ready; !life.ready.IsZero() {
			e.Due = life.ready.Add(time.Duration(r.Freshness))
			if e.State = Done; !now.Before(e.Due) {
				e.State = string(outcome.Late)
			}
		}
		return []ExpectationStatus{e}, nil
	}
	if r.Schedule == "" {
		return nil, nil // only its figures are judged
	}
	y, m, d := now.In(r.Zone).Date()
	begin, end := time.Date(y, m, d, 0, 0, 0, 0, r.Zone), time.Date(y, m, d+1, 0, 0, 0, 0, r.Zone)
	for _, slot := range r.Slots(now.Add(-lookAfter), end, true) {
		e := base
		e.BusinessDate, e.Scheduled, e.StartBy, e.Due = slot.Date.Format(time.DateOnly), slot.Run, slot.StartBy, slot.FinishBy
		if slot.Holiday != "" {
			if !slot.Run.Before(begin) {
				e.State, e.Reason = NotToday, slot.Holiday
				e.StartBy, e.Due = time.Time{}, time.Time{}
				all = append(all, e)
			}
			continue
		}
		told, err := s.status(ctx, q, r, unit, slot, &e, now)
		if err != nil {
			return nil, err
		}
		if !slot.Run.Before(begin) || told && (e.State == string(outcome.Late) || e.State == string(outcome.Missing)) {
			all = append(all, e)
		}
	}
	if len(all) == 0 {
		base.State, base.Reason = NotToday, "not scheduled"
		all = append(all, base)
	}
	return all, nil
}

// status fills in how a slot stands; told is true if it was told as overdue.
func (s *Service) status(ctx context.Context, q queries, r expect.Rule, unit string, slot expect.Slot, e *ExpectationStatus, now time.Time) (told bool, err error) {
	d := due{key: e.BusinessDate, slot: slot, unit: unit}
	seen, err := s.seen(ctx, q, r, &d)
	if err != nil {
		return false, err
	}
	m, _, err := recall(ctx, q, r.Job, d.key)
	if err != nil {
		return false, err
	}
	past, err := history(ctx, q, unit, r.Job, d.key)
	if err != nil {
		return false, err
	}
	e.Usual, e.NextUpdate = usualReady(r, slot, past), m.Next
	switch {
	case seen.Ready:
		e.State, e.Ready, e.NextUpdate = Done, d.arrival.ready, time.Time{}
	case seen.Told:
		e.State = string(outcome.Failed)
	case !slot.FinishBy.IsZero() && !now.Before(slot.FinishBy):
		e.State = string(outcome.Late)
	case seen.Started:
		e.State = string(outcome.Running)
	case !slot.StartBy.IsZero() && !now.Before(slot.StartBy):
		e.State = string(outcome.Missing)
	default:
		e.State = ToCome
	}
	return m.Told > 0, nil
}
