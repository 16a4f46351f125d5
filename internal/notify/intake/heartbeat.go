package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"
)

// A Heartbeat tells somebody outside that all is well: who misses it knows that notify is down, or that what was accepted does not
// leave. While Healthy gives an error nothing is told.
type Heartbeat struct {
	URL     string                          // called by GET; empty: none. It may be a secret: no error shows it
	Send    func(ctx context.Context) error // nil: none
	Every   time.Duration                   // 0: one minute
	Healthy func(ctx context.Context) error
	Log     *slog.Logger
}

// Run goes on until ctx ends; its first beat is at once.
func (h Heartbeat) Run(ctx context.Context) error {
	if h.Every == 0 {
		h.Every = time.Minute
	}
	t := time.NewTicker(h.Every)
	defer t.Stop()
	for ctx.Err() == nil {
		if err := h.beat(ctx); err != nil && ctx.Err() == nil {
			h.Log.Warn("no heartbeat", "err", err)
		}
		select {
		case <-ctx.Done():
		case <-t.C:
		}
	}
	return nil
}

func (h Heartbeat) beat(ctx context.Context) error {
	if err := h.Healthy(ctx); err != nil {
		return fmt.Errorf("held back: %w", err)
	}
	var failed error
	if h.URL != "" {
		failed = h.ping(ctx)
	}
	if h.Send != nil {
		failed = errors.Join(failed, h.Send(ctx))
	}
	return failed
}

func (h Heartbeat) ping(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, 10*time.Second)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, h.URL, nil)
	if err != nil {
		return errors.New("ping: the URL is none")
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return fmt.Errorf("ping: %w", err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // so that the connection can be used again
	if resp.StatusCode >= 300 {
		return fmt.Errorf("ping: HTTP %d", resp.StatusCode)
	}
	return nil
}
