package notify

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/internal/db"
	"weir/internal/notify/channel"
)

// Run routes and sends until ctx ends; then it finishes the calls that are under way and gives the lease back. While
// another process holds the lease it stands by, and while the outbox's server is away it waits. It returns an error only if
// the outbox cannot be used at all.
func (s *Service) Run(ctx context.Context) error {
	if !s.running.CompareAndSwap(false, true) {
		return errors.New("notify: this service runs already")
	}
	defer s.running.Store(false)
	for ctx.Err() == nil {
		ours, wait, err := s.acquire(ctx)
		switch {
		case err == nil && ours:
			err = s.lead(ctx)
		case err == nil:
			s.pause(ctx, min(wait, s.opt.LeaseTTL/3)+time.Millisecond, nil)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, db.ErrAway), errors.Is(err, db.ErrLocked):
			s.opt.Log.Error("the outbox does not answer; nothing is sent until it does", "err", err)
			s.pause(ctx, s.opt.LeaseTTL/3, nil)
		case err != nil:
			return err
		}
	}
	return nil
}

// lead does the work of the lease's holder until ctx ends or the lease is lost, and gives the lease back.
func (s *Service) lead(ctx context.Context) error {
	err := s.work(ctx)
	clean, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	if rerr := s.release(clean); rerr != nil {
		s.opt.Log.Warn("lease not given back; it runs out", "err", rerr)
	}
	if ctx.Err() != nil { // we were asked to stop: whatever was cut by that is no failure
		return nil
	}
	if errors.Is(err, errNoLease) {
		s.opt.Log.Warn("lease lost", "owner", s.owner)
		return nil
	}
	return err
}

func (s *Service) work(ctx context.Context) error {
	if err := s.takeOver(ctx); err != nil {
		return err
	}
	// First see what there is: of several states of one message only the last has to leave. A big backlog does not keep
	// the channels waiting for long.
	for end := time.Now().Add(s.opt.LeaseTTL / 10); time.Now().Before(end); {
		if did, err := s.routeNext(ctx); err != nil || !did {
			break // routeAll meets the error again, and deals with it
		}
	}
	if _, err := s.keep(ctx, time.Now()); err != nil && ctx.Err() == nil {
		s.opt.Log.Error("what is kept back was not looked at", "err", err) // keepAll meets it again
	}
	g, work := errgroup.WithContext(ctx)
	g.Go(func() error { return s.keepLease(work) })
	g.Go(func() error { return s.routeAll(work) })
	g.Go(func() error { return s.keepAll(work) })
	g.Go(func() error { return s.watch(work) })
	g.Go(func() error { return s.forgetAll(work) })
	for name, c := range s.channels {
		w := &worker{s: s, name: name, channel: c}
		g.Go(func() error { return w.run(work) })
	}
	return g.Wait()
}

// takeOver marks what a dead sender was about to send: nobody knows whether it has arrived.
func (s *Service) takeOver(ctx context.Context) error {
	var n int64
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		if _, err := s.holds(ctx, tx); err != nil {
			return err
		}
		res, err := tx.ExecContext(ctx, "UPDATE delivery SET state = 'unknown', looks = 0, next_at = ?, reason = 'the sender died while it was sending' WHERE state = 'sending' AND owner <> ?",
			time.Now().Add(s.opt.LookWait).UnixMicro(), s.owner)
		if err != nil {
			return err
		}
		n, err = res.RowsAffected()
		return err
	})
	if n > 0 && err == nil {
		s.opt.Log.Warn("deliveries of a dead sender taken over", "n", n)
	}
	return err
}

func (s *Service) keepLease(ctx context.Context) error {
	for {
		s.pause(ctx, s.opt.LeaseTTL/3, nil)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		ours, _, err := s.acquire(ctx)
		if err == nil && !ours {
			return errNoLease
		}
		if err != nil && ctx.Err() == nil {
			s.opt.Log.Error("lease not renewed", "err", err) // holds() stops the senders when it runs out
		}
	}
}

// routeAll routes events as they come.
func (s *Service) routeAll(ctx context.Context) error {
	for {
		nudge := s.nudge()
		routed := false
		for ctx.Err() == nil {
			did, err := s.routeNext(ctx)
			if errors.Is(err, errNoLease) || ctx.Err() != nil {
				return cmpErr(ctx.Err(), err)
			}
			if err != nil {
				s.opt.Log.Error("event not routed", "err", err)
				s.pause(ctx, time.Second, nil)
			}
			if !did {
				break
			}
			routed = true
		}
		if routed {
			s.wake()
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.pause(ctx, s.opt.Poll, nudge)
	}
}

func cmpErr(a, b error) error {
	if a != nil {
		return a
	}
	return b
}

// Drain returns when all that was accepted has been told, or is held, dead or behind a blocked channel. It sends by itself
// unless Run does already; if another process holds the lease, it waits for that one. When ctx ends first, what is left stays
// in the outbox, and the error says how much.
func (s *Service) Drain(ctx context.Context) error {
	var g errgroup.Group
	send, stop := context.WithCancel(ctx)
	defer stop()
	if !s.running.Load() {
		g.Go(func() error {
			defer stop() // an outbox that cannot be used ends the waiting, too
			return s.Run(send)
		})
	}
	left, wait := 0, time.Millisecond
	for send.Err() == nil {
		nudge := s.nudge()
		n, err := s.left(send)
		if err != nil && send.Err() == nil {
			stop()
			return errors.Join(err, g.Wait())
		}
		if err == nil && n == 0 {
			left = 0
			break
		}
		if wait = min(2*wait, s.opt.Poll); n != left {
			left, wait = n, time.Millisecond // it moves: the end may be near
			if n > 100 {
				wait = s.opt.Poll // or not: counting takes time that sending could use
			}
		}
		s.pause(send, wait, nudge)
	}
	stop()
	if err := g.Wait(); err != nil {
		return err
	}
	if left > 0 && ctx.Err() != nil {
		return fmt.Errorf("%d messages still wait: %w", left, context.Cause(ctx))
	}
	return nil
}

// left counts what Drain waits for.
func (s *Service) left(ctx context.Context) (int, error) {
	var n int
	if err := s.db.Read().QueryRowContext(ctx, "SELECT count(*) FROM event WHERE phase = 'accepted'").Scan(&n); err != nil {
		return 0, err
	}
	rows, err := s.db.Read().QueryContext(ctx, "SELECT d.channel, count(*) FROM delivery d LEFT JOIN channel c ON c.name = d.channel WHERE d."+isOpen+" AND coalesce(c.state, 'ok') <> 'blocked' GROUP BY d.channel")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		var k int
		if err := rows.Scan(&name, &k); err != nil {
			return 0, err
		}
		if _, ours := s.channels[name]; ours { // one that is no longer in units.yaml would be waited for in vain
			n += k
		}
	}
	return n, rows.Err()
}

// powers of a channel.
func powers(c channel.Channel) (channel.Editor, channel.Finder, channel.Repeater) {
	e, _ := c.(channel.Editor)
	f, _ := c.(channel.Finder)
	r, _ := c.(channel.Repeater)
	return e, f, r
}
