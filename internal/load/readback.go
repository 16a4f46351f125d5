package load

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/content"
	"weir/internal/stamp"
)

// Consumer reads back what the run sends, while it sends.
type Consumer struct {
	Group string `yaml:"group,omitempty" jsonschema:"description=The run reads its messages back and commits its progress to this group: consumed is told apart from acknowledged"`
}

// A ReadBack is what a consumer of the run's own has seen: committed messages, from the intended send to the consumer.
type ReadBack struct {
	Messages int64     `json:"messages"`
	Missing  int64     `json:"missing"` // acknowledged, not read; at the end of a run: they never came
	Doubled  int64     `json:"doubled"`
	Latency  Quantiles `json:"latency_ms"`
	Error    string    `json:"error,omitempty"`
}

// join adds what another process has read back; of latencies the larger ones count.
func (b *ReadBack) join(o *ReadBack) *ReadBack {
	if b == nil || o == nil {
		return nil // not all was read back
	}
	l, m := b.Latency, o.Latency
	return &ReadBack{Messages: b.Messages + o.Messages, Missing: b.Missing + o.Missing, Doubled: b.Doubled + o.Doubled, Error: b.Error + o.Error,
		Latency: Quantiles{l.Count + m.Count, max(l.P50, m.P50), max(l.P90, m.P90), max(l.P99, m.P99), max(l.P999, m.P999), max(l.Max, m.Max)}}
}

// reader is the consumer. It reads partitions from where they ended when the run began, so that no rebalance can hide a message.
type reader struct {
	run    *run
	client *kgo.Client
	done   chan struct{}
	stop   context.CancelFunc
	once   sync.Once
	before int64 // messages that had been acknowledged when it began

	mu       sync.Mutex
	seen     []ackSet // per lane
	messages int64
	doubled  int64
	latency  *hdrhistogram.Histogram // µs, of timed messages
	err      error
}

// startReader begins to read behind what is in the topics now.
func (r *run) startReader(ctx context.Context) (*reader, error) {
	if r.Profile.Verify.Consumer.Group == "" {
		return nil, nil
	}
	adm, from := kadm.NewClient(r.client), map[string]map[int32]kgo.Offset{}
	for _, t := range r.targets {
		ends, err := adm.ListEndOffsets(ctx, t.topic)
		if err == nil {
			err = ends.Error()
		}
		if err != nil {
			return nil, fmt.Errorf("verify.consumer: offsets of %s: %w", t.topic, err)
		}
		from[t.topic] = map[int32]kgo.Offset{}
		for p, o := range ends[t.topic] {
			from[t.topic][p] = kgo.NewOffset().At(o.Offset)
		}
	}
	cl, err := r.Connect(kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		return nil, fmt.Errorf("verify.consumer: %w", err)
	}
	b := &reader{run: r, client: cl, done: make(chan struct{}), before: r.rec.outcomesOK(), seen: make([]ackSet, len(r.senders)), latency: newHistogram()}
	for i := range b.seen {
		next := uint64(0)
		if r.resumed { // what is filled in lies below; it is read like the rest
			next = r.from.Shards[i].AckedBelow
		}
		b.seen[i] = ackSet{low: next, top: next}
	}
	return b, nil
}

// begin reads on, from when the schedule has begun. nil: nothing is read back.
func (b *reader) begin(ctx context.Context) {
	if b == nil {
		return
	}
	ctx, b.stop = context.WithCancel(context.WithoutCancel(ctx))
	go b.loop(ctx)
}

func (b *reader) loop(ctx context.Context) {
	defer close(b.done)
	adm, told, group := kadm.NewClient(b.client), time.Now(), b.run.Profile.Verify.Consumer.Group
	at := kadm.Offsets{}
	for {
		f := b.client.PollFetches(ctx)
		if ctx.Err() != nil {
			break
		}
		f.EachError(func(topic string, p int32, err error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.err = fmt.Errorf("read %s, partition %d: %w", topic, p, err)
		})
		now := b.run.pace.now()
		b.mu.Lock()
		f.EachRecord(func(r *kgo.Record) {
			b.take(r, now)
			at.AddOffset(r.Topic, r.Partition, r.Offset+1, r.LeaderEpoch)
		})
		b.mu.Unlock()
		if time.Since(told) > 5*time.Second { // for lag tools only: nothing is read by it
			told = time.Now()
			_, _ = adm.CommitOffsets(ctx, group, at)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	_, _ = adm.CommitOffsets(ctx, group, at)
}

// ours says which message of this process's senders a record is; ok is false for those of others.
func (r *run) ours(rec *kgo.Record) (st stamp.Stamp, lane int, ok bool) {
	st, ok = stamp.Of(rec)
	lane = int(st.Shard) - r.Shard.Index
	return st, lane, ok && st.Run == r.session.run && st.Seq >= 0 && lane >= 0 && lane < len(r.senders)
}

// take notes a record that was read at now.
func (b *reader) take(rec *kgo.Record, now time.Duration) {
	st, lane, ok := b.run.ours(rec)
	if !ok {
		return
	}
	a, seq := &b.seen[lane], uint64(st.Seq)
	if a.settled(seq) {
		b.doubled++
		return
	}
	a.acked(seq)
	b.messages++
	due := time.Duration(st.Intended-b.run.pace.start.UnixMicro()) * time.Microsecond
	if due < b.run.warmup { // before the schedule it is below 0
		return
	}
	if !b.run.mix.Plain() {
		if f, _ := b.run.mix.Fate(seq*b.run.shards + uint64(st.Shard)); f == content.Duplicate {
			return // it has the time of the message that it repeats
		}
	}
	record(b.latency, (now - due).Microseconds())
}

// state is what was read so far. nil: nothing is read back.
func (b *reader) state() *ReadBack {
	if b == nil {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	out := &ReadBack{Messages: b.messages, Doubled: b.doubled, Latency: quantilesOf(b.latency, 1000)}
	out.Missing = max(0, b.expected()-b.messages)
	if b.err != nil {
		out.Error = b.err.Error()
	}
	return out
}

// count is the number of messages that came back.
func (b *reader) count() int64 {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.messages
}

// expected is how many must have come when all are there.
func (b *reader) expected() int64 {
	n := b.run.rec.outcomesOK() - b.before
	if b.run.txn != nil {
		n -= b.run.txn.aborted.Load()
	}
	return n
}

// end waits until all that was acknowledged has been read, a while at most.
func (b *reader) end() *ReadBack {
	if b == nil {
		return nil
	}
	for limit := time.Now().Add(giveUp); time.Now().Before(limit); time.Sleep(20 * time.Millisecond) {
		if s := b.state(); s.Missing == 0 {
			break
		}
	}
	b.close()
	return b.state()
}

// close ends the reading. It may be called when nothing has begun, and when nothing is read back.
func (b *reader) close() {
	if b == nil {
		return
	}
	b.once.Do(func() {
		if b.stop != nil {
			b.stop()
			<-b.done
		}
		b.client.Close()
	})
}
