package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
)

func serve(t *testing.T, dir string) *Embedded {
	t.Helper()
	e, err := ServeEmbedded(t.Context(), "127.0.0.1:0", dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func connect(t *testing.T, addr string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	cl, err := Connect(Config{Brokers: Brokers{addr}}, append(opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	return cl
}

// produce sends messages from..to-1 to the three partitions of topic a; acked, if any, is called for each that is acknowledged.
func produce(t *testing.T, cl *kgo.Client, from, to int, acked func()) {
	t.Helper()
	for i := from; i < to; i++ {
		cl.Produce(t.Context(), &kgo.Record{Topic: "a", Partition: int32(i % 3), Value: fmt.Append(nil, i)}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
				return
			}
			if acked != nil {
				acked()
			}
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// consume reads topic a committed, up to its stable ends, and counts each value.
func consume(t *testing.T, addr string) map[string]int {
	t.Helper()
	cl := connect(t, addr, kgo.ConsumeTopics("a"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(50*time.Millisecond))
	ends, err := Ends(t.Context(), cl, "a")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	next := map[int32]int64{}
	for behind(next, ends) {
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		f := cl.PollFetches(ctx)
		cancel()
		if err := f.Err(); err != nil {
			t.Fatalf("at %v of %v: %v", next, ends, err)
		}
		f.EachRecord(func(r *kgo.Record) {
			next[r.Partition] = r.Offset + 1
			if !r.Attrs.IsControl() {
				got[string(r.Value)]++
			}
		})
	}
	return got
}

func behind(next, ends map[int32]int64) bool {
	for p, e := range ends {
		if next[p] < e {
			return true
		}
	}
	return false
}

// each asserts that messages 0..n-1 are there, each once, and nothing else.
func each(t *testing.T, got map[string]int, n int) {
	t.Helper()
	lost, doubled := 0, 0
	for i := range n {
		switch c := got[fmt.Sprint(i)]; {
		case c == 0:
			lost++
		case c > 1:
			doubled++
		}
	}
	if lost+doubled > 0 || len(got) != n {
		t.Errorf("lost %d, doubled %d, %d values; want 0, 0, %d", lost, doubled, len(got), n)
	}
}

func TestAcknowledgedMessagesSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, "127.0.0.1:0", dir)
	cl := connect(t, c.addr)
	if err := EnsureTopic(t.Context(), cl, "a", 3); err != nil {
		t.Fatal(err)
	}
	cluster, topic, parts, err := Identity(t.Context(), cl, "a")
	if err != nil || parts != 3 {
		t.Fatal(parts, err)
	}
	// The killer strikes while messages are on their way; the same client goes on with the next process on the same port.
	var acked atomic.Int64
	some := make(chan struct{})
	killed := make(chan child, 1)
	go func() {
		defer close(killed)
		select {
		case <-some:
		case <-t.Context().Done():
			return
		}
		c.kill()
		again, err := spawn(t, c.addr, dir)
		if err != nil {
			t.Error(err)
			cl.Close() // nobody will take the rest
			return
		}
		killed <- again
	}()
	for i := range 20 {
		produce(t, cl, i*1000, (i+1)*1000, func() {
			if acked.Add(1) == 2500 { // in the middle of a thousand
				close(some)
			}
		})
	}
	again, ok := <-killed
	if !ok {
		t.FailNow()
	}
	each(t, consume(t, again.addr), 20_000)
	again.kill()

	e := serve(t, dir)
	each(t, consume(t, e.Addr()), 20_000)
	cluster2, topic2, parts, err := Identity(t.Context(), connect(t, e.Addr()), "a")
	if err != nil || cluster2 != cluster || topic2 != topic || parts != 3 {
		t.Errorf("identity after the kill: %s %s %d, %v; want %s %s 3", cluster2, topic2, parts, err, cluster, topic)
	}
}

func TestOnlyOneProcessServesTheData(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, "127.0.0.1:0", dir)
	_, err := ServeEmbedded(t.Context(), "127.0.0.1:0", dir)
	want := fmt.Sprintf("embedded broker: another process (%d) serves the data in %s", c.cmd.Process.Pid, dir)
	var e *cli.Error
	if !errors.As(err, &e) || e.Error() != want || e.Hint == "" {
		t.Errorf("got %v, want %s", err, want)
	}
	c.kill()
	serve(t, dir) // the lock went with the process
}

func TestATakenPortIsNamed(t *testing.T) {
	e := serve(t, t.TempDir())
	dir := t.TempDir()
	if _, err := ServeEmbedded(t.Context(), e.Addr(), dir); err == nil || !strings.Contains(err.Error(), "another process listens on "+e.Addr()) {
		t.Errorf("got %v", err)
	}
	serve(t, dir) // the failed start holds no lock
}

func TestTheEmbeddedBrokerStaysOnLoopback(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":0", "[::1]:0", "127.0.0.1", "127.0.0.1:x"} {
		if _, err := ServeEmbedded(t.Context(), addr, t.TempDir()); err == nil {
			t.Errorf("%s: no error", addr)
		}
	}
}

func TestReadersSeeCommittedMessagesOnly(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, "127.0.0.1:0", dir)
	cl := connect(t, c.addr)
	if err := EnsureTopic(t.Context(), cl, "a", 3); err != nil {
		t.Fatal(err)
	}
	total := func() (n int64) {
		ends, err := Ends(t.Context(), cl, "a")
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range ends {
			n += e
		}
		return n
	}
	tx := connect(t, c.addr, kgo.TransactionalID("tx"))
	step := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	step(tx.BeginTransaction())
	produce(t, tx, 0, 30, nil)
	if n := total(); n != 0 {
		t.Errorf("%d messages of an open transaction are readable", n)
	}
	step(tx.EndTransaction(t.Context(), kgo.TryCommit))
	if n := total(); n != 33 { // a commit marker takes an offset in each partition
		t.Errorf("stable end is %d after the commit, want 33", n)
	}
	step(tx.BeginTransaction())
	produce(t, tx, 1000, 1030, nil)
	step(tx.EndTransaction(t.Context(), kgo.TryAbort))
	each(t, consume(t, c.addr), 30)

	// A transaction that was open when the broker was killed is never read; a reader gets past it, and to the next one.
	step(tx.BeginTransaction())
	produce(t, tx, 2000, 2030, nil)
	c.kill()
	e := serve(t, dir)
	each(t, consume(t, e.Addr()), 30)
	next := connect(t, e.Addr(), kgo.TransactionalID("tx"))
	step(next.BeginTransaction())
	produce(t, next, 30, 60, nil)
	step(next.EndTransaction(t.Context(), kgo.TryCommit))
	each(t, consume(t, e.Addr()), 60)
}

func TestGroupPositionsSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	c := startChild(t, "127.0.0.1:0", dir)
	cl := connect(t, c.addr)
	if err := EnsureTopic(t.Context(), cl, "a", 3); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, 0, 30, nil)
	for _, next := range []int64{4, 7} {
		if err := CommitGroup(t.Context(), cl, "weir-job", "a", map[int32]int64{0: next, 2: 10}); err != nil {
			t.Fatal(err)
		}
	}
	c.kill()
	cl = connect(t, serve(t, dir).Addr())
	lags, err := kadm.NewClient(cl).Lag(t.Context(), "weir-job")
	if err != nil {
		t.Fatal(err)
	}
	if err := lags.Error(); err != nil {
		t.Fatal(err)
	}
	lag := lags["weir-job"].Lag["a"]
	if lag[0].Lag != 3 || lag[2].Lag != 0 {
		t.Errorf("a lag tool sees %d and %d behind, want 3 and 0", lag[0].Lag, lag[2].Lag)
	}
}
