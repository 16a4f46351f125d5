package load

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/content"
	"weir/internal/stamp"
)

// A parcel is a message on its way. It is used again once the broker has it, so that a run makes no garbage for each message.
// It travels as its record's Context, which is there to carry what belongs to a record.
type parcel struct {
	context.Context
	rec       kgo.Record
	header    []kgo.RecordHeader
	stamp     [stamp.Size]byte
	key       []byte
	lane      int
	shard     int32
	seq       uint64
	due, sent time.Duration
	timed     bool
	stream    int
	stage     int32
	partition int32 // warm-up of messages without a key: where to; else -1
}

// sender sends the messages n ≡ id (mod shards) of the run, in order.
type sender struct {
	*session
	id   int
	lane int           // among the senders of this process; without other processes: its id
	next atomic.Uint64 // seqs below have been handed to the client
	// limit is the reservation: seqs from here on must not be sent before the manifest says that they may.
	limit   atomic.Uint64
	granted chan struct{} // the limit has grown

	w     *content.MixWriter
	at    arrivals // of the next message
	sent  int      // bytes of the last message
	stage int32    // of the next message
	// dues are when the last messages were due: a duplicate carries the time of the message whose bytes it has.
	dues [256]struct {
		n  uint64
		at int64
	}
	// held are messages that wait to be out of order; lastKey is of the last message, while some wait.
	held      []heldMessage
	lastKey   uint64
	releasing bool
	scratch   []byte

	mu sync.Mutex // guards what follows: progress reads it
	statistics
}

// statistics of one sender.
type statistics struct {
	lag     *hdrhistogram.Histogram // µs behind the schedule, at the send
	size    *hdrhistogram.Histogram // bytes
	blocked time.Duration           // waited for the window
	last    time.Duration           // the last send
	due     time.Duration           // of the last message
	dropped int64                   // due, but not sent
	worst   time.Duration           // behind the schedule, since somebody has looked
	stages  []span                  // what was sent in each stage
	streams []tally
}

// tally is what a sender has sent of one stream.
type tally struct {
	messages, bytes int64
	faults          map[content.Fault]int64
}

// session is what the senders of a run share.
type session struct {
	run       ulid.ULID
	mix       *content.Mix
	targets   []target // of the mix's streams
	shards    uint64   // senders of the run
	lanes     uint64   // senders of this process
	warm      uint64   // messages below were sent before the schedule
	bound     bound
	startAt   time.Time // of the schedule; zero: at once
	curve     Curve     // of the profile
	*schedule           // the curve as it is run
	flat      bool      // it has no schedule
	shuffles  bool      // some messages are held back on purpose
	drops     bool      // a message that is due while the window is full is left out
	window    int64     // messages on their way, at most
	told      []Stage   // the stages that are told apart in the result
	warmup    time.Duration
	pace      pacer
	client    *kgo.Client
	rec       *recorder
	txn       *transactions // nil: it sends without
	stop      func(error)   // ends the sending
	parcels   sync.Pool
	hard      context.Context // ends when even sent messages are given up
	abort     context.CancelFunc
	needMan   chan struct{} // wakes the writer of the manifest
	bytes     atomic.Int64  // of values, for the bound
}

// bound ends the schedule; 0 is no bound.
type bound struct {
	messages uint64
	bytes    int64
	duration time.Duration
}

func (s *session) newParcel() *parcel {
	return &parcel{Context: s.hard, partition: -1, header: []kgo.RecordHeader{{Key: stamp.Key}}}
}

// send hands message n to the client and returns the time afterwards. It blocks while the window is full.
func (s *sender) send(n uint64, due, now time.Duration, timed bool, partition int32) time.Duration {
	p := s.parcels.Get().(*parcel)
	p.shard, p.lane, p.seq, p.due, p.sent, p.timed, p.partition = int32(s.id), s.lane, n/s.shards, due, now, timed, partition
	p.stage = s.stage
	fault, of := s.mix.Fate(n)
	st := stamp.Stamp{Run: s.run, Shard: p.shard, Seq: int64(p.seq), Intended: s.intended(n, of, due)}
	m := s.w.Append(p.rec.Value[:0], n, of, fault, st.Intended)
	to := &s.targets[m.Stream]
	p.stream = m.Stream
	p.header = append(p.header[:1], to.headers...)
	p.header[0].Value = st.Append(p.stamp[:0])
	var key []byte
	if m.Key != nil {
		p.key = append(p.key[:0], m.Key...)
		key = p.key
	}
	if len(s.held) > 0 {
		s.lastKey = keyHash(m.Stream, m.Key)
	}
	if partition >= 0 {
		p.partition = partition % to.partitions
	}
	p.rec = kgo.Record{Topic: to.topic, Key: key, Value: m.Value, Headers: p.header, Timestamp: s.pace.start.Add(now), Context: p}
	size := len(m.Value)
	s.sent = size
	s.bytes.Add(int64(size))
	s.next.Store(max(s.next.Load(), p.seq+1))
	s.client.Produce(s.hard, &p.rec, s.outcome)
	// The parcel belongs to the client now.
	after := s.pace.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if timed {
		record(s.lag, (now - due).Microseconds())
	}
	if partition < 0 { // not of the warm-up before the schedule
		if !s.releasing {
			s.worst = max(s.worst, now-due)
		}
		s.stages[s.stage].add(due, after)
	}
	record(s.size, int64(size))
	t := &s.streams[m.Stream]
	t.messages++
	t.bytes += int64(size)
	if fault != content.Healthy {
		t.faults[fault]++
	}
	if wait := after - now; wait > time.Millisecond {
		s.blocked += wait
	}
	s.last, s.due = max(s.last, after), max(s.due, due)
	return after
}

