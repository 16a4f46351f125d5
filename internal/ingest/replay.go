package ingest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/internal/topic"
	"weir/minibatch"
)

// Pick says which quarantined records are meant; a zero field means all.
type Pick struct {
	Reason    quarantine.Reason
	Schemas   map[int32]bool
	Partition *int32
	From, To  int64 // offsets [From, To); To 0: no end
}

// Has reports that a row is meant.
func (p Pick) Has(r quarantine.Row) bool {
	return (p.Reason == "" || p.Reason == r.Reason) && (p.Schemas == nil || p.Schemas[r.SchemaID]) && (p.Partition == nil || *p.Partition == r.Partition) &&
		r.Offset >= p.From && (p.To == 0 || r.Offset < p.To)
}

// Replayed is what became of a replay.
type Replayed struct {
	Picked   int64            // quarantined records that were meant
	Replayed int64            // of them, now rows of the table; in a dry run: that would be
	Stayed   int64            // of them, tried in vain
	Early    int64            // of them, left alone: the job has not committed their batch yet
	Why      map[string]int64 // error -> records that stayed for it
	Receipts []lake.Receipt   // of the commits
}

// moveTries is how often a replay starts anew because others move rows at the same time: each time at least one of them has gone on.
const moveTries = 20

// Replay decodes quarantined records of a job again and makes those that fit rows of its table, each once, with the position that it
// came from: see quarantine.Desk. It needs no broker, and may run beside the job and beside other replays. dry: nothing is written.
func Replay(ctx context.Context, job string, c Config, p Parts, pick Pick, dry bool) (Replayed, error) {
	desk, err := quarantine.Open(ctx, p.Lake, c.Table)
	if errors.Is(err, lake.ErrNoTable) {
		return Replayed{}, nil
	}
	if err != nil {
		return Replayed{}, err
	}
	if c.Write == upsert && !dry {
		return Replayed{}, cli.Usage(fmt.Errorf("job %s keeps the last record of each key: one that comes late could take the place of a newer one", job),
			"let the producer send it again, then `pipeline quarantine discard`")
	}
	f, err := newFraming(ctx, c, p)
	if err != nil {
		return Replayed{}, err
	}
	r := &replay{job: job, cfg: c, framing: f, desk: desk, pick: pick, dry: dry, tried: map[quarantine.Record]int{}}
	r.out.Why = map[string]int64{}
	for moved := 0; ; {
		more, err := r.round(ctx)
		switch {
		case errors.Is(err, quarantine.ErrMoved) && moved < moveTries:
			moved++
		case err != nil:
			return r.out, resumable(job, fmt.Errorf("replay of job %s: %w", job, err))
		case !more:
			return r.out, nil
		}
	}
}

type replay struct {
	job     string
	cfg     Config
	framing *framing
	desk    *quarantine.Desk
	pick    Pick
	dry     bool
	tried   map[quarantine.Record]int // rows that this replay has tried, and that are still there
	out     Replayed
}

// round replays some records; more says that there may be others.
func (r *replay) round(ctx context.Context) (more bool, err error) {
	st, err := r.desk.Settle(ctx)
	if err != nil {
		return false, err
	}
	rows, early, err := r.next(ctx)
	if err != nil || len(rows) == 0 {
		r.out.Early = early
		return false, err
	}
	files, good, bad, err := r.decode(ctx, rows)
	if err != nil {
		return false, err
	}
	switch {
	case r.dry:
	case len(good) == 0:
		err = r.desk.Tried(ctx, st, bad)
	default:
		var rc lake.Receipt
		if rc, err = r.desk.Replay(ctx, st, good, files, bad); errors.Is(err, quarantine.ErrMoved) && !errors.Is(err, lake.ErrUnknown) {
			return false, errors.Join(err, r.desk.Destination().Drop(files))
		} else if rc.Snapshot != 0 {
			r.out.Receipts = append(r.out.Receipts, rc)
		}
	}
	if err != nil {
		return false, operator(err)
	}
	for _, x := range rows {
		if r.dry || !good[x.Record()] {
			r.tried[x.Record()]++
		}
	}
	for _, x := range bad {
		r.out.Why[x.Error]++
	}
	r.out.Picked += int64(len(rows))
	r.out.Replayed += int64(len(good))
	r.out.Stayed += int64(len(bad))
	return true, nil
}

// next takes rows that are meant, one of each position. A record whose batch is not in the table yet is left alone: the job may read it again, and decode it.
func (r *replay) next(ctx context.Context) (rows []quarantine.Row, early int64, err error) {
	at, err := r.desk.Destination().Position(ctx, r.job)
	if err != nil {
		return nil, 0, err
	}
	done, err := topic.StoredOffsets(at.Cursor)
	if err != nil {
		return nil, 0, err
	}
	var bytes int64
	passed, taken := map[quarantine.Record]int{}, quarantine.Positions{}
	for x, err := range r.desk.Rows(ctx) {
		if err != nil {
			return nil, 0, err
		}
		if x.Topic != r.cfg.Topic || !r.pick.Has(x) || taken[x.Position()] {
			continue
		}
		if len(r.tried) > 0 {
			if rec := x.Record(); passed[rec] < r.tried[rec] {
				passed[rec]++
				continue
			}
		}
		if x.Offset >= done.Next[x.Partition] {
			early++
			continue
		}
		taken[x.Position()] = true
		rows, bytes = append(rows, x), bytes+x.Bytes()
		if len(rows) == quarantine.Round || bytes > batchBytes {
			break
		}
	}
	return rows, early, nil
}

