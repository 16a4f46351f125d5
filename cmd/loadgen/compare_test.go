package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/cli"
	"weir/internal/regress"
)

// runs are pairs of a comparison whose candidate is worse by a share in one metric.
func runs(n int, metric string, worse float64) []regress.Run {
	var out []regress.Run
	for i := range n {
		for _, build := range []string{regress.Baseline, regress.Candidate} {
			v := map[string]float64{"p50": 10, "p99": 100, "fresh_p99": 1000, "cpu": 5, "drain": 2}
			for k := range v {
				v[k] *= 1 + 0.002*float64((i*3)%n)
				if k == metric && build == regress.Candidate {
					v[k] *= 1 + worse
				}
			}
			out = append(out, regress.Run{Build: build, Pair: i + 1, Round: 1, Values: v})
		}
	}
	return out
}

// CI acts on the exit code: each verdict has its own.
func TestAComparisonIsJudgedAgain(t *testing.T) {
	t.Chdir(t.TempDir())
	broken := runs(7, "", 0)
	broken[3].Broken = "lost 2"
	slow := runs(7, "", 0)
	for i := range slow {
		if slow[i].Build == regress.Candidate {
			slow[i].Missed = []string{"response_ms p99 is 700, at most 500 is allowed"}
		}
	}
	wide := runs(7, "", 0)
	for i := range wide {
		wide[i].Values["p99"] *= 1 + 0.06*float64(i%3)
	}
	for _, x := range []struct {
		name  string
		runs  []regress.Run
		flags []string
		code  int
		want  string
	}{
		{"the same", runs(7, "", 0), nil, 0, `"verdict":"unchanged"`},
		{"slower", runs(7, "p99", 0.3), nil, exitRegression, `"verdict":"regressed"`},
		{"slower by less than what matters", runs(7, "p99", 0.3), []string{"--floor", "p99=40%"}, 0, `"verdict":"unchanged"`},
		{"slower by a few milliseconds", runs(7, "p99", 0.3), []string{"--floor", "p99=50ms"}, 0, `"verdict":"unchanged"`},
		{"slower where nobody looks", runs(7, "p99", 0.3), []string{"--gate", "p50,cpu"}, 0, `"verdict":"unchanged"`},
		{"faster", runs(7, "cpu", -0.3), []string{"--gate", "cpu"}, 0, `"verdict":"improved"`},
		{"too few pairs", runs(5, "p99", 0.3), nil, exitInvalid, `"verdict":"inconclusive"`},
		{"too few pairs, and that is allowed", runs(5, "p99", 0.3), []string{"--inconclusive", "pass"}, 0, `"verdict":"inconclusive"`},
		{"a limit of the profile", slow, nil, exitSLO, "the candidate broke it in 7 of 7 runs, the baseline in 0"},
		{"perhaps the same", wide, nil, 0, "within ±10 %: not proven"},
		{"perhaps the same, where it has to be proven", wide, []string{"--prove"}, exitInvalid, `"verdict":"inconclusive"`},
		{"the same, proven", runs(7, "", 0), []string{"--prove"}, 0, `"verdict":"unchanged"`},
		{"rows lost", broken, nil, exitIntegrity, `"broken":true`},
		{"no runs", nil, nil, exitNoBaseline, `"verdict":"no-baseline"`},
	} {
		dir := t.TempDir()
		b, err := json.Marshal(regress.Comparison{Runs: x.runs})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, comparisonFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errs := loadgen(t.Context(), append([]string{"compare", "--from", dir, "--json", "--home", t.TempDir()}, x.flags...)...)
		if code != x.code || !strings.Contains(out, x.want) {
			t.Errorf("%s: exit code %d, want %d\n%s\n%s", x.name, code, x.code, out, errs)
		}
	}
}

