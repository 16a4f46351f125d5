package load

import (
	"context"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/content"
	"weir/internal/produce"
	"weir/internal/stamp"
)

// A parcel is a message on its way. It is used again once the broker has it, so that a run makes no garbage for each message.
// It travels as its record's Context, which is there to carry what belongs to a record.
type parcel struct {
	context.Context
	slab      *slab
	rec       kgo.Record
	one       [1]kgo.RecordHeader // of messages without headers of their own
	header    []kgo.RecordHeader
	stamp     [stamp.Size]byte
	keyBytes  [40]byte
	key       []byte
	lane      int
	seq       uint64
	due, sent time.Duration
	timed     bool
	stream    int
	stage     int32
	partition int32 // warm-up of messages without a key: where to; else -1
}

// A slab is parcels that are used one after the other, with their values in one buffer. By the time that memory is used again it has
// left the processor's caches; in a row it is fetched ahead.
type slab struct {
	parcels [slabSize]parcel
	values  []byte // those of the parcels in use; a value that does not fit has a piece of its own
	used    int
	left    atomic.Int32 // parcels that are not back yet
}

const (
	slabSize  = 64
	slabBytes = 256 << 10 // of values, unless one of them is larger
)

// newSlab takes one that is back, or makes one.
func (s *session) newSlab() *slab {
	s.slabs.Lock()
	if n := len(s.slabs.free); n > 0 {
		b := s.slabs.free[n-1]
		s.slabs.free = s.slabs.free[:n-1]
		s.slabs.Unlock()
		b.used, b.values = 0, b.values[:0]
		b.left.Store(slabSize + 1) // one for the sender that fills it
		return b
	}
	s.slabs.Unlock()
	b := &slab{values: make([]byte, 0, max(min(slabSize*(s.mean+s.mean/8), slabBytes), s.mean+s.mean/8))}
	b.left.Store(slabSize + 1) // one for the sender that fills it
	for i := range b.parcels {
		p := &b.parcels[i]
		p.Context, p.slab, p.partition = s.hard, b, -1
		p.one[0].Key = stamp.Key
		p.header, p.key = p.one[:], p.keyBytes[:]
		p.rec.Context = p
	}
	return b
}

// parcel gives the next one, with room for its value.
func (s *sender) parcel() (*parcel, []byte) {
	b := s.slab
	if b == nil || b.used == slabSize || cap(b.values)-len(b.values) < s.mean {
		if b != nil {
			s.back(b, int32(1+slabSize-b.used)) // the sender, and those that are not used
		}
		b = s.newSlab()
		s.slab = b
	}
	p := &b.parcels[b.used]
	b.used++
	return p, b.values[len(b.values):]
}

// back notes that parcels of a slab are settled; the last one frees it.
func (s *session) back(b *slab, n int32) {
	if b.left.Add(-n) == 0 {
		s.slabs.Lock()
		s.slabs.free = append(s.slabs.free, b)
		s.slabs.Unlock()
	}
}

// sender sends the messages n ≡ id (mod shards) of the run, in order.
type sender struct {
	*session
	id   int
	lane int           // among the senders of this process; without other processes: its id
	next atomic.Uint64 // seqs below have been handed to the client
	// position is that of the next message on the curve, as bits of a float64: the manifest is written beside.
	position atomic.Uint64
	// limit is the reservation: seqs from here on must not be sent before the manifest says that they may.
	limit   atomic.Uint64
	granted chan struct{} // the limit has grown

	w       *content.MixWriter
	slab    *slab    // that is being used
	counted uint64   // seqs below are in the tallies of the generator that died
	at      arrivals // of the next message
	sent    int      // bytes of the last message
	stage   int32    // of the next message
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

	batches *produce.Lane // of a run whose messages leave in bulk; then:
	value   []byte
	heads   []byte
	mark    [stamp.Size]byte
	keyed   kgo.Record

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
	below   uint64 // seqs below are in streams
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
	unmarked  bool      // messages carry no identity
	shuffles  bool      // some messages are held back on purpose
	drops     bool      // a message that is due while the window is full is left out
	window    int64     // messages on their way, at most
	told      []Stage   // the stages that are told apart in the result
	warmup    time.Duration
	pace      pacer
	client    *kgo.Client
	bulk      *produce.Producer // nil: all messages go through the client
	rec       *recorder
	txn       *transactions // nil: it sends without
	stop      func(error)   // ends the sending
	mean      int           // bytes of a value
	slabs     struct {
		sync.Mutex
		free []*slab
	}
	hard    context.Context // ends when even sent messages are given up
	abort   context.CancelFunc
	needMan chan struct{} // wakes the writer of the manifest
	resumed bool          // its generator has died before: the first message is not behind the warm-up
	bytes   atomic.Int64  // of values, for the bound
}

// bound ends the schedule; 0 is no bound.
type bound struct {
	messages uint64
	bytes    int64
	duration time.Duration
}

// send hands message n over and returns the time afterwards. It blocks while the window is full.
func (s *sender) send(n uint64, due, now time.Duration, timed bool, partition int32) time.Duration {
	p, room := (*parcel)(nil), s.value[:0]
	if s.batches == nil {
		p, room = s.parcel()
	}
	seq := n / s.shards
	fault, of := s.mix.Fate(n)
	st := stamp.Stamp{Run: s.run, Shard: int32(s.id), Seq: int64(seq), Intended: s.intended(n, of, due)}
	m := s.w.Append(room, n, of, fault, st.Intended)
	if len(s.held) > 0 {
		s.lastKey = keyHash(m.Stream, m.Key)
	}
	s.sent = len(m.Value)
	s.bytes.Add(int64(s.sent))
	s.next.Store(max(s.next.Load(), seq+1))
	if !s.releasing {
		s.tally(seq, m) // before its acknowledgement can come
	}
	if p == nil {
		s.add(m, st, seq, now, timed)
	} else {
		p.due, p.sent, p.timed, p.seq, p.partition = due, now, timed, seq, partition
		s.produce(p, m, st)
	}
	return s.count(due, now, timed, partition >= 0)
}

