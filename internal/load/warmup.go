package load

import (
	"context"
	"fmt"
	"time"
)

// warmUp sends the run's first messages before the schedule starts, until each partition has acknowledged one: connections,
// producer ids and leaders are then known, and the schedule's first seconds measure the broker rather than the start.
// The messages are part of the run's volume: stamped, verified, not timed. With few keys some partitions get none at all.
func (s *session) warmUp(ctx context.Context, senders []*sender, partitions int) error {
	ctx, cancel := context.WithTimeout(ctx, leadersWithin)
	defer cancel()
	defer context.AfterFunc(ctx, s.abort)() // frees a send that waits for the window
	most := mostWarm(partitions)
	if s.bound.messages > 0 {
		most = min(most, s.bound.messages/10*s.lanes/s.shards)
	}
	if s.txn != nil {
		if err := s.txn.begin(); err != nil {
			return mayNot(fmt.Errorf("warm-up: %w", err), "write to it")
		}
	}
	for n, left := uint64(0), partitions; n < most && left > 0; {
		round := min(uint64(partitions), most-n)
		for range round {
			now := s.pace.now()
			snd := senders[n%s.lanes]
			snd.send(n/s.lanes*s.shards+uint64(snd.id), now, now, false, int32(n%uint64(partitions)))
			n++
		}
		if err := s.client.Flush(ctx); err != nil {
			return fmt.Errorf("warm-up: topic %s does not acknowledge: %w", s.topics(), context.Cause(ctx))
		}
		s.warm = n
		if err := s.rec.failure(); err != nil {
			return mayNot(fmt.Errorf("warm-up: topic %s: %w", s.topics(), err), "write to it")
		}
		left = partitions - s.rec.warmPartitions()
	}
	if err := s.txn.end(ctx); err != nil {
		return mayNot(fmt.Errorf("warm-up: %w", err), "write to it")
	}
	for _, snd := range senders {
		snd.blocked, snd.last = 0, 0
	}
	return nil
}

// mostWarm bounds the warm-up: random keys meet each of n partitions within about n·ln n messages.
func mostWarm(partitions int) uint64 { return 32 * uint64(partitions) }

// begin starts the schedule: now, or when all shards do.
func (s *session) begin(ctx context.Context) error {
	if s.startAt.IsZero() {
		s.pace.start = time.Now()
		return nil
	}
	wait := time.Until(s.startAt)
	if wait < 0 {
		return fmt.Errorf("the start at %s is %v past: the other shards have begun; give all of them a later --start-at", s.startAt.Format(time.RFC3339), -wait.Round(time.Millisecond))
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-t.C:
	}
	s.pace.start = s.startAt
	return nil
}
