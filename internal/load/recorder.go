package load

import (
	"errors"
	"slices"
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
	mu      sync.Mutex
	windows []latency // of the second that runs, timed messages, by the stage in which they were due; made when needed
	spare   []latency // windows that are not needed now
	second  latency   // the last window, of all stages; between two calls of rotate it belongs to the caller
	warm    latency   // of the second that runs, messages that are not timed
	whole   latency   // all windows before, timed messages
	stages  []latency // the same by stage; made when needed
	lost    []int64   // failed messages, by stage
	limits  []*limit  // watched thresholds: they are given each window
	shards  []ackSet

	acked, bytes int64 // bytes of acknowledged values
	failed       int64
	causes       map[string]*cause
	last         time.Duration   // the last outcome, in the schedule's time
	first        error           // that failed a message
	partitions   map[place]int64 // messages that were not timed
	holding      bool            // a transaction is open
	held         []held          // what it has acknowledged
	ends         [][]int64       // per stream and partition: first offset behind the last acknowledged message
	counts       [][]int64       // per stream and partition: acknowledged messages
	tops         [][]uint64      // per stream; of each partition and lane: one more than the last acknowledged seq
}

// place is a partition of a stream's topic.
type place struct {
	stream    int
	partition int32
}

func newRecorder(shards, streams int) *recorder {
	r := &recorder{second: newLatency(), warm: newLatency(), whole: newLatency(), shards: make([]ackSet, shards),
		causes: map[string]*cause{}, partitions: map[place]int64{}, ends: make([][]int64, streams), counts: make([][]int64, streams), tops: make([][]uint64, streams)}
	r.setStages(1)
	return r
}

// setStages says how many stages are told apart, before the first message.
func (r *recorder) setStages(n int) {
	r.windows, r.stages, r.lost = make([]latency, n), make([]latency, n), make([]int64, n)
}

// window is that of a stage.
func (r *recorder) window(stage int32) latency {
	w := r.windows[stage]
	if w.response == nil {
		if n := len(r.spare); n > 0 {
			w, r.spare = r.spare[n-1], r.spare[:n-1]
		} else {
			w = newLatency()
		}
		r.windows[stage] = w
	}
	return w
}

func (r *recorder) ok(p *parcel, partition int32, offset int64, now time.Duration, bytes int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.warm
	if p.timed {
		l = r.window(p.stage)
	} else {
		r.partitions[place{p.stream, partition}]++
	}
	record(l.response, (now - p.due).Microseconds())
	record(l.service, (now - p.sent).Microseconds())
	r.acked++
	r.bytes += int64(bytes)
	r.last = now
	r.counted(p.stream, partition, 1)
	if r.holding {
		r.held = append(r.held, held{p.stream, partition, offset, p.lane, p.seq})
		return
	}
	r.reached(p.stream, partition, offset, p.lane, p.seq)
	r.shards[p.lane].acked(p.seq)
}

// counted adds acknowledged messages of a partition.
func (r *recorder) counted(stream int, partition int32, n int64) {
	for int(partition) >= len(r.counts[stream]) {
		r.counts[stream] = append(r.counts[stream], 0)
	}
	r.counts[stream][partition] += n
}

// reached notes that a partition holds an acknowledged message.
func (r *recorder) reached(stream int, partition int32, offset int64, lane int, seq uint64) {
	lanes := len(r.shards)
	for (int(partition)+1)*lanes > len(r.tops[stream]) {
		r.tops[stream] = append(r.tops[stream], 0)
	}
	top := &r.tops[stream][int(partition)*lanes+lane]
	*top = max(*top, seq+1)
	ends := r.ends[stream]
	for int(partition) >= len(ends) {
		ends = append(ends, 0)
	}
	ends[partition] = max(ends[partition], offset+1)
	r.ends[stream] = ends
}

// fail notes a message that is not known to be in the topic.
func (r *recorder) fail(p *parcel, now time.Duration, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failOne(p.lane, p.stage, p.seq, now, err)
}

func (r *recorder) failOne(lane int, stage int32, seq uint64, now time.Duration, err error) {
	r.shards[lane].fail(seq)
	r.failed++
	r.lost[stage]++
	r.last = now
	if r.first == nil {
		r.first = err
	}
	text := causeOf(err)
	if r.causes[text] == nil && len(r.causes) >= 20 {
		text = "other"
	}
	c := r.causes[text]
	if c == nil {
		c = &cause{first: now}
		r.causes[text] = c
	}
	c.count++
	c.last = now
}

// A cause of errors.
type cause struct {
	count       int64
	first, last time.Duration
}

// byCause counts the errors. The caller holds the recorder.
func (r *recorder) byCause() map[string]int64 {
	if len(r.causes) == 0 {
		return nil
	}
	all := map[string]int64{}
	for text, c := range r.causes {
		all[text] = c.count
	}
	return all
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

// outcomesOK counts the acknowledged messages.
func (r *recorder) outcomesOK() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.acked
}

// rotate ends the window and returns its quantiles, in ms.
func (r *recorder) rotate() (response, service Quantiles) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.second.reset()
	for i, w := range r.windows {
		switch {
		case w.response == nil:
			continue
		case w.response.TotalCount() == 0: // the stage is over
			r.spare, r.windows[i] = append(r.spare, w), latency{}
			continue
		case r.stages[i].response == nil:
			r.stages[i] = newLatency()
		}
		r.stages[i].merge(w)
		r.second.merge(w)
		for _, l := range r.limits {
			l.take(i, w)
		}
		w.reset()
	}
	r.whole.merge(r.second)
	shown := r.second
	if shown.response.TotalCount() == 0 {
		shown = r.warm
	}
	response, service = quantilesOf(shown.response, 1000), quantilesOf(shown.service, 1000)
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

// lastOf are a stream's tops.
func (r *recorder) lastOf(stream int) map[int32][]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	all, lanes := map[int32][]uint64{}, len(r.shards)
	for i := 0; i < len(r.tops[stream]); i += lanes {
		if one := r.tops[stream][i : i+lanes]; slices.Max(one) > 0 {
			all[int32(i/lanes)] = slices.Clone(one)
		}
	}
	return all
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
