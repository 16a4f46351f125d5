package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"weir/internal/db"
	"weir/internal/notify/expect"
	"weir/internal/outcome"
)

// The clock tells what nobody else can: that a run has not come. It runs in the lease's holder, so that one process tells.
// What it tells is accepted like any other outcome, in the transaction that remembers it.

const (
	lookEvery = 30 * time.Second   // a clock that is set forward is noticed so soon
	lookRest  = time.Hour          // with no deadline in sight
	lookAfter = 8 * 24 * time.Hour // deadlines that are older than this are no news, whoever slept
)

// watch looks at the clock until ctx ends.
func (s *Service) watch(ctx context.Context) error {
	if len(s.expected) == 0 {
		return nil
	}
	// Runs that ended while nobody was here are reported first.
	var next time.Time
	for wait := s.opt.Settle; ; {
		s.pause(ctx, wait, nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		now := time.Now()
		if now.Before(next) { // nothing but the clock, or what we tell ourselves, makes a run overdue
			wait = min(lookEvery, next.Sub(now))
			continue
		}
		var err error
		next, err = s.look(ctx, now)
		if errors.Is(err, errNoLease) {
			return err
		}
		if wait = min(lookEvery, time.Until(next)); err != nil {
			if ctx.Err() == nil {
				s.opt.Log.Error("expectations not looked at", "err", err)
			}
			next, wait = now, time.Second
		}
		wait = max(wait, time.Millisecond)
	}
}

// errUnrouted says that something has come in that may be what is waited for.
var errUnrouted = errors.New("events are not routed yet")

// look tells what is overdue, and says when to look again.
func (s *Service) look(ctx context.Context, now time.Time) (next time.Time, err error) {
	next = now.Add(lookRest)
	told := false
	for _, r := range s.expected {
		calls, wake, err := s.judge(ctx, s.db.Read(), r, now)
		if err != nil {
			return next, fmt.Errorf("job %s: %w", r.Job, err)
		}
		if !wake.IsZero() && wake.Before(next) {
			next = wake
		}
		if soon := now.Add(lookEvery); r.Freshness > 0 && soon.Before(next) {
			next = soon // its next deadline moves with each sign of life
		}
		if !worthWriting(calls) {
			continue
		}
		err = s.db.Write(ctx, func(tx *sql.Tx) error {
			if _, err := s.holds(ctx, tx); err != nil {
				return err
			}
			var some bool
			if err := tx.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM event WHERE phase = 'accepted')").Scan(&some); err != nil || some {
				return errors.Join(err, errUnrouted)
			}
			calls, _, err := s.judge(ctx, tx, r, now) // what was read before may be old
			if err != nil {
				return err
			}
			for _, c := range calls {
				if err := s.call(ctx, tx, r, c, now); err != nil {
					return err
				}
			}
			return nil
		})
		if errors.Is(err, errUnrouted) {
			return now.Add(s.opt.Poll), nil
		}
		if err != nil {
			return next, fmt.Errorf("job %s: %w", r.Job, err)
		}
		told = true
	}
	if told {
		s.wake()
		return now.Add(time.Millisecond), nil // what was told has a next time now
	}
	return next, nil
}

// A due is a slot with what is to be told about it.
type due struct {
	key      string // of the memory: a business date, or the silence that it is about
	slot     expect.Slot
	before   expect.Memory
	decision expect.Decision
	arrival  arrival
	unit     string
}

func worthWriting(calls []due) bool {
	for _, c := range calls {
		if c.decision.Memory != c.before || c.key == "" {
			return true
		}
	}
	return false
}

// judge decides about each slot of a rule that matters now, and says when to look again.
func (s *Service) judge(ctx context.Context, q queries, r expect.Rule, now time.Time) (calls []due, wake time.Time, err error) {
	unit, err := s.unitOfJob(ctx, q, r)
	if err != nil {
		return nil, wake, err
	}
	watched, known, err := recall(ctx, q, r.Job, "")
	if err != nil {
		return nil, wake, err
	}
	if !known { // deadlines from before anybody expected something are no news
		return []due{{unit: unit, decision: expect.Decision{Memory: expect.Memory{Since: now}}}}, now, nil
	}
	slots, err := s.slots(ctx, q, r, unit, now)
	if err != nil {
		return nil, wake, err
	}
	for _, d := range slots {
		if !d.slot.StartBy.After(watched.Since) {
			d.slot.StartBy = time.Time{}
		}
		if !d.slot.FinishBy.After(watched.Since) {
			d.slot.FinishBy = time.Time{}
		}
		if d.before, _, err = recall(ctx, q, r.Job, d.key); err != nil {
			return nil, wake, err
		}
		if d.before.Closed {
			continue
		}
		seen, err := s.seen(ctx, q, r, &d)
		if err != nil {
			return nil, wake, err
		}
		d.decision = r.Decide(d.slot, seen, d.before, now)
		calls = append(calls, d)
		if w := r.Wake(d.slot, d.decision.Memory, now); !w.IsZero() && (wake.IsZero() || w.Before(wake)) {
			wake = w
		}
	}
	return calls, wake, nil
}

