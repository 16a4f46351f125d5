package ingest

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/time/rate"

	"weir/internal/avro"
	"weir/internal/fault"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/internal/storage"
	"weir/internal/topic"
	"weir/minibatch"
)

// Parts are what an ingest job is connected to.
type Parts struct {
	Kafka   kafka.Config
	Schemas Schemas
	Glue    GlueSchemas // nil: there is none
	Lake    *lake.Lake
	Dir     string         // of the job file: the schema's file lies there
	Storage storage.Config // how the raw landing zone is reached
}

// A Job is an ingest job that is connected and has its table.
type Job struct {
	name    string
	cfg     Config
	source  *topic.Source
	framing *framing
	sink    *sink
	parts   Parts
	pace    *rate.Limiter // nil: no limit
	meter   meter
	again   again
}

// New connects a job and makes its table where there is none. It fails at once where the broker does not answer.
func New(ctx context.Context, name string, c Config, p Parts) (*Job, error) {
	src, err := topic.Open(ctx, p.Kafka, c.Topic, c.Start)
	if err != nil {
		return nil, err
	}
	src.Bound(int64(c.Memory))
	j := &Job{name: name, cfg: c, parts: p, source: src, again: again{soon: againSoon, fresh: make(chan struct{}, 1)}}
	if n := int(c.Limit.RowsPerSecond); n > 0 {
		j.pace = rate.NewLimiter(rate.Limit(n), max(1, n/50))
	}
	if err := j.connect(ctx); err != nil {
		src.Close()
		return nil, err
	}
	return j, nil
}

func (j *Job) connect(ctx context.Context) error {
	var err error
	if j.framing, err = newFraming(ctx, j.cfg, j.parts); err != nil {
		return err
	}
	table, err := j.table(ctx)
	if err != nil {
		return err
	}
	most := int64(j.cfg.Quarantine.MaxRows)
	if most == 0 {
		most = 10_000
	}
	zone, err := j.openRaw(ctx, table)
	if err != nil {
		return err
	}
	j.sink = &sink{zone: zone, job: j.name, lake: j.parts.Lake, table: table, owns: j.source.Owns, most: most, meter: &j.meter}
	if j.cfg.Write == upsert {
		j.sink.keyed, err = table.Keyed(j.cfg.Key)
	}
	return err
}

// table opens the destination, or makes it from the newest schema of the subject.
func (j *Job) table(ctx context.Context) (*lake.Table, error) {
	t, err := j.parts.Lake.Table(ctx, j.cfg.Table)
	if err == nil {
		return t, t.Arranged(j.cfg.layout())
	}
	if !errors.Is(err, lake.ErrNoTable) {
		return nil, err
	}
	s, err := j.framing.newest(ctx)
	if err != nil {
		return nil, fmt.Errorf("table %s does not exist yet and %w", j.cfg.Table, err)
	}
	schema, err := tableSchema(s, j.cfg)
	if err != nil {
		return nil, fmt.Errorf("table %s from subject %s: %w", j.cfg.Table, j.cfg.Subject(), err)
	}
	return j.parts.Lake.Ensure(ctx, j.cfg.Table, schema, j.cfg.layout())
}

// tableSchema is the schema of the table that a job makes for messages of a schema.
func tableSchema(s *avro.Schema, c Config) (*arrow.Schema, error) {
	value, err := c.Types.layout().Columns(s, nil)
	if err != nil {
		return nil, err
	}
	fields := append(value.Fields(), quarantine.Kafka)
	if c.loadColumns() {
		fields = append(fields, quarantine.Load)
	}
	return arrow.NewSchema(fields, nil), nil
}

// Workers is how many parts of a batch are worked on side by side.
func (j *Job) Workers() int {
	if j.cfg.Write == upsert {
		return 1
	}
	if j.cfg.Workers > 0 {
		return j.cfg.Workers
	}
	return minibatch.DefaultParallel
}

// Epoch is the number of this run: higher than those of all runs that have committed to the table before. Once a newer run commits, this
// one is fenced.
func (j *Job) Epoch(ctx context.Context) (int64, error) {
	if j.sink.epoch == 0 {
		if _, err := j.sink.Position(ctx, j.name); err != nil {
			return 0, err
		}
	}
	return j.sink.epoch, nil
}

// InEpoch makes the job a part of a run that has several processes. Before Run.
func (j *Job) InEpoch(n int64) { j.sink.epoch = n }

// Table is the job's destination.
func (j *Job) Table() *lake.Table { return j.sink.table }

// Run ingests until the mode is satisfied or ctx is cancelled. Records that were refused because the registry did not know their schema
// are replayed once it does: while the job runs, or at its end.
func (j *Job) Run(ctx context.Context, m minibatch.Mode, observe func(minibatch.Event)) (minibatch.Report, error) {
	if m == minibatch.Daemon {
		look, stop := context.WithCancel(ctx)
		ended := j.again.keepLooking(look, j.lookAgain)
		defer func() { stop(); <-ended }()
	}
	r, err := minibatch.Run(ctx, j.batches(ctx, observe), m)
	if err == nil && !r.Stopped && m != minibatch.Daemon {
		j.lookAgain(ctx)
	}
	return r, err
}

func (j *Job) batches(ctx context.Context, observe func(minibatch.Event)) minibatch.Job[topic.Records, decoded] {
	return minibatch.Job[topic.Records, decoded]{
		Name:      j.name,
		Source:    j.source,
		Sink:      j.sink,
		Transform: j.transform,
		OneToOne:  true,
		Limits: minibatch.Limits{
			Rows: int64(j.cfg.Commit.Rows), Bytes: j.batchBytes(), Age: time.Duration(j.cfg.Commit.Age), Parallel: j.Workers(),
		},
		Skip:     minibatch.Skip{MaxRows: int64(j.cfg.Quarantine.MaxRows), MaxShare: float64(j.cfg.Quarantine.MaxShare)},
		Observer: func(e minibatch.Event) { j.observe(ctx, e, observe) },
	}
}

// batchBytes closes a batch; 0 leaves it to minibatch.
func (j *Job) batchBytes() int64 {
	if j.cfg.Commit.Bytes == 0 && j.cfg.Write == upsert {
		return upsertBytes
	}
	return int64(j.cfg.Commit.Bytes)
}

func (j *Job) transform(ctx context.Context, p minibatch.Part, in iter.Seq2[topic.Records, error], emit minibatch.Emit[decoded]) error {
	d, err := newDecoder(j.framing.part(), j.cfg.registryWait(), j.sink.table, j.cfg)
	if err != nil {
		return err
	}
	d.ahead = j.sink.ahead
	if j.sink.zone != nil {
		in = landed(j.sink.zone, p, in)
	}
	if j.cfg.Write == upsert {
		d.latest = newLatest(j.cfg.Key)
	}
	return d.run(ctx, j.paced(ctx, in), emit)
}

// observe tells lag tools how far the table is. The group's offsets decide nothing, so an error here is no error of the job.
func (j *Job) observe(ctx context.Context, e minibatch.Event, then func(minibatch.Event)) {
	j.meter.event(e.Kind)
	j.refused(e)
	if e.Kind == minibatch.Committed {
		fault.Point("commit.done")
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		_ = j.source.Tell(ctx, "weir-"+j.name, e.Batch.To)
		cancel()
	}
	if then != nil {
		then(e)
	}
}

// Lag compares a cursor with the topic's stable ends.
func (j *Job) Lag(ctx context.Context, c minibatch.Cursor) ([]topic.Lag, error) {
	return j.source.Lag(ctx, c)
}

// Close closes the job's connections.
func (j *Job) Close() { j.source.Close() }
