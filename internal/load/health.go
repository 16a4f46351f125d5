package load

import (
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"time"
)

// Health is how the generator itself did: what it says of others is true only while it was well.
type Health struct {
	Cores       int     `json:"cores"`           // that it may use
	CPUShare    float64 `json:"cpu_share"`       // of these cores, the mean over the schedule
	GCPauses    int64   `json:"gc_pauses"`       // since the schedule began
	GCPauseP99  float64 `json:"gc_pause_p99_ms"` // upper bound
	GCPauseMax  float64 `json:"gc_pause_max_ms"` // upper bound
	GCShare     float64 `json:"gc_share"`        // of the schedule's time in which all goroutines stood still
	WindowFullS float64 `json:"window_full_s"`
	Clock       *Clock  `json:"clock,omitempty"` // nil: not measured
	ClockWhy    string  `json:"clock_not_measured,omitempty"`
}

// Limits of a generator's own load: beyond them its figures are in doubt.
const (
	mostCPU     = 0.85
	mostGCShare = 0.05
)

// busy says why the generator's own load puts its figures in doubt; empty if it does not.
func (h *Health) busy() string {
	switch {
	case h.CPUShare > mostCPU:
		return fmt.Sprintf("the generator has used %.0f %% of its %d cores: at more than %.0f %% its figures are its own; give it more cores, or --shard it over machines", 100*h.CPUShare, h.Cores, 100*mostCPU)
	case h.GCShare > mostGCShare:
		return fmt.Sprintf("the generator stood still for garbage collection for %.0f %% of the time", 100*h.GCShare)
	}
	return ""
}

// join takes the worse of two processes.
func (h *Health) join(o *Health) {
	h.Cores, h.CPUShare, h.GCPauses = min(h.Cores, o.Cores), max(h.CPUShare, o.CPUShare), h.GCPauses+o.GCPauses
	h.GCPauseP99, h.GCPauseMax, h.GCShare = max(h.GCPauseP99, o.GCPauseP99), max(h.GCPauseMax, o.GCPauseMax), max(h.GCShare, o.GCShare)
	h.WindowFullS += o.WindowFullS
	if h.Clock == nil || o.Clock != nil && math.Abs(o.Clock.Offset) > math.Abs(h.Clock.Offset) {
		h.Clock, h.ClockWhy = o.Clock, o.ClockWhy
	}
}

// pauses reads how long the garbage collector has stopped the process, since it was made.
type pauses struct {
	sample [1]metrics.Sample
	base   []uint64
}

func newPauses() *pauses {
	p := &pauses{}
	p.sample[0].Name = "/sched/pauses/total/gc:seconds"
	p.base = append(p.base, p.read().Counts...)
	return p
}

func (p *pauses) read() *metrics.Float64Histogram {
	metrics.Read(p.sample[:])
	if p.sample[0].Value.Kind() != metrics.KindFloat64Histogram {
		return &metrics.Float64Histogram{}
	}
	return p.sample[0].Value.Float64Histogram()
}

// since gives their number, upper bounds of p99 and maximum, and their sum.
func (p *pauses) since() (n int64, p99, most, sum float64) {
	h := p.read()
	counts := make([]uint64, len(h.Counts))
	for i, c := range h.Counts {
		if counts[i] = c; i < len(p.base) {
			counts[i] -= p.base[i]
		}
		n += int64(counts[i])
	}
	// Buckets[i] and Buckets[i+1] are the bounds of Counts[i]; the outermost may be infinite.
	upper := func(i int) float64 {
		if b := h.Buckets[i+1]; !math.IsInf(b, 1) {
			return b
		}
		return h.Buckets[i]
	}
	var seen int64
	for i, c := range counts {
		if c == 0 {
			continue
		}
		if seen += int64(c); p99 == 0 && float64(seen) >= 0.99*float64(n) {
			p99 = upper(i)
		}
		most = upper(i)
		sum += float64(c) * upper(i)
	}
	return n, p99, most, sum
}

// health is how the generator does now; blocked is how long its senders have waited for the window.
func (r *run) health(now, blocked time.Duration) Health {
	h := Health{Cores: runtime.GOMAXPROCS(0), Clock: r.clock, ClockWhy: r.clockWhy}
	if r.pauses == nil {
		return h
	}
	n, p99, most, sum := r.pauses.since()
	h.GCPauses, h.GCPauseP99, h.GCPauseMax = n, round3(1000*p99), round3(1000*most)
	h.WindowFullS = round3(blocked.Seconds())
	if s := now.Seconds(); s > 0 {
		h.CPUShare, h.GCShare = round3((cpuTime()-r.cpu).Seconds()/s/float64(h.Cores)), round3(sum/s)
	}
	return h
}
