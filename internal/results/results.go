// Package results keeps what a load run has shown: one file per run that needs nothing else to be read.
//
// [New] makes a [Result] of what the run measured, [Save] and [Load] store it beside the run's manifest. [OfRun] and [OfComparison]
// make the [Report] that the formats of internal/results/output show. An [Entry] is the few numbers of a run that are compared over
// time; [Log] is a file of them: a history or a baseline.
//
// # Promises
//
// A result holds the profile's text, the machine, the figures of each stage, and whole histograms (HdrHistogram V2, base64), so that
// any percentile can be worked out again. Its size is bounded. Runs on unlike machines, brokers or profiles are never compared: their
// [Fingerprint.Key] differs.
package results

import (
	"fmt"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"weir/internal/load"
	"weir/internal/verify"
)

const version = 1

// A Result is all that is kept of a run.
type Result struct {
	Version int       `json:"version"`
	Run     string    `json:"run"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended"`

	Profile     string      `json:"profile_text"`
	Flags       []string    `json:"flags,omitempty"` // that replaced parts of the profile
	Fingerprint Fingerprint `json:"fingerprint"`

	Summary    load.Summary          `json:"summary"`
	Limits     []load.Threshold      `json:"limits,omitempty"` // the proof decides some of them
	Stages     []load.StageSummary   `json:"stages"`
	Partitions []load.PartitionCount `json:"partitions"`
	EveryS     float64               `json:"every_s"` // between two points of the series
	Series     []load.Second         `json:"series"`
	Intervals  []Interval            `json:"intervals"`
	Histograms map[string]string     `json:"histograms"`      // by name: HdrHistogram V2, compressed, base64
	Proof      *verify.Result        `json:"proof,omitempty"` // once `loadgen verify` has made it
}

// Names of the histograms.
const (
	Response = "response_us"
	Service  = "service_us"
	Lag      = "lag_us"
	Size     = "size_bytes"
)

// An Interval of the run with its response times.
type Interval struct {
	Start    float64 `json:"start_s"`
	End      float64 `json:"end_s"`
	Response string  `json:"response_us"` // as in Histograms
}

// New makes the result of a run. profile is its text, flags what replaced parts of it.
func New(rec *load.Record, profile string, flags []string, fp Fingerprint) (*Result, error) {
	r := &Result{
		Version: version, Run: rec.Run, Started: rec.Started, Ended: rec.Ended, Profile: profile, Flags: flags, Fingerprint: fp,
		Summary: rec.Summary, Limits: rec.Limits, Stages: rec.Stages, Partitions: rec.Partitions, EveryS: rec.Every.Seconds(), Series: rec.Seconds, Histograms: map[string]string{},
	}
	r.Fingerprint.Profile = hash(profile, flags)
	for name, h := range map[string]*hdrhistogram.Histogram{Response: rec.Response, Service: rec.Service, Lag: rec.Lag, Size: rec.Size} {
		b, err := h.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
		if err != nil {
			return nil, fmt.Errorf("histogram %s: %w", name, err)
		}
		r.Histograms[name] = string(b)
	}
	for _, i := range rec.Intervals {
		b, err := i.Response.EncodeV2()
		if err != nil {
			return nil, fmt.Errorf("histogram of %v to %v: %w", i.Start, i.End, err)
		}
		r.Intervals = append(r.Intervals, Interval{i.Start.Seconds(), i.End.Seconds(), string(b)})
	}
	return r, nil
}

// Histogram is one of the run's histograms by name; an empty one if it is not there.
func (r *Result) Histogram(name string) (*hdrhistogram.Histogram, error) {
	text, ok := r.Histograms[name]
	if !ok {
		return hdrhistogram.New(1, 3_600_000_000, 3), nil
	}
	h, err := hdrhistogram.Decode([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("result of run %s: histogram %s: %w", r.Run, name, err)
	}
	return h, nil
}

// Over decodes the response times of the intervals.
func (r *Result) Over() ([]*hdrhistogram.Histogram, error) {
	var all []*hdrhistogram.Histogram
	for _, i := range r.Intervals {
		h, err := hdrhistogram.Decode([]byte(i.Response))
		if err != nil {
			return nil, fmt.Errorf("result of run %s: histogram at %v s: %w", r.Run, i.Start, err)
		}
		all = append(all, h)
	}
	return all, nil
}

// Usable says why the figures of a run cannot be compared with others; empty if they can.
func (r *Result) Usable() string {
	switch s := r.Summary; {
	case s.Interactive:
		return "it was changed by hand while it ran"
	case s.Resumed > 0:
		return "it was resumed after its generator had died"
	case s.Verdict != load.VerdictPass && s.Verdict != load.VerdictSLO:
		return "it is " + string(s.Verdict) + ": " + s.Reason
	case s.Response.Count == 0:
		return "no message was timed"
	}
	return r.Strained()
}

// mostCPU is the share of a machine that its generator may take: beyond it the generator is what is measured. A run of less than
// longEnough took its CPU time for its start.
const (
	mostCPU    = 0.85
	longEnough = 1 // s
)

// Strained says that the generator was near its limit, empty if it had CPU to spare.
func (r *Result) Strained() string {
	s := r.Summary
	if s.Seconds < longEnough || r.Fingerprint.CPUs <= 0 {
		return ""
	}
	share := s.CPU / s.Seconds / float64(r.Fingerprint.CPUs)
	if share <= mostCPU {
		return ""
	}
	return fmt.Sprintf("the generator took %.0f %% of this machine's CPU, at most %.0f %% leaves it room: its own speed may be what was measured", 100*share, 100*mostCPU)
}

// Values are the few numbers that are compared, by the names that `loadgen compare` has for them.
func (r *Result) Values() map[string]float64 {
	out := map[string]float64{}
	put := func(name string, v float64) {
		if v > 0 {
			out[name] = v
		}
	}
	if r.Summary.Target == 0 {
		put("rate", r.Summary.Rate)
	} else {
		put("p50", r.Summary.P50)
		put("p99", r.Summary.P99)
	}
	if r.Proof != nil {
		put("fresh_p99", r.Proof.ReadableP99)
	}
	if r.Summary.Sent > 0 {
		put("generator_cpu", r.Summary.CPU/float64(r.Summary.Sent)*1e6)
	}
	return out
}
