package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"weir/internal/load"
	"weir/internal/outcome"
	"weir/internal/regress"
	"weir/internal/results"
)

// keepRuns stores results of runs a minute apart whose p99 is as given; kernel is part of their fingerprint.
func keepRuns(t *testing.T, home, kernel string, from int, p99 ...float64) {
	t.Helper()
	hist := func() *hdrhistogram.Histogram { return hdrhistogram.New(1, 3_600_000_000, 3) }
	for i, v := range p99 {
		rec := &load.Record{Started: time.Date(2026, 3, 1, 12, from+i, 0, 0, time.UTC), Response: hist(), Service: hist(), Lag: hist(), Size: hist()}
		rec.Summary = load.Summary{Run: fmt.Sprintf("01K8ZJ9V4T8QH0M6W2X3Y5A%03d", from+i), Profile: "ci", Sent: 1000, Target: 100, Verdict: load.VerdictPass, P50: 10, P99: v, Response: load.Quantiles{Count: 1000, P50: 10, P99: v}}
		r, err := results.New(rec, "name: ci", nil, results.Fingerprint{Kernel: kernel, Build: "b"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := results.Save(filepath.Join(home, "load"), r); err != nil {
			t.Fatal(err)
		}
	}
}

func level(n int, v float64) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v * (1 + 0.01*float64(i*7%5))
	}
	return out
}

