package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/avro"
	"weir/internal/cli"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/internal/registry"
	"weir/internal/stamp"
	"weir/internal/topic"
	"weir/minibatch"
)

// A batch for the Parquet writer: larger ones cost memory and gain nothing.
const (
	batchRows  = 8192
	batchBytes = 32 << 20 // with large messages
)

// Schemas is what ingest asks of a registry.
type Schemas interface {
	Schema(ctx context.Context, id int) (*avro.Schema, error)
	Latest(ctx context.Context, subject string) (id int, s *avro.Schema, err error)
}

// GlueSchemas is what ingest asks of a Glue Schema Registry.
type GlueSchemas interface {
	Version(ctx context.Context, id [16]byte) (*avro.Schema, error)
	Newest(ctx context.Context, name string) (*avro.Schema, error)
}

// decoded is what the transform hands to the sink: rows of a shape, or refused records.
type decoded struct {
	rows    arrow.RecordBatch
	shape   *lake.Shape
	refused []quarantine.Row
	keys    map[string]struct{} // of an upsert job: those of the rows, and those that are deleted
}

// decoder turns the records of one part into columns of the table. Each part has its own.
type decoder struct {
	format  format
	wait    time.Duration // for a registry that does not answer
	table   *lake.Table
	policy  string // Config.NewSchema
	layout  avro.Layout
	shape   *lake.Shape
	schema  *arrow.Schema // of the shape, with field ids
	values  *arrow.Schema // without the provenance columns
	batch   *avro.Batch
	from    *provenance
	plans   map[schemaRef]*avro.Plan
	unknown map[schemaRef]error // schemas that the registry did not know, within this part
	ahead   ahead               // refused by an earlier try
	latest  *latest             // of an upsert job
}

func newDecoder(f format, wait time.Duration, table *lake.Table, c Config) (*decoder, error) {
	d := &decoder{format: f, wait: wait, table: table, policy: c.NewSchema, layout: c.Types.layout(), unknown: map[schemaRef]error{}}
	shape, err := table.Shape()
	if err != nil {
		return nil, minibatch.Fatal(fmt.Errorf("table %s: %w", table.Name(), err))
	}
	return d, d.fit(shape)
}

// fit prepares for rows of a shape; the batch must be empty.
func (d *decoder) fit(shape *lake.Shape) error {
	d.shape, d.schema, d.plans = shape, shape.Schema(), map[schemaRef]*avro.Plan{}
	var fields []arrow.Field
	for _, f := range d.schema.Fields() {
		if f.Name != quarantine.Kafka.Name && f.Name != quarantine.Load.Name {
			fields = append(fields, f)
		}
	}
	d.values = arrow.NewSchema(fields, nil)
	var err error
	if d.batch, err = avro.NewBatch(d.values); err != nil {
		return minibatch.Fatal(fmt.Errorf("table %s: %w", d.table.Name(), err))
	}
	if d.from = newProvenance(d.schema); d.from.kafka == nil {
		return minibatch.Fatal(fmt.Errorf("table %s has no column %s: it was not made by an ingest job; choose another table", d.table.Name(), quarantine.Kafka.Name))
	}
	return nil
}

// run decodes until the input ends.
func (d *decoder) run(ctx context.Context, in iter.Seq2[topic.Records, error], emit minibatch.Emit[decoded]) error {
	for recs, err := range in {
		if err != nil {
			return err
		}
		var refused []quarantine.Row
		for _, r := range recs {
			no, err := d.add(ctx, r)
			for w := (*wider)(nil); errors.As(err, &w); { // once more if another part has widened it meanwhile
				if err := errors.Join(d.flush(emit), d.fit(w.shape)); err != nil {
					return err
				}
				no, err = d.add(ctx, r)
			}
			if err != nil {
				return err
			}
			if no != nil {
				refused = append(refused, *no)
			}
			if d.batch.Len() >= batchRows || d.batch.Bytes() >= batchBytes {
				if err := d.flush(emit); err != nil {
					return err
				}
			}
		}
		if len(refused) > 0 {
			if err := emit(decoded{refused: refused}); err != nil {
				return err
			}
		}
	}
	if err := d.flush(emit); err != nil || d.latest == nil {
		return err
	}
	return d.latest.emit(ctx, emit)
}

