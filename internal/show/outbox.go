package show

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"weir/internal/control"
	"weir/internal/notify"
	"weir/internal/outcome"
)

// NotifyScreen is the name of the screen of the outbox, for lines of attention that lead there.
const NotifyScreen = "Notify"

const (
	newestShown   = 100 // messages in a snapshot, beside those in trouble
	troubledShown = 50  // of each kind of trouble
	textsShown    = 20  // with their text: a snapshot goes out some times a second
	deadNamed     = 3   // in lines of their own in what needs attention
	expectedEvery = 10 * time.Second
	unsentAfter   = time.Minute
)

// An Outbox puts the state of the notifications on a hub. It may be used from any goroutine.
type Outbox struct {
	Hub *control.Hub
	Own bool // the screens are this process's

	mu       sync.Mutex
	expected []control.Expected
	asked    time.Time
}

// Look reads the outbox and shows it, with what needs attention.
func (o *Outbox) Look(ctx context.Context, s *notify.Service) (*control.Notify, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.read(ctx, s)
	if err != nil {
		o.fail(err)
		return nil, err
	}
	lines := attention(n, s.Zone())
	o.Hub.Update(func(sn *control.Snapshot) {
		sn.Notify = n
		sn.Attention = slices.DeleteFunc(sn.Attention, func(a control.Attention) bool { return a.Screen == NotifyScreen })
		for _, a := range lines {
			if a.What == failed && slices.ContainsFunc(sn.Attention, func(b control.Attention) bool { return b.Job == a.Job && b.Unit == a.Unit && b.What == failed }) {
				continue // the program that ran it has told why
			}
			sn.Attention = append(sn.Attention, a)
		}
		slices.SortStableFunc(sn.Attention, func(a, b control.Attention) int { return cmp.Compare(rank(a), rank(b)) })
	})
	return n, nil
}

// fail shows why the outbox cannot be read, beside what it was like.
func (o *Outbox) fail(err error) {
	o.Hub.Update(func(sn *control.Snapshot) {
		if sn.Notify == nil {
			sn.Notify = &control.Notify{At: time.Now(), Own: o.Own}
		}
		sn.Notify.Error = err.Error()
	})
}

func rank(a control.Attention) int {
	if a.Level == control.Bad {
		return 0
	}
	return 1
}

