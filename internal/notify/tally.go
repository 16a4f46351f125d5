package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/internal/db"
	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// A tally is what a digest tells: only what is still true.
type tally struct {
	unit     string
	at       time.Time // of the digest
	since    int64     // counts events after this one
	before   time.Time // when the last digest was made
	onlyHeld bool      // the quiet hours have ended, and that is all

	ready, warning, cancelled, failed, late int
	open                                    []string // jobs that are broken, and since when
	held                                    []string // what was held for this channel
	dead, expired                           int
}

// count reads the outbox. What is broken counts for as long as it is.
func (t *tally) count(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `SELECT st.job, st.state, st.broken FROM story st WHERE st.unit = ? AND (st.broken > 0 OR st.key IN
		(SELECT key FROM event WHERE seq > ? AND unit = ? AND phase = 'routed')) ORDER BY st.broken, st.key`, t.unit, t.since, t.unit)
	if err != nil {
		return err
	}
	for rows.Next() {
		var job string
		var state outcome.State
		var broken int64
		if err := rows.Scan(&job, &state, &broken); err != nil {
			return errors.Join(err, rows.Close())
		}
		t.add(job, state, db.Time(broken))
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, `SELECT coalesce(sum(CASE d.state WHEN 'dead' THEN 1 ELSE 0 END), 0), coalesce(sum(CASE WHEN d.state = 'expired' AND d.next_at > ? THEN 1 ELSE 0 END), 0)
		FROM delivery d JOIN event e ON e.id = d.event_id WHERE d.state IN ('dead', 'expired') AND e.unit = ?`, db.Micros(t.before), t.unit).Scan(&t.dead, &t.expired)
}

func (t *tally) add(job string, state outcome.State, broken time.Time) {
	if !broken.IsZero() {
		t.open = append(t.open, job)
		if state.Overdue() {
			t.late++
		} else {
			t.failed++
		}
		return
	}
	switch {
	case state == outcome.Warning:
		t.warning++
	case state == outcome.Cancelled:
		t.cancelled++
	case state.Good():
		t.ready++
	}
}

// hold takes a held delivery in; a message and the reply to it are one thing to tell.
func (t *tally) hold(k keptRow, zone *time.Location) {
	o := k.m.Outcome
	text := fmt.Sprintf("%s %s %s", o.Job, o.State, o.When().In(zone).Format("15:04"))
	if n := len(t.held); n > 0 && t.held[n-1] == text {
		return
	}
	t.held = append(t.held, text)
}

// verdict is the digest's first line.
func (t *tally) verdict() string {
	if t.onlyHeld {
		return fmt.Sprintf("%d held over the quiet hours", len(t.held))
	}
	s := fmt.Sprintf("%d ready · %d late · %d failed", t.ready, t.late, t.failed)
	if t.warning > 0 {
		s += fmt.Sprintf(" · %d with warning", t.warning)
	}
	if t.cancelled > 0 {
		s += fmt.Sprintf(" · %d cancelled", t.cancelled)
	}
	return s
}

func (t *tally) message(o outcome.Outcome, event, key string, u UnitCfg, zone *time.Location) channel.Message {
	m := channel.Message{
		EventID: event, Key: key, Revision: 1, Severity: "info", Outcome: o, Symbol: "≡", Word: "DIGEST",
		Subject: firstText(u.Title, t.unit) + " for " + t.at.In(zone).Format("Mon 2 Jan 2006"), Verdict: t.verdict(), Ask: u.Ask, Todo: "nothing.",
		Footer: "weir notify · digest of unit " + t.unit + " · " + zone.String(),
	}
	line := func(label string, items []string) {
		if len(items) > 0 {
			m.Lines = append(m.Lines, label+some(items))
		}
	}
	line("Held overnight: ", t.held)
	line("Still open: ", t.open)
	if len(t.open) > 0 {
		m.Todo = "do not use the figures of what is still open; a message follows when it is mended."
	}
	if t.dead > 0 {
		m.Lines = append(m.Lines, fmt.Sprintf("Dead letters: %d messages could not be delivered; `notify dead list` shows them.", t.dead))
	}
	if t.expired > 0 {
		m.Lines = append(m.Lines, fmt.Sprintf("Expired: %d messages waited too long and were not sent; `notify outbox --state expired` shows them.", t.expired))
	}
	m.Reply = m.First()
	return m
}

// mostListed is how many things a line names before it only counts.
const mostListed = 12

func some(items []string) string {
	if more := len(items) - mostListed; more > 0 {
		return strings.Join(items[:mostListed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(items, ", ")
}
