package control

import "time"

// Load is a load run as it is now.
type Load struct {
	At     time.Time `json:"at"`               // when these figures were true
	Source string    `json:"source,omitempty"` // who published them; empty: this program
	Silent bool      `json:"silent,omitempty"` // the publisher has said nothing for SilentAfter although the run was not over

	Run        string  `json:"run"`
	Profile    string  `json:"profile"`
	Topic      string  `json:"topic,omitempty"`
	Cluster    string  `json:"cluster,omitempty"` // its name, or the addresses of its brokers
	State      string  `json:"state"`             // Preparing, Running, Paused, Draining, Done, Failed
	Stage      string  `json:"stage,omitempty"`
	StageIndex int     `json:"stage_index"`
	Stages     []Stage `json:"stages,omitempty"`

	Elapsed  float64 `json:"elapsed_s"`
	Total    float64 `json:"total_s"`  // 0: not known beforehand
	Progress float64 `json:"progress"` // 0..1
	Planned  int64   `json:"planned"`  // messages; 0: not known beforehand

	TargetRate  float64 `json:"target_rate"` // messages/s; 0 in MaxMode
	Rate        float64 `json:"rate"`
	BytesPerSec float64 `json:"bytes_per_s"`
	MaxMode     bool    `json:"max_mode,omitempty"` // as fast as acks allow: there is no target

	Sent          int64            `json:"sent"`
	Acked         int64            `json:"acked"`
	Errors        int64            `json:"errors"`
	ErrorsByCause map[string]int64 `json:"errors_by_cause,omitempty"`
	InFlight      int64            `json:"in_flight"`
	MaxInFlight   int64            `json:"max_in_flight"`

	Window  Latency `json:"window"` // the last seconds (WindowS of them)
	Whole   Latency `json:"whole"`  // the whole run
	WindowS float64 `json:"window_s"`

	LagP99 float64   `json:"lag_p99_ms"` // how late the generator itself is against its schedule
	Size   Quantiles `json:"size_bytes"`
	CPU    float64   `json:"cpu"` // cores in use by the generator: 1.5 = one and a half
	RSS    int64     `json:"rss"`

	Interactive bool     `json:"interactive,omitempty"` // somebody has changed it by hand: it can be no baseline
	PausedS     float64  `json:"paused_s,omitempty"`
	Changes     []Change `json:"changes,omitempty"` // what was done by hand, and marks
	Dropped     int64    `json:"dropped,omitempty"` // due, but not sent: the window was full
	Plan        []Point  `json:"plan,omitempty"`    // the profile's whole curve: T and Target
	Resumed     int      `json:"resumed,omitempty"` // how often the run was taken up again after its generator had died

	Read       *Read           `json:"read,omitempty"` // what a consumer of its own reads back; nil: the profile wants none
	Self       Generator       `json:"self"`
	Partitions []PartitionSent `json:"partitions,omitempty"`
	Sizes      []SizeBar       `json:"sizes,omitempty"`    // of the values sent
	Spectrum   []Percentile    `json:"spectrum,omitempty"` // of the whole run
	Causes     []Cause         `json:"causes,omitempty"`   // of errors, the most frequent first
	Faults     []Fault         `json:"faults,omitempty"`   // sent on purpose

	Heat    []HeatColumn `json:"heat,omitempty"`    // all response times over the run
	History []Point      `json:"history,omitempty"` // the whole run, thinned to some hundreds of points, the oldest first
	Limits  []Limit      `json:"limits,omitempty"`
	Verdict string       `json:"verdict,omitempty"` // pass, fail, invalid; while running: what it would be now
	Reason  string       `json:"reason,omitempty"`
}

// Over reports that the run will send nothing more.
func (l *Load) Over() bool { return l.State == Done || l.State == Failed || l.State == Stopped }

// A Stage is a piece of the rate curve; Target is reached at its end.
type Stage struct {
	Name     string  `json:"name"`
	Duration float64 `json:"duration_s"`
	Target   float64 `json:"target"`
}

