// Package cloudevent writes messages for programs: CloudEvents 1.0 in JSON, structured mode.
//
// Start with [Marshal]. It keeps to a size: lists and free texts are cut, the JSON never is.
package cloudevent

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"time"

	"weir/internal/notify/channel"
)

// ContentType of what Marshal gives.
const ContentType = "application/cloudevents+json; charset=utf-8"

// An Event is a message in the words of CloudEvents.
type Event struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Subject     string `json:"subject"`
	Time        string `json:"time,omitempty"`
	ContentType string `json:"datacontenttype"`
	Data        Data   `json:"data"`
}

// Data is what became of the run.
type Data struct {
	Unit        string    `json:"unit"`
	Job         string    `json:"job"`
	Title       string    `json:"title,omitempty"`
	Date        string    `json:"business_date,omitempty"`
	Run         string    `json:"run_id"`
	Revision    int       `json:"revision"`
	Attempt     int       `json:"attempt,omitempty"`
	MaxAttempts int       `json:"max_attempts,omitempty"`
	State       string    `json:"state"`
	Previous    string    `json:"previous_state,omitempty"`
	Severity    string    `json:"severity"`
	Usable      bool      `json:"usable"`
	LastGood    string    `json:"last_good_business_date,omitempty"`
	Due         time.Time `json:"due,omitzero"` // when the data had to be ready
	Started     time.Time `json:"started,omitzero"`
	Ended       time.Time `json:"ended,omitzero"`
	Rows        Rows      `json:"rows"`
	Cause       *Cause    `json:"cause,omitempty"`
	Blocked     []string  `json:"blocked,omitempty"` // jobs that wait for this one
	Inputs      []string  `json:"inputs,omitempty"`
	Outputs     []string  `json:"outputs,omitempty"`
	Todo        string    `json:"todo"`
	Ask         string    `json:"ask,omitempty"`
	Log         string    `json:"log,omitempty"` // where to read on, also what was cut here
	Links       *Links    `json:"links,omitempty"`
	Incident    string    `json:"incident_id,omitempty"`
	Text        string    `json:"text"`
	Cut         bool      `json:"cut,omitempty"` // it was too long: lists or texts are shortened
}

// Rows counts them.
type Rows struct {
	In       int64 `json:"in"`
	Loaded   int64 `json:"loaded"`
	Rejected int64 `json:"rejected"`
	Filtered int64 `json:"filtered,omitempty"`

	UsualLow  *int64   `json:"usual_low,omitempty"` // of earlier days, mostly of the same weekday
	UsualHigh *int64   `json:"usual_high,omitempty"`
	VsUsual   *float64 `json:"vs_usual_pct,omitempty"` // loaded against their median
}

// Links are addresses for people.
type Links struct {
	Run      string `json:"run,omitempty"` // the run's log
	Rejected string `json:"rejected,omitempty"`
	Runbook  string `json:"runbook,omitempty"`
}

// Cause says why.
type Cause struct {
	Code      string `json:"code,omitempty"`
	Text      string `json:"text,omitempty"`
	Retryable bool   `json:"retryable"`
}

// Type is the event's type: io.weir.job.failed.v1. What notify tells of itself (a blocked channel, a digest) is no job's:
// io.weir.notify.channel.failed.v1.
func Type(m channel.Message) string {
	about := "job"
	if own := m.Outcome.Kind; strings.HasPrefix(own, "notify.") {
		about = own
	}
	return "io.weir." + about + "." + string(m.Outcome.State) + ".v1"
}

// Source names who says it: /weir, or /weir/prod-emr where units.yaml names the environment.
func Source(env string) string {
	if env == "" {
		return "/weir"
	}
	return "/weir/" + env
}

// free is how many bytes of a free text are kept, so that a stack trace does not make the whole too big.
const free = 8 << 10

