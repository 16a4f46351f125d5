package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"weir/internal/protocol"
)

// ErrMoved means that the cursor in the table is not the one that the commit starts from. Nothing was added.
var ErrMoved = protocol.ErrMoved

// A RolledBackError means that somebody rolled the table back: a human decides how the job goes on, see Resolve.
type RolledBackError = protocol.RolledBackError

// A Position is how far a job has come, as the table itself says.
type Position = protocol.Position

// The cursor stands twice in the same metadata swap. The property survives expiry and foreign compaction; the summary of
// our snapshot tells a rollback, which the property alone would hide.
const (
	summaryJob    = "weir.job"
	summaryCommit = "weir.commit"
	summaryCursor = "weir.cursor"
	summarySeq    = "weir.seq"
	summaryEpoch  = "weir.epoch"
)

func cursorProperty(job string) string { return "weir.cursor." + job }

// Position reads how far a job has come, from the newest state of the table.
func (t *Table) Position(ctx context.Context, job string) (Position, error) {
	tbl, err := t.load(ctx)
	if err != nil {
		return Position{}, err
	}
	v, err := viewOf(tbl, job)
	if err != nil {
		return Position{}, fmt.Errorf("table %s: %w", t.name, err)
	}
	at, ok := v.Settle()
	if !ok {
		return Position{}, &RolledBackError{Table: t.name, Job: job, Property: v.Property, Snapshot: at}
	}
	return at, nil
}

// viewOf is what a table says of a job.
func viewOf(tbl *table.Table, job string) (protocol.View, error) {
	v := protocol.View{Complete: true, Last: tbl.Metadata().LastSequenceNumber(), Tag: tagged(tbl, job)}
	if s := tbl.CurrentSnapshot(); s != nil {
		v.Head = s.SnapshotID
	}
	for s := range line(tbl) {
		if s.Summary != nil && s.Summary.Properties[summaryJob] == job {
			own := protocol.Snapshot{ID: s.SnapshotID, At: s.TimestampMs, Position: fromSummary(s)}
			own.Decided = strings.HasPrefix(own.Commit, resolvedID) || strings.HasPrefix(own.Commit, decidedID)
			v.Own = append(v.Own, own)
		}
		v.Oldest, v.Complete = s.SequenceNumber, s.ParentSnapshotID == nil
	}
	var err error
	v.Property, err = property(tbl, job)
	return v, err
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

func fromSummary(s *table.Snapshot) Position {
	props := s.Summary.Properties
	seq, _ := strconv.ParseInt(props[summarySeq], 10, 64)
	epoch, _ := strconv.ParseInt(props[summaryEpoch], 10, 64)
	return Position{Cursor: json.RawMessage(props[summaryCursor]), Commit: props[summaryCommit], Seq: seq, Epoch: epoch}
}

// line are the head and its ancestors that are still kept, newest first.
func line(tbl *table.Table) iter.Seq[*table.Snapshot] {
	return func(yield func(*table.Snapshot) bool) {
		for s := tbl.CurrentSnapshot(); s != nil && yield(s); {
			if s.ParentSnapshotID == nil {
				return
			}
			s = tbl.SnapshotByID(*s.ParentSnapshotID)
		}
	}
}

// How the ids of commits begin that carry a person's decision out; those of batches are hexadecimal.
const (
	resolvedID = "resolved-"
	decidedID  = "decided-"
)

// Resolve ends a RolledBackError: a human has decided from which of the two cursors the job goes on. It commits that cursor,
// without rows, so that property and history agree again; keep says which: the property's (true) or the snapshot's. note makes what
// the commit's summary says of the decision, from the cursors of property and snapshot.
func (t *Table) Resolve(ctx context.Context, job string, keep bool, note func(property, snapshot json.RawMessage) map[string]string) (Position, error) {
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
	id := fmt.Sprintf(resolvedID+"%d-%d", rolled.Property.Seq, rolled.Snapshot.Seq)
	_, err = t.Commit(ctx, Commit{
		Job: job, ID: id, decided: true, Summary: note(rolled.Property.Cursor, rolled.Snapshot.Cursor),
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

// Decide moves a job's cursor by a person's decision, without rows; before is the cursor that the person has seen. It fails with
// ErrMoved if the job has gone on meanwhile.
func (t *Table) Decide(ctx context.Context, job string, before, after json.RawMessage, note map[string]string) (Position, error) {
	p, err := t.Position(ctx, job)
	if err != nil {
		return p, err
	}
	if _, err := t.Commit(ctx, Commit{Job: job, ID: fmt.Sprintf(decidedID+"%d-%s", p.Seq+1, uuid.NewString()), Epoch: p.Epoch + 1, From: before, To: after, Summary: note}); err != nil {
		return Position{}, err
	}
	return t.Position(ctx, job)
}
