package kafka

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
	"weir/minibatch"
)

// CursorTopic holds the cursors of jobs whose sink is Kafka: key = job, value = the cursor as JSON. It should be compacted.
const CursorTopic = "weir.cursors"

// Sink writes a topic.
type Sink struct {
	cfg   kafka.Config
	topic string
}

// To is a sink that writes records to a topic, which must exist. The topic of cursors is made where there is none.
func To(ctx context.Context, c Cluster, name string) (*Sink, error) {
	s := &Sink{cfg: c.config(), topic: name}
	cl, err := kafka.Connect(s.cfg)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	if err := kafka.Ping(ctx, cl); err != nil {
		return nil, err
	}
	if _, _, _, err := kafka.Identity(ctx, cl, name); err != nil {
		return nil, err
	}
	return s, kafka.EnsureTopic(ctx, cl, CursorTopic, 1)
}

// Position reads the job's cursor: the last one that was committed.
func (s *Sink) Position(ctx context.Context, job string) (minibatch.Cursor, error) {
	admin, err := kafka.Connect(s.cfg)
	if err != nil {
		return minibatch.Cursor{}, err
	}
	defer admin.Close()
	starts, err := kafka.Starts(ctx, admin, CursorTopic)
	if err != nil {
		return minibatch.Cursor{}, err
	}
	ends, err := kafka.Ends(ctx, admin, CursorTopic) // the stable end: an open transaction of a dead worker is not waited for
	if err != nil {
		return minibatch.Cursor{}, err
	}
	var at minibatch.Cursor
	for p, end := range ends {
		if starts[p] >= end {
			continue
		}
		if err := s.last(ctx, job, p, starts[p], end, &at); err != nil {
			return minibatch.Cursor{}, fmt.Errorf("read the cursor of job %s: %w", job, err)
		}
	}
	return at, nil
}

// last reads a partition of the cursors from its start to its end.
func (s *Sink) last(ctx context.Context, job string, p int32, from, end int64, at *minibatch.Cursor) error {
	cl, err := kafka.Connect(s.cfg, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{CursorTopic: {p: kgo.NewOffset().At(from)}}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return err
	}
	defer cl.Close()
	for next := from; next < end; {
		fs := cl.PollFetches(ctx)
		if err := fs.Err(); err != nil {
			return err
		}
		var bad error
		fs.EachRecord(func(r *kgo.Record) {
			next = r.Offset + 1
			if r.Attrs.IsControl() || string(r.Key) != job {
				return
			}
			var c minibatch.Cursor
			if err := json.Unmarshal(r.Value, &c); err != nil {
				bad = err
				return
			}
			*at = c
		})
		if bad != nil {
			return bad
		}
	}
	return nil
}

// Stage keeps the records in memory: a batch's limits are what bounds them. Nobody sees them before Commit.
func (s *Sink) Stage(_ context.Context, _ minibatch.Part, in iter.Seq2[Record, error]) (minibatch.Staged, error) {
	var out minibatch.Staged
	var all []*kgo.Record
	for r, err := range in {
		if err != nil {
			return out, err
		}
		k := &kgo.Record{Topic: s.topic, Key: r.Key, Value: r.Value, Timestamp: r.Time}
		for _, h := range r.Headers {
			k.Headers = append(k.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
		}
		all = append(all, k)
		out.Bytes += int64(len(r.Key) + len(r.Value))
	}
	out.Rows, out.Value = int64(len(all)), all
	return out, nil
}

// Commit produces the records and the cursor in one transaction.
//
// Its transactional id is the job's. Beginning takes the id over from whoever had it: their open transaction is aborted and
// they are fenced. Only then the cursor is read and compared, so that nobody can move it between the look and the commit.
func (s *Sink) Commit(ctx context.Context, b minibatch.Batch, staged []minibatch.Staged) (minibatch.Receipt, error) {
	cl, err := kafka.Connect(s.cfg, kgo.TransactionalID("weir."+b.Job), kgo.TransactionTimeout(time.Minute),
		kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)), kgo.RecordDeliveryTimeout(30*time.Second))
	if err != nil {
		return minibatch.Receipt{}, err
	}
	defer cl.Close()
	if _, _, err := cl.ProducerID(ctx); err != nil { // takes the transactional id over
		return minibatch.Receipt{}, err
	}
	now, err := s.Position(ctx, b.Job)
	if err != nil {
		return minibatch.Receipt{}, err
	}
	if now.Equal(b.To) {
		return minibatch.Receipt{ID: b.ID(), At: time.Now(), Already: true}, nil
	}
	if !now.Equal(b.From) {
		return minibatch.Receipt{}, fmt.Errorf("%w: it is at %s", minibatch.ErrMoved, now.Value)
	}
	if err := s.transact(ctx, cl, b, staged); err != nil {
		if err = s.unknown(ctx, b, err); err != nil {
			return minibatch.Receipt{}, err
		}
	}
	return minibatch.Receipt{ID: b.ID(), At: time.Now()}, nil
}

func (s *Sink) transact(ctx context.Context, cl *kgo.Client, b minibatch.Batch, staged []minibatch.Staged) error {
	if err := cl.BeginTransaction(); err != nil {
		return err
	}
	cursor, err := json.Marshal(b.To)
	if err != nil {
		return err
	}
	all := []*kgo.Record{{Topic: CursorTopic, Key: []byte(b.Job), Value: cursor}}
	for _, st := range staged {
		for _, r := range st.Value.([]*kgo.Record) {
			c := *r // a record is used once: a try after this one needs it as it was
			all = append(all, &c)
		}
	}
	if err := cl.ProduceSync(ctx, all...).FirstErr(); err != nil {
		end := cl.EndTransaction(context.WithoutCancel(ctx), kgo.TryAbort)
		if errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.ProducerFenced) {
			return fmt.Errorf("%w: another worker has taken its transactional id over", minibatch.ErrMoved)
		}
		return errors.Join(err, end)
	}
	return cl.EndTransaction(ctx, kgo.TryCommit)
}

// unknown finds out whether a commit whose answer was an error has landed.
func (s *Sink) unknown(ctx context.Context, b minibatch.Batch, err error) error {
	if errors.Is(err, minibatch.ErrMoved) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if now, look := s.Position(ctx, b.Job); look == nil && now.Equal(b.To) {
		return nil
	}
	return err // the next try takes the transactional id over first, which decides it
}

// Abort has nothing to do: staged records are in memory.
func (s *Sink) Abort(context.Context, []minibatch.Staged) error { return nil }