func TestWrongComparisons(t *testing.T) {
	t.Chdir(t.TempDir())
	home := t.TempDir()
	for _, x := range []struct{ args, want string }{
		{"compare", "expected a profile, --baseline and --candidate, or --from"},
		{"compare ci --baseline a", "expected a profile, --baseline and --candidate, or --from"},
		{"compare ci --baseline a --candidate b --pairs 4", "--pairs: expected 7 to 12, got 4: with 5 metrics that decide, fewer can prove nothing"},
		{"compare ci --baseline a --candidate b --pairs 13", "--pairs: expected 7 to 12, got 13"},
		{"compare ci --baseline a --candidate b --floor p99", `--floor: expected metric=20%, with one of p50, p99, p99.9, max, fresh_p50, fresh_p99, cpu, drain, got "p99"`},
		{"compare ci --baseline a --candidate b --floor p99=fast", `--floor p99: expected 20% or 5ms, got "fast"`},
		{"compare ci --baseline a --candidate b --gate speed", "--gate: expected one of p50, p99, p99.9, max, fresh_p50, fresh_p99, cpu, drain"},
		{"compare ci --baseline a --candidate b --confirm maybe", "--confirm: expected auto, always or never"},
		{"compare ci --baseline a --candidate b --inconclusive maybe", "--inconclusive: expected fail or pass"},
		{"compare nothing --baseline a --candidate b", "there is no profile nothing"},
		{"compare --from nowhere", "--from: open nowhere/comparison.json: no such file or directory"},
		{"compare ci --baseline a --candidate b --noise nowhere", "--noise: open nowhere: no such file or directory"},
		{"compare ci --baseline a --candidate b --floor drain=500ms", `--floor drain: expected 20% or 5s, got "500ms"`},
		{"compare ci --baseline a --candidate b --gate p99.9", "--gate: p99.9 is shown, and decides nothing"},
		{"compare 01K8ZJ9V4T8QH0M6W2X3Y5A7BC 01K8ZJ9V4T8QH0M6W2X3Y5A7BD", "one run against another proves nothing: what is counted are runs"},
		{"compare ci --baseline a --candidate b --duet", "profile ci has 2 windows of 10s after its warm-up of 5s: a duet needs 12"},
		{"compare ci --baseline a --candidate b --duet --rate max", "a duet needs a schedule"},
		{"compare ci --baseline a --candidate b --duet --window 0s", "--window: want more than 0s"},
		{"compare ci --stored --store s3://", "expected the bucket after s3://"},
		{"calibrate ci", "expected --system"},
	} {
		code, _, errs := loadgen(t.Context(), append(strings.Fields(x.args), "--home", home)...)
		if code != 2 || !strings.Contains(errs, x.want) {
			t.Errorf("%s: exit code %d, %s", x.args, code, errs)
		}
	}
}