// A change is found where it began, told as an event that notify reads, and adding twice adds nothing.
func TestAHistoryNamesTheRunThatChanged(t *testing.T) {
	t.Chdir(t.TempDir())
	home := t.TempDir()
	keepRuns(t, home, "6.1", 0, append(level(20, 50), level(20, 65)...)...)
	code, out, errs := loadgen(t.Context(), "history", "--home", home)
	if code != 0 || !strings.Contains(out, "ci p99: 30.0 % worse since run 01K8ZJ9V4T8QH0M6W2X3Y5A020") || !strings.Contains(out, "1 change points; 40 runs") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	if _, out, _ := loadgen(t.Context(), "history", "--home", home); !strings.Contains(out, "40 runs in") || !strings.Contains(out, "0 of them new") {
		t.Errorf("again: %s", out)
	}
	code, out, _ = loadgen(t.Context(), "history", "--home", home, "--emit", "-", "--unit", "PERF", "--otava", "otava.csv")
	e, err := outcome.Parse([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	if o := e.Outcome(); code != 0 || o.Unit != "PERF" || o.State != outcome.Warning || o.Job != "loadgen.ci.p99" {
		t.Errorf("exit code %d, outcome %+v", code, o)
	}
	if b, err := os.ReadFile("otava.csv"); err != nil || strings.Count(string(b), "\n") != 41 {
		t.Errorf("otava: %v\n%s", err, b)
	}
}

func TestAStoredBaselineWarnsAndNeverComparesUnlikeMachines(t *testing.T) {
	t.Chdir(t.TempDir())
	home := t.TempDir()
	step := func(want int, says string, args ...string) {
		t.Helper()
		code, out, errs := loadgen(t.Context(), append(args, "--home", home)...)
		if code != want || !strings.Contains(out+errs, says) {
			t.Errorf("%v: exit code %d, want %d with %q\n%s%s", args, code, want, says, out, errs)
		}
	}
	step(2, "there is no run", "baseline", "save")
	keepRuns(t, home, "6.1", 0, level(6, 50)...)
	step(2, "there is no run in", "compare", "--stored", "--store", "none.ndjson", "other")
	step(exitNoBaseline, "no baseline of ci is stored", "compare", "--stored")
	step(0, "6 runs of ci are the baseline", "baseline", "save")
	keepRuns(t, home, "6.1", 10, level(6, 51)...)
	step(0, "unchanged", "compare", "--stored")
	keepRuns(t, home, "6.1", 20, level(6, 70)...)
	step(0, "regressed", "compare", "ci", "--stored")
	step(exitRegression, "regressed", "compare", "ci", "--stored", "--strict")
	keepRuns(t, home, "7.0", 30, level(6, 50)...)
	step(exitNoBaseline, `its kernel "6.1", not "7.0"`, "compare", "--stored")
}

// A history may lie in a storage, as one file or as one for each run; a baseline is one file, and only the main branch moves it.
func TestHistoriesAndBaselinesInAStorage(t *testing.T) {
	t.Chdir(t.TempDir())
	home, store := t.TempDir(), t.TempDir()
	keepRuns(t, home, "6.1", 0, level(8, 50)...)
	for _, at := range []string{"file://" + store + "/history.ndjson", "file://" + store + "/history/", "history/"} {
		for i, want := range []string{"8 runs in " + at + ", 8 of them new", "8 runs in " + at + ", 0 of them new"} {
			if code, out, errs := loadgen(t.Context(), "history", "--file", at, "--home", home); code != 0 || !strings.Contains(out, want) {
				t.Errorf("%s, time %d: exit code %d, want %q\n%s%s", at, i+1, code, want, out, errs)
			}
		}
	}
	if files, err := filepath.Glob(store + "/history/*.json"); err != nil || len(files) != 8 {
		t.Errorf("a file for each run: %d, %v", len(files), err)
	}
	save := []string{"baseline", "save", "--store", "file://" + store + "/baseline.ndjson", "--home", home}
	for _, env := range []map[string]string{{"GITHUB_EVENT_NAME": "pull_request_target"}, {"CI_MERGE_REQUEST_IID": "7"}} {
		if code, _, errs := loadgenIn(t.Context(), env, save...); code != 2 || !strings.Contains(errs, "what is not merged yet is no baseline") {
			t.Errorf("%v: exit code %d\n%s", env, code, errs)
		}
	}
	if code, out, errs := loadgenIn(t.Context(), map[string]string{"GITHUB_EVENT_NAME": "push"}, save...); code != 0 || !strings.Contains(out, "6 runs of ci are the baseline") {
		t.Errorf("on the main branch: exit code %d\n%s%s", code, out, errs)
	}
	keepRuns(t, home, "6.1", 20, level(6, 80)...)
	code, out, errs := loadgen(t.Context(), "compare", "--stored", "--store", "file://"+store+"/baseline.ndjson", "--home", home, "--markdown", "-")
	if code != 0 || !strings.Contains(out, "regressed") || !strings.Contains(out, "it fails no build: another day is another host") || !strings.Contains(errs, "this comparison only warns") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := loadgen(t.Context(), "baseline", "save", "--store", "history/", "--home", home); code != 2 || !strings.Contains(errs, "a baseline is one file") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}

func TestAnAcceptedRegressionPassesUntilItsDay(t *testing.T) {
	t.Chdir(t.TempDir())
	home, dir := t.TempDir(), t.TempDir()
	compare := func(want int, says string) {
		t.Helper()
		b, err := json.Marshal(regress.Comparison{Profile: "ci", Runs: runs(7, "p99", 0.3)})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, comparisonFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if code, out, errs := loadgen(t.Context(), "compare", "--from", dir, "--home", home); code != want || !strings.Contains(out+errs, says) {
			t.Errorf("exit code %d, want %d with %q\n%s%s", code, want, says, out, errs)
		}
	}
	line := func(text string) {
		t.Helper()
		if err := os.WriteFile(results.AcceptFile, []byte("accepted:\n  - {"+text+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	compare(exitRegression, "regressed")
	code, out, errs := loadgen(t.Context(), "accept", "--metric", "p99", "--until", "2999-12-31", "--reason", "checksums: \"#7\"", "--home", home)
	if code != 0 || !strings.Contains(out, "lets p99 pass until 2999-12-31") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	compare(0, `accepted until 2999-12-31: checksums: "#7"`)
	line("metric: p99, up_to: 10%, until: 2999-12-31, reason: r")
	compare(exitRegression, "was accepted up to 10%: r")
	line("metric: p99, until: 2020-01-01, reason: r")
	compare(exitRegression, "was accepted until 2020-01-01: r")
	line("metric: p50, until: 2999-01-01, reason: r")
	compare(exitRegression, "regressed")
	line("metric: p99, until: soon, reason: r")
	compare(2, `loadgen-accept.yaml:2:26: until: want a day as 2027-01-31, got "soon"`)
	for args, want := range map[string]string{
		"accept --metric speed --until 2999-01-01 --reason r":            "--metric: expected one of p50",
		"accept --metric p99 --until 2020-01-01 --reason r":              "--until: 2020-01-01 is over",
		"accept --metric p99 --until 2999-01-01 --file x":                "want a reason",
		"accept --metric p99 --until 2999-01-01 --reason r --up-to much": "--up-to: expected a percentage",
	} {
		if code, _, errs := loadgen(t.Context(), append(strings.Fields(args), "--home", home)...); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, %s", args, code, errs)
		}
	}
}
