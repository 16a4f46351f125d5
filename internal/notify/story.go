package notify

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"weir/internal/db"
	"weir/internal/outcome"
)

// A story is what has been told about one key so far.
type story struct {
	Key       string
	State     outcome.State // told last; empty: nothing yet
	Run       string
	Attempt   int
	Revision  int
	At        time.Time
	Told      int // revision of the message
	Incidents int
	Broken    time.Time     // since when it is failed or overdue; zero: it is not
	Broke     outcome.State // what it was told as then
	older     []string      // keys of earlier runs of this job that are still broken; they end with this one
}

// keyOf names what a message is about: a job's business date (or other interval), or else the run.
func keyOf(o outcome.Outcome) string {
	from, to := o.Interval.Start, o.Interval.End
	what := o.RunID
	if !from.IsZero() {
		what = from.Format(time.DateOnly)
		if d := to.Sub(from); !to.IsZero() && !from.AddDate(0, 0, 1).Equal(to) {
			what = from.Format("2006-01-02T15:04")
			if d >= day {
				what = from.Format(time.DateOnly) + ".." + to.In(from.Location()).Format(time.DateOnly)
			}
		}
	}
	return cmp.Or(o.Unit, "-") + "/" + o.Job + "/" + what
}

func loadStory(ctx context.Context, tx *sql.Tx, o outcome.Outcome) (*story, error) {
	st := &story{Key: keyOf(o)}
	var at, broken int64
	err := tx.QueryRowContext(ctx, "SELECT state, run, attempt, revision, at, told, incidents, broken, broke FROM story WHERE key = ?", st.Key).
		Scan(&st.State, &st.Run, &st.Attempt, &st.Revision, &at, &st.Told, &st.Incidents, &broken, &st.Broke)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	st.At, st.Broken = db.Time(at), db.Time(broken)
	if !o.State.Good() {
		return st, nil
	}
	// A run without a date, like that of an ingest job, mends what its predecessors have left broken; any run ends a silence.
	rows, err := tx.QueryContext(ctx, "SELECT key, broken, broke FROM story WHERE unit = ? AND job = ? AND broken > 0 AND dated = 0 AND key <> ? AND (CAST(? AS INTEGER) = 1 OR run = '') ORDER BY broken",
		o.Unit, o.Job, st.Key, o.Interval.Start.IsZero())
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var key string
		var broke outcome.State
		if err := rows.Scan(&key, &broken, &broke); err != nil {
			return nil, err
		}
		st.older = append(st.older, key)
		if b := db.Time(broken); st.Broken.IsZero() || b.Before(st.Broken) {
			st.Broken, st.Broke = b, broke
		}
	}
	return st, rows.Err()
}

func (st *story) broken() bool { return !st.Broken.IsZero() }

// stale says why an event must not be told any more, or nothing.
func (st *story) stale(o outcome.Outcome) string {
	if o.State.Overdue() { // said by a clock: it belongs to no run
		if st.State.Good() {
			return "its data is ready"
		}
		return ""
	}
	if st.State == "" {
		return ""
	}
	if o.RunID != st.Run {
		if o.When().UnixMicro() < st.At.UnixMicro() {
			return fmt.Sprintf("run %s has told %s since", st.Run, st.State)
		}
		return ""
	}
	older := fmt.Sprintf("the same run has told %s since", st.State)
	switch {
	case o.Attempt != st.Attempt:
		if o.Attempt < st.Attempt {
			return older
		}
	case o.State.Terminal() != st.State.Terminal():
		if st.State.Terminal() {
			return older
		}
	case o.Revision != st.Revision:
		if o.Revision < st.Revision {
			return older
		}
	case o.When().UnixMicro() < st.At.UnixMicro():
		return older
	}
	return ""
}

// advance takes the event in.
func (st *story) advance(o outcome.Outcome) {
	st.Told++
	switch {
	case (o.State == outcome.Failed || o.State.Overdue()) && !st.broken():
		st.Broken, st.Broke = o.When(), o.State
		if o.Expected != nil {
			st.Broken = o.Expected.Due
		}
		st.Incidents++
	case o.State.Good():
		st.Broken = time.Time{}
	}
	if o.State.Overdue() {
		st.State = o.State // what the runs have told stays what it is, and theirs to go on from
		return
	}
	st.State, st.Run, st.Attempt, st.Revision, st.At = o.State, o.RunID, o.Attempt, o.Revision, o.When()
}

// incident names the failure that is open, or the one that has just been mended.
func (st *story) incident() string {
	if st.Incidents == 0 || !st.broken() && st.State != outcome.Recovered {
		return ""
	}
	return fmt.Sprintf("%s#%d", st.Key, st.Incidents)
}

func (st *story) save(ctx context.Context, tx *sql.Tx, o outcome.Outcome) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO story (key, unit, job, state, run, attempt, revision, at, told, incidents, broken, broke, dated) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (key) DO UPDATE SET state = excluded.state, run = excluded.run, attempt = excluded.attempt, revision = excluded.revision,
		at = excluded.at, told = excluded.told, incidents = excluded.incidents, broken = excluded.broken, broke = excluded.broke`,
		st.Key, o.Unit, o.Job, st.State, st.Run, st.Attempt, st.Revision, db.Micros(st.At), st.Told, st.Incidents, db.Micros(st.Broken), st.Broke, !o.Interval.Start.IsZero())
	for _, key := range st.older {
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, "UPDATE story SET broken = 0 WHERE key = ?", key)
	}
	return err
}
