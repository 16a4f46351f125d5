package main

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/results"
)

// The stored result stands for itself: the figures that were printed can be worked out again from its histograms.
func TestAResultHoldsTheWholeRun(t *testing.T) {
	home, pr := installation(t)
	out := t.TempDir()
	file := filepath.Join(t.TempDir(), "kept.yaml")
	profile := "apiVersion: weir/v1\nkind: LoadProfile\nname: kept\nrate: {stages: [{target: 1k/s}]}\nvolume: {messages: 500}\ntopic: {name: orders}\n"
	if err := os.WriteFile(file, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	code, text, errs := loadgen(t.Context(), "run", file, "--home", home, "--rate", "2k/s", "--count", "4k", "--topic", "bank.kept", "--json", "--out", out)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, errs)
	}
	run := result(t, text)["run"].(string)
	r, err := results.Load(home, "last")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := results.Load(home, filepath.Join(out, run+".result.json")); err != nil {
		t.Error(err)
	}
	h, err := r.Histogram(results.Response)
	if err != nil {
		t.Fatal(err)
	}
	if got := float64(h.ValueAtPercentile(99)) / 1000; r.Run != run || h.TotalCount() != r.Summary.Response.Count || math.Abs(got-r.Summary.P99) > 0.001*got+0.001 {
		t.Errorf("run %s: p99 %v from the histogram of %d, printed %v of %d", r.Run, got, h.TotalCount(), r.Summary.P99, r.Summary.Response.Count)
	}
	over, err := r.Over()
	if err != nil {
		t.Fatal(err)
	}
	var inIntervals, inParts int64
	for _, h := range over {
		inIntervals += h.TotalCount()
	}
	for _, p := range r.Partitions {
		inParts += p.Messages
	}
	if inIntervals != h.TotalCount() || inParts != 4000 || len(r.Series) < 2 || len(r.Stages) != 1 {
		t.Errorf("got %d messages in the intervals, %d in the partitions, %d points, stages %+v", inIntervals, inParts, len(r.Series), r.Stages)
	}
	f := r.Fingerprint
	if r.Profile != profile || strings.Join(r.Flags, " ") != "--topic bank.kept --rate 2k/s --count 4k" || f.Kernel == "" || f.CPUs == 0 || f.Broker == "unknown" || f.Profile == "" {
		t.Errorf("got flags %v, fingerprint %+v", r.Flags, f)
	}

	write(t, pr, "bank.kept", fill(t, pr, "bank.kept", 4000))
	if code, _, errs := loadgen(t.Context(), "verify", "--home", home); code != 0 {
		t.Fatalf("verify: exit code %d\n%s", code, errs)
	}
	if r, err = results.Load(home, run); err != nil || r.Proof == nil || r.Proof.Rows != 4000 || r.Values()["fresh_p99"] <= 0 {
		t.Errorf("after the proof: %v, %+v", err, r.Proof)
	}
}

func TestFreshnessIsJudgedByTheProof(t *testing.T) {
	home, pr := installation(t)
	profile := filepath.Join(t.TempDir(), "fresh.yaml")
	text := "apiVersion: weir/v1\nkind: LoadProfile\nname: fresh\nrate: {stages: [{target: 2k/s}]}\nvolume: {messages: 500}\ntopic: {name: bank.fresh}\nthresholds: [{metric: freshness_s, stat: max, max: 0.000001}]\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := loadgen(t.Context(), "run", profile, "--home", home); code != 0 {
		t.Fatalf("run: exit code %d\n%s", code, errs)
	}
	write(t, pr, "bank.fresh", fill(t, pr, "bank.fresh", 500))
	code, _, errs := loadgen(t.Context(), "verify", "--home", home)
	if code != exitSLO || !strings.Contains(errs, "slo: freshness_s max is") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}
