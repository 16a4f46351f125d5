package load

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/content"
)

// A Resumption is one time that a run was taken up again after its generator had died.
type Resumption struct {
	At     time.Time `json:"at"`
	Found  int64     `json:"found"`  // messages that the manifest did not know of, and that are in the topics
	Filled int64     `json:"filled"` // messages that had been handed over, never arrived, and were sent again
}

// ErrOver means that there is nothing left to go on with.
var ErrOver = errors.New("it has ended in order")

// ErrUnmarked says that a run's messages carry no identity.
var ErrUnmarked = errors.New("its messages carry no identity (verify.identity: none)")

// Resume goes on with a run whose generator has died: the topics tell what of it has arrived, what had been handed over but never
// arrived is sent again, and the schedule goes on where it stood, as if it had been paused. The result's latencies are those of the
// part that is sent now.
//
// That is exact because a partition takes a producer's messages in their order: what is missing of one lies behind all that has
// arrived there. o.Profile, o.Run and o.Shard are those of the manifest; they need not be given.
func Resume(ctx context.Context, o Options, m *Manifest) (Summary, error) {
	switch {
	case m.State == Ended:
		return Summary{}, fmt.Errorf("run %s cannot be resumed: %w", m.Run, ErrOver)
	case m.Unmarked:
		return Summary{}, fmt.Errorf("run %s cannot be resumed: %w", m.Run, ErrUnmarked)
	case m.Effective == "":
		return Summary{}, fmt.Errorf("run %s cannot be resumed: its manifest, by an earlier version, does not hold the profile", m.Run)
	case m.Begun.IsZero():
		return Summary{}, fmt.Errorf("run %s cannot be resumed: its schedule had not begun; start the profile again", m.Run)
	}
	id, err := ulid.Parse(m.Run)
	if err != nil {
		return Summary{}, fmt.Errorf("manifest of run %s: %w", m.Run, err)
	}
	if o.Profile, err = ResumedProfile(m); err != nil {
		return Summary{}, err
	}
	o.Run, o.Shard, o.Senders, o.from = id, m.Shard, len(m.Shards), m
	return Run(ctx, o)
}

// ResumedProfile is the profile that [Resume] goes on with.
func ResumedProfile(m *Manifest) (*Profile, error) {
	as := func(r *reading) { r.literal = true } // its variables have their values
	p, err := Parse(filepath.Join(m.Dir, m.Run+".yaml"), []byte(m.Effective), as)
	if err != nil {
		return nil, fmt.Errorf("the profile in the manifest of run %s: %w", m.Run, err)
	}
	topics := []*Topic{&p.Topic}
	for i := range p.Mix {
		topics = append(topics, &p.Mix[i].Topic)
	}
	for _, t := range topics {
		if t.Create == "recreate" { // it has been
			t.Create = ""
		}
	}
	return p, nil
}

// again is the manifest of the run that goes on.
func (m *Manifest) again() *Manifest {
	c := *m
	c.Shards, c.Streams, c.Resumptions = slices.Clone(m.Shards), slices.Clone(m.Streams), slices.Clone(m.Resumptions)
	c.State, c.Ended, c.Result, c.Histograms = Running, time.Time{}, nil, nil
	return &c
}

