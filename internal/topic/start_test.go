package topic

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
	"weir/minibatch"
)

// open is a topic "t" of some partitions on a broker of its own, and a client that writes to it.
func open(t *testing.T, partitions int32, start string) (*Source, *kgo.Client) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, "t"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	cfg := kafka.Config{Brokers: c.ListenAddrs()}
	s, err := Open(t.Context(), cfg, "t", start)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	cl, err := kafka.Connect(cfg, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(12<<20), kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return s, cl
}

func send(t *testing.T, cl *kgo.Client, recs ...*kgo.Record) {
	t.Helper()
	if err := cl.ProduceSync(t.Context(), recs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// A time begins each partition at its first record of that time or later, or at its end; the first commit pins it, also where there
// is nothing to read, so that what comes later with an older timestamp is read as well.
func TestAStartIsATime(t *testing.T) {
	day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	s, cl := open(t, 3, "2026-11-20T00:00:00Z")
	for i, at := range []time.Time{day.Add(-2 * time.Hour), day.Add(-time.Millisecond), day, day.Add(time.Hour)} {
		send(t, cl, &kgo.Record{Partition: 0, Value: []byte{byte(i)}, Timestamp: at})
	}
	send(t, cl, &kgo.Record{Partition: 1, Value: []byte("old"), Timestamp: day.Add(-time.Hour)})
	b, err := s.Plan(t.Context(), minibatch.Cursor{}, minibatch.Limits{Rows: 100, Bytes: 1 << 20, Parallel: 1})
	if err != nil {
		t.Fatal(err)
	}
	to, err := ToOffsets(b.To)
	if err != nil || b.Rows != 2 || to.Next[0] != 4 || to.Next[1] != 1 || to.Next[2] != 0 {
		t.Fatalf("got %d rows to %v, %v; want 2 rows", b.Rows, to.Next, err)
	}
	// What was pinned holds.
	send(t, cl, &kgo.Record{Partition: 1, Value: []byte("late"), Timestamp: day.Add(-time.Hour)})
	if b, err = s.Plan(t.Context(), b.To, minibatch.Limits{Rows: 100, Bytes: 1 << 20, Parallel: 1}); err != nil || b.Rows != 1 {
		t.Errorf("got %d rows, %v; want the late one", b.Rows, err)
	}
}

func TestAStartWithNothingToReadIsPinned(t *testing.T) {
	s, cl := open(t, 1, "2026-11-20T00:00:00Z")
	send(t, cl, &kgo.Record{Value: []byte("old"), Timestamp: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)})
	if err := s.Wait(t.Context(), minibatch.Cursor{}, minibatch.Limits{Rows: 1, Age: time.Hour}); err != nil {
		t.Fatal(err)
	}
	b, err := s.Plan(t.Context(), minibatch.Cursor{}, minibatch.Limits{Rows: 100, Bytes: 1 << 20, Parallel: 1})
	if err != nil || !b.Pin || b.Rows != 0 {
		t.Errorf("got %+v, %v; want a pin", b, err)
	}
}

func TestAStartInTheFutureIsRefused(t *testing.T) {
	s, _ := open(t, 1, time.Now().Add(time.Hour).Format(time.RFC3339))
	_, err := s.Plan(t.Context(), minibatch.Cursor{}, minibatch.Limits{Rows: 100, Parallel: 1})
	var f *minibatch.Failure
	if !errors.As(err, &f) || f.After >= 0 {
		t.Errorf("got %v, want an error that ends the job", err)
	}
}

// What is read ahead is bounded in bytes, however large the messages are, and nothing of it is lost.
func TestReadingAheadIsBoundedInBytes(t *testing.T) {
	const limit, big, n = 4 << 20, 900 << 10, 30
	s, cl := open(t, 2, Earliest)
	s.Bound(limit)
	for i := range n {
		send(t, cl, &kgo.Record{Partition: 0, Value: bytes.Repeat([]byte{byte(i)}, big)})
	}
	send(t, cl, &kgo.Record{Partition: 1})
	var got []byte
	take := func(spans ...span) {
		t.Helper()
		r := s.readers[0]
		if r == nil {
			r = &reader{cfg: s.cfg, topic: s.topic, ahead: &s.ahead}
			s.readers[0] = r
		}
		if _, _, err := r.read(t.Context(), spans, func(recs Records) bool {
			for _, x := range recs {
				if x.Partition == 0 {
					got = append(got, x.Value[0])
				}
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
	}
	// The small partition is read to its end while the large one comes in, one message of it at a time.
	take(span{0, 0, 1}, span{1, 0, 1})
	for i := int64(1); i < n; i++ {
		send(t, cl, &kgo.Record{Partition: 1})
		take(span{1, i, i + 1})
	}
	if held, _ := s.Held(); held > limit+fetchBytes {
		t.Errorf("%d bytes are held ahead, more than %d and a fetch", held, limit)
	}
	take(span{0, 1, n})
	want := make([]byte, n)
	for i := range want {
		want[i] = byte(i)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got messages %v", got)
	}
	if held, _ := s.Held(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
	if most := s.ahead.most.Load(); most < limit || most > limit+fetchBytes {
		t.Errorf("at most %d bytes were held, want between %d and a fetch more", most, limit)
	}
}
