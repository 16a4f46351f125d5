package notify

import (
	"fmt"

	"weir/internal/notify/channel"
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
	o := t.Outcome
	m.Lines, m.Rows, m.Ask = nil, "", t.Ask
	m.Footer = fmt.Sprintf("weir notify · channel %s · %s · %s", o.Job, t.clock(o.When()), t.Zone)
	switch {
	case o.Kind == kindDead:
		m.Symbol, m.Word, m.Verdict = "✖", "NOT DELIVERED", "its readers do not know"
		m.Subject = "Message to channel " + o.Job + " about " + o.Title
		m.Todo = "tell them by other means; `notify explain " + o.LogRef + "` shows each try."
	case o.State == outcome.Failed:
		m.Symbol, m.Word, m.Verdict = "✖", "BLOCKED", "messages wait there"
		m.Subject = "Channel " + o.Job
		m.Todo = "mend it (" + advice(o.Cause.Code) + "); the messages that wait leave by themselves."
	default:
		m.Symbol, m.Word, m.Verdict = "✅", "WORKS AGAIN", "messages leave"
		m.Subject = "Channel " + o.Job
		m.Todo = "nothing."
	}
	m.Reply = m.First()
}

// advice says how to mend a blocked channel.
func advice(code string) string {
	switch code {
	case "invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "no_token":
		return "put a valid token where units.yaml points to"
	case "not_in_channel":
		return "invite the app to the channel"
	case "channel_not_found", "is_archived":
		return "name a channel that exists in units.yaml"
	case "missing_scope":
		return "give the app the scopes chat:write and channels:history"
	case "AuthorizationError", "no_credentials", "InvalidClientTokenId", "NotFound":
		return "check the topic's ARN, its policy and the AWS credentials"
	case "unreachable", "timeout", "connection":
		return "see whether this machine reaches that address: name, network, proxy"
	case "bad_certificate":
		return "let the far side show a certificate that this machine trusts for its name"
	case "no_starttls":
		return "use a mail server that can STARTTLS, or security: tls"
	case "no_password", "no_auth", "smtp_530", "smtp_534", "smtp_535":
		return "check user and password of the mail server"
	case "smtp_550", "smtp_551", "smtp_553", "bad_address":
		return "name addresses that the mail server takes"
	case "no_secret", "no_url", "bad_url":
		return "put it where units.yaml points to"
	case "http_401", "http_403":
		return "check the token that the receiver wants"
	case "http_404", "http_405", "http_410", "http_301", "http_302", "http_307", "http_308":
		return "name the receiver's present address in units.yaml"
	case "no_service", "no_active_hooks", "invalid_token", "action_prohibited", "channel_is_archived":
		return "make a new incoming webhook, and put its address where units.yaml points to"
	case "not_writable", "write_failed":
		return "make the file's directory writable"
	}
	return "see the reason above"
}
