package load

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/content"
	"weir/internal/produce"
	"weir/internal/stamp"
)

// bulk reports that the run's messages leave in batches that are built in place: where nothing but the broker holds them up, the
// client's work for each of them is what decides. A paced run keeps the client that everybody has.
func (p *Profile) bulk() bool {
	return p.Rate.Max && !p.Producer.Transaction.on() && p.Producer.Acks != "0"
}

// startBulk makes the producer behind the warm-up.
func (r *run) startBulk(ctx context.Context) error {
	if !r.Profile.bulk() {
		return nil
	}
	p := r.Profile
	c := produce.Config{
		Client: r.client, Acks: -1, Idempotent: p.Producer.Idempotent == nil || *p.Producer.Idempotent, Batch: p.batch(), Linger: defaultLinger,
		Delivery: p.deliveryTimeout(), Window: int64(p.inFlight()), Settle: r.settled,
	}
	if p.Producer.Acks == "1" {
		c.Acks, c.Idempotent = 1, false
	}
	if l := p.Producer.Linger; l != nil {
		c.Linger = time.Duration(*l)
	}
	var err error
	if c.Compressor, err = kgo.DefaultCompressor(codecs[p.Producer.Compression]); err != nil {
		return err
	}
	for i := range r.targets {
		to := &r.targets[i]
		to.extra = nil
		for _, h := range to.headers {
			to.extra = produce.AppendHeader(to.extra, h.Key, h.Value)
		}
		// Two streams of one topic share its partitions.
		if to.index = slices.IndexFunc(c.Topics, func(t produce.Topic) bool { return t.Name == to.topic }); to.index < 0 {
			to.index = len(c.Topics)
			c.Topics = append(c.Topics, produce.Topic{Name: to.topic, Partitions: int(to.partitions)})
		}
		to.byKey = kgo.StickyKeyPartitioner(nil).ForTopic(to.topic)
	}
	if r.bulk, err = produce.New(ctx, c); err != nil {
		return mayNot(err, "write to it")
	}
	for _, s := range r.senders {
		s.batches = r.bulk.Lane(s.lane)
	}
	return nil
}

// add puts a message into a batch.
func (s *sender) add(m content.Message, st stamp.Stamp, seq uint64, now time.Duration, timed bool) {
	if m.Value != nil {
		s.value = m.Value
	}
	to := &s.targets[m.Stream]
	heads := s.heads[:0]
	if s.unmarked {
		heads = produce.AppendCount(heads, len(to.headers))
	} else {
		heads = produce.AppendCount(heads, 1+len(to.headers))
		heads = produce.AppendHeader(heads, stamp.Key, st.Append(s.mark[:0]))
	}
	s.heads = append(heads, to.extra...)
	partition := int32(-1)
	if m.Key != nil {
		s.keyed.Key = m.Key
		partition = int32(to.byKey.Partition(&s.keyed, int(to.partitions)))
	}
	tag := produce.Tag{Lane: int32(s.lane), Stream: int32(m.Stream), Stage: s.stage, Timed: timed}
	s.batches.Add(s.hard, to.index, partition, now, s.pace.start.Add(now).UnixMilli(), m.Key, m.Value, s.heads, tag, seq)
}

// settled is told what became of a batch.
func (s *session) settled(b *produce.Batch, base int64, err error) {
	s.rec.batch(b, base, s.pace.now(), err)
}

// batch notes the outcome of a batch of messages.
func (r *recorder) batch(b *produce.Batch, base int64, now time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	lane, stream := int(b.Tag.Lane), int(b.Tag.Stream)
	if err != nil {
		for _, n := range b.Notes {
			r.failOne(lane, b.Tag.Stage, n.Seq, now, err)
		}
		return
	}
	l := r.warm
	if b.Tag.Timed {
		l = r.window(b.Tag.Stage)
	} else {
		r.partitions[place{stream, b.Partition}] += int64(len(b.Notes))
	}
	acks := &r.shards[lane]
	var top uint64
	for _, n := range b.Notes {
		took := (now - n.At).Microseconds()
		record(l.response, took)
		record(l.service, took) // no message is due at a time of its own
		acks.acked(n.Seq)
		top = max(top, n.Seq)
	}
	r.last = now
	r.acked += int64(len(b.Notes))
	r.bytes += b.Bytes
	r.counted(stream, b.Partition, int64(len(b.Notes)))
	last := int64(-1) // the broker knows that it has them, but not where
	if base >= 0 {
		last = base + int64(len(b.Notes)) - 1
	}
	r.reached(stream, b.Partition, last, lane, top)
}
