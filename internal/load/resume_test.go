package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"weir/internal/content"
	"weir/internal/stamp"
)

// resumedRun is the child that a test kills again and again: it starts the run, or goes on with it.
func resumedRun() {
	home := os.Getenv("WEIR_TEST_DIR")
	o := Options{Home: home, Connect: connectTo(os.Getenv("WEIR_TEST_BROKER")), Register: register, Senders: 2}
	told := false
	o.Progress = func(g Progress) {
		if g.State != Draining && g.Elapsed > 700*time.Millisecond && !told {
			told = true
			fmt.Println("kill me")
		}
	}
	err := func() error {
		m, err := ReadManifest(home, "last")
		if err == nil {
			_, err = Resume(context.Background(), o, m)
			return err
		}
		b, err := os.ReadFile(filepath.Join(home, "p.yaml"))
		if err != nil {
			return err
		}
		if o.Profile, err = Parse(filepath.Join(home, "p.yaml"), b); err != nil {
			return err
		}
		_, err = Run(context.Background(), o)
		return err
	}()
	fmt.Println("ended", err)
	_, _ = io.Copy(io.Discard, os.Stdin) // the parent kills it
}

// A generator that is killed twice and resumed sends each message once, in order, whatever it sends: the topic and the manifest
// are those of a run that nobody has disturbed.
func TestAKilledRunIsResumed(t *testing.T) {
	const head = "apiVersion: weir/v1\nkind: LoadProfile\nname: again\ntopic: {name: bank.transactions, partitions: 8}\n"
	for name, c := range map[string]struct {
		text     string
		messages uint64
		deaf     bool
		slow     bool
	}{
		"without keys":            {head + "rate: {stages: [{target: 20k/s}]}\nvolume: {messages: 50k}\nvalue: {schema: {file: s.avsc}}\n", 50_000, true, false},
		"keys, poisson, mistakes": {head + "rate: {arrival: poisson, stages: [{target: 20k/s}]}\nvolume: {messages: 50k}\nkey: {field: account_id, cardinality: 1k}\nfaults: {duplicate: 1%, poison: {share: 1%, kinds: [bad_magic, truncated]}}\n", 50_000, true, false},
		"at full speed":           {head + "rate: max\nmax_in_flight: 10k\nproducer: {batch: 4KiB}\nvolume: {messages: 300k}\nvalue: {schema: {file: s.avsc}}\n", 300_000, true, true},
		"transactions":            {head + "rate: {stages: [{target: 10k/s}]}\nvolume: {messages: 25k}\nproducer: {transaction: {messages: 500, abort: 20%}}\n", 25_000, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c3, home := broker(t, kfake.NumBrokers(5)), t.TempDir()
			addr := c3.ListenAddrs()[0]
			var deaf atomic.Bool         // what goes to partition 0 is lost
			var lost, after atomic.Int64 // requests that were, and those that were not since the first
			enough := make(chan struct{}, 1)
			c3.ControlKey(0, func(req kmsg.Request) (kmsg.Response, error, bool) {
				c3.KeepControl()
				if c.slow {
					<-time.After(2 * time.Millisecond) // real time: the run must not be over before it can be killed
				}
				if !deaf.Load() {
					return nil, nil, false
				}
				for _, topic := range req.(*kmsg.ProduceRequest).Topics {
					if slices.ContainsFunc(topic.Partitions, func(p kmsg.ProduceRequestTopicPartition) bool { return p.Partition == 0 }) {
						lost.Add(1)
						return nil, nil, true
					}
				}
				if lost.Load() > 0 {
					if after.Add(1) == 5 {
						enough <- struct{}{}
					}
				}
				return nil, nil, false
			})
			if err := os.WriteFile(filepath.Join(home, "p.yaml"), []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(home, "s.avsc"), []byte(`{"type": "record", "name": "r", "fields": [{"name": "id", "type": "long"}, {"name": "text", "type": "string"}]}`), 0o600); err != nil {
				t.Fatal(err)
			}
			kills := 0
			for ; ; kills++ {
				cmd, said := child(t, "resumed", "WEIR_TEST_DIR="+home, "WEIR_TEST_BROKER="+addr)
				if said == "kill me" && kills < 2 {
					lost.Store(0)
					after.Store(0)
					deaf.Store(c.deaf)
					if c.deaf {
						select {
						case <-enough:
						case <-time.After(3 * time.Second):
						}
					}
					_ = cmd.Process.Kill()
					_, _ = cmd.Process.Wait()
					deaf.Store(false)
					continue
				}
				waitFor(t, home, Ended)
				_ = cmd.Process.Kill()
				if !strings.HasPrefix(said, "ended <nil>") && said != "kill me" && !strings.Contains(said, ErrOver.Error()) {
					t.Fatal(said)
				}
				break
			}
			m, err := ReadManifest(home, "last")
			if err != nil {
				t.Fatal(err)
			}
			if len(m.Resumptions) > kills || m.Result.Sent != int64(c.messages) || m.Result.Acked != int64(c.messages) || m.Result.Errors != 0 {
				t.Errorf("got %d resumptions, sent %d, acked %d, errors %d; want at most %d, %d, %d, 0", len(m.Resumptions), m.Result.Sent, m.Result.Acked, m.Result.Errors, kills, c.messages, c.messages)
			}
			if got := m.Streams[0].Messages; got != int64(c.messages) {
				t.Errorf("the manifest counts %d messages, want %d", got, c.messages)
			}
			proven := false
			for _, r := range m.Resumptions {
				t.Logf("found %d, filled %d", r.Found, r.Filled)
				proven = proven || r.Filled > 0 && r.Found > 0
			}
			if !proven {
				t.Error("the kills came too gently to prove anything")
			}
			checkTopic(t, m, addr, c.messages)
		})
	}
}