// produce hands a message to the client, which has the parcel then.
func (s *sender) produce(p *parcel, m content.Message, st stamp.Stamp) {
	to := &s.targets[m.Stream]
	p.lane, p.stage, p.stream = s.lane, s.stage, m.Stream
	p.header = append(p.header[:1], to.headers...)
	p.header[0].Value = st.Append(p.stamp[:0])
	headers := p.header
	if s.unmarked {
		headers = headers[1:]
	}
	var key []byte
	if m.Key != nil {
		p.key = append(p.key[:0], m.Key...)
		key = p.key
	}
	if p.partition >= 0 {
		p.partition %= to.partitions
	}
	p.rec.Topic, p.rec.Key, p.rec.Value, p.rec.Headers, p.rec.Timestamp = to.topic, key, m.Value, headers, s.pace.start.Add(p.sent)
	if values := p.slab.values; len(m.Value) <= cap(values)-len(values) {
		p.slab.values = values[:len(values)+len(m.Value)]
	}
	s.client.Produce(s.hard, &p.rec, s.outcome)
}

// tally counts a message that is handed over, or held back.
func (s *sender) tally(seq uint64, m content.Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.below = max(s.below, seq+1)
	if seq < s.counted {
		return
	}
	t := &s.streams[m.Stream]
	t.messages++
	t.bytes += int64(len(m.Value))
	if m.Fault != content.Healthy {
		t.faults[m.Fault]++
	}
}

// count notes in the statistics that a message of the last size has been handed over, and returns the time.
func (s *sender) count(due, now time.Duration, timed, warmUp bool) time.Duration {
	after, size := s.pace.now(), s.sent
	s.mu.Lock()
	defer s.mu.Unlock()
	if timed {
		record(s.lag, (now - due).Microseconds())
	}
	if !warmUp {
		if !s.releasing {
			s.worst = max(s.worst, now-due)
		}
		s.stages[s.stage].add(due, after)
	}
	record(s.size, int64(size))
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
	s.back(p.slab, 1)
}

// do sends all that is due, until a bound is reached or ctx ends.
func (s *sender) do(ctx context.Context) {
	s.follow(ctx)
	s.releaseAll(s.pace.now())
	if s.batches != nil {
		s.batches.Seal()
	}
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
		if s.txn != nil { // another transaction may have been ended first
			now = s.pace.now()
		}
		if s.flat {
			due, onCurve = now, now // nothing is planned: what can be told is the time in the client and at the broker
		}
		s.stage = stageAt(s.told, onCurve)
		held := s.hold(n, due, s.stage)
		if !held {
			now = s.send(n, due, now, onCurve >= s.warmup, -1)
		}
		s.moved(s.sent)
		if !held && len(s.held) > 0 {
			now = s.release(n, now)
		}
		n += s.shards
	}
}

// moved goes on to the next message's place on the curve, behind one of so many bytes.
func (s *sender) moved(size int) {
	s.at.next(size)
	s.position.Store(math.Float64bits(s.at.x))
}

// failed stops the run for an error that the senders cannot go on with.
func (s *sender) failed(err error) bool {
	if err != nil {
		s.stop(err)
	}
	return err != nil
}

// full reports that the window has no room for a message.
func (s *sender) full() bool { return s.underWay() >= s.window }

// underWay counts the messages without an outcome.
func (s *session) underWay() int64 {
	n := s.client.BufferedProduceRecords()
	if s.bulk != nil {
		n += s.bulk.Pending()
	}
	return n
}

// flush waits for the outcome of all messages.
func (s *session) flush(ctx context.Context) error {
	err := s.client.Flush(ctx)
	if s.bulk != nil && err == nil {
		err = s.bulk.Flush(ctx)
	}
	return err
}

// close gives up what is under way.
func (s *session) close() {
	if s.bulk != nil {
		s.bulk.Close()
	}
	s.client.Close()
}

// skip leaves out a message that is due: the next one has its number.
func (s *sender) skip() {
	s.moved(max(1, s.sent))
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
	if s.resumed {
		seq := s.next.Load()
		return seq*s.shards + uint64(s.id), seq*s.lanes + lane
	}
	m = (s.warm+s.lanes-1-lane)/s.lanes*s.lanes + lane
	return m/s.lanes*s.shards + uint64(s.id), m
}

// reserve waits until the manifest on the disk covers seq.
func (s *sender) reserve(ctx context.Context, seq uint64) bool {
	for seq >= s.limit.Load() {
		if s.batches != nil {
			s.batches.Seal() // the wait is not the broker's
		}
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

// newSession makes the senders; mean is the bytes of a value. Their first messages are not reserved yet.
func newSession(lanes int, of ShardOf, mix *content.Mix, mean int) (*session, []*sender) {
	s := &session{mean: mean, shards: uint64(lanes), lanes: uint64(lanes), mix: mix, rec: newRecorder(lanes, mix.Streams()), targets: make([]target, mix.Streams()), needMan: make(chan struct{}, 1)}
	if of.Of > 0 {
		s.shards = uint64(of.Of)
	}
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

	index int // of bulk: among the topics
	extra []byte
	byKey kgo.TopicPartitioner
}

func (s *session) topics() string {
	var all []string
	for _, t := range s.targets {
		all = append(all, t.topic)
	}
	return strings.Join(all, ", ")
}
