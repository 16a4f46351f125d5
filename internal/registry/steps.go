package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

// Ping says whether the registry answers and lets this user in, and which compatibility it demands by default.
func (c *Client) Ping(ctx context.Context) (level string, err error) {
	all := c.cl.Compatibility(ctx) // of no subject: the global one
	if err := all[0].Err; err != nil {
		return "", c.explain("registry", err, ErrNoSubject)
	}
	return all[0].Level.String(), nil
}

// Fits says whether a schema could be registered under a subject, without doing it. fresh: the subject does not exist yet.
func (c *Client) Fits(ctx context.Context, subject, schema string) (fresh bool, err error) {
	if _, err := c.cl.SchemaByVersion(ctx, subject, -1); err != nil {
		if err = c.explain("subject "+subject, err, ErrNoSubject); errors.Is(err, ErrNoSubject) {
			return true, nil
		}
		return false, err
	}
	got, err := c.cl.CheckCompatibility(ctx, subject, -1, sr.Schema{Schema: schema})
	if err != nil {
		return false, c.explain("subject "+subject, err, ErrNoSubject)
	}
	if !got.Is {
		return false, fmt.Errorf("subject %s: %w: %s", subject, ErrIncompatible, firstLine(javaClass.ReplaceAllString(strings.Join(got.Messages, "; "), "")))
	}
	return false, nil
}

// Clock says how far this machine's clock is ahead of the registry's. Answers tell the time in whole seconds: a second is nothing.
func (c *Client) Clock(ctx context.Context) (ahead time.Duration, known bool) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return 0, false
	}
	began := time.Now()
	resp, err := c.web.Do(req)
	if err != nil {
		return 0, false
	}
	defer resp.Body.Close()
	at, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil {
		return 0, false
	}
	middle := began.Add(time.Since(began) / 2)
	return middle.Sub(at.Add(500 * time.Millisecond)), true
}
