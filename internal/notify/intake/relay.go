package intake

import (
	"context"
	"log/slog"
	"time"

	"weir/internal/notify"
	"weir/internal/outcome"
)

// A Ledger is where runs of weir are kept; whether an outcome was taken over is kept there, too, so that a restart goes on where it was.
type Ledger interface {
	notify.Source
	// Since gives all outcomes of runs that have ended since then.
	Since(ctx context.Context, at time.Time) ([]outcome.Outcome, error)
	// GiveUp ends the runs without a sign of life for so long as failed, and says how many: their process was killed.
	GiveUp(ctx context.Context, silence time.Duration) (int, error)
	Close() error
}

// How often the relay looks, and how far back: a run that has ended longer ago is no news.
const (
	relayEvery     = 2 * time.Second
	giveUpEvery    = 10 * time.Second
	giveUpAfter    = time.Minute
	reconcileEvery = 10 * time.Minute
	reconcileBack  = 48 * time.Hour
)

// Relay takes outcomes over from the run ledger. Beside what the ledger calls untold it looks, at its start and every ten minutes,
// for outcomes that the outbox does not have although the ledger believes so: an outbox that was lost or put back from a backup.
type Relay struct {
	Open    func(ctx context.Context) (Ledger, error) // nil without an error: there is none yet
	Notify  *notify.Service
	Metrics *Metrics
	Log     *slog.Logger
}

// Run goes on until ctx ends. A ledger that cannot be read is told in the log and tried again.
func (r Relay) Run(ctx context.Context) error {
	var l Ledger
	var reconciled, gaveUp, awake, last time.Time
	for ctx.Err() == nil {
		now := time.Now()
		// After a sleep of the machine nobody has shown life for long: others get the time to do so before they are given up.
		if now.Sub(last) > giveUpEvery {
			awake = now
		}
		last = now
		var err error
		if l == nil {
			l, err = r.Open(ctx)
		}
		if l != nil && err == nil && now.Sub(gaveUp) >= giveUpEvery && now.Sub(awake) >= giveUpAfter {
			gaveUp = now
			var n int
			if n, err = l.GiveUp(ctx, giveUpAfter); n > 0 {
				r.Log.Warn("runs given up: their process shows no life", "n", n)
			}
		}
		if l != nil && err == nil {
			err = r.take(ctx, l)
		}
		if l != nil && err == nil && now.Sub(reconciled) >= reconcileEvery {
			if err = r.reconcile(ctx, l, now); err == nil {
				reconciled = now
			}
		}
		if err != nil && ctx.Err() == nil {
			r.Log.Error("run ledger not relayed", "err", err)
		}
		pause(ctx, relayEvery)
	}
	if l != nil {
		return l.Close()
	}
	return nil
}

func (r Relay) take(ctx context.Context, l Ledger) error {
	start := time.Now()
	n, err := r.Notify.Relay(ctx, l)
	if n > 0 || err != nil {
		r.Metrics.took("ledger", n, time.Since(start), err)
	}
	return err
}

func (r Relay) reconcile(ctx context.Context, l Ledger, now time.Time) error {
	all, err := l.Since(ctx, now.Add(-reconcileBack))
	if err != nil {
		return err
	}
	absent, err := r.Notify.Absent(ctx, all)
	if err != nil {
		return err
	}
	for _, o := range absent {
		if _, err := r.Notify.Accept(ctx, o); err != nil {
			return err
		}
		r.Log.Warn("outcome was in the run ledger only", "job", o.Job, "run", o.RunID, "state", o.State)
	}
	return nil
}

// pause waits for d or the end of ctx.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
