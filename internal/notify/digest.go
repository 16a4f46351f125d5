package notify

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/internal/db"
	"weir/internal/outcome"
)

// digestAt is when and where a unit gets its digest.
type digestAt struct {
	at       clock
	channel  string
	zone     *time.Location
	working  func(day time.Time) bool
	workdays bool
}

// soon: what is held until so short before a digest is told in it.
const soon = 2 * time.Hour

// lateDigest is from when on a digest that was missed is not told in quiet hours any more: the next one tells it.
const lateDigest = time.Hour

// on is the digest's instant of a day; false: that day has none.
func (d *digestAt) on(y int, m time.Month, day int) (time.Time, bool) {
	if d.workdays && !d.working(time.Date(y, m, day, 12, 0, 0, 0, d.zone)) {
		return time.Time{}, false
	}
	return d.at.on(y, m, day, d.zone), true
}

// next is the first digest after t, last the one at or before it. Who never works gets one in a year.
func (d *digestAt) next(t time.Time) time.Time {
	y, m, day := t.In(d.zone).Date()
	for i := range 366 {
		if at, ok := d.on(y, m, day+i); ok && at.After(t) {
			return at
		}
	}
	return d.at.on(y, m, day+366, d.zone)
}

func (d *digestAt) last(t time.Time) time.Time {
	y, m, day := t.In(d.zone).Date()
	for i := range 366 {
		if at, ok := d.on(y, m, day-i); ok && !at.After(t) {
			return at
		}
	}
	return d.at.on(y, m, day-366, d.zone)
}

// digestDue makes a unit's digest, once for its day: the row and all its messages are one transaction. After downtime the
// last one that was missed is made and counts since the last that was made; those between are not told.
func (s *Service) digestDue(ctx context.Context, unit string, now time.Time) (made bool, err error) {
	d := s.policy.digests[unit]
	at := d.last(now)
	name := at.In(d.zone).Format(time.DateOnly)
	var had bool
	if err := s.db.Read().QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM digest WHERE unit = ? AND day >= ?)", unit, name).Scan(&had); err != nil || had {
		return false, err
	}
	q := s.policy.quiet[unit]
	tooLate := q != nil && now.Sub(at) > lateDigest && !q.until(now).IsZero()
	err = s.change(ctx, func(tx *sql.Tx) error {
		made = false
		var since, before int64
		err := tx.QueryRowContext(ctx, "SELECT seq, at FROM digest WHERE unit = ? ORDER BY day DESC LIMIT 1", unit).Scan(&since, &before)
		if errors.Is(err, sql.ErrNoRows) { // the first begins to count now
			_, err := tx.ExecContext(ctx, `INSERT INTO digest (unit, day, at, seq, event) SELECT ?, ?, ?, coalesce(max(seq), 0), '' FROM event WHERE accepted <= ?
				ON CONFLICT (unit, day) DO NOTHING`, unit, name, now.UnixMicro(), at.UnixMicro())
			return err
		}
		if err != nil || tooLate {
			return err
		}
		made = true
		kept, err := keptRows(ctx, tx, allRows, "d.gate = 'quiet' AND d.state = 'held' AND e.unit = ?", unit)
		if err != nil {
			return err
		}
		t := tally{unit: unit, at: at, since: since, before: db.Time(before)}
		if err := t.count(ctx, tx); err != nil {
			return err
		}
		channels := []string{d.channel}
		for _, k := range kept {
			if k.stillTrue() && !slices.Contains(channels, k.channel) {
				channels = append(channels, k.channel)
			}
		}
		var id string
		for i, c := range channels {
			event := digestID(unit, "digest", name, c)
			if i == 0 {
				id = event
			}
			if err := s.tellDigest(ctx, tx, now, event, c, "digest/"+name, t, kept); err != nil {
				return err
			}
		}
		if err := s.opt.at("the digest's deliveries stand"); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "INSERT INTO digest (unit, day, at, seq, event) VALUES (?, ?, ?, coalesce((SELECT min(seq) - 1 FROM event WHERE phase = 'accepted'), (SELECT max(seq) FROM event), 0), ?)", unit, name, now.UnixMicro(), id)
		return err
	})
	return made, err
}

// tellTogether tells what was held over a night in one message per unit and channel.
func (s *Service) tellTogether(ctx context.Context, tx *sql.Tx, now time.Time, kept []keptRow) error {
	type place struct{ unit, channel string }
	var places []place
	for _, k := range kept {
		if p := (place{k.m.Outcome.Unit, k.channel}); !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	for _, p := range places {
		mine := slices.DeleteFunc(slices.Clone(kept), func(k keptRow) bool { return k.m.Outcome.Unit != p.unit })
		what := fmt.Sprintf("held/%s", now.In(s.zoneOf(p.unit)).Format("2006-01-02T15:04"))
		if err := s.tellDigest(ctx, tx, now, digestID(p.unit, what, fmt.Sprint(mine[0].id), p.channel), p.channel, what, tally{unit: p.unit, at: now, onlyHeld: true}, mine); err != nil {
			return err
		}
	}
	return nil
}

func digestID(parts ...string) string {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode(parts)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// tellDigest writes one digest message down as an event that is routed already, and what it tells as told by it.
func (s *Service) tellDigest(ctx context.Context, tx *sql.Tx, now time.Time, event, name, what string, t tally, kept []keptRow) error {
	zone := s.zoneOf(t.unit)
	for _, k := range kept {
		if k.channel != name {
			continue
		}
		if !k.stillTrue() {
			if err := s.again(ctx, tx, now, k, ""); err != nil {
				return err
			}
			continue
		}
		t.hold(k, zone, s.words(t.unit))
		if err := s.opt.at("a held delivery is told by a digest"); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "UPDATE delivery SET state = 'superseded', gate = 'digest', gate_ref = ?, reason = ? WHERE id = ?", event,
			k.reason+"; told in the digest of "+now.In(zone).Format("Mon 2 Jan 15:04 MST")+" (event "+event[:12]+")", k.id); err != nil {
			return err
		}
	}
	o := outcome.Outcome{RunID: what, Job: "digest", Kind: kindDigest, Unit: t.unit, State: outcome.Ready, At: now}
	m := t.message(o, event, t.unit+"/"+what, s.units.Units[t.unit], zone, s.language(t.unit))
	doc, err := json.Marshal(o)
	if err != nil {
		return err
	}
	view, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO event (id, key, unit, job, run, state, accepted, phase, doc, view) VALUES (?, ?, ?, ?, ?, ?, ?, 'routed', ?, ?)
		ON CONFLICT (id) DO NOTHING`, event, m.Key, t.unit, o.Job, o.RunID, o.State, now.UnixMicro(), string(doc), string(view)); err != nil {
		return err
	}
	if err := s.opt.at("the digest's event stands"); err != nil {
		return err
	}
	if err := s.note(ctx, tx, event, Decision{Path: "units." + t.unit + ".digest", Action: "sent to", Channel: name}); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO delivery (event_id, key, channel, part, state, must_tell, loud, mention, created, next_at, budget)
		VALUES (?, ?, ?, 'root', 'ready', 1, 0, '', ?, ?, ?) ON CONFLICT DO NOTHING`, event, m.Key, name, now.UnixMicro(), now.UnixMicro(), now.Add(s.budgetOf(name)).UnixMicro())
	return err
}
