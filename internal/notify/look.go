package notify

import (
	"context"
	"database/sql"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// looks is how often a message must be absent, LookWait apart, before it is believed not to have arrived: the far side may
// show it late.
const looks = 2

// look finds out what became of a delivery whose result is unknown.
func (w *worker) look(call, ctx context.Context, d *delivery) error {
	_, finder, repeater := powers(w.channel)
	switch {
	case w.s.opt.blind, d.Op == "edit", repeater != nil && repeater.Repeatable(time.Since(d.First)):
		return w.settle(ctx, d, "repeat", nil, 0, channel.Receipt{}, false)
	case finder == nil:
		return w.settle(ctx, d, "", nil, 0, channel.Receipt{}, false)
	}
	thread := ""
	if d.Op == "reply" {
		thread = d.Ref
	}
	began := time.Now()
	r, found, err := finder.Find(call, d.postID(), thread, d.First)
	return w.settle(ctx, d, "look", err, time.Since(began), r, found)
}

// settle writes down what a look has shown. how: look, repeat (sending again is harmless), or empty (it cannot be known).
func (w *worker) settle(ctx context.Context, d *delivery, how string, lookErr error, took time.Duration, r channel.Receipt, found bool) error {
	return w.s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := w.s.holds(ctx, tx); err != nil {
			return err
		}
		now := time.Now()
		switch how {
		case "repeat":
			return w.set(ctx, tx, d, stReady, now, "sent again: a repeat does no harm here")
		case "":
			return w.undecidable(ctx, tx, d, "this channel cannot be asked")
		}
		if lookErr != nil {
			f := channel.Classify(lookErr)
			if err := addAttempt(ctx, tx, d, "look", f, took); err != nil {
				return err
			}
			return w.lookFailed(ctx, tx, d, f)
		}
		seen := &channel.Failure{Class: "absent"}
		if found {
			seen.Class = "found"
		}
		if err := addAttempt(ctx, tx, d, "look", seen, took); err != nil {
			return err
		}
		if found {
			w.s.opt.Log.Info("message had arrived", "channel", w.name, "delivery", d.ID)
			return w.arrived(ctx, tx, d, r)
		}
		if d.Looks+1 < looks {
			_, err := tx.ExecContext(ctx, "UPDATE delivery SET looks = looks + 1, next_at = ?, reason = 'not there; will look once more' WHERE id = ?", now.Add(w.s.opt.LookWait).UnixMicro(), d.ID)
			return err
		}
		w.s.opt.Log.Info("message had not arrived", "channel", w.name, "delivery", d.ID)
		return w.set(ctx, tx, d, stReady, now, "it had not arrived; sent again")
	})
}

func (w *worker) lookFailed(ctx context.Context, tx *sql.Tx, d *delivery, f *channel.Failure) error {
	now := time.Now()
	switch {
	case f.Code == "missing_scope":
		return w.undecidable(ctx, tx, d, "the app may not read the channel's history")
	case f.Class == channel.Blocked:
		if err := w.block(ctx, tx, d, f); err != nil {
			return err
		}
		return w.set(ctx, tx, d, stUnknown, now, "waits for channel "+w.name+": "+f.Code)
	case f.Class == channel.Gone: // the thread is gone, and the reply with it
		return w.failed(ctx, tx, d, f)
	}
	wait := w.backoff(d.Looks)
	if f.After > 0 {
		wait = max(f.After, wait) + jitter(time.Second)
		if err := w.leaveAlone(ctx, tx, "look", now.Add(wait)); err != nil {
			return err
		}
	}
	return w.set(ctx, tx, d, stUnknown, now.Add(max(wait, w.s.opt.LookWait)), "could not look: "+f.Code)
}

// undecidable does what units.yaml says for a message of which nobody can tell whether it has arrived: bad news rather
// twice than never, good news rather not twice.
func (w *worker) undecidable(ctx context.Context, tx *sql.Tx, d *delivery, why string) error {
	policy := w.s.onUnknown(w.name)
	if policy == "" {
		policy = resend
		if o := d.Message.Outcome; o.State.Good() || o.State == outcome.Running {
			policy = hold
		}
	}
	w.s.opt.Log.Warn("result stays unknown", "channel", w.name, "delivery", d.ID, "why", why, "policy", policy)
	if policy == hold {
		return w.set(ctx, tx, d, stHeld, time.Now(), "may have arrived; "+why+" (on_unknown: hold)")
	}
	return w.set(ctx, tx, d, stReady, time.Now(), "may have arrived; "+why+" (on_unknown: resend)")
}
