// Package ledger keeps what ran: runs with their attempts, how they ended, and when a table's snapshots became readable.
//
// Start with [Open]. A run is [Ledger.Start]ed, gives a [Ledger.Heartbeat] every few seconds and is [Ledger.Finish]ed;
// whoever tells people asks for [Ledger.Unreported] and says [Ledger.MarkReported].
//
// # Promises
//
// Finish stores the state and the outcome that is to be told in one transaction, so that an ended run cannot stay untold.
// A run whose process died is found by [Ledger.Reap] and told as failed, unless a service runs it: another process can follow
// that. The ledger never decides what has been processed: only the table knows. Several processes may use it at once.
package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"weir/internal/db"
	"weir/internal/outcome"
)

// Errors that a caller may decide by.
var (
	ErrNoRun = errors.New("no such run")
	ErrEnded = errors.New("run has ended")
)

var migrations = []string{`
CREATE TABLE run (
	run_id    TEXT PRIMARY KEY,
	job       TEXT NOT NULL,
	state     TEXT NOT NULL,
	attempt   INTEGER NOT NULL,
	started   INTEGER NOT NULL, -- of the first attempt; all times in microseconds since 1970
	heartbeat INTEGER NOT NULL,
	ended     INTEGER NOT NULL DEFAULT 0,
	doc       TEXT NOT NULL     -- Run as JSON
) STRICT;
CREATE INDEX run_job ON run (job, started);
CREATE INDEX run_open ON run (heartbeat) WHERE state = 'running';
CREATE TABLE attempt (
	run_id  TEXT NOT NULL REFERENCES run,
	attempt INTEGER NOT NULL,
	owner   TEXT NOT NULL,
	started INTEGER NOT NULL,
	ended   INTEGER NOT NULL DEFAULT 0,
	state   TEXT NOT NULL,
	cause   TEXT NOT NULL DEFAULT '',
	PRIMARY KEY (run_id, attempt)
) STRICT, WITHOUT ROWID;
CREATE TABLE outcome (
	seq      INTEGER PRIMARY KEY AUTOINCREMENT,
	event_id TEXT NOT NULL UNIQUE,
	run_id   TEXT NOT NULL REFERENCES run,
	doc      TEXT NOT NULL,
	reported INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX outcome_unreported ON outcome (seq) WHERE reported = 0;
CREATE INDEX outcome_run ON outcome (run_id);
CREATE TABLE readable (
	tbl      TEXT NOT NULL,
	snapshot INTEGER NOT NULL,
	at       INTEGER NOT NULL,
	PRIMARY KEY (tbl, snapshot)
) STRICT, WITHOUT ROWID;
`, `
CREATE TABLE lease (
	name  TEXT PRIMARY KEY,
	owner TEXT NOT NULL,
	token INTEGER NOT NULL, -- grows with each owner
	until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE cancel (
	run_id TEXT PRIMARY KEY,
	at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
`}

// Ledger is an open run ledger.
type Ledger struct{ db *db.DB }

// Open opens the ledger file, or makes it.
func Open(ctx context.Context, path string) (*Ledger, error) {
	d, err := db.Open(ctx, path, "run ledger", migrations)
	if err != nil {
		return nil, err
	}
	return &Ledger{d}, nil
}

// Close closes the file.
func (l *Ledger) Close() error { return l.db.Close() }

// A Run is one execution of a job. Start needs RunID and Job; what else is empty gets a value.
type Run struct {
	RunID       string           `json:"run_id"`
	Job         string           `json:"job"`
	Kind        string           `json:"kind,omitempty"`
	Title       string           `json:"title,omitempty"`
	Unit        string           `json:"unit,omitempty"`
	Owner       string           `json:"owner,omitempty"`  // the process that runs it, host:pid
	Remote      string           `json:"remote,omitempty"` // the service that runs it, where it is not the owner: Reap leaves it alone
	Interval    outcome.Interval `json:"interval,omitzero"`
	Attempt     int              `json:"attempt"` // 1, 2, …
	MaxAttempts int              `json:"max_attempts,omitempty"`
	State       outcome.State    `json:"state"`
	Started     time.Time        `json:"started"`
	Heartbeat   time.Time        `json:"heartbeat"` // the last sign of life
	Ended       time.Time        `json:"ended,omitzero"`
	Outcome     *outcome.Outcome `json:"outcome,omitempty"` // the last one, once there is one
}

// Telling prefills an outcome with what the ledger knows of the run.
func (r Run) Telling(state outcome.State) outcome.Outcome {
	return outcome.Outcome{
		RunID: r.RunID, Job: r.Job, Kind: r.Kind, Title: r.Title, Unit: r.Unit, State: state,
		Interval: r.Interval, Attempt: r.Attempt, MaxAttempts: r.MaxAttempts, Started: r.Started,
	}
}

