//go:build real

package real

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"weir/internal/registry"
	"weir/test/real/parts"
)

// produced is what a producer did with its messages.
type produced struct {
	rate float64 // messages/s
	cpu  time.Duration
	peak int64 // KiB of memory
	// broker is what the broker has used for it. On a machine that both share, nothing can be faster than its cores divided by this.
	broker time.Duration
}

// BenchmarkProducers sends unique, valid Avro records of 263 bytes with loadgen, as fast as the broker takes them, beside Apache
// Kafka's own ProducerPerformance with prepared payloads of the same size: the same broker, partitions, acks, idempotence, batch, linger
// and compression, in turns. Both are whole processes. What the JVM takes for its start is told apart; it is left out of the ratio.
//
// "as Java's" is what that tool sends: values alone, as fresh and valid as ever. "provable" has a key in each message, and its identity in
// a header, which the broker has to read too: the default of loadgen, and something that Kafka's tool does not have.
//
// WEIR_BENCH_MESSAGES is their number: with the default the start is under a tenth of Java's work.
func BenchmarkProducers(b *testing.B) {
	messages := 10_000_000
	if n, err := strconv.Atoi(os.Getenv("WEIR_BENCH_MESSAGES")); err == nil {
		messages = n
	}
	for _, c := range []struct {
		size       int
		form, more string
	}{
		{263, "as_Java's", "key: {distribution: none}\nverify: {identity: none}\n"},
		{263, "provable", ""},
		{1024, "as_Java's", "key: {distribution: none}\nverify: {identity: none}\n"},
		{1024, "provable", ""},
	} {
		size, n := c.size, messages*263/c.size
		b.Run(fmt.Sprintf("%dB_%s", size, c.form), func(b *testing.B) {
			broker := parts.Kafka(b)
			reg, err := registry.ServeEmbedded(b.Context(), "127.0.0.1:0", filepath.Join(b.TempDir(), "registry.json"))
			if err != nil {
				b.Fatal(err)
			}
			defer reg.Close()
			in := newBench(b, broker.Addr, reg.URL())
			in.write("profiles/max.yaml", fmt.Sprintf(`apiVersion: weir/v1
kind: LoadProfile
name: max
rate: max
volume: {messages: %d}
topic: {name: loadgen, partitions: 6}
size: {distribution: constant, bytes: %d}
producer: {acks: all, idempotent: true, linger: 5ms, batch: 256KiB, compression: none}
%s`, n, size, c.more))
			payloads := filepath.Join(b.TempDir(), "payloads")
			writePayloads(b, payloads, size)
			start := java(b, broker, payloads, "start", 1000).cpu
			java(b, broker, payloads, "start", n/4) // the broker is a JVM: it has to warm up, for both of them
			var ours, theirs produced
			for b.Loop() {
				for _, first := range []bool{true, false} { // ABBA
					for _, us := range []bool{first, !first} {
						if us {
							ours = ours.add(loadgenMax(b, broker, in))
							continue
						}
						theirs = theirs.add(java(b, broker, payloads, "java", n))
					}
				}
			}
			runs := float64(2 * b.N)
			million := runs * float64(n) / 1e6
			work := theirs.cpu - time.Duration(runs)*start
			b.ReportMetric(ours.rate/runs, "records/s")
			b.ReportMetric(theirs.rate/runs, "java-records/s")
			b.ReportMetric(ours.rate/theirs.rate, "x-java-records/s")
			b.ReportMetric(ours.cpu.Seconds()/million, "cpu-s/M")
			b.ReportMetric(work.Seconds()/million, "java-cpu-s/M")
			b.ReportMetric(start.Seconds(), "java-start-cpu-s")
			b.ReportMetric(work.Seconds()/ours.cpu.Seconds(), "x-java-cpu")
			b.ReportMetric(ours.broker.Seconds()/million, "broker-cpu-s/M")
			b.ReportMetric(theirs.broker.Seconds()/million, "java-broker-cpu-s/M")
			// What a generator without any cost of its own would reach beside this broker, on these cores.
			ceiling := float64(runtime.NumCPU()) / (ours.broker.Seconds() / million) * 1e6
			b.ReportMetric(ceiling, "ceiling-records/s")
			b.ReportMetric(ceiling/(theirs.rate/runs), "ceiling-x-java-records/s")
			b.ReportMetric(float64(ours.peak)/1024, "MiB")
			b.ReportMetric(float64(theirs.peak)/1024, "java-MiB")
		})
	}
}

