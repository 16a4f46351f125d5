package topic

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
	"weir/minibatch"
)

const (
	pollRecords = 4096
	fetchBytes  = 8 << 20
	// silence is how long the broker may give nothing of a span that it said it has.
	silence = 30 * time.Second
)

// reader reads spans of some partitions. It keeps its client, and what it has read beyond a span, for the next part; a part
// that starts elsewhere (the first, or one after an error) gets a new client. Used by one goroutine at a time.
type reader struct {
	cfg   kafka.Config
	topic string
	ahead *budget // of all readers together

	cl     *kgo.Client
	next   map[int32]int64   // position after the last record that was handed out or passed over
	beyond map[int32]Records // read, but of a later span
	paused map[int32]bool
}

// read hands the Records of the spans to yield, and returns when each span has been read to its end.
func (r *reader) read(ctx context.Context, spans []span, yield func(Records) bool) (rows, bytes int64, err error) {
	if err := r.seek(spans); err != nil {
		return 0, 0, err
	}
	done := false
	defer func() {
		if !done || err != nil {
			r.close() // what was handed out is not committed: the next part may start before it
		}
	}()
	open := map[int32]int64{} // partition -> end of its span
	for _, s := range spans {
		open[s.Partition] = s.To
	}
	hand := func(recs Records) bool {
		bytes += sizeOf(recs)
		rows += int64(len(recs))
		return len(recs) == 0 || yield(recs)
	}
	for p, to := range open {
		kept := r.beyond[p]
		delete(r.beyond, p)
		r.ahead.add(-sizeOf(kept))
		if !hand(r.cut(p, kept, to)) {
			return rows, bytes, nil
		}
	}
	r.resume(open)
	last := time.Now()
	for r.shut(open); len(open) > 0; r.shut(open) {
		fs := r.poll(ctx)
		if err := problem(ctx, fs); err != nil {
			return rows, bytes, err
		}
		got, ok := false, true
		fs.EachPartition(func(ft kgo.FetchTopicPartition) {
			if len(ft.Records) == 0 || !ok {
				return
			}
			got = true
			to, wanted := open[ft.Partition]
			if !wanted {
				r.keep(ft.Partition, ft.Records)
				return
			}
			ok = hand(r.cut(ft.Partition, ft.Records, to))
		})
		if !ok {
			return rows, bytes, nil
		}
		if got {
			last = time.Now()
		} else if time.Since(last) > silence {
			return rows, bytes, fmt.Errorf("topic %s: no message for %v although some are due (%d partitions): is the broker stuck?", r.topic, silence, len(open))
		}
	}
	done = true
	return rows, bytes, nil
}

// seek makes a client that starts where the spans start, unless the present one already stands there.
func (r *reader) seek(spans []span) error {
	here := r.cl != nil
	for _, s := range spans {
		at, ok := r.next[s.Partition]
		here = here && ok && at == s.From
	}
	if here {
		return nil
	}
	r.close()
	start := map[int32]kgo.Offset{}
	for _, s := range spans {
		start[s.Partition] = kgo.NewOffset().At(s.From)
		r.next[s.Partition] = s.From
	}
	cl, err := kafka.Connect(r.cfg,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{r.topic: start}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), // only what producers have committed
		kgo.KeepControlRecords(),                     // they take positions: without them a span that ends in one never ends
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),  // a gap is an error, never a silent jump
		kgo.FetchMaxBytes(fetchBytes), kgo.FetchMaxPartitionBytes(2<<20), kgo.FetchMaxWait(250*time.Millisecond),
	)
	r.cl = cl
	return err
}

// cut takes the Records below to, without control Records, keeps the others, and moves the position.
func (r *reader) cut(p int32, recs Records, to int64) Records {
	n := 0
	var out Records
	for n < len(recs) && recs[n].Offset < to {
		if !recs[n].Attrs.IsControl() {
			out = append(out, recs[n])
		}
		r.next[p] = recs[n].Offset + 1
		n++
	}
	if n < len(recs) {
		r.next[p] = to // whatever lies between was compacted away or aborted
		r.keep(p, recs[n:])
	}
	return out
}

// keep holds Records for a later part. Where the budget is used up, no more of the partition is fetched until its turn comes; the
// fetch that is under way may bring up to fetchBytes more, or one message.
func (r *reader) keep(p int32, recs Records) {
	r.beyond[p] = append(r.beyond[p], recs...)
	if r.ahead.add(sizeOf(recs)) && !r.paused[p] {
		r.paused[p] = true
		r.cl.PauseFetchPartitions(map[string][]int32{r.topic: {p}})
	}
}

func (r *reader) resume(open map[int32]int64) {
	for p := range open {
		if r.paused[p] {
			delete(r.paused, p)
			r.cl.ResumeFetchPartitions(map[string][]int32{r.topic: {p}})
		}
	}
}

// shut takes the partitions out of open whose span has been read.
func (r *reader) shut(open map[int32]int64) {
	for p, to := range open {
		if r.next[p] >= to {
			delete(open, p)
		}
	}
}

func (r *reader) poll(ctx context.Context) kgo.Fetches {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return r.cl.PollRecords(ctx, pollRecords)
}

// problem is what a poll complains about, unless it is only that nothing came in time.
func problem(ctx context.Context, fs kgo.Fetches) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, e := range fs.Errors() {
		switch {
		case errors.Is(e.Err, context.DeadlineExceeded):
		case errors.Is(e.Err, kerr.OffsetOutOfRange):
			return minibatch.Fatal(fmt.Errorf("partition %d of topic %s: the position is out of range: messages were deleted while the job ran: %w", e.Partition, e.Topic, e.Err))
		default:
			return fmt.Errorf("read topic %s partition %d: %w", e.Topic, e.Partition, e.Err)
		}
	}
	return nil
}

func (r *reader) close() {
	for _, kept := range r.beyond {
		r.ahead.add(-sizeOf(kept))
	}
	if r.cl != nil {
		r.cl.Close()
	}
	r.cl, r.next, r.beyond, r.paused = nil, map[int32]int64{}, map[int32]Records{}, map[int32]bool{}
}
