package load

import (
	"context"
	"math"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
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

	History []Point // the run so far, at most historyPoints
	Curve   []Point // the whole plan, at most historyPoints: only T and Target
}

// States of Progress.
const (
	Warming   = "warming"
	Measuring = "measuring"
	Draining  = "draining"
	Done      = "done"
)

// A Point of the run over time.
type Point struct {
	T      time.Duration
	Target float64 // messages/s
	Rate   float64
	P99    float64 // response, ms
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
}

type sample struct {
	at          time.Duration
	sent, acked int64
	bytes       int64
	cpu         time.Duration
}

func (p *progress) start(r *run) {
	p.every = 1
	p.state.Store(Measuring)
	p.samples = []sample{r.sample()}
	if s, ok := r.curve.(Stages); ok {
		total := r.total()
		for i := range historyPoints {
			t := total * time.Duration(i) / (historyPoints - 1)
			p.curve = append(p.curve, Point{T: t, Target: s.Rate(t)})
		}
	}
}

// report calls back until ctx ends.
func (r *run) report(ctx context.Context) {
	tick := time.NewTicker(progressEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		r.progress.look(r)
	}
}

func (r *run) sample() sample {
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	return sample{r.pace.now(), r.handed(), r.rec.acked, r.rec.bytes, cpuTime()}
}

// total is the length of the schedule, 0 if it has no end of its own.
func (r *run) total() time.Duration {
	t := Forever
	if r.bound.duration > 0 {
		t = r.bound.duration
	}
	if s, ok := r.curve.(Stages); ok {
		t = min(t, s.End())
		if r.bound.messages > r.warm {
			t = min(t, s.At(r.bound.messages-r.warm))
		}
	}
	if t == Forever {
		return 0
	}
	return t
}

// count is how many messages the run will send, 0 if that is not known.
func (r *run) count() int64 {
	if s, ok := r.curve.(Stages); ok && r.bound.bytes == 0 {
		if t := r.total(); t > 0 {
			n := int64(math.Round(s.Messages(t))) + int64(r.warm)
			if r.bound.messages > 0 {
				n = min(n, int64(r.bound.messages))
			}
			return n
		}
	}
	return int64(r.bound.messages)
}

func (p *progress) look(r *run) {
	now := r.sample()
	p.samples = append(p.samples, now)
	if len(p.samples) > perWindow+1 {
		p.samples = p.samples[1:]
	}
	p.ticks++
	if p.ticks%perWindow == 0 {
		p.window[0], p.window[1] = r.rec.rotate()
		p.remember(r, now)
	}
	if r.Progress != nil {
		r.Progress(p.picture(r, now))
	}
}

// remember thins the history when it is full: every second point goes, and new ones come half as often.
func (p *progress) remember(r *run, now sample) {
	if p.ticks/perWindow%p.every != 0 {
		return
	}
	rate, _, _, _ := p.rates(now)
	p.history = append(p.history, Point{now.at, r.target(now.at), rate, p.window[0].P99})
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
	s, ok := r.curve.(Stages)
	if total := r.total(); !ok || total > 0 && t >= total {
		return 0
	}
	return s.Rate(t)
}

func (p *progress) picture(r *run, now sample) Progress {
	g := Progress{
		At: time.Now(), Run: r.manifest.Run, Profile: r.Profile.Name, Topic: r.Profile.topics(), State: p.state.Load().(string),
		Elapsed: now.at, Total: r.total(), Planned: r.count(), TargetRate: r.target(now.at), MaxMode: r.flat(),
		Sent: now.sent, Acked: now.acked, MaxInFlight: int64(r.Profile.inFlight()),
		WindowResponse: p.window[0], WindowService: p.window[1], RSS: resident(),
		History: append([]Point(nil), p.history...), Curve: p.curve,
	}
	g.Rate, g.AckRate, g.BytesPerSecond, g.CPU = p.rates(now)
	if s, ok := r.curve.(Stages); ok {
		g.Stages, g.StageIndex = s, s.Index(now.at)
		g.Stage = s[g.StageIndex].Name
	}
	if g.State == Measuring && now.at < r.warmup {
		g.State = Warming
	}
	lag, size, _, _ := r.statistics()
	g.LagP99, g.Size = quantilesOf(lag, 1000).P99, quantilesOf(size, 1)
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	g.Errors = r.rec.failed
	g.InFlight = max(0, now.sent-now.acked-r.rec.failed)
	g.ErrorsByCause = map[string]int64{}
	for c, n := range r.rec.causes {
		g.ErrorsByCause[c] = n
	}
	g.Response, g.Service = quantilesOf(r.rec.whole.response, 1000), quantilesOf(r.rec.whole.service, 1000)
	return g
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