// Start writes down that a run has begun, or that a further attempt of it has: the same RunID with a higher Attempt.
// Starting the same attempt again is no error and only counts as a sign of life.
func (l *Ledger) Start(ctx context.Context, r Run) error {
	if r.RunID == "" || r.Job == "" {
		return fmt.Errorf("start run %q of job %q: both must be named", r.RunID, r.Job)
	}
	now := time.Now()
	r.Attempt = max(r.Attempt, 1)
	r.MaxAttempts = max(r.MaxAttempts, r.Attempt)
	r.State, r.Heartbeat, r.Ended, r.Outcome = outcome.Running, now, time.Time{}, nil
	if r.Owner == "" {
		r.Owner = owner()
	}
	if r.Started.IsZero() {
		r.Started = now
	}
	err := l.db.Write(ctx, func(tx *sql.Tx) error {
		old, err := get(ctx, tx, r.RunID)
		if err == nil && (old.Attempt > r.Attempt || old.Attempt == r.Attempt && old.State.Terminal()) {
			return fmt.Errorf("%w: attempt %d is %s", ErrEnded, old.Attempt, old.State)
		}
		if err != nil && !errors.Is(err, ErrNoRun) {
			return err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO attempt (run_id, attempt, owner, started, state) VALUES (?, ?, ?, ?, 'running')
			ON CONFLICT DO NOTHING`, r.RunID, r.Attempt, r.Owner, db.Micros(r.Started)); err != nil {
			return err
		}
		return put(ctx, tx, r)
	})
	return wrap("start run "+r.RunID, err)
}

// Heartbeat says that the run is alive. ErrEnded means that it was given up meanwhile, see Reap.
func (l *Ledger) Heartbeat(ctx context.Context, runID string) error {
	err := l.db.Write(ctx, func(tx *sql.Tx) error {
		r, err := get(ctx, tx, runID)
		if err != nil {
			return err
		}
		if r.State.Terminal() {
			return ErrEnded
		}
		r.Heartbeat = time.Now()
		return put(ctx, tx, r)
	})
	return wrap("heartbeat of run "+runID, err)
}

// Elsewhere says which service runs it, and that this process follows it now. ErrEnded if it has ended.
func (l *Ledger) Elsewhere(ctx context.Context, runID, remote string) error {
	err := l.db.Write(ctx, func(tx *sql.Tx) error {
		r, err := get(ctx, tx, runID)
		if err != nil {
			return err
		}
		if r.State.Terminal() {
			return ErrEnded
		}
		r.Remote, r.Owner, r.Heartbeat = remote, owner(), time.Now()
		return put(ctx, tx, r)
	})
	return wrap("place of run "+runID, err)
}

// Finish ends the run's current attempt with o, fills in what o leaves open and keeps o until it is MarkReported.
// Doing it again with the same state is no error; a run that Reap had given up may still come to its real end.
func (l *Ledger) Finish(ctx context.Context, runID string, o outcome.Outcome) error {
	err := l.db.Write(ctx, func(tx *sql.Tx) error {
		r, err := get(ctx, tx, runID)
		if err != nil {
			return err
		}
		return finish(ctx, tx, r, o, time.Now())
	})
	return wrap("finish run "+runID, err)
}

func finish(ctx context.Context, tx *sql.Tx, r Run, o outcome.Outcome, now time.Time) error {
	if !o.State.Terminal() {
		return fmt.Errorf("state %q is not the end of a run", o.State)
	}
	o = complete(o, r, now)
	if err := o.Validate(); err != nil {
		return err
	}
	if r.State.Terminal() && r.Outcome != nil && r.Outcome.State == o.State && r.Outcome.Attempt == o.Attempt {
		return nil // told already
	}
	if o.Revision == 0 {
		if err := tx.QueryRowContext(ctx, "SELECT count(*) + 1 FROM outcome WHERE run_id = ?", r.RunID).Scan(&o.Revision); err != nil {
			return err
		}
	}
	doc, err := json.Marshal(o)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO outcome (event_id, run_id, doc) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", o.EventID(), r.RunID, string(doc)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, "UPDATE attempt SET state = ?, ended = ?, cause = ? WHERE run_id = ? AND attempt = ?",
		o.State, db.Micros(o.Ended), o.Cause.Text, r.RunID, r.Attempt); err != nil {
		return err
	}
	r.State, r.Ended, r.Outcome = o.State, o.Ended, &o
	return put(ctx, tx, r)
}

// complete fills in what the ledger knows and strikes secrets out: what is stored here is told as it is.
func complete(o outcome.Outcome, r Run, now time.Time) outcome.Outcome {
	t := r.Telling(o.State)
	o.RunID, o.Job, o.Attempt = t.RunID, t.Job, t.Attempt
	if o.Kind == "" {
		o.Kind = t.Kind
	}
	if o.Title == "" {
		o.Title = t.Title
	}
	if o.Unit == "" {
		o.Unit = t.Unit
	}
	if o.Interval.IsZero() {
		o.Interval = t.Interval
	}
	o.MaxAttempts = max(o.MaxAttempts, t.MaxAttempts)
	if o.Started.IsZero() {
		o.Started = t.Started
	}
	if o.Ended.IsZero() {
		o.Ended = now
	}
	if o.At.IsZero() {
		o.At = o.Ended
	}
	return o.Scrubbed()
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
