package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"weir/internal/content"
)

// A Summary is the result of a run. The keys up to verdict are a contract with scripts.
type Summary struct {
	Run     string  `json:"run"`
	Sent    int64   `json:"sent"`
	Errors  int64   `json:"errors"`
	Rate    float64 `json:"rate"` // messages/s over the schedule
	MBs     float64 `json:"mb_s"` // 10⁶ bytes of values/s
	P50     float64 `json:"p50_ms"`
	P99     float64 `json:"p99_ms"`
	Max     float64 `json:"max_ms"`
	CPU     float64 `json:"cpu_s"` // of this process during the schedule
	Verdict Verdict `json:"verdict"`

	Reason     string           `json:"reason,omitempty"`
	LatencyOf  string           `json:"latency_of"` // what p50_ms … mean
	Profile    string           `json:"profile"`
	Topic      string           `json:"topic"`
	Acked      int64            `json:"acked"`
	Warmup     int64            `json:"warmup"` // sent and acknowledged but not timed
	Causes     map[string]int64 `json:"errors_by_cause,omitempty"`
	Target     float64          `json:"target_rate,omitempty"` // messages/s: what the schedule asked for
	Seconds    float64          `json:"seconds"`               // of the schedule
	Bytes      int64            `json:"bytes"`
	Response   Quantiles        `json:"response_ms"`
	Service    Quantiles        `json:"service_ms"`
	Lag        Quantiles        `json:"lag_ms"` // of the generator behind its schedule
	BlockedS   float64          `json:"window_full_s"`
	Size       Quantiles        `json:"size_bytes"`
	Senders    int              `json:"senders"`
	LingerMS   float64          `json:"linger_ms"`
	Thresholds []Check          `json:"thresholds,omitempty"`
	Aborted    int64            `json:"aborted,omitempty"` // acknowledged, in transactions that were aborted on purpose
	Resumed    int              `json:"resumed,omitempty"` // how often a dead generator's run was taken up again: figures of time are of the last part
	Dropped    int64            `json:"dropped,omitempty"` // due, but not sent: the window was full
	// Interactive: somebody changed the run by hand, so it can be no baseline. Changes also holds marks.
	Interactive bool         `json:"interactive,omitempty"`
	PausedS     float64      `json:"paused_s,omitempty"`
	Changes     []Change     `json:"changes,omitempty"`
	Hooks       []HookResult `json:"hooks,omitempty"`
	Generator   Health       `json:"generator"`
	Read        *ReadBack    `json:"read_back,omitempty"` // by a consumer of the run's own
	// Faults are the messages that are wrong on purpose, by kind.
	Faults  map[content.Fault]int64 `json:"faults,omitempty"`
	Streams []StreamSummary         `json:"streams,omitempty"` // of a mix
}

// A StreamSummary is what one topic of a mix was sent.
type StreamSummary struct {
	Name   string                  `json:"name"`
	Topic  string                  `json:"topic"`
	Sent   int64                   `json:"sent"`
	Bytes  int64                   `json:"bytes"`
	Faults map[content.Fault]int64 `json:"faults,omitempty"`
}

// tallies add up what the senders have sent of each stream, and say for each sender below which seq that is.
func (r *run) tallies() (all []tally, below []uint64) {
	all = make([]tally, r.mix.Streams())
	for i, t := range r.before {
		all[i] = tally{t.messages, t.bytes, maps.Clone(t.faults)}
	}
	for _, s := range r.senders {
		s.mu.Lock()
		for i, t := range s.streams {
			all[i].messages, all[i].bytes = all[i].messages+t.messages, all[i].bytes+t.bytes
			for f, n := range t.faults {
				if all[i].faults == nil {
					all[i].faults = map[content.Fault]int64{}
				}
				all[i].faults[f] += n
			}
		}
		below = append(below, s.below)
		s.mu.Unlock()
	}
	return all, below
}

func (s *Summary) countStreams(r *run) {
	all, _ := r.tallies()
	for i, t := range all {
		for f, n := range t.faults {
			if s.Faults == nil {
				s.Faults = map[content.Fault]int64{}
			}
			s.Faults[f] += n
		}
		if m := r.manifest.Streams; len(m) > 1 {
			s.Streams = append(s.Streams, StreamSummary{m[i].Name, m[i].Topic, t.messages, t.bytes, t.faults})
		}
	}
}

// A Verdict is what the run is worth.
type Verdict string

// The verdicts.
const (
	VerdictPass        Verdict = "pass"
	VerdictSLO         Verdict = "slo"         // a threshold is broken
	VerdictInvalid     Verdict = "invalid"     // the generator did not keep its schedule: the figures say nothing
	VerdictFailed      Verdict = "failed"      // messages could not be delivered
	VerdictInterrupted Verdict = "interrupted" // stopped by hand
)

