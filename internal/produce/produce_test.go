package produce

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func cluster(t *testing.T, brokers int) *kfake.Cluster {
	c, err := kfake.NewCluster(kfake.NumBrokers(brokers), kfake.SeedTopics(3, "a", "b"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func client(t *testing.T, addr []string, opts ...kgo.Opt) *kgo.Client {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr...))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// outcomes keeps what Settle is told: for each lane and seq, where the record is, or why not.
type outcomes struct {
	sync.Mutex
	at   map[[2]uint64]string
	errs map[[2]uint64]error
}

func (o *outcomes) settle(b *Batch, base int64, err error) {
	o.Lock()
	defer o.Unlock()
	for i, n := range b.Notes {
		id := [2]uint64{uint64(b.Tag.Lane), n.Seq}
		if err != nil {
			o.errs[id] = err
			continue
		}
		o.at[id] = fmt.Sprintf("%d/%d/%d", b.Topic, b.Partition, base+int64(i))
	}
}

func start(t *testing.T, cl *kgo.Client, change func(*Config)) (*Producer, *outcomes) {
	o := &outcomes{at: map[[2]uint64]string{}, errs: map[[2]uint64]error{}}
	c := Config{
		Client: cl, Topics: []Topic{{"a", 3}, {"b", 3}}, Acks: -1, Idempotent: true, Batch: 2000, Linger: time.Millisecond,
		Delivery: 30 * time.Second, Window: 500, Settle: o.settle,
	}
	if change != nil {
		change(&c)
	}
	p, err := New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p, o
}

const lanes = 2

// recordOf is what a lane sends as its record seq; it is the same each time.
func recordOf(lane, seq uint64) (topic int, partition int32, key, value, headers []byte) {
	r := rand.New(rand.NewPCG(lane, seq))
	topic, partition = r.IntN(2), -1
	if r.IntN(2) == 0 {
		partition, key = int32(r.IntN(3)), []byte(fmt.Sprint("k", r.IntN(100)))
	}
	value = binary.BigEndian.AppendUint64(nil, lane)
	value = binary.BigEndian.AppendUint64(value, seq)
	switch r.IntN(20) {
	case 0:
		value = append(value, bytes.Repeat([]byte{1}, 3000)...) // larger than a batch
	case 1:
		value = append(value, bytes.Repeat([]byte{2}, 47)...) // 63 and 64 bytes: lengths of one byte and of two
	case 2:
		value = append(value, bytes.Repeat([]byte{2}, 48)...)
	default:
		value = append(value, bytes.Repeat([]byte{3}, r.IntN(200))...)
	}
	headers = AppendCount(nil, 2)
	headers = AppendHeader(headers, "first", []byte{4, byte(seq)})
	headers = AppendHeader(headers, "", nil)
	return topic, partition, key, value, headers
}

// send sends records from several lanes at once.
func send(ctx context.Context, p *Producer, each uint64) {
	var all sync.WaitGroup
	begin := time.Now()
	for lane := range uint64(lanes) {
		all.Go(func() {
			l := p.Lane(int(lane))
			for seq := range each {
				topic, partition, key, value, headers := recordOf(lane, seq)
				now := time.Since(begin)
				l.Add(ctx, topic, partition, now, begin.Add(now).UnixMilli(), key, value, headers, Tag{Lane: int32(lane)}, seq)
			}
			l.Seal()
		})
	}
	all.Wait()
}

// topics reads all that is there.
func topics(t *testing.T, addr []string) []*kgo.Record {
	cl := client(t, addr, kgo.ConsumeTopics("a", "b"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ends, err := kadm.NewClient(cl).ListEndOffsets(t.Context(), "a", "b")
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	ends.Each(func(o kadm.ListedOffset) { left += int(o.Offset) })
	var all []*kgo.Record
	for len(all) < left {
		f := cl.PollFetches(t.Context())
		if err := f.Err(); err != nil {
			t.Fatal(err)
		}
		all = append(all, f.Records()...)
	}
	slices.SortFunc(all, func(a, b *kgo.Record) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition), cmp.Compare(a.Offset, b.Offset))
	})
	return all
}

// check holds the topics against what was sent and what was told: each record that was settled well is there once, where it was
// told to be, as it was made, and behind those of its lane that were sent before.
func check(t *testing.T, all []*kgo.Record, o *outcomes, each uint64) {
	t.Helper()
	seen, last := map[[2]uint64]bool{}, map[string]uint64{}
	for _, r := range all {
		lane, seq := binary.BigEndian.Uint64(r.Value), binary.BigEndian.Uint64(r.Value[8:])
		id := [2]uint64{lane, seq}
		if seen[id] {
			t.Fatalf("lane %d, record %d is there twice", lane, seq)
		}
		seen[id] = true
		topic, partition, key, value, _ := recordOf(lane, seq)
		if r.Topic != []string{"a", "b"}[topic] || partition >= 0 && r.Partition != partition || !bytes.Equal(key, r.Key) || !bytes.Equal(value, r.Value) {
			t.Fatalf("lane %d, record %d is another one: %s/%d, key %q", lane, seq, r.Topic, r.Partition, r.Key)
		}
		if len(r.Headers) != 2 || r.Headers[0].Key != "first" || !bytes.Equal(r.Headers[0].Value, []byte{4, byte(seq)}) || r.Headers[1].Key != "" || r.Headers[1].Value != nil {
			t.Fatalf("lane %d, record %d: headers %v", lane, seq, r.Headers)
		}
		if age := time.Since(r.Timestamp); age < 0 || age > time.Minute {
			t.Fatalf("lane %d, record %d: timestamp %v", lane, seq, r.Timestamp)
		}
		place := fmt.Sprintf("%d %s %d", lane, r.Topic, r.Partition)
		if seq < last[place] {
			t.Fatalf("lane %d, record %d is behind record %d", lane, seq, last[place])
		}
		last[place] = seq
		if where := fmt.Sprintf("%d/%d/%d", topic, r.Partition, r.Offset); o.errs[id] == nil && o.at[id] != where && o.at[id][len(o.at[id])-2:] != "-1" {
			t.Fatalf("lane %d, record %d is at %s, told to be at %s", lane, seq, where, o.at[id])
		}
	}
	for lane := range uint64(lanes) {
		for seq := range each {
			id := [2]uint64{lane, seq}
			switch _, ok := o.at[id]; {
			case ok && !seen[id]:
				t.Fatalf("lane %d, record %d was acknowledged and is not there", lane, seq)
			case !ok && o.errs[id] == nil:
				t.Fatalf("lane %d, record %d has no outcome", lane, seq)
			}
		}
	}
}

func TestRecordsArriveAsTheyWereMade(t *testing.T) {
	for _, codec := range []kgo.CompressionCodec{kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression()} {
		for _, idempotent := range []bool{true, false} {
			c := cluster(t, 3)
			p, o := start(t, client(t, c.ListenAddrs()), func(c *Config) {
				c.Idempotent = idempotent
				c.Compressor, _ = kgo.DefaultCompressor(codec)
			})
			send(t.Context(), p, 3000)
			if err := p.Flush(t.Context()); err != nil || p.Pending() != 0 {
				t.Fatalf("flush: %v, %d left", err, p.Pending())
			}
			if len(o.errs) > 0 {
				t.Fatalf("%d errors", len(o.errs))
			}
			check(t, topics(t, c.ListenAddrs()), o, 3000)
		}
	}
}

// refusal answers a produce request with an error for each partition.
func refusal(req kmsg.Request, err *kerr.Error) kmsg.Response {
	r, _ := req.(*kmsg.ProduceRequest)
	resp, _ := r.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range r.Topics {
		answer := kmsg.NewProduceResponseTopic()
		answer.Topic, answer.TopicID = t.Topic, t.TopicID
		for _, part := range t.Partitions {
			p := kmsg.NewProduceResponseTopicPartition()
			p.Partition, p.ErrorCode = part.Partition, err.Code
			answer.Partitions = append(answer.Partitions, p)
		}
		resp.Topics = append(resp.Topics, answer)
	}
	return resp
}

// Leaders move and brokers answer with errors while records are sent.
func TestLeadersMove(t *testing.T) {
	c := cluster(t, 3)
	var asked atomic.Int64
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		n := asked.Add(1)
		if n%7 == 0 {
			c.MoveTopicPartition("a", int32(n/7%3), int32(n/21%3))
		}
		if n%11 != 0 {
			return nil, nil, false
		}
		return refusal(req, kerr.NotEnoughReplicas), nil, true
	})
	p, o := start(t, client(t, c.ListenAddrs()), nil)
	send(t.Context(), p, 3000)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(o.errs) > 0 || asked.Load() < 50 {
		t.Fatalf("%d errors, %d requests", len(o.errs), asked.Load())
	}
	check(t, topics(t, c.ListenAddrs()), o, 3000)
}

