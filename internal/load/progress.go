package load

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"weir/internal/content"
)

// Progress is how a run stands. Rates are of the last second; the window's latencies too.
type Progress struct {
	At      time.Time
	Run     string
	Profile string
	Topic   string
	State   string // Warming, Measuring, Draining, Done
	Final   *Summary

	Stage      string
	StageIndex int
	Stages     []Stage // the plan; nil at the highest rate

	Elapsed, Total time.Duration // of the schedule; Total 0: not known beforehand
	Planned        int64         // messages; 0: not known beforehand
	TargetRate     float64       // messages/s now; 0 at the highest rate
	MaxMode        bool
	Rate           float64 // messages sent/s
	AckRate        float64
	BytesPerSecond float64

	Sent, Acked, Errors   int64
	InFlight, MaxInFlight int64
	ErrorsByCause         map[string]int64

	WindowResponse, WindowService Quantiles // ms
	Response, Service             Quantiles // ms, whole run, timed messages
	LagP99                        float64   // ms
	Size                          Quantiles // bytes
	CPU                           float64   // cores
	RSS                           int64

	Interactive bool          // somebody has changed it by hand
	PausedFor   time.Duration // in all
	Changes     []Change      // what was done by hand, and marks
	Dropped     int64         // due, but not sent: the window was full

	Resumed    int       // how often it was taken up again after its generator had died
	Checks     []Check   // thresholds as they stand
	Invalid    string    // why the run is worth nothing as it stands
	Health     Health    // of the generator
	Read       *ReadBack // nil: nothing is read back
	Causes     []Cause   // of errors, the most frequent first
	Partitions []PartitionCount
	Sizes      []SizeBar
	Spectrum   []Percentile
	Faults     map[content.Fault]int64

	History []Point // the run so far, at most historyPoints
	Curve   []Point // the whole plan, at most historyPoints: only T and Target
	Heat    []HeatColumn
}

// States of Progress.
const (
	Warming   = "warming"
	Measuring = "measuring"
	Paused    = "paused"
	Draining  = "draining"
	Done      = "done"
)

// A Point of the run over time.
type Point struct {
	T      time.Duration
	Target float64 // messages/s
	Rate   float64
	P99    float64 // response, ms

	P50, P999, Service float64 // ms; of service p99
	Lag                float64 // ms behind the schedule, the worst send
	Read               float64 // messages/s that came back
}

const (
	historyPoints = 240
	progressEvery = 250 * time.Millisecond
	perWindow     = 4 // ticks
)

// progress keeps what is needed between two looks. Only the reporting goroutine touches it, but for state.
type progress struct {
	state   atomic.Value // string
	ticks   int
	samples []sample // the last second
	history []Point
	every   int // windows between two points of the history
	curve   []Point
	window  [2]Quantiles
	series  series
	lag     float64 // ms behind the schedule, the worst send of the last second
}

type sample struct {
	at          time.Duration
	sent, acked int64
	bytes       int64
	cpu         time.Duration
	read        int64 // messages that came back
}

func (p *progress) start(r *run) {
	p.every = 1
	p.state.Store(Measuring)
	p.samples = []sample{r.sample()}
	if s, ok := r.curve.(Planned); ok {
		total := r.total(0)
		for i := range historyPoints {
			t := total * time.Duration(i) / (historyPoints - 1)
			p.curve = append(p.curve, Point{T: t, Target: r.messages(s.Rate(t)) / float64(r.processes())})
		}
	}
}

// report calls back until ctx ends.
func (r *run) report(ctx context.Context, stop context.CancelCauseFunc) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := r.progress.look(r); err != nil {
			stop(err)
		}
	}
}

func (r *run) sample() sample {
	read := r.reader.count()
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	return sample{r.pace.now(), r.handed(), r.rec.acked, r.rec.bytes, cpuTime(), read}
}

// total is the length of the schedule as it looks at now, 0 if it has no end of its own.
func (r *run) total(now time.Duration) time.Duration {
	s, planned := r.curve.(Planned)
	if !planned {
		return r.bound.duration
	}
	p, end := r.schedule.last().now(now), s.End()
	if r.bound.duration > 0 {
		end = min(end, r.bound.duration)
	}
	t := Forever
	if end != Forever {
		t = p.at + max(0, end-p.c)
	}
	for _, x := range []float64{float64(r.bound.messages) - float64(r.warm*r.processes()), float64(r.bound.bytes * int64(r.processes()))} {
		if byBytes := r.Profile.Rate.bytes(); x > 0 && byBytes == (x == float64(r.bound.bytes*int64(r.processes()))) {
			p.paused = false
			at, _ := p.due(x)
			t = min(t, max(at, now))
		}
	}
	if t == Forever {
		return 0
	}
	return t
}

