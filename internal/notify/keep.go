package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"weir/internal/db"
	"weir/internal/notify/channel"
	"weir/internal/notify/words"
	"weir/internal/outcome"
)

// keepEvery is how soon a change of the machine's clock is noticed, what was held for a few seconds only, and a silence that
// somebody has ended.
const keepEvery = 5 * time.Second

// expireEvery is how often the whole backlog is looked at for what is too old.
const expireEvery = 10 * time.Minute

// keepAll lets go what is kept back, when its time has come.
func (s *Service) keepAll(ctx context.Context) error {
	for ctx.Err() == nil {
		now := time.Now()
		next, err := s.keep(ctx, now)
		if errors.Is(err, errNoLease) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			s.opt.Log.Error("what is kept back was not looked at", "err", err)
			next = now.Add(time.Second)
		}
		s.pause(ctx, max(time.Millisecond, min(time.Until(next), max(keepEvery, s.opt.Poll))), nil)
	}
	return ctx.Err()
}

// keep does all that is due at now: digests, what was held, silences that have ended, what is too old. Each step is one
// transaction, after which nothing of it is left to do, so that it may end anywhere and be begun again. It says when the
// next step is due.
func (s *Service) keep(ctx context.Context, now time.Time) (next time.Time, err error) {
	did := false
	if left := s.nextExpire.Sub(now); left <= 0 || left > expireEvery {
		if err := s.expire(ctx, now); err != nil { // before the digests, which tell it
			return next, err
		}
		s.nextExpire = now.Add(expireEvery)
	}
	for unit := range s.policy.digests {
		made, err := s.digestDue(ctx, unit, now)
		if err != nil {
			return next, err
		}
		did = did || made
	}
	for _, step := range []func(context.Context, time.Time) (bool, error){s.letGo, s.endSilence} {
		for more := true; more && ctx.Err() == nil; did = did || more {
			if more, err = step(ctx, now); err != nil {
				return next, err
			}
		}
	}
	if did {
		s.wake()
	}
	return s.nextKeep(ctx, now)
}

func (s *Service) nextKeep(ctx context.Context, now time.Time) (time.Time, error) {
	next := now.Add(day)
	var held, silence sql.NullInt64
	err := s.db.Read().QueryRowContext(ctx, `SELECT (SELECT min(next_at) FROM delivery WHERE state = 'held' AND gate <> ''),
		(SELECT min(until) FROM silence WHERE settled = 0 AND ended = 0)`).Scan(&held, &silence)
	for _, at := range []sql.NullInt64{held, silence} {
		if at.Valid && db.Time(at.Int64).Before(next) {
			next = db.Time(at.Int64)
		}
	}
	for _, d := range s.policy.digests {
		if at := d.next(now); at.Before(next) {
			next = at
		}
	}
	return next, err
}

// A keptRow is a delivery that is kept back.
type keptRow struct {
	id                 int64
	event, channel     string
	part, gate, reason string
	m                  channel.Message
	told               int // revision that the story has told last
	broken             time.Time
}

// atOnce is how many deliveries one transaction lets go.
const atOnce = 200

// allRows is more than there are.
const allRows = 1 << 30

// keptRows reads them, the oldest first.
func keptRows(ctx context.Context, tx *sql.Tx, most int, where string, args ...any) ([]keptRow, error) {
	rows, err := tx.QueryContext(ctx, `SELECT d.id, d.event_id, d.channel, d.part, d.gate, d.reason, e.view, coalesce(st.told, 0), coalesce(st.broken, 0)
		FROM delivery d JOIN event e ON e.id = d.event_id LEFT JOIN story st ON st.key = d.key WHERE `+where+` ORDER BY d.id LIMIT ?`, append(args, most)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []keptRow
	for rows.Next() {
		var k keptRow
		var view string
		var broken int64
		if err := rows.Scan(&k.id, &k.event, &k.channel, &k.part, &k.gate, &k.reason, &view, &k.told, &broken); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(view), &k.m); err != nil {
			return nil, fmt.Errorf("delivery %d: %w", k.id, err)
		}
		k.broken = db.Time(broken)
		out = append(out, k)
	}
	return out, rows.Err()
}

