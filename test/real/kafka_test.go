//go:build real

// Package real tests weir's parts against the servers that they are made for: Apache Kafka, Apicurio Registry, Apache Spark.
//
// Start with `make test-real`; test/real/parts starts and stops the servers. What a fake can prove is proven where the code lies: here
// are only the promises that depend on how the real server behaves.
package real

import (
	"context"
	"encoding/binary"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
	"weir/test/real/parts"
)

const (
	topic      = "orders"
	partitions = 3
)

func connect(t testing.TB, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := kafka.Connect(kafka.Config{Brokers: kafka.Brokers{addr}}, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

func TestNothingAcknowledgedIsLostWhenTheBrokerIsKilled(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	broker := parts.Kafka(t)
	cl := connect(t, broker.Addr, kgo.DefaultProduceTopic(topic), kgo.ProducerLinger(0), kgo.MaxBufferedRecords(500))
	if err := kafka.Ping(ctx, cl); err != nil {
		t.Fatal(err)
	}
	for range 2 { // making it again is no error
		if err := kafka.EnsureTopic(ctx, cl, topic, partitions); err != nil {
			t.Fatal(err)
		}
	}
	cluster, id, n, err := kafka.Identity(ctx, cl, topic)
	if err != nil || cluster == "" || id == "" || n != partitions {
		t.Fatalf("identity: cluster %q, topic %q, %d partitions, %v", cluster, id, n, err)
	}

	// A small buffer keeps most records unsent while the broker is killed in the middle of them.
	const records = 20000
	var acked, failed atomic.Int64
	half := make(chan struct{})
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range uint64(records) {
			cl.Produce(ctx, &kgo.Record{Value: binary.BigEndian.AppendUint64(nil, i)}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed.Add(1)
					return
				}
				if acked.Add(1) == records/2 {
					close(half)
				}
			})
		}
	}()
	select {
	case <-half:
	case <-ctx.Done():
		t.Fatalf("only %d acknowledged", acked.Load())
	}
	broker.Kill(t)
	before := acked.Load()
	if before == records {
		t.Fatal("all was sent before the broker was killed: the test proves nothing")
	}
	broker.Start(t)
	<-sent
	if err := cl.Flush(ctx); err != nil {
		t.Fatal(err)
	}
	t.Logf("killed after %d of %d acknowledgements", before, records)
	if acked.Load() != records || failed.Load() != 0 {
		t.Fatalf("acknowledged %d, failed %d, want %d and 0", acked.Load(), failed.Load(), records)
	}

	seen := readAll(ctx, t, broker.Addr)
	for i := range uint64(records) {
		if seen[i] != 1 {
			t.Fatalf("record %d is there %d times, want once", i, seen[i])
		}
	}
	if len(seen) != records {
		t.Fatalf("%d different records, want %d", len(seen), records)
	}
	again, sameID, _, err := kafka.Identity(ctx, cl, topic)
	if err != nil || again != cluster || sameID != id {
		t.Fatalf("identity after the restart: %q %q %v, want %q %q", again, sameID, err, cluster, id)
	}
}

// readAll counts the values between the topic's start and its end.
func readAll(ctx context.Context, t *testing.T, addr string) map[uint64]int {
	t.Helper()
	cl := connect(t, addr, kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	ends, err := kafka.Ends(ctx, cl, topic)
	if err != nil {
		t.Fatal(err)
	}
	starts, err := kafka.Starts(ctx, cl, topic)
	if err != nil {
		t.Fatal(err)
	}
	if len(ends) != partitions || len(starts) != partitions {
		t.Fatalf("starts %v, ends %v, want %d partitions", starts, ends, partitions)
	}
	seen := map[uint64]int{}
	for open := true; open; {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		fetches.EachError(func(_ string, p int32, err error) { t.Fatalf("partition %d: %v", p, err) })
		fetches.EachRecord(func(r *kgo.Record) {
			seen[binary.BigEndian.Uint64(r.Value)]++
			starts[r.Partition] = r.Offset + 1
		})
		open = false
		for p, end := range ends {
			open = open || starts[p] < end
		}
	}
	return seen
}

func TestPingSaysThatAKilledBrokerDoesNotAnswer(t *testing.T) {
	broker := parts.Kafka(t)
	cl := connect(t, broker.Addr)
	if err := kafka.Ping(t.Context(), cl); err != nil {
		t.Fatal(err)
	}
	broker.Kill(t)
	err := kafka.Ping(t.Context(), connect(t, broker.Addr))
	if err == nil || !strings.Contains(err.Error(), broker.Addr) {
		t.Fatalf("a killed broker: %v, want an error that names %s", err, broker.Addr)
	}
	broker.Start(t)
	if err := kafka.Ping(t.Context(), cl); err != nil {
		t.Fatalf("after the restart: %v", err)
	}
}