// intended is when the message was due, µs since 1970. A duplicate has the time of the message whose bytes it has, so that its
// bytes are the same; the latency counts from its own.
func (s *sender) intended(n, of uint64, due time.Duration) int64 {
	at := s.pace.start.Add(due).UnixMicro()
	if of != n {
		if before := s.dues[of/s.shards%uint64(len(s.dues))]; before.n == of && of%s.shards == uint64(s.id) {
			at = before.at
		}
	}
	if !s.releasing { // its place may be that of a later one by now
		d := &s.dues[n/s.shards%uint64(len(s.dues))]
		d.n, d.at = n, at
	}
	return at
}

// outcome is called by the client when a message is settled, one at a time.
func (s *session) outcome(r *kgo.Record, err error) {
	p := r.Context.(*parcel)
	now := s.pace.now()
	if err != nil {
		// The client may still hold the bytes in a request: they are left to the garbage collector.
		s.rec.fail(p, now, err)
		return
	}
	s.rec.ok(p, r.Partition, r.Offset, now, len(r.Value))
	s.parcels.Put(p)
}

// do sends all that is due, until a bound is reached or ctx ends.
func (s *sender) do(ctx context.Context) {
	s.follow(ctx)
	s.releaseAll(s.pace.now())
}

// follow goes along the schedule.
func (s *sender) follow(ctx context.Context) {
	now := s.pace.now()
	n, _ := s.first()
	for s.bound.messages == 0 || n < s.bound.messages {
		plan := s.schedule.plan.Load()
		due, onCurve := plan.due(s.at.x)
		if onCurve == Forever || s.bound.duration > 0 && onCurve >= s.bound.duration {
			return
		}
		if now < due {
			if s.txn != nil && due-now > idleTransaction {
				s.releaseAll(now)
				if s.failed(s.txn.end(s.hard)) {
					return
				}
			}
			if now = s.pace.until(ctx, due, plan.changed); now < due && ctx.Err() == nil {
				continue // the plan has changed
			}
		}
		if s.over(ctx, now) {
			return
		}
		if s.drops && s.full() {
			s.skip()
			continue
		}
		if !s.reserve(ctx, n/s.shards) {
			return
		}
		if len(s.held) > 0 && s.txn.ends(n-s.warm) {
			now = s.releaseAll(now)
		}
		if s.failed(s.txn.before(s.hard, n-s.warm)) {
			return
		}
		if s.flat {
			due, onCurve = now, now // nothing is planned: what can be told is the time in the client and at the broker
		}
		s.stage = stageAt(s.told, onCurve)
		if !s.hold(n, due, s.stage) {
			now = s.send(n, due, now, onCurve >= s.warmup, -1)
			if len(s.held) > 0 {
				now = s.release(n, now)
			}
		}
		s.at.next(s.sent)
		n += s.shards
	}
}

// failed stops the run for an error that the senders cannot go on with.
func (s *sender) failed(err error) bool {
	if err != nil {
		s.stop(err)
	}
	return err != nil
}

// full reports that the window has no room for a message.
func (s *sender) full() bool { return s.client.BufferedProduceRecords() >= s.window }

// skip leaves out a message that is due: the next one has its number.
func (s *sender) skip() {
	s.at.next(max(1, s.sent))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropped++
	s.stages[s.stage].dropped++
}

// over reports that a bound is reached that the curve does not know.
func (s *sender) over(ctx context.Context, now time.Duration) bool {
	return ctx.Err() != nil || s.bound.bytes > 0 && s.bytes.Load() >= s.bound.bytes || s.flat && s.bound.duration > 0 && now >= s.bound.duration
}

// first is the sender's first message behind the warm-up, and its place among those of all senders of this process.
func (s *sender) first() (n, m uint64) {
	lane := uint64(s.lane)
	m = (s.warm+s.lanes-1-lane)/s.lanes*s.lanes + lane
	return m/s.lanes*s.shards + uint64(s.id), m
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
func newSession(lanes int, of ShardOf, mix *content.Mix) (*session, []*sender) {
	s := &session{shards: uint64(lanes), lanes: uint64(lanes), mix: mix, rec: newRecorder(lanes, mix.Streams()), targets: make([]target, mix.Streams()), needMan: make(chan struct{}, 1)}
	if of.Of > 0 {
		s.shards = uint64(of.Of)
	}
	s.parcels.New = func() any { return s.newParcel() }
	all := make([]*sender, lanes)
	for i := range all {
		all[i] = &sender{session: s, id: of.Index + i, lane: i, granted: make(chan struct{}, 1)}
		all[i].lag, all[i].size, all[i].w = newHistogram(), newHistogram(), mix.Writer()
		all[i].stages = make([]span, 1)
		for range mix.Streams() {
			all[i].streams = append(all[i].streams, tally{faults: map[content.Fault]int64{}})
		}
	}
	return s, all
}

// target is where the messages of a stream go.
type target struct {
	topic      string
	partitions int32
	headers    []kgo.RecordHeader
}

func (s *session) topics() string {
	var all []string
	for _, t := range s.targets {
		all = append(all, t.topic)
	}
	return strings.Join(all, ", ")
}
