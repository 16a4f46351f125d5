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
)

// A worker sends what waits for one channel, one call at a time.
type worker struct {
	s       *Service
	name    string
	channel channel.Channel
	free    time.Time // the channel's pace: no call before
}

// A delivery is a row of the outbox, with the message that it carries.
type delivery struct {
	ID             int64
	Event, Key     string
	Part, State    string
	Op             string
	Mention        string
	Loud, Plain    bool
	Tries, Looks   int
	First          time.Time // try
	Ref            string    // of the message in this channel; empty: none yet
	Continues      bool      // the message that stood there is gone: this begins a new one
	Message        channel.Message
	leaseEnd       time.Time
	channelBlocked bool
}

// postID is what the far side knows the delivery by: the same for each try. A reply is not its message.
func (d *delivery) postID() string { return d.Event + "." + d.Part }

func (w *worker) run(ctx context.Context) error {
	for ctx.Err() == nil {
		nudge := w.s.nudge()
		wait, err := w.step(ctx)
		if errors.Is(err, errNoLease) {
			return err
		}
		if err != nil && ctx.Err() == nil {
			w.s.opt.Log.Error("delivery not processed", "channel", w.name, "err", err)
			wait = time.Second
		}
		if wait > 0 {
			w.s.pause(ctx, wait, nudge)
		}
	}
	return ctx.Err()
}

// step does one piece of work; it says how long there is nothing more to do.
func (w *worker) step(ctx context.Context) (time.Duration, error) {
	if wait := time.Until(w.free); wait > 0 {
		w.s.pause(ctx, wait, nil)
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
	}
	d, wait, err := w.take(ctx)
	if err != nil || d == nil {
		return wait, err
	}
	// The call may end although we are asked to stop: a cut call would be one more unknown result. It must end before the
	// lease does, as then another process may look for the message.
	deadline := time.Now().Add(w.s.opt.CallTimeout)
	if d.leaseEnd.Before(deadline) {
		deadline = d.leaseEnd
	}
	call, stop := context.WithDeadline(context.WithoutCancel(ctx), deadline)
	defer stop()
	began := time.Now()
	defer func() { w.free = began.Add(w.s.pace[w.name]) }()
	rec, stopRec := context.WithTimeout(context.WithoutCancel(ctx), w.s.opt.CallTimeout+recordTime)
	defer stopRec()
	if d.State == stUnknown {
		return 0, w.look(call, rec, d)
	}
	receipt, err := w.call(call, d)
	return 0, w.record(rec, d, receipt, err, time.Since(began))
}

// recordTime is how long the outbox may take to write a result down; a stop waits for it.
const recordTime = 10 * time.Second

// idle is how soon a worker sees what another process has changed in the outbox.
const idle = 2 * time.Second

func (s *Service) idle() time.Duration { return max(idle, s.opt.Poll) }

func (w *worker) call(ctx context.Context, d *delivery) (channel.Receipt, error) {
	p := channel.Post{ID: d.postID(), Group: d.Message.Outcome.Unit + "/" + d.Message.Outcome.Job, Message: d.Message, Mention: d.Mention, Loud: d.Loud, Plain: d.Plain,
		Continues: d.Continues && d.Op == "post"}
	switch d.Op {
	case "edit":
		p.Mention = "" // an edit pings nobody; the reply does
		return w.channel.(channel.Editor).Edit(ctx, d.Ref, p)
	case "reply":
		return w.channel.(channel.Editor).Reply(ctx, d.Ref, p)
	}
	return w.channel.Send(ctx, p)
}

// next finds what is due first. Within a key the order is strict: nothing passes an older delivery that is still open.
const nextQuery = `SELECT d.id, d.event_id, d.key, d.part, d.state, d.op, d.mention, d.loud, d.plain, d.tries, d.looks, d.first_try, d.next_at, coalesce(m.ref, ''), m.ref = '' AS gone, e.view
	FROM delivery d INDEXED BY delivery_open JOIN event e ON e.id = d.event_id LEFT JOIN message m ON m.key = d.key AND m.channel = d.channel
	WHERE d.channel = ? AND d.` + isOpen + ` AND d.state <> 'sending' AND d.next_at <= ?
	AND NOT EXISTS (SELECT 1 FROM delivery o WHERE o.key = d.key AND o.channel = d.channel AND o.id < d.id AND o.` + isOpen + `)
	AND ` + methodOf + ` NOT IN (SELECT method FROM pause WHERE channel = ? AND until > ? UNION ALL SELECT ?)
	ORDER BY d.id LIMIT 1`