// peakOf is the most memory that the process had, KiB.
func peakOf(s *os.ProcessState) int64 {
	if u, ok := s.SysUsage().(*syscall.Rusage); ok {
		return u.Maxrss
	}
	return 0
}

func (p produced) add(o produced) produced {
	return produced{p.rate + o.rate, p.cpu + o.cpu, max(p.peak, o.peak), p.broker + o.broker}
}

func loadgenMax(b *testing.B, broker *parts.Broker, in *bench, more ...string) produced {
	b.Helper()
	before := broker.CPU(b)
	c, out, errs := in.start("loadgen", append([]string{"run", "max", "--json"}, more...)...)
	var r struct {
		Rate    float64
		Verdict string
	}
	in.finish(c, out, errs, &r, 0)
	return produced{r.Rate, c.ProcessState.UserTime() + c.ProcessState.SystemTime(), peakOf(c.ProcessState), broker.CPU(b) - before}
}

// writePayloads prepares ten thousand values of printable bytes, one in each line.
func writePayloads(b *testing.B, path string, size int) {
	b.Helper()
	r, text := rand.New(rand.NewPCG(1, 1)), make([]byte, 0, 10_000*(size+1))
	for range 10_000 {
		for range size {
			text = append(text, byte('A'+r.IntN(26)))
		}
		text = append(text, '\n')
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
}

var javaRate = regexp.MustCompile(`(\d+) records sent, ([\d.]+) records/sec`)

// java runs Kafka's own producer tool.
func java(b *testing.B, broker *parts.Broker, payloads, topic string, n int) produced {
	b.Helper()
	before := broker.CPU(b)
	out, state := broker.Perf(b, topic, "--payload-file", payloads, "--num-records", strconv.Itoa(n), "--throughput", "-1", "--producer-props",
		"acks=all", "enable.idempotence=true", "linger.ms=5", "batch.size=262144", "compression.type=none")
	m := javaRate.FindAllStringSubmatch(out, -1)
	if len(m) == 0 || m[len(m)-1][1] != strconv.Itoa(n) {
		b.Fatalf("ProducerPerformance: %s", out)
	}
	rate, err := strconv.ParseFloat(m[len(m)-1][2], 64)
	if err != nil {
		b.Fatal(err)
	}
	return produced{rate, state.UserTime() + state.SystemTime(), peakOf(state), broker.CPU(b) - before}
}

// BenchmarkHeldRate holds 20,000 messages/s for a minute: how far from the schedule is what was sent, and how late was it?
func BenchmarkHeldRate(b *testing.B) {
	broker := parts.Kafka(b)
	reg, err := registry.ServeEmbedded(b.Context(), "127.0.0.1:0", filepath.Join(b.TempDir(), "registry.json"))
	if err != nil {
		b.Fatal(err)
	}
	defer reg.Close()
	in := newBench(b, broker.Addr, reg.URL())
	in.write("profiles/held.yaml", `apiVersion: weir/v1
kind: LoadProfile
name: held
rate: {stages: [{duration: 60s, target: 20k/s}], start: 20k/s}
topic: {name: held, partitions: 6}
size: {distribution: constant, bytes: 263}
`)
	for b.Loop() {
		c, out, errs := in.start("loadgen", "run", "held", "--json")
		var r map[string]any
		in.finish(c, out, errs, &r, 0)
		lag := r["lag_ms"].(map[string]any)
		sent := r["sent"].(float64) - r["warmup"].(float64)
		b.ReportMetric(100*(sent/1.2e6-1), "%-off-schedule")
		b.ReportMetric(lag["p50"].(float64), "lag-p50-ms")
		b.ReportMetric(lag["p99"].(float64), "lag-p99-ms")
		b.ReportMetric(lag["max"].(float64), "lag-max-ms")
		b.ReportMetric(r["p50_ms"].(float64), "response-p50-ms")
		b.ReportMetric(r["p99_ms"].(float64), "response-p99-ms")
		b.ReportMetric(r["cpu_s"].(float64)/1.2, "cpu-s/M")
	}
}
