package load

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/stamp"
)

// bytesOf is a message without its stamp.
type bytesOf struct{ key, value, headers string }

// onTopic reads a run of so many shards whole; the index is the message's number.
func onTopic(t *testing.T, c *kfake.Cluster, stack *kfake.VirtualNetwork, topic string, shards, messages int) []bytesOf {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext), kgo.ConsumeTopics(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	all, seen := make([]bytesOf, messages), 0
	for seen < messages && ctx.Err() == nil {
		cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			st, _ := stamp.Parse(r.Headers[0].Value)
			n := int(st.Seq)*shards + int(st.Shard)
			if n >= messages || all[n] != (bytesOf{}) {
				t.Fatalf("%s: message %d is there twice, or was never to be", topic, n)
			}
			all[n] = bytesOf{fmt.Sprintf("%v %q", r.Key == nil, r.Key), fmt.Sprintf("%v %q", r.Value == nil, r.Value), fmt.Sprint(r.Headers[1:])}
			seen++
		})
	}
	if seen < messages {
		t.Fatalf("%s: %d of %d messages", topic, seen, messages)
	}
	return all
}

// The same seed makes the same messages, byte by byte, on one process and on eight; another seed makes others.
func TestSameSeedSameBytesOnOneAndOnEightProcesses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const messages = 8_000
		var stack kfake.VirtualNetwork
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(stack.Listen))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		run := func(topic string, seed, shards, senders int) []bytesOf {
			t.Helper()
			text := fmt.Sprintf(`apiVersion: weir/v1
kind: LoadProfile
name: same
seed: %d
rate: {stages: [{target: 20k/s}]}
volume: {messages: %d}
topic: {name: %s, partitions: 4}
key: {field: account_id, cardinality: 500, distribution: zipf}
size: {distribution: lognormal, median: 600, p99: 2KiB, max: 8KiB}
headers: {source: load}
faults: {duplicate: 2%%, out_of_order: 1%%, poison: {share: 2%%, oversize: 9KiB, kinds: [bad_magic, unknown_schema_id, truncated, corrupt, null_value, incompatible, oversize]}}
`, seed, messages, topic)
			start := time.Now().Add(time.Minute).Truncate(time.Second)
			connect := func(o ...kgo.Opt) (*kgo.Client, error) {
				return kgo.NewClient(append(o, kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext))...)
			}
			var all sync.WaitGroup
			for i := range shards {
				all.Go(func() {
					o := Options{Profile: mustParse(t, text), Home: t.TempDir(), Register: register, Connect: connect, nap: time.Sleep, Senders: senders}
					if shards > 1 {
						o.Shard = ShardOf{i, shards, start}
						var err error
						if o.Run, err = o.Shard.Run(o.Profile); err != nil {
							t.Error(err)
						}
					}
					if sum, err := Run(t.Context(), o); err != nil || sum.Errors > 0 {
						t.Errorf("%s: shard %d: %d errors, %v", topic, i, sum.Errors, err)
					}
				})
			}
			all.Wait()
			if t.Failed() {
				t.FailNow()
			}
			return onTopic(t, c, &stack, topic, max(shards, senders), messages)
		}
		one := run("one", 5, 1, 1)
		for topic, got := range map[string][]bytesOf{"eight processes": run("eight", 5, 8, 1), "four senders": run("senders", 5, 1, 4)} {
			for n := range one {
				if one[n] != got[n] {
					t.Fatalf("%s: message %d is\n%.300v\nand on one\n%.300v", topic, n, got[n], one[n])
				}
			}
		}
		same := 0
		for n, m := range run("other", 6, 1, 1) {
			if m.value == one[n].value && !strings.HasPrefix(m.value, "true") { // a tombstone is like another
				same++
			}
		}
		if same > 0 {
			t.Errorf("%d of %d messages are the same with another seed", same, messages)
		}
	})
}