// stillTrue reports whether the story has nothing newer to tell. A failure whose retry is under way is still one.
func (k keptRow) stillTrue() bool {
	return k.m.Revision == k.told || k.gate == gateRetry && k.part == "reply" && !k.broken.IsZero()
}

// letGo decides about what was held until now: it leaves, is told in one message per channel where the unit has a digest, or
// waits for the next reason that there is. It takes all of one unit in one transaction.
func (s *Service) letGo(ctx context.Context, now time.Time) (did bool, err error) {
	var some bool
	const due = "d.state = 'held' AND d.gate <> '' AND d.next_at <= ?"
	if err := s.db.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM delivery d WHERE "+due+")", now.UnixMicro()).Scan(&some); err != nil || !some {
		return false, err
	}
	err = s.change(ctx, func(tx *sql.Tx) error {
		kept, err := keptRows(ctx, tx, atOnce, due, now.UnixMicro())
		if err != nil {
			return err
		}
		did = len(kept) > 0
		var together []keptRow
		for _, k := range kept {
			unit := k.m.Outcome.Unit
			if s.policy.digests[unit] != nil && k.gate == gateQuiet && k.stillTrue() && s.quieted(now, k.ask(false)).state == "" {
				together = append(together, k)
				continue
			}
			if err := s.again(ctx, tx, now, k, ""); err != nil {
				return err
			}
		}
		return s.tellTogether(ctx, tx, now, together)
	})
	return did, err
}

func (k keptRow) ask(standing bool) asked {
	return asked{k.m.Outcome, k.m.Key, k.channel, k.part, standing, k.broken}
}

// again asks once more what becomes of a delivery that was kept back; over says what has ended, if the row does not.
func (s *Service) again(ctx context.Context, tx *sql.Tx, now time.Time, k keptRow, over string) error {
	if !k.stillTrue() {
		_, err := tx.ExecContext(ctx, "UPDATE delivery SET state = 'superseded', gate = '', reason = ? WHERE id = ?", k.reason+"; no longer true when that ended", k.id)
		return err
	}
	standing, err := s.standing(ctx, tx, k.m.Key, k.channel)
	if err != nil {
		return err
	}
	f, err := s.fate(ctx, tx, now, k.ask(standing))
	if err != nil {
		return err
	}
	if f.state != stReady {
		_, err := tx.ExecContext(ctx, "UPDATE delivery SET state = ?, gate = ?, gate_ref = ?, next_at = ?, reason = ? WHERE id = ?", f.state, f.gate, f.ref, db.Micros(f.until), f.reason, k.id)
		return err
	}
	if err := s.note(ctx, tx, k.event, Decision{Path: "kept back", Action: "released", Channel: k.channel, Reason: firstText(over, k.reason)}); err != nil {
		return err
	}
	if err := s.opt.at("the release is noted"); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "UPDATE delivery SET state = 'ready', gate = '', gate_ref = '', next_at = ?, created = ?, budget = ?, reason = ? WHERE id = ?",
		now.UnixMicro(), now.UnixMicro(), now.Add(s.budgetOf(k.channel)).UnixMicro(), "was kept back: "+firstText(over, k.reason), k.id)
	return err
}

func firstText(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// note adds a decision to an event that is routed already.
func (s *Service) note(ctx context.Context, tx *sql.Tx, event string, d Decision) error {
	doc, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "INSERT INTO decision (event_id, n, doc) SELECT ?, coalesce(max(n), 0) + 1, ? FROM decision WHERE event_id = ?", event, string(doc), event)
	return err
}

