package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/internal/db"
	"weir/internal/outcome"
)

// ErrNoEvent says that an event is not in the outbox.
var ErrNoEvent = errors.New("no such event or job")

// An Explanation says why somebody did, or did not, get a message.
type Explanation struct {
	Event      string           `json:"event"`
	Key        string           `json:"key"`
	Accepted   time.Time        `json:"accepted"`
	Routed     bool             `json:"routed"`
	Outcome    outcome.Outcome  `json:"outcome"` // as it came
	Told       outcome.State    `json:"told"`    // as it was told: ready after failed is recovered
	Decisions  []Decision       `json:"decisions"`
	Deliveries []DeliveryDetail `json:"deliveries"`
	Silent     []Silent         `json:"silent"` // the other channels of units.yaml
	zone       *time.Location
}

// A DeliveryDetail is a delivery with its tries.
type DeliveryDetail struct {
	Entry
	Attempts []Attempt `json:"attempts"`
}

// An Attempt is one call to a channel.
type Attempt struct {
	At     time.Time     `json:"at"`
	Action string        `json:"action"` // post, edit, reply, look
	Class  string        `json:"class"`  // ok, found, absent, again, unknown, blocked, refused, vanished
	Code   string        `json:"code,omitempty"`
	HTTP   int           `json:"http,omitempty"`
	Error  string        `json:"error,omitempty"`
	Took   time.Duration `json:"took_ns"`
}

// Explain tells the way of an event: by its id, the beginning of its id, a run, or a job (its last event).
func (s *Service) Explain(ctx context.Context, what string) (Explanation, error) {
	x := Explanation{zone: s.zone}
	var accepted int64
	var phase, doc string
	err := s.db.Read().QueryRowContext(ctx, `SELECT id, key, accepted, phase, state, doc FROM event
		WHERE id = ?1 OR length(?1) >= 6 AND substr(id, 1, length(?1)) = ?1 OR job = ?1 OR run = ?1 ORDER BY id = ?1 DESC, seq DESC LIMIT 1`, what).
		Scan(&x.Event, &x.Key, &accepted, &phase, &x.Told, &doc)
	if errors.Is(err, sql.ErrNoRows) {
		return x, fmt.Errorf("explain %s: %w", what, ErrNoEvent)
	}
	if err != nil {
		return x, err
	}
	x.Accepted, x.Routed = db.Time(accepted), phase == "routed"
	if err := json.Unmarshal([]byte(doc), &x.Outcome); err != nil {
		return x, err
	}
	if x.Decisions, err = s.decisions(ctx, x.Event); err != nil {
		return x, err
	}
	entries, err := s.Outbox(ctx, Filter{Event: x.Event})
	if err != nil {
		return x, err
	}
	slices.Reverse(entries)
	x.Deliveries = []DeliveryDetail{}
	for _, e := range entries {
		a, err := s.attempts(ctx, e.Delivery)
		if err != nil {
			return x, err
		}
		x.Deliveries = append(x.Deliveries, DeliveryDetail{e, a})
	}
	x.Silent = s.silent(x)
	return x, nil
}

func (s *Service) decisions(ctx context.Context, event string) ([]Decision, error) {
	rows, err := s.db.Read().QueryContext(ctx, "SELECT doc FROM decision WHERE event_id = ? ORDER BY n", event)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Decision{}
	for rows.Next() {
		var doc string
		var d Decision
		if err := rows.Scan(&doc); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(doc), &d); err != nil {
			return nil, err
		}
		out = append(out, d)
	}
	return out, rows.Err()
}

func (s *Service) attempts(ctx context.Context, delivery int64) ([]Attempt, error) {
	rows, err := s.db.Read().QueryContext(ctx, "SELECT at, action, class, code, http, error, ms FROM attempt WHERE delivery = ? ORDER BY n", delivery)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Attempt{}
	for rows.Next() {
		var a Attempt
		var at, ms int64
		if err := rows.Scan(&at, &a.Action, &a.Class, &a.Code, &a.HTTP, &a.Error, &ms); err != nil {
			return nil, err
		}
		a.At, a.Took = db.Time(at), time.Duration(ms)*time.Millisecond
		out = append(out, a)
	}
	return out, rows.Err()
}

func (d Decision) String() string {
	s := d.Path + ": " + d.Action
	if d.Channel != "" {
		s += " " + d.Channel
	}
	switch {
	case d.Action == "matched":
		s += ": " + d.When
	case d.Reason != "":
		s += ": " + d.Reason
	}
	return s
}

// Text is the explanation for people; it ends with the reason for each channel.
func (x Explanation) Text() string {
	var b strings.Builder
	o := x.Outcome
	fmt.Fprintf(&b, "event %s: %s of %s", x.Event, o.State, o.Job)
	if o.Unit != "" {
		fmt.Fprintf(&b, " (unit %s)", o.Unit)
	}
	fmt.Fprintf(&b, ", run %s\n", o.RunID)
	fmt.Fprintf(&b, "  accepted %s, on the disk\n", x.clock(x.Accepted))
	if !x.Routed {
		b.WriteString("  not routed yet: no sender has run since; `notify serve` or `notify emit` sends\n")
		return b.String()
	}
	fmt.Fprintf(&b, "  about %s\n", x.Key)
	if x.Told != o.State {
		fmt.Fprintf(&b, "  told as %s: a failure had been told before\n", x.Told)
	}
	b.WriteString("routes\n")
	for _, d := range x.Decisions {
		b.WriteString("  " + d.String() + "\n")
	}
	for _, d := range x.Deliveries {
		fmt.Fprintf(&b, "channel %s, %s: %s\n", d.Channel, map[string]string{"root": "message", "reply": "reply in its thread"}[d.Part], x.end(d))
		for _, a := range d.Attempts {
			b.WriteString("  " + x.clock(a.At) + "  " + a.String() + "\n")
		}
	}
	for _, c := range x.Silent {
		fmt.Fprintf(&b, "channel %s: not told: %s\n", c.Channel, c.Reason)
	}
	return b.String()
}

func (a Attempt) String() string {
	s := a.Action + ": " + a.Class
	if a.Code != "" {
		s += ", " + a.Code
	}
	if a.HTTP != 0 && a.HTTP != 200 {
		s += fmt.Sprintf(" (HTTP %d)", a.HTTP)
	}
	if a.Error != "" {
		s += ": " + a.Error
	}
	return s + fmt.Sprintf(", %d ms", a.Took.Milliseconds())
}

func (x Explanation) clock(t time.Time) string {
	return t.In(x.zone).Format("2006-01-02 15:04:05.000 MST")
}

// end says where a delivery stands, and why.
func (x Explanation) end(d DeliveryDetail) string {
	s := d.State
	switch d.State {
	case stSent:
		s += " " + x.clock(d.SentAt)
		if d.Ref != "" {
			s += ", there it is " + d.Ref
		}
	case stReady, stRetry, stUnknown:
		s += ", next try " + x.clock(d.NextAt)
	}
	if d.Reason != "" {
		s += ": " + d.Reason
	}
	switch {
	case d.State == stHeld && d.Gate != "":
		s += fmt.Sprintf("; `notify dead redrive %d` tells it at once", d.Delivery)
	case d.State == stDead || d.State == stHeld || d.State == stExpired:
		s += fmt.Sprintf("; `notify dead redrive %d` tries it again", d.Delivery)
	}
	return s
}
