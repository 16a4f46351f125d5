package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"weir/internal/db"
	"weir/internal/outcome"
)

// queryer is a pool or a transaction.
type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Owner names this process.
func Owner() string { return owner() }

func owner() string {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	return fmt.Sprintf("%s:%d", host, os.Getpid())
}

func get(ctx context.Context, q queryer, runID string) (Run, error) {
	var doc string
	err := q.QueryRowContext(ctx, "SELECT doc FROM run WHERE run_id = ?", runID).Scan(&doc)
	if errors.Is(err, sql.ErrNoRows) {
		return Run{}, ErrNoRun
	}
	if err != nil {
		return Run{}, err
	}
	var r Run
	return r, json.Unmarshal([]byte(doc), &r)
}

func put(ctx context.Context, tx *sql.Tx, r Run) error {
	doc, err := json.Marshal(r)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO run (run_id, job, state, attempt, started, heartbeat, ended, doc) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (run_id) DO UPDATE SET state = excluded.state, attempt = excluded.attempt, heartbeat = excluded.heartbeat, ended = excluded.ended, doc = excluded.doc`,
		r.RunID, r.Job, r.State, r.Attempt, db.Micros(r.Started), db.Micros(r.Heartbeat), db.Micros(r.Ended), string(doc))
	return err
}

// Get gives one run, or ErrNoRun.
func (l *Ledger) Get(ctx context.Context, runID string) (Run, error) {
	r, err := get(ctx, l.db.Read(), runID)
	return r, wrap("run "+runID, err)
}

// Runs gives the last n runs of a job, or of all jobs if job is empty; the newest first.
func (l *Ledger) Runs(ctx context.Context, job string, n int) ([]Run, error) {
	return docs[Run](ctx, l.db.Read(), "SELECT doc FROM run WHERE job = ? OR ? = '' ORDER BY started DESC, run_id DESC LIMIT ?", job, job, n)
}

// Open gives the runs that have not ended.
func (l *Ledger) Open(ctx context.Context) ([]Run, error) {
	return docs[Run](ctx, l.db.Read(), "SELECT doc FROM run WHERE state = 'running' ORDER BY started")
}

// Unreported gives the outcomes that nobody has taken over yet, the oldest first.
func (l *Ledger) Unreported(ctx context.Context) ([]outcome.Outcome, error) {
	return docs[outcome.Outcome](ctx, l.db.Read(), "SELECT doc FROM outcome WHERE reported = 0 ORDER BY seq")
}

// Since gives the outcomes of runs that have ended since then, whether somebody has taken them over or not; the oldest first.
func (l *Ledger) Since(ctx context.Context, at time.Time) ([]outcome.Outcome, error) {
	return docs[outcome.Outcome](ctx, l.db.Read(), "SELECT o.doc FROM outcome o JOIN run r ON r.run_id = o.run_id WHERE r.ended >= ? ORDER BY o.seq", at.UnixMicro())
}

// MarkReported says that the outcome with this event id is in good hands. An unknown id is no error.
func (l *Ledger) MarkReported(ctx context.Context, eventID string) error {
	err := l.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE outcome SET reported = ? WHERE event_id = ? AND reported = 0", time.Now().UnixMicro(), eventID)
		return err
	})
	return wrap("mark outcome "+eventID+" reported", err)
}

// Reap gives up the runs that have shown no life for longer than silence: they become failed, with an outcome that says so.
// Call it when a process starts, before it starts runs of its own.
func (l *Ledger) Reap(ctx context.Context, silence time.Duration) ([]Run, error) {
	now := time.Now()
	var lost []Run
	err := l.db.Write(ctx, func(tx *sql.Tx) error {
		var err error
		lost, err = docs[Run](ctx, tx, "SELECT doc FROM run WHERE state = 'running' AND heartbeat < ? ORDER BY started", now.Add(-silence).UnixMicro())
		if err != nil {
			return err
		}
		lost = slices.DeleteFunc(lost, func(r Run) bool { return r.Remote != "" })
		for i, r := range lost {
			o := r.Telling(outcome.Failed)
			o.Ended, o.At = r.Heartbeat, now
			o.Cause = outcome.Cause{Code: "run.lost", Retryable: true,
				Text: fmt.Sprintf("the process that ran it (%s) is gone; its last sign of life was at %s", r.Owner, r.Heartbeat.UTC().Format("2006-01-02 15:04:05 UTC"))}
			if err := finish(ctx, tx, r, o, now); err != nil {
				return fmt.Errorf("run %s: %w", r.RunID, err)
			}
			if lost[i], err = get(ctx, tx, r.RunID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reap lost runs: %w", err)
	}
	return lost, nil
}

// An Attempt is one try of a run.
type Attempt struct {
	Attempt int
	Owner   string
	Started time.Time
	Ended   time.Time
	State   outcome.State
	Cause   string
}

// Attempts gives the tries of a run in their order.
func (l *Ledger) Attempts(ctx context.Context, runID string) ([]Attempt, error) {
	rows, err := l.db.Read().QueryContext(ctx, "SELECT attempt, owner, started, ended, state, cause FROM attempt WHERE run_id = ? ORDER BY attempt", runID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []Attempt
	for rows.Next() {
		var a Attempt
		var started, ended int64
		if err := rows.Scan(&a.Attempt, &a.Owner, &started, &ended, &a.State, &a.Cause); err != nil {
			return nil, err
		}
		a.Started, a.Ended = db.Time(started), db.Time(ended)
		out = append(out, a)
	}
	return out, rows.Err()
}

// Readable writes down when a snapshot of a table could first be read. The first time counts.
func (l *Ledger) Readable(ctx context.Context, table string, snapshot int64, at time.Time) error {
	err := l.db.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO readable (tbl, snapshot, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", table, snapshot, at.UnixMicro())
		return err
	})
	return wrap(fmt.Sprintf("snapshot %d of %s", snapshot, table), err)
}

// ReadableAt gives, for each known snapshot of a table, when it could first be read.
func (l *Ledger) ReadableAt(ctx context.Context, table string) (map[int64]time.Time, error) {
	rows, err := l.db.Read().QueryContext(ctx, "SELECT snapshot, at FROM readable WHERE tbl = ?", table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int64]time.Time{}
	for rows.Next() {
		var id, at int64
		if err := rows.Scan(&id, &at); err != nil {
			return nil, err
		}
		out[id] = db.Time(at)
	}
	return out, rows.Err()
}

// docs reads a column of JSON documents.
func docs[T any](ctx context.Context, q queryer, query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		var doc string
		var v T
		if err := rows.Scan(&doc); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(doc), &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
