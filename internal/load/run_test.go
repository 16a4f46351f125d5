package load

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/config"
	"weir/internal/stamp"
)

// broker is an embedded one that keeps what it gets in memory.
func broker(tb testing.TB, opts ...kfake.Opt) *kfake.Cluster {
	tb.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, opts...)...)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(c.Close)
	return c
}

func connect(c *kfake.Cluster) func(...kgo.Opt) (*kgo.Client, error) {
	return func(o ...kgo.Opt) (*kgo.Client, error) {
		return kgo.NewClient(append(o, kgo.SeedBrokers(c.ListenAddrs()...))...)
	}
}

func register(context.Context, string, string) (int, error) { return 7, nil }

func profile(rate string, messages int) *Profile {
	p := &Profile{APIVersion: "weir/v1", Kind: "LoadProfile", Name: "test", Part: Part{Topic: Topic{Name: "bank.transactions", Partitions: 3}}}
	p.Volume.Messages = config.Count(messages)
	if rate == "max" {
		p.Rate.Max = true
		return p
	}
	var r float64
	if _, err := fmt.Sscan(rate, &r); err != nil {
		panic(err)
	}
	p.Rate.Stages = []StageSpec{{Name: "hold", Target: config.Rate{PerSecond: r}}}
	return p
}

// consume reads n records of the topic.
func consume(tb testing.TB, c *kfake.Cluster, n int) []*kgo.Record {
	tb.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.ConsumeTopics("bank.transactions"), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		tb.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(tb.Context(), 20*time.Second)
	defer cancel()
	var all []*kgo.Record
	for len(all) < n {
		f := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			tb.Fatalf("got %d of %d records: %v", len(all), n, err)
		}
		all = append(all, f.Records()...)
	}
	return all
}

func TestRunSendsWhatTheGeneratorSays(t *testing.T) {
	c, home := broker(t), t.TempDir()
	var looks []Progress
	o := Options{Profile: profile("4000", 3000), Home: home, Connect: connect(c), Register: register, Senders: 3, Progress: func(p Progress) { looks = append(looks, p) }}
	sum, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if sum.Sent != 3000 || sum.Acked != 3000 || sum.Errors != 0 || sum.Response.Count+sum.Warmup != 3000 {
		t.Errorf("got %+v, want 3000 sent, acknowledged and, but for the warm-up, timed", sum)
	}
	if sum.Warmup < 3 {
		t.Errorf("got %d warm-up messages, want at least one for each of 3 partitions", sum.Warmup)
	}
	if len(looks) < 2 || looks[len(looks)-1].Final == nil || looks[len(looks)-1].State != Done {
		t.Errorf("got %d looks, want several and the last with the summary", len(looks))
	}
	m, err := ReadManifest(home, "last")
	if err != nil {
		t.Fatal(err)
	}
	mix, err := m.Mix()
	if err != nil {
		t.Fatal(err)
	}
	w, seen, order := mix.Generator(0).Writer(), map[[2]int64]bool{}, map[[2]int32]int64{}
	for _, r := range consume(t, c, 3000) {
		if len(r.Headers) != 1 || r.Headers[0].Key != stamp.Key {
			t.Fatalf("headers: got %v, want one stamp", r.Headers)
		}
		st, ok := stamp.Parse(r.Headers[0].Value)
		if !ok || st.Run.String() != m.Run {
			t.Fatalf("stamp: got %v, %v", st, ok)
		}
		if want := w.Append([]byte{0, 0, 0, 0, 7}, uint64(st.Seq)*3+uint64(st.Shard)); string(r.Value) != string(want) {
			t.Fatalf("shard %d seq %d: the value is not what the generator gives", st.Shard, st.Seq)
		}
		if string(r.Key) != string(w.Key(r.Value)) {
			t.Fatalf("shard %d seq %d: key %q", st.Shard, st.Seq, r.Key)
		}
		id := [2]int64{int64(st.Shard), st.Seq}
		if seen[id] {
			t.Fatalf("shard %d seq %d came twice", st.Shard, st.Seq)
		}
		seen[id] = true
		lane := [2]int32{r.Partition, st.Shard}
		if last, any := order[lane]; any && last >= st.Seq {
			t.Fatalf("partition %d: seq %d of shard %d behind seq %d", r.Partition, st.Seq, st.Shard, last)
		}
		order[lane] = st.Seq
		if !m.Shards[st.Shard].Acked(uint64(st.Seq)) {
			t.Fatalf("shard %d seq %d is in the topic, the manifest does not know it", st.Shard, st.Seq)
		}
	}
	if m.State != Ended || m.Result == nil || m.Shards[0].Acked(1000) || m.Shards[0].Sent != 1000 {
		t.Errorf("manifest: state %s, shard 0 sent %d, acked(1000) %v", m.State, m.Shards[0].Sent, m.Shards[0].Acked(1000))
	}
}

func TestMaxRateIsLabelled(t *testing.T) {
	c := broker(t)
	sum, err := Run(t.Context(), Options{Profile: profile("max", 50_000), Home: t.TempDir(), Connect: connect(c), Register: register})
	if err != nil {
		t.Fatal(err)
	}
	if sum.Verdict != VerdictPass || sum.Acked != 50_000 || sum.LatencyOf != ofBuffer || sum.Target != 0 {
		t.Errorf("got %+v", sum)
	}
}