// Connections break again and again, with requests and answers on them.
func TestConnectionsBreak(t *testing.T) {
	c := cluster(t, 1)
	through := newBreaker(t, c.ListenAddrs()[0])
	p, o := start(t, client(t, []string{through.addr}, kgo.Dialer(func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, through.addr)
	})), nil)
	through.breaking.Store(true)
	send(t.Context(), p, 4000)
	through.breaking.Store(false)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for id, err := range o.errs {
		t.Fatalf("%d errors: record %v: %v", len(o.errs), id, err)
	}
	if n := through.broken.Load(); n < 10 {
		t.Fatalf("%d broken connections", n)
	}
	check(t, topics(t, c.ListenAddrs()), o, 4000)
}

// A breaker passes bytes on and cuts a connection after some, in either direction.
type breaker struct {
	addr     string
	breaking atomic.Bool
	broken   atomic.Int64
}

func newBreaker(t *testing.T, to string) *breaker {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	b := &breaker{addr: l.Addr().String()}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", to)
			if err != nil {
				_ = in.Close()
				continue
			}
			cut := func() {
				_ = in.Close()
				_ = out.Close()
			}
			pass := func(dst, src net.Conn, least int64) {
				for {
					n, err := io.CopyN(dst, src, least+rand.Int64N(4*least))
					if n > 0 && b.breaking.Load() {
						b.broken.Add(1)
						break
					}
					if err != nil {
						break
					}
				}
				cut()
			}
			go pass(out, in, 60_000)
			go pass(in, out, 1500)
		}
	}()
	return b
}

