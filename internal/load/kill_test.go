package load

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"pgregory.net/rapid"

	"weir/internal/content"
	"weir/internal/stamp"
)

// killedRun is the child that a test kills in the middle of a run.
func killedRun() {
	p := profile("20000", 10_000_000)
	p.Topic.Partitions = 3
	o := Options{Profile: p, Home: os.Getenv("WEIR_TEST_DIR"), Connect: connectTo(os.Getenv("WEIR_TEST_BROKER")), Register: register, Senders: 2}
	told := false
	o.Progress = func(g Progress) {
		if g.Elapsed > 1500*time.Millisecond && !told {
			told = true
			fmt.Println("kill me")
		}
	}
	if _, err := Run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// After a kill -9 the manifest must cover all that is in the topic, and claim nothing that is not.
func TestManifestSurvivesAKill(t *testing.T) {
	_, addr := child(t, "broker", "WEIR_TEST_DIR="+t.TempDir())
	home := t.TempDir()
	cmd, _ := child(t, "run", "WEIR_TEST_DIR="+home, "WEIR_TEST_BROKER="+addr)
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = cmd.Process.Wait()
	m, err := ReadManifest(home, "last")
	if err != nil {
		t.Fatal(err)
	}
	if m.State != Running || m.Known() {
		t.Errorf("state: got %s, want %s", m.State, Running)
	}
	gen, err := m.Mix()
	if err != nil {
		t.Fatal(err)
	}
	w, seen := gen.Writer(), make([]map[uint64]bool, len(m.Shards))
	for i := range seen {
		seen[i] = map[uint64]bool{}
	}
	for _, r := range readAll(t, addr) {
		st, ok := stamp.Parse(r.Headers[0].Value)
		if !ok || st.Run.String() != m.Run {
			t.Fatalf("offset %d of partition %d: stamp %v, %v", r.Offset, r.Partition, st, ok)
		}
		if uint64(st.Seq) >= m.Shards[st.Shard].Reserved {
			t.Fatalf("shard %d: seq %d was sent, the manifest reserves only %d", st.Shard, st.Seq, m.Shards[st.Shard].Reserved)
		}
		n := uint64(st.Seq)*uint64(len(m.Shards)) + uint64(st.Shard)
		if !bytes.Equal(r.Value[content.HeaderSize:], w.Datum(nil, n, st.Intended)) {
			t.Fatalf("shard %d seq %d: content cannot be recomputed", st.Shard, st.Seq)
		}
		seen[st.Shard][uint64(st.Seq)] = true
	}
	for i, s := range m.Shards {
		acked := 0
		for seq := range s.Reserved {
			if s.Acked(seq) {
				acked++
				if !seen[i][seq] {
					t.Fatalf("shard %d seq %d: the manifest says that it was acknowledged, it is not in the topic", i, seq)
				}
			}
		}
		if acked < 1000 || len(seen[i]) < acked {
			t.Errorf("shard %d: %d acknowledged by the manifest, %d in the topic; want thousands", i, acked, len(seen[i]))
		}
	}
}

// readAll reads what is in the topic now.
func readAll(tb testing.TB, addr string, opts ...kgo.Opt) []*kgo.Record {
	tb.Helper()
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(addr), kgo.ConsumeTopics("bank.transactions"), kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		tb.Fatal(err)
	}
	defer cl.Close()
	var all []*kgo.Record
	for {
		ctx, cancel := context.WithTimeout(tb.Context(), time.Second)
		f := cl.PollFetches(ctx)
		cancel()
		if len(f.Records()) == 0 && len(all) > 0 {
			return all
		}
		all = append(all, f.Records()...)
	}
}

// The set of acknowledged seqs, written to a manifest and read back, is what a plain map says.
func TestAckSetIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, want, failed := ackSet{}, map[uint64]bool{}, map[uint64]bool{}
		order := make([]uint64, rapid.IntRange(1, 3000).Draw(t, "messages"))
		for i := range order {
			order[i] = uint64(i)
		}
		// Acknowledgements come in any order, but not far from that of the sends.
		for i := 0; i+1 < len(order); {
			n := min(len(order), i+rapid.SampledFrom([]int{1, 50, 400, 1500}).Draw(t, "batch"))
			slices.SortStableFunc(order[i:n], func(a, b uint64) int { return cmp.Compare(mixed(a), mixed(b)) })
			i = n
		}
		stop := rapid.IntRange(0, len(order)).Draw(t, "until")
		for _, seq := range order[:stop] {
			if mixed(seq)%50 == 0 {
				a.fail(seq)
				failed[seq] = true
				continue
			}
			a.acked(seq)
			want[seq] = true
		}
		rec := ShardRecord{AckedBelow: a.low, AckedAbove: a.above(), Failed: a.failed}
		var err error
		if rec.above, err = unpackAbove(rec.AckedAbove); err != nil {
			t.Fatal(err)
		}
		for _, seq := range order {
			if rec.Acked(seq) != want[seq] {
				t.Fatalf("seq %d: got acked %v, want %v (below %d)", seq, rec.Acked(seq), want[seq], rec.AckedBelow)
			}
			if a.failed.has(seq) != failed[seq] {
				t.Fatalf("seq %d: got failed %v", seq, a.failed.has(seq))
			}
		}
		for i := 1; i < len(a.failed); i++ {
			if a.failed[i-1][1] >= a.failed[i][0] {
				t.Fatalf("ranges %v are not joined and sorted", a.failed)
			}
		}
	})
}

func mixed(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func testMix(tb testing.TB) *content.Mix {
	tb.Helper()
	m, err := content.NewMix(1, []content.Stream{{Weight: 1}})
	if err != nil {
		tb.Fatal(err)
	}
	return m
}
