package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/apache/iceberg-go/table"
)

// ErrMoved means that the cursor in the table is not the one that the commit starts from. Nothing was added.
var ErrMoved = errors.New("another worker has moved the cursor")

// A RolledBackError means that the table's property and its newest snapshot of the job disagree: somebody rolled the table
// back. Going on from either could lose or double rows, so a human decides.
type RolledBackError struct {
	Table, Job         string
	Property, Snapshot Position
}

func (e *RolledBackError) Error() string {
	s := "no snapshot of it is left"
	if e.Snapshot.Commit != "" {
		s = fmt.Sprintf("the newest snapshot of it holds commit %s (number %d) at cursor %s", e.Snapshot.Commit, e.Snapshot.Seq, e.Snapshot.Cursor)
	}
	return fmt.Sprintf("table %s was rolled back: job %s had reached commit %s (number %d) at cursor %s, but %s",
		e.Table, e.Job, e.Property.Commit, e.Property.Seq, e.Property.Cursor, s)
}

// A Position is how far a job has come, as the table itself says.
type Position struct {
	Cursor json.RawMessage `json:"cursor"` // nil if the job never committed here
	Commit string          `json:"commit"` // id of its last commit
	Seq    int64           `json:"seq"`    // number of its commits
}

// The cursor stands twice in the same metadata swap. The property survives expiry and foreign compaction; the summary of
// our snapshot tells a rollback, which the property alone would hide.
const (
	summaryJob    = "weir.job"
	summaryCommit = "weir.commit"
	summaryCursor = "weir.cursor"
	summarySeq    = "weir.seq"
)

func cursorProperty(job string) string { return "weir.cursor." + job }

// Position reads how far a job has come, from the newest state of the table.
func (t *Table) Position(ctx context.Context, job string) (Position, error) {
	tbl, err := t.load(ctx)
	if err != nil {
		return Position{}, err
	}
	prop, err := property(tbl, job)
	if err != nil {
		return Position{}, fmt.Errorf("table %s: %w", t.name, err)
	}
	at, ok := settle(tbl, job, prop)
	if !ok {
		return Position{}, &RolledBackError{Table: t.name, Job: job, Property: prop, Snapshot: at}
	}
	return at, nil
}

// settle says which of property and history counts; ok is false if they contradict each other.
//
// A writer that cannot set the property in the same commit, such as Spark, leaves only its summary: then the property lags behind
// until our next commit. It still belongs to this history if its commit is among the ancestors, or if that was expired and all
// that is left of the job came later.
func settle(tbl *table.Table, job string, prop Position) (at Position, ok bool) {
	snap, ended := newest(tbl, job)
	switch {
	case prop.Commit == "":
		return snap, true
	case snap.Commit == prop.Commit, snap.Commit == "" && !ended:
		return prop, true
	}
	later := true
	for s := tbl.CurrentSnapshot(); s != nil; s = parent(tbl, s) {
		if s.Summary != nil && s.Summary.Properties[summaryJob] == job {
			p := fromSummary(s)
			if p.Commit == prop.Commit {
				return snap, true
			}
			later = later && p.Seq > prop.Seq
		}
		if s.ParentSnapshotID == nil {
			return snap, false
		}
	}
	return snap, later && snap.Commit != ""
}

func property(tbl *table.Table, job string) (Position, error) {
	var p Position
	raw, ok := tbl.Properties()[cursorProperty(job)]
	if !ok {
		return p, nil
	}
	if err := json.Unmarshal([]byte(raw), &p); err != nil {
		return p, fmt.Errorf("property %s: %w", cursorProperty(job), err)
	}
	return p, nil
}

// newest finds the job's newest snapshot among the ancestors of the head. ended says that the walk came to the table's
// first snapshot; otherwise older ones have been expired.
func newest(tbl *table.Table, job string) (p Position, ended bool) {
	s := tbl.CurrentSnapshot()
	for ; s != nil; s = parent(tbl, s) {
		if s.Summary != nil && s.Summary.Properties[summaryJob] == job {
			return fromSummary(s), true
		}
		if s.ParentSnapshotID == nil {
			return Position{}, true
		}
	}
	return Position{}, tbl.CurrentSnapshot() == nil
}

func fromSummary(s *table.Snapshot) Position {
	seq, _ := strconv.ParseInt(s.Summary.Properties[summarySeq], 10, 64)
	return Position{Cursor: json.RawMessage(s.Summary.Properties[summaryCursor]), Commit: s.Summary.Properties[summaryCommit], Seq: seq}
}

func parent(tbl *table.Table, s *table.Snapshot) *table.Snapshot {
	if s.ParentSnapshotID == nil {
		return nil
	}
	return tbl.SnapshotByID(*s.ParentSnapshotID)
}

// Resolve ends a RolledBackError: a human has decided from which of the two cursors the job goes on. It commits that cursor,
// without rows, so that property and history agree again; keep says which: the property's (true) or the snapshot's.
func (t *Table) Resolve(ctx context.Context, job string, keep bool) (Position, error) {
	_, err := t.Position(ctx, job)
	var rolled *RolledBackError
	if !errors.As(err, &rolled) {
		if err == nil {
			err = fmt.Errorf("table %s: property and history agree for job %s: there is nothing to resolve", t.name, job)
		}
		return Position{}, err
	}
	cursor := rolled.Snapshot.Cursor
	if keep {
		cursor = rolled.Property.Cursor
	}
	if len(cursor) == 0 {
		return Position{}, fmt.Errorf("table %s: no snapshot of job %s is left to go on from", t.name, job)
	}
	id := fmt.Sprintf("resolved-%d-%d", rolled.Property.Seq, rolled.Snapshot.Seq)
	_, err = t.Commit(ctx, Commit{
		Job: job, ID: id, Summary: map[string]string{"weir.resolved": fmt.Sprintf("property %s, snapshot %s", rolled.Property.Cursor, rolled.Snapshot.Cursor)},
		Advance: func(stored json.RawMessage) (json.RawMessage, error) {
			if string(stored) != string(rolled.Property.Cursor) {
				return nil, ErrMoved
			}
			return cursor, nil
		},
	})
	if err != nil {
		return Position{}, err
	}
	return t.Position(ctx, job)
}
