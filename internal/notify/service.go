// Package notify tells business units what became of their jobs: once, in their words, where they read.
//
// Start with [Open]; hand outcomes to [Service.Accept]; [Service.Run] sends until it is stopped, [Service.Drain] until
// nothing is left. [LoadUnits] reads units.yaml; [Service.Explain] says why somebody did or did not get a message.
//
// # Promises
//
// Accept returns after the outcome is on the disk (fsync), and the same outcome twice is told once. What was accepted is
// delivered once per channel, or somebody is told that it was not: a crash, a refused call, a time-out whose message has
// arrived after all, a revoked token neither lose nor double a message. Where a result is unknown the channel is asked
// before anything is sent again. Messages about one job and date leave in their order; one process sends at a time (lease).
package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/time/rate"

	"weir/internal/calendar"
	"weir/internal/db"
	"weir/internal/notify/channel"
	"weir/internal/notify/expect"
	"weir/internal/outcome"
)

// Options of a service; the zero value is good.
type Options struct {
	Home           string                     // directory of relative console paths; empty: the outbox's
	Stdout, Stderr io.Writer                  // for console channels; nil: such messages go nowhere but to their file
	Getenv         func(string) string        // for env:NAME; nil: the process's
	Log            *slog.Logger               // nil: none
	Extra          map[string]channel.Channel // channels of the caller's own; each replaces the one of that name in the units

	LeaseTTL    time.Duration // a standby takes over after this; 0: 15 s
	Poll        time.Duration // how soon events of other processes are seen; 0: 250 ms
	CallTimeout time.Duration // of one call to a channel; 0: 10 s
	LookWait    time.Duration // until a message of unknown result must be visible; 0: 2 s
	ProbeEvery  time.Duration // how often a blocked channel is tried; 0: 1 min
	FirstWait   time.Duration // the base of the back-off; 0: 1 s
	Settle      time.Duration // after a start: until what was reported meanwhile has come in, and a run may be called late; 0: 10 s

	crash func(step string) error // tests: what happens when the process dies at this step
	blind bool                    // tests: resend after an unknown result without looking, to see that this doubles
}