// slots are the runs that may have something to tell: those of the last days and, for a job without a schedule, the end of
// its present silence.
func (s *Service) slots(ctx context.Context, q queries, r expect.Rule, unit string, now time.Time) (all []due, err error) {
	for _, slot := range r.Slots(now.Add(-lookAfter), now.Add(48*time.Hour), false) {
		all = append(all, due{key: slot.Date.Format(time.DateOnly), slot: slot, unit: unit})
	}
	if r.Freshness > 0 {
		life, err := loadArrival(ctx, q, unit, r.Job, "")
		if err != nil || life.ready.IsZero() {
			return all, err
		}
		slot := expect.Slot{FinishBy: life.ready.Add(time.Duration(r.Freshness))}
		all = append(all, due{key: "silent since " + life.ready.UTC().Format(time.RFC3339), slot: slot, unit: unit, arrival: life})
	}
	return all, nil
}

// unitOfJob is the unit that an overdue run belongs to.
func (s *Service) unitOfJob(ctx context.Context, q queries, r expect.Rule) (string, error) {
	if unit := s.rules.unitOf(outcome.Outcome{Unit: r.Unit, Job: r.Job}); unit != "" {
		return unit, nil
	}
	var unit string // that of its last run
	err := q.QueryRowContext(ctx, "SELECT unit FROM arrival WHERE job = ? ORDER BY day DESC LIMIT 1", r.Job).Scan(&unit)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return unit, err
}

// seen is what is known about the run of a slot.
func (s *Service) seen(ctx context.Context, q queries, r expect.Rule, d *due) (seen expect.Seen, err error) {
	if d.slot.Run.IsZero() {
		return seen, nil // a silence has no run
	}
	if d.arrival, err = loadArrival(ctx, q, d.unit, r.Job, d.key); err != nil {
		return seen, err
	}
	seen.Started, seen.Ready = !d.arrival.started.IsZero(), !d.arrival.ready.IsZero()
	state, err := toldOf(ctx, q, keyOf(d.outcome(r)))
	seen.Ready = seen.Ready || state.Good()
	seen.Told = state == outcome.Failed || state == outcome.Cancelled
	return seen, err
}

// toldOf is the state that was told last about a key, empty if none was.
func toldOf(ctx context.Context, q queries, key string) (state outcome.State, err error) {
	err = q.QueryRowContext(ctx, "SELECT state FROM story WHERE key = ?", key).Scan(&state)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return state, err
}

// outcome is the part of an overdue outcome that names what it is about.
func (d *due) outcome(r expect.Rule) outcome.Outcome {
	o := outcome.Outcome{RunID: "expect/" + r.Job + "/" + d.key, Job: r.Job, Unit: d.unit, Title: r.Title}
	if !d.slot.Date.IsZero() {
		o.Interval = outcome.Interval{Start: d.slot.Date, End: d.slot.Date.AddDate(0, 0, 1)}
	}
	return o
}

// call tells what was decided, and remembers it.
func (s *Service) call(ctx context.Context, tx *sql.Tx, r expect.Rule, d due, now time.Time) error {
	if d.decision.Memory == d.before && d.key != "" {
		return nil
	}
	m := d.decision.Memory
	if _, err := tx.ExecContext(ctx, `INSERT INTO expectation (job, day, told, missing, late, since, next_at, closed) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (job, day) DO UPDATE SET told = excluded.told, missing = excluded.missing, late = excluded.late, since = excluded.since, next_at = excluded.next_at, closed = excluded.closed`,
		r.Job, d.key, m.Told, m.Missing, m.Late, db.Micros(m.Since), db.Micros(m.Next), m.Closed); err != nil {
		return err
	}
	if d.decision.Call == expect.Nothing {
		return nil
	}
	o := d.outcome(r)
	o.State, o.At, o.Revision = outcome.State(d.decision.Call), now, m.Told
	var err error
	if o.Expected, err = s.facts(ctx, tx, r, d, now); err != nil {
		return err
	}
	if o.Title == "" {
		life, err := loadArrival(ctx, tx, d.unit, r.Job, "")
		if err != nil {
			return err
		}
		o.Title = life.title
	}
	s.opt.Log.Warn("run is overdue", "job", r.Job, "date", d.key, "state", string(o.State), "due", d.decision.Due)
	return accept(ctx, tx, o)
}

// recall gives what has been told about a job and date; known is false if there is no row.
func recall(ctx context.Context, q queries, job, day string) (m expect.Memory, known bool, err error) {
	var since, next int64
	err = q.QueryRowContext(ctx, "SELECT told, missing, late, since, next_at, closed FROM expectation WHERE job = ? AND day = ?", job, day).
		Scan(&m.Told, &m.Missing, &m.Late, &since, &next, &m.Closed)
	if errors.Is(err, sql.ErrNoRows) {
		return m, false, nil
	}
	m.Since, m.Next = db.Time(since), db.Time(next)
	return m, err == nil, err
}
