package ingest

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/content"
	"weir/internal/kafka"
	"weir/internal/stamp"
	"weir/internal/telemetry"
	"weir/minibatch"
)

// brokerEnv makes the test binary a broker with its data in that directory: its CPU must not count as the job's.
const brokerEnv = "WEIR_BENCH_BROKER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(brokerEnv); dir != "" {
		serveBroker(dir)
		return
	}
	os.Exit(m.Run())
}

// serveBroker prints its address and serves until its input ends, as it does when its parent dies.
func serveBroker(dir string) {
	b, err := kafka.ServeEmbedded(context.Background(), "127.0.0.1:0", dir)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(b.Addr())
	_, _ = os.Stdin.Read(make([]byte, 1))
	b.Close()
}

func brokerBeside(b *testing.B) string {
	b.Helper()
	c := exec.CommandContext(b.Context(), os.Args[0])
	c.Env, c.Stderr = append(os.Environ(), brokerEnv+"="+filepath.Join(b.TempDir(), "kafka")), os.Stderr
	in, err := c.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { in.Close(); _ = c.Wait() })
	addr, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return strings.TrimSpace(addr)
}

// BenchmarkLoop is the whole way from a topic into a table: bank transactions of 263 bytes and 16 fields, each different and with its
// identity in a header, in 6 partitions. The broker is a process of its own; what counts is the CPU of this one. Beside it the topic is
// read and thrown away: what is left to ingest is the difference.
//
// WEIR_BENCH_MESSAGES is their number, WEIR_BENCH_BYTES their size.
func BenchmarkLoop(b *testing.B) {
	rows, size := setting("WEIR_BENCH_MESSAGES", 500_000), setting("WEIR_BENCH_BYTES", 263)
	s := newSite(b)
	s.kafka = kafka.Config{Brokers: kafka.Brokers{brokerBeside(b)}}
	fillBank(s, rows, size)
	var whole, read time.Duration
	var wall time.Duration
	var bytes int64
	job := func(n int) {
		t0, c0 := time.Now(), telemetry.CPU()
		j, err := New(b.Context(), fmt.Sprint("loop", n), Config{Topic: "bank", Table: fmt.Sprint("bench.loop", n), Start: "earliest", Format: Format{Subject: "bank-value"}},
			Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake})
		s.ok(err)
		defer j.Close()
		r, err := j.Run(b.Context(), minibatch.Drain, nil)
		s.ok(err)
		if r.RowsOut != int64(rows) {
			b.Fatalf("%d rows", r.RowsOut)
		}
		whole, wall = whole+telemetry.CPU()-c0, wall+time.Since(t0)
		p, err := j.Table().Plan(b.Context())
		s.ok(err)
		for _, f := range p.Files {
			bytes += f.Bytes
		}
	}
	drain := func() {
		c0 := telemetry.CPU()
		cl, err := kafka.Connect(s.kafka, kgo.ConsumeTopics("bank"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxBytes(8<<20), kgo.FetchMaxPartitionBytes(2<<20))
		s.ok(err)
		defer cl.Close()
		for n := 0; n < rows; {
			n += cl.PollRecords(b.Context(), 4096).NumRecords()
		}
		read += telemetry.CPU() - c0
	}
	for n := 0; b.Loop(); n++ {
		job(2 * n)
		drain()
		drain()
		job(2*n + 1)
	}
	runs := float64(2 * b.N)
	million := runs * float64(rows) / 1e6
	b.ReportMetric(whole.Seconds()/million, "cpu-s/M")
	b.ReportMetric(read.Seconds()/million, "read-cpu-s/M")
	b.ReportMetric(whole.Seconds()/read.Seconds(), "x-read")
	b.ReportMetric(million*1e6/wall.Seconds(), "rows/s")
	b.ReportMetric(million*float64(size)/whole.Seconds(), "MB/s/core")
	b.ReportMetric(float64(bytes)/(million*1e6), "bytes/row")
	b.ReportMetric(0, "ns/op")
}

func setting(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// fillBank puts transactions on the topic bank, as loadgen does.
func fillBank(s *site, rows, size int) {
	g, err := content.NewGenerator(content.Spec{Seed: 1, Size: content.Constant(size - 5)})
	s.ok(err)
	id, err := s.reg.Register(s.t.Context(), "bank-value", g.Schema())
	s.ok(err)
	cl, err := kafka.Connect(s.kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchCompression(kgo.NoCompression()))
	s.ok(err)
	defer cl.Close()
	s.ok(kafka.EnsureTopic(s.t.Context(), cl, "bank", 6))
	w, run := g.Writer(), ulid.Make()
	for n := range uint64(rows) {
		datum := w.Append(nil, n)
		value := append(binary.BigEndian.AppendUint32([]byte{0}, uint32(id)), datum...)
		st := stamp.Stamp{Run: run, Shard: int32(n % 2), Seq: int64(n / 2), Intended: int64(1_700_000_000_000_000 + n*50)}
		cl.Produce(s.t.Context(), &kgo.Record{Topic: "bank", Partition: int32(n % 6), Key: w.Key(datum), Value: value,
			Headers: []kgo.RecordHeader{{Key: stamp.Key, Value: st.Append(nil)}}}, nil)
	}
	s.ok(cl.Flush(s.t.Context()))
}