// Latency is response (from the intended time: what a user feels) and service (from the send: what the broker did), in ms.
type Latency struct {
	Response Quantiles `json:"response"`
	Service  Quantiles `json:"service"`
}

// Quantiles of some measure; Count 0 means that nothing was measured.
type Quantiles struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	P999  float64 `json:"p999"`
	Max   float64 `json:"max"`
}

// A HeatColumn is how long the timed messages of a piece of the run took: Counts[i] of them from Low·2^(i/2) up to Low·2^((i+1)/2) ms.
type HeatColumn struct {
	From   float64 `json:"from"` // seconds since the start of the run
	To     float64 `json:"to"`
	Low    float64 `json:"low"`
	Counts []int64 `json:"counts"`
}

// A Point of the run's history.
type Point struct {
	T      float64 `json:"t"` // seconds since the start of the run
	Target float64 `json:"target"`
	Rate   float64 `json:"rate"`
	P99    float64 `json:"p99"` // response, ms

	P50     float64 `json:"p50,omitempty"`
	P999    float64 `json:"p999,omitempty"`
	Service float64 `json:"service,omitempty"` // p99, ms
	Lag     float64 `json:"lag,omitempty"`     // ms behind the schedule, the worst send
	Read    float64 `json:"read,omitempty"`    // messages/s that came back from the topic
}

// Read is what the run's own consumer has read back from the topics, committed messages only.
type Read struct {
	Messages int64     `json:"messages"`
	Behind   int64     `json:"behind"` // acknowledged, not read yet
	Doubled  int64     `json:"doubled"`
	Latency  Quantiles `json:"latency_ms"` // from the intended send to the consumer
	Error    string    `json:"error,omitempty"`
}

// Generator is how the program that makes the load does: what it says of others is true only while it is well.
type Generator struct {
	Cores       int     `json:"cores"`           // that it may use
	GCPauses    int64   `json:"gc_pauses"`       // since the schedule began
	GCPauseP99  float64 `json:"gc_pause_p99_ms"` // ms
	GCPauseMax  float64 `json:"gc_pause_max_ms"`
	WindowFullS float64 `json:"window_full_s"`     // seconds in which no message could be sent because too many were on their way
	Clock       float64 `json:"clock_ms"`          // of the broker against ours; positive: the broker's is ahead
	ClockError  float64 `json:"clock_error_ms"`    // of that: half of the round trip; 0: not measured
	Invalid     string  `json:"invalid,omitempty"` // why the run is worth nothing as it stands
}

// A PartitionSent is what a partition has acknowledged.
type PartitionSent struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Messages  int64  `json:"messages"`
}

// A SizeBar counts values of at most Bytes, and more than the bar before.
type SizeBar struct {
	Bytes int64 `json:"bytes"`
	Count int64 `json:"count"`
}

// A Percentile of the response and service times, ms.
type Percentile struct {
	P        float64 `json:"p"` // 99.9
	Response float64 `json:"response"`
	Service  float64 `json:"service"`
}

// A Cause of errors; First and Last are seconds since the start of the run.
type Cause struct {
	Text  string  `json:"text"`
	Count int64   `json:"count"`
	First float64 `json:"first_t"`
	Last  float64 `json:"last_t"`
}

// A Fault is a kind of message that is wrong on purpose.
type Fault struct {
	Kind  string `json:"kind"`
	Count int64  `json:"count"`
}

// A Change is what was done to the run by hand, or a mark.
type Change struct {
	T    float64 `json:"t"` // seconds since the start of the run
	What string  `json:"what"`
}

// A Limit is a threshold of the profile with its present value, in words.
type Limit struct {
	Name  string `json:"name"`  // "p99"
	Want  string `json:"want"`  // "≤ 100 ms"
	Got   string `json:"got"`   // "38.7"
	State string `json:"state"` // OK, Warn, Bad, Wait
	Spare string `json:"spare,omitempty"`
}
