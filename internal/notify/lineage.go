package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/internal/db"
	"weir/internal/outcome"
)

// Other engines tell of a job in many events: Spark one run per action below the application's, Airflow one per task below the
// DAG's. People are told once: all runs below a run that is known here are a part of it.

const migrationLineage = `
CREATE TABLE lineage (
	run TEXT PRIMARY KEY,
	top TEXT NOT NULL,   -- the run that is told for it: itself or one that it is a part of
	at  INTEGER NOT NULL, -- of the last event
	doc TEXT NOT NULL    -- member
) STRICT, WITHOUT ROWID;
CREATE INDEX lineage_top ON lineage (top);
CREATE INDEX lineage_at ON lineage (at);
`

// keepLineage is how long a run is known after its last event.
const keepLineage = 30 * 24 * time.Hour

// An Arrival is one thing that came in: an outcome, or a run event of any producer.
type Arrival struct {
	Outcome outcome.Outcome
	Event   *outcome.RunEvent // instead of Outcome
}

// AcceptAll takes several over, all or none: when it returns nil, they are on the disk. It gives the ids of the events that
// will be told; an arrival that only adds to what is known of a run gives none.
func (s *Service) AcceptAll(ctx context.Context, all []Arrival) (ids []string, err error) {
	told := make([]outcome.Outcome, len(all))
	for i, a := range all {
		if a.Event != nil && !a.Event.Own() {
			continue
		}
		if a.Event != nil {
			a.Outcome = a.Event.Outcome()
		}
		if told[i], err = sound(a.Outcome); err != nil {
			return nil, fmt.Errorf("event %d of %d: %w", i+1, len(all), err)
		}
	}
	err = s.db.Share(ctx, func(tx *sql.Tx) error {
		ids = nil // Write may call again
		for i, a := range all {
			tell := []outcome.Outcome{told[i]}
			if a.Event != nil && !a.Event.Own() {
				var err error
				if tell, err = s.member(ctx, tx, *a.Event); err != nil {
					return err
				}
			}
			for _, o := range tell {
				if err := accept(ctx, tx, o); err != nil {
					return err
				}
				ids = append(ids, o.EventID())
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("accept %d events: %w", len(all), err)
	}
	s.wake()
	return ids, nil
}

// ErrRefused means that what came in can never be accepted as it is: trying again does not help.
var ErrRefused = errors.New("refused")

// sound is an outcome as it is stored.
func sound(o outcome.Outcome) (outcome.Outcome, error) {
	o = o.Scrubbed()
	if err := o.Validate(); err != nil {
		return o, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if isNotice(o) {
		return o, fmt.Errorf("%w: outcome: kind %s is notify's own", ErrRefused, o.Kind)
	}
	if o.When().IsZero() {
		o.At = time.Now()
	}
	return o, nil
}

// member adds an event to what is known of its run, and gives what is to be told now.
func (s *Service) member(ctx context.Context, tx *sql.Tx, e outcome.RunEvent) ([]outcome.Outcome, error) {
	o, err := sound(s.settle(e))
	if err != nil {
		return nil, err
	}
	m, top, err := loadMember(ctx, tx, o.RunID)
	if err != nil {
		return nil, err
	}
	m.add(o)
	if top == "" || top == o.RunID && m.Told == "" {
		over, err := s.topOf(ctx, tx, e)
		if err != nil {
			return nil, err
		}
		if over != "" && top == o.RunID { // its own parts came before the run above was known
			if _, err := tx.ExecContext(ctx, "UPDATE lineage SET top = ? WHERE top = ?", over, top); err != nil {
				return nil, err
			}
		}
		if top = over; top == "" {
			top = o.RunID
		}
	}
	if err := saveMember(ctx, tx, o.RunID, top, m); err != nil {
		return nil, err
	}
	// A part may come before the run that it is a part of: that it runs is not told, that it has ended is.
	if top == o.RunID && len(e.Parents()) > 0 && !m.State.Terminal() {
		return nil, nil
	}
	return s.tell(ctx, tx, top)
}

// settle gives the event's outcome the unit that it means here, and the zone of its business date.
func (s *Service) settle(e outcome.RunEvent) outcome.Outcome {
	o := e.Outcome()
	o.Unit = "" // an owner that is no unit of ours says nothing: the lists of jobs decide
	for _, name := range e.Owners() {
		for unit := range s.units.Units {
			if strings.EqualFold(unit, name) && o.Unit == "" {
				o.Unit = unit
			}
		}
	}
	// A scheduler that thinks in a zone sends its midnight in UTC, which is another day there.
	if start := o.Interval.Start; !start.IsZero() && !start.Equal(start.Truncate(day)) {
		o.Interval.Start = start.In(s.zone)
		if !o.Interval.End.IsZero() {
			o.Interval.End = o.Interval.End.In(s.zone)
		}
	}
	return o
}

// topOf is the run above an event's that is told for it; empty if none is known, or if a unit lists the job by its own name.
func (s *Service) topOf(ctx context.Context, tx *sql.Tx, e outcome.RunEvent) (string, error) {
	for _, u := range s.units.Units {
		if slices.Contains(u.Jobs, e.Job.Name) || slices.Contains(u.Jobs, e.Job.Namespace+"/"+e.Job.Name) {
			return "", nil
		}
	}
	for _, run := range e.Parents() {
		var top string
		err := tx.QueryRowContext(ctx, "SELECT top FROM lineage WHERE run = ?", run).Scan(&top)
		if err == nil || !errors.Is(err, sql.ErrNoRows) {
			return top, err
		}
	}
	return "", nil
}

// tell says what the run and its parts amount to, if that is news.
func (s *Service) tell(ctx context.Context, tx *sql.Tx, top string) ([]outcome.Outcome, error) {
	rows, err := tx.QueryContext(ctx, "SELECT run, doc FROM lineage WHERE top = ? ORDER BY run", top)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var head member
	var parts []member
	for rows.Next() {
		var run, doc string
		var m member
		if err := rows.Scan(&run, &doc); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(doc), &m); err != nil {
			return nil, err
		}
		if run == top {
			head = m
		}
		parts = append(parts, m)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	o, news := head.sum(parts)
	if !news {
		return nil, nil
	}
	if err := saveMember(ctx, tx, top, top, head); err != nil {
		return nil, err
	}
	if o.State == outcome.Running {
		_, err = tx.ExecContext(ctx, "DELETE FROM lineage WHERE at < ?", time.Now().Add(-keepLineage).UnixMicro())
	}
	return []outcome.Outcome{o}, err
}

func loadMember(ctx context.Context, tx *sql.Tx, run string) (m member, top string, err error) {
	var doc string
	err = tx.QueryRowContext(ctx, "SELECT top, doc FROM lineage WHERE run = ?", run).Scan(&top, &doc)
	if errors.Is(err, sql.ErrNoRows) {
		return m, "", nil
	}
	if err != nil {
		return m, "", err
	}
	return m, top, json.Unmarshal([]byte(doc), &m)
}

func saveMember(ctx context.Context, tx *sql.Tx, run, top string, m member) error {
	doc, err := json.Marshal(m)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO lineage (run, top, at, doc) VALUES (?, ?, ?, ?)
		ON CONFLICT (run) DO UPDATE SET top = excluded.top, at = excluded.at, doc = excluded.doc`, run, top, db.Micros(time.Now()), string(doc))
	return err
}
