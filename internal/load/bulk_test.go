package load

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/config"
	"weir/internal/content"
	"weir/internal/stamp"
)

// A run at full speed builds its batches itself. Through leaders that move and connections that break, with every fault in its
// content, the topic holds each message once, with the bytes that number and seed say, and the manifest knows of each.
func TestBulkRunIsExact(t *testing.T) {
	c := broker(t, kfake.NumBrokers(2))
	var asked atomic.Int32
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		if n := asked.Add(1); n%9 == 0 {
			_ = c.MoveTopicPartition("bank.transactions", n/9%3, n/27%2)
		}
		return nil, nil, false
	})
	const messages = 12_000
	p := profile("max", messages)
	p.Producer.Batch = config.Size(8 << 10)
	p.Producer.Compression = "lz4"
	p.Headers = map[string]string{"team": "payments"}
	p.Faults = content.Faults{Duplicate: 0.02, OutOfOrder: 0.02, Poison: content.Poison{Share: 0.05}}
	home := t.TempDir()
	sum, err := Run(t.Context(), Options{Profile: p, Home: home, Connect: connect(c), Register: register, Senders: 2})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Sent != messages || sum.Acked != messages || sum.Errors != 0 || sum.Response.Count < messages*9/10 {
		t.Fatalf("got %+v", sum)
	}
	if asked.Load() < 100 {
		t.Fatalf("%d requests: leaders have hardly moved", asked.Load())
	}
	m, err := ReadManifest(home, "last")
	if err != nil {
		t.Fatal(err)
	}
	mix, err := m.Mix()
	if err != nil {
		t.Fatal(err)
	}
	mix.SetSchemaID(0, 7)
	w, seen, counts := mix.Writer(), map[uint64]bool{}, map[int32]int64{}
	for _, r := range consume(t, c, messages) {
		st, ok := stamp.Of(r)
		if !ok || len(r.Headers) != 2 || r.Headers[1].Key != "team" || string(r.Headers[1].Value) != "payments" {
			t.Fatalf("offset %d of partition %d: headers %v", r.Offset, r.Partition, r.Headers)
		}
		n := uint64(st.Seq)*2 + uint64(st.Shard)
		if seen[n] {
			t.Fatalf("message %d is there twice", n)
		}
		seen[n] = true
		counts[r.Partition] = max(counts[r.Partition], r.Offset+1)
		fault, of := mix.Fate(n)
		want := w.Append(nil, n, of, fault, st.Intended)
		if (want.Value == nil) != (r.Value == nil) || !bytes.Equal(want.Value, r.Value) && fault != content.Truncated || !bytes.Equal(want.Key, r.Key) {
			t.Fatalf("message %d (%s): another content: %x, want %x", n, fault, r.Value, want.Value)
		}
	}
	for partition, end := range counts {
		if got := m.Streams[0].Ends[partition]; got != end {
			t.Errorf("partition %d: the manifest ends at %d, the topic at %d", partition, got, end)
		}
	}
	for i := range m.Shards {
		for seq := range uint64(messages / 2) {
			if !m.Shards[i].Acked(seq) {
				t.Fatalf("shard %d: the manifest does not know that message %d was acknowledged", i, seq)
			}
		}
	}
}

// Acknowledgements decide when a run at full speed sends: it cannot be paused. What it does wait for is the manifest, and what it has
// built by then must not wait with it: that would count as the broker's latency.
func TestBulkRunWaitsWithEmptyHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stack := &kfake.VirtualNetwork{}
		c := broker(t, kfake.ListenFn(stack.Listen), kfake.SeedTopics(1, "bank.transactions"))
		client, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext))
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		p := profile("max", 10)
		s, senders := newSession(1, ShardOf{}, testMix(t), 100)
		s.client, s.hard = client, t.Context()
		r := &run{session: s, Options: Options{Profile: p}, senders: senders}
		r.targets[0] = target{topic: "bank.transactions", partitions: 1}
		if err := r.startBulk(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer s.bulk.Close()
		snd := senders[0]
		snd.send(0, 0, 0, true, -1)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		ended := make(chan bool)
		go func() { ended <- snd.reserve(ctx, 1) }()
		time.Sleep(time.Second)
		if n := s.underWay(); n != 0 {
			t.Errorf("%d messages have not left while the sender waits", n)
		}
		cancel()
		if <-ended {
			t.Error("what nobody has reserved may be sent")
		}
	})
}

// The hands off a run at full speed: it has no schedule.
func TestBulkRunCannotBePaused(t *testing.T) {
	l := NewLive()
	l.attach(&run{session: &session{flat: (&Rate{Max: true}).flat()}}, func(error) {})
	if err := l.Pause(); !errors.Is(err, errNoSchedule) {
		t.Errorf("got %v", err)
	}
}
