//go:build real

package real

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"weir/internal/registry"
	"weir/internal/stamp"
	"weir/test/real/parts"
)

// The same profile and seed, once from one process and once from eight: the real broker has the same bytes of each message.
func TestEightProcessesSendWhatOneSends(t *testing.T) {
	const messages, shards = 16_000, 8
	broker := parts.Kafka(t)
	reg, err := registry.ServeEmbedded(t.Context(), "127.0.0.1:0", filepath.Join(t.TempDir(), "registry.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	b := newBench(t, broker.Addr, reg.URL())
	b.write("profiles/same.yaml", `apiVersion: weir/v1
kind: LoadProfile
name: same
seed: 77
rate: {stages: [{target: 4k/s}]}
volume: {messages: 16k}
topic: {name: same.one, partitions: 4}
key: {field: account_id, cardinality: 500, distribution: zipf}
size: {distribution: lognormal, median: 600, p99: 4KiB, max: 16KiB}
faults: {duplicate: 2%, out_of_order: 1%, poison: {share: 2%, oversize: 100KiB, kinds: [bad_magic, unknown_schema_id, truncated, corrupt, null_value, incompatible, oversize]}}
`)
	finish := func(c *exec.Cmd, out, errs fmt.Stringer) {
		t.Helper()
		if _ = c.Wait(); c.ProcessState.ExitCode() != 0 && c.ProcessState.ExitCode() != 6 { // a busy machine: the bytes are what counts
			t.Fatalf("%v: %d\n%s%s", c.Args, c.ProcessState.ExitCode(), out, errs)
		}
	}
	c, out, errs := b.start("loadgen", "run", "same", "--json")
	finish(c, out, errs)
	at := time.Now().Add(15 * time.Second).UTC().Truncate(time.Second).Format(time.RFC3339)
	var ends []func()
	for i := range shards {
		c, out, errs := b.start("loadgen", "run", "same", "--topic", "same.eight", "--shard", fmt.Sprintf("%d/%d", i, shards), "--start-at", at, "--json")
		ends = append(ends, func() { finish(c, out, errs) })
	}
	for _, end := range ends {
		end()
	}
	type message struct{ key, value string }
	read := func(topic string) map[uint64]message {
		t.Helper()
		all, senders := map[uint64]message{}, int32(0)
		var stamps []stamp.Stamp
		records := readTopic(t.Context(), t, broker.Addr, topic)
		for _, r := range records {
			s, ok := stamp.Parse(r.Headers[0].Value)
			if !ok {
				t.Fatalf("%s[%d]@%d has no stamp", topic, r.Partition, r.Offset)
			}
			stamps, senders = append(stamps, s), max(senders, s.Shard+1)
		}
		for i, s := range stamps {
			all[uint64(s.Seq)*uint64(senders)+uint64(s.Shard)] = message{fmt.Sprintf("%q", records[i].Key), fmt.Sprintf("%v %q", records[i].Value == nil, records[i].Value)}
		}
		if len(all) != messages || len(records) != messages {
			t.Fatalf("%s: %d records, %d messages, want %d", topic, len(records), len(all), messages)
		}
		t.Logf("%s: %d senders", topic, senders)
		return all
	}
	one, eight := read("same.one"), read("same.eight")
	for n, m := range one {
		if eight[n] != m {
			t.Fatalf("message %d is\n%.400v\nfrom eight processes\n%.400v", n, m, eight[n])
		}
	}
}
