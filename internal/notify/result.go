package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// record writes down how a call ended and decides what follows. If somebody else has taken the delivery over meanwhile
// (we slept past our lease), the result is only noted as an attempt.
func (w *worker) record(ctx context.Context, d *delivery, r channel.Receipt, callErr error, took time.Duration) error {
	var f *channel.Failure
	if callErr != nil {
		f = channel.Classify(callErr)
	}
	return w.s.db.Write(ctx, func(tx *sql.Tx) error {
		if err := addAttempt(ctx, tx, d, d.Op, f, took); err != nil {
			return err
		}
		var state, owner string
		if err := tx.QueryRowContext(ctx, "SELECT state, owner FROM delivery WHERE id = ?", d.ID).Scan(&state, &owner); err != nil {
			return err
		}
		if state != stSending || owner != w.s.owner {
			w.s.opt.Log.Warn("result came too late", "channel", w.name, "delivery", d.ID, "state", state)
			return nil
		}
		if f == nil {
			return w.arrived(ctx, tx, d, r)
		}
		w.s.opt.Log.Warn("delivery failed", "channel", w.name, "delivery", d.ID, "class", string(f.Class), "code", f.Code)
		return w.failed(ctx, tx, d, f)
	})
}

// addAttempt notes a call. The error's text is scrubbed: a channel must not put a secret there, but drivers surprise.
func addAttempt(ctx context.Context, tx *sql.Tx, d *delivery, action string, f *channel.Failure, took time.Duration) error {
	class, code, status, text := "ok", "", 0, ""
	if f != nil {
		class, code, status = string(f.Class), f.Code, f.HTTP
		if f.Err != nil {
			text = oneLine(outcome.Scrub(f.Err.Error()))
		}
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO sends (channel, result, n) SELECT channel, ?, 1 FROM delivery WHERE id = ?
		ON CONFLICT (channel, result) DO UPDATE SET n = sends.n + 1`, class, d.ID); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO attempt (delivery, n, at, action, class, code, http, error, ms)
		SELECT ?, coalesce(max(n), 0) + 1, ?, ?, ?, ?, ?, ?, ? FROM attempt WHERE delivery = ?`,
		d.ID, time.Now().UnixMicro(), action, class, code, status, text, took.Milliseconds(), d.ID)
	return err
}

// arrived ends a delivery well.
func (w *worker) arrived(ctx context.Context, tx *sql.Tx, d *delivery, r channel.Receipt) error {
	now := time.Now().UnixMicro()
	if _, err := tx.ExecContext(ctx, "UPDATE delivery SET state = CASE again WHEN 1 THEN 'ready' ELSE 'sent' END, again = 0, sent_at = ?, ref = ?, reason = '' WHERE id = ?", now, r.Ref, d.ID); err != nil {
		return err
	}
	if _, edits := w.channel.(channel.Editor); edits && d.Op != "reply" && r.Ref != "" { // a reply whose message was gone has become one
		if _, err := tx.ExecContext(ctx, "INSERT INTO message (key, channel, ref, at) VALUES (?, ?, ?, ?) ON CONFLICT (key, channel) DO UPDATE SET ref = excluded.ref, at = excluded.at",
			d.Key, w.name, r.Ref, now); err != nil {
			return err
		}
	}
	return w.unblock(ctx, tx)
}

// failed decides what follows a call that did not succeed.
func (w *worker) failed(ctx context.Context, tx *sql.Tx, d *delivery, f *channel.Failure) error {
	now := time.Now()
	switch f.Class {
	case channel.Again:
		wait := w.backoff(d.Tries)
		if f.After > 0 {
			// The far side has said when: nobody calls this method of the channel before, and then not all at once.
			wait = max(f.After, wait) + jitter(time.Second)
			if err := w.leaveAlone(ctx, tx, methodName(d.Op), now.Add(wait)); err != nil {
				return err
			}
		}
		return w.later(ctx, tx, d, stRetry, wait, f)
	case channel.Blocked:
		if err := w.block(ctx, tx, d, f); err != nil {
			return err
		}
		return w.set(ctx, tx, d, stReady, now, "waits for channel "+w.name+": "+f.Code)
	case channel.Refused:
		if !d.Plain {
			_, err := tx.ExecContext(ctx, "UPDATE delivery SET state = 'ready', plain = 1, next_at = ?, reason = ? WHERE id = ?", now.UnixMicro(), "refused with "+f.Code+"; now as plain text", d.ID)
			return err
		}
		return w.dead(ctx, tx, d, "refused: "+f.Code)
	case channel.Gone:
		if _, err := tx.ExecContext(ctx, "UPDATE message SET ref = '' WHERE key = ? AND channel = ?", d.Key, w.name); err != nil {
			return err
		}
		return w.later(ctx, tx, d, stReady, 0, f)
	}
	_, _, repeater := powers(w.channel)
	switch {
	case w.s.opt.blind, d.Op == "edit": // an edit is idempotent
		return w.later(ctx, tx, d, stRetry, w.backoff(d.Tries), f)
	case repeater != nil && repeater.Repeatable(now.Sub(d.First)):
		return w.later(ctx, tx, d, stRetry, max(f.After, w.backoff(d.Tries)), f)
	}
	return w.later(ctx, tx, d, stUnknown, w.s.opt.LookWait, f)
}

