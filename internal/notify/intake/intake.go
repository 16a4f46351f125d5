// Package intake is how events come in: over HTTP, from a directory, a Kafka topic, a queue of EMR's state changes and the run ledger.
//
// Start with [Decode], which knows all forms, and [Handler]. [Spool], [Kafka], [SQS] and [Relay] each take over from one place
// until they are stopped.
//
// # Promises
//
// An event is acknowledged to whoever sent it (202, file removed, offset committed, message deleted) only after it is on the disk. So each
// input may deliver twice, which is told once: ids follow from what the event says. What can never be accepted is put aside
// with the reason, and does not stop what comes after it. No input needs more memory than a few of the biggest events.
package intake

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"weir/internal/notify"
	"weir/internal/outcome"
)

// MaxBytes of a request, a record, a message or a file's event.
const MaxBytes = 1 << 20

// maxNesting of JSON; an event needs ten.
const maxNesting = 64

// maxBatch of events in one request.
const maxBatch = 1000

// A Taker takes arrivals over, all or none; *notify.Service is one.
type Taker interface {
	AcceptAll(ctx context.Context, all []notify.Arrival) (ids []string, err error)
}

// A Refusal says that an event can never be accepted as it is.
type Refusal struct {
	Status int // of HTTP
	Err    error
}

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

func no(status int, format string, args ...any) error {
	return &Refusal{status, fmt.Errorf(format, args...)}
}

func malformed(format string, args ...any) error { return no(http.StatusBadRequest, format, args...) }

// hopeless reports whether trying again cannot help.
func hopeless(err error) bool {
	var r *Refusal
	return errors.As(err, &r) || errors.Is(err, notify.ErrRefused)
}

// probe tells the forms apart.
type probe struct {
	SpecVersion *string         `json:"specversion"`
	EventType   *string         `json:"eventType"`
	Run         json.RawMessage `json:"run"`
	DetailType  *string         `json:"detail-type"`
	SchemaURL   string          `json:"schemaURL"`
	Type        string          `json:"Type"`
	Message     *string         `json:"Message"`
}

// Decode reads a CloudEvent or a batch of them, an OpenLineage run event, a state change of EMR from EventBridge, or one of these as SNS
// hands it to a queue. An event that says nothing about the end or start of a job gives no arrival. Errors are *Refusal.
func Decode(body []byte) ([]notify.Arrival, error) {
	if err := sane(body); err != nil {
		return nil, err
	}
	return decode(body, true)
}

func decode(body []byte, wrapped bool) ([]notify.Arrival, error) {
	if b := bytes.TrimLeft(body, " \t\r\n"); len(b) > 0 && b[0] == '[' {
		return decodeBatch(body)
	}
	var p probe
	if err := json.Unmarshal(body, &p); err != nil {
		return nil, malformed("no JSON object: %w", err)
	}
	switch {
	case p.SpecVersion != nil:
		return decodeCloudEvent(body)
	case p.DetailType != nil:
		return decodeEventBridge(body)
	case p.EventType != nil || p.Run != nil:
		return decodeRunEvent(body)
	case p.SchemaURL != "": // OpenLineage's events about a dataset or a job without a run
		return nil, nil
	case p.Type == "Notification" && p.Message != nil && wrapped:
		if err := sane([]byte(*p.Message)); err != nil {
			return nil, err
		}
		return decode([]byte(*p.Message), false)
	}
	return nil, no(http.StatusUnprocessableEntity, "unknown event: expected a CloudEvent (specversion), an OpenLineage run event (eventType, run) or a state change of EMR (detail-type)")
}

func decodeBatch(body []byte) ([]notify.Arrival, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		return nil, malformed("no JSON array: %w", err)
	}
	if len(list) > maxBatch {
		return nil, no(http.StatusRequestEntityTooLarge, "%d events in one batch; send %d at most", len(list), maxBatch)
	}
	var all []notify.Arrival
	for i, b := range list {
		one, err := decode(b, true)
		if err != nil {
			var r *Refusal
			errors.As(err, &r)
			return nil, no(r.Status, "event %d of %d: %w; none was accepted", i+1, len(list), r.Err)
		}
		all = append(all, one...)
	}
	return all, nil
}

func decodeRunEvent(body []byte) ([]notify.Arrival, error) {
	e, err := outcome.Parse(body)
	if err != nil {
		return nil, malformed("%w", err)
	}
	return []notify.Arrival{{Event: &e}}, nil
}

// Each reads one JSON value after the other, as files hold them, and says where the first mistake is.
func Each(r io.Reader, do func([]notify.Arrival) error) (n int, err error) {
	in := &bounded{r: r}
	for dec := json.NewDecoder(in); ; n++ {
		var raw json.RawMessage
		in.left = 4 * MaxBytes // for the next value and what the decoder reads ahead
		err := dec.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) || errors.Is(err, io.ErrUnexpectedEOF) {
			return n, malformed("event %d: %w", n+1, err)
		}
		if errors.Is(err, errTooBig) {
			return n, no(http.StatusRequestEntityTooLarge, "event %d: more than %d bytes", n+1, MaxBytes)
		}
		if err != nil {
			return n, err
		}
		all, err := Decode(raw)
		if err != nil {
			var r *Refusal
			errors.As(err, &r)
			return n, no(r.Status, "event %d: %w", n+1, r.Err)
		}
		if err := do(all); err != nil {
			return n, err
		}
	}
}

var errTooBig = errors.New("too big")

// bounded ends a value that has no end.
type bounded struct {
	r    io.Reader
	left int
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooBig
	}
	n, err := b.r.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// sane bounds what the decoders are given.
func sane(b []byte) error {
	if len(b) > MaxBytes {
		return no(http.StatusRequestEntityTooLarge, "%d bytes; send %d at most", len(b), MaxBytes)
	}
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > maxNesting {
				return malformed("JSON is nested more than %d deep", maxNesting)
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return nil
}
