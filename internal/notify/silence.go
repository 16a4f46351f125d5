package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"

	"weir/internal/db"
	"weir/internal/notify/words"
)

// A Silence keeps messages back for a time: who wanted it, why, until when. What is still broken when it ends is told then.
type Silence struct {
	ID      int64     `json:"id"`
	Match   string    `json:"match"` // an expression as in routes
	Owner   string    `json:"owner"`
	Reason  string    `json:"reason"`
	Created time.Time `json:"created"`
	Until   time.Time `json:"until"`
	Ended   time.Time `json:"ended,omitzero"` // by hand, before its time
	EndedBy string    `json:"ended_by,omitempty"`
	Active  bool      `json:"active"`
	Kept    int64     `json:"kept"` // deliveries that it keeps back now
}

// AddSilence begins a silence; its id, times and state are the outbox's to give. Owner, reason and end are mandatory, and no
// silence is longer than silences_max of units.yaml.
func (s *Service) AddSilence(ctx context.Context, want Silence) (Silence, error) {
	now := time.Now()
	most := orElse(s.units.SilencesMax, silencesMax)
	switch e, err := parseExpr(want.Match); {
	case err != nil:
		return want, fmt.Errorf("match: %w", err)
	case e == expr(all{}):
		return want, errors.New("match: say what is silenced; everything cannot be")
	case want.Owner == "":
		return want, errors.New("owner: say whose silence it is")
	case want.Reason == "":
		return want, errors.New("reason: say why; it stands at each message that is kept back")
	case !want.Until.After(now):
		return want, errors.New("until: say for how long")
	case want.Until.Sub(now) > most:
		return want, fmt.Errorf("until: %s is longer than silences_max (%s)", words.Of("").Duration(want.Until.Sub(now)), words.Of("").Duration(most))
	}
	want.Created, want.Active, want.Ended, want.EndedBy, want.Kept = now, true, time.Time{}, "", 0
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "INSERT INTO silence (match, owner, reason, created, until) VALUES (?, ?, ?, ?, ?) RETURNING id",
			want.Match, want.Owner, oneLine(want.Reason), now.UnixMicro(), want.Until.UnixMicro()).Scan(&want.ID)
	})
	return want, err
}

// EndSilence ends a silence before its time.
func (s *Service) EndSilence(ctx context.Context, id int64, by string) error {
	if by == "" {
		return errors.New("say who ends it")
	}
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		now := time.Now().UnixMicro()
		res, err := tx.ExecContext(ctx, "UPDATE silence SET ended = ?, ended_by = ? WHERE id = ? AND ended = 0 AND until > ?", now, by, id, now)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, fmt.Errorf("there is no silence %d that is in force", id))
		}
		return nil
	})
	if err == nil {
		s.wake()
	}
	return err
}

// Silences gives those in force, or also those of the past; the newest first, 1,000 at most.
func (s *Service) Silences(ctx context.Context, past bool) ([]Silence, error) {
	now := time.Now()
	query := "SELECT id, match, owner, reason, created, until, ended, ended_by, (SELECT count(*) FROM delivery d WHERE d.gate = 'silence' AND d.state = 'suppressed' AND d.gate_ref = CAST(silence.id AS TEXT)) FROM silence"
	args := []any{}
	if !past {
		query += " WHERE ended = 0 AND until > ?"
		args = append(args, now.UnixMicro())
	}
	rows, err := s.db.Read().QueryContext(ctx, query+" ORDER BY id DESC LIMIT 1000", args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Silence{}
	for rows.Next() {
		var x Silence
		var created, until, ended int64
		if err := rows.Scan(&x.ID, &x.Match, &x.Owner, &x.Reason, &created, &until, &ended, &x.EndedBy, &x.Kept); err != nil {
			return nil, err
		}
		x.Created, x.Until, x.Ended = db.Time(created), db.Time(until), db.Time(ended)
		x.Active = ended == 0 && x.Until.After(now)
		out = append(out, x)
	}
	return out, rows.Err()
}

// silenced is the fate of a post that a silence keeps back.
func (s *Service) silenced(ctx context.Context, tx *sql.Tx, now time.Time, p asked) (fate, error) {
	rows, err := tx.QueryContext(ctx, "SELECT id, match, owner, reason, until FROM silence WHERE ended = 0 AND until > ? ORDER BY id", now.UnixMicro())
	if err != nil {
		return fate{}, err
	}
	defer rows.Close()
	facts := factsOf(p.o)
	for rows.Next() {
		var id, until int64
		var match, owner, reason string
		if err := rows.Scan(&id, &match, &owner, &reason, &until); err != nil {
			return fate{}, err
		}
		e, err := parseExpr(match)
		if err != nil {
			continue // of a version with other fields: it cannot be told what it means
		}
		if ok, _ := e.eval(facts); ok {
			return fate{stSuppressed, gateSilence, strconv.FormatInt(id, 10), db.Time(until), fmt.Sprintf("silence %d", id),
				fmt.Sprintf("silence %d of %s until %s: %s", id, owner, s.moment(p.o.Unit, now, db.Time(until)), reason)}, rows.Err()
		}
	}
	return fate{}, rows.Err()
}
