package channel

import (
	"strings"
	"time"

	"weir/internal/outcome"
)

// A Message says what became of a run, in words for business people. All texts are raw: each channel escapes for its own
// format.
type Message struct {
	EventID  string `json:"event_id"`
	Key      string `json:"key"`      // of the thing that is told about: unit/job/date or unit/job/run
	Revision int    `json:"revision"` // 1, 2, … within the key
	Incident string `json:"incident,omitempty"`
	Language string `json:"language,omitempty"` // of its texts: en (or empty), de

	Symbol  string   `json:"symbol"`          // ✅: never alone
	Word    string   `json:"word"`            // READY
	Subject string   `json:"subject"`         // Daily card settlements for Fri 20 Nov 2026
	Verdict string   `json:"verdict"`         // usable
	Lines   []string `json:"lines,omitempty"` // when, how long, what is still valid
	Why     string   `json:"why,omitempty"`   // may come from an error message: never trust it
	Rows    string   `json:"rows,omitempty"`
	Todo    string   `json:"todo"`
	Ask     string   `json:"ask,omitempty"` // whom, as written in units.yaml
	Links   []Link   `json:"links,omitempty"`
	Footer  string   `json:"footer"`            // the technical line
	Reply   string   `json:"reply"`             // one line for the thread
	Waiting []string `json:"waiting,omitempty"` // jobs that wait for this one; they are in Lines already

	Severity string          `json:"severity"`
	Previous outcome.State   `json:"previous,omitempty"` // what was told before
	LastGood string          `json:"last_good,omitempty"`
	Due      time.Time       `json:"due,omitzero"` // when the data had to be ready; zero: nobody has said
	Usual    *Usual          `json:"usual,omitempty"`
	Outcome  outcome.Outcome `json:"outcome"` // for machines
}

// A Link is an address of units.yaml, http or https; what an event put into it is escaped.
type Link struct {
	Name string `json:"name"` // run, rejected, runbook
	Text string `json:"text"` // the same for people, in the message's language
	URL  string `json:"url"`
}

// Usual says how many rows earlier days had, and how this one compares; it is a line of Rows already.
type Usual struct {
	Low    int64   `json:"low"`
	High   int64   `json:"high"`
	Change float64 `json:"change_pct"` // from the median, in per cent
}

// First is the line that says it all: what, for which date, is it usable.
func (m Message) First() string {
	return m.Symbol + " " + m.Word + "  " + m.Subject + ": " + m.Verdict
}

// Short is what screen readers and lock screens show.
func (m Message) Short() string { return m.First() + ". " + m.Labels().Todo + " " + m.Todo }

// Text is the whole message as plain text.
func (m Message) Text() string {
	var b strings.Builder
	line := func(before, s string) {
		if s != "" {
			b.WriteString(before + s + "\n")
		}
	}
	line("", m.First())
	for _, l := range m.Lines {
		line("", l)
	}
	label := m.Labels()
	line(label.Why+" ", m.Why)
	line("", m.Rows)
	line(label.Todo+" ", m.Todo)
	line(label.Ask+" ", m.Ask)
	for _, l := range m.Links {
		line(l.Text+": ", l.URL)
	}
	line("", m.Footer)
	return b.String()
}