func (o *Options) defaults(path string) {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&o.LeaseTTL, 15*time.Second)
	set(&o.Poll, 250*time.Millisecond)
	set(&o.CallTimeout, 10*time.Second)
	set(&o.LookWait, 2*time.Second)
	set(&o.ProbeEvery, time.Minute)
	set(&o.FirstWait, time.Second)
	set(&o.Settle, 10*time.Second)
	if o.Home == "" {
		o.Home = filepath.Dir(path)
	}
	if o.Getenv == nil {
		o.Getenv = os.Getenv
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// openDB is where tests put another database in the place of the file.
var openDB = db.Open

// at is a step between two changes of one transaction.
func (o *Options) at(step string) error {
	if o.crash == nil {
		return nil
	}
	return o.crash(step)
}

// Service is an open outbox with its channels.
type Service struct {
	opt      Options
	db       *db.DB
	units    Units
	rules    rules
	zone     *time.Location
	days     map[string]calendar.Calendar // by unit
	policy   policy
	expected []expect.Rule // by job
	channels map[string]channel.Channel
	pace     map[string]time.Duration
	apps     map[string]*rate.Limiter // of edits, by token
	edits    map[string]*rate.Limiter // the same, by channel
	owner    string                   // of the lease; new for each service

	nextExpire time.Time // only the goroutine that keeps uses it

	running atomic.Bool
	mu      sync.Mutex
	changed chan struct{} // closed and replaced when there may be something to do
}

// Open opens the outbox, or makes it: a file, or a schema in PostgreSQL for a fleet (postgres://user@host/database). The units must be valid: see Units.Validate.
func Open(ctx context.Context, path string, units Units, opt Options) (*Service, error) {
	opt.defaults(path)
	s, err := plan(units)
	if err != nil {
		return nil, err
	}
	s.opt, s.owner, s.changed = opt, ulid.Make().String(), make(chan struct{})
	s.openChannels()
	if s.db, err = openDB(ctx, path, "outbox", migrations); err != nil {
		return nil, err
	}
	return s, nil
}

// plan makes the part of a service that needs no outbox and no channel: who is told, in which words.
func plan(units Units) (*Service, error) {
	if bad := units.Validate(); len(bad) > 0 {
		return nil, fmt.Errorf("units: %s: %s", bad[0].Path, bad[0].Message)
	}
	r, err := compile(units)
	if err != nil {
		return nil, fmt.Errorf("units: %w", err)
	}
	zone, err := time.LoadLocation(units.Defaults.Timezone)
	if err != nil {
		return nil, fmt.Errorf("units: %w", err)
	}
	days, err := calendars(units)
	if err != nil {
		return nil, fmt.Errorf("units: %w", err)
	}
	expected, err := expectations(units, zone, days)
	if err != nil {
		return nil, fmt.Errorf("units: %w", err)
	}
	s := &Service{units: units, rules: r, zone: zone, days: days, expected: expected}
	if err := s.compilePolicy(); err != nil {
		return nil, fmt.Errorf("units: %w", err)
	}
	return s, nil
}

// Close closes the outbox. Run and Drain must have returned.
func (s *Service) Close() error { return s.db.Close() }

// Accept takes an outcome over: when it returns nil, the outcome is on the disk and will be told. The same outcome twice
// is told once. It does not wait for any channel.
func (s *Service) Accept(ctx context.Context, o outcome.Outcome) (eventID string, err error) {
	o, err = sound(o)
	if err != nil {
		return "", err
	}
	err = s.db.Share(ctx, func(tx *sql.Tx) error { return accept(ctx, tx, o) })
	if err != nil {
		return "", fmt.Errorf("accept %s of job %s: %w", o.State, o.Job, err)
	}
	s.wake()
	return o.EventID(), nil
}

func accept(ctx context.Context, tx *sql.Tx, o outcome.Outcome) error {
	doc, err := json.Marshal(o)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO event (id, unit, job, run, state, accepted, doc) VALUES (?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (id) DO NOTHING`, o.EventID(), o.Unit, o.Job, o.RunID, o.State, time.Now().UnixMicro(), string(doc))
	return err
}

// A Source keeps outcomes until somebody has taken them over: the run ledger is one.
type Source interface {
	Unreported(ctx context.Context) ([]outcome.Outcome, error)
	MarkReported(ctx context.Context, eventID string) error
}

// Relay accepts all that a source has not handed over yet, and says how many. A crash between the two steps is harmless:
// the next Relay accepts the same outcome again, which is told once.
func (s *Service) Relay(ctx context.Context, from Source) (int, error) {
	outcomes, err := from.Unreported(ctx)
	if err != nil {
		return 0, err
	}
	for i, o := range outcomes {
		id, err := s.Accept(ctx, o)
		if err != nil {
			return i, err
		}
		// The id must be the source's: Accept may have struck a secret out, but no part of the id is free text.
		if err := from.MarkReported(ctx, id); err != nil {
			return i, err
		}
	}
	return len(outcomes), nil
}

// Zone is that of the times in messages.
func (s *Service) Zone() *time.Location { return s.zone }

// wake tells the sender that there may be something to do.
func (s *Service) wake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.changed)
	s.changed = make(chan struct{})
}

// nudge is closed at the next wake.
func (s *Service) nudge() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// pause waits for d, or a wake, or the end of ctx.
func (s *Service) pause(ctx context.Context, d time.Duration, nudge <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-nudge:
	case <-t.C:
	}
}

// jitter is a random time in [0, d).
func jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	return rand.N(d)
}

// Redrive tries a dead, held or expired delivery again, as if it were new.
func (s *Service) Redrive(ctx context.Context, delivery int64) error {
	err := s.db.Write(ctx, func(tx *sql.Tx) error {
		now := time.Now()
		var name string
		if err := tx.QueryRowContext(ctx, "SELECT channel FROM delivery WHERE id = ?", delivery).Scan(&name); err != nil {
			return fmt.Errorf("there is no such delivery: %w", err)
		}
		res, err := tx.ExecContext(ctx, "UPDATE delivery SET state = 'ready', gate = '', tries = 0, looks = 0, created = ?, next_at = ?, budget = ?, reason = 'redriven' WHERE id = ? AND state IN ('dead', 'held', 'expired')",
			now.UnixMicro(), now.UnixMicro(), now.Add(s.budgetOf(name)).UnixMicro(), delivery)
		if err != nil {
			return err
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, errors.New("it is neither dead nor held nor expired"))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("redrive delivery %d: %w", delivery, err)
	}
	s.wake()
	return nil
}