// add decodes one record into the columns, or says why it is refused. An error is not the record's fault.
func (d *decoder) add(ctx context.Context, r *kgo.Record) (*quarantine.Row, error) {
	if was, ok := d.ahead.of(quarantine.Position{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}, r.Key, r.Value); ok {
		return refuse(r, was.Reason, int(was.SchemaID), errors.New(was.Error)), nil
	}
	if r.Value == nil && d.latest != nil {
		return d.tombstone(ctx, r)
	}
	if _, all := d.format.(*rawBytes); r.Value == nil && !all {
		return refuse(r, quarantine.NoValue, 0, errors.New("the message has no value (a tombstone)")), nil
	}
	ref, datum, err := d.format.split(r)
	if errors.Is(err, errContent) {
		return refuse(r, quarantine.Undecodable, ref.id, err), nil
	}
	if err != nil {
		return refuse(r, quarantine.NotFramed, 0, err), nil
	}
	id := ref.id
	plan, ok := d.plans[ref]
	if !ok {
		if plan, err = d.plan(ctx, ref); err != nil {
			if errors.Is(err, registry.ErrUnknownID) {
				return refuse(r, quarantine.UnknownSchema, id, err), nil
			}
			if errors.Is(err, registry.ErrUnreadable) {
				return refuse(r, quarantine.Undecodable, id, err), nil
			}
			if errors.Is(err, errMisfit) {
				return refuse(r, quarantine.Misfit, id, err), nil
			}
			return nil, err
		}
	}
	if err := d.batch.Append(plan, datum); err != nil {
		return refuse(r, quarantine.Undecodable, id, err), nil
	}
	d.from.append(r)
	if d.latest != nil {
		d.latest.records = append(d.latest.records, r)
	}
	return nil, nil
}

// plan compiles the way from a writer's schema to the table, once for each schema.
func (d *decoder) plan(ctx context.Context, ref schemaRef) (*avro.Plan, error) {
	if err := d.unknown[ref]; err != nil {
		return nil, err
	}
	s, err := d.schemaOf(ctx, ref)
	if errors.Is(err, registry.ErrUnknownID) || errors.Is(err, registry.ErrUnreadable) {
		d.unknown[ref] = err
	}
	if err != nil {
		return nil, err
	}
	p, err := d.layout.Compile(s, d.values)
	if err != nil {
		err = d.misfit(s, fmt.Errorf("schema %s does not fit table %s: %w", ref, d.table.Name(), err))
		if errors.Is(err, errMisfit) {
			d.unknown[ref] = err
		}
		return nil, err
	}
	d.plans[ref] = p
	return p, nil
}

// A wider shape of the table is needed: what was decoded so far goes out in the one before.
type wider struct{ shape *lake.Shape }

func (*wider) Error() string { return "the table needs more columns" }

// errMisfit is a schema whose messages the job refuses.
var errMisfit = errors.New("new_schema: quarantine")

// misfit does with a schema that does not fit what the job says.
func (d *decoder) misfit(s *avro.Schema, why error) error {
	switch d.policy {
	case quarantined:
		return fmt.Errorf("%w (%w)", why, errMisfit)
	case stop:
		return minibatch.Fatal(&cli.Error{Err: why, Hint: "`new_schema: evolve` gives the table the columns, `new_schema: quarantine` refuses these messages"})
	}
	values, err := d.layout.Columns(s, d.values)
	if err != nil {
		return minibatch.Fatal(why)
	}
	shape, err := d.table.Widen(values)
	if err != nil {
		return minibatch.Fatal(&cli.Error{Err: fmt.Errorf("%w; %w", why, err), Hint: "`new_schema: quarantine` refuses these messages until the producer is mended"})
	}
	if shape == d.shape { // it has all columns, and yet there is no way into them
		return minibatch.Fatal(why)
	}
	return &wider{shape}
}

// schemaOf waits for a registry that does not answer: its silence says nothing about the record.
func (d *decoder) schemaOf(ctx context.Context, ref schemaRef) (*avro.Schema, error) {
	give := time.Now().Add(d.wait)
	for pause := 100 * time.Millisecond; ; pause = min(2*pause, 5*time.Second) {
		s, err := d.format.schema(ctx, ref)
		if err == nil || !errors.Is(err, registry.ErrUnavailable) {
			return s, err
		}
		if time.Now().Add(pause).After(give) {
			return nil, fmt.Errorf("schema %s: waited %v for the registry: %w", ref, d.wait, err)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

func (d *decoder) flush(emit minibatch.Emit[decoded]) error {
	n := d.batch.Len()
	if n == 0 {
		return nil
	}
	from := d.from.columns()
	values := d.batch.Flush()
	cols := make([]arrow.Array, 0, len(values)+len(from))
	for _, f := range d.schema.Fields() {
		if c, ok := from[f.Name]; ok {
			cols = append(cols, c)
			continue
		}
		cols, values = append(cols, values[0]), values[1:]
	}
	b := array.NewRecordBatch(d.schema, cols, int64(n))
	for _, c := range cols {
		c.Release()
	}
	out := decoded{rows: b, shape: d.shape}
	if d.latest != nil {
		if out = (decoded{refused: d.latest.rows(out)}); len(out.refused) == 0 {
			return nil
		}
	}
	return emit(out)
}

func refuse(r *kgo.Record, why quarantine.Reason, schema int, err error) *quarantine.Row {
	q := &quarantine.Row{Reason: why, Error: err.Error(), SchemaID: int32(schema), Topic: r.Topic, Partition: r.Partition, Offset: r.Offset,
		Timestamp: r.Timestamp, Key: r.Key, Value: r.Value, At: time.Now()}
	for _, h := range r.Headers {
		q.Headers = append(q.Headers, quarantine.Header{Key: h.Key, Value: h.Value})
	}
	q.Stamp, q.Stamped = stamp.Of(r)
	return q
}
