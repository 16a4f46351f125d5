package notify

import (
	"weir/internal/notify/channel"
	"weir/internal/notify/words"
	"weir/internal/outcome"
)

// Notices are what notify itself has to tell: a channel is blocked, a message could not be delivered. They are outcomes like
// others, so that they are as durable, but go to the fallback channels and never cause notices of their own.
const (
	kindChannel = "notify.channel" // Job is the channel
	kindDead    = "notify.message" // Job is the channel, Title what the message was about
	kindDigest  = "notify.digest"  // of a unit
)

func isNotice(o outcome.Outcome) bool {
	return o.Kind == kindChannel || o.Kind == kindDead || o.Kind == kindDigest
}

// notice replaces the words for data by words for messages.
func (t telling) notice(m *channel.Message) {
	o, w := t.Outcome, t.words().Own
	m.Lines, m.Rows, m.Ask = nil, "", t.Ask
	m.Footer = "weir notify · " + words.Fill(w.Footer, "channel", o.Job, "at", t.clock(o.When())) + " · " + t.Zone.String()
	say := w.Works
	switch m.Symbol = "✅"; {
	case o.Kind == kindDead:
		m.Symbol, say = "✖", w.Dead
	case o.State == outcome.Failed:
		m.Symbol, say = "✖", w.Blocked
	}
	m.Word, m.Verdict = say.Word, say.Verdict
	m.Subject = words.Fill(say.Subject, "channel", o.Job, "about", o.Title)
	m.Todo = words.Fill(say.Todo, "event", o.LogRef, "advice", t.words().Advice[adviceFor(o.Cause.Code)])
	m.Reply = m.First()
}

// adviceOf says in English how to mend a blocked channel: that is what the tools speak.
func adviceOf(code string) string { return words.Of("").Advice[adviceFor(code)] }

// adviceFor names the advice for a blocked channel; empty: there is none.
func adviceFor(code string) string {
	switch code {
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "no_token":
		return "token"
	case "not_in_channel":
		return "invite"
	case "channel_not_found", "is_archived":
		return "channel"
	case "missing_scope":
		return "scopes"
	case "AuthorizationError", "no_credentials", "InvalidClientTokenId", "NotFound":
		return "topic"
	case "unreachable", "timeout", "connection":
		return "network"
	case "bad_certificate":
		return "certificate"
	case "no_starttls":
		return "starttls"
	case "no_password", "no_auth", "smtp_530", "smtp_534", "smtp_535":
		return "login"
	case "smtp_550", "smtp_551", "smtp_553", "bad_address":
		return "addresses"
	case "no_secret", "no_url", "bad_url":
		return "reference"
	case "http_401", "http_403":
		return "receiver"
	case "http_404", "http_405", "http_410", "http_301", "http_302", "http_307", "http_308":
		return "moved"
	case "no_service", "no_active_hooks", "invalid_token", "action_prohibited", "channel_is_archived":
		return "hook"
	case "not_writable", "write_failed":
		return "file"
	}
	return ""
}