// Of makes the event. limit is the most bytes of a text and 1 + limit/64 the most entries of a list.
func Of(p channel.Post, env string, limit int) Event {
	m, o := p.Message, p.Message.Outcome
	cut := false
	text := func(s string) string {
		short := Trim(s, limit)
		cut = cut || short != s
		return short
	}
	list := func(n int, name func(int) string) (out []string) {
		most := 1 + limit/64
		for i := range min(n, most) {
			out = append(out, text(name(i)))
		}
		if n > most {
			cut = true
			out = append(out, fmt.Sprintf("and %d more", n-most))
		}
		return out
	}
	e := Event{
		SpecVersion: "1.0", ID: m.EventID, Source: Source(env), Type: Type(m), Subject: text(m.Key), ContentType: "application/json",
		Data: Data{
			Unit: text(o.Unit), Job: text(o.Job), Title: text(o.Title), Date: o.BusinessDate(), Run: text(o.RunID), Revision: m.Revision,
			Attempt: o.Attempt, MaxAttempts: o.MaxAttempts, State: string(o.State), Previous: string(m.Previous),
			Severity: m.Severity, Usable: o.State.Good(), LastGood: m.LastGood, Due: utc(m.Due), Started: o.Started, Ended: o.Ended,
			Rows: rows(m), Todo: text(m.Todo), Ask: text(m.Ask), Log: text(o.LogRef),
			Incident: text(m.Incident), Text: text(m.Short()),
			Blocked: list(len(m.Waiting), func(i int) string { return m.Waiting[i] }),
			Inputs:  list(len(o.Inputs), func(i int) string { return o.Inputs[i].Name }),
			Outputs: list(len(o.Outputs), func(i int) string { return o.Outputs[i].Name }),
		},
	}
	if at := o.When(); !at.IsZero() {
		e.Time = at.UTC().Format(time.RFC3339Nano)
	}
	e.Data.Links = links(m, text)
	if o.Cause.Text != "" || o.Cause.Code != "" {
		e.Data.Cause = &Cause{text(o.Cause.Code), text(o.Cause.Text), o.Cause.Retryable}
	}
	e.Data.Cut = cut
	return e
}

// links are those of units.yaml; for the run's log else what the event says. None is cut: half an address leads nowhere.
func links(m channel.Message, text func(string) string) *Links {
	var all Links
	whole := func(url string) string {
		if text(url) == url {
			return url
		}
		return ""
	}
	if log := m.Outcome.LogRef; strings.HasPrefix(log, "https://") || strings.HasPrefix(log, "http://") {
		all.Run = whole(log)
	}
	for _, l := range m.Links {
		switch l.Name {
		case "run":
			all.Run = whole(l.URL)
		case "rejected":
			all.Rejected = whole(l.URL)
		case "runbook":
			all.Runbook = whole(l.URL)
		}
	}
	if all == (Links{}) {
		return nil
	}
	return &all
}

func rows(m channel.Message) Rows {
	o := m.Outcome
	r := Rows{In: o.RowsIn, Loaded: o.RowsOut, Rejected: o.Rejected, Filtered: o.Filtered}
	if u := m.Usual; u != nil {
		change := math.Round(10*u.Change) / 10
		r.UsualLow, r.UsualHigh, r.VsUsual = &u.Low, &u.High, &change
	}
	return r
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// Marshal writes the event in at most so many bytes; it fails only if even the bare minimum is longer.
func Marshal(p channel.Post, env string, most int) ([]byte, error) {
	limit := free
	if p.Plain {
		limit = free / 16 // the far side has refused the long form
	}
	for ; ; limit /= 2 {
		b, err := json.Marshal(Of(p, env, limit))
		if err != nil || len(b) <= most {
			return b, err
		}
		if limit < 32 {
			return nil, fmt.Errorf("%d bytes at the shortest, at most %d can be sent", len(b), most)
		}
	}
}

// Trim shortens to n bytes (at least 3) without tearing a character.
func Trim(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n-3], "") + "..."
	}
	return s
}
