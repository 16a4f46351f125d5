package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"

	"github.com/apache/arrow-go/v18/arrow"

	"weir/internal/fault"
	"weir/internal/lake"
	"weir/internal/landing"
	"weir/internal/quarantine"
	"weir/internal/topic"
	"weir/minibatch"
)

// refusedBytes is how much one part may hold in refused records before the job stops: they wait in memory for their table.
const refusedBytes = 64 << 20

// sink commits rows into the table, and refused records into its quarantine table just before.
//
// The two commits are not one. A crash between them leaves the quarantine ahead; the next try reads its cursor and leaves
// out what is there already, so a refused record is kept once as well.
type sink struct {
	job   string
	lake  *lake.Lake
	table *lake.Table
	owns  func(topic.Offsets) bool
	most  int64         // refused records of one part
	epoch int64         // of this run; 0: it takes the next one when it first looks at the table
	keyed *lake.Keyed   // of an upsert job
	meter *meter        // nil: nobody looks
	zone  *landing.Zone // nil: what came is not kept

	ahead   ahead       // as of the last Position
	refused *lake.Table // the quarantine; nil: it has not been seen yet
}

// staged is the sink's share of minibatch.Staged.
type staged struct {
	rows    []lake.File
	refused []lake.File
	keys    map[string]struct{} // whose older rows go
	quarantineState
}

// quarantineState is the quarantine table as a part found it.
type quarantineState struct {
	table *lake.Table
	at    json.RawMessage
}

// Position is where the runner starts, once more after each error: nothing is staged meanwhile.
func (s *sink) Position(ctx context.Context, job string) (minibatch.Cursor, error) {
	p, err := s.position(ctx, job)
	if err != nil {
		return minibatch.Cursor{}, err
	}
	if s.epoch == 0 {
		s.epoch = p.Epoch + 1
	}
	c, err := topic.Stored(p.Cursor)
	if err == nil {
		s.ahead, err = s.lookAhead(ctx, c)
	}
	return c, err
}

// cursor is the table's, for those who only look.
func (s *sink) cursor(ctx context.Context, job string) (minibatch.Cursor, error) {
	p, err := s.position(ctx, job)
	if err != nil {
		return minibatch.Cursor{}, err
	}
	return topic.Stored(p.Cursor)
}

func (s *sink) position(ctx context.Context, job string) (lake.Position, error) {
	p, err := s.table.Position(ctx, job)
	return p, rolledBack(err)
}

// rolledBack marks a rollback as what no retry mends: a person decides.
func rolledBack(err error) error {
	if rolled := (*lake.RolledBackError)(nil); errors.As(err, &rolled) {
		return minibatch.Fatal(err)
	}
	return err
}

func (s *sink) Stage(ctx context.Context, _ minibatch.Part, in iter.Seq2[decoded, error]) (minibatch.Staged, error) {
	var refused []quarantine.Row
	var kept int64
	var st staged
	next, end := iter.Pull2(in)
	defer end()
	var ahead *decoded // of another shape than the file before
	take := func() (d decoded, err error, ok bool) {
		if ahead != nil {
			d, ahead = *ahead, nil
			return d, nil, true
		}
		for {
			d, err, ok = next()
			if !ok {
				return d, nil, false
			}
			if d.keys != nil {
				st.keys = d.keys
			}
			for _, r := range d.refused {
				refused, kept = append(refused, r), kept+r.Bytes()
			}
			if err == nil && (int64(len(refused)) > s.most || kept > refusedBytes) {
				err = s.flood(refused)
			}
			if err != nil || d.rows != nil {
				return d, err, true
			}
		}
	}
	for {
		d, err, ok := take()
		if err == nil && !ok {
			break
		}
		if err != nil {
			return minibatch.Staged{Value: st}, operator(err)
		}
		shape := d.shape
		ahead = &d
		files, err := s.table.WriteShape(ctx, shape, func(yield func(arrow.RecordBatch, error) bool) {
			for {
				d, err, ok := take()
				if ok && err == nil && d.shape != shape {
					ahead = &d
					return
				}
				if !ok || !yield(d.rows, err) || err != nil {
					return
				}
			}
		})
		st.rows = append(st.rows, files...)
		if err != nil {
			return minibatch.Staged{Value: st}, operator(err)
		}
	}
	var err error
	out := minibatch.Staged{Quarantined: int64(len(refused))}
	for _, f := range st.rows {
		out.Rows += f.Rows
		out.Bytes += f.Bytes
	}
	if len(refused) > 0 {
		err = s.stageRefused(ctx, &st, refused)
		fault.Point("quarantine.staged")
	}
	out.Value = st
	return out, operator(err)
}