// A topic that refuses a record for good fails that batch; the others of its partition arrive under another producer id.
func TestARefusedBatchDoesNotStopTheOthers(t *testing.T) {
	c := cluster(t, 1)
	var n atomic.Int64
	c.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if n.Add(1)%9 != 0 {
			return nil, nil, false
		}
		return refusal(req, kerr.MessageTooLarge), nil, true
	})
	p, o := start(t, client(t, c.ListenAddrs()), nil)
	send(t.Context(), p, 3000)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(o.errs) == 0 || len(o.errs) > 3000 {
		t.Errorf("%d of 6000 records failed; want some", len(o.errs))
	}
	for id, err := range o.errs {
		if !errors.Is(err, kerr.MessageTooLarge) {
			t.Fatalf("record %v: %v", id, err)
		}
	}
	check(t, topics(t, c.ListenAddrs()), o, 3000)
}

// The window holds the lanes up, and lets go when their context ends.
func TestTheWindowHolds(t *testing.T) {
	c := cluster(t, 1)
	silent := make(chan struct{})
	defer close(silent)
	p, o := start(t, client(t, c.ListenAddrs()), func(c *Config) { c.Window, c.Delivery = 100, time.Minute })
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.SleepControl(func() { <-silent })
		return nil, nil, false
	})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		l := p.Lane(0)
		for seq := range uint64(1000) {
			if ctx.Err() != nil {
				break
			}
			topic, partition, key, value, headers := recordOf(0, seq)
			l.Add(ctx, topic, partition, 0, 0, key, value, headers, Tag{}, seq)
		}
	}()
	for p.Pending() < 100 {
		time.Sleep(time.Millisecond) // real time: the broker is a server
	}
	select {
	case <-done:
		t.Error("the lane went on")
	case <-time.After(50 * time.Millisecond):
	}
	cancel()
	<-done
	if n := p.Pending(); n != 100 {
		t.Errorf("%d records without an answer; want 100", n)
	}
	p.Close()
	if len(o.errs) == 0 || p.Pending() > 100 {
		t.Errorf("after the end: %d failed, %d without an answer", len(o.errs), p.Pending())
	}
}

// What cannot be sent is given up after the delivery timeout.
func TestDeliveryTimeout(t *testing.T) {
	c := cluster(t, 1)
	p, o := start(t, client(t, c.ListenAddrs()), func(c *Config) { c.Delivery = 1500 * time.Millisecond })
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		return nil, errors.New("the connection is cut"), true
	})
	send(t.Context(), p, 20)
	if err := p.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(o.errs) != 2*20 {
		t.Errorf("%d of 40 records failed", len(o.errs))
	}
}
