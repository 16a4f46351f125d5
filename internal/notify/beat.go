package notify

import (
	"context"
	"fmt"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// Beat gives a function that sends a sign of life to a channel, past the outbox: a heartbeat that waits is none. The channel is
// opened anew, as the senders of the outbox use theirs from one goroutine each.
func (s *Service) Beat(name string) (func(ctx context.Context) error, error) {
	own := &Service{opt: s.opt, units: s.units, rules: s.rules, zone: s.zone}
	own.openChannels()
	c, err := own.channel(name)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		now := time.Now()
		p, _, err := own.post(outcome.Outcome{
			RunID: fmt.Sprintf("heartbeat-%d", now.Unix()), Job: "heartbeat", Kind: "heartbeat", Title: "Sign of life of weir notify", State: outcome.Ready, At: now,
			Todo: "nothing; silence here means that notify is down or stuck.",
		})
		if err != nil {
			return err
		}
		call, stop := context.WithTimeout(ctx, own.opt.CallTimeout)
		defer stop()
		if _, err := c.Send(call, p); err != nil {
			return fmt.Errorf("channel %s: %w", name, channel.Classify(err))
		}
		return nil
	}, nil
}
