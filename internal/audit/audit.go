// Package audit keeps what people have decided about a job's positions: gaps that they accepted, positions that they set, a rollback
// that they resolved. Each decision stands in the snapshot that carries it out, in the same swap, and from there in a table beside the
// job's table, which outlives the snapshots: table, quarantine and audit together account for every position of the topic.
//
// [Decision.Note] goes into the commit; [Keep] brings what it finds in the table's history into the audit table.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"weir/internal/lake"
)

// Suffix of an audit table's name.
const Suffix = "__audit"

// Table is the audit table of a destination.
func Table(destination string) string { return destination + Suffix }

// What people decide.
const (
	AcceptGap  = "accept_gap"  // messages that are gone are left out: [From, To) of a partition
	Skip       = "skip"        // messages that are there are left out
	Again      = "again"       // messages are read once more, though their rows are in the table
	NewTopic   = "new_topic"   // from now on the positions are those of another topic
	FromTable  = "from_table"  // after a rollback: what it took out is read once more
	KeepCursor = "keep_cursor" // after a rollback: what it took out stays out
)

// A Move is what a decision does to a partition: positions [From, To) are left out, or read again where To < From.
type Move struct {
	Partition int32  `json:"partition"`
	From      int64  `json:"from"`
	To        int64  `json:"to"`
	Action    string `json:"action"`
}

// A Decision of a person.
type Decision struct {
	Job    string          `json:"job"`
	At     time.Time       `json:"at"`
	Who    string          `json:"who"`
	Why    string          `json:"why"`
	Before json.RawMessage `json:"before"` // cursor
	After  json.RawMessage `json:"after"`
	Moves  []Move          `json:"moves"`
	Commit string          `json:"commit,omitempty"` // that carried it out
}

// note is the key of a snapshot's summary.
const note = "weir.decision"

// Note is the decision for the summary of the commit that carries it out.
func (d Decision) Note() map[string]string {
	b, err := json.Marshal(d)
	if err != nil { // its cursors are JSON
		panic(err)
	}
	return map[string]string{note: string(b)}
}

// Moves tells what becomes of each partition between two sets of positions.
func Moves(before, after map[int32]int64, forward string) []Move {
	var all []Move
	for _, p := range slices.Sorted(maps.Keys(after)) {
		from, had := before[p]
		switch to := after[p]; {
		case had && to > from:
			all = append(all, Move{p, from, to, forward})
		case had && to < from:
			all = append(all, Move{p, from, to, Again})
		}
	}
	return all
}

func field(name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true}
}

var schema = arrow.NewSchema([]arrow.Field{
	field("decided_at", &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}),
	field("job", arrow.BinaryTypes.String),
	field("action", arrow.BinaryTypes.String),
	field("partition", arrow.PrimitiveTypes.Int32),
	field("from_offset", arrow.PrimitiveTypes.Int64),
	field("to_offset", arrow.PrimitiveTypes.Int64),
	field("who", arrow.BinaryTypes.String),
	field("why", arrow.BinaryTypes.String),
	field("before", arrow.BinaryTypes.String),
	field("after", arrow.BinaryTypes.String),
	field("commit", arrow.BinaryTypes.String),
}, nil)

// found are the decisions in a table's history, by the number of the job's commit.
func found(t *lake.Table, job string) (map[int64]Decision, error) {
	all := map[int64]Decision{}
	for _, s := range t.Snapshots() {
		raw, ok := s.Summary[note]
		if !ok || s.Summary["weir.job"] != job {
			continue
		}
		var d Decision
		seq, err := strconv.ParseInt(s.Summary["weir.seq"], 10, 64)
		if err = errors.Join(err, json.Unmarshal([]byte(raw), &d)); err != nil {
			return nil, fmt.Errorf("snapshot %d of table %s: %w", s.ID, t.Name(), err)
		}
		d.Commit = s.Summary["weir.commit"]
		all[seq] = d
	}
	return all, nil
}

// Keep brings the decisions of a job that its table's history holds into the audit table, each once; a process that died between the
// two leaves that to the next call. It makes the audit table at the first decision.
func Keep(ctx context.Context, l *lake.Lake, t *lake.Table, job string) error {
	if err := t.Refresh(ctx); err != nil {
		return err
	}
	all, err := found(t, job)
	if err != nil || len(all) == 0 {
		return err
	}
	a, err := l.Ensure(ctx, Table(t.Name()), schema, lake.Options{})
	if err != nil {
		return err
	}
	pos, err := a.Position(ctx, job)
	if err != nil {
		return err
	}
	var last int64
	if len(pos.Cursor) > 0 {
		if err := json.Unmarshal(pos.Cursor, &last); err != nil {
			return fmt.Errorf("cursor of table %s: %w", a.Name(), err)
		}
	}
	var fresh []Decision
	newest := last
	for _, seq := range slices.Sorted(maps.Keys(all)) {
		if seq > last {
			fresh, newest = append(fresh, all[seq]), seq
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	files, err := a.Write(ctx, rows(a.Schema(), fresh))
	if err != nil {
		return err
	}
	_, err = a.Commit(ctx, lake.Commit{Job: job, ID: fmt.Sprint("decisions-", newest), From: pos.Cursor, To: json.RawMessage(strconv.FormatInt(newest, 10)), Add: files})
	if errors.Is(err, lake.ErrMoved) && !errors.Is(err, lake.ErrUnknown) { // somebody else has brought them
		return a.Drop(files)
	}
	return err
}

func rows(s *arrow.Schema, all []Decision) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, s)
		defer b.Release()
		text := func(i int, v string) { b.Field(i).(*array.StringBuilder).Append(v) }
		for _, d := range all {
			for _, m := range d.Moves {
				b.Field(0).(*array.TimestampBuilder).Append(arrow.Timestamp(d.At.UnixMicro()))
				text(1, d.Job)
				text(2, m.Action)
				b.Field(3).(*array.Int32Builder).Append(m.Partition)
				b.Field(4).(*array.Int64Builder).Append(m.From)
				b.Field(5).(*array.Int64Builder).Append(m.To)
				text(6, d.Who)
				text(7, d.Why)
				text(8, string(d.Before))
				text(9, string(d.After))
				text(10, d.Commit)
			}
		}
		yield(b.NewRecordBatch(), nil)
	}
}
