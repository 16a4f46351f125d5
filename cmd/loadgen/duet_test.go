package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/internal/regress"
)

// Two builds read one log at the same time, each into its own table. The slower one is found, and fails a build only after a
// calibration has proven that both sides are treated alike.
func TestADuetOfTwoBuilds(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	profile := ab(t, "200ms", "400/s", "1800ms")
	fast, slow := fakePipeline("bank.ab", 30*time.Millisecond), fakePipeline("bank.ab", 30*time.Millisecond, "WEIR_TEST_HOLD=1s")
	flags := func(args ...string) []string {
		return append(args, "--window", "120ms", "--gate", "fresh_p50", "--floor", "fresh_p50=100%", "--settle", "1s", "--home", home, "--json", "--log-level", "warn")
	}

	code, dir, out, errs := eventually(t, func(dir string) []string {
		return flags("compare", profile, "--duet", "--baseline", fast, "--candidate", slow, "--out", dir, "--html", filepath.Join(filepath.Dir(dir), "report.html"))
	}, func(_ int, dir string) bool {
		c, err := readComparison(dir)
		return err == nil && c.Verdict == regress.Regressed
	})
	c, err := readComparison(dir)
	if err != nil || code != 0 || c.Verdict != regress.Regressed || !strings.Contains(c.Advisory, "nothing proves that this machine treats both sides alike") || !strings.Contains(errs, "only warns") {
		t.Fatalf("without a calibration: exit code %d, %s: %s (%v)\n%s\n%s", code, c.Verdict, c.Advisory, err, out, errs)
	}
	c.Runs = valid(c.Runs)
	if len(c.Runs) != 2 || len(c.Runs[0].Windows["fresh_p50"]) < regress.LeastWindows || c.Window != 0.12 {
		t.Fatalf("%d runs, windows %v of %v s", len(c.Runs), c.Runs[0].Windows, c.Window)
	}
	for _, r := range c.Runs {
		for i, v := range r.Windows["fresh_p50"] {
			if v <= 0 || r.Windows["fresh_p99"][i] < v {
				t.Errorf("window %d of the %s: p50 %v, p99 %v", i, r.Build, v, r.Windows["fresh_p99"][i])
			}
		}
		if !r.Proven || r.Values["fresh_p50"] <= 0 || r.Values["p50"] != 0 {
			t.Errorf("%s: %+v; what the broker does is nobody's", r.Build, r.Values)
		}
	}

	code, noise, out, errs := eventually(t, func(dir string) []string {
		return flags("calibrate", profile, "--duet", "--system", fast, "--out", dir)
	},
		func(code int, _ string) bool { return code == 0 })
	var cal calibration
	if err := json.Unmarshal([]byte(out), &cal); err != nil || code != 0 || cal.Duet == nil || !cal.Duet.Symmetric || len(valid(cal.Runs)) != 2 {
		t.Fatalf("calibrate: exit code %d, %v\n%s\n%s", code, err, out, errs)
	}
	code, out, errs = loadgen(t.Context(), flags("compare", "--from", dir, "--noise", noise)...)
	if code != exitRegression || strings.Contains(out, `"advisory"`) {
		t.Errorf("with a calibration: exit code %d\n%s\n%s", code, out, errs)
	}
	cal.Duet.Place = "elsewhere"
	metrics, err := (&judging{}).metrics(duet)
	if err != nil {
		t.Fatal(err)
	}
	if why := cal.advisory(metrics, c.Window, c.Place); !strings.Contains(why, "of another machine, broker or profile") {
		t.Errorf("a calibration of another machine: %q", why)
	}
}

// valid are the runs that count; one that a busy machine has spoilt is made again.
func valid(runs []regress.Run) []regress.Run {
	return slices.DeleteFunc(slices.Clone(runs), func(r regress.Run) bool { return r.Invalid != "" })
}

// A duet in which one build loses a row says nothing of its speed.
func TestADuetThatLosesARow(t *testing.T) {
	t.Parallel()
	code, out, errs := whenQuiet(t, "compare", ab(t, "0s", "300/s", "1300ms"), "--duet", "--window", "100ms", "--baseline", fakePipeline("bank.ab", 30*time.Millisecond),
		"--candidate", fakePipeline("bank.ab", 30*time.Millisecond, "WEIR_TEST_LOSES=1"), "--settle", "0s", "--home", t.TempDir(), "--json", "--log-level", "error")
	if code != exitIntegrity || !strings.Contains(errs, "the candidate's data are not right") || !strings.Contains(errs, "lost 1, doubled 0") {
		t.Errorf("exit code %d\n%s\n%s", code, out, errs)
	}
}

// A pipeline that dies in a duet is told in its own words, and the other one is stopped.
func TestADuetWhosePipelineDies(t *testing.T) {
	t.Parallel()
	code, _, errs := loadgen(t.Context(), "compare", ab(t, "0s", "300/s", "1300ms"), "--duet", "--window", "100ms", "--baseline", fakePipeline("bank.ab", 30*time.Millisecond),
		"--candidate", "sh -c 'echo no such job; exit 3'", "--settle", "1s", "--home", t.TempDir(), "--log-level", "error")
	if code != 1 || !strings.Contains(errs, "duet: candidate: the pipeline under test ended (exit status 3): no such job") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
}
