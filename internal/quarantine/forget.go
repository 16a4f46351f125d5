package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"weir/internal/lake"
)

// Forget ends the stop after a rollback of a job's destination, whose last move then stands in no snapshot of it any more: the numbers go on
// from that move. If its rows have not been cut out of the quarantine yet they stay there, for nothing of them is in the table. The
// quarantine may have been rolled back with it. It says whether there was anything to do.
func Forget(ctx context.Context, l *lake.Lake, destination, job string) (bool, error) {
	to, err := l.Table(ctx, destination)
	if err != nil {
		return false, err
	}
	q, err := l.Table(ctx, Table(destination))
	if errors.Is(err, lake.ErrNoTable) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	ended, err := keep(ctx, q, job) // what is refused counts from there on: its cursor never goes back
	if err != nil {
		return false, err
	}
	var rolled *lake.RolledBackError
	if _, err := to.Position(ctx, mover); !errors.As(err, &rolled) {
		return ended, err
	}
	var last, before Move
	if err := errors.Join(read(rolled.Property.Cursor, &last), read(rolled.Snapshot.Cursor, &before)); err != nil {
		return false, fmt.Errorf("table %s: cursor of %s: %w", destination, mover, err)
	}
	if err := leave(ctx, q, last, before); err != nil {
		return false, err
	}
	return keep(ctx, to, mover)
}

// leave brings the quarantine to the number of a replay that is not in the destination any more, without taking anything out; before is
// the destination's last move that still is.
func leave(ctx context.Context, q *lake.Table, m, before Move) error {
	p, err := q.Plan(ctx)
	if err != nil || p.UUID != m.UUID {
		return err
	}
	at, err := q.Position(ctx, mover)
	var c counted
	var rolled *lake.RolledBackError
	if errors.As(err, &rolled) {
		if err := read(rolled.Snapshot.Cursor, &c); err != nil {
			return err
		}
		if before.UUID == p.UUID && c.N < before.N { // it has rows that are in the destination
			return fmt.Errorf("quarantine %s was rolled back to move %d, and its table to move %d: roll both back to the same time", q.Name(), c.N, before.N)
		}
		if _, err := keep(ctx, q, mover); err != nil {
			return err
		}
		at, err = q.Position(ctx, mover)
	}
	if err == nil {
		err = read(at.Cursor, &c)
	}
	if err != nil || c.N != m.Prev || m.Kind != Replayed { // a discard is brought to its end
		return err
	}
	now, err := json.Marshal(counted{N: m.N})
	if err != nil {
		return err
	}
	_, err = q.Commit(ctx, lake.Commit{Job: mover, ID: fmt.Sprintf("left-%d", m.N), From: at.Cursor, To: now})
	return err
}

// keep goes on from a table's cursor as it was before a rollback, if there was one.
func keep(ctx context.Context, t *lake.Table, job string) (bool, error) {
	var rolled *lake.RolledBackError
	if _, err := t.Position(ctx, job); !errors.As(err, &rolled) {
		return false, err
	}
	_, err := t.Resolve(ctx, job, true, func(_, _ json.RawMessage) map[string]string { return nil })
	return err == nil, err
}

func read(cursor json.RawMessage, into any) error {
	if len(cursor) == 0 {
		return nil
	}
	return json.Unmarshal(cursor, into)
}