// take picks the next delivery and marks it as being sent; nil if nothing is due.
func (w *worker) take(ctx context.Context) (d *delivery, wait time.Duration, err error) {
	// Look first without the write lock: most of the time there is nothing to do.
	now := time.Now()
	var due sql.NullInt64
	if err := w.s.db.Read().QueryRowContext(ctx, "SELECT min(next_at) FROM delivery WHERE channel = ? AND "+isOpen, w.name).Scan(&due); err != nil {
		return nil, 0, err
	}
	if !due.Valid {
		return nil, w.s.idle(), nil // a wake ends the pause
	}
	if at := db.Time(due.Int64); at.After(now) {
		return nil, min(at.Sub(now), w.s.idle()), nil
	}
	err = w.s.db.Write(ctx, func(tx *sql.Tx) error {
		d, wait = nil, 0 // Write may call again
		until, err := w.s.holds(ctx, tx)
		if err != nil {
			return err
		}
		blocked, free, err := channelState(ctx, tx, w.name)
		if err != nil {
			return err
		}
		if wait = time.Until(free); wait > 0 {
			return nil
		}
		// This worker makes one call at a time, and none is under way: what is marked as being sent is left over from a
		// call whose result could not be written down, on a full disk for example.
		if _, err := tx.ExecContext(ctx, "UPDATE delivery INDEXED BY delivery_state SET state = 'unknown', looks = 0, next_at = ?, reason = 'its result could not be written down' WHERE state = 'sending' AND channel = ?",
			time.Now().Add(w.s.opt.LookWait).UnixMicro(), w.name); err != nil {
			return err
		}
		d, err = w.find(ctx, tx)
		if err != nil || d == nil {
			wait = w.s.opt.Poll // what is due stands behind something that is not
			return err
		}
		d.leaseEnd, d.channelBlocked = until, blocked
		if d.State == stUnknown {
			return nil
		}
		return w.mark(ctx, tx, d)
	})
	if err == nil && d != nil && d.State == stSuppressed {
		return nil, 0, nil
	}
	return d, wait, err
}

func (w *worker) find(ctx context.Context, tx *sql.Tx) (*delivery, error) {
	var d delivery
	var first, next int64
	var view string
	var gone sql.NullBool
	now := time.Now().UnixMicro()
	err := tx.QueryRowContext(ctx, nextQuery, w.name, now, w.name, now, w.weary()).Scan(&d.ID, &d.Event, &d.Key, &d.Part, &d.State, &d.Op,
		&d.Mention, &d.Loud, &d.Plain, &d.Tries, &d.Looks, &first, &next, &d.Ref, &gone, &view)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if d.State != stUnknown && d.Part == "root" && d.Ref != "" && !w.mayEdit() {
		return nil, nil // another channel of the app was quicker
	}
	d.First, d.Continues = db.Time(first), gone.Bool
	if err := json.Unmarshal([]byte(view), &d.Message); err != nil {
		return nil, fmt.Errorf("delivery %d: %w", d.ID, err)
	}
	return &d, nil
}

// mark decides how the delivery is made and writes down, before the call, that it is being made: if we die now, our
// successor knows that it may have arrived.
func (w *worker) mark(ctx context.Context, tx *sql.Tx, d *delivery) error {
	editor, _, _ := powers(w.channel)
	d.Op = "post"
	if editor != nil && d.Ref != "" {
		d.Op = "edit"
		if d.Part == "reply" {
			d.Op = "reply"
		}
	}
	if d.Op == "reply" {
		fresh, err := isFresh(ctx, tx, d, w.name)
		if err != nil {
			return err
		}
		if fresh {
			d.State = stSuppressed
			_, err := tx.ExecContext(ctx, "UPDATE delivery SET state = 'suppressed', reason = 'the message itself was new and said it' WHERE id = ?", d.ID)
			return err
		}
	}
	now := time.Now()
	if d.First.IsZero() {
		d.First = now
	}
	d.State = stSending
	_, err := tx.ExecContext(ctx, "UPDATE delivery SET state = 'sending', op = ?, owner = ?, first_try = ?, reason = '' WHERE id = ?", d.Op, w.s.owner, d.First.UnixMicro(), d.ID)
	return err
}

// isFresh reports whether the message that the reply belongs to was posted by the same event: it has told all, and loudly.
func isFresh(ctx context.Context, tx *sql.Tx, d *delivery, name string) (bool, error) {
	var op string
	err := tx.QueryRowContext(ctx, "SELECT op FROM delivery WHERE event_id = ? AND channel = ? AND part = 'root' AND state = 'sent'", d.Event, name).Scan(&op)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return op == "post", err
}

func channelState(ctx context.Context, tx *sql.Tx, name string) (blocked bool, free time.Time, err error) {
	var state string
	var next int64
	err = tx.QueryRowContext(ctx, "SELECT state, next_at FROM channel WHERE name = ?", name).Scan(&state, &next)
	if errors.Is(err, sql.ErrNoRows) {
		return false, time.Time{}, nil
	}
	return state == "blocked", db.Time(next), err
}
