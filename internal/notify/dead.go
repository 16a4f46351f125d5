package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Drop gives a dead or held delivery up for good. Who did it and why is written down: it stands in `explain`.
func (s *Service) Drop(ctx context.Context, delivery int64, by, reason string) error {
	switch {
	case by == "":
		return errors.New("say who drops it")
	case oneLine(reason) == "":
		return errors.New("say why it is dropped")
	}
	why := fmt.Sprintf("dropped by %s at %s: %s", by, time.Now().In(s.zone).Format("2006-01-02 15:04 MST"), oneLine(reason))
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		var event, name, state string
		err := tx.QueryRowContext(ctx, "SELECT event_id, channel, state FROM delivery WHERE id = ?", delivery).Scan(&event, &name, &state)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return errors.New("there is no such delivery")
		case err != nil:
			return err
		case state != stDead && state != stHeld && state != stExpired:
			return fmt.Errorf("it is %s; only what is dead, held or expired can be dropped", state)
		}
		if _, err := tx.ExecContext(ctx, "UPDATE delivery SET state = 'dropped', gate = '', next_at = ?, reason = ? WHERE id = ?", time.Now().UnixMicro(), why, delivery); err != nil {
			return err
		}
		return s.note(ctx, tx, event, Decision{Path: fmt.Sprintf("delivery %d", delivery), Action: "dropped", Channel: name, Reason: why})
	})
	if err != nil {
		return fmt.Errorf("drop delivery %d: %w", delivery, err)
	}
	return nil
}

// Delivery gives one delivery with its attempts.
func (s *Service) Delivery(ctx context.Context, id int64) (DeliveryDetail, error) {
	entries, err := s.Outbox(ctx, Filter{id: id})
	if err != nil {
		return DeliveryDetail{}, err
	}
	if len(entries) == 0 {
		return DeliveryDetail{}, fmt.Errorf("there is no delivery %d", id)
	}
	a, err := s.attempts(ctx, id)
	return DeliveryDetail{entries[0], a}, err
}
