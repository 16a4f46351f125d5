package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"weir/internal/ledger"
	"weir/internal/notify"
	"weir/internal/notify/intake"
)

// relay takes over from the run ledger of the home.
func (in *inputs) relay(s *notify.Service, metrics *intake.Metrics) intake.Relay {
	return intake.Relay{Notify: s, Metrics: metrics, Log: in.Log, Open: func(ctx context.Context) (intake.Ledger, error) {
		if _, err := os.Stat(in.project.Ledger()); errors.Is(err, fs.ErrNotExist) {
			return nil, nil // no pipeline has run in this home yet
		}
		l, err := ledger.Open(ctx, in.project.Ledger())
		if err != nil {
			return nil, err
		}
		return reaper{l}, nil
	}}
}

type reaper struct{ *ledger.Ledger }

// GiveUp counts the runs that are given up.
func (r reaper) GiveUp(ctx context.Context, silence time.Duration) (int, error) {
	lost, err := r.Reap(ctx, silence)
	return len(lost), err
}
