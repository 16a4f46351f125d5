package notify

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/notify/mail"
	"weir/internal/notify/slack"
	"weir/internal/notify/sns"
	"weir/internal/notify/words"
	"weir/internal/outcome"
)

// Formats of Preview.
func Formats() []string { return []string{"text", "slack", "sns", "email", "aws-chat"} }

// Preview shows the message about an outcome without an outbox: as text, or as what Slack, a topic, a
// mailbox or Amazon Q Developer gets. It also says which of the unit's own words could not be used.
func Preview(u Units, o outcome.Outcome, as string) (string, []Decision, error) {
	s, err := plan(u)
	if err != nil {
		return "", nil, err
	}
	p, unused, err := s.post(o)
	if err != nil {
		return "", nil, err
	}
	text, err := s.render(p, as)
	return text, unused, err
}

// Preview shows the message about an outcome without sending it.
func (s *Service) Preview(o outcome.Outcome, as string) (string, error) {
	p, _, err := s.post(o)
	if err != nil {
		return "", err
	}
	return s.render(p, as)
}

// render is a post in one of Formats.
func (s *Service) render(p channel.Post, as string) (string, error) {
	var v any
	switch as {
	case "", "text":
		return p.Message.Text(), nil
	case "slack":
		v = slack.Payload(p)
	case "sns":
		v = sns.Preview(p, s.units.Defaults.Env)
	case "email":
		return mail.Preview(p), nil
	case "aws-chat":
		v = sns.PreviewChat(p)
	default:
		return "", fmt.Errorf("preview as %q: one of %v", as, Formats())
	}
	b, err := json.MarshalIndent(v, "", "  ")
	return string(b) + "\n", err
}

func (s *Service) post(o outcome.Outcome) (channel.Post, []Decision, error) {
	o = o.Scrubbed()
	if err := o.Validate(); err != nil {
		return channel.Post{}, nil, err
	}
	o.Unit = s.rules.unitOf(o)
	t := telling{Outcome: o, EventID: o.EventID(), Key: keyOf(o), Revision: 1, Zone: s.zoneOf(o.Unit), Language: s.language(o.Unit), Ask: s.units.Units[o.Unit].Ask, Templates: s.templates(o.Unit), Due: s.due(o)}
	m, unused := t.message()
	return channel.Post{ID: t.EventID + ".root", Group: o.Unit + "/" + o.Job, Message: m}, unused, nil
}

// Try sends a test message to one channel at once, past the outbox, and says what the channel said.
func (s *Service) Try(ctx context.Context, name string) (channel.Receipt, error) {
	c, err := s.channel(name)
	if err != nil {
		return channel.Receipt{}, err
	}
	now := time.Now()
	o := outcome.Outcome{RunID: fmt.Sprintf("test-%d", now.UnixMilli()), Job: "test", State: outcome.Ready, At: now}
	w := s.words(s.rules.unitOf(o)).Own
	o.Title, o.Todo = w.TestTitle, words.Fill(w.TestTodo, "channel", name)
	p, _, err := s.post(o)
	if err != nil {
		return channel.Receipt{}, err
	}
	call, stop := context.WithTimeout(ctx, s.opt.CallTimeout)
	defer stop()
	r, err := c.Send(call, p)
	if err != nil {
		return r, fmt.Errorf("channel %s: %w", name, err)
	}
	return r, nil
}

// Advice says how to mend a channel that answered with this error; empty if that is not known.
func Advice(err error) string {
	if f := channel.Classify(err); f.Class == channel.Blocked {
		return adviceOf(f.Code)
	}
	return ""
}
