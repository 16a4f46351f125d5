//go:build real

package real

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/regress"
	"weir/test/real/parts"
)

// A versus is a bench whose jobs differ in how old rows get before they are committed: builds that are slower by construction.
type versus struct{ *bench }

func newVersus(t *testing.T) versus {
	t.Helper()
	broker := parts.Kafka(t)
	b := newBench(t, broker.Addr, parts.Registry(t, broker))
	b.write("profiles/ab.yaml", `apiVersion: weir/v1
kind: LoadProfile
name: ab
warmup: 1s
rate: {stages: [{target: 2k/s, duration: 5s}]}
topic: {name: bank.transactions, partitions: 4}
verify: {destination: {drain_timeout: 30s}}
`)
	return versus{b}
}

// builds writes a job for each age. Each run has a topic of its own, so they read from its start.
func (b versus) builds(ages ...time.Duration) {
	b.t.Helper()
	for _, age := range ages {
		b.write(fmt.Sprintf("jobs/age_%d.yaml", age.Milliseconds()), fmt.Sprintf("apiVersion: weir/v1\nkind: Job\nname: age_%d\ningest: {topic: \"${env:WEIR_TOPIC}\", table: bank.transactions, start: earliest, commit: {rows: 1M, age: %v}}\n", age.Milliseconds(), age))
	}
}

func (b versus) serve(age time.Duration) string {
	return fmt.Sprintf("%s/pipeline run age_%d", b.bin, age.Milliseconds())
}

type verdict struct {
	Verdict, Reason, Advisory string
	Findings                  []regress.Finding
}

// compare compares builds of two ages; codes are the exit codes that are expected.
func (b versus) compare(base, cand time.Duration, codes []int, flags ...string) (v verdict, dir string) {
	b.t.Helper()
	dir = filepath.Join(b.t.TempDir(), "cmp")
	c, out, errs := b.start("loadgen", append([]string{"compare", "ab", "--baseline", b.serve(base), "--candidate", b.serve(cand), "--fresh-topics", "--settle", "0s", "--out", dir, "--json", "--log-level", "error"}, flags...)...)
	b.finish(c, out, errs, &v, codes...)
	b.t.Logf("%v against %v: %s: %s\n%s", cand, base, v.Verdict, v.Reason, errs)
	return v, dir
}

// again judges runs that are there by one metric.
func (b versus) again(dir, metric string) (v verdict) {
	b.t.Helper()
	c, out, errs := b.start("loadgen", "compare", "--from", dir, "--gate", metric, "--json", "--log-level", "error")
	b.finish(c, out, errs, &v, 0, 4, 6)
	return v
}

// A build that is much slower is found, and its data are right.
func TestASlowBuildIsFound(t *testing.T) {
	b := newVersus(t)
	b.builds(500*time.Millisecond, 800*time.Millisecond)
	if v, _ := b.compare(500*time.Millisecond, 800*time.Millisecond, []int{4}, "--pairs", "6", "--gate", "fresh_p50"); v.Verdict != "regressed" {
		t.Errorf("a build that is slower on purpose is %s", v.Verdict)
	}
}

// A build whose rows become readable 10 % later is found with eight pairs, where the floor lies below that.
func TestABuildThatIsTenPercentSlowerIsFound(t *testing.T) {
	b := newVersus(t)
	b.builds(1000*time.Millisecond, 1100*time.Millisecond)
	v, _ := b.compare(1000*time.Millisecond, 1100*time.Millisecond, []int{4}, "--pairs", "8", "--duration", "8s", "--gate", "fresh_p99", "--floor", "fresh_p99=4%,fresh_p99=20ms", "--confirm", "never")
	if v.Verdict != "regressed" {
		t.Errorf("a build that is 10 %% slower on purpose is %s: %s", v.Verdict, v.Reason)
	}
}

// The same build is never called slower: three comparisons of three metrics that decide, at their default floors, with the second round
// that a noisy machine calls for. WEIR_LONG=1 makes twenty of them, about thirteen minutes on a quiet machine. Their runs are also judged
// by each metric alone and, where there was no second round, without one: what that finds is chance, and is counted.
func TestTheSameBuildIsNeverSlower(t *testing.T) {
	times := 3
	if os.Getenv("WEIR_LONG") == "1" {
		times = 20
	}
	b := newVersus(t)
	b.builds(300 * time.Millisecond)
	said, alone := map[string]int{}, map[string]int{}
	began := time.Now()
	for i := range times {
		v, dir := b.compare(300*time.Millisecond, 300*time.Millisecond, []int{0, 4, 6}, "--pairs", "6", "--gate", "p99,fresh_p99,cpu", "--duration", "2500ms")
		said[v.Verdict]++
		if v.Verdict == "regressed" {
			t.Errorf("comparison %d: the same build is %s: %s", i+1, v.Verdict, v.Reason)
		}
		for _, metric := range []string{"p50", "p99", "fresh_p50", "fresh_p99", "cpu", "drain"} {
			alone[b.again(dir, metric).Verdict]++
		}
	}
	t.Logf("%d comparisons in %v: %v; their runs judged by six metrics alone: %v", times, time.Since(began).Round(time.Second), said, alone)
	if said["invalid"] == times {
		t.Errorf("the machine was too busy for each of them: nothing was shown")
	}
	if alone["regressed"] > max(1, 6*times/10) { // chance gives one of thirty-two, before the floors
		t.Errorf("%d of %d single judgements say that the same build is slower", alone["regressed"], 6*times)
	}
}

// Two builds read one log on the real broker at the same time: the slower one is found within seconds, the same one is not.
func TestADuetOnTheRealBroker(t *testing.T) {
	b := newVersus(t)
	b.builds(500*time.Millisecond, 800*time.Millisecond)
	v, _ := b.compare(500*time.Millisecond, 800*time.Millisecond, []int{0}, "--duet", "--window", "1s", "--duration", "16s")
	if v.Verdict != "regressed" || !strings.Contains(v.Advisory, "loadgen calibrate --duet") {
		t.Errorf("a build that is slower on purpose is %s (%s)", v.Verdict, v.Advisory)
	}
	for _, f := range v.Findings {
		if len(f.Pairs) < regress.LeastWindows {
			t.Errorf("%s has %d windows", f.Metric.Name, len(f.Pairs))
		}
	}
	if v, _ = b.compare(500*time.Millisecond, 500*time.Millisecond, []int{0, 6}, "--duet", "--window", "1s", "--duration", "16s"); v.Verdict == "regressed" {
		t.Errorf("the same build is %s: %s", v.Verdict, v.Reason)
	}
	var cal struct {
		Duet struct {
			Symmetric bool
			Why       string
			Findings  []regress.Finding
		}
	}
	c, out, errs := b.start("loadgen", "calibrate", "ab", "--duet", "--system", b.serve(500*time.Millisecond), "--fresh-topics", "--settle", "0s", "--window", "1s", "--duration", "16s", "--json", "--log-level", "error")
	b.finish(c, out, errs, &cal, 0, 6)
	t.Logf("the same build on both sides: alike %v %s", cal.Duet.Symmetric, cal.Duet.Why)
	if len(cal.Duet.Findings) != 3 {
		t.Errorf("calibrated are %d metrics: %s", len(cal.Duet.Findings), out)
	}
}
