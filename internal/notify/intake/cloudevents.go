package intake

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"weir/internal/notify"
	"weir/internal/notify/cloudevent"
	"weir/internal/outcome"
)

// cloudEvent is version 1.0; https://github.com/cloudevents/spec.
type cloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Subject     string          `json:"subject"`
	Time        string          `json:"time"`
	ContentType string          `json:"datacontenttype"`
	Data        json.RawMessage `json:"data"`
	Base64      *string         `json:"data_base64"`
}

func decodeCloudEvent(body []byte) ([]notify.Arrival, error) {
	var e cloudEvent
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, malformed("CloudEvent: %w", err)
	}
	if e.Base64 != nil {
		b, err := base64.StdEncoding.DecodeString(*e.Base64)
		if err != nil {
			return nil, malformed("CloudEvent: data_base64: %w", err)
		}
		if err := sane(b); err != nil {
			return nil, err
		}
		e.Data = b
	}
	return e.arrivals()
}

// binary reads a CloudEvent whose attributes are headers: ce-type over HTTP, ce_type in Kafka.
func binary(header func(name string) string, body []byte) ([]notify.Arrival, error) {
	if err := sane(body); err != nil {
		return nil, err
	}
	get := func(name string) string {
		v := header(name)
		if s, err := url.PathUnescape(v); err == nil { // the HTTP binding escapes what is not ASCII
			return s
		}
		return v
	}
	e := cloudEvent{
		SpecVersion: get("specversion"), ID: get("id"), Source: get("source"), Type: get("type"), Subject: get("subject"), Time: get("time"),
		ContentType: header(""), Data: body,
	}
	return e.arrivals()
}

func (e cloudEvent) arrivals() ([]notify.Arrival, error) {
	for name, v := range map[string]string{"id": e.ID, "source": e.Source, "type": e.Type} {
		if v == "" {
			return nil, malformed("CloudEvent: %s is missing", name)
		}
	}
	if major, _, _ := strings.Cut(e.SpecVersion, "."); major != "1" {
		return nil, malformed("CloudEvent: specversion %q; this is 1.0", e.SpecVersion)
	}
	if e.ContentType != "" && !isJSON(e.ContentType) {
		return nil, no(http.StatusUnsupportedMediaType, "CloudEvent: data of type %q; send application/json", e.ContentType)
	}
	state, ours := strings.CutPrefix(e.Type, "io.weir.job.")
	state, v1 := strings.CutSuffix(state, ".v1")
	switch {
	case ours && v1:
		return e.job(state)
	case strings.HasPrefix(e.Type, "io.openlineage."):
		if err := sane(e.Data); err != nil {
			return nil, err
		}
		return decodeRunEvent(e.Data)
	case e.Type == "com.amazonaws.eventbridge" || strings.HasPrefix(e.Type, "aws.emr"):
		return decodeEventBridge(e.Data)
	}
	return nil, no(http.StatusUnprocessableEntity, "CloudEvent: unknown type %q; expected io.weir.job.STATE.v1 (STATE: %s) or io.openlineage.…", e.Type, states())
}

func isJSON(contentType string) bool {
	kind, _, err := mime.ParseMediaType(contentType)
	return err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
}

func states() string {
	var s []string
	for _, st := range outcome.States() {
		s = append(s, string(st))
	}
	return strings.Join(s, ", ")
}

// payload is the data of io.weir.job.*.v1: what channels for programs send, and what only a producer knows.
type payload struct {
	cloudevent.Data
	Namespace string `json:"namespace"`
	Kind      string `json:"kind"`
}

func (e cloudEvent) job(state string) ([]notify.Arrival, error) {
	if err := sane(e.Data); err != nil {
		return nil, err
	}
	var p payload
	if err := json.Unmarshal(e.Data, &p); err != nil {
		return nil, malformed("CloudEvent: data: %w", err)
	}
	if p.State != "" && p.State != state {
		return nil, malformed("CloudEvent: type %s, but data says state %q", e.Type, p.State)
	}
	o := outcome.Outcome{
		RunID: cmp.Or(p.Run, e.ID), Job: p.Job, Namespace: p.Namespace, Kind: p.Kind, Title: p.Title, Unit: p.Unit, State: outcome.State(state), Severity: p.Severity,
		Attempt: p.Attempt, MaxAttempts: p.MaxAttempts, Revision: p.Revision, Started: p.Started, Ended: p.Ended,
		RowsIn: p.Rows.In, RowsOut: p.Rows.Loaded, Rejected: p.Rows.Rejected, Filtered: p.Rows.Filtered,
		Todo: p.Todo, LogRef: p.Log,
	}
	if p.Links != nil {
		o.LogRef = cmp.Or(o.LogRef, p.Links.Run)
	}
	if c := p.Cause; c != nil {
		o.Cause = outcome.Cause{Code: c.Code, Text: c.Text, Retryable: c.Retryable}
	}
	if e.Time != "" {
		at, err := time.Parse(time.RFC3339Nano, e.Time)
		if err != nil {
			return nil, malformed("CloudEvent: time %q: write it as 2026-11-23T07:08:11Z", e.Time)
		}
		o.At = at
	}
	if p.Date != "" {
		day, err := time.Parse(time.DateOnly, p.Date)
		if err != nil {
			return nil, malformed("CloudEvent: data.business_date %q: write it as 2026-11-20", p.Date)
		}
		o.Interval = outcome.Interval{Start: day, End: day.AddDate(0, 0, 1)}
	}
	if err := o.Validate(); err != nil {
		return nil, no(http.StatusUnprocessableEntity, "CloudEvent: %w", err)
	}
	return []notify.Arrival{{Outcome: o}}, nil
}
