// Package topic is a Kafka topic as a source of mini-batches, and the cursor of what has been read from it.
//
// Start with [Open]. A batch is a span of positions of each partition, read committed. Positions are never counts: commit
// markers and compaction leave gaps.
//
// # Promises
//
// Planning has no side effect. Nothing is skipped in silence: a cursor of another cluster, of a topic that was made again, or
// of messages that are gone is an error that says which. [Advance] is the compare-and-set of a batch, by partition.
package topic

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
	"weir/internal/protocol"
	"weir/minibatch"
)

// Records are some records of a part, in offset order within each partition.
type Records []*kgo.Record

func (r Records) NumRows() int64 { return int64(len(r)) }

// span is [From, To) of one partition, in positions.
type span struct {
	Partition int32 `json:"p"`
	From      int64 `json:"from"`
	To        int64 `json:"to"`
}

// source is a Kafka topic, read committed. It plans spans of positions and reads each part with a client of its own, which
// goes on where the part before ended.
type Source struct {
	cfg     kafka.Config
	topic   string
	start   string // Earliest, Latest or a time
	ahead   budget
	admin   *kgo.Client
	cluster string
	topicID string

	mu       sync.Mutex
	readers  map[int]*reader
	planned  time.Time // when the last plan was made: whatever lies beyond it has waited since then at most
	rowBytes float64   // mean message size so far, for the limit in bytes
	only     map[int32]bool
}

// Only narrows the source to some partitions; nil: all. Not while it is being read.
func (s *Source) Only(partitions []int32) {
	s.only = nil
	if partitions != nil {
		s.only = map[int32]bool{}
	}
	for _, p := range partitions {
		s.only[p] = true
	}
}

// Open connects to a topic. It fails at once where no broker answers, or where there is no such topic (kafka.ErrNoTopic).
// start says where a job begins that has no cursor yet: Earliest, Latest or a time (StartTime).
func Open(ctx context.Context, c kafka.Config, name, start string) (*Source, error) {
	admin, err := kafka.Connect(c)
	if err != nil {
		return nil, err
	}
	s := &Source{cfg: c, topic: name, start: start, admin: admin, readers: map[int]*reader{}, ahead: budget{limit: DefaultAhead}}
	if err = kafka.Ping(ctx, admin); err == nil {
		s.cluster, s.topicID, _, err = kafka.Identity(ctx, admin, name)
	}
	if err != nil {
		admin.Close()
		return nil, err
	}
	return s, nil
}

// firstGuess is how large messages are taken to be, in bytes, before any has been read: a batch that is held in memory must not be a hundred
// times its limit in the first minute.
const firstGuess = 64 << 10

// Plan shares a batch out over the partitions.
func (s *Source) Plan(ctx context.Context, after minibatch.Cursor, l minibatch.Limits) (minibatch.Batch, error) {
	at, err := ToOffsets(after)
	if err != nil {
		return minibatch.Batch{}, err
	}
	from, ends, err := s.span(ctx, at)
	if err != nil {
		return minibatch.Batch{}, err
	}
	s.mu.Lock()
	s.planned = time.Now()
	rowBytes := s.rowBytes
	s.mu.Unlock()
	if rowBytes == 0 {
		rowBytes = firstGuess
	}
	rows := min(l.Rows, max(1, int64(float64(l.Bytes)/rowBytes)))
	to := share(from, ends, rows)
	b := minibatch.Batch{From: after}
	next := Offsets{Cluster: s.cluster, Topic: s.topic, TopicID: s.topicID, Next: maps.Clone(from)}
	parts := make([][]span, max(1, l.Parallel))
	for _, p := range slices.Sorted(maps.Keys(to)) {
		next.Next[p] = to[p]
		if to[p] > from[p] {
			i := int(p) % len(parts) // a partition stays with its reader, which has the next Records buffered
			parts[i] = append(parts[i], span{p, from[p], to[p]})
			b.Rows += to[p] - from[p]
		}
	}
	b.To = Cursor(next)
	for i, spans := range parts {
		if len(spans) > 0 {
			spec, err := json.Marshal(spans)
			if err != nil {
				return minibatch.Batch{}, err
			}
			b.Parts = append(b.Parts, minibatch.Part{Index: i, Spec: spec})
		}
	}
	// Where the start was is written down at once: it must not move while there is nothing to read.
	b.Pin = len(b.Parts) == 0 && s.moving(at)
	return b, nil
}