// checkTopic holds the topic against the manifest: each message that a reader may see is there once, with its bytes and in order.
func checkTopic(t *testing.T, m *Manifest, addr string, messages uint64) {
	t.Helper()
	mix, err := m.Mix()
	if err != nil {
		t.Fatal(err)
	}
	w, shards := mix.Writer(), uint64(len(m.Shards))
	seen, last := map[uint64]bool{}, map[[2]int32]int64{}
	faults := map[content.Fault]int64{}
	for _, r := range readAll(t, addr, kgo.FetchIsolationLevel(kgo.ReadCommitted())) {
		st, ok := stamp.Parse(r.Headers[0].Value)
		n := uint64(st.Seq)*shards + uint64(st.Shard)
		if !ok || st.Run.String() != m.Run || seen[n] || n >= messages {
			t.Fatalf("offset %d of partition %d: %v, message %d, seen before: %v", r.Offset, r.Partition, st, n, seen[n])
		}
		if m.Aborted(n) {
			t.Fatalf("message %d can be read: its transaction was to be aborted", n)
		}
		seen[n] = true
		at := [2]int32{st.Shard, r.Partition}
		if before, there := last[at]; there && before > st.Seq {
			t.Fatalf("shard %d partition %d: seq %d stands behind %d", st.Shard, r.Partition, st.Seq, before)
		}
		last[at] = st.Seq
		fault, of := mix.Fate(n)
		if faults[fault]++; fault.Refused() {
			continue
		}
		if want := w.Append(nil, n, of, fault, st.Intended).Value[content.HeaderSize:]; string(r.Value[content.HeaderSize:]) != string(want) {
			t.Fatalf("message %d: other bytes than its number decides", n)
		}
	}
	for n := range messages {
		if !seen[n] && !m.Aborted(n) {
			t.Fatalf("message %d is not in the topic", n)
		}
		if shard := &m.Shards[n%shards]; !shard.Acked(n / shards) {
			t.Fatalf("message %d: not acknowledged by the manifest", n)
		}
	}
	for f, n := range m.Streams[0].Faults {
		if faults[f] != n && m.Transaction.Abort == 0 {
			t.Errorf("%s: the manifest counts %d, the topic holds %d", f, n, faults[f])
		}
	}
}

// waitFor waits until the newest manifest of home has that state.
func waitFor(t *testing.T, home, state string) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); {
		if m, err := ReadManifest(home, "last"); err == nil && m.State == state {
			return
		}
	}
	t.Fatalf("the run is not %s", state)
}

