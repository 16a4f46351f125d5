//go:build real

package real

import (
	"fmt"
	"strings"
	"testing"

	"weir/test/real/parts"
)

// Two builds on the real broker: the same one is never called slower; one that commits later is found, and its data are right.
func TestASlowBuildIsFound(t *testing.T) {
	broker := parts.Kafka(t)
	b := newBench(t, broker.Addr, parts.Registry(t, broker))
	job := func(name, age string) {
		b.write("jobs/"+name+".yaml", fmt.Sprintf("apiVersion: weir/v1\nkind: Job\nname: %s\ningest: {topic: bank.transactions, table: bank.transactions, start: latest, commit: {rows: 1M, age: %s}}\n", name, age))
	}
	job("fast", "500ms")
	job("slow", "800ms")
	b.write("profiles/ab.yaml", `apiVersion: weir/v1
kind: LoadProfile
name: ab
warmup: 1s
rate: {stages: [{target: 3k/s, duration: 5s}]}
topic: {name: bank.transactions, partitions: 4}
verify: {destination: {drain_timeout: 30s}}
`)
	c, out, errs := b.start("loadgen", "run", "ab", "--duration", "1s", "--json") // topic and schema are there
	_ = c.Wait()
	if !strings.Contains(out.String(), `"verdict":"pass"`) {
		t.Fatalf("%s\n%s", out, errs)
	}
	compare := func(candidate string, code int) (verdict string) {
		t.Helper()
		serve := b.bin + "/pipeline run "
		c, out, errs := b.start("loadgen", "compare", "ab", "--baseline", serve+"fast", "--candidate", serve+candidate, "--pairs", "5", "--gate", "fresh_p99", "--json")
		var r struct{ Verdict, Reason string }
		b.finish(c, out, errs, &r, 0, code)
		t.Logf("%s against fast: %s: %s\n%s", candidate, r.Verdict, r.Reason, errs)
		return r.Verdict
	}
	if v := compare("slow", 4); v != "regressed" {
		t.Errorf("a build that is slower on purpose is %s", v)
	}
	if v := compare("fast", 0); v == "regressed" {
		t.Errorf("the same build is %s", v)
	}
}
