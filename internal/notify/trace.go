package notify

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"weir/internal/db"
	"weir/internal/notify/channel"
)

// A Sender is the process that sends for an outbox.
type Sender struct {
	Here  bool      `json:"here"` // on this machine
	PID   int       `json:"pid"`
	Until time.Time `json:"until"` // a standby takes over then, unless it says before that it lives
}

// sender is who holds the lease; nil if nobody does.
func (s *Service) sender(ctx context.Context) (*Sender, error) {
	tx, err := s.db.Read().BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	defer func() { _ = tx.Rollback() }() // it has only read
	now, err := s.db.Now(ctx, tx)
	if err != nil {
		return nil, err
	}
	var host string
	var pid int
	var until int64
	err = tx.QueryRowContext(ctx, "SELECT host, pid, until FROM lease WHERE name = ?", leaseName).Scan(&host, &pid, &until)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil
	case err != nil:
		return nil, err
	}
	r := &Sender{Here: host != "" && host == here(), PID: pid, Until: db.Time(until)}
	if !r.Until.After(now) || r.Here && isGone(pid) {
		return nil, nil
	}
	return r, nil
}

// A Trace is the way of one delivery: the event with all that became of it, and the message in the forms of its channels.
type Trace struct {
	Delivery DeliveryDetail
	Event    Explanation
	Revision int
	Routes   []Decision // those that lead to this channel
	Fix      string     // what a person can do, if there is anything to do
	Previews []Rendered
}

// A Rendered message is one as a kind of channel gets it.
type Rendered struct{ As, Text string }

// Trace tells the way of a delivery.
func (s *Service) Trace(ctx context.Context, delivery int64) (Trace, error) {
	d, err := s.Delivery(ctx, delivery)
	if err != nil {
		return Trace{}, err
	}
	t := Trace{Delivery: d}
	if t.Event, err = s.Explain(ctx, d.Event); err != nil {
		return t, err
	}
	for _, x := range t.Event.Decisions {
		if x.Action == "matched" || x.Channel == d.Channel {
			t.Routes = append(t.Routes, x)
		}
	}
	if t.Fix, err = s.remedy(ctx, d); err != nil {
		return t, err
	}
	var doc string
	if err := s.db.Read().QueryRowContext(ctx, "SELECT view FROM event WHERE id = ?", d.Event).Scan(&doc); err != nil {
		return t, err
	}
	p := channel.Post{ID: d.Event + "." + d.Part, Group: d.Unit + "/" + d.Job}
	if err := json.Unmarshal([]byte(doc), &p.Message); err != nil {
		return t, err
	}
	t.Revision = p.Message.Revision
	if d.Part == "reply" {
		t.Previews = []Rendered{{"text", d.Text}}
		return t, nil
	}
	for _, as := range Formats() {
		text, err := s.render(p, as)
		if err != nil {
			return t, err
		}
		t.Previews = append(t.Previews, Rendered{as, text})
	}
	return t, nil
}

// remedy is what a person can do for a delivery that has not arrived.
func (s *Service) remedy(ctx context.Context, d DeliveryDetail) (string, error) {
	channels, err := s.channelStatus(ctx)
	if err != nil {
		return "", err
	}
	open := d.State == stReady || d.State == stRetry || d.State == stUnknown || d.State == stSending
	i := slices.IndexFunc(channels, func(c ChannelStatus) bool { return c.Name == d.Channel && c.State != "ok" })
	if open && i >= 0 {
		return channels[i].Fix + "; then it leaves by itself", nil
	}
	code := ""
	for _, a := range d.Attempts {
		code = cmp.Or(a.Code, code)
	}
	switch {
	case d.State == stDead && code != "" && adviceOf(code) != adviceOf(""):
		return adviceOf(code) + ", then redrive it", nil
	case d.State == stDead:
		return "mend what the channel refuses, then redrive it; or drop it with a reason", nil
	case d.State == stExpired:
		return "redrive it if it still matters, or drop it with a reason", nil
	case d.State == stHeld && d.Gate == "":
		return "look in the channel whether it has arrived: if so drop it, if not redrive it", nil
	case d.State == stHeld:
		when := ""
		if !d.NextAt.IsZero() {
			when = " at " + d.NextAt.In(s.zoneOf(d.Unit)).Format("15:04")
		}
		return fmt.Sprintf("it leaves by itself%s; redrive it to tell it now", when), nil
	case open:
		return s.unsent(ctx)
	}
	return "", nil
}

// unsent says what to do where messages wait and nobody sends.
func (s *Service) unsent(ctx context.Context) (string, error) {
	who, err := s.sender(ctx)
	if err != nil || who != nil {
		return "", err
	}
	return "start `notify serve`: nobody sends", nil
}
