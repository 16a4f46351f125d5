package ingest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/avro"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/internal/registry"
	"weir/minibatch"
)

// upsertBytes closes the batch of an upsert job that says nothing else: it is held in memory until the last record of each key is known.
const upsertBytes = 64 << 20

// latest keeps what a batch makes of each key: the record with the highest offset, a row or a tombstone.
type latest struct {
	columns []string
	records []*kgo.Record // of the rows in the decoder's batch
	batches []decoded
	last    map[string]version
	taken   int64 // rows and tombstones
	plans   map[schemaRef]*avro.Plan
	shape   *lake.Shape // that the plans lead to
}

// version is where the last record of a key stands.
type version struct {
	partition  int32
	offset     int64
	batch, row int // batch -1: a tombstone
}

func newLatest(columns []string) *latest {
	return &latest{columns: columns, last: map[string]version{}}
}

// put keeps the newer of two records. Those of one key come from one partition, as producers see to; otherwise the higher partition counts.
func (l *latest) put(key string, v version) {
	l.taken++
	old, ok := l.last[key]
	if !ok || v.partition > old.partition || v.partition == old.partition && v.offset > old.offset {
		l.last[key] = v
	}
}

// rows takes a batch of decoded rows; those without a key are refused.
func (l *latest) rows(d decoded) []quarantine.Row {
	var refused []quarantine.Row
	key := lake.KeysOf(d.rows, l.columns)
	for row, r := range l.records {
		k, ok := key(row)
		if !ok {
			refused = append(refused, *refuse(r, quarantine.NoKey, 0, fmt.Errorf("a column of the key (%v) is null", l.columns)))
			continue
		}
		l.put(k, version{r.Partition, r.Offset, len(l.batches), row})
	}
	l.records = l.records[:0]
	l.batches = append(l.batches, d)
	return refused
}

// emit hands out the keys of the batch, and the rows that are left of it.
func (l *latest) emit(ctx context.Context, emit minibatch.Emit[decoded]) error {
	if len(l.last) == 0 {
		return nil
	}
	left := make([][]int, len(l.batches))
	for _, v := range l.last {
		if v.batch >= 0 {
			left[v.batch] = append(left[v.batch], v.row)
			l.taken--
		}
	}
	minibatch.Filter(ctx, l.taken)
	keys := make(map[string]struct{}, len(l.last))
	for k := range maps.Keys(l.last) {
		keys[k] = struct{}{}
	}
	if err := emit(decoded{keys: keys}); err != nil {
		return err
	}
	for i, d := range l.batches {
		slices.Sort(left[i])
		if len(left[i]) == 0 {
			d.rows.Release()
			continue
		}
		rows, err := lake.Take(ctx, d.rows, left[i])
		d.rows.Release()
		if err != nil {
			return err
		}
		if err := emit(decoded{rows: rows, shape: d.shape}); err != nil {
			return err
		}
	}
	return nil
}

// tombstone takes a message without value: its key says which row goes.
func (d *decoder) tombstone(ctx context.Context, r *kgo.Record) (*quarantine.Row, error) {
	row, ref, err := d.keyRow(ctx, r)
	id := ref.id
	switch {
	case errors.Is(err, registry.ErrUnknownID):
		return refuse(r, quarantine.UnknownSchema, id, err), nil
	case errors.Is(err, errKey):
		return refuse(r, quarantine.NoKey, id, err), nil
	case err != nil:
		return nil, err
	}
	defer row.Release()
	key, ok := lake.KeysOf(row, d.latest.columns)(0)
	if !ok {
		return refuse(r, quarantine.NoKey, id, fmt.Errorf("the key of the tombstone lacks a column of %v", d.latest.columns)), nil
	}
	d.latest.put(key, version{r.Partition, r.Offset, -1, 0})
	return nil, nil
}

// errKey is a message key from which the table's key cannot be read.
var errKey = errors.New("key of a tombstone")

// keyRow reads a message key into the columns of the table's key: Avro with its header, or, for a key of one column, its text.
func (d *decoder) keyRow(ctx context.Context, r *kgo.Record) (row arrow.RecordBatch, ref schemaRef, err error) {
	key := r.Key
	if len(key) == 0 {
		return nil, ref, fmt.Errorf("%w: the message has none", errKey)
	}
	var fields []arrow.Field
	for _, c := range d.latest.columns {
		fields = append(fields, d.schema.Field(d.schema.FieldIndices(c)[0]))
	}
	target := arrow.NewSchema(fields, nil)
	if _, ok := d.format.(bare); ok {
		return nil, ref, fmt.Errorf("%w: of messages without a header it cannot be told whether it is Avro or a text", errKey)
	}
	if key[0] > 3 { // the first bytes of headers are those of no text
		if key[0] < ' ' || strings.ContainsRune("{[\"", rune(key[0])) {
			return nil, ref, fmt.Errorf("%w: it is neither Avro with a header nor a plain text", errKey)
		}
		row, err = textKey(target, string(key))
		return row, ref, err
	}
	ref, datum, err := d.format.split(&kgo.Record{Topic: r.Topic, Value: key})
	if err != nil {
		return nil, ref, fmt.Errorf("%w: %w", errKey, err)
	}
	plan, err := d.keyPlan(ctx, ref, target)
	if err != nil {
		return nil, ref, err
	}
	b, err := avro.NewBatch(target)
	if err != nil {
		return nil, ref, err
	}
	if err := b.Append(plan, datum); err != nil {
		return nil, ref, fmt.Errorf("%w: %w", errKey, err)
	}
	cols := b.Flush()
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	return array.NewRecordBatch(target, cols, 1), ref, nil
}

func (d *decoder) keyPlan(ctx context.Context, ref schemaRef, target *arrow.Schema) (*avro.Plan, error) {
	l := d.latest
	if l.shape != d.shape {
		l.plans, l.shape = map[schemaRef]*avro.Plan{}, d.shape
	}
	if p, ok := l.plans[ref]; ok {
		return p, nil
	}
	s, err := d.schemaOf(ctx, ref)
	if err != nil {
		return nil, err
	}
	p, err := avro.Compile(s, target)
	if err != nil && len(l.columns) == 1 { // a plain value, not a record
		if wrapped, werr := avro.Parse(fmt.Sprintf(`{"type":"record","name":"weir_key","fields":[{"name":%q,"type":%s}]}`, l.columns[0], s)); werr == nil {
			p, err = avro.Compile(wrapped, target)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%w: schema %s: %w", errKey, ref, err)
	}
	l.plans[ref] = p
	return p, nil
}

// textKey reads a key that is a text as such, and one that is a number from its digits.
func textKey(target *arrow.Schema, key string) (arrow.RecordBatch, error) {
	if target.NumFields() != 1 {
		return nil, fmt.Errorf("%w: it is a text, not Avro, but the table's key has %d columns", errKey, target.NumFields())
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, target)
	defer b.Release()
	var err error
	switch c := b.Field(0).(type) {
	case *array.StringBuilder:
		c.Append(key)
	case *array.Int64Builder:
		var n int64
		n, err = strconv.ParseInt(key, 10, 64)
		c.Append(n)
	case *array.Int32Builder:
		var n int64
		n, err = strconv.ParseInt(key, 10, 32)
		c.Append(int32(n))
	default:
		err = fmt.Errorf("a text is no %s", target.Field(0).Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errKey, err)
	}
	return b.NewRecordBatch(), nil
}
