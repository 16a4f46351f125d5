package load

import (
	"errors"
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"weir/internal/config"
)

// A Threshold decides the verdict of a run (response_ms, service_ms, error_ratio, memory_mib, memory_mib_h) or of its proof (lost, duplicated,
// freshness_s).
type Threshold struct {
	Metric string  `yaml:"metric" json:"metric" jsonschema:"required,enum=response_ms,enum=service_ms,enum=error_ratio,enum=memory_mib,enum=memory_mib_h,enum=freshness_s,enum=lost,enum=duplicated"`
	Stat   string  `yaml:"stat,omitempty" json:"stat,omitempty" jsonschema:"enum=p50,enum=p90,enum=p99,enum=p99.9,enum=max,description=Of latencies; freshness_s has p50, p99 and max"`
	Max    float64 `yaml:"max" json:"max" jsonschema:"required,description=The most that is allowed"`

	Stage string          `yaml:"stage,omitempty" json:"stage,omitempty" jsonschema:"description=Only messages that are due in this stage. Default: the whole run"`
	Over  config.Duration `yaml:"over,omitempty" json:"over,omitempty" jsonschema:"description=The worst window of this length counts, as 1m, in place of the whole run or stage"`
	Abort bool            `yaml:"abort,omitempty" json:"abort,omitempty" jsonschema:"description=Once broken, the run ends. Default false"`
	After config.Duration `yaml:"after,omitempty" json:"after,omitempty" jsonschema:"description=Not before this time of the run or the stage: it has to settle"`

	Process string `yaml:"process,omitempty" json:"process,omitempty" jsonschema:"description=Of memory_mib (the most that a process had) and memory_mib_h (its growth an hour): generator (default) or pipeline (the one that serves this home) or a file that holds a process id"`
}

// String names the threshold: response_ms p99 of steady over 1m0s.
func (t Threshold) String() string {
	s := t.Metric
	if t.Process != "" {
		s += " of " + t.Process
	}
	if t.Stat != "" {
		s += " " + t.Stat
	}
	if t.Stage != "" {
		s += " of " + t.Stage
	}
	if t.Over > 0 {
		s += " over " + t.Over.String()
	}
	return s
}

// ofRun reports that the run decides it; the others are decided by the proof.
func (t Threshold) ofRun() bool {
	return t.Metric == "response_ms" || t.Metric == "service_ms" || t.Metric == "error_ratio" || t.ofMemory()
}

// A Check is a threshold with its value.
type Check struct {
	Name   string  `json:"name"`
	Metric string  `json:"metric,omitempty"`
	Stat   string  `json:"stat,omitempty"`
	Stage  string  `json:"stage,omitempty"`
	Max    float64 `json:"max"`
	Got    float64 `json:"got"`
	Margin float64 `json:"margin"` // share of max that is left: 0.2 is 20 %; negative: broken
	OK     bool    `json:"ok"`
	// Measured is false where no message was timed: it is neither kept nor broken, and the run proves nothing.
	Measured bool    `json:"measured"`
	AbortedS float64 `json:"aborted_s,omitempty"` // when it ended the run
}

func (c *Check) set(got float64) {
	c.Got, c.Measured, c.OK, c.Margin = got, true, got <= c.Max, 0
	if c.Max > 0 {
		c.Margin = round3((c.Max - got) / c.Max)
	}
}

// ErrBroken ends a run of which a threshold with abort is broken.
var ErrBroken = errors.New("a threshold is broken")

// limit watches a threshold with a window or with abort while the run goes on. The recorder gives it each window under its lock;
// the rest belongs to the goroutine that reports.
type limit struct {
	Threshold
	stage int // -1: any
	ring  []*hdrhistogram.PackedHistogram
	begun time.Duration // of the first window that had a message of it
	seen  bool
	ended time.Duration // of the last block of the ring
	worst float64
	when  time.Duration // it ended the run
	sum   *hdrhistogram.Histogram
	grows growth // of memory_mib and memory_mib_h
}