// What the latencies of a run mean.
const (
	ofResponse = "response from the intended send to the acknowledgement"
	ofClosed   = "service from the send to the acknowledgement, in a closed model: a system that is slower is asked for less"
	ofBuffer   = "time in the client's own buffer: at the highest rate it says nothing about the broker"
)

// Validity: below this share of the target, or with a schedule later than this at its 99th percentile, a run is invalid.
const (
	leastShare = 0.99
	latestP99  = 100 * time.Millisecond
	// judgedAfter: a shorter run says more of a program's start than of its work.
	judgedAfter = 5 * time.Second
)

func (r *run) summary(cause error) Summary {
	p, rec := r.Profile, r.rec
	lag, size, blocked, last := r.statistics()
	s := Summary{
		Run: r.manifest.Run, Profile: p.Name, Topic: p.topics(), LatencyOf: ofResponse,
		Sent: r.handed(), Warmup: int64(r.warm), Senders: len(r.senders), Resumed: len(r.manifest.Resumptions),
		CPU: (cpuTime() - r.cpu).Seconds(), BlockedS: blocked.Seconds(),
		Lag: quantilesOf(lag, 1000), Size: quantilesOf(size, 1), LingerMS: 1000 * defaultLinger.Seconds(),
	}
	s.countStreams(r)
	s.Generator, s.Read = r.health(r.ended, blocked), r.readBack
	if r.txn != nil {
		s.Aborted = r.txn.aborted.Load()
	}
	if p.Producer.Linger != nil {
		s.LingerMS = 1000 * time.Duration(*p.Producer.Linger).Seconds()
	}
	s.Thresholds = r.checks()
	rec.mu.Lock()
	defer rec.mu.Unlock()
	s.Acked, s.Bytes, s.Causes = rec.acked, rec.bytes, rec.byCause()
	s.Errors = rec.failed + max(0, s.Sent-rec.acked-rec.failed) // what has no outcome is an error too
	s.Response, s.Service = quantilesOf(rec.whole.response, 1000), quantilesOf(rec.whole.service, 1000)
	s.P50, s.P99, s.Max = s.Response.P50, s.Response.P99, s.Response.Max

	var paused time.Duration
	_, paused, s.Interactive, s.Changes = r.Live.state(r.pace.now())
	s.PausedS, s.Dropped = paused.Seconds(), r.dropped()
	scheduled := s.Sent - r.earlier
	span := last - paused
	if r.flat {
		if s.LatencyOf = ofBuffer; p.Rate.Closed != nil {
			s.LatencyOf = ofClosed
		}
		span, scheduled = rec.last, s.Acked-r.earlierOK
	} else if planned := r.planned() - paused; planned > 0 {
		s.Target = float64(scheduled+s.Dropped) / planned.Seconds()
		span = max(span, planned)
	}
	if span > 0 && scheduled > 0 {
		s.Seconds = span.Seconds()
		s.Rate = float64(scheduled) / s.Seconds
		s.MBs = s.Rate * float64(s.Bytes) / float64(max(1, s.Acked)) / 1e6
	}
	s.judge(r, cause, last)
	for _, v := range []*float64{&s.Rate, &s.MBs, &s.CPU, &s.Target, &s.Seconds, &s.BlockedS} {
		*v = math.Round(*v*1000) / 1000
	}
	return s
}

// planned is when the schedule was through with what was sent: when the next message would have been due, or the curve's end.
func (r *run) planned() time.Duration {
	next, last := Forever, time.Duration(0)
	for _, s := range r.senders {
		at, onCurve := r.schedule.due(s.at.x)
		if p := r.schedule.last(); onCurve == Forever {
			at = p.at + r.curve.(Planned).End() - p.c
		} else if r.bound.duration > 0 && onCurve > r.bound.duration {
			at -= onCurve - r.bound.duration
		} else if at == Forever { // paused
			at = p.at
		}
		next, last = min(next, at), max(last, s.due)
	}
	return max(next, last)
}