// restore puts the run where the dead generator was, by what it has written down and what the topics hold.
func (r *run) restore(ctx context.Context) error {
	m := r.from
	r.startAt, r.warm = time.Time{}, m.Warmup
	parts := r.Profile.parts()
	for i, s := range m.Streams {
		partitions, err := r.topicOf(ctx, s.Topic)
		if err != nil {
			return err
		}
		part := MixPart{Part: Part{Topic: Topic{Name: s.Topic}}}
		if i < len(parts) {
			part.Headers = parts[i].Headers
		}
		r.aim(i, &part, partitions)
		r.mix.SetSchemaID(i, s.SchemaID)
		r.mix.SetLaterID(i, s.LaterID)
		faults := maps.Clone(s.Faults)
		if faults == nil {
			faults = map[content.Fault]int64{}
		}
		r.before = append(r.before, tally{s.Messages, s.Bytes, faults})
		r.rec.restoreEnds(i, s)
	}
	for i, snd := range r.senders {
		snd.counted, snd.below = m.Shards[i].Sent, m.Shards[i].Sent
		snd.position.Store(math.Float64bits(m.Shards[i].Position)) // of that seq, until what is missing behind it has been sent
		r.rec.shards[i] = m.Shards[i].set()
		snd.next.Store(max(m.Shards[i].Sent, r.rec.shards[i].top))
	}
	if r.txn != nil { // the dead generator's transaction is aborted by this
		if _, _, err := r.client.ProducerID(ctx); err != nil {
			return fmt.Errorf("end the transaction of the generator that died: %w", err)
		}
	}
	found, err := r.findSent(ctx)
	if err != nil {
		return err
	}
	for i := range r.senders {
		a := &r.rec.shards[i]
		r.rec.failed += int64(a.failed.count())
		r.rec.acked += int64(a.count()) - int64(a.failed.count())
	}
	r.txn.restore(r.warm, r.senders[0].next.Load())
	for _, t := range r.before {
		r.bytes.Add(t.bytes)
		r.rec.bytes += t.bytes
	}
	r.schedule.takeUp(r.position(), m)
	if r.bound.duration > 0 && r.flat {
		r.bound.duration = max(r.bound.duration-m.Elapsed, 1)
	}
	if m.Interactive {
		r.Live.hands = true
	}
	r.manifest.Resumptions = append(r.manifest.Resumptions, Resumption{At: time.Now().UTC(), Found: found})
	return nil
}

// topicOf says how many partitions the run's topic has; it is not made again.
func (r *run) topicOf(ctx context.Context, name string) (int, error) {
	d, err := describeTopic(ctx, kadm.NewClient(r.client), name)
	if err != nil {
		return 0, err
	}
	if errors.Is(d.Err, kerr.UnknownTopicOrPartition) {
		return 0, fmt.Errorf("run %s cannot be resumed: topic %s: %w", r.manifest.Run, name, ErrNoTopic)
	}
	if d.Err != nil {
		return 0, fmt.Errorf("topic %s: %w", name, d.Err)
	}
	return len(d.Partitions), nil
}

// position is the place on the curve where the schedule goes on: that of the sender that is furthest behind.
func (r *run) position() float64 {
	x := math.Inf(1)
	for _, s := range r.senders {
		x = min(x, r.arrivalsAgain(s).x)
	}
	return x
}

// arrivalsAgain are those of a sender whose process has died: behind what the manifest knows, each message was a step.
func (r *run) arrivalsAgain(s *sender) arrivals {
	rec, times := r.from.Shards[s.lane], uint64(len(r.from.Resumptions)+1)
	a := newArrivals(&r.Profile.Rate, r.Profile.seed()+times*0x9e3779b97f4a7c15, s.id, int(r.shards), 0)
	steps := float64(s.next.Load() - min(s.next.Load(), rec.Sent))
	if a.bytes {
		var sent, bytes int64
		for _, t := range r.before {
			sent, bytes = sent+t.messages, bytes+t.bytes
		}
		steps *= float64(bytes) / float64(max(1, sent))
	}
	a.x = rec.Position + steps*a.share
	return a
}

// takeUp begins at position x of the load.
func (s *schedule) takeUp(x float64, m *Manifest) {
	p := s.last()
	p.x, p.y, p.c = x, x, m.OnCurve
	if planned, ok := p.curve.(Planned); ok {
		if m.Interactive { // the curve was bent by hand: it goes on from the time that it had reached
			p.y = planned.Due(p.c)
		} else if p.c = planned.At(x); p.c == Forever {
			p.c = planned.End()
		}
	}
	s.plan.Store(&plan{pieces: []piece{p}, changed: make(chan struct{})})
}