// blocks of a window: it slides by so much of its length.
const blocks = 12

func newLimit(t Threshold, stage int) *limit {
	l := &limit{Threshold: t, stage: stage}
	if t.Over > 0 {
		l.sum, l.ring = newHistogram(), []*hdrhistogram.PackedHistogram{newPacked()}
	}
	return l
}

func newPacked() *hdrhistogram.PackedHistogram { return hdrhistogram.NewPacked(1, 3_600_000_000, 3) }

// take adds a second of a stage.
func (l *limit) take(stage int, w latency) {
	if l.stage >= 0 && stage != l.stage || l.Metric == "error_ratio" || l.ofMemory() {
		return
	}
	l.seen = true
	if l.Over > 0 {
		l.ring[len(l.ring)-1].MergeFrom(l.of(w))
	}
}

func (l *limit) of(w latency) *hdrhistogram.Histogram {
	if l.Metric == "service_ms" {
		return w.service
	}
	return w.response
}

// block is the length of a piece of the window: a second at least.
func (l *limit) block() time.Duration { return max(time.Second, time.Duration(l.Over)/blocks) }

// look judges at the end of a second. whole gives the histogram of all that was timed so far.
func (l *limit) look(now time.Duration, r *run) (broken bool) {
	if l.Metric == "error_ratio" {
		l.seen = l.seen || r.sentIn(l.stage) > 0
	}
	if l.ofMemory() {
		return l.lookAtMemory(now, r)
	}
	if !l.seen {
		return false
	}
	if l.begun == 0 {
		l.begun = max(now-time.Second, 1)
		l.ended = l.begun
	}
	switch {
	case l.Metric == "error_ratio":
		l.worst = r.errorRatio(l.stage)
	case l.Over == 0:
		if h := r.rec.soFar(l.stage, l.of); h != nil {
			l.worst = at(h, l.Stat)
		}
	case now-l.ended >= l.block()-progressEvery: // the ticker's own jitter is no reason to wait for another second
		l.ended = now
		n := max(1, int(time.Duration(l.Over)/l.block()))
		if full := len(l.ring) >= n; full && now-l.begun >= time.Duration(l.After) {
			l.worst = max(l.worst, l.value())
		}
		if len(l.ring) >= n {
			l.ring = append(l.ring[:0], l.ring[len(l.ring)-n+1:]...)
		}
		l.ring = append(l.ring, newPacked())
	}
	if now-l.begun < time.Duration(l.After) || !l.Abort || l.worst <= l.Max {
		return false
	}
	l.when = now
	return true
}

// lookAtMemory takes the process's memory once the warm-up is over: until then buffers and caches fill.
func (l *limit) lookAtMemory(now time.Duration, r *run) (broken bool) {
	if now < max(r.warmup, time.Duration(l.After)) {
		return false
	}
	l.grows.look(now)
	v, known := l.grows.value(l.Metric)
	if !known {
		return false
	}
	if l.worst = v; !l.Abort || v <= l.Max {
		return false
	}
	l.when = now
	return true
}

// value is the statistic over the ring.
func (l *limit) value() float64 {
	l.sum.Reset()
	for _, p := range l.ring {
		p.MergeInto(l.sum)
	}
	return at(l.sum, l.Stat)
}

// slid is the worst window, or what there is while none is full.
func (l *limit) slid() float64 {
	if l.seen && l.worst == 0 {
		return l.value()
	}
	return l.worst
}

// at is a statistic of a histogram of µs, in ms.
func at(h *hdrhistogram.Histogram, stat string) float64 { return quantilesOf(h, 1000).at(stat) }

func (q Quantiles) at(stat string) float64 {
	switch stat {
	case "p50":
		return q.P50
	case "p90":
		return q.P90
	case "p99":
		return q.P99
	case "p99.9":
		return q.P999
	}
	return q.Max
}