func (s *sink) flood(refused []quarantine.Row) error {
	last := refused[len(refused)-1]
	return fmt.Errorf("%w: %d in one batch, the last at partition %d offset %d: %s: %s",
		minibatch.ErrTooManyRefused, len(refused), last.Partition, last.Offset, last.Reason, last.Error)
}

func (s *sink) stageRefused(ctx context.Context, st *staged, refused []quarantine.Row) error {
	q, shape, err := quarantine.Ensure(ctx, s.lake, s.table.Name())
	if err != nil {
		return err
	}
	at, err := q.Position(ctx, s.job)
	if err != nil {
		return rolledBack(err)
	}
	had, err := topic.StoredOffsets(at.Cursor)
	if err != nil {
		return err
	}
	if !s.owns(had) { // of the topic before it was made again
		had = topic.Offsets{}
	}
	var fresh []quarantine.Row
	for _, r := range refused {
		_, kept := s.ahead.of(r.Position(), r.Key, r.Value)
		if r.Offset < had.Next[r.Partition] && had.Next[r.Partition] > s.ahead.next[r.Partition] {
			return another(r.Partition, had.Next[r.Partition])
		}
		if !kept { // else an earlier try has committed it
			fresh = append(fresh, r)
		}
	}
	st.quarantineState = quarantineState{table: q, at: at.Cursor}
	if len(fresh) == 0 {
		return nil
	}
	st.refused, err = q.WriteShape(ctx, shape, func(yield func(arrow.RecordBatch, error) bool) {
		for from := 0; from < len(fresh); from += 1024 {
			if !yield(quarantine.Batch(shape.Schema(), fresh[from:min(from+1024, len(fresh))]), nil) {
				return
			}
		}
	})
	return err
}

func (s *sink) Commit(ctx context.Context, b minibatch.Batch, parts []minibatch.Staged) (minibatch.Receipt, error) {
	if s.meter != nil {
		s.meter.blocked.start()
		defer s.meter.blocked.stop()
	}
	if err := s.starts(ctx, b); err != nil {
		return minibatch.Receipt{}, moved(err)
	}
	if err := s.commitRefused(ctx, b, parts); err != nil {
		return minibatch.Receipt{}, moved(err)
	}
	c := lake.Commit{Job: b.Job, ID: b.ID(), Epoch: s.epoch, Advance: topic.Advance(b)}
	for _, p := range parts {
		c.Add = append(c.Add, p.Value.(staged).rows...)
	}
	fault.Point("commit.begun")
	s.tellRaw(&c, b)
	rc, err := s.commit(ctx, c, parts)
	if errors.Is(err, lake.ErrMoved) && !errors.Is(err, lake.ErrUnknown) { // nobody will ever refer to them
		err = errors.Join(err, s.table.Drop(c.Add))
	}
	if err != nil {
		if s.zone != nil {
			s.zone.Forget() // the next try may be cut elsewhere
		}
		return minibatch.Receipt{}, moved(err)
	}
	s.sweep(ctx, b.Parts)
	return minibatch.Receipt{ID: c.ID, Snapshot: rc.Snapshot, At: rc.At, Already: rc.Already}, nil
}

func (s *sink) commit(ctx context.Context, c lake.Commit, parts []minibatch.Staged) (lake.Receipt, error) {
	if s.keyed == nil {
		return s.table.Commit(ctx, c)
	}
	keys := map[string]struct{}{}
	for _, p := range parts { // there is one
		maps.Copy(keys, p.Value.(staged).keys)
	}
	return s.keyed.Commit(ctx, c, keys)
}

