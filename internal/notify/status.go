package notify

import (
	"context"
	"database/sql"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"weir/internal/db"
	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// A Status is the state of the outbox at a glance; all but Unrouted count deliveries (one per channel, or a thread reply).
type Status struct {
	Unrouted   int64           `json:"unrouted"` // accepted events that are not routed yet
	Sent       int64           `json:"sent"`
	Waiting    int64           `json:"waiting"`
	Held       int64           `json:"held"`
	HeldBack   int64           `json:"held_back"` // of those held: until quiet hours end or a retry had its time; they leave by themselves
	Expired    int64           `json:"expired"`
	Unknown    int64           `json:"unknown"`
	Dead       int64           `json:"dead"`
	Superseded int64           `json:"superseded"`
	OldestWait time.Duration   `json:"oldest_wait_ns"` // of what still has to leave
	Sender     *Sender         `json:"sender"`         // null: nobody sends
	Channels   []ChannelStatus `json:"channels"`
	Messages   []Entry         `json:"messages"` // the newest first
}

// A ChannelStatus says whether a channel works.
type ChannelStatus struct {
	Name    string    `json:"name"`
	State   string    `json:"state"` // ok, blocked, unconfigured
	Reason  string    `json:"reason,omitempty"`
	Fix     string    `json:"fix,omitempty"`
	Since   time.Time `json:"since,omitzero"`
	Waiting int64     `json:"waiting"`
	Pauses  []Pause   `json:"pauses,omitempty"` // what the far side has asked not to be called with for a while
}

// An Entry is one delivery in the outbox.
type Entry struct {
	Delivery int64         `json:"delivery"`
	Event    string        `json:"event"`
	Unit     string        `json:"unit"`
	Job      string        `json:"job"`
	Run      string        `json:"run"`
	Date     string        `json:"business_date,omitempty"` // 2026-11-20
	Outcome  outcome.State `json:"outcome"`
	Notice   bool          `json:"notice,omitempty"` // about the messages themselves: a blocked channel, a dead letter, a digest
	Channel  string        `json:"channel"`
	Part     string        `json:"part"` // root, reply
	State    string        `json:"state"`
	Gate     string        `json:"gate,omitempty"` // what keeps it back: quiet, retry, silence, fold; held without one: its result is unknown
	Op       string        `json:"op,omitempty"`
	Tries    int           `json:"tries"` // calls that failed
	Created  time.Time     `json:"created"`
	NextAt   time.Time     `json:"next_at,omitzero"`
	SentAt   time.Time     `json:"sent_at,omitzero"`
	Ref      string        `json:"ref,omitempty"`
	Reason   string        `json:"reason,omitempty"`
	Title    string        `json:"title"` // the first line
	Text     string        `json:"text"`
}

// Status gives the figures and the last messages, n at most.
func (s *Service) Status(ctx context.Context, n int) (Status, error) {
	var st Status
	q := s.db.Read()
	var event, delivery sql.NullInt64
	err := q.QueryRowContext(ctx, "SELECT (SELECT count(*) FROM event WHERE phase = 'accepted'), (SELECT min(accepted) FROM event WHERE phase = 'accepted'), (SELECT min(created) FROM delivery WHERE "+isOpen+")").
		Scan(&st.Unrouted, &event, &delivery)
	if err != nil {
		return st, err
	}
	for _, at := range []sql.NullInt64{event, delivery} {
		if at.Valid {
			st.OldestWait = max(st.OldestWait, time.Since(db.Time(at.Int64)))
		}
	}
	if err := q.QueryRowContext(ctx, "SELECT count(*) FROM delivery WHERE state = 'held' AND gate <> ''").Scan(&st.HeldBack); err != nil {
		return st, err
	}
	rows, err := q.QueryContext(ctx, "SELECT state, count(*) FROM delivery GROUP BY state")
	if err != nil {
		return st, err
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		var k int64
		if err := rows.Scan(&state, &k); err != nil {
			return st, err
		}
		switch state {
		case stSent:
			st.Sent = k
		case stReady, stRetry, stSending:
			st.Waiting += k
		case stHeld:
			st.Held = k
		case stUnknown:
			st.Unknown = k
		case stDead:
			st.Dead = k
		case stSuperseded:
			st.Superseded = k
		case stExpired:
			st.Expired = k
		}
	}
	if err := rows.Err(); err != nil {
		return st, err
	}
	if st.Sender, err = s.sender(ctx); err != nil {
		return st, err
	}
	if st.Channels, err = s.channelStatus(ctx); err != nil {
		return st, err
	}
	st.Messages, err = s.Outbox(ctx, Filter{Limit: n})
	return st, err
}

func (s *Service) channelStatus(ctx context.Context) ([]ChannelStatus, error) {
	all := map[string]*ChannelStatus{}
	for name := range s.channels {
		all[name] = &ChannelStatus{Name: name, State: "ok"}
	}
	rows, err := s.db.Read().QueryContext(ctx, `SELECT name, state, code, reason, since, 0 FROM channel
		UNION ALL SELECT channel, '', '', '', 0, count(*) FROM delivery WHERE `+isOpen+` GROUP BY channel`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, state, code, reason string
		var since, waiting int64
		if err := rows.Scan(&name, &state, &code, &reason, &since, &waiting); err != nil {
			return nil, err
		}
		c := all[name]
		if c == nil {
			if waiting == 0 {
				continue // a channel of the past
			}
			c = &ChannelStatus{Name: name, State: "unconfigured", Reason: "it is not in units.yaml", Fix: "name it there again"}
			all[name] = c
		}
		c.Waiting += waiting
		if state == "blocked" && c.State == "ok" {
			c.State, c.Reason, c.Since, c.Fix = state, reason, db.Time(since), adviceOf(code)
		}
	}
	if err := s.pauses(ctx, all); err != nil {
		return nil, err
	}
	var out []ChannelStatus
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, *all[name])
	}
	return out, rows.Err()
}