// soFar is a histogram of the whole run (stage -1) or of a stage; nil if nothing was timed.
func (r *recorder) soFar(stage int, of func(latency) *hdrhistogram.Histogram) *hdrhistogram.Histogram {
	l := r.whole
	if stage >= 0 {
		l = r.stages[stage]
	}
	if l.response == nil || l.response.TotalCount() == 0 {
		return nil
	}
	return of(l)
}

// sentIn counts the messages of a stage, -1 for all.
func (r *run) sentIn(stage int) (n int64) {
	for i, s := range r.spans() {
		if stage < 0 || i == stage {
			n += s.sent
		}
	}
	return n
}

// errorRatio is the share of messages that failed.
func (r *run) errorRatio(stage int) float64 {
	sent := r.sentIn(stage)
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	var lost int64
	for i, n := range r.rec.lost {
		if stage < 0 || i == stage {
			lost += n
		}
	}
	if sent == 0 {
		return 0
	}
	return float64(lost) / float64(sent)
}

// watchLimits makes the watchers of all thresholds that the run decides.
func (r *run) watchLimits() {
	for _, t := range r.Profile.Thresholds {
		if !t.ofRun() {
			continue
		}
		stage := -1
		for i, s := range r.told {
			if s.Name == t.Stage {
				stage = i
			}
		}
		l := newLimit(t, stage)
		l.grows.pid = r.process(t.Process)
		r.rec.limits = append(r.rec.limits, l)
	}
}

// broken looks at the thresholds that end a run, after each second.
func (r *run) broken(now time.Duration) error {
	var err error
	for _, l := range r.rec.limits {
		if l.look(now, r) && err == nil {
			err = fmt.Errorf("%w: %v is %.4g, the profile allows %.4g%s", ErrBroken, l.Threshold, l.worst, l.Max, r.where(now))
		}
	}
	return err
}

// where says at which rate a run was ended, and which rate of a stair before it was kept: what the step that broke says is little
// without it.
func (r *run) where(now time.Duration) string {
	stages, ok := r.curve.(Planned)
	if !ok {
		return ""
	}
	i := stageAt(r.told, r.schedule.on(now))
	at := r.told[i]
	if len(r.told) < 2 || r.Profile.Rate.Shape == "spike" {
		return ""
	}
	text := fmt.Sprintf(" (in stage %s, at %v", at.Name, rateWords(stages.Rate(r.schedule.on(now)), r.Profile.Rate.bytes()))
	if r.Profile.Rate.Shape == "step" && i > 0 {
		text += fmt.Sprintf("; %s, %v, was kept", r.told[i-1].Name, rateWords(r.told[i-1].To, r.Profile.Rate.bytes()))
	}
	return text + ")"
}

func rateWords(v float64, bytes bool) config.Rate {
	return config.Rate{PerSecond: float64(int64(v + 0.5)), Bytes: bytes}
}

// checks are the thresholds with their values. The caller does not hold the recorder.
func (r *run) checks() []Check {
	var all []Check
	for _, l := range r.rec.limits {
		c := Check{Name: l.String(), Metric: l.Metric, Stat: l.Stat, Stage: l.Stage, Max: l.Max, OK: true, AbortedS: seconds(l.when)}
		switch h := r.rec.soFar(l.stage, l.of); {
		case l.Metric == "error_ratio":
			if r.sentIn(l.stage) > 0 {
				c.set(r.errorRatio(l.stage))
			}
		case l.ofMemory():
			if v, known := l.grows.value(l.Metric); known {
				c.set(v)
			}
		case h == nil:
		case l.Over > 0:
			c.set(l.slid())
		case l.when > 0: // what followed while the run was ending does not mend it
			c.set(max(l.worst, at(h, l.Stat)))
		default:
			c.set(at(h, l.Stat))
		}
		all = append(all, c)
	}
	return all
}

func seconds(d time.Duration) float64 { return round3(d.Seconds()) }
