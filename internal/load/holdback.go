package load

import (
	"hash/maphash"
	"time"

	"weir/internal/content"
)

// A heldMessage waits until a later message of its key has gone: then it stands out of order.
type heldMessage struct {
	n     uint64
	due   time.Duration
	stage int32
	key   uint64 // its hash, with the stream; 0: it has none
	until uint64 // message from which on it waits no more
}

const (
	mostHeld    = 64   // at once, of a sender
	longestHeld = 4096 // messages of the sender that go first, at most
)

var keySeed = maphash.MakeSeed()

// keyHash is never 0 for a key.
func keyHash(stream int, key []byte) uint64 {
	if key == nil {
		return 0
	}
	var h maphash.Hash
	h.SetSeed(keySeed)
	_ = h.WriteByte(byte(stream))
	_, _ = h.Write(key)
	return h.Sum64() | 1
}

// hold keeps message n back if it is to be out of order and there is room.
func (s *sender) hold(n uint64, due time.Duration, stage int32) bool {
	if !s.shuffles || len(s.held) == mostHeld {
		return false
	}
	fault, of := s.mix.Fate(n)
	if fault != content.OutOfOrder {
		return false
	}
	m := s.w.Append(s.scratch[:0], n, of, fault, s.pace.start.Add(due).UnixMicro())
	s.scratch = m.Value[:0]
	h := heldMessage{n: n, due: due, stage: stage, key: keyHash(m.Stream, m.Key), until: n + longestHeld*s.shards}
	if h.key == 0 {
		h.until = n + mostHeld*s.shards
	}
	s.held = append(s.held, h)
	s.tally(n/s.shards, m)
	s.sent = len(m.Value)
	return true
}

// release sends those held back whose key the last message had, and those that have waited long enough.
func (s *sender) release(n uint64, now time.Duration) time.Duration {
	kept, key := s.held[:0], s.lastKey
	for _, h := range s.held {
		if h.key != 0 && h.key == key || n >= h.until {
			now = s.late(h, now)
		} else {
			kept = append(kept, h)
		}
	}
	s.held = kept
	return now
}

// releaseAll sends all that is held back: nothing comes behind it, or not in this transaction.
func (s *sender) releaseAll(now time.Duration) time.Duration {
	for _, h := range s.held {
		now = s.late(h, now)
	}
	s.held = s.held[:0]
	return now
}

// late sends a message that was held back. It is late on purpose, so that it says nothing about the broker: it is not timed.
func (s *sender) late(h heldMessage, now time.Duration) time.Duration {
	stage := s.stage
	s.stage, s.releasing = h.stage, true
	now = s.send(h.n, h.due, now, false, -1)
	s.stage, s.releasing = stage, false
	return now
}
