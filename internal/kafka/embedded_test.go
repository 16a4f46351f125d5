package kafka

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("WEIR_TEST_BROKER"); dir != "" { // the child of TestAcknowledgedMessagesSurviveAKill
		e, err := ServeEmbedded(context.Background(), "127.0.0.1:0", dir)
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(e.Addr())
		select {}
	}
	os.Exit(m.Run())
}

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

func produce(t *testing.T, cl *kgo.Client, n int) {
	t.Helper()
	for i := range n {
		cl.Produce(t.Context(), &kgo.Record{Topic: "a", Partition: int32(i % 3), Value: []byte(fmt.Sprint(i))}, func(_ *kgo.Record, err error) {
			if err != nil {
				t.Error(err)
			}
		})
	}
	if err := cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func total(t *testing.T, cl *kgo.Client) (n int64) {
	t.Helper()
	ends, err := Ends(t.Context(), cl, "a")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range ends {
		n += e
	}
	return n
}

func TestAcknowledgedMessagesSurviveAKill(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), "WEIR_TEST_BROKER="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	cl := connect(t, strings.TrimSpace(addr))
	if err := EnsureTopic(t.Context(), cl, "a", 3); err != nil {
		t.Fatal(err)
	}
	produce(t, cl, 5000)
	cluster, topic, _, err := Identity(t.Context(), cl, "a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ServeEmbedded(t.Context(), "127.0.0.1:0", dir); err == nil || !strings.Contains(err.Error(), "another process serves") {
		t.Errorf("a second broker on the same data: got %v", err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	again := connect(t, serve(t, dir).Addr())
	if n := total(t, again); n != 5000 {
		t.Errorf("%d messages after the kill, want 5000", n)
	}
	cluster2, topic2, parts, err := Identity(t.Context(), again, "a")
	if err != nil || cluster2 != cluster || topic2 != topic || parts != 3 {
		t.Errorf("identity after the kill: %s %s %d, %v; want %s %s 3", cluster2, topic2, parts, err, cluster, topic)
	}
}

func TestOpenTransactionsAreNotReadable(t *testing.T) {
	e := serve(t, t.TempDir())
	if err := EnsureTopic(t.Context(), connect(t, e.Addr()), "a", 3); err != nil {
		t.Fatal(err)
	}
	tx := connect(t, e.Addr(), kgo.TransactionalID("tx"))
	if err := tx.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	produce(t, tx, 30)
	if n := total(t, tx); n != 0 {
		t.Errorf("%d messages of an open transaction are readable", n)
	}
	if err := tx.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if n := total(t, tx); n != 33 { // a commit marker takes an offset in each partition
		t.Errorf("stable end is %d after the commit, want 33", n)
	}
}

func TestPingSaysWhatIsWrong(t *testing.T) {
	began := time.Now()
	err := Ping(t.Context(), connect(t, "127.0.0.1:1"))
	if err == nil || !strings.Contains(err.Error(), "no broker answers on 127.0.0.1:1") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 6*time.Second {
		t.Errorf("took %v", took)
	}
	if err := Ping(t.Context(), connect(t, serve(t, t.TempDir()).Addr())); err != nil {
		t.Error(err)
	}
}

func TestTheEmbeddedBrokerStaysOnLoopback(t *testing.T) {
	if _, err := ServeEmbedded(t.Context(), "0.0.0.0:0", t.TempDir()); err == nil {
		t.Error("no error")
	}
}
