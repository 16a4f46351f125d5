package control

import "time"

// Kinds of a comparison.
const (
	Compare   = "compare"   // two builds
	Calibrate = "calibrate" // one build with itself: how much the machine scatters
)

// Comparison is how runs of two builds beside each other stand: who was faster so far, and by how much for certain.
type Comparison struct {
	At     time.Time `json:"at"`
	Source string    `json:"source,omitempty"` // who published it; empty: this program
	Silent bool      `json:"silent,omitempty"` // the publisher has said nothing for SilentAfter although it was not over

	ID      string    `json:"id"`
	Kind    string    `json:"kind"` // Compare, Calibrate
	Profile string    `json:"profile"`
	State   string    `json:"state"` // Running, Done, Failed, Stopped
	Started time.Time `json:"started"`
	Elapsed float64   `json:"elapsed_s"`
	Left    float64   `json:"left_s,omitempty"` // about, at the pace so far; 0: not known

	Pairs int       `json:"pairs"`          // of a round
	Round int       `json:"round"`          // 2: the one that confirms
	Runs  []PairRun `json:"runs,omitempty"` // the last one may be going on

	Findings []Finding `json:"findings,omitempty"` // so far, the metrics that decide first
	Verdict  string    `json:"verdict,omitempty"`  // only at the end: a look at half of the pairs decides nothing
	Reason   string    `json:"reason,omitempty"`
	Error    string    `json:"error,omitempty"` // why it failed
}

// Over reports that no more runs will be made.
func (c *Comparison) Over() bool { return c.State != Running }

// A PairRun is one run of a comparison.
type PairRun struct {
	Build string `json:"build"` // baseline, candidate
	Pair  int    `json:"pair"`
	Round int    `json:"round"`
	State string `json:"state"`          // Running, Done, Warn: does not count, Bad: its data are not right
	Step  string `json:"step,omitempty"` // while it runs: what it does
	Why   string `json:"why,omitempty"`
}

// A Finding is what the pairs say of one metric. Shares are relative to the baseline, positive is worse: 0.1 is 10 % worse.
type Finding struct {
	Metric     string  `json:"metric"`
	Unit       string  `json:"unit,omitempty"`
	Gated      bool    `json:"gated"` // it decides
	Floor      float64 `json:"floor"` // a smaller change does not matter
	Pairs      int     `json:"pairs"`
	Base       float64 `json:"base"` // medians, in the unit
	Candidate  float64 `json:"candidate"`
	Estimate   float64 `json:"estimate"`
	From       float64 `json:"from"` // interval of the estimate …
	To         float64 `json:"to"`
	Confidence float64 `json:"confidence"` // … that holds so often
	P          float64 `json:"p"`
	Verdict    string  `json:"verdict,omitempty"` // empty: not yet
	Noise      float64 `json:"noise,omitempty"`   // calibrate: the floor below which nothing can be told from chance
}