// fill sends what had been handed over and never arrived. It is not timed.
func (r *run) fill(ctx context.Context) error {
	defer context.AfterFunc(ctx, r.abort)() // frees a send that waits for the window
	holes, filled := make([][]uint64, len(r.senders)), &r.manifest.Resumptions[len(r.manifest.Resumptions)-1].Filled
	for lane, s := range r.senders {
		a := &r.rec.shards[lane]
		for seq := a.low; seq < s.next.Load(); seq++ {
			if !a.settled(seq) {
				holes[lane] = append(holes[lane], seq)
			}
		}
		*filled += int64(len(holes[lane]))
	}
	for lane, s := range r.senders {
		for _, seq := range holes[lane] {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			n := seq*s.shards + uint64(s.id)
			if err := s.txn.before(ctx, n-min(n, r.warm)); err != nil {
				return err
			}
			now, stream := s.pace.now(), r.mix.Of(n)
			s.send(n, now, now, false, r.rec.behind(stream, r.targets[stream].partitions, lane, seq))
		}
	}
	if err := r.txn.end(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, leadersWithin)
	defer cancel()
	if err := r.client.Flush(ctx); err != nil {
		return fmt.Errorf("resume: topic %s does not acknowledge: %w", r.topics(), context.Cause(ctx))
	}
	for _, s := range r.senders {
		s.blocked, s.last, s.below = 0, 0, s.next.Load()
		s.position.Store(math.Float64bits(r.arrivalsAgain(s).x))
	}
	return r.rec.failure()
}

// behind is one of so many partitions of a stream that holds nothing of the sender behind seq, and as much as any before it: there a
// message without a key stands in order. The one that it was on its way to is such a partition.
func (r *recorder) behind(stream int, partitions int32, lane int, seq uint64) int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	best, reached := int32(-1), uint64(0)
	for p := range partitions {
		top := uint64(0)
		if i := int(p)*len(r.shards) + lane; i < len(r.tops[stream]) {
			top = r.tops[stream][i]
		}
		if top <= seq && (best < 0 || top > reached) {
			best, reached = p, top
		}
	}
	return max(best, 0)
}

// restoreEnds takes what the manifest knows of a stream's partitions.
func (r *recorder) restoreEnds(stream int, s StreamRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for p, end := range s.Ends {
		r.reached(stream, p, end-1, 0, 0) // makes room
		row := r.tops[stream][int(p)*len(r.shards):][:len(r.shards)]
		clear(row)
		copy(row, s.Tops[p])
	}
}

// set is the acknowledged seqs as the manifest has them.
func (s *ShardRecord) set() ackSet {
	a := ackSet{low: s.AckedBelow, top: s.AckedBelow, failed: slices.Clone(s.Failed)}
	for i, word := range s.above {
		for b := range uint64(64) {
			if word>>b&1 != 0 {
				a.acked(s.AckedBelow + uint64(i)*64 + b)
			}
		}
	}
	return a
}

// count is how many seqs have an outcome.
func (a *ackSet) count() (n uint64) {
	n = a.low
	for seq := a.low; seq < a.top; seq++ {
		if a.has(seq) {
			n++
		}
	}
	return n
}

func (r ranges) count() (n uint64) {
	for _, one := range r {
		n += one[1] - one[0]
	}
	return n
}

// findSent reads what lies in the topics behind the last message that the manifest knows of, and notes what of it is the run's.
func (r *run) findSent(ctx context.Context) (found int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	from, to, err := r.unknown(ctx)
	if err != nil || len(from) == 0 {
		return 0, err
	}
	level := kgo.ReadUncommitted()
	if r.txn != nil {
		level = kgo.ReadCommitted()
	}
	// Control records are kept: a partition may end with one.
	cl, err := r.Connect(kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(level), kgo.KeepControlRecords(), kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		return 0, err
	}
	defer cl.Close()
	streams := map[string]int{}
	for i, t := range r.targets {
		streams[t.topic] = i
	}
	for left := true; left; {
		f := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return 0, fmt.Errorf("read what has arrived in %s: %w", r.topics(), context.Cause(ctx))
		}
		for _, e := range f.Errors() {
			return 0, fmt.Errorf("read what has arrived in %s: partition %d: %w", e.Topic, e.Partition, e.Err)
		}
		f.EachRecord(func(rec *kgo.Record) {
			end := to[rec.Topic]
			if rec.Offset+1 >= end[rec.Partition] {
				delete(end, rec.Partition)
			}
			if rec.Attrs.IsControl() || !r.arrived(streams[rec.Topic], rec) {
				return
			}
			found++
		})
		left = false
		for _, end := range to {
			left = left || len(end) > 0
		}
	}
	return found, nil
}

