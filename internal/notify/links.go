package notify

import (
	"net/url"
	"strings"

	"weir/internal/notify/channel"
)

// Links are addresses in a unit's messages, with places for the event's values. Empty ones are not shown.
type Links struct {
	Run      string `yaml:"run" jsonschema:"description=The run's log: https://airflow.bank.example/runs/{run}"`
	Rejected string `yaml:"rejected" jsonschema:"description=The rejected rows; shown where there are some"`
	Runbook  string `yaml:"runbook" jsonschema:"description=What an engineer does: https://wiki.bank.example/{job}"`
}

// mostAddress is the longest address, in bytes: the channels show each whole or not at all.
const mostAddress = 600

func asText(s string) string { return s }

// asAddress leaves a value no sign that means something in an address.
func asAddress(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// link puts the addresses into a message, as find gives them.
func (t telling) link(m *channel.Message, find func(name string, of func(Links) string) (string, bool)) {
	add := func(name, text string, of func(Links) string) {
		if to, ok := find(name, of); ok {
			m.Links = append(m.Links, channel.Link{Name: name, Text: text, URL: to})
		}
	}
	w := t.words().Links
	add("run", w.Run, func(l Links) string { return l.Run })
	if t.Outcome.Rejected > 0 {
		add("rejected", w.Rejected, func(l Links) string { return l.Rejected })
	}
	add("runbook", w.Runbook, func(l Links) string { return l.Runbook })
}

// validate: an event's values may choose the page, never the server.
func (l Links) validate(path string, no complain) {
	for name, text := range map[string]string{"run": l.Run, "rejected": l.Rejected, "runbook": l.Runbook} {
		if text == "" {
			continue
		}
		if err := checkPlaces(text, ""); err != nil {
			no(path+"."+name, "%v", err)
		}
		_, rest, _ := strings.Cut(text, "://")
		host, _, _ := strings.Cut(rest, "/")
		u, err := url.Parse(strings.NewReplacer("{", "", "}", "").Replace(text))
		if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || strings.ContainsAny(host, "{}") || strings.ContainsAny(text, "<>|\" \t\n") {
			no(path+"."+name, "%q is no address; write one like https://wiki.bank.example/{job}, the server without a place", text)
		}
		if len(text) > mostAddress {
			no(path+"."+name, "it has %d characters; at most %d", len(text), mostAddress)
		}
	}
}
