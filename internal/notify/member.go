package notify

import (
	"fmt"
	"regexp"
	"time"

	"weir/internal/outcome"
)

// A member is what is known of one run of another engine.
type member struct {
	outcome.Outcome
	Told     outcome.State `json:"told,omitempty"` // what people were told of it last
	Amount   [2]int64      `json:"amount"`         // rows in and out that they were told
	Revision int           `json:"telling"`        // of the next telling
	Worked   bool          `json:"worked"`         // Spark: it has run a job
}

// add takes a further event of the run in; in which order they come makes no difference, except to what is told first.
func (m *member) add(o outcome.Outcome) {
	old := m.Outcome
	m.Outcome = o
	m.Outcome.Revision = 0
	m.Worked = m.Worked || o.State == outcome.Running && o.Revision > 0
	if old.RunID == "" {
		return
	}
	// Spark tells FAIL of an action and then COMPLETE; a run that has ended goes on in no case.
	if rank(old.State) > rank(o.State) {
		m.State, m.At, m.Ended = old.State, old.At, old.Ended
	}
	keep(&m.Unit, old.Unit)
	keep(&m.Title, old.Title)
	keep(&m.Kind, old.Kind)
	keep(&m.Severity, old.Severity)
	if !old.Interval.IsZero() { // the key of the message must not change
		m.Interval = old.Interval
	}
	if !old.Started.IsZero() {
		m.Started = old.Started
	}
	if o.Cause.Text == "" {
		m.Cause = old.Cause
	}
	m.Inputs, m.Outputs = merge(old.Inputs, o.Inputs), merge(old.Outputs, o.Outputs)
}

func keep(now *string, old string) {
	if old != "" {
		*now = old
	}
}

func rank(s outcome.State) int {
	switch s {
	case outcome.Failed:
		return 3
	case outcome.Cancelled:
		return 2
	case outcome.Running:
		return 0
	}
	return 1
}

// merge keeps each dataset once, with the most rows that were told of it.
func merge(a, b []outcome.Dataset) []outcome.Dataset {
	out := append([]outcome.Dataset{}, a...)
next:
	for _, d := range b {
		for i := range out {
			if out[i].Namespace == d.Namespace && out[i].Name == d.Name {
				out[i].Rows = max(out[i].Rows, d.Rows)
				continue next
			}
		}
		out = append(out, d)
	}
	return out
}

// writes are Spark's actions that leave rows behind.
var writes = regexp.MustCompile(`\.(execute_insert|execute_save|append_data|overwrite_|replace_table_as|execute_create\w*_as_select|atomic_replace_table_as)`)

// sum is the outcome of the run with all its parts (itself among them), and whether people have not been told so yet.
func (m *member) sum(parts []member) (o outcome.Outcome, news bool) {
	o = m.Outcome
	o.RowsIn, o.RowsOut, o.Inputs, o.Outputs = 0, 0, nil, nil
	written := map[[2]string]bool{}
	for _, p := range parts {
		for _, d := range p.Outputs {
			written[[2]string{d.Namespace, d.Name}] = true
		}
	}
	var last, bad member
	for _, p := range parts {
		if p.State.Terminal() && p.RunID != m.RunID && !p.Ended.Before(last.Ended) {
			last = p
		}
		if p.State == outcome.Failed && p.Cause.Text != "" && p.RunID != m.RunID && !p.Ended.Before(bad.Ended) {
			bad = p
		}
		var from []outcome.Dataset
		for _, d := range p.Inputs { // what the job has written itself is not its input
			if !written[[2]string{d.Namespace, d.Name}] {
				from = append(from, d)
				o.RowsIn += d.Rows
			}
		}
		for _, d := range p.Outputs {
			o.RowsOut += d.Rows
		}
		o.Inputs, o.Outputs = merge(o.Inputs, from), merge(o.Outputs, p.Outputs)
	}
	spark := o.Kind == "application"
	switch {
	case o.State == outcome.Ready && spark && last.State == outcome.Failed:
		// The listener tells COMPLETE of every application that ends: that its last action has failed says how.
		o.State, o.Cause = outcome.Failed, last.Cause
	case o.State == outcome.Ready && spark && !last.Worked && writes.MatchString(last.Job):
		o.State = outcome.Warning
		o.Cause = outcome.Cause{Code: "spark.unconfirmed", Text: fmt.Sprintf("Spark says that it is complete, but its last write (%s) did no work and told no rows", last.Job)}
	case o.State == outcome.Failed && bad.Cause.Text != "":
		o.Cause.Text = bad.Cause.Text // "task_failure" helps nobody
	case o.State == outcome.Ready:
		o.Cause = outcome.Cause{}
	}
	amount := [2]int64{o.RowsIn, o.RowsOut}
	if !o.State.Terminal() {
		news = m.Told == ""
		o.Ended = time.Time{}
	} else {
		news = o.State != m.Told || amount != m.Amount
		if news && m.Told != "" && m.Told.Terminal() {
			m.Revision++
		}
	}
	if !news {
		return o, false
	}
	o.Revision = m.Revision
	m.Told, m.Amount = o.State, amount
	return o, true
}
