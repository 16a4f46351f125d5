package sns

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sns/types"

	"weir/internal/notify/channel"
)

// SNS's limits: bytes of body and attributes, characters of a subject, bytes of a free text in the body (ours, so that a
// stack trace cannot make the whole too big).
const (
	maxBytes   = 256 << 10
	maxSubject = 100
	maxFree    = 8 << 10
)

func (t *topic) input(p channel.Post) (*sns.PublishInput, error) {
	in := &sns.PublishInput{TopicArn: &t.Topic, MessageAttributes: attributes(p)}
	if t.Format == Text {
		in.Message = aws.String(strings.ToValidUTF8(trim(p.Message.Text(), maxBytes/2), ""))
		in.Subject = aws.String(subject(p.Message))
	} else {
		body, err := json.Marshal(event(p))
		if err != nil {
			return nil, err
		}
		in.Message = aws.String(string(body))
	}
	if t.fifo {
		in.MessageGroupId, in.MessageDeduplicationId = aws.String(group(p.Group)), &p.ID
	}
	size := len(*in.Message)
	for k, a := range in.MessageAttributes {
		size += len(k) + len(*a.DataType) + len(*a.StringValue)
	}
	if size > maxBytes {
		return nil, fmt.Errorf("%d bytes with its attributes, SNS takes %d", size, maxBytes)
	}
	return in, nil
}

// attributes are for filter policies: all lower case, at most nine, as raw delivery to SQS drops messages with more than ten.
// MessageStructure=json is never used: SNS would not send them.
func attributes(p channel.Post) map[string]types.MessageAttributeValue {
	m := p.Message
	out := map[string]types.MessageAttributeValue{}
	set := func(name, value string) {
		if value != "" { // SNS refuses an empty one
			out[name] = types.MessageAttributeValue{DataType: aws.String("String"), StringValue: aws.String(value)}
		}
	}
	set("event_id", m.EventID)
	set("type", eventType(m))
	set("unit", m.Outcome.Unit)
	set("job", m.Outcome.Job)
	set("state", string(m.Outcome.State))
	set("severity", m.Severity)
	set("business_date", m.Outcome.BusinessDate())
	set("usable", strconv.FormatBool(m.Outcome.State.Good()))
	return out
}

func eventType(m channel.Message) string { return "io.weir.job." + string(m.Outcome.State) + ".v1" }

type cloudEvent struct {
	SpecVersion string `json:"specversion"`
	ID          string `json:"id"`
	Source      string `json:"source"`
	Type        string `json:"type"`
	Subject     string `json:"subject"`
	Time        string `json:"time,omitempty"`
	ContentType string `json:"datacontenttype"`
	Data        data   `json:"data"`
}

type data struct {
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
	Started     time.Time `json:"started,omitzero"`
	Ended       time.Time `json:"ended,omitzero"`
	Rows        rows      `json:"rows"`
	Cause       *cause    `json:"cause,omitempty"`
	Todo        string    `json:"todo"`
	Ask         string    `json:"ask,omitempty"`
	Incident    string    `json:"incident_id,omitempty"`
	Text        string    `json:"text"`
}

type rows struct {
	In       int64 `json:"in"`
	Loaded   int64 `json:"loaded"`
	Rejected int64 `json:"rejected"`
	Filtered int64 `json:"filtered,omitempty"`
}

type cause struct {
	Code      string `json:"code,omitempty"`
	Text      string `json:"text,omitempty"`
	Retryable bool   `json:"retryable"`
}

func event(p channel.Post) cloudEvent {
	m, o := p.Message, p.Message.Outcome
	e := cloudEvent{
		SpecVersion: "1.0", ID: m.EventID, Source: "/weir", Type: eventType(m), Subject: m.Key, ContentType: "application/json",
		Data: data{
			Unit: o.Unit, Job: o.Job, Title: o.Title, Date: o.BusinessDate(), Run: o.RunID, Revision: m.Revision,
			Attempt: o.Attempt, MaxAttempts: o.MaxAttempts, State: string(o.State), Previous: string(m.Previous),
			Severity: m.Severity, Usable: o.State.Good(), LastGood: m.LastGood, Started: o.Started, Ended: o.Ended,
			Rows: rows{o.RowsIn, o.RowsOut, o.Rejected, o.Filtered}, Todo: trim(m.Todo, maxFree), Ask: m.Ask,
			Incident: m.Incident, Text: trim(m.Short(), maxFree),
		},
	}
	if at := o.When(); !at.IsZero() {
		e.Time = at.UTC().Format(time.RFC3339Nano)
	}
	if o.Cause.Text != "" || o.Cause.Code != "" {
		e.Data.Cause = &cause{o.Cause.Code, trim(o.Cause.Text, maxFree), o.Cause.Retryable}
	}
	return e
}

// subject is ASCII, without line breaks, and starts with a letter: SNS refuses others.
func subject(m channel.Message) string {
	s := strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, m.Word+" "+m.Subject)
	return trim(strings.TrimSpace(s), maxSubject)
}

// group keeps a unit's job in order; SNS takes letters, digits and ASCII punctuation, 128 at most.
func group(s string) string {
	s = strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '_'
		}
		return r
	}, s)
	return trim(s, 128)
}

func trim(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n-3], "") + "..."
	}
	return s
}

// Preview gives what programs that read the topic would get.
func Preview(p channel.Post) any {
	attr := map[string]string{}
	for k, v := range attributes(p) {
		attr[k] = *v.StringValue
	}
	return map[string]any{"attributes": attr, "message": event(p)}
}