func (o *Outbox) read(ctx context.Context, s *notify.Service) (*control.Notify, error) {
	st, err := s.Status(ctx, newestShown)
	if err != nil {
		return nil, err
	}
	n := &control.Notify{
		At: time.Now(), Own: o.Own, Zone: s.Zone().String(), Sender: sender(st.Sender),
		Sent: st.Sent, Waiting: st.Waiting + st.Unrouted, Held: st.Held, Unknown: st.Unknown, Dead: st.Dead, OldestWait: st.OldestWait.Seconds(),
	}
	for _, c := range st.Channels {
		n.Channels = append(n.Channels, channelOf(c, s.Zone()))
	}
	all := st.Messages
	for state, many := range map[string]int64{"waiting": st.Waiting + st.Unknown, "held": st.Held, "dead": st.Dead} {
		if many == 0 {
			continue
		}
		more, err := s.Outbox(ctx, notify.Filter{State: state, Limit: troubledShown})
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	slices.SortFunc(all, func(a, b notify.Entry) int { return cmp.Compare(b.Delivery, a.Delivery) })
	all = slices.CompactFunc(all, func(a, b notify.Entry) bool { return a.Delivery == b.Delivery })
	for i, e := range all {
		m := messageOf(e)
		if i >= textsShown {
			m.Text = ""
		}
		n.Messages = append(n.Messages, m)
	}
	silences, err := s.Silences(ctx, false)
	if err != nil {
		return nil, err
	}
	for _, x := range silences {
		n.Silences = append(n.Silences, silenceOf(x))
	}
	if time.Since(o.asked) > expectedEvery {
		if o.expected, err = expected(ctx, s); err != nil {
			return nil, err
		}
		o.asked = time.Now()
	}
	n.Expected = o.expected
	return n, nil
}

func sender(s *notify.Sender) string {
	switch {
	case s == nil:
		return ""
	case s.Here:
		return fmt.Sprintf("process %d", s.PID)
	}
	return fmt.Sprintf("process %d elsewhere", s.PID)
}

func channelOf(c notify.ChannelStatus, zone *time.Location) control.Channel {
	x := control.Channel{Name: c.Name, State: control.OK, Detail: c.Reason, Fix: c.Fix, Since: c.Since, Waiting: c.Waiting}
	switch {
	case c.State == "blocked":
		x.State = control.Down
	case c.State == "unconfigured":
		x.State = control.Warn
	case len(c.Pauses) > 0:
		p := c.Pauses[0]
		x.Detail = fmt.Sprintf("asks for no %s before %s", p.Method, p.Until.In(zone).Format("15:04:05"))
	}
	return x
}

func messageOf(e notify.Entry) control.Message {
	return control.Message{
		ID: e.Delivery, State: e.State, Gate: e.Gate, Title: e.Title, Job: e.Job, Run: e.Run, Date: e.Date, Outcome: string(e.Outcome), Notice: e.Notice, Unit: e.Unit, Channel: e.Channel,
		Reply: e.Part == "reply", Try: e.Tries, Created: e.Created, NextAt: e.NextAt, At: e.SentAt, Text: e.Text, Why: e.Reason,
	}
}

func silenceOf(x notify.Silence) control.Silence {
	return control.Silence{ID: x.ID, Match: x.Match, Owner: x.Owner, Reason: x.Reason, Until: x.Until, Kept: x.Kept}
}

func expected(ctx context.Context, s *notify.Service) ([]control.Expected, error) {
	today, err := s.ExpectationsToday(ctx)
	if err != nil {
		return nil, err
	}
	var all []control.Expected
	for _, e := range today {
		due := e.Due
		if due.IsZero() {
			due = e.StartBy
		}
		all = append(all, control.Expected{
			Job: e.Job, Unit: e.Unit, Title: e.Title, Date: e.BusinessDate, State: e.State, Why: e.Reason, Due: due, Usual: e.Usual, Ready: e.Ready, Again: e.NextUpdate,
		})
	}
	return all, nil
}

const failed = "FAILED"

// attention is what of the notifications a person has to do something about.
func attention(n *control.Notify, zone *time.Location) []control.Attention {
	var all []control.Attention
	add := func(a control.Attention) {
		a.Screen = NotifyScreen
		all = append(all, a)
	}
	for _, c := range n.Channels {
		if c.State == control.Down {
			add(control.Attention{Level: control.Bad, What: "BLOCKED", Job: c.Name, Since: c.Since, Detail: fmt.Sprintf("%s; %d wait", c.Detail, c.Waiting), Next: c.Fix, Item: c.Name})
		}
	}
	named := 0
	for _, m := range n.Messages {
		if m.State == "dead" && named < deadNamed {
			named++
			add(control.Attention{
				Level: control.Bad, What: "DEAD", Job: m.Job, Unit: m.Unit, Since: m.Created, Detail: m.Channel + ": " + m.Why,
				Next: fmt.Sprintf("notify dead redrive %d, or drop", m.ID), Item: fmt.Sprint(m.ID),
			})
		}
	}
	if rest := n.Dead - int64(named); rest > 0 {
		add(control.Attention{Level: control.Bad, What: "DEAD", Job: fmt.Sprintf("%d more", rest), Since: n.At, Next: "notify dead list", Item: "dead"})
	}
	if oldest := time.Duration(n.OldestWait * float64(time.Second)); n.Sender == "" && n.Waiting > 0 && oldest > unsentAfter {
		add(control.Attention{Level: control.Bad, What: "UNSENT", Job: fmt.Sprintf("%d messages", n.Waiting), Since: n.At.Add(-oldest), Detail: "nobody sends", Next: "notify serve", Item: "waiting"})
	}
	for _, e := range n.Expected {
		a := control.Attention{Level: control.Warn, Job: e.Job, Unit: e.Unit, Since: e.Due, Detail: e.Date, Item: e.Job}
		if !e.Due.IsZero() {
			a.Detail = fmt.Sprintf("%s due %s", e.Date, e.Due.In(zone).Format("15:04"))
		}
		switch e.State {
		case string(outcome.Late):
			a.What = "LATE"
		case string(outcome.Missing):
			a.What, a.Level = "MISSING", control.Bad
		case string(outcome.Failed):
			a.What, a.Level = failed, control.Bad
		default:
			continue
		}
		add(a)
	}
	return all
}
