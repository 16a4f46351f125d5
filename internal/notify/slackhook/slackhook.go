// Package slackhook is the channel to a Slack incoming webhook: the lesser choice, for where no app with a token can be had.
//
// It can neither edit nor reply nor be asked: each post is a message of its own, and after an unknown result units.yaml
// decides (on_unknown). Whoever knows the address can post, so it is a secret as a whole.
package slackhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"weir/internal/notify/channel"
	"weir/internal/notify/slack"
)

// Config says where to post.
type Config struct {
	URL func() (string, error) // asked at each call
}

// New makes the channel.
func New(c Config) channel.Channel { return &hook{c, channel.Client()} }

type hook struct {
	Config
	http *http.Client
}

func (h *hook) Send(ctx context.Context, p channel.Post) (channel.Receipt, error) {
	body, err := json.Marshal(slack.Payload(p))
	if err != nil {
		return channel.Receipt{}, &channel.Failure{Class: channel.Refused, Code: "not_json", Err: err}
	}
	url, err := h.URL()
	if err != nil {
		return channel.Receipt{}, &channel.Failure{Class: channel.Blocked, Code: "no_url", Err: err}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return channel.Receipt{}, &channel.Failure{Class: channel.Blocked, Code: "bad_url", Err: errors.New("the address cannot be read")}
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := h.http.Do(req)
	if err != nil {
		return channel.Receipt{}, channel.Lost(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK {
		return channel.Receipt{}, nil
	}
	return channel.Receipt{}, classify(resp)
}

// classify goes by Slack's word; a word that is not known is the message's fault.
func classify(resp *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 100)) // without the word the status says enough
	word := strings.TrimSpace(string(b))
	f := &channel.Failure{Code: word, HTTP: resp.StatusCode, After: channel.RetryAfter(resp.Header)}
	if word == "" || strings.ContainsAny(word, " <{\n") { // not Slack itself speaks
		f.Code = "http_" + strconv.Itoa(resp.StatusCode)
	}
	switch s := resp.StatusCode; {
	case s == http.StatusTooManyRequests:
		f.Class = channel.Again
	case s >= 500:
		f.Class = channel.Unknown
	case s < 400, s == http.StatusForbidden, s == http.StatusNotFound, s == http.StatusGone, word == "invalid_token", word == "no_team":
		f.Class = channel.Blocked
	default:
		f.Class = channel.Refused
	}
	return f
}