// span is what lies between the cursor and the topic's stable end.
func (s *Source) span(ctx context.Context, at Offsets) (from, ends map[int32]int64, err error) {
	t, err := s.Topic(ctx)
	if err != nil {
		return nil, nil, err
	}
	if s.only != nil {
		maps.DeleteFunc(t.Ends, func(p int32, _ int64) bool { return !s.only[p] })
	}
	first := t.Starts // of a partition that was added later
	if at.TopicID == "" {
		if first, err = s.begin(ctx, t); err != nil {
			return nil, nil, err
		}
	}
	if from, err = at.Begin(t, first); err != nil {
		return nil, nil, minibatch.Fatal(err)
	}
	return from, t.Ends, nil
}

// Owns reports whether offsets are positions of this very topic.
func (s *Source) Owns(o Offsets) bool {
	return o.Same(protocol.Topic{Cluster: s.cluster, ID: s.topicID}) == nil
}

// Topic is what the broker says of it now.
func (s *Source) Topic(ctx context.Context) (protocol.Topic, error) {
	t := protocol.Topic{Cluster: s.cluster, Name: s.topic, ID: s.topicID}
	var err error
	if t.Starts, err = kafka.Starts(ctx, s.admin, s.topic); err != nil {
		return t, err
	}
	t.Ends, err = kafka.Ends(ctx, s.admin, s.topic)
	return t, err
}

// share cuts a batch of at most rows from what lies between from and ends, so that each partition gets its part of it.
func share(from, ends map[int32]int64, rows int64) map[int32]int64 {
	var backlog int64
	for p, end := range ends {
		backlog += end - from[p]
	}
	to := map[int32]int64{}
	for p, end := range ends {
		n := end - from[p]
		if backlog > rows {
			n = max(min(n, 1), n*rows/backlog)
		}
		to[p] = from[p] + n
	}
	return to
}

// Wait polls the topic's end until a batch is worth its commit.
func (s *Source) Wait(ctx context.Context, after minibatch.Cursor, l minibatch.Limits) error {
	at, err := ToOffsets(after)
	if err != nil {
		return err
	}
	s.mu.Lock()
	since, rowBytes := s.planned, s.rowBytes
	s.mu.Unlock()
	poll := min(max(l.Age/10, 20*time.Millisecond), 250*time.Millisecond)
	for {
		from, ends, err := s.span(ctx, at)
		if err != nil {
			return err
		}
		var backlog int64
		for p, end := range ends {
			backlog += end - from[p]
		}
		if s.moving(at) {
			return nil // the first commit pins the start
		}
		if backlog == 0 {
			since = time.Now()
		}
		if backlog > 0 && (backlog >= l.Rows || float64(backlog)*rowBytes >= float64(l.Bytes) || time.Since(since) >= l.Age) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
	}
}

// Open reads the spans of a part.
func (s *Source) Open(ctx context.Context, p minibatch.Part) iter.Seq2[Records, error] {
	return func(yield func(Records, error) bool) {
		var spans []span
		if err := json.Unmarshal(p.Spec, &spans); err != nil {
			yield(nil, minibatch.Fatal(fmt.Errorf("part: %w", err)))
			return
		}
		s.mu.Lock()
		r := s.readers[p.Index]
		if r == nil {
			r = &reader{cfg: s.cfg, topic: s.topic, ahead: &s.ahead}
			s.readers[p.Index] = r
		}
		s.mu.Unlock()
		rows, bytes, err := r.read(ctx, spans, func(recs Records) bool { return yield(recs, nil) })
		if err != nil {
			yield(nil, err)
			return
		}
		s.mu.Lock()
		if rows > 0 {
			s.rowBytes = float64(bytes) / float64(rows)
		}
		s.mu.Unlock()
	}
}

// Close closes the connections.
func (s *Source) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.readers {
		r.close()
	}
	s.readers = map[int]*reader{}
	s.admin.Close()
}

// A Lag says how far a partition of the topic is ahead of the cursor.
type Lag struct {
	Partition int32
	Next, End int64
}

// Lag compares a cursor with the topic's stable ends.
func (s *Source) Lag(ctx context.Context, c minibatch.Cursor) ([]Lag, error) {
	at, err := ToOffsets(c)
	if err != nil {
		return nil, err
	}
	from, ends, err := s.span(ctx, at)
	if err != nil {
		return nil, err
	}
	lag := make([]Lag, 0, len(ends))
	for p := range int32(len(ends)) {
		lag = append(lag, Lag{Partition: p, Next: from[p], End: ends[p]})
	}
	return lag, nil
}

// Tell commits a cursor as the offsets of a consumer group, for lag tools. They decide nothing.
func (s *Source) Tell(ctx context.Context, group string, c minibatch.Cursor) error {
	to, err := ToOffsets(c)
	if err != nil {
		return err
	}
	return kafka.CommitGroup(ctx, s.admin, group, s.topic, to.Next)
}
