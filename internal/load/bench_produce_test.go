package load

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/content"
)

// BenchmarkProduce sends fresh, stamped, valid records as fast as the broker (another process) takes them, beside a plain loop of
// the same client with constant bytes of the same size, in turns.
func BenchmarkProduce(b *testing.B) {
	_, addr := child(b, "broker", "WEIR_TEST_DIR="+b.TempDir())
	const each, size = 400_000, 260
	var ours, plain, oursCPU, plainCPU time.Duration
	p := profile("max", each)
	p.Size = content.Constant(size)
	run := func() {
		cpu := cpuTime()
		sum, err := Run(b.Context(), Options{Profile: p, Home: b.TempDir(), Connect: connectTo(addr), Register: register})
		if err != nil || sum.Acked != each {
			b.Fatalf("got %+v, %v", sum, err)
		}
		oursCPU += cpuTime() - cpu
		ours += time.Duration(sum.Seconds * 1e9)
	}
	run() // makes the topic
	ours, oursCPU = 0, 0
	for b.Loop() {
		run()
		wall, cpu := constantBytes(b, p, addr, each, size)
		plain, plainCPU = plain+wall, plainCPU+cpu
	}
	records := float64(b.N * each)
	b.ReportMetric(records/ours.Seconds(), "records/s")
	b.ReportMetric(records/plain.Seconds(), "plain-records/s")
	b.ReportMetric(oursCPU.Seconds()/records*1e6, "cpu-s/M")
	b.ReportMetric(plainCPU.Seconds()/records*1e6, "plain-cpu-s/M")
}

func constantBytes(b *testing.B, p *Profile, addr string, n, size int) (wall, cpu time.Duration) {
	cl, err := connectTo(addr)(p.clientOptions()...)
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	value, start := make([]byte, size), time.Now()
	cpu = cpuTime()
	var failed atomic.Int64
	for range n {
		cl.Produce(context.Background(), &kgo.Record{Topic: p.Topic.Name, Value: value}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Add(1)
			}
		})
	}
	if err := cl.Flush(b.Context()); err != nil || failed.Load() > 0 {
		b.Fatal(err, failed.Load())
	}
	return time.Since(start), cpuTime() - cpu
}
