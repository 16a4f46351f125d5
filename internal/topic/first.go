package topic

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
)

// A First is the record that stands first behind a position: when it says it came, and the mean size of it and of those that the
// broker gave with it.
type First struct {
	At    time.Time // as the producer or the broker has written it: it may be no time at all
	Bytes float64
}

// Firsts looks at the records at some positions, until ctx is done. A partition that gives nothing in that time (all is compacted
// away, or of a transaction that was aborted) is left out. It costs one fetch of 64 KiB of each partition, or of one record that is larger.
func (s *Source) Firsts(ctx context.Context, next map[int32]int64) (map[int32]First, error) {
	start := map[int32]kgo.Offset{}
	for p, at := range next {
		start[p] = kgo.NewOffset().At(at)
	}
	cl, err := kafka.Connect(s.cfg,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{s.topic: start}), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.FetchMaxPartitionBytes(64<<10), kgo.FetchMaxBytes(1<<20), kgo.FetchMaxWait(250*time.Millisecond), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
	)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	got := map[int32]First{}
	for len(got) < len(next) && ctx.Err() == nil {
		fs := cl.PollFetches(ctx)
		fs.EachPartition(func(ft kgo.FetchTopicPartition) {
			if _, had := got[ft.Partition]; had || len(ft.Records) == 0 {
				return
			}
			bytes := 0
			for _, r := range ft.Records {
				bytes += len(r.Key) + len(r.Value)
			}
			got[ft.Partition] = First{At: ft.Records[0].Timestamp, Bytes: float64(bytes) / float64(len(ft.Records))}
			cl.PauseFetchPartitions(map[string][]int32{s.topic: {ft.Partition}})
		})
		if err := problem(ctx, fs); err != nil && ctx.Err() == nil {
			return got, err
		}
	}
	return got, nil
}

// MeanBytes is the mean size of the messages that were read last; 0: none was read yet.
func (s *Source) MeanBytes() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rowBytes
}
