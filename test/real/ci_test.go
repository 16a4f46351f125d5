//go:build real

package real

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/internal/fake/ci"
	"weir/test/real/parts"
)

// The shipped workflow with real programs, the embedded broker and short runs: a branch whose job commits later is stopped with
// regressed, and one that changes nothing of it passes.
func TestTheShippedWorkflow(t *testing.T) {
	b := newBench(t, "embedded", "embedded")
	job := func(age string) string {
		return fmt.Sprintf("apiVersion: weir/v1\nkind: Job\nname: transactions\ningest: {topic: bank.transactions, table: bank.transactions, start: earliest, commit: {rows: 1M, age: %s}}\n", age)
	}
	s := ci.Checkout(t, "../../examples/ci", "ci/performance", map[string]string{
		".gitignore":             "performance/\n.weir/\n",
		"jobs/transactions.yaml": job("300ms"),
		"profiles/ci-short.yaml": "apiVersion: weir/v1\nkind: LoadProfile\nname: ci-short\nwarmup: 300ms\nrate: {stages: [{target: 500/s, duration: 2s}]}\ntopic: {name: bank.transactions, partitions: 2}\nverify: {destination: {drain_timeout: 30s}}\n",
	})
	s.Env = map[string]string{"BUILD": "cp " + b.bin + `/* "$OUT/"`, "PROFILE": "ci-short", "COMPARE": "--pairs 5 --gate fresh_p50 --floor fresh_p50=20% --settle 0s --confirm never --log-level error"}
	about := map[string]string{"github.token": "secret", "github.repository": "owner/name", "github.event.pull_request.number": "7", "github.event.pull_request.base.sha": s.Head("main")}
	for i, x := range []struct {
		branch, age, verdict string
		code                 int
	}{{"slower", "900ms", "regressed", 4}, {"same", "300ms", "unchanged", 0}} {
		s.Branch("main")
		s.Branch(x.branch)
		s.Commit(map[string]string{"jobs/transactions.yaml": job(x.age)})
		done := s.GitHub("ci/performance/github/performance.yml", about)
		t.Logf("%s: %s\n%s", x.branch, done.Failed, done.Output)
		if done.Code != x.code || !strings.Contains(done.Summary, x.verdict) || !strings.Contains(done.Summary, "in all 10 runs nothing was lost") && !strings.Contains(done.Output, "INVALID") {
			t.Errorf("%s: exit code %d, want %d and %s\n%s", x.branch, done.Code, x.code, x.verdict, done.Summary)
		}
		if len(done.Artifacts) != 5 {
			t.Errorf("%s: artifacts %v", x.branch, done.Artifacts)
		}
		if all, log := s.Comments(); len(all) != 1 || len(log) != i+1 || !strings.Contains(all[0].Body, x.verdict) {
			t.Errorf("%s: comments %v after %v", x.branch, all, log)
		}
	}
}

// A history on S3: as one file, and as one for each run, to which jobs add at once.
func TestAHistoryOnS3(t *testing.T) {
	s3 := parts.S3(t)
	b := newBench(t, "embedded", "embedded")
	t.Setenv("WEIR_TEST_KEY", s3.Key)
	t.Setenv("WEIR_TEST_SECRET", s3.Secret)
	b.write("weir.yaml", fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nlake: {s3: {endpoint: %q, region: us-east-1, access_key: '${env:WEIR_TEST_KEY}', secret_key: '${env:WEIR_TEST_SECRET}'}}\n", s3.Endpoint))
	pipeline, _, _ := b.start("pipeline", "run", "transactions")
	time.Sleep(3 * time.Second) // real time: it serves the broker
	var run struct{ Verdict string }
	for range 5 { // a busy machine may keep no schedule, and then there is nothing to add
		c, out, errs := b.start("loadgen", "run", "smoke", "--rate", "50/s", "--duration", "2s", "--json")
		if b.finish(c, out, errs, &run, 0, 3, 6); run.Verdict == "pass" {
			break
		}
	}
	_ = pipeline.Process.Signal(syscall.SIGINT)
	_ = pipeline.Wait()
	for _, at := range []string{"s3://weir/perf/history.ndjson", "s3://weir/perf/history/"} {
		for i := range 2 {
			var got struct{ Runs, Added int }
			c, out, errs := b.start("loadgen", "history", "--file", at, "--json")
			b.finish(c, out, errs, &got, 0)
			if got.Runs < 1 || (got.Added > 0) != (i == 0) {
				t.Errorf("%s, time %d: %+v", at, i+1, got)
			}
		}
	}
	var saved, shown struct{ Runs any }
	c, out, errs := b.start("loadgen", "baseline", "save", "--store", "s3://weir/perf/baseline.ndjson", "--json")
	b.finish(c, out, errs, &saved, 0)
	c, out, errs = b.start("loadgen", "baseline", "show", "--store", "s3://weir/perf/baseline.ndjson", "--json")
	if b.finish(c, out, errs, &shown, 0); !strings.Contains(out.String(), `"profile":"smoke"`) {
		t.Errorf("the baseline is %s", out)
	}
}
