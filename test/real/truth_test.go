//go:build real

package real

import (
	"math"
	"testing"

	"weir/internal/load"
	"weir/test/real/parts"
)

// What a run tells beside its latencies, on Apache Kafka: the broker's clock is ours on one machine, and all that was acknowledged and
// not aborted comes back.
func TestARunTellsTheTruthOfARealBroker(t *testing.T) {
	broker := parts.Kafka(t)
	b := newBench(t, broker.Addr, parts.Registry(t, broker))
	b.write("profiles/truth.yaml", `apiVersion: weir/v1
kind: LoadProfile
name: truth
rate: {stages: [{target: 2k/s, duration: 5s}]}
topic: {name: truth, partitions: 3}
producer: {transaction: {messages: 200, abort: 10%}}
verify: {consumer: {group: truth}}
`)
	p, out, errs := b.start("loadgen", "run", "truth", "--json")
	var s load.Summary
	b.finish(p, out, errs, &s, 0, 6)
	t.Logf("clock %+v, read back %+v, aborted %d, %s %s", s.Generator.Clock, s.Read, s.Aborted, s.Verdict, s.Reason)
	if c := s.Generator.Clock; c == nil || math.Abs(c.Offset) > c.Error+0.01 || c.Error <= 0 || c.Error > 50 {
		t.Errorf("clocks: %+v %s, want 0 within the error", c, s.Generator.ClockWhy)
	}
	if s.Read == nil || s.Read.Messages != s.Acked-s.Aborted || s.Read.Missing+s.Read.Doubled != 0 || s.Aborted == 0 || s.Read.Latency.Count == 0 {
		t.Errorf("of %d acknowledged messages, %d of them aborted, %+v came back", s.Acked, s.Aborted, s.Read)
	}
}