// count is how many messages the run will send, 0 if that is not known.
func (r *run) count(now time.Duration) int64 {
	if _, ok := r.curve.(Planned); ok && r.bound.bytes == 0 && !r.Profile.Rate.bytes() {
		if t := r.total(now); t > 0 {
			p := r.schedule.last().now(now)
			p.paused = false
			n := int64(math.Round(p.now(t).x/float64(r.processes()))) + int64(r.warm)
			if r.bound.messages > 0 {
				n = min(n, int64(r.bound.messages/r.processes()))
			}
			return n
		}
	}
	return int64(r.bound.messages / r.processes())
}

// messages makes a rate of the curve one of messages: where it counts bytes, by the mean of what was sent so far.
func (r *run) messages(rate float64) float64 {
	if !r.Profile.Rate.bytes() {
		return rate
	}
	if n := r.handed(); n > 0 {
		return rate * float64(n) / float64(max(1, r.bytes.Load()))
	}
	return 0
}

// look tells how the run stands, and that it has to end because of a threshold.
func (p *progress) look(r *run) error {
	now := r.sample()
	p.samples = append(p.samples, now)
	if len(p.samples) > perWindow+1 {
		p.samples = p.samples[1:]
	}
	p.ticks++
	if p.ticks%perWindow == 0 {
		p.window[0], p.window[1] = r.rec.rotate()
		p.series.take(r, now)
		p.lag = p.series.lag
		p.remember(r, now)
	}
	if r.Progress != nil {
		r.Progress(p.picture(r, now))
	}
	if p.ticks%perWindow == 0 && p.state.Load() == Measuring {
		return r.broken(now.at)
	}
	return nil
}

// remember thins the history when it is full: every second point goes, and new ones come half as often.
func (p *progress) remember(r *run, now sample) {
	if p.ticks/perWindow%p.every != 0 {
		return
	}
	rate, _, _, _ := p.rates(now)
	w := p.window[0]
	x := Point{T: now.at, Target: r.target(now.at), Rate: rate, P99: w.P99, P50: w.P50, P999: w.P999, Service: p.window[1].P99, Lag: p.lag}
	if n := len(p.samples); n > 0 && now.at > p.samples[0].at {
		x.Read = float64(now.read-p.samples[0].read) / (now.at - p.samples[0].at).Seconds()
	}
	p.history = append(p.history, x)
	if len(p.history) >= historyPoints {
		for i := range len(p.history) / 2 {
			p.history[i] = p.history[2*i+1]
		}
		p.history = p.history[:len(p.history)/2]
		p.every *= 2
	}
}

func (p *progress) rates(now sample) (sent, acked, bytes, cores float64) {
	old := p.samples[0]
	if s := (now.at - old.at).Seconds(); s > 0 {
		return float64(now.sent-old.sent) / s, float64(now.acked-old.acked) / s, float64(now.bytes-old.bytes) / s, (now.cpu - old.cpu).Seconds() / s
	}
	return 0, 0, 0, 0
}

func (r *run) target(t time.Duration) float64 {
	if total := r.total(t); r.flat || total > 0 && t >= total {
		return 0
	}
	return r.messages(r.schedule.rate(t)) / float64(r.processes())
}

// last tells the end, with the summary.
func (p *progress) last(r *run, sum Summary) {
	if r.Progress == nil {
		return
	}
	p.state.Store(Done)
	g := p.picture(r, r.sample())
	g.Final = &sum
	r.Progress(g)
}

// statistics merges what the senders have counted.
func (r *run) statistics() (lag, size *hdrhistogram.Histogram, blocked, last time.Duration) {
	lag, size = newHistogram(), newHistogram()
	for _, s := range r.senders {
		s.mu.Lock()
		lag.Merge(s.lag)
		size.Merge(s.size)
		blocked += s.blocked
		last = max(last, s.last)
		s.mu.Unlock()
	}
	return lag, size, blocked, last
}

func (r *run) dropped() (n int64) {
	for _, s := range r.senders {
		s.mu.Lock()
		n += s.dropped
		s.mu.Unlock()
	}
	return n
}
