package table

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/minibatch"
)

// Append is a sink that adds rows to a table, which is made where there is none.
func Append[T any](ctx context.Context, l *Lake, name string) (minibatch.Sink[T], error) {
	cols, err := columnsOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", name, err)
	}
	t, err := l.l.Ensure(ctx, name, schemaOf(cols), lake.Options{})
	if err != nil {
		return nil, err
	}
	return &sink[T]{l: l.l, t: t, cols: cols}, nil
}

type sink[T any] struct {
	l    *lake.Lake
	t    *lake.Table
	cols []column
}

var _ minibatch.Keeper = (*sink[struct{}])(nil)

// KeepsRefused: see Commit.
func (s *sink[T]) KeepsRefused() {}

func (s *sink[T]) Position(ctx context.Context, job string) (minibatch.Cursor, error) {
	p, err := s.t.Position(ctx, job)
	var rolled *lake.RolledBackError
	if errors.As(err, &rolled) {
		err = minibatch.Fatal(err)
	}
	var c minibatch.Cursor
	if err != nil || len(p.Cursor) == 0 {
		return c, err
	}
	return c, json.Unmarshal(p.Cursor, &c)
}

const batchRows = 8192

func (s *sink[T]) Stage(ctx context.Context, _ minibatch.Part, in iter.Seq2[T, error]) (minibatch.Staged, error) {
	schema := s.t.Schema()
	at := make([]int, len(s.cols))
	for i, c := range s.cols {
		at[i] = schema.FieldIndices(c.name)[0]
	}
	batches := func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		defer b.Release()
		rows := 0
		flush := func() bool {
			n := rows
			rows = 0
			return n == 0 || yield(b.NewRecordBatch(), nil)
		}
		for row, err := range in {
			if err != nil {
				yield(nil, err)
				return
			}
			v, filled := reflect.ValueOf(row), map[int]bool{}
			for i, c := range s.cols {
				c.put(b.Field(at[i]), v)
				filled[at[i]] = true
			}
			for i := range schema.NumFields() { // columns that others have added
				if !filled[i] {
					b.Field(i).AppendNull()
				}
			}
			if rows++; rows == batchRows && !flush() {
				return
			}
		}
		flush()
	}
	files, err := s.t.Write(ctx, batches)
	out := minibatch.Staged{Value: files}
	for _, f := range files {
		out.Rows, out.Bytes = out.Rows+f.Rows, out.Bytes+f.Bytes
	}
	return out, operator(err)
}

// Commit puts refused rows into the quarantine table just before the rows. A crash between the two leaves the quarantine
// ahead: the next try finds its own commit there and leaves it out.
func (s *sink[T]) Commit(ctx context.Context, b minibatch.Batch, parts []minibatch.Staged) (minibatch.Receipt, error) {
	c := lake.Commit{Job: b.Job, ID: b.ID()}
	var err error
	if c.To, err = json.Marshal(b.To); err != nil {
		return minibatch.Receipt{}, err
	}
	if !b.From.IsZero() {
		if c.From, err = json.Marshal(b.From); err != nil {
			return minibatch.Receipt{}, err
		}
	}
	var refused []minibatch.Refused
	for _, p := range parts {
		c.Add, refused = append(c.Add, p.Value.([]lake.File)...), append(refused, p.Refused...)
	}
	if len(refused) > 0 {
		now, err := s.Position(ctx, b.Job)
		if err != nil {
			return minibatch.Receipt{}, err
		}
		if !now.Equal(b.From) && !now.Equal(b.To) {
			return minibatch.Receipt{}, fmt.Errorf("%w: it holds %s", minibatch.ErrMoved, now.Value)
		}
		if err := s.keep(ctx, b, refused); err != nil {
			return minibatch.Receipt{}, operator(err)
		}
	}
	rc, err := s.t.Commit(ctx, c)
	if errors.Is(err, lake.ErrMoved) {
		err = fmt.Errorf("%w (%w)", minibatch.ErrMoved, err)
	}
	return minibatch.Receipt{ID: c.ID, Snapshot: rc.Snapshot, At: rc.At, Already: rc.Already}, operator(err)
}

var refusedSchema = arrow.NewSchema([]arrow.Field{
	{Name: "reason", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "row", Type: arrow.BinaryTypes.String, Nullable: true}, // as JSON
	{Name: "quarantined_at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
}, nil)

func (s *sink[T]) keep(ctx context.Context, b minibatch.Batch, rows []minibatch.Refused) error {
	q, err := s.l.Ensure(ctx, quarantine.Table(s.t.Name()), refusedSchema, lake.Options{})
	if err != nil {
		return err
	}
	at, err := q.Position(ctx, b.Job)
	if err != nil || at.Commit == b.ID() {
		return err
	}
	c := lake.Commit{Job: b.Job, ID: b.ID(), From: at.Cursor}
	if c.To, err = json.Marshal(b.To); err != nil {
		return err
	}
	c.Add, err = q.Write(ctx, func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, q.Schema())
		defer b.Release()
		now := arrow.Timestamp(time.Now().UnixMicro())
		for _, r := range rows {
			doc, err := json.Marshal(r.Row)
			if err != nil {
				doc = fmt.Appendf(nil, "%q", fmt.Sprint(r.Row))
			}
			b.Field(0).(*array.StringBuilder).Append(r.Reason)
			b.Field(1).(*array.StringBuilder).Append(string(doc))
			b.Field(2).(*array.TimestampBuilder).Append(now)
		}
		yield(b.NewRecordBatch(), nil)
	})
	if err != nil {
		return err
	}
	_, err = q.Commit(ctx, c)
	if errors.Is(err, lake.ErrMoved) {
		if !errors.Is(err, lake.ErrUnknown) {
			err = errors.Join(err, q.Drop(c.Add))
		}
		err = fmt.Errorf("%w (%w)", minibatch.ErrMoved, err)
	}
	return err
}

func (s *sink[T]) Abort(_ context.Context, parts []minibatch.Staged) error {
	var errs []error
	for _, p := range parts {
		if files, ok := p.Value.([]lake.File); ok {
			errs = append(errs, s.t.Drop(files))
		}
	}
	return errors.Join(errs...)
}

// operator marks what no retry mends.
func operator(err error) error {
	if err != nil && lake.Operator(err) {
		return minibatch.Fatal(err)
	}
	return err
}
