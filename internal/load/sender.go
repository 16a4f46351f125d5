package load

import (
	"context"
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/stamp"
)

// A parcel is a message on its way. It is used again once the broker has it, so that a run makes no garbage for each message.
// It travels as its record's Context, which is there to carry what belongs to a record.
type parcel struct {
	context.Context
	rec       kgo.Record
	header    [1]kgo.RecordHeader
	stamp     [stamp.Size]byte
	key       []byte
	shard     int32
	seq       uint64
	due, sent time.Duration
	timed     bool
	partition int32 // warm-up of messages without a key: where to; else -1
}

// sender sends the messages n ≡ id (mod shards) of the run, in order.
type sender struct {
	*session
	id   int
	next atomic.Uint64 // seqs below have been handed to the client
	// limit is the reservation: seqs from here on must not be sent before the manifest says that they may.
	limit   atomic.Uint64
	granted chan struct{} // the limit has grown

	w  *Writer
	mu sync.Mutex // guards what follows: progress reads it
	statistics
}

// statistics of one sender.
type statistics struct {
	lag     *hdrhistogram.Histogram // µs behind the schedule, at the send
	size    *hdrhistogram.Histogram // bytes
	blocked time.Duration           // waited for the window
	last    time.Duration           // the last send
}

// session is what the senders of a run share.
type session struct {
	run     ulid.ULID
	topic   string
	prefix  [HeaderSize]byte // Confluent: 0 and the schema id
	shards  uint64
	warm    uint64 // messages below were sent before the schedule
	bound   bound
	curve   Curve
	warmup  time.Duration
	pace    pacer
	client  *kgo.Client
	rec     *recorder
	parcels sync.Pool
	hard    context.Context // ends when even sent messages are given up
	abort   context.CancelFunc
	needMan chan struct{} // wakes the writer of the manifest
	bytes   atomic.Int64  // of values, for the bound
}

// bound ends the schedule; 0 is no bound.
type bound struct {
	messages uint64
	bytes    int64
	duration time.Duration
}

func (s *session) newParcel() *parcel {
	p := &parcel{Context: s.hard, partition: -1}
	p.header[0] = kgo.RecordHeader{Key: stamp.Key}
	return p
}

// send hands message n to the client and returns the time afterwards. It blocks while the window is full.
func (s *sender) send(n uint64, due, now time.Duration, timed bool, partition int32) time.Duration {
	p := s.parcels.Get().(*parcel)
	p.shard, p.seq, p.due, p.sent, p.timed, p.partition = int32(s.id), n/s.shards, due, now, timed, partition
	st := stamp.Stamp{Run: s.run, Shard: p.shard, Seq: int64(p.seq), Intended: s.pace.start.Add(due).UnixMicro()}
	value := s.w.Append(append(p.rec.Value[:0], s.prefix[:]...), n)
	p.header[0].Value = st.Append(p.stamp[:0])
	var key []byte
	if k := s.w.Key(value); k != nil {
		p.key = append(p.key[:0], k...)
		key = p.key
	}
	p.rec = kgo.Record{Topic: s.topic, Key: key, Value: value, Headers: p.header[:], Timestamp: s.pace.start.Add(now), Context: p}
	size := len(value)
	s.bytes.Add(int64(size))
	s.next.Store(p.seq + 1)
	s.client.Produce(s.hard, &p.rec, s.outcome)
	// The parcel belongs to the client now.
	after := s.pace.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if timed {
		record(s.lag, (now - due).Microseconds())
	}
	record(s.size, int64(size))
	if wait := after - now; wait > time.Millisecond {
		s.blocked += wait
	}
	s.last = max(s.last, after)
	return after
}

// outcome is called by the client when a message is settled, one at a time.
func (s *session) outcome(r *kgo.Record, err error) {
	p := r.Context.(*parcel)
	now := s.pace.now()
	if err != nil {
		// The client may still hold the bytes in a request: they are left to the garbage collector.
		s.rec.fail(p.shard, p.seq, now, err)
		return
	}
	s.rec.ok(p, r.Partition, r.Offset, now, len(r.Value))
	s.parcels.Put(p)
}

// do sends all that is due, until a bound is reached or ctx ends.
func (s *sender) do(ctx context.Context) {
	now := s.pace.now()
	for n := s.first(); s.bound.messages == 0 || n < s.bound.messages; n += s.shards {
		due := s.curve.At(n - s.warm)
		if due == Forever || s.bound.duration > 0 && due >= s.bound.duration {
			return
		}
		if now < due {
			now = s.pace.until(ctx, due)
		}
		if s.over(ctx, now) || !s.reserve(ctx, n/s.shards) {
			return
		}
		if _, flat := s.curve.(Flat); flat {
			due = now // nothing is planned: what can be told is the time in the client and at the broker
		}
		now = s.send(n, due, now, due >= s.warmup, -1)
	}
}

// over reports that a bound is reached that the curve does not know.
func (s *sender) over(ctx context.Context, now time.Duration) bool {
	_, flat := s.curve.(Flat)
	return ctx.Err() != nil || s.bound.bytes > 0 && s.bytes.Load() >= s.bound.bytes || flat && s.bound.duration > 0 && now >= s.bound.duration
}

// first is the sender's first message behind the warm-up.
func (s *sender) first() uint64 {
	id := uint64(s.id)
	return (s.warm+s.shards-1-id)/s.shards*s.shards + id
}

// reserve waits until the manifest on the disk covers seq.
func (s *sender) reserve(ctx context.Context, seq uint64) bool {
	for seq >= s.limit.Load() {
		select {
		case s.needMan <- struct{}{}:
		default:
		}
		select {
		case <-s.granted:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// newSession makes the senders; their first messages are not reserved yet.
func newSession(shards int) (*session, []*sender) {
	s := &session{shards: uint64(shards), rec: newRecorder(shards), needMan: make(chan struct{}, 1)}
	s.parcels.New = func() any { return s.newParcel() }
	all := make([]*sender, shards)
	for i := range all {
		all[i] = &sender{session: s, id: i, granted: make(chan struct{}, 1)}
		all[i].lag, all[i].size = newHistogram(), newHistogram()
	}
	return s, all
}

func confluentHeader(id int) (h [HeaderSize]byte) {
	binary.BigEndian.PutUint32(h[1:], uint32(id))
	return h
}
