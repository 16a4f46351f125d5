package webhook

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"weir/internal/notify/channel"
)

// Examine looks whether the receiver answers, with a HEAD that is no message.
func (h *hook) Examine(ctx context.Context) []channel.Finding {
	all := []channel.Finding{h.secret()}
	if u, err := url.Parse(h.Config.URL); err == nil && u.Scheme == "http" {
		if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			all = append(all, channel.Finding{Check: "encryption", Level: channel.Warn, Text: "posts leave in clear", Fix: "use https"})
		}
	}
	req, _, err := h.request(ctx, http.MethodHead, nil)
	if err != nil {
		return append(all, channel.Failed("address", err))
	}
	asked := time.Now()
	resp, err := h.http.Do(req)
	if err != nil {
		return append(all, channel.Failed("address", channel.Lost(err)))
	}
	defer resp.Body.Close()
	f := channel.Finding{Check: "address", Level: channel.Good, Text: fmt.Sprintf("the receiver answers (HEAD: HTTP %d)", resp.StatusCode)}
	switch s := resp.StatusCode; {
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s/100 == 3, s == http.StatusGone:
		f.Level, f.Code = channel.Bad, fmt.Sprint("http_", s)
	case s >= 500:
		f.Level, f.Fix = channel.Warn, "look at the receiver's own log"
	case s == http.StatusNotFound:
		f.Level, f.Fix = channel.Note, "if it takes posts only this is as it should be: notify test shows it"
	}
	return append(append(all, f), channel.ClockOf(resp.Header, asked)...)
}

func (h *hook) secret() channel.Finding {
	f := channel.Finding{Check: "secret", Level: channel.Good, Text: "posts are signed"}
	secret, err := h.Secret()
	if err == nil {
		_, err = sign(secret, "id", 0, nil)
	}
	if err != nil {
		return channel.Failed("secret", &channel.Failure{Class: channel.Blocked, Code: "no_secret", Err: err})
	}
	return f
}
