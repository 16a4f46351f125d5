package load

import (
	"math"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// A Record is all that a run has measured; [Options.Keep] gets it at the end. Its size is bounded, however long the run was.
type Record struct {
	Summary
	Limits         []Threshold // of the profile; the proof decides some of them
	Started, Ended time.Time   // of the schedule
	Stages         []StageSummary
	Seconds        []Second
	Every          time.Duration // of a [Second]; 1 s unless the run was long
	Intervals      []Interval
	Partitions     []PartitionCount
	// Response, Service and Lag count µs of timed messages; Size bytes of all.
	Response, Service, Lag, Size *hdrhistogram.Histogram
}

// A Second of the run, or several of a long one: then rates are means, and latencies those of the worst second among them.
type Second struct {
	T        float64 `json:"t"`                // its end, s since the start of the schedule
	Target   float64 `json:"target,omitempty"` // messages/s
	Rate     float64 `json:"rate"`             // sent
	Acked    float64 `json:"acked"`            // messages/s
	Count    int64   `json:"count"`            // timed messages; 0: the latencies say nothing
	P50      float64 `json:"p50,omitempty"`    // response, ms
	P99      float64 `json:"p99,omitempty"`
	P999     float64 `json:"p999,omitempty"`
	Max      float64 `json:"max,omitempty"`
	Service  float64 `json:"service_p99,omitempty"` // ms
	Lag      float64 `json:"lag"`                   // ms behind the schedule, the worst send
	InFlight int64   `json:"in_flight"`             // at its end
	Errors   int64   `json:"errors,omitempty"`
	CPU      float64 `json:"cpu"` // cores of the generator
}

// An Interval holds the response times of a piece of the run, exactly.
type Interval struct {
	Start, End time.Duration
	Response   *hdrhistogram.PackedHistogram // µs
}

// A PartitionCount is how many messages a partition has acknowledged.
type PartitionCount struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Messages  int64  `json:"messages"`
}

const (
	mostSeconds   = 3600
	mostIntervals = 120
)

// series keeps the run over time. Only the reporting goroutine touches it.
type series struct {
	seconds   []Second
	every     int // windows in a point
	open      int // windows in the point that is being made
	intervals []Interval
	each      int // windows in an interval
	in        int // windows in the interval that is being made
	columns   []HeatColumn
	from      time.Duration
	errors    int64
	lag       float64 // ms, of the last window
}

// take adds a window of the run.
func (s *series) take(r *run, now sample) {
	if s.every == 0 {
		s.every, s.each = 1, 1
	}
	p := &r.progress
	rate, acked, _, cores := p.rates(now)
	q, service := quantilesOf(r.rec.second.response, 1000), quantilesOf(r.rec.second.service, 1000)
	x := Second{T: seconds(now.at), Target: round3(r.target(now.at)), Rate: round3(rate), Acked: round3(acked), Count: q.Count, P50: q.P50, P99: q.P99, P999: q.P999, Max: q.Max,
		Service: service.P99, Lag: round3(1000 * r.worstLag().Seconds()), CPU: round3(cores)}
	s.lag = x.Lag
	r.rec.mu.Lock()
	x.Errors, s.errors = r.rec.failed-s.errors, r.rec.failed
	x.InFlight = max(0, now.sent-r.rec.acked-r.rec.failed)
	r.rec.mu.Unlock()
	s.point(x)
	if s.in == 0 {
		s.intervals = append(s.intervals, Interval{Start: s.from, Response: newPacked()})
	}
	last := &s.intervals[len(s.intervals)-1]
	last.Response.MergeFrom(r.rec.second.response)
	last.End, s.from = now.at, now.at
	if s.in = (s.in + 1) % s.each; s.in == 0 && len(s.intervals) >= mostIntervals {
		s.thinIntervals()
	}
}

func (s *series) point(x Second) {
	if s.open == 0 {
		s.seconds = append(s.seconds, x)
	} else {
		last := &s.seconds[len(s.seconds)-1]
		*last = last.join(x, float64(s.open), 1)
	}
	if s.open = (s.open + 1) % s.every; s.open == 0 && len(s.seconds) >= mostSeconds {
		n := len(s.seconds) / 2
		for i := range n {
			s.seconds[i] = s.seconds[2*i].join(s.seconds[2*i+1], 1, 1)
		}
		s.seconds, s.every = s.seconds[:n], 2*s.every
	}
}

// join makes one point of two that follow each other, with their weights.
func (x Second) join(y Second, a, b float64) Second {
	mean := func(u, v float64) float64 { return round3((a*u + b*v) / (a + b)) }
	return Second{T: y.T, Target: mean(x.Target, y.Target), Rate: mean(x.Rate, y.Rate), Acked: mean(x.Acked, y.Acked), Count: x.Count + y.Count,
		P50: max(x.P50, y.P50), P99: max(x.P99, y.P99), P999: max(x.P999, y.P999), Max: max(x.Max, y.Max), Service: max(x.Service, y.Service),
		Lag: max(x.Lag, y.Lag), InFlight: max(x.InFlight, y.InFlight), Errors: x.Errors + y.Errors, CPU: mean(x.CPU, y.CPU)}
}

func (s *series) thinIntervals() {
	n := len(s.intervals) / 2
	for i := range n {
		a, b := s.intervals[2*i], s.intervals[2*i+1]
		a.Response.Merge(b.Response)
		a.End = b.End
		s.intervals[i] = a
	}
	s.intervals, s.each = s.intervals[:n], 2*s.each
}

// worstLag is the latest send since the last call.
func (r *run) worstLag() (worst time.Duration) {
	for _, s := range r.senders {
		s.mu.Lock()
		worst, s.worst = max(worst, s.worst), 0
		s.mu.Unlock()
	}
	return worst
}

// record is what Keep gets.
func (r *run) record(sum Summary) *Record {
	lag, size, _, _ := r.statistics()
	out := &Record{Summary: sum, Limits: r.Profile.Thresholds, Started: r.began.UTC(), Ended: time.Now().UTC(), Seconds: r.progress.series.seconds, Every: time.Duration(max(1, r.progress.series.every)) * perWindow * progressEvery,
		Intervals: r.progress.series.intervals, Lag: lag, Size: size}
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	out.Stages = r.stageSummaries()
	out.Response, out.Service = r.rec.whole.response, r.rec.whole.service
	for i, counts := range r.rec.counts {
		for p, n := range counts {
			out.Partitions = append(out.Partitions, PartitionCount{r.targets[i].topic, int32(p), n})
		}
	}
	return out
}

func round3(v float64) float64 { return math.Round(v*1000) / 1000 }
