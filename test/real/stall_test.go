//go:build real

package real

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"weir/internal/kafka"
	"weir/internal/registry"
	"weir/internal/results"
	"weir/test/real/parts"
)

const (
	stallRate  = 5000 // messages/s of 1 KiB
	stallCount = 20 * stallRate
	stallWarm  = 4 * stallRate // of Kafka's tool: without, its p99 is the start of the JVM
	stallFor   = 2 * time.Second
)

// told is what a generator says of its latencies, ms. over is the share above a second; NaN: it does not say.
type told struct {
	who                      string
	mean, p50, p95, p99, max float64
	over                     float64
}

var javaLine = regexp.MustCompile(`(\d+) (?:steady state )?records sent, .* ([\d.]+) ms avg latency, ([\d.]+) ms max latency, (\d+) ms 50th, (\d+) ms 95th, (\d+) ms 99th, (\d+) ms 99.9th`)

// javaTold reads the last line of ProducerPerformance: the whole run without its warm-up.
func javaTold(t *testing.T, who, out string) told {
	t.Helper()
	all := javaLine.FindAllStringSubmatch(out, -1)
	if len(all) == 0 {
		t.Fatalf("no summary in\n%s", out)
	}
	var v [8]float64
	for i, text := range all[len(all)-1][1:] {
		var err error
		if v[i], err = strconv.ParseFloat(text, 64); err != nil {
			t.Fatal(err)
		}
	}
	if v[0] != stallCount {
		t.Fatalf("%s sent %.0f records beside its warm-up, want %d", who, v[0], stallCount)
	}
	return told{who, v[1], v[3], v[4], v[5], v[2], math.NaN()}
}

func oursTold(who string, h *hdrhistogram.Histogram) told {
	above := int64(0)
	for _, b := range h.Distribution() {
		if b.From > 1_000_000 {
			above += b.Count
		}
	}
	at := func(q float64) float64 { return float64(h.ValueAtPercentile(q)) / 1000 }
	return told{who, h.Mean() / 1000, at(50), at(95), at(99), float64(h.Max()) / 1000, float64(above) / float64(h.TotalCount())}
}

// The broker stands still for two seconds under a fixed rate. What loadgen says is what arithmetic says, whether its window of
// messages on their way is large or full; Kafka's own tool, under the very same stall, leaves out what it could not send.
func TestAStallIsTold(t *testing.T) {
	broker := parts.Kafka(t)
	reg, err := registry.ServeEmbedded(t.Context(), "127.0.0.1:0", filepath.Join(t.TempDir(), "registry.json"))
	if err != nil {
		t.Fatal(err)
	}
	defer reg.Close()
	b := newBench(t, broker.Addr, reg.URL())
	if err := kafka.EnsureTopic(t.Context(), connect(t, broker.Addr), "bank.stall", 6); err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string]string{"large": "", "small": "max_in_flight: 4k\n"} {
		b.write("profiles/"+name+".yaml", fmt.Sprintf(`apiVersion: weir/v1
kind: LoadProfile
name: %s
rate: {stages: [{target: %d/s}]}
volume: {messages: %d}
topic: {name: bank.stall}
size: {distribution: constant, bytes: 1KiB}
producer: {acks: all, linger: 5ms, batch: 256KiB}
%s`, name, stallRate, stallCount, more))
	}
	var table []told
	for _, c := range []struct {
		profile, java string
		codes         []int
	}{
		{"large", "", []int{0}},
		{"small", "buffer.memory=4194304", []int{6}}, // it says so: its window was full
	} {
		args := []string{"--bootstrap-server", broker.Addr, "--topic", "bank.stall", "--num-records", fmt.Sprint(stallCount + stallWarm), "--warmup-records", fmt.Sprint(stallWarm),
			"--record-size", "1024", "--throughput", fmt.Sprint(stallRate), "--command-property", "acks=all", "linger.ms=5", "batch.size=262144"}
		if c.java != "" {
			args = append(args, c.java)
		}
		java := broker.Tool(t, "org.apache.kafka.tools.ProducerPerformance", args...)
		time.Sleep(5 * time.Second) // real time: the JVM starts and warms up
		p, out, errs := b.start("loadgen", "run", c.profile, "--json")
		time.Sleep(9 * time.Second) // real time: both are in the middle of their load
		stood := broker.Stall(t, stallFor)
		var sum struct {
			Run     string
			Verdict string
			Reason  string
		}
		b.finish(p, out, errs, &sum, c.codes...)
		theirs := javaTold(t, "ProducerPerformance "+c.java, java())
		res, err := results.Load(b.home(), sum.Run)
		if err != nil {
			t.Fatal(err)
		}
		h, err := res.Histogram(results.Response)
		if err != nil {
			t.Fatal(err)
		}
		ours := oursTold("loadgen, window "+c.profile, h)
		table = append(table, ours, theirs)
		t.Logf("stood %.3f s; loadgen: %s %s", stood.Seconds(), sum.Verdict, sum.Reason)

		// A message that is due x into the stall waits for the rest of it: those of all but its last second wait longer than 1 s.
		// Above that comes the time to send what has piled up, and the two signals.
		least, most := stood.Seconds()-0.1, stood.Seconds()+0.6
		share := func(stall float64) float64 { return (stall - 1) * stallRate / float64(h.TotalCount()) }
		if got := ours.max / 1000; got < least || got > most {
			t.Errorf("%s: the longest response is %.3f s, want %.2f to %.2f", ours.who, got, least, most)
		}
		if ours.over < share(least) || ours.over > share(most) {
			t.Errorf("%s: %.2f %% are above 1 s, want %.2f to %.2f %%", ours.who, 100*ours.over, 100*share(least), 100*share(most))
		}
		// Five of a hundred messages are 1 s of the load: the 95th percentile is what is left of the stall then.
		if ours.p95 < 1000*(least-1) || ours.p95 > 1000*(most-1) {
			t.Errorf("%s: p95 is %.0f ms, want %.0f to %.0f", ours.who, ours.p95, 1000*(least-1), 1000*(most-1))
		}
		if c.java != "" && theirs.p95 > ours.p95/1.5 {
			t.Errorf("Kafka's tool with a full buffer says p95 %.0f ms, loadgen %.0f: nothing is left out any more; docs/honest-latency.md must say so", theirs.p95, ours.p95)
		}
	}
	var text strings.Builder
	for _, r := range table {
		fmt.Fprintf(&text, "%-46s mean %5.0f  p50 %5.1f  p95 %6.0f  p99 %6.0f  max %6.0f ms  above 1 s %.2f %%\n", r.who, r.mean, r.p50, r.p95, r.p99, r.max, 100*r.over)
	}
	t.Logf("stall of %v, %d/s, 1 KiB:\n%s", stallFor, stallRate, &text)
}
