package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"weir/internal/cli"
)

// A Client talks to the process that serves a socket. It may be used from many goroutines.
type Client struct {
	path string
	http *http.Client
	dead time.Duration // no frame for so long: the server is dead or stopped
	wake chan struct{} // holds a token when a waiting Stream should try again now
}

// Dial prepares a client; nothing is sent before the first call.
func Dial(socketPath string) *Client {
	return &Client{path: socketPath, dead: deadAfter, wake: make(chan struct{}, 1), http: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			return dialSocket(ctx, socketPath)
		},
		MaxIdleConns: 2,
	}}}
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Path of the socket.
func (c *Client) Path() string { return c.path }

// Snapshot asks for the newest one. It fails with ErrNotServed if no process answers.
func (c *Client) Snapshot(ctx context.Context) (*Snapshot, error) {
	s := new(Snapshot)
	return s, c.call(ctx, http.MethodGet, "/v1/snapshot", nil, s)
}

// Events asks for the last events.
func (c *Client) Events(ctx context.Context) ([]Event, error) {
	var e []Event
	return e, c.call(ctx, http.MethodGet, "/v1/events", nil, &e)
}

// Do runs a verb. args and result may be nil.
func (c *Client) Do(ctx context.Context, verb string, args, result any) error {
	ctx, cancel := context.WithTimeout(ctx, verbTimeout+writeTimeout)
	defer cancel()
	return c.send(ctx, http.MethodPost, "/v1/do/"+url.PathEscape(verb), args, result)
}

// PublishLoad shows the load of this process on the screens of the process that serves.
func (c *Client) PublishLoad(ctx context.Context, l *Load) error {
	return c.call(ctx, http.MethodPut, "/v1/load", l, nil)
}

// PublishProof is PublishLoad for a proof.
func (c *Client) PublishProof(ctx context.Context, p *Proof) error {
	return c.call(ctx, http.MethodPut, "/v1/proof", p, nil)
}

// PublishComparison is PublishLoad for a comparison.
func (c *Client) PublishComparison(ctx context.Context, x *Comparison) error {
	return c.call(ctx, http.MethodPut, "/v1/comparison", x, nil)
}

// PublishSearch is PublishLoad for a search.
func (c *Client) PublishSearch(ctx context.Context, s *Search) error {
	return c.call(ctx, http.MethodPut, "/v1/search", s, nil)
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return c.send(ctx, method, path, in, out)
}

func (c *Client) send(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		b, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		body = bytes.NewReader(b)
	}
	res, err := c.request(ctx, method, path, body)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, maxFrame))
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case res.StatusCode >= 300:
		return decodeError(res.Status, b)
	case out == nil || len(b) == 0:
		return nil
	}
	if err := json.Unmarshal(b, out); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func (c *Client) request(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://weir"+path, body)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err == nil {
		return res, nil
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // the address in front is ours, not the user's
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return nil, &cli.Error{Err: fmt.Errorf("%s: %w", c.path, ErrNotServed), Hint: "start one with `pipeline demo` or `pipeline run`, or name its directory with --home"}
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = errors.New("no answer in time; the process may be stopped or overloaded")
	}
	return nil, fmt.Errorf("%s: %w", path, err)
}
