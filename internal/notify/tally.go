package notify

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"time"

	"weir/internal/db"
	"weir/internal/notify/channel"
	"weir/internal/notify/words"
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
func (t *tally) hold(k keptRow, zone *time.Location, w *words.Set) {
	o := k.m.Outcome
	text := o.Job + " " + w.States[o.State].Brief + " " + words.Time(o.When().In(zone))
	if n := len(t.held); n > 0 && t.held[n-1] == text {
		return
	}
	t.held = append(t.held, text)
}

// verdict is the digest's first line.
func (t *tally) verdict(w *words.Digest) string {
	if t.onlyHeld {
		return words.Fill(w.OnlyHeld, "n", n(len(t.held)))
	}
	s := words.Fill(w.Figures, "ready", n(t.ready), "late", n(t.late), "failed", n(t.failed))
	if t.warning > 0 {
		s += words.Fill(w.Warnings, "n", n(t.warning))
	}
	if t.cancelled > 0 {
		s += words.Fill(w.Cancelled, "n", n(t.cancelled))
	}
	return s
}

func (t *tally) message(o outcome.Outcome, event, key string, u UnitCfg, zone *time.Location, language string) channel.Message {
	set := words.Of(language)
	w := &set.Digest
	m := channel.Message{
		EventID: event, Key: key, Revision: 1, Severity: "info", Language: language, Outcome: o, Symbol: "≡", Word: w.Word,
		Subject: words.Fill(w.Subject, "unit", firstText(u.Title, t.unit), "date", set.Date(t.at.In(zone))), Verdict: t.verdict(w), Ask: u.Ask, Todo: w.Nothing,
		Footer: "weir notify · " + words.Fill(w.Footer, "unit", t.unit) + " · " + zone.String(),
	}
	line := func(text string, items []string) {
		if len(items) > 0 {
			m.Lines = append(m.Lines, words.Fill(text, "list", some(w, items)))
		}
	}
	line(w.Held, t.held)
	line(w.Open, t.open)
	if len(t.open) > 0 {
		m.Todo = w.Careful
	}
	if t.dead > 0 {
		m.Lines = append(m.Lines, words.Fill(w.Dead, "n", n(t.dead)))
	}
	if t.expired > 0 {
		m.Lines = append(m.Lines, words.Fill(w.Expired, "n", n(t.expired)))
	}
	m.Reply = m.First()
	return m
}

// mostListed is how many things a line names before it only counts.
const mostListed = 12

func some(w *words.Digest, items []string) string {
	if more := len(items) - mostListed; more > 0 {
		return strings.Join(items[:mostListed], ", ") + words.Fill(w.More, "n", n(more))
	}
	return strings.Join(items, ", ")
}
