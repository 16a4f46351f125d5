package notify

import (
	"context"
	"database/sql"

	"weir/internal/outcome"
)

// Sends counts the calls to one channel that ended in one way.
type Sends struct {
	Channel string
	Result  string // ok, found, absent, or a class of failure
	N       int64
}

// Sends gives them for all channels, from the outbox's beginning on: what has left it counts, too.
func (s *Service) Sends(ctx context.Context) ([]Sends, error) {
	rows, err := s.db.Read().QueryContext(ctx, "SELECT channel, result, n FROM sends ORDER BY channel, result")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Sends
	for rows.Next() {
		var x Sends
		if err := rows.Scan(&x.Channel, &x.Result, &x.N); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// Ready reports whether the outbox takes a write to the disk now; it says why not.
func (s *Service) Ready(ctx context.Context) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		return saveMember(ctx, tx, "", "", member{}) // a row of no run, written each time
	})
}

// Absent gives the outcomes that were never accepted here.
func (s *Service) Absent(ctx context.Context, all []outcome.Outcome) ([]outcome.Outcome, error) {
	var out []outcome.Outcome
	for _, o := range all {
		var there bool
		if err := s.db.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM event WHERE id = ?)", o.EventID()).Scan(&there); err != nil {
			return nil, err
		}
		if !there {
			out = append(out, o)
		}
	}
	return out, nil
}