// unknown are the offsets between what the manifest knows and the end of each partition that has something there.
func (r *run) unknown(ctx context.Context) (from map[string]map[int32]kgo.Offset, to map[string]map[int32]int64, err error) {
	adm := kadm.NewClient(r.client)
	from, to = map[string]map[int32]kgo.Offset{}, map[string]map[int32]int64{}
	for _, s := range r.from.Streams {
		// Clocks differ, and a broker may stamp records with its own time.
		starts, err := adm.ListOffsetsAfterMilli(ctx, r.from.Started.Add(-time.Hour).UnixMilli(), s.Topic)
		if err == nil {
			err = starts.Error()
		}
		if err != nil {
			return nil, nil, fmt.Errorf("offsets of %s: %w", s.Topic, err)
		}
		ends, err := r.settledEnds(ctx, adm, s.Topic)
		if err != nil {
			return nil, nil, err
		}
		for p, end := range ends {
			start := starts[s.Topic][p].Offset
			if known, ok := s.Ends[p]; ok {
				if known > end {
					return nil, nil, fmt.Errorf("run %s cannot be resumed: partition %d of topic %s ends at offset %d, the run has written up to %d: the topic was made again or cut", r.manifest.Run, p, s.Topic, end, known)
				}
				start = known
			}
			if start < 0 || start >= end {
				continue
			}
			if from[s.Topic] == nil {
				from[s.Topic], to[s.Topic] = map[int32]kgo.Offset{}, map[int32]int64{}
			}
			from[s.Topic][p], to[s.Topic][p] = kgo.NewOffset().At(start), end
		}
	}
	return from, to, nil
}

// settledEnds waits until a topic stands still, a moment at most: a request of the dead generator may still be on its way.
func (r *run) settledEnds(ctx context.Context, adm *kadm.Client, topic string) (map[int32]int64, error) {
	list := adm.ListEndOffsets
	if r.txn != nil {
		list = adm.ListCommittedOffsets
	}
	var before map[int32]int64
	for range 10 {
		all, err := list(ctx, topic)
		if err == nil {
			err = all.Error()
		}
		if err != nil {
			return nil, fmt.Errorf("offsets of %s: %w", topic, err)
		}
		now, still := map[int32]int64{}, before != nil
		for p, o := range all[topic] {
			now[p] = o.Offset
			still = still && before[p] == o.Offset
		}
		if still {
			return now, nil
		}
		before = now
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
	return before, nil // others write to it
}

// restore counts the messages below next that were aborted.
func (t *transactions) restore(warm, next uint64) {
	if t == nil {
		return
	}
	for n := uint64(0); warm+n+uint64(t.Messages) <= next; n += uint64(t.Messages) {
		if t.Aborted(t.seed, n) {
			t.aborted.Add(int64(t.Messages))
		}
	}
}

// arrived notes a record of the topic, if it is one of the run that the manifest did not know of.
func (r *run) arrived(stream int, rec *kgo.Record) bool {
	st, lane, ok := r.ours(rec)
	if !ok {
		return false
	}
	seq := uint64(st.Seq)
	a, snd := &r.rec.shards[lane], r.senders[lane]
	r.rec.mu.Lock()
	defer r.rec.mu.Unlock()
	r.rec.reached(stream, rec.Partition, rec.Offset, lane, seq)
	if a.settled(seq) {
		return false
	}
	a.acked(seq)
	if next := seq + 1; next > snd.next.Load() {
		snd.next.Store(next)
	}
	if seq >= snd.counted { // the manifest has not counted it
		t := &r.before[stream]
		t.messages, t.bytes = t.messages+1, t.bytes+int64(len(rec.Value))
		if fault, _ := r.mix.Fate(seq*r.shards + uint64(st.Shard)); fault != content.Healthy {
			t.faults[fault]++
		}
	}
	return true
}
