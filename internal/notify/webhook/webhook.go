// Package webhook is the channel to any HTTP receiver: one POST per message with a CloudEvents body, signed as Standard
// Webhooks lays down (webhook-id, webhook-timestamp, webhook-signature).
//
// webhook-id is the post's id and the same for each try. A receiver that drops what it has seen under that id makes an
// unknown result harmless: say so with ReceiverDedups. Without it, units.yaml decides (on_unknown).
package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/notify/cloudevent"
)

// Config says where to post.
type Config struct {
	URL            string                 // never shown: tokens stand in paths and queries
	Secret         func() (string, error) // of the signature; asked at each call. Several, with blanks between, each sign
	Bearer         func() (string, error) // nil: no Authorization header
	Env            string                 // environment, for the event's source
	ReceiverDedups bool                   // the receiver drops a second post with the same webhook-id
}

// maxBytes of a body; receivers commonly take a megabyte, gateways a quarter of it.
const maxBytes = 200 << 10

// ValidURL reports whether u can be posted to.
func ValidURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}

// New makes the channel.
func New(c Config) channel.Channel {
	h := &hook{Config: c, http: channel.Client()}
	if c.ReceiverDedups {
		return repeatable{h}
	}
	return h
}

type hook struct {
	Config
	http *http.Client
}

// repeatable is a hook whose receiver drops repeats.
type repeatable struct{ *hook }

// Repeatable for as long as a message is tried.
func (repeatable) Repeatable(time.Duration) bool { return true }

func (h *hook) Send(ctx context.Context, p channel.Post) (channel.Receipt, error) {
	body, err := cloudevent.Marshal(p, h.Env, maxBytes)
	if err != nil {
		return channel.Receipt{}, &channel.Failure{Class: channel.Refused, Code: "too_big", Err: err}
	}
	secret, err := h.Secret()
	if err != nil {
		return channel.Receipt{}, &channel.Failure{Class: channel.Blocked, Code: "no_secret", Err: err}
	}
	now := time.Now().Unix()
	sig, err := sign(secret, p.ID, now, body)
	if err != nil {
		return channel.Receipt{}, &channel.Failure{Class: channel.Blocked, Code: "no_secret", Err: err}
	}
	req, bearer, err := h.request(ctx, http.MethodPost, bytes.NewReader(body))
	if err != nil {
		return channel.Receipt{}, err
	}
	req.Header.Set("Content-Type", cloudevent.ContentType)
	req.Header.Set("webhook-id", p.ID)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(now, 10))
	req.Header.Set("webhook-signature", sig)
	resp, err := h.http.Do(req)
	if err != nil {
		return channel.Receipt{}, channel.Lost(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 == 2 {
		return channel.Receipt{}, nil
	}
	return channel.Receipt{}, classify(resp, secret, bearer)
}

func (h *hook) request(ctx context.Context, method string, body io.Reader) (req *http.Request, bearer string, err error) {
	if req, err = http.NewRequestWithContext(ctx, method, h.URL, body); err != nil {
		return nil, "", &channel.Failure{Class: channel.Blocked, Code: "bad_url", Err: errors.New("the address cannot be read")}
	}
	req.Header.Set("User-Agent", "weir-notify")
	if h.Bearer == nil {
		return req, "", nil
	}
	if bearer, err = h.Bearer(); err != nil {
		return nil, "", &channel.Failure{Class: channel.Blocked, Code: "no_token", Err: err}
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	return req, bearer, nil
}

// sign gives "v1,<base64>" for each secret: whsec_<base64>, or any other text as it is. While a secret is being changed
// both stand in the file, and either end may be the first to change.
func sign(secrets, id string, at int64, body []byte) (string, error) {
	var all []string
	for _, s := range strings.Fields(secrets) {
		key := []byte(s)
		if coded, ok := strings.CutPrefix(s, "whsec_"); ok {
			var err error
			if key, err = base64.StdEncoding.DecodeString(coded); err != nil {
				return "", errors.New("the secret after whsec_ is not base64")
			}
		}
		mac := hmac.New(sha256.New, key)
		fmt.Fprintf(mac, "%s.%d.%s", id, at, body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(all) == 0 {
		return "", errors.New("the secret is empty")
	}
	return strings.Join(all, " "), nil
}

func classify(resp *http.Response, secrets ...string) error {
	f := &channel.Failure{Code: "http_" + strconv.Itoa(resp.StatusCode), HTTP: resp.StatusCode, After: channel.RetryAfter(resp.Header)}
	switch s := resp.StatusCode; {
	case s == http.StatusTooManyRequests, s == http.StatusTooEarly, s == http.StatusServiceUnavailable && f.After > 0:
		f.Class = channel.Again
	case s >= 500 || s == http.StatusRequestTimeout:
		f.Class = channel.Unknown // a gateway answers so, too, after the receiver has taken the message
	case s < 400: // a redirect
		f.Class = channel.Blocked
	case s == http.StatusUnauthorized, s == http.StatusForbidden, s == http.StatusNotFound, s == http.StatusMethodNotAllowed, s == http.StatusGone,
		s == http.StatusProxyAuthRequired, s == http.StatusMisdirectedRequest:
		f.Class = channel.Blocked
	default:
		f.Class = channel.Refused
		f.Err = said(resp.Body, secrets)
	}
	return f
}

// said is how the receiver explains that it refused a message: the start of its answer, without what we sent to prove who
// we are.
func said(r io.Reader, secrets []string) error {
	b, _ := io.ReadAll(io.LimitReader(r, 300)) // half an explanation is better than none
	s := strings.Join(strings.Fields(strings.ToValidUTF8(string(b), "")), " ")
	for _, secret := range secrets {
		for _, part := range strings.Fields(secret) {
			s = strings.ReplaceAll(s, part, "<secret>")
		}
	}
	if s == "" {
		return nil
	}
	return errors.New(s)
}