// change writes to the outbox as the lease's holder.
func (s *Service) change(ctx context.Context, f func(tx *sql.Tx) error) error {
	return s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := s.holds(ctx, tx); err != nil {
			return err
		}
		if err := f(tx); err != nil {
			return err
		}
		return s.opt.at("commit")
	})
}

// endSilence tells what a silence has kept back, is still broken or stands wrong in a channel, once the silence has ended.
func (s *Service) endSilence(ctx context.Context, now time.Time) (did bool, err error) {
	const ended = "settled = 0 AND (ended > 0 OR until <= ?)"
	var some bool
	if err := s.db.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM silence WHERE "+ended+")", now.UnixMicro()).Scan(&some); err != nil || !some {
		return false, err
	}
	err = s.change(ctx, func(tx *sql.Tx) error {
		did = true
		var id int64
		if err := tx.QueryRowContext(ctx, "SELECT id FROM silence WHERE "+ended+" ORDER BY id LIMIT 1", now.UnixMicro()).Scan(&id); err != nil {
			return err
		}
		kept, err := keptRows(ctx, tx, atOnce, "d.gate = 'silence' AND d.state = 'suppressed' AND d.gate_ref = ?", fmt.Sprint(id))
		if err != nil {
			return err
		}
		if len(kept) == 0 {
			_, err := tx.ExecContext(ctx, "UPDATE silence SET settled = 1 WHERE id = ?", id)
			return err
		}
		for _, k := range kept {
			standing, err := s.standing(ctx, tx, k.m.Key, k.channel)
			if err != nil {
				return err
			}
			if k.m.Revision == k.told && (isBad(k.m.Outcome.State) || standing) {
				err = s.again(ctx, tx, now, k, fmt.Sprintf("silence %d has ended and it is still so", id))
			} else {
				_, err = tx.ExecContext(ctx, "UPDATE delivery SET gate_ref = ? WHERE id = ?", fmt.Sprintf("%d, ended", id), k.id)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return did, err
}

// expire gives up what could not leave for too long. The digest of its unit says so; where there is none, the fallback.
func (s *Service) expire(ctx context.Context, now time.Time) error {
	age := orElse(s.units.Defaults.TTL, ttl)
	const old = "(state IN ('ready', 'retry') OR state = 'held' AND gate <> '') AND created < ?"
	before := now.Add(-age).UnixMicro()
	var some bool
	if err := s.db.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM delivery WHERE "+old+")", before).Scan(&some); err != nil || !some {
		return err
	}
	return s.change(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT d.channel, e.unit, count(*) FROM delivery d JOIN event e ON e.id = d.event_id
			WHERE (d.state IN ('ready', 'retry') OR d.state = 'held' AND d.gate <> '') AND d.created < ? GROUP BY d.channel, e.unit ORDER BY d.channel, e.unit`, before)
		if err != nil {
			return err
		}
		untold := map[string]int{}
		for rows.Next() {
			var name, unit string
			var n int
			if err := rows.Scan(&name, &unit, &n); err != nil {
				return errors.Join(err, rows.Close())
			}
			if s.policy.digests[unit] == nil {
				untold[name] += n
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE delivery SET state = 'expired', next_at = ?, reason = ? WHERE "+old,
			now.UnixMicro(), "it could not leave for "+words.Of("").Duration(age)+" (ttl)", before); err != nil {
			return err
		}
		w := s.words("")
		for name, n := range untold {
			if err := accept(ctx, tx, outcome.Outcome{
				RunID: fmt.Sprintf("expired %s@%d", name, now.UnixMicro()), Job: name, Kind: kindDead, Title: words.Fill(w.Own.Expired, "n", fmt.Sprint(n)),
				State: outcome.Failed, At: now, Cause: outcome.Cause{Text: words.Fill(w.Own.ExpiredWhy, "age", w.Duration(age))},
			}); err != nil {
				return err
			}
		}
		return nil
	})
}