// What is run is what its manifest says: a profile that comes back from there is the same.
func TestAProfileIsWrittenWhole(t *testing.T) {
	files, err := filepath.Glob("../../profiles/*.yaml")
	if err != nil || len(files) < 8 {
		t.Fatal(len(files), err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(f, b)
		if err != nil {
			t.Fatal(err)
		}
		first, err := p.Effective()
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(f, first)
		if err != nil {
			t.Errorf("%s: %v\n%s", f, err, first)
			continue
		}
		if second, err := again.Effective(); err != nil || string(second) != string(first) {
			t.Errorf("%s: %v\ngot  %s\nwant %s", f, err, second, first)
		}
	}
}

// What has been lost on its way to a partition that then holds nothing of its sender goes there, not behind what was sent later.
func TestAMissingMessageStandsInOrder(t *testing.T) {
	for name, c := range map[string]struct {
		tops []uint64 // of the sender in each partition that is known: one more than its last seq there
		seq  uint64
		want int32
	}{
		"the other partition is unknown": {[]uint64{9}, 5, 1},
		"the other one is empty":         {[]uint64{9, 0}, 5, 1},
		"as far as it has come":          {[]uint64{3, 5}, 5, 1},
		"the first of all":               {[]uint64{9, 0}, 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRecorder(2, 1)
			for p, top := range c.tops {
				r.reached(0, int32(p), 100, 1, 50) // the other sender
				if top > 0 {
					r.reached(0, int32(p), 10, 0, top-1)
				}
			}
			if got := r.behind(0, 2, 0, c.seq); got != c.want {
				t.Errorf("message %d goes to partition %d; want %d", c.seq, got, c.want)
			}
			again := newRecorder(2, 1)
			again.restoreEnds(0, StreamRecord{Ends: r.positions(0), Tops: r.lastOf(0)})
			if got := again.behind(0, 2, 0, c.seq); got != c.want {
				t.Errorf("of a run that is taken up again, message %d goes to partition %d; want %d", c.seq, got, c.want)
			}
		})
	}
}

// A generator that dies a second time, before it has gone on, leaves the place on the schedule where the first one was.
func TestARunThatDiesWhileItIsResumed(t *testing.T) {
	c, home := broker(t), t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	o := Options{Profile: profile("20000", 1_000_000), Home: home, Connect: connect(c), Register: register, Senders: 2, Progress: func(g Progress) {
		if g.Sent > 1000 {
			stop()
		}
	}}
	if sum, err := Run(ctx, o); err != nil || sum.Verdict != VerdictInterrupted {
		t.Fatal(sum.Verdict, err)
	}
	m, err := ReadManifest(home, "last")
	if err != nil {
		t.Fatal(err)
	}
	o.from, o.Senders, o.Live, o.Log = m, 2, NewLive(), slog.New(slog.DiscardHandler)
	if o.Profile, err = ResumedProfile(m); err != nil {
		t.Fatal(err)
	}
	if o.Run, err = ulid.Parse(m.Run); err != nil {
		t.Fatal(err)
	}
	mix, err := m.Mix()
	if err != nil {
		t.Fatal(err)
	}
	client, err := o.Connect(o.Profile.clientOptions()...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	r, err := newRun(o, mix, mix.MeanSize(), client)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []func() error{
		func() error { return r.restore(t.Context()) },
		func() error { return r.prelude(t.Context()) },
	} {
		if err := step(); err != nil {
			t.Fatal(err)
		}
		if err := r.writeManifest(Running); err != nil {
			t.Fatal(err)
		}
		again, err := ReadManifest(home, "last")
		if err != nil {
			t.Fatal(err)
		}
		for i := range m.Shards {
			if was, is := m.Shards[i], again.Shards[i]; was.Position < 100 || is.Position != was.Position || is.Sent != was.Sent {
				t.Errorf("shard %d: sent %d at %g before, %d at %g now", i, was.Sent, was.Position, is.Sent, is.Position)
			}
		}
	}
}

// A stop is heard while what is missing waits for a broker that acknowledges nothing.
func TestAStopWhileMissingMessagesAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stack := &kfake.VirtualNetwork{}
		c := broker(t, kfake.ListenFn(stack.Listen), kfake.SeedTopics(1, "bank.transactions"))
		c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
			c.KeepControl()
			return nil, nil, true
		})
		p := profile("1000", 1000)
		p.MaxInFlight = 10
		client, err := kgo.NewClient(append(p.clientOptions(), kgo.SeedBrokers(c.ListenAddrs()...), kgo.Dialer(stack.DialContext))...)
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		s, senders := newSession(1, ShardOf{}, testMix(t), 100)
		r := &run{session: s, Options: Options{Profile: p}, senders: senders, manifest: &Manifest{Resumptions: make([]Resumption, 1)}}
		s.pace.start = time.Now()
		s.client, s.targets[0] = client, target{topic: "bank.transactions", partitions: 1}
		s.hard, s.abort = context.WithCancel(context.WithoutCancel(t.Context()))
		defer s.abort()
		r.from = &Manifest{Shards: make([]ShardRecord, 1)}
		senders[0].next.Store(100) // more than may be on their way
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(5*time.Second, cancel)
		began := time.Now()
		if err := r.fill(ctx); !errors.Is(err, context.Canceled) || time.Since(began) > 6*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
	})
}
