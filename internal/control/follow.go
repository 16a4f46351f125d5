package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"time"
)

const (
	firstRetry = 250 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// An Update is what a Stream's reader needs to draw honestly: the newest snapshot, when we last heard from the server, and,
// when we no longer hear from it, why and when we try again.
type Update struct {
	Snapshot *Snapshot // the newest one ever received; nil before the first
	Heard    time.Time // when the server last said anything; the zero time: never
	Live     bool
	Err      error     // why it is not live
	RetryAt  time.Time // when not live
	Own      []string  // verbs that are there even if the server is not: see Either
}

// Stream follows the server until ctx ends, through its death and return. The channel holds at most one Update, the newest; a
// slow reader misses the ones between. It is closed when ctx has ended.
func (c *Client) Stream(ctx context.Context) <-chan Update {
	out := make(chan Update, 1)
	go func() {
		defer close(out)
		var u Update
		retry := firstRetry
		for ctx.Err() == nil {
			err := c.follow(ctx, func(f Frame) {
				if f.Snapshot != nil {
					u.Snapshot = f.Snapshot
				}
				u.Heard, u.Live, u.Err, u.RetryAt = time.Now(), true, nil, time.Time{}
				retry = firstRetry
				newest(out, u)
			})
			if ctx.Err() != nil {
				return
			}
			wait := retry/2 + rand.N(retry) // jitter: many screens on one server must not come back in step
			retry = min(2*retry, lastRetry)
			u.Live, u.Err, u.RetryAt = false, err, time.Now().Add(wait)
			newest(out, u)
			t := time.NewTimer(wait)
			select {
			case <-ctx.Done():
			case <-t.C:
			case <-c.wake:
				retry = firstRetry
			}
			t.Stop()
		}
	}()
	return out
}

// Refresh makes a Stream that waits for its next try try now.
func (c *Client) Refresh() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// newest leaves u as the only one in out. Only one goroutine may call it for a channel.
func newest(out chan Update, u Update) {
	select {
	case <-out:
	default:
	}
	out <- u // there is room: we are the only writer
}

// follow reads one connection's frames until it ends or falls silent: a stopped process keeps its connections open.
func (c *Client) follow(ctx context.Context, take func(Frame)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silent := fmt.Errorf("no sign of life for %v; the process may be stopped or overloaded", c.dead)
	watch := time.AfterFunc(c.dead, func() { cancel(silent) })
	defer watch.Stop()
	why := func(err error) error {
		if errors.Is(context.Cause(ctx), silent) {
			return silent
		}
		return err
	}
	res, err := c.request(ctx, http.MethodGet, "/v1/stream", nil)
	if err != nil {
		return why(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		b, _ := io.ReadAll(io.LimitReader(res.Body, 4<<10))
		return decodeError(res.Status, b)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(make([]byte, 0, 64<<10), maxFrame)
	select {
	case <-c.wake: // an old wish; we are here
	default:
	}
	for lines.Scan() {
		watch.Reset(c.dead)
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		var f Frame
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			return fmt.Errorf("stream: %w", err)
		}
		take(f)
	}
	if err := lines.Err(); err != nil {
		return why(fmt.Errorf("stream: %w", err))
	}
	return errors.New("the process has ended")
}
