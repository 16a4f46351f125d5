package load

import (
	"errors"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Histograms count microseconds, up to an hour, with three digits.
func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, 3_600_000_000, 3) }

func record(h *hdrhistogram.Histogram, v int64) {
	_ = h.RecordValue(min(max(v, 1), h.HighestTrackableValue())) // within the range: it cannot fail
}

// Quantiles of a measure.
type Quantiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

// quantilesOf scales a histogram's values, as 1000 for µs to ms.
func quantilesOf(h *hdrhistogram.Histogram, scale float64) Quantiles {
	if h.TotalCount() == 0 {
		return Quantiles{}
	}
	v := h.ValueAtPercentilesSlice([]float64{50, 90, 99, 99.9})
	top := float64(h.Max())
	at := func(x int64) float64 { return min(float64(x), top) / scale }
	return Quantiles{h.TotalCount(), at(v[0]), at(v[1]), at(v[2]), at(v[3]), top / scale}
}

// latency is a pair of histograms: response from the intended time, service from the send.
type latency struct{ response, service *hdrhistogram.Histogram }

func newLatency() latency { return latency{newHistogram(), newHistogram()} }

func (l latency) merge(from latency) {
	l.response.Merge(from.response)
	l.service.Merge(from.service)
}

func (l latency) reset() {
	l.response.Reset()
	l.service.Reset()
}

// recorder takes the outcomes. The Kafka client calls it from one goroutine, progress reads it from another.
type recorder struct {
	mu     sync.Mutex
	window latency // of the second that runs, timed messages
	warm   latency // the same, messages that are not timed
	whole  latency // all windows before, timed messages
	shards []ackSet

	acked, bytes int64 // bytes of acknowledged values
	failed       int64
	causes       map[string]int64
	last         time.Duration   // the last outcome, in the schedule's time
	first        error           // that failed a message
	partitions   map[place]int64 // messages that were not timed
	holding      bool            // a transaction is open
	held         []held          // what it has acknowledged
	ends         [][]int64       // per stream and partition: first offset behind the last acknowledged message
}

// place is a partition of a stream's topic.
type place struct {
	stream    int
	partition int32
}

func newRecorder(shards, streams int) *recorder {
	return &recorder{window: newLatency(), warm: newLatency(), whole: newLatency(), shards: make([]ackSet, shards),
		causes: map[string]int64{}, partitions: map[place]int64{}, ends: make([][]int64, streams)}
}

func (r *recorder) ok(p *parcel, partition int32, offset int64, now time.Duration, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.window
	if !p.timed {
		l = r.warm
		r.partitions[place{p.stream, partition}]++
	}
	record(l.response, (now - p.due).Microseconds())
	record(l.service, (now - p.sent).Microseconds())
	r.acked++
	r.bytes += int64(bytes)
	r.last = now
	if r.holding {
		r.held = append(r.held, held{p.stream, partition, offset, p.shard, p.seq})
		return
	}
	r.reached(p.stream, partition, offset)
	r.shards[p.shard].acked(p.seq)
}

// reached notes that a partition holds an acknowledged message.
func (r *recorder) reached(stream int, partition int32, offset int64) {
	ends := r.ends[stream]
	for int(partition) >= len(ends) {
		ends = append(ends, 0)
	}
	ends[partition] = max(ends[partition], offset+1)
	r.ends[stream] = ends
}

// fail notes a message that is not known to be in the topic.
func (r *recorder) fail(shard int32, seq uint64, now time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shards[shard].fail(seq)
	r.failed++
	r.last = now
	if r.first == nil {
		r.first = err
	}
	cause := causeOf(err)
	if _, known := r.causes[cause]; !known && len(r.causes) >= 20 {
		cause = "other"
	}
	r.causes[cause]++
}

// failure is the first error of the run, nil if there was none.
func (r *recorder) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.first
}

// warmPartitions counts the partitions that have acknowledged a message that is not timed.
func (r *recorder) warmPartitions() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.partitions)
}

// outcomes counts the messages that have one.
func (r *recorder) outcomes() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.acked + r.failed
}

// rotate ends the window and returns its quantiles, in ms.
func (r *recorder) rotate() (response, service Quantiles) {
	r.mu.Lock()
	defer r.mu.Unlock()
	shown := r.window
	if shown.response.TotalCount() == 0 {
		shown = r.warm
	}
	response, service = quantilesOf(shown.response, 1000), quantilesOf(shown.service, 1000)
	r.whole.merge(r.window)
	r.window.reset()
	r.warm.reset()
	return response, service
}

func causeOf(err error) string {
	if e := (*kerr.Error)(nil); errors.As(err, &e) {
		return e.Message
	}
	s := err.Error()
	return s[:min(len(s), 120)]
}

// describe fills in what is known of a shard.
func (r *recorder) describe(shard int, rec *ShardRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := &r.shards[shard]
	rec.AckedBelow, rec.AckedAbove = a.low, a.above()
	rec.Failed = append([][2]uint64(nil), a.failed...)
}

// positions are the ends of a stream's partitions that have acknowledged something.
func (r *recorder) positions(stream int) map[int32]int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := map[int32]int64{}
	for p, end := range r.ends[stream] {
		if end > 0 {
			all[int32(p)] = end
		}
	}
	return all
}
