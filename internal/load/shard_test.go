package load

import (
	"context"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/stamp"
)

// Two hundred programs on as many machines send one run without a word between them: each number once, at the run's rate, and
// the merge knows all of it.
func TestTwoHundredShards(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const shards, messages = 200, 30_000
		var stack kfake.VirtualNetwork
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.ListenFn(stack.Listen))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		connect := func(o ...kgo.Opt) (*kgo.Client, error) {
			return kgo.NewClient(append(o, kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext))...)
		}
		text := strings.Replace(small, "100/s", "3000/s", 1) + "seed: 5\nfaults: {duplicate: 1%}\n"
		text = strings.Replace(text, "messages: 10", fmt.Sprintf("messages: %d", messages), 1)
		start, homes, sums := time.Now().Add(time.Minute).Truncate(time.Second), make([]string, shards), make([]Summary, shards)
		var all sync.WaitGroup
		for i := range shards {
			homes[i] = t.TempDir()
			all.Go(func() {
				p := mustParse(t, text)
				o := ShardOf{i, shards, start}
				id, err := o.Run(p)
				if err != nil {
					t.Error(err)
				}
				sums[i], err = Run(t.Context(), Options{Profile: p, Home: homes[i], Register: register, Connect: connect, nap: time.Sleep, Run: id, Shard: o})
				if err != nil {
					t.Errorf("shard %d: %v", i, err)
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
		run, home := sums[0].Run, t.TempDir()
		var files []string
		var sent, timed, bytes int64
		for i, h := range homes {
			mine, err := ShardManifests(h, run)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, mine...)
			sent, timed, bytes = sent+sums[i].Sent, timed+sums[i].Response.Count, bytes+sums[i].Bytes
		}
		if _, err := Merge(home, files[1:]); err == nil || !strings.Contains(err.Error(), "of 200 shards of run "+run+" 1 are missing: 0") {
			t.Errorf("without the first: %v", err)
		}
		if _, err := Merge(home, append(files, files[7])); err == nil || !strings.Contains(err.Error(), "is there twice") {
			t.Errorf("one twice: %v", err)
		}
		if _, err := Merge(home, files); err != nil {
			t.Fatal(err)
		}
		m, err := ReadManifest(home, "last")
		if err != nil {
			t.Fatal(err)
		}
		s := m.Result
		if sent != messages || s.Sent != sent || s.Response.Count != timed || s.Bytes != bytes || s.Verdict != VerdictPass || s.Senders != shards || s.Faults["duplicate"] < 200 {
			t.Errorf("merged %+v, the shards sent %d", s, sent)
		}
		if math.Abs(s.Rate-3000) > 60 {
			t.Errorf("%.0f/s together, want 3000/s", s.Rate)
		}
		// On the topic: each number once, made as one process would have made it.
		mix, err := m.Mix()
		if err != nil {
			t.Fatal(err)
		}
		cl, err := kgo.NewClient(kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext), kgo.ConsumeTopics("orders"))
		if err != nil {
			t.Fatal(err)
		}
		defer cl.Close()
		seen, w := map[uint64]bool{}, mix.Writer()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for len(seen) < messages {
			if ctx.Err() != nil {
				t.Fatalf("%d of %d messages are on the topic", len(seen), messages)
			}
			cl.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				st, ok := stamp.Parse(r.Headers[0].Value)
				n := uint64(st.Seq)*shards + uint64(st.Shard)
				if !ok || st.Run.String() != run || seen[n] {
					t.Fatalf("message %d: %v, seen %v", n, ok, seen[n])
				}
				seen[n] = true
				if datum := w.Datum(nil, n, st.Intended); string(datum) != string(r.Value[5:]) {
					t.Fatalf("message %d is not what its number decides", n)
				}
				if !m.Shards[st.Shard].Acked(uint64(st.Seq)) {
					t.Fatalf("message %d is not acknowledged in the merged manifest", n)
				}
			})
		}
	})
}

func TestShardsThatDoNotFit(t *testing.T) {
	for _, s := range []string{"", "1", "4/4", "-1/4", "0/0", "1/2/3", "a/b", "01/4", "0/20000"} {
		if o, err := ParseShard(s); err == nil {
			t.Errorf("%q: got %+v", s, o)
		}
	}
	if o, err := ParseShard("3/4"); err != nil || o.Index != 3 || o.Of != 4 {
		t.Errorf("3/4: got %+v, %v", o, err)
	}
	c, home := broker(t), t.TempDir()
	run := func(p *Profile, o ShardOf) error {
		_, err := Run(t.Context(), Options{Profile: p, Home: home, Register: register, Connect: connect(c), Shard: o})
		return err
	}
	if err := run(profile("1000", 100), ShardOf{0, 2, time.Now().Add(-time.Second)}); err == nil || !strings.Contains(err.Error(), "give all of them a later --start-at") {
		t.Errorf("a start that is past: %v", err)
	}
	p := profile("1000", 100)
	p.Producer.Transaction.Messages = 5
	if err := run(p, ShardOf{0, 2, time.Now().Add(time.Second)}); err == nil || !strings.Contains(err.Error(), "has one sender") {
		t.Errorf("with transactions: %v", err)
	}
	if err := run(profile("1000", 100), ShardOf{0, 2, time.Now().Add(200 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	if err := run(profile("1000", 100), ShardOf{1, 2, time.Now().Add(200 * time.Millisecond)}); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(home + "/load")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".json") {
			all = append(all, home+"/load/"+f.Name())
		}
	}
	if _, err := Merge(home, all); err == nil || !strings.Contains(err.Error(), "is of run") {
		t.Errorf("shards of several runs: %v", err)
	}
	if _, err := ReadManifest(home, "last"); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Errorf("a shard is no run: %v", err)
	}
}
