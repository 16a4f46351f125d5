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
	State      string  `json:"state"` // Preparing, Running, Paused, Draining, Done, Failed
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

	History []Point `json:"history,omitempty"` // the whole run, thinned to some hundreds of points, the oldest first
	Limits  []Limit `json:"limits,omitempty"`
	Verdict string  `json:"verdict,omitempty"` // pass, fail, invalid; while running: what it would be now
	Reason  string  `json:"reason,omitempty"`
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

// A Point of the run's history.
type Point struct {
	T      float64 `json:"t"` // seconds since the start of the run
	Target float64 `json:"target"`
	Rate   float64 `json:"rate"`
	P99    float64 `json:"p99"` // response, ms
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
