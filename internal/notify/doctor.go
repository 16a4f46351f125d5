package notify

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"weir/internal/notify/channel"
)

// A Diagnosis is what Doctor has found out about one channel, or, without a channel, about units.yaml.
type Diagnosis struct {
	Channel  string            `json:"channel,omitempty"`
	Kind     string            `json:"kind"`
	Findings []channel.Finding `json:"findings"`
}

// Bad reports whether messages do not leave.
func (d Diagnosis) Bad() bool {
	return slices.ContainsFunc(d.Findings, func(f channel.Finding) bool { return f.Level == channel.Bad })
}

// Doctor examines these channels, or all, without sending a message: do tokens and permissions suffice, can the far side be
// reached, do the clocks agree, and what follows where a result stays unknown.
func (s *Service) Doctor(ctx context.Context, names ...string) ([]Diagnosis, error) {
	all := []Diagnosis{}
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(s.channels))
		all = append(all, s.examineUnits())
	}
	status, err := s.channelStatus(ctx)
	if err != nil {
		return nil, err
	}
	found := make([]Diagnosis, len(names))
	var wait sync.WaitGroup
	for i, name := range names {
		c, err := s.channel(name)
		if err != nil {
			return nil, fmt.Errorf("%w%s", err, didYouMean(name, slices.Sorted(maps.Keys(s.channels))))
		}
		wait.Go(func() {
			call, stop := context.WithTimeout(ctx, s.opt.CallTimeout)
			defer stop()
			found[i] = Diagnosis{name, s.kind(name), s.examine(call, name, c)}
		})
	}
	wait.Wait()
	for i := range found {
		for _, st := range status {
			if st.Name == found[i].Channel && st.State == "blocked" {
				found[i].Findings = append(found[i].Findings, channel.Finding{Check: "outbox", Level: channel.Note,
					Text: fmt.Sprintf("blocked since %s with %d messages waiting: %s", st.Since.In(s.zone).Format("Mon 2 Jan 15:04 MST"), st.Waiting, st.Reason),
					Fix:  "once it is mended they leave by themselves"})
			}
		}
	}
	return append(all, found...), nil
}

func (s *Service) examine(ctx context.Context, name string, c channel.Channel) []channel.Finding {
	var all []channel.Finding
	if x, ok := c.(channel.Examiner); ok {
		all = x.Examine(ctx)
	}
	seen := false
	for i := range all {
		f := &all[i]
		if f.Check == "look-up" {
			seen = true
			if f.Level != channel.Good {
				f.Text += "; so after an unknown result " + s.consequence(name)
			}
		}
		if f.Fix == "" && f.Level != channel.Good && f.Code != "" {
			f.Fix = adviceOf(f.Code)
		}
	}
	if seen {
		return all
	}
	f := channel.Finding{Check: "look-up", Level: channel.Note}
	switch _, finder, repeater := powers(c); {
	case finder != nil && s.kind(name) == "slack":
		f.Text = "could not be examined: it needs scopes, and what stands above comes first"
	case finder != nil:
		f.Level, f.Text = channel.Good, "a message of unknown result is looked up"
	case repeater != nil:
		f.Level, f.Text = channel.Good, "a message of unknown result is sent again, and its readers drop the second"
	default:
		f.Text = "nobody can tell whether a message has arrived; so after an unknown result " + s.consequence(name)
	}
	return append(all, f)
}

// consequence says what on_unknown does for a channel that cannot be asked.
func (s *Service) consequence(name string) string {
	switch policy := s.onUnknown(name); policy {
	case resend:
		return "it is sent again, perhaps twice (on_unknown: resend)"
	case hold:
		return "it is held until somebody redrives it (on_unknown: hold)"
	}
	return "bad news is sent again, perhaps twice, and good news is held (on_unknown is not set)"
}

func (s *Service) onUnknown(name string) string {
	return cmp.Or(s.units.Channels[name].OnUnknown, s.units.Defaults.OnUnknown)
}

func (s *Service) kind(name string) string { return cmp.Or(s.units.Channels[name].kind(), "own") }

// examineUnits looks at what notify check lets pass.
func (s *Service) examineUnits() Diagnosis {
	d := Diagnosis{Kind: "units"}
	f := channel.Finding{Check: "fallback", Level: channel.Good, Text: strings.Join(s.units.Fallback, ", ")}
	switch {
	case len(s.units.Fallback) == 0:
		f.Level, f.Text = channel.Warn, "there is none: nobody is told when a channel is blocked or a message could not be delivered"
		f.Fix = "name channels of another kind in units.yaml: fallback: [console]"
	case len(s.units.Channels) > 1 && s.sameFate():
		f.Level, f.Text = channel.Note, f.Text+": with the same token as a channel that it stands in for"
		f.Fix = "add a fallback of another kind"
	}
	d.Findings = append(d.Findings, f)
	return d
}

// sameFate reports whether what blocks a channel would block all of its fallbacks too: all are Slack with one token.
func (s *Service) sameFate() bool {
	token := func(name string) Ref {
		if c := s.units.Channels[name].Slack; c != nil {
			return c.Token
		}
		return ""
	}
	first := token(s.units.Fallback[0])
	if first == "" || slices.ContainsFunc(s.units.Fallback, func(n string) bool { return token(n) != first }) {
		return false
	}
	for name := range s.units.Channels {
		if !slices.Contains(s.units.Fallback, name) && token(name) == first {
			return true
		}
	}
	return false
}