// A Filter chooses entries of the outbox; empty fields choose all.
type Filter struct {
	State   string // ready, retry, sending, unknown, sent, held, dead, superseded, suppressed, expired, dropped; waiting: all that will still leave
	Channel string
	Unit    string
	Job     string
	Event   string
	Limit   int // 0: 100

	id int64 // one delivery
}

// in leaves a zero time one.
func in(t time.Time, zone *time.Location) time.Time {
	if t.IsZero() {
		return t
	}
	return t.In(zone)
}

// Outbox gives deliveries, the newest first, with their times in the zone of their unit.
func (s *Service) Outbox(ctx context.Context, f Filter) ([]Entry, error) {
	var where []string
	var args []any
	add := func(cond, v string) {
		if v != "" {
			where = append(where, cond)
			args = append(args, v)
		}
	}
	if f.State == "waiting" {
		where = append(where, "d."+isOpen)
	} else {
		add("d.state = ?", f.State)
	}
	if f.id != 0 {
		where, args = append(where, "d.id = ?"), append(args, f.id)
	}
	add("d.channel = ?", f.Channel)
	add("e.unit = ?", f.Unit)
	add("e.job = ?", f.Job)
	add("e.id = ?", f.Event)
	query := `SELECT d.id, d.event_id, e.unit, e.job, e.run, e.state, d.channel, d.part, d.state, d.gate, d.op, d.tries, d.created, d.next_at, d.sent_at, d.ref, d.reason, e.view
		FROM delivery d JOIN event e ON e.id = d.event_id`
	if len(where) > 0 {
		query += " WHERE " + strings.Join(where, " AND ")
	}
	if f.Limit == 0 {
		f.Limit = 100
	}
	rows, err := s.db.Read().QueryContext(ctx, query+" ORDER BY d.id DESC LIMIT ?", append(args, f.Limit)...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := []Entry{}
	for rows.Next() {
		var e Entry
		var created, next, sent int64
		var view string
		if err := rows.Scan(&e.Delivery, &e.Event, &e.Unit, &e.Job, &e.Run, &e.Outcome, &e.Channel, &e.Part, &e.State, &e.Gate, &e.Op, &e.Tries, &created, &next, &sent, &e.Ref, &e.Reason, &view); err != nil {
			return nil, err
		}
		var m channel.Message
		if err := json.Unmarshal([]byte(view), &m); err != nil {
			return nil, err
		}
		zone := s.zoneOf(e.Unit)
		e.Created, e.SentAt = in(db.Time(created), zone), in(db.Time(sent), zone)
		if e.State == stReady || e.State == stRetry || e.State == stUnknown || e.State == stHeld && e.Gate != "" {
			e.NextAt = in(db.Time(next), zone)
		}
		e.Title, e.Text, e.Date, e.Notice = m.First(), m.Text(), m.Outcome.BusinessDate(), isNotice(m.Outcome)
		if e.Part == "reply" {
			e.Title, e.Text = m.Reply, m.Reply+"\n"
		}
		out = append(out, e)
	}
	return out, rows.Err()
}