// decode tries the rows, each schema by itself: what one does to the columns is no other's business.
func (r *replay) decode(ctx context.Context, rows []quarantine.Row) (files []lake.File, good map[quarantine.Record]bool, bad map[quarantine.Record]quarantine.Row, err error) {
	good, bad = map[quarantine.Record]bool{}, map[quarantine.Record]quarantine.Row{}
	bySchema := map[int32][]quarantine.Row{}
	var order []int32
	for _, x := range rows {
		if bySchema[x.SchemaID] == nil {
			order = append(order, x.SchemaID)
		}
		bySchema[x.SchemaID] = append(bySchema[x.SchemaID], x)
	}
	for _, id := range order {
		refused, wrote, err := r.decodeSome(ctx, bySchema[id])
		files = append(files, wrote...)
		if err != nil {
			return nil, nil, nil, errors.Join(err, r.desk.Destination().Drop(files))
		}
		for _, x := range bySchema[id] {
			if why, ok := refused[x.Position()]; ok {
				bad[x.Record()] = why
			} else {
				good[x.Record()] = true
			}
		}
	}
	return files, good, bad, nil
}

func (r *replay) decodeSome(ctx context.Context, rows []quarantine.Row) (refused map[quarantine.Position]quarantine.Row, files []lake.File, err error) {
	c := r.cfg
	if c.NewSchema == stop { // here a record that does not fit stops nobody: it stays
		c.NewSchema = quarantined
	}
	d, err := newDecoder(r.framing.part(), c.registryWait(), r.desk.Destination(), c)
	if err != nil {
		return nil, nil, err
	}
	refused = map[quarantine.Position]quarantine.Row{}
	var got []decoded
	err = d.run(ctx, func(yield func(topic.Records, error) bool) { yield(records(rows), nil) }, func(x decoded) error {
		for _, no := range x.refused {
			refused[no.Position()] = no
		}
		if x.rows != nil {
			got = append(got, x)
		}
		return nil
	})
	if err != nil {
		release(got)
		if minibatch.ClassOf(err) != minibatch.Permanent {
			return nil, nil, err
		}
		for _, x := range rows { // no table can take it, and the job would stop for it
			x.Reason, x.Error, x.At = quarantine.Misfit, err.Error(), time.Now()
			refused[x.Position()] = x
		}
		return refused, nil, nil
	}
	n := len(refused)
	for _, x := range got {
		n += int(x.rows.NumRows())
	}
	if n != len(rows) {
		release(got)
		return nil, nil, fmt.Errorf("of %d records %d were decoded or refused: nothing was replayed", len(rows), n)
	}
	if r.dry {
		release(got)
		return refused, nil, nil
	}
	files, err = r.write(ctx, got)
	return refused, files, err
}

// write writes what was decoded, each shape into files of its own.
func (r *replay) write(ctx context.Context, got []decoded) (files []lake.File, err error) {
	for len(got) > 0 && err == nil {
		n := 1
		for n < len(got) && got[n].shape == got[0].shape {
			n++
		}
		some := got[:n]
		var wrote []lake.File
		wrote, err = r.desk.Destination().WriteShape(ctx, some[0].shape, func(yield func(arrow.RecordBatch, error) bool) {
			for _, x := range some {
				if !yield(x.rows, nil) {
					return
				}
			}
		})
		files, got = append(files, wrote...), got[n:]
	}
	return files, err
}

func release(all []decoded) {
	for _, x := range all {
		x.rows.Release()
	}
}

// records are the rows as they came from Kafka.
func records(rows []quarantine.Row) topic.Records {
	out := make(topic.Records, len(rows))
	for i, x := range rows {
		out[i] = &kgo.Record{Topic: x.Topic, Partition: x.Partition, Offset: x.Offset, Timestamp: x.Timestamp, Key: x.Key, Value: x.Value}
		if x.Reason == quarantine.NoValue {
			out[i].Value = nil // old tables have an empty one
		}
		for _, h := range x.Headers {
			out[i].Headers = append(out[i].Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
	}
	return out
}

// Discard takes quarantined records of a job out for good: somebody has decided that nobody wants them. Who and why stay, with all that is
// known of each record but its bytes, in the table of quarantine.Discards.
func Discard(ctx context.Context, job string, c Config, l *lake.Lake, pick Pick, by, why string) (int64, error) {
	desk, err := quarantine.Open(ctx, l, c.Table)
	if errors.Is(err, lake.ErrNoTable) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var n int64
	for moved := 0; ; {
		st, err := desk.Settle(ctx)
		if err != nil {
			return n, resumable(job, fmt.Errorf("discard of job %s: %w", job, err))
		}
		r := replay{job: job, cfg: c, desk: desk, pick: pick}
		rows, _, err := r.next(ctx)
		if err != nil {
			return n, resumable(job, fmt.Errorf("discard of job %s: %w", job, err))
		}
		if len(rows) == 0 {
			return n, nil
		}
		takes := map[quarantine.Record]bool{}
		for _, x := range rows {
			takes[x.Record()] = true
		}
		switch err := desk.Discard(ctx, st, takes, by, why); {
		case errors.Is(err, quarantine.ErrMoved) && moved < moveTries:
			moved++
		case err != nil:
			return n, resumable(job, fmt.Errorf("discard of job %s: %w", job, operator(err)))
		default:
			n += int64(len(rows))
		}
	}
}

// resumable says how replays and discards go on after a rollback of their table: a person decides.
func resumable(job string, err error) error {
	var rolled *lake.RolledBackError
	if !errors.As(err, &rolled) {
		return err
	}
	hint := fmt.Sprintf("`pipeline resume %s --from-table` or `--keep-offsets` goes on; rows that were replayed and then rolled back: docs/quarantine.md, \"After a rollback\", says where they are", job)
	return minibatch.Fatal(&cli.Error{Err: err, Hint: hint})
}