// judge decides the verdict: the gravest reason counts.
func (s *Summary) judge(r *run, cause error, last time.Duration) {
	s.Verdict = VerdictPass
	s.judgeThresholds()
	r.hookLock.Lock()
	s.Hooks = r.hooked
	r.hookLock.Unlock()
	for _, h := range s.Hooks {
		if h.Failed > 0 {
			s.Verdict, s.Reason = VerdictInvalid, fmt.Sprintf("hook %s failed: %s", h.Name, h.Error)
		}
	}
	if why := s.invalid(r, last); why != "" {
		s.Verdict, s.Reason = VerdictInvalid, why
	}
	if s.Read != nil && s.Read.Missing+s.Read.Doubled > 0 {
		s.Verdict, s.Reason = VerdictFailed, fmt.Sprintf("of the acknowledged messages %d never came back from the topic and %d came twice", s.Read.Missing, s.Read.Doubled)
	}
	if why := undelivered(s.Errors, s.Sent, s.Thresholds); why != "" {
		s.Verdict, s.Reason = VerdictFailed, why
	}
	switch {
	case errors.Is(cause, errStopped):
		s.Verdict, s.Reason = VerdictInterrupted, "stopped by hand before the schedule's end"
	case errors.Is(cause, ErrBroken):
		s.Verdict, s.Reason = VerdictSLO, cause.Error()+"; the run was ended"
	case cause != nil && !errors.Is(cause, context.Canceled) && !errors.Is(cause, errEnough):
		s.Verdict, s.Reason = VerdictFailed, cause.Error()
	}
}

func (s *Summary) invalid(r *run, last time.Duration) string {
	if r.flat {
		return ""
	}
	if why := s.Generator.ahead(r.Profile.Thresholds); why != "" {
		return why
	}
	late := ""
	switch {
	case s.Target > 0 && float64(s.Dropped) > (1-leastShare)*float64(s.Sent+s.Dropped):
		return fmt.Sprintf("%d messages were due while the window of %d messages in flight was full, and were dropped: the broker is too slow for this rate", s.Dropped, r.Profile.inFlight())
	case s.Target > 0 && s.Rate < leastShare*s.Target && last-r.planned() > latestP99:
		late = fmt.Sprintf("only %.1f %% of the target rate was reached", 100*s.Rate/s.Target)
	case behind(s.Lag.P99) != "":
		late = behind(s.Lag.P99)
	case r.ended > judgedAfter:
		return s.Generator.busy()
	default:
		return ""
	}
	if r.txn != nil {
		if ending := time.Duration(r.txn.ending.Load()); ending.Seconds() > max(0.05, s.BlockedS) {
			return fmt.Sprintf("%s: the sender has waited %.1f s for transactions of %d messages to end; larger ones keep the schedule", late, ending.Seconds(), r.txn.Messages)
		}
	}
	if s.BlockedS > 0.05 {
		return fmt.Sprintf("%s: the window of %d messages in flight was full for %.1f s (the broker is too slow for this rate; a larger max_in_flight keeps the schedule through a stall)", late, r.Profile.inFlight(), s.BlockedS)
	}
	return late + ": this machine is too slow or too busy for the load"
}

// undelivered says that messages were not acknowledged, unless a threshold says how many may not be.
func undelivered(errors, sent int64, limits []Check) string {
	if errors == 0 || slices.ContainsFunc(limits, func(c Check) bool { return c.Metric == "error_ratio" && c.Stage == "" }) {
		return ""
	}
	return fmt.Sprintf("%d of %d messages were not acknowledged", errors, sent)
}

// behind says that a generator's schedule was later at its 99th percentile (ms) than that of any valid run.
func behind(p99 float64) string {
	if p99 <= float64(latestP99.Milliseconds()) {
		return ""
	}
	return fmt.Sprintf("the generator was %.0f ms behind its schedule at the 99th percentile", p99)
}

// firstBroken names the first threshold that is broken.
func firstBroken(limits []Check) string {
	for _, c := range limits {
		if c.Measured && !c.OK {
			return fmt.Sprintf("%s is %.4g, the profile allows %.4g", c.Name, c.Got, c.Max)
		}
	}
	return ""
}

// Standing is the verdict if the run stopped now; none before anything was measured.
func (p *Progress) Standing() (v Verdict, reason string) {
	if p.Response.Count == 0 && p.Errors == 0 {
		return "", ""
	}
	if why := undelivered(p.Errors, p.Sent, p.Checks); why != "" {
		return VerdictFailed, why
	}
	if p.Invalid != "" {
		return VerdictInvalid, p.Invalid
	}
	if why := firstBroken(p.Checks); why != "" {
		return VerdictSLO, why
	}
	return VerdictPass, ""
}

// judgeThresholds: the first one that is broken, or that nothing was measured for, is named.
func (s *Summary) judgeThresholds() {
	if why := firstBroken(s.Thresholds); why != "" {
		s.Verdict, s.Reason = VerdictSLO, why
		return
	}
	for _, c := range s.Thresholds {
		if !c.Measured && s.Response.Count > 0 && !(Threshold{Metric: c.Metric}).ofMemory() { // a run that ends within its warm-up measures nothing, and says so
			s.Verdict, s.Reason = VerdictInvalid, fmt.Sprintf("no message was measured for the threshold %s", c.Name)
			return
		}
	}
}
