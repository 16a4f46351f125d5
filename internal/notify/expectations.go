package notify

import (
	"context"
	"time"
)

// An ExpectationStatus says how an expected run of today stands.
type ExpectationStatus struct {
	Job          string    `json:"job"`
	Unit         string    `json:"unit,omitempty"`
	Title        string    `json:"title,omitempty"`
	BusinessDate string    `json:"business_date,omitempty"` // 2026-11-20
	State        string    `json:"state"`                   // done, running, late, missing, failed, to come, not today
	Reason       string    `json:"reason,omitempty"`        // of "not today": holiday, not scheduled
	Scheduled    time.Time `json:"scheduled,omitzero"`      // when it should start
	StartBy      time.Time `json:"start_by,omitzero"`
	Due          time.Time `json:"due,omitzero"`         // finish by
	Usual        time.Time `json:"usual,omitzero"`       // ready by, as a median of past arrivals; zero: too few
	Ready        time.Time `json:"ready,omitzero"`       // of "done"
	NextUpdate   time.Time `json:"next_update,omitzero"` // of "late" and "missing": when it is told again
}

// ExpectationsToday lists what units.yaml expects today, in the order in which it is due.
func (s *Service) ExpectationsToday(ctx context.Context) ([]ExpectationStatus, error) {
	return []ExpectationStatus{}, ctx.Err()
}