// later puts a delivery off, unless its budget is used up. An unknown result is looked up even then.
func (w *worker) later(ctx context.Context, tx *sql.Tx, d *delivery, state string, wait time.Duration, f *channel.Failure) error {
	now := time.Now()
	var budget int64
	if err := tx.QueryRowContext(ctx, "UPDATE delivery SET tries = tries + 1, looks = 0 WHERE id = ? RETURNING tries, budget", d.ID).Scan(&d.Tries, &budget); err != nil {
		return err
	}
	if state != stUnknown && (d.Tries >= w.s.retryOf(w.name).Tries || now.UnixMicro() > budget) {
		return w.dead(ctx, tx, d, fmt.Sprintf("given up after %d tries: %s", d.Tries, f.Code))
	}
	return w.set(ctx, tx, d, state, now.Add(wait), f.Code)
}

func (w *worker) set(ctx context.Context, tx *sql.Tx, d *delivery, state string, next time.Time, reason string) error {
	_, err := tx.ExecContext(ctx, "UPDATE delivery SET state = ?, next_at = ?, reason = ? WHERE id = ?", state, next.UnixMicro(), reason, d.ID)
	return err
}

// block stops the channel; one delivery is tried now and then, and the fallback is told once.
func (w *worker) block(ctx context.Context, tx *sql.Tx, d *delivery, f *channel.Failure) error {
	now := time.Now()
	if _, err := tx.ExecContext(ctx, `INSERT INTO channel (name, state, code, reason, since, next_at) VALUES (?, 'blocked', ?, ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET since = CASE channel.state WHEN 'blocked' THEN channel.since ELSE excluded.since END,
		state = 'blocked', code = excluded.code, reason = excluded.reason, next_at = excluded.next_at`,
		w.name, f.Code, oneLine(outcome.Scrub(f.Error())), now.UnixMicro(), now.Add(w.s.opt.ProbeEvery).UnixMicro()); err != nil {
		return err
	}
	if d.channelBlocked || isNotice(d.Message.Outcome) {
		return nil
	}
	return w.tell(ctx, tx, outcome.Outcome{
		RunID: fmt.Sprintf("%s@%d", w.name, now.UnixMicro()), Job: w.name, Kind: kindChannel, Title: "Channel " + w.name,
		State: outcome.Failed, At: now, Cause: outcome.Cause{Code: f.Code, Text: f.Error()},
	})
}

// unblock opens the channel again; what waited there gets the lost time back.
func (w *worker) unblock(ctx context.Context, tx *sql.Tx) error {
	var since int64
	err := tx.QueryRowContext(ctx, "SELECT since FROM channel WHERE name = ? AND state = 'blocked'", w.name).Scan(&since)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	now := time.Now()
	if _, err := tx.ExecContext(ctx, "UPDATE channel SET state = 'ok', code = '', reason = '', since = ?, next_at = 0 WHERE name = ?", now.UnixMicro(), w.name); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE delivery SET budget = budget + ? WHERE channel = ? AND "+isOpen, now.UnixMicro()-since, w.name); err != nil {
		return err
	}
	return w.tell(ctx, tx, outcome.Outcome{
		RunID: fmt.Sprintf("%s@%d", w.name, since), Job: w.name, Kind: kindChannel, Title: "Channel " + w.name,
		State: outcome.Recovered, At: now,
	})
}

// dead gives a delivery up; somebody is told.
func (w *worker) dead(ctx context.Context, tx *sql.Tx, d *delivery, reason string) error {
	if err := w.set(ctx, tx, d, stDead, time.Now(), reason); err != nil {
		return err
	}
	w.s.opt.Log.Error("delivery is dead", "channel", w.name, "delivery", d.ID, "reason", reason)
	if isNotice(d.Message.Outcome) {
		return nil
	}
	return w.tell(ctx, tx, outcome.Outcome{
		RunID: fmt.Sprintf("delivery %d", d.ID), Job: w.name, Kind: kindDead, Title: d.Message.Subject, LogRef: d.Event,
		State: outcome.Failed, At: time.Now(), Cause: outcome.Cause{Text: reason},
	})
}

// tell accepts a notice of our own, in the same transaction as what it is about. The next poll routes it.
func (w *worker) tell(ctx context.Context, tx *sql.Tx, o outcome.Outcome) error {
	return accept(ctx, tx, o.Scrubbed())
}
