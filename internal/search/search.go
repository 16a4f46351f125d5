// Package search finds the highest rate at which a target keeps its service levels.
//
// [ParseSLO] reads what has to be kept: 'p99<100ms, freshness<30s, lost=0'. [Config.Next] says which rate to try, given the trials
// that there are, until it has a [Result]; whoever calls it makes the trials.
//
// # Promises
//
// The next step follows from the configuration and the trials alone: there is no clock, no chance and no hidden state, so a search
// that was interrupted goes on from its list of trials as if nothing had happened. It ends within the bounds of trials and time.
//
// A capacity is only said where a rate was kept and a slightly higher one was not, each by the majority of its trials, and where no
// lower rate failed. A trial in which the generator did not keep its schedule says nothing of the target: it is made once more, and
// then the result is a bound ("at least"), never a capacity.
package search

import (
	"fmt"
	"math"
	"time"
)

// Config of a search. Rates are in messages/s or bytes/s.
type Config struct {
	From      float64       `json:"from"`      // the first rate that is tried, and the lowest
	To        float64       `json:"to"`        // the highest
	Precision float64       `json:"precision"` // of the capacity: 0.05
	Repeats   int           `json:"repeats"`   // trials of the rates that decide; the majority counts
	MaxTrials int           `json:"max_trials"`
	MaxTime   time.Duration `json:"max_time_ns"`
	Trial     time.Duration `json:"trial_ns"` // what a trial takes at least, with its warm-up
}

// Bounds of a configuration.
const (
	LeastPrecision, MostPrecision = 0.005, 0.5
	MostRepeats                   = 15
)

// Invalid says what is wrong with the configuration; empty if nothing is.
func (c Config) Invalid() string {
	switch {
	case !(c.From > 0) || math.IsInf(c.From, 0):
		return "from: expected a rate above 0"
	case !(c.To > c.From) || math.IsInf(c.To, 0):
		return fmt.Sprintf("to: expected a rate above that of from (%.6g/s), got %.6g/s", c.From, c.To)
	case !(c.Precision >= LeastPrecision) || c.Precision > MostPrecision:
		return fmt.Sprintf("precision: expected %g%% to %g%%, got %.4g%%", 100*LeastPrecision, 100*MostPrecision, 100*c.Precision)
	case c.Repeats < 1 || c.Repeats > MostRepeats:
		return fmt.Sprintf("repeats: expected 1 to %d, got %d", MostRepeats, c.Repeats)
	case c.MaxTrials < 1:
		return "max trials: expected 1 or more"
	case c.MaxTime < c.Trial || c.Trial < 0:
		return fmt.Sprintf("max time: expected more than one trial takes (%v), got %v", c.Trial, c.MaxTime)
	}
	return ""
}

// An Outcome is what a trial says of its rate.
type Outcome string

// The outcomes.
const (
	Kept    Outcome = "kept"
	NotKept Outcome = "not kept"
	Invalid Outcome = "invalid" // the generator was the bottleneck: nothing is known of the target
)

// A Trial is a run at a constant rate.
type Trial struct {
	Rate    float64            `json:"rate"`
	Outcome Outcome            `json:"outcome"`
	Reason  string             `json:"reason,omitempty"` // what was not kept, or why it is invalid
	Phase   Phase              `json:"phase"`            // why it was made
	Run     string             `json:"run,omitempty"`
	Values  map[string]float64 `json:"values,omitempty"` // of the SLO's metrics: ms, counts, shares
	Took    time.Duration      `json:"took_ns"`
}

// A Phase is why a trial is made.
type Phase string

// The phases, in the order in which most searches go through them.
const (
	Up        Phase = "step up"
	Bisect    Phase = "bisect"
	Edge      Phase = "again at the edge"
	Above     Phase = "check above"
	Below     Phase = "check below"
	Doubt     Phase = "again, as a higher rate was kept"
	DoubtHigh Phase = "again, as a lower rate was not kept"
	Again     Phase = "again, as the generator was late"
)

// A Step is what to do next.
type Step struct {
	Rate  float64
	Phase Phase
}

// A Verdict is the kind of a result.
type Verdict string

// The verdicts.
const (
	Found        Verdict = "capacity"
	AtLeast      Verdict = "at least"     // kept up to the highest rate that was allowed
	Generator    Verdict = "generator"    // the generator is the limit: at least the highest rate kept
	None         Verdict = "not kept"     // not even at the lowest rate
	Inconclusive Verdict = "inconclusive" // trials or time are used up: it lies between the two
)

// A Confidence in a result.
type Confidence string

// High: the deciding trials agree. Medium: most of them do. Low: something contradicts, or was not tried.
const (
	High   Confidence = "high"
	Medium Confidence = "medium"
	Low    Confidence = "low"
)

// A Result of a search.
type Result struct {
	Verdict  Verdict `json:"verdict"`
	Capacity float64 `json:"capacity"` // verdict capacity only: every rate that was tried up to it was kept
	// HighestKept is the highest rate that was kept, LowestNotKept the lowest that was not; 0: there is none. The first is
	// above the second where the target is not monotone.
	HighestKept   float64       `json:"highest_kept"`
	LowestNotKept float64       `json:"lowest_not_kept"`
	Confidence    Confidence    `json:"confidence"`
	Reasons       []string      `json:"reasons"` // of the confidence
	Monotone      bool          `json:"monotone"`
	Spent         time.Duration `json:"spent_ns"`
	Trials        []Trial       `json:"trials"`
}
