// Package outcome says what became of a run, in weir's words and as an OpenLineage RunEvent.
//
// [Outcome] is what weir means; [FromOutcome] and [RunEvent.Outcome] translate. Events of other producers (Spark, Airflow,
// dbt, Flink) are understood as far as their standard facets go.
//
// # Promises
//
// Outcome -> RunEvent -> JSON -> RunEvent -> Outcome gives the same outcome. [Outcome.EventID] is the same for the same
// outcome on any machine, so that telling it twice is harmless. Text that looks like a secret is struck out.
package outcome

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// A State says how a run stands.
type State string

// The states of a run.
const (
	Running   State = "running"
	Ready     State = "ready"     // the data can be used
	Warning   State = "warning"   // the data can be used with care
	Failed    State = "failed"    // this attempt ended without data
	Cancelled State = "cancelled" // someone stopped it
	Recovered State = "recovered" // ready, after a failure that was told
	Late      State = "late"      // due and not ready; no run says so, the clock does
	Missing   State = "missing"   // due to have started, and has not
	Replaced  State = "replaced"  // the data can be used; another run has published it anew
)

// States are all of them, in the order of a run's life.
func States() []State {
	return []State{Running, Missing, Late, Ready, Warning, Failed, Cancelled, Recovered, Replaced}
}

// Terminal reports whether the attempt is over.
func (s State) Terminal() bool { return s != Running && !s.Overdue() }

// Overdue reports whether a clock has said this, and no run.
func (s State) Overdue() bool { return s == Late || s == Missing }

// Good reports whether the data can be used.
func (s State) Good() bool { return s == Ready || s == Warning || s == Recovered || s == Replaced }

// An Interval is the span of data that a run stands for, [Start, End), as in Airflow. It keeps the zone that it was written in:
// the business date is that of the zone.
type Interval struct {
	Start time.Time `json:"start,omitzero"`
	End   time.Time `json:"end,omitzero"`
}

// IsZero reports whether the run stands for no particular span.
func (i Interval) IsZero() bool { return i.Start.IsZero() && i.End.IsZero() }

// A Cause says why a run did not end well.
type Cause struct {
	Code      string `json:"code,omitempty"` // schema.column_missing
	Text      string `json:"text,omitempty"`
	Retryable bool   `json:"retryable,omitempty"` // trying again can help
}

// A Dataset is a table or topic that a run read or wrote.
type Dataset struct {
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
	Rows      int64  `json:"rows,omitempty"` // 0 if unknown
}

// An Outcome is what became of a run so far. Its zero fields mean "not known".
type Outcome struct {
	RunID string `json:"run_id"`
	Job   string `json:"job"`
	// Namespace is what the job's producer puts before its name: prod-airflow. Empty: weir's own.
	Namespace string `json:"namespace,omitempty"`
	Kind      string `json:"kind,omitempty"`  // ingest, etl, report
	Title     string `json:"title,omitempty"` // what the business calls it
	Unit      string `json:"unit,omitempty"`  // the business unit that is told

	State    State     `json:"state"`
	Severity string    `json:"severity,omitempty"` // info, low, medium, high, critical; empty: by state
	At       time.Time `json:"at,omitzero"`        // when it came to be so

	Interval    Interval  `json:"interval,omitzero"`
	Attempt     int       `json:"attempt,omitempty"` // 1, 2, …
	MaxAttempts int       `json:"max_attempts,omitempty"`
	Revision    int       `json:"revision,omitempty"` // grows with each outcome of the same run
	Started     time.Time `json:"started,omitzero"`
	Ended       time.Time `json:"ended,omitzero"`

	// RowsIn = RowsOut + Rejected + Filtered, where the job counts its input.
	RowsIn   int64 `json:"rows_in,omitempty"`
	RowsOut  int64 `json:"rows_out,omitempty"`
	Rejected int64 `json:"rejected,omitempty"`
	Filtered int64 `json:"filtered,omitempty"`
	Retries  int   `json:"retries,omitempty"` // of batches, within the attempt

	Inputs  []Dataset `json:"inputs,omitempty"`
	Outputs []Dataset `json:"outputs,omitempty"`

	Cause  Cause  `json:"cause,omitzero"`
	Todo   string `json:"todo,omitempty"`    // what the reader should do
	LogRef string `json:"log_ref,omitempty"` // where an engineer reads on

	Expected *Expected `json:"expected,omitempty"` // of late and missing: what the clock knows
}

// Expected is what is known about a run that is overdue. Zero fields are not known.
type Expected struct {
	Due      time.Time `json:"due"`                 // the deadline that was missed
	Started  time.Time `json:"started,omitzero"`    // the run that is under way; zero: none is
	Usual    time.Time `json:"usual,omitzero"`      // when it is usually ready
	IfNow    time.Time `json:"if_now,omitzero"`     // when it would be ready if it started now
	LastGood string    `json:"last_good,omitempty"` // newest business date whose data can be used
	LastRows int64     `json:"last_rows,omitempty"` // its rows
	Next     time.Time `json:"next,omitzero"`       // when this is told again
	Noticed  bool      `json:"noticed,omitempty"`   // nobody was there to notice when the deadline passed
	Silent   time.Time `json:"silent,omitzero"`     // since when no job at all has been heard of
	Inputs   []Needed  `json:"inputs,omitempty"`
}

// Needed is a job whose data the overdue run reads.
type Needed struct {
	Job    string    `json:"job"`
	Ready  time.Time `json:"ready,omitzero"`   // zero: it is not
	Failed bool      `json:"failed,omitempty"` // it was told as failed
}

// BusinessDate is the day that the data stands for, as 2026-11-20; empty if the run stands for no day.
func (o Outcome) BusinessDate() string {
	if o.Interval.Start.IsZero() {
		return ""
	}
	return o.Interval.Start.Format(time.DateOnly)
}

// EventID names this outcome of this run: the same on any machine, after any number of retries.
func (o Outcome) EventID() string {
	h := sha256.New()
	// The attempt is part of it: two attempts of one run that both failed are two things to tell.
	_ = json.NewEncoder(h).Encode([]any{
		o.Unit, o.Job, utc(o.Interval.Start), utc(o.Interval.End), o.RunID, o.State, o.Attempt, o.Revision,
	})
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// When is At, or else the best that is known.
func (o Outcome) When() time.Time {
	for _, t := range []time.Time{o.At, o.Ended, o.Started} {
		if !t.IsZero() {
			return t
		}
	}
	return time.Time{}
}

// Validate says what is missing for an outcome to be told.
func (o Outcome) Validate() error {
	switch {
	case o.Job == "":
		return errMissing("job")
	case o.RunID == "":
		return errMissing("run id")
	case o.State == "":
		return errMissing("state")
	}
	for _, s := range States() {
		if o.State == s {
			return nil
		}
	}
	return errState(o.State)
}

// Scrubbed is the outcome with everything that looks like a secret struck out of its free texts.
func (o Outcome) Scrubbed() Outcome {
	o.Cause.Text, o.Todo, o.LogRef = Scrub(o.Cause.Text), Scrub(o.Todo), Scrub(o.LogRef)
	return o
}