// A pipeline that does not come up is told in its own words.
func TestAPipelineThatDies(t *testing.T) {
	t.Chdir(t.TempDir())
	code, _, errs := loadgen(t.Context(), "compare", "ci", "--baseline", "sh -c 'echo no such job >&2; exit 3'", "--candidate", "true", "--home", t.TempDir())
	if code != 1 || !strings.Contains(errs, "pair 1, baseline: the pipeline under test ended (exit status 3): no such job") || !strings.Contains(errs, "its output: ") {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// whenQuiet runs loadgen, and again if this machine was too busy to send in time: that says nothing about a comparison.
func whenQuiet(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	for range 3 {
		if code, out, errs = loadgen(t.Context(), args...); code != exitInvalid || !strings.Contains(errs, "too slow or too busy") {
			break
		}
	}
	return code, out, errs
}

// eventually runs loadgen in a fresh directory, three times at most, until it is as it should be: what other programs do on this machine
// may hide a difference once, but not always.
func eventually(t *testing.T, args func(dir string) []string, good func(code int, dir string) bool) (code int, dir, out, errs string) {
	t.Helper()
	for range 3 {
		dir = filepath.Join(t.TempDir(), "out")
		if code, out, errs = whenQuiet(t, args(dir)...); good(code, dir) {
			break
		}
		t.Logf("exit code %d\n%s", code, errs)
	}
	return code, dir, out, errs
}

// The whole way: two pipelines in processes of their own, pairs of runs, proofs, a verdict; and what is left can be judged again. A
// profile without a schedule, because a busy machine keeps none.
func TestTwoBuildsAreCompared(t *testing.T) {
	t.Parallel()
	home, dir := t.TempDir(), filepath.Join(t.TempDir(), "cmp")
	code, out, errs := loadgen(t.Context(), "compare", ab(t, "0s", "300/s", "400ms"), "--rate", "max", "--count", "200", "--baseline", fakePipeline("bank.ab", 20*time.Millisecond),
		"--candidate", fakePipeline("bank.ab", 20*time.Millisecond, "WEIR_TEST_HOLD=500ms"),
		"--pairs", "5", "--gate", "drain", "--floor", "drain=20%,drain=0s", "--settle", "0s", "--confirm", "never", "--out", dir, "--home", home, "--json", "--log-level", "error")
	t.Logf("%s", errs)
	if code != exitRegression || !strings.Contains(out, `"verdict":"regressed"`) {
		t.Fatalf("exit code %d\n%s\n%s", code, out, errs)
	}
	c, err := readComparison(dir)
	if err != nil || len(c.Runs) != 10 {
		t.Fatalf("%d runs, %v", len(c.Runs), err)
	}
	for _, r := range c.Runs {
		if r.Values["drain"] <= 0 || r.Values["rate"] <= 0 || len(r.Values) > 3 || !r.Proven {
			t.Errorf("%s of pair %d: %+v", r.Build, r.Pair, r)
		}
		if r.Build == regress.Candidate && r.Values["drain"] < 0.5 {
			t.Errorf("pair %d: rows were held for 0.5 s, and drained in %v s", r.Pair, r.Values["drain"])
		}
	}
	if code, out, _ := loadgen(t.Context(), "compare", "--from", dir, "--gate", "drain", "--floor", "drain=60s", "--home", home, "--json"); code != 0 || !strings.Contains(out, `"verdict":"unchanged"`) {
		t.Errorf("judged again by what matters: exit code %d\n%s", code, out)
	}
}

// A candidate that loses a row is not slow or fast, and its comparison ends at once.
func TestABuildThatLosesARowIsNotCompared(t *testing.T) {
	t.Parallel()
	code, out, errs := whenQuiet(t, "compare", ab(t, "0s", "300/s", "300ms"), "--baseline", fakePipeline("bank.ab", 30*time.Millisecond), "--candidate", fakePipeline("bank.ab", 30*time.Millisecond, "WEIR_TEST_LOSES=1"),
		"--pairs", "5", "--gate", "fresh_p50", "--settle", "0s", "--home", t.TempDir(), "--json", "--log-level", "error")
	if code != exitIntegrity || !strings.Contains(errs, "the candidate's data are not right in pair 1: lost 1, doubled 0") {
		t.Errorf("exit code %d\n%s\n%s", code, out, errs)
	}
}

// listener does something when a word is said.
type listener struct {
	bytes.Buffer
	word string
	then func()
}

func (l *listener) Write(b []byte) (int, error) {
	n, err := l.Buffer.Write(b)
	if l.then != nil && strings.Contains(l.String(), l.word) {
		l.then()
		l.then = nil
	}
	return n, err
}

// Who interrupts a comparison keeps the runs that were made.
func TestAnInterruptedComparisonIsKept(t *testing.T) {
	t.Parallel()
	ctx, interrupt := context.WithCancelCause(t.Context())
	dir := filepath.Join(t.TempDir(), "cmp")
	heard := &listener{word: "pair 1  baseline", then: func() { interrupt(cli.ErrInterrupted) }}
	code := cli.Run(ctx, "loadgen", cli.Env{Stdout: io.Discard, Stderr: heard, Getenv: func(string) string { return "" }, Args: []string{"compare", ab(t, "0s", "300/s", "300ms"), "--baseline", fakePipeline("bank.ab", 30*time.Millisecond), "--candidate", fakePipeline("bank.ab", 30*time.Millisecond),
		"--settle", "0s", "--out", dir, "--home", t.TempDir(), "--log-level", "error"}}, newCommand)
	if errs := heard.String(); code != cli.ExitInterrupted || !strings.Contains(errs, "1 runs are kept: `loadgen compare --from "+dir+"` judges them") {
		t.Errorf("exit code %d\n%s", code, errs)
	}
	if c, err := readComparison(dir); err != nil || len(c.Runs) != 1 || c.Verdict != regress.Inconclusive {
		t.Errorf("kept: %+v, %v", c, err)
	}
}
