package topic

import "sync/atomic"

// DefaultAhead is how many bytes of messages are read ahead of the batch in work where nobody says otherwise.
const DefaultAhead = 64 << 20

// budget bounds what the readers of a source hold beyond the part that they read, in bytes of keys and values.
type budget struct {
	limit int64
	held  atomic.Int64
	most  atomic.Int64
}

// add takes bytes, or gives them back; true: no more should be read.
func (b *budget) add(bytes int64) (full bool) {
	held := b.held.Add(bytes)
	for most := b.most.Load(); held > most && !b.most.CompareAndSwap(most, held); most = b.most.Load() {
	}
	return held >= b.limit
}

func sizeOf(recs Records) (bytes int64) {
	for _, r := range recs {
		bytes += int64(len(r.Key) + len(r.Value))
	}
	return bytes
}

// Bound says how many bytes of messages may be read ahead; 0: DefaultAhead. Before the source is read.
func (s *Source) Bound(bytes int64) {
	if bytes == 0 {
		bytes = DefaultAhead
	}
	s.ahead.limit = bytes
}

// Held is how many bytes of messages are held ahead of the batch in work, and how many may be.
func (s *Source) Held() (bytes, limit int64) { return s.ahead.held.Load(), s.ahead.limit }
