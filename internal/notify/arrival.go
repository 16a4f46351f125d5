package notify

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"weir/internal/db"
	"weir/internal/notify/expect"
	"weir/internal/outcome"
)

// arrival keeps what came of a job and business date, longer than the events: it is what "usual" means. day is empty for a
// job's newest sign of life. expectation keeps what the clock has told about a job and date; the row without a day says since
// when it watches.
const migrationExpect = `
CREATE TABLE arrival (
	unit     TEXT NOT NULL,
	job      TEXT NOT NULL,
	day      TEXT NOT NULL,
	title    TEXT NOT NULL DEFAULT '',
	started  INTEGER NOT NULL DEFAULT 0, -- of its first run
	ready    INTEGER NOT NULL DEFAULT 0, -- when its data could be used for the first time
	took     INTEGER NOT NULL DEFAULT 0, -- of the newest good run
	rows_out INTEGER NOT NULL DEFAULT 0, -- of the newest good run
	PRIMARY KEY (unit, job, day)
) STRICT, WITHOUT ROWID;
CREATE TABLE expectation (
	job     TEXT NOT NULL,
	day     TEXT NOT NULL,
	told    INTEGER NOT NULL DEFAULT 0,
	missing INTEGER NOT NULL DEFAULT 0,
	late    INTEGER NOT NULL DEFAULT 0,
	since   INTEGER NOT NULL DEFAULT 0,
	next_at INTEGER NOT NULL DEFAULT 0,
	closed  INTEGER NOT NULL DEFAULT 0,
	PRIMARY KEY (job, day)
) STRICT, WITHOUT ROWID;
ALTER TABLE story ADD COLUMN broke TEXT NOT NULL DEFAULT 'failed';
`

// queries is a transaction or the pool of readers.
type queries interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// An arrival is what is known of one job and business date.
type arrival struct {
	unit, job, day, title string
	started, ready        time.Time
	took                  time.Duration
	rows                  int64
}

const arrivalColumns = "unit, job, day, title, started, ready, took, rows_out"

func (a *arrival) scan(row interface{ Scan(...any) error }) error {
	var started, ready, took int64
	err := row.Scan(&a.unit, &a.job, &a.day, &a.title, &started, &ready, &took, &a.rows)
	a.started, a.ready, a.took = db.Time(started), db.Time(ready), time.Duration(took)*time.Microsecond
	return err
}

func (a *arrival) save(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO arrival (unit, job, day, title, started, ready, took, rows_out) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT (unit, job, day) DO UPDATE SET title = excluded.title, started = excluded.started, ready = excluded.ready, took = excluded.took, rows_out = excluded.rows_out`,
		a.unit, a.job, a.day, a.title, db.Micros(a.started), db.Micros(a.ready), a.took.Microseconds(), a.rows)
	return err
}

// loadArrival gives a zero arrival if nothing has come.
func loadArrival(ctx context.Context, q queries, unit, job, day string) (arrival, error) {
	a := arrival{unit: unit, job: job, day: day}
	err := a.scan(q.QueryRowContext(ctx, "SELECT "+arrivalColumns+" FROM arrival WHERE unit = ? AND job = ? AND day = ?", unit, job, day))
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return a, err
}

// lookBack is how many earlier days are read: a year of the same weekday.
const lookBack = 370

// history are the arrivals of a job before a day, the newest first, as far as they came to be ready.
func history(ctx context.Context, q queries, unit, job, before string) ([]arrival, error) {
	rows, err := q.QueryContext(ctx, "SELECT "+arrivalColumns+" FROM arrival WHERE unit = ? AND job = ? AND day <> '' AND day < ? AND ready > 0 ORDER BY day DESC LIMIT ?", unit, job, before, lookBack)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []arrival
	for rows.Next() {
		var a arrival
		if err := a.scan(rows); err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, rows.Err()
}

// noteArrival keeps what an event says for later days.
func noteArrival(ctx context.Context, tx *sql.Tx, o outcome.Outcome) error {
	if isNotice(o) || o.State.Overdue() {
		return nil
	}
	life, err := loadArrival(ctx, tx, o.Unit, o.Job, "")
	if err != nil {
		return err
	}
	if life.title = titleOf(o); o.When().After(life.ready) && (o.State.Good() || o.State == outcome.Running) {
		life.ready = o.When()
	}
	if err := life.save(ctx, tx); err != nil {
		return err
	}
	day, ok := dayOf(o)
	if !ok {
		return nil
	}
	a, err := loadArrival(ctx, tx, o.Unit, o.Job, day)
	if err != nil {
		return err
	}
	a.title = titleOf(o)
	if at := firstOf(o.Started, o.When()); a.started.IsZero() || at.Before(a.started) {
		a.started = at
	}
	if o.State.Good() {
		a.rows = o.RowsOut
		if a.ready.IsZero() {
			a.ready = o.When()
		}
		if a.took = 0; !o.Started.IsZero() {
			a.took = max(0, o.When().Sub(o.Started))
		}
	}
	return a.save(ctx, tx)
}

// dayOf is the business date of an outcome about exactly one day.
func dayOf(o outcome.Outcome) (day string, ok bool) {
	from, to := o.Interval.Start, o.Interval.End
	if from.IsZero() || !to.IsZero() && !from.AddDate(0, 0, 1).Equal(to) {
		return "", false
	}
	return o.BusinessDate(), true
}

// usualReady is when the data of a slot is ready as a rule: so long after the schedule as the median of the last arrivals.
func usualReady(r expect.Rule, slot expect.Slot, past []arrival) time.Time {
	var after []float64
	for _, a := range past {
		day, err := time.Parse(time.DateOnly, a.day)
		if err != nil || len(after) == usualOf {
			break
		}
		if s, ok := r.SlotOf(day); ok {
			after = append(after, a.ready.Sub(s.Run).Seconds())
		}
	}
	if len(after) < expect.Fewest || slot.Run.IsZero() {
		return time.Time{}
	}
	return slot.Run.Add(time.Duration(expect.Median(after)) * time.Second)
}

// usualOf is how many arrivals say what is usual for the clock.
const usualOf = 20

// usualTook is how long a run takes as a rule, 0 if too few are known.
func usualTook(past []arrival) time.Duration {
	var took []float64
	for _, a := range past {
		if a.took > 0 && len(took) < usualOf {
			took = append(took, a.took.Seconds())
		}
	}
	if len(took) < expect.Fewest {
		return 0
	}
	return time.Duration(expect.Median(took)) * time.Second
}
