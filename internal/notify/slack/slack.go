// Package slack is the channel to a Slack channel: one message per job run, edited in place, with replies in its thread.
//
// Each post carries its id in the message's metadata. Slack has no idempotency key, so after an unknown result (a time-out,
// a 500, a dropped connection) notify looks the id up in the channel's history before it posts again. That needs the scopes
// chat:write and channels:history (groups:history for a private channel) and the app in the channel.
package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	slackgo "github.com/slack-go/slack"

	"weir/internal/notify/channel"
)

// eventType is the metadata's type; payload {"id": post id}.
const eventType = "weir_post"

// Config says where to post.
type Config struct {
	Channel string                 // id, C0FINDAILY: names can change
	Token   func() (string, error) // asked at each call, so that a mended token works at once
	URL     string                 // of the API, for tests; empty: Slack's
	HTTP    *http.Client           // for tests; nil: channel.Client
}

// New makes the channel.
func New(c Config) channel.Channel {
	if c.URL == "" {
		c.URL = slackgo.APIURL
	}
	if c.HTTP == nil {
		c.HTTP = channel.Client()
	}
	return &slack{c}
}

type slack struct{ Config }

// client has slack-go's own retry switched off (its default): it would hide tries, and post again after a dropped connection.
func (s *slack) client() (*slackgo.Client, error) {
	token, err := s.Token()
	if err != nil {
		return nil, &channel.Failure{Class: channel.Blocked, Code: "no_token", Err: err}
	}
	return slackgo.New(token, slackgo.OptionAPIURL(s.URL), slackgo.OptionHTTPClient(s.HTTP)), nil
}

func (s *slack) Send(ctx context.Context, p channel.Post) (channel.Receipt, error) {
	return s.call(ctx, append(content(p), metadata(p.ID)))
}

func (s *slack) Edit(ctx context.Context, ref string, p channel.Post) (channel.Receipt, error) {
	return s.call(ctx, append(content(p), slackgo.MsgOptionUpdate(ref), metadata(p.ID)))
}

func (s *slack) Reply(ctx context.Context, ref string, p channel.Post) (channel.Receipt, error) {
	text := cut(escape(p.Message.Reply), maxText-300)
	if p.Mention != "" {
		text += " " + mention(p.Mention)
	}
	opts := []slackgo.MsgOption{slackgo.MsgOptionText(text, false), slackgo.MsgOptionTS(ref), metadata(p.ID), slackgo.MsgOptionDisableLinkUnfurl()}
	if p.Loud {
		opts = append(opts, slackgo.MsgOptionBroadcast())
	}
	return s.call(ctx, opts)
}

func metadata(id string) slackgo.MsgOption {
	return slackgo.MsgOptionMetadata(slackgo.SlackMetadata{EventType: eventType, EventPayload: map[string]any{"id": id}})
}

func (s *slack) call(ctx context.Context, opts []slackgo.MsgOption) (channel.Receipt, error) {
	c, err := s.client()
	if err != nil {
		return channel.Receipt{}, err
	}
	_, ts, _, err := c.SendMessageContext(ctx, s.Channel, opts...)
	if err != nil {
		return channel.Receipt{}, classify(err)
	}
	if ts == "" {
		return channel.Receipt{}, &channel.Failure{Class: channel.Unknown, Code: "no_ts", HTTP: 200, Err: errors.New("the answer names no message")}
	}
	return channel.Receipt{Ref: ts}, nil
}

// slack is behind or ahead of our clock by at most this much.
const clockSkew = 5 * time.Minute

func (s *slack) Find(ctx context.Context, id, thread string, since time.Time) (channel.Receipt, bool, error) {
	c, err := s.client()
	if err != nil {
		return channel.Receipt{}, false, err
	}
	oldest := strconv.FormatInt(since.Add(-clockSkew).Unix(), 10) + ".000000"
	for cursor := ""; ; {
		var page []slackgo.Message
		if thread == "" {
			r, err := c.GetConversationHistoryContext(ctx, &slackgo.GetConversationHistoryParameters{
				ChannelID: s.Channel, Oldest: oldest, Cursor: cursor, Limit: 200, IncludeAllMetadata: true})
			if err != nil {
				return channel.Receipt{}, false, classify(err)
			}
			page, cursor = r.Messages, r.ResponseMetaData.NextCursor
		} else {
			var err error
			page, _, cursor, err = c.GetConversationRepliesContext(ctx, &slackgo.GetConversationRepliesParameters{
				ChannelID: s.Channel, Timestamp: thread, Oldest: oldest, Cursor: cursor, Limit: 200, IncludeAllMetadata: true})
			if err != nil {
				return channel.Receipt{}, false, classify(err)
			}
		}
		for _, m := range page {
			if m.Metadata.EventType == eventType && m.Metadata.EventPayload["id"] == id {
				return channel.Receipt{Ref: m.Timestamp}, true, nil
			}
		}
		if cursor == "" {
			return channel.Receipt{}, false, nil
		}
	}
}

// classes say what Slack's error words mean; a word that is not here is the message's fault.
var classes = map[string]channel.Class{
	"invalid_auth": channel.Blocked, "not_authed": channel.Blocked, "token_revoked": channel.Blocked, "token_expired": channel.Blocked,
	"account_inactive": channel.Blocked, "not_in_channel": channel.Blocked, "channel_not_found": channel.Blocked, "is_archived": channel.Blocked,
	"missing_scope": channel.Blocked, "restricted_action": channel.Blocked, "no_permission": channel.Blocked, "ekm_access_denied": channel.Blocked,
	"org_login_required": channel.Blocked, "access_denied": channel.Blocked, "team_access_not_granted": channel.Blocked, "app_missing_action_url": channel.Blocked,

	"ratelimited": channel.Again, "rate_limited": channel.Again, "message_limit_exceeded": channel.Again,

	"message_not_found": channel.Gone, "cant_update_message": channel.Gone, "edit_window_closed": channel.Gone, "thread_not_found": channel.Gone,

	// Slack's own trouble: it does not say whether the message is out.
	"internal_error": channel.Unknown, "fatal_error": channel.Unknown, "request_timeout": channel.Unknown, "service_unavailable": channel.Unknown,
}

func classify(err error) error {
	var limited *slackgo.RateLimitedError
	var status slackgo.StatusCodeError
	var said slackgo.SlackErrorResponse
	switch {
	case errors.As(err, &limited):
		return &channel.Failure{Class: channel.Again, Code: "ratelimited", HTTP: 429, After: limited.RetryAfter}
	case errors.As(err, &status):
		f := &channel.Failure{Class: channel.Unknown, Code: "http_" + strconv.Itoa(status.Code), HTTP: status.Code}
		if status.Code == http.StatusTooManyRequests {
			f.Class = channel.Again
		} else if status.Code < 500 {
			f.Class = channel.Blocked // a proxy or a wrong address: Slack itself answers 200 with a word
		}
		return f
	case errors.As(err, &said):
		class, known := classes[said.Err]
		if !known {
			class = channel.Refused
		}
		f := &channel.Failure{Class: class, Code: said.Err, HTTP: 200}
		if said.Needed != "" {
			f.Err = fmt.Errorf("scope %s is needed", said.Needed)
		}
		return f
	}
	return channel.Lost(err)
}
