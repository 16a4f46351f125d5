package produce

import (
	"context"
	"time"
)

// A Lane fills batches. One goroutine uses it at a time; the records of a lane stay in order within a partition.
type Lane struct {
	p     *Producer
	open  [][]*Batch // by topic and partition
	list  []*Batch   // those that are open
	at    []int32    // by topic: where records without a partition go, until a batch there is let go
	swept time.Duration
}

// Lane makes one; lanes that are made one after the other spread over the partitions.
func (p *Producer) Lane(number int) *Lane {
	l := &Lane{p: p, at: make([]int32, len(p.Topics))}
	for i, t := range p.Topics {
		l.open = append(l.open, make([]*Batch, t.Partitions))
		l.at[i] = int32(number % t.Partitions)
	}
	return l
}

// Add takes a record over; key, value and headers may be used again. It blocks while the window is full, until ctx ends. A negative
// partition leaves the choice to the lane: batches go round. now counts from any moment, ms is the record's timestamp since 1970.
func (l *Lane) Add(ctx context.Context, topic int, partition int32, now time.Duration, ms int64, key, value, headers []byte, tag Tag, seq uint64) {
	p := l.p
	to := partition
	if partition < 0 {
		to = l.at[topic]
	}
	b, size := l.open[topic][to], 0
	for b != nil {
		if size = b.sizeOf(ms, key, value, headers); b.Tag == tag && len(b.buf)+lengthed(size) <= p.Batch {
			break
		}
		l.seal(b)
		if partition < 0 { // the next partition may have an open batch, too, of records with keys
			to = l.at[topic]
		}
		b = l.open[topic][to]
	}
	if b == nil {
		b = p.batch()
		b.reset(topic, to, tag, now, ms)
		b.deadline = time.Now().Add(p.Delivery)
		l.open[topic][to] = b
		l.list = append(l.list, b)
		size = b.sizeOf(ms, key, value, headers)
	}
	b.room(lengthed(size), p.Batch)
	b.add(size, ms, key, value, headers, Note{now, seq})
	if p.pending.Add(1) >= p.Window {
		p.wait(ctx, l)
	}
	if now-l.swept >= max(p.Linger, time.Millisecond) {
		l.swept = now
		l.sweep(now - p.Linger)
	}
}

// next goes on to the next partition that waits for no more than others do.
func (l *Lane) next(topic int) {
	all := l.p.partitions[topic]
	best, least := l.at[topic], int32(1<<30)
	for i := range all {
		n := (int(l.at[topic]) + 1 + i) % len(all)
		if w := all[n].waiting.Load(); w < least {
			best, least = int32(n), w
		}
	}
	l.at[topic] = best
}

// sweep seals what has been opened until then. While the broker is busy with a partition its batch goes on filling: more of the same would only
// wait longer, in smaller pieces.
func (l *Lane) sweep(until time.Duration) {
	for i := len(l.list) - 1; i >= 0; i-- {
		b := l.list[i]
		if b.opened <= until && l.p.partitions[b.Topic][b.Partition].waiting.Load() == 0 {
			l.seal(b)
		}
	}
}

// Seal lets all that the lane has leave.
func (l *Lane) Seal() {
	for len(l.list) > 0 {
		l.seal(l.list[len(l.list)-1])
	}
}

func (l *Lane) seal(b *Batch) {
	l.open[b.Topic][b.Partition] = nil
	for i, o := range l.list {
		if o == b {
			l.list[i] = l.list[len(l.list)-1]
			l.list = l.list[:len(l.list)-1]
			break
		}
	}
	b.compress(l.p.Compressor)
	b.finish()
	topic, partition := b.Topic, b.Partition
	l.p.enqueue(b) // it is not the lane's any more
	if l.at[topic] == partition {
		l.next(topic)
	}
}
