//go:build real

package real

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"weir/internal/registry"
	"weir/test/real/parts"
)

// BenchmarkLongRun sends as many messages as WEIR_BENCH_MESSAGES says (20 M) at full speed, beside a tenth of them in the same broker:
// the generator's memory must not follow the run. The broker forgets what it gets after a few seconds.
func BenchmarkLongRun(b *testing.B) {
	messages := 20_000_000
	if n, err := strconv.Atoi(os.Getenv("WEIR_BENCH_MESSAGES")); err == nil {
		messages = n
	}
	b.Setenv("WEIR_KAFKA_SETTINGS", "log.retention.bytes=67108864\nlog.segment.bytes=33554432\nlog.retention.check.interval.ms=2000\nlog.segment.delete.delay.ms=1000\n")
	in, broker := benchAtFullSpeed(b)
	var peak [2]int64
	var rate float64
	for b.Loop() {
		for i, n := range []int{messages / 10, messages} {
			r := loadgenMax(b, broker, in, "--set", fmt.Sprintf("volume.messages=%d", n))
			peak[i], rate = max(peak[i], r.peak), r.rate
		}
	}
	b.ReportMetric(rate, "records/s")
	b.ReportMetric(float64(peak[1])/1024, "MiB")
	b.ReportMetric(float64(peak[0])/1024, "tenth-MiB")
	b.ReportMetric(float64(peak[1])/float64(peak[0]), "x-tenth-MiB")
}

// BenchmarkScreen sends at full speed with the terminal UI watching, in a terminal of 160x50, and without it, in turns.
func BenchmarkScreen(b *testing.B) {
	if _, err := exec.LookPath("script"); err != nil {
		b.Skip("needs script (util-linux) for a terminal")
	}
	in, broker := benchAtFullSpeed(b)
	var with, without produced
	var screen, shown time.Duration // CPU of the terminal UI, and for how long it was there
	watched := func() produced {
		c := exec.Command("script", "-qfc", "stty cols 160 rows 50; exec "+filepath.Join(in.bin, "pipeline")+" tui --home "+in.home(), os.DevNull)
		c.Dir, c.Env = in.dir, append(os.Environ(), "TERM=xterm-256color")
		keys, err := c.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := c.Start(); err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		defer func() {
			_, _ = keys.Write([]byte("q"))
			_ = keys.Close()
			time.AfterFunc(5*time.Second, func() { _ = c.Process.Kill() })
			_ = c.Wait()
			screen, shown = screen+c.ProcessState.UserTime()+c.ProcessState.SystemTime(), shown+time.Since(began) // with what it has waited for
		}()
		_, _ = keys.Write([]byte("2")) // the load screen
		return loadgenMax(b, broker, in)
	}
	for b.Loop() {
		for _, first := range []bool{true, false} { // ABBA
			for _, watch := range []bool{first, !first} {
				if watch {
					with = with.add(watched())
				} else {
					without = without.add(loadgenMax(b, broker, in))
				}
			}
		}
	}
	runs := float64(2 * b.N)
	b.ReportMetric(with.rate/runs, "watched-records/s")
	b.ReportMetric(without.rate/runs, "records/s")
	b.ReportMetric(100*(1-with.rate/without.rate), "%-cost")
	b.ReportMetric(100*screen.Seconds()/shown.Seconds()/float64(runtime.NumCPU()), "%-of-the-cores")
}

// benchAtFullSpeed has a profile max that sends 8 M records of 263 bytes.
func benchAtFullSpeed(b *testing.B) (*bench, *parts.Broker) {
	b.Helper()
	broker := parts.Kafka(b)
	reg, err := registry.ServeEmbedded(b.Context(), "127.0.0.1:0", filepath.Join(b.TempDir(), "registry.json"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = reg.Close() })
	in := newBench(b, broker.Addr, reg.URL())
	in.write("profiles/max.yaml", `apiVersion: weir/v1
kind: LoadProfile
name: max
rate: max
volume: {messages: 8000000}
topic: {name: loadgen, partitions: 6}
size: {distribution: constant, bytes: 263}
producer: {acks: all, idempotent: true, linger: 5ms, batch: 256KiB, compression: none}
`)
	return in, broker
}
