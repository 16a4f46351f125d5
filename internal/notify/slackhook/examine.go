package slackhook

import (
	"context"
	"net/http"
	"time"

	"weir/internal/notify/channel"
)

// Examine looks whether the server answers. Only a post shows whether the webhook is still valid.
func (h *hook) Examine(ctx context.Context) []channel.Finding {
	url, err := h.URL()
	if err != nil {
		return []channel.Finding{channel.Failed("address", &channel.Failure{Class: channel.Blocked, Code: "no_url", Err: err})}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return []channel.Finding{{Check: "address", Level: channel.Bad, Text: "it cannot be read", Code: "bad_url"}}
	}
	asked := time.Now()
	resp, err := h.http.Do(req)
	if err != nil {
		return []channel.Finding{channel.Failed("address", channel.Lost(err))}
	}
	defer resp.Body.Close()
	return append(channel.ClockOf(resp.Header, asked), channel.Finding{Check: "address", Level: channel.Note,
		Text: "its server answers; whether the webhook is still valid shows only in a post", Fix: "run notify test for this channel"})
}
