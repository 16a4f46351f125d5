package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"weir/internal/lake"
)

// DiscardedSuffix of the table that keeps what was discarded: bank.transactions__discarded.
const DiscardedSuffix = "__discarded"

// Discards is the table of what was discarded from the quarantine of a destination: everything but the bytes.
func Discards(destination string) string { return destination + DiscardedSuffix }

// DiscardedSchema is the schema of an audit table.
var DiscardedSchema = arrow.NewSchema([]arrow.Field{
	field("reason", arrow.BinaryTypes.String),
	field("error", arrow.BinaryTypes.String),
	field("schema_id", arrow.PrimitiveTypes.Int32),
	Kafka,
	Load,
	field("quarantined_at", micros),
	field("attempt", arrow.PrimitiveTypes.Int32),
	field("discarded_at", micros),
	field("discarded_by", arrow.BinaryTypes.String),
	field("why", arrow.BinaryTypes.String),
}, nil)

// audit writes down what a move discards: once, whoever does it.
func (d *Desk) audit(ctx context.Context, m Move, takes map[Record]bool) error {
	t, err := d.lake.Ensure(ctx, Discards(d.to.Name()), DiscardedSchema, lake.Options{})
	if err != nil {
		return err
	}
	var rows []Row
	todo := newErrand(takes, nil)
	for r, err := range d.Rows(ctx) {
		if err != nil {
			return err
		}
		if !todo.apply(&r) {
			rows = append(rows, r)
		}
	}
	var files []lake.File
	if len(rows) > 0 {
		files, err = t.Write(ctx, func(yield func(arrow.RecordBatch, error) bool) { yield(auditBatch(t.Schema(), rows, m), nil) })
	}
	if err != nil {
		return err
	}
	now := counted{N: m.N, UUID: m.UUID}
	rc, err := t.Commit(ctx, lake.Commit{Job: mover, ID: fmt.Sprintf("audit-%d-%s", m.N, m.UUID), Add: files, Advance: func(stored json.RawMessage) (json.RawMessage, error) {
		var at counted
		if err := read(stored, &at); err != nil {
			return nil, err
		}
		if at.UUID == now.UUID && at.N >= now.N {
			return nil, ErrMoved
		}
		return json.Marshal(now)
	}})
	switch {
	case rc.Already, errors.Is(err, ErrMoved) && !errors.Is(err, lake.ErrUnknown):
		return t.Drop(files)
	case errors.Is(err, ErrMoved): // it is written down; nobody knows whether in these files
		return nil
	}
	return err
}

func auditBatch(s *arrow.Schema, rows []Row, m Move) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	for _, r := range rows {
		b.Field(0).(*array.StringBuilder).Append(string(r.Reason))
		b.Field(1).(*array.StringBuilder).Append(r.Error)
		b.Field(2).(*array.Int32Builder).Append(r.SchemaID)
		kafka(b.Field(3).(*array.StructBuilder), r)
		load(b.Field(4).(*array.StructBuilder), r)
		b.Field(5).(*array.TimestampBuilder).Append(micro(r.At))
		b.Field(6).(*array.Int32Builder).Append(max(1, r.Attempt))
		b.Field(7).(*array.TimestampBuilder).Append(micro(m.At))
		b.Field(8).(*array.StringBuilder).Append(m.By)
		b.Field(9).(*array.StringBuilder).Append(m.Why)
	}
	return b.NewRecordBatch()
}