// starts looks at the table's cursor before the quarantine gets its rows: a late worker's refused records stay out as well, also where a
// person has set the cursor back to where it began.
func (s *sink) starts(ctx context.Context, b minibatch.Batch) error {
	p, err := s.table.Position(ctx, b.Job)
	if err != nil || p.Commit == b.ID() {
		return err
	}
	if s.epoch > 0 && p.Epoch > s.epoch {
		return fmt.Errorf("table %s: %w", s.table.Name(), lake.ErrFenced)
	}
	if _, err := topic.Advance(b)(p.Cursor); err != nil {
		return err
	}
	return s.overtaken(ctx, b)
}

// overtaken fails if another worker has put records of the batch into the quarantine since the last Position: this one may have made rows of
// them. The next try reads there which. Not seen is who has looked at the table before this commit and fills the quarantine after this look:
// two steps that a worker does one right after the other.
func (s *sink) overtaken(ctx context.Context, b minibatch.Batch) error {
	if s.refused == nil {
		q, err := s.lake.Table(ctx, quarantine.Table(s.table.Name()))
		if errors.Is(err, lake.ErrNoTable) {
			return nil
		}
		if err != nil {
			return err
		}
		s.refused = q
	}
	at, err := s.refused.Position(ctx, s.job)
	if errors.Is(err, lake.ErrNoTable) { // somebody has dropped it
		s.refused = nil
		return nil
	}
	if err != nil {
		return rolledBack(err)
	}
	had, err1 := topic.StoredOffsets(at.Cursor)
	from, err2 := topic.ToOffsets(b.From)
	to, err3 := topic.ToOffsets(b.To)
	if err := errors.Join(err1, err2, err3); err != nil || !s.owns(had) {
		return err
	}
	for p := range to.Next {
		if next := had.Next[p]; next > max(from.Next[p], s.ahead.next[p]) {
			return another(p, next)
		}
	}
	return nil
}

func another(partition int32, next int64) error {
	return fmt.Errorf("quarantine: another worker has committed there, up to offset %d of partition %d", next, partition)
}

func (s *sink) commitRefused(ctx context.Context, b minibatch.Batch, parts []minibatch.Staged) error {
	var q quarantineState
	var files []lake.File
	for _, p := range parts {
		st := p.Value.(staged)
		files = append(files, st.refused...)
		if len(st.refused) > 0 {
			q = st.quarantineState
		}
	}
	if len(files) == 0 {
		return nil
	}
	further := func(stored json.RawMessage) (json.RawMessage, error) {
		if err := topic.Ours(q.at, stored, b); err != nil {
			return nil, err
		}
		return topic.Further(stored, b.To)
	}
	if _, err := q.table.Commit(ctx, lake.Commit{Job: b.Job, ID: b.ID(), Advance: further, Add: files}); err != nil {
		return fmt.Errorf("quarantine: %w", err)
	}
	fault.Point("quarantine.committed")
	return nil
}

// Abort drops files that no commit refers to.
func (s *sink) Abort(_ context.Context, parts []minibatch.Staged) error {
	var errs []error
	if s.zone != nil {
		s.zone.Forget() // its files stay: another worker may have committed the same
	}
	for _, p := range parts {
		st, ok := p.Value.(staged)
		if !ok {
			continue
		}
		errs = append(errs, s.table.Drop(st.rows))
		if st.table != nil {
			errs = append(errs, st.table.Drop(st.refused))
		}
	}
	return errors.Join(errs...)
}

// moved translates lake's compare-and-set into the runner's.
func moved(err error) error {
	if errors.Is(err, lake.ErrMoved) && !errors.Is(err, minibatch.ErrMoved) {
		return fmt.Errorf("%w (%w)", minibatch.ErrMoved, err)
	}
	return operator(err)
}

// operator marks what no retry mends.
func operator(err error) error {
	if err != nil && lake.Operator(err) {
		return minibatch.Fatal(err)
	}
	return err
}
