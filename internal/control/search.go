package control

import "time"

// Search is how a search for the highest rate that keeps its limits stands.
type Search struct {
	At     time.Time `json:"at"`
	Source string    `json:"source,omitempty"` // who published it; empty: this program
	Silent bool      `json:"silent,omitempty"` // the publisher has said nothing for SilentAfter although it was not over

	ID      string    `json:"id"`
	Profile string    `json:"profile"`
	SLO     string    `json:"slo"`
	Bytes   bool      `json:"bytes,omitempty"` // rates are in bytes/s
	State   string    `json:"state"`           // Running, Done, Failed, Stopped
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	Spent   float64   `json:"spent_s"` // in trials
	Most    float64   `json:"most_s"`  // no trial begins that would end later

	From      float64 `json:"from"`
	To        float64 `json:"to"`
	Precision float64 `json:"precision"`
	Repeats   int     `json:"repeats"`

	Trials []Trial `json:"trials,omitempty"` // that were made
	Trial  *Trial  `json:"trial,omitempty"`  // the one that goes on

	HighestKept   float64  `json:"highest_kept"` // 0: there is none
	LowestNotKept float64  `json:"lowest_not_kept"`
	Verdict       string   `json:"verdict,omitempty"` // only at the end: capacity, at least, generator, not kept, inconclusive
	Capacity      float64  `json:"capacity,omitempty"`
	Confidence    string   `json:"confidence,omitempty"` // high, medium, low
	Reasons       []string `json:"reasons,omitempty"`    // of the confidence
	Headline      string   `json:"headline,omitempty"`   // the result in one line
	Error         string   `json:"error,omitempty"`      // why it failed
}

// Over reports that no more trials will be made.
func (s *Search) Over() bool { return s.State != Running }

// Outcomes of a trial.
const (
	Kept    = "kept"
	NotKept = "not kept"
	Invalid = "invalid" // the generator was the limit: it says nothing of the target
)

// A Trial is a run at one rate.
type Trial struct {
	Rate    float64   `json:"rate"`
	Outcome string    `json:"outcome,omitempty"` // empty: it goes on
	Phase   string    `json:"phase,omitempty"`   // why it is made: "bisect"
	Told    string    `json:"told,omitempty"`    // what it measured, or what was not kept
	Step    string    `json:"step,omitempty"`    // while it goes on: load, proof
	Took    float64   `json:"took_s"`            // so far
	Length  float64   `json:"length_s"`          // that it will take at least
	Began   time.Time `json:"began,omitzero"`
}
