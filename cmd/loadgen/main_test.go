package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"weir/internal/cli"
	"weir/internal/kafka"
	"weir/internal/load"
	"weir/internal/project"
	"weir/internal/registry"
	"weir/internal/verify"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// loadgen runs the whole program.
func loadgen(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	return loadgenIn(ctx, nil, args...)
}

// loadgenIn runs it in an environment.
func loadgenIn(ctx context.Context, env map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = cli.Run(ctx, "loadgen", cli.Env{Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs, Getenv: func(k string) string { return env[k] }}, newCommand)
	return code, out.String(), errs.String()
}

// installation starts an embedded broker and registry for a home, as a running pipeline does.
func installation(t testing.TB) (home string, pr *project.Project) {
	t.Helper()
	home = t.TempDir()
	t.Chdir(t.TempDir())
	pr, err := project.Open(".", home)
	if err != nil {
		t.Fatal(err)
	}
	k, err := kafka.ServeEmbedded(t.Context(), "127.0.0.1:0", pr.In("kafka"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	r, err := registry.ServeEmbedded(t.Context(), "127.0.0.1:0", pr.In("registry.json"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Close() })
	if err := pr.Announce(project.Embedded{Brokers: k.Addr(), Registry: r.URL()}); err != nil {
		t.Fatal(err)
	}
	return home, pr
}

// result decodes the last line of stdout.
func result(t *testing.T, stdout string) map[string]any {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	var m map[string]any
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &m); err != nil {
		t.Fatalf("last line of stdout %q: %v", lines[len(lines)-1], err)
	}
	return m
}

func TestRunThenVerify(t *testing.T) {
	home, pr := installation(t)
	code, out, errs := loadgen(t.Context(), "run", "ci", "--home", home, "--rate", "3k/s", "--count", "4k", "--size", "320", "--topic", "bank.orders", "--json")
	if code != 0 {
		t.Fatalf("run: exit code %d\n%s", code, errs)
	}
	run := result(t, out)
	for _, key := range []string{"run", "sent", "errors", "rate", "mb_s", "p50_ms", "p99_ms", "max_ms", "cpu_s", "verdict"} {
		if _, ok := run[key]; !ok {
			t.Errorf("the result lacks %s: %v", key, run)
		}
	}
	if run["sent"] != 4000.0 || run["errors"] != 0.0 || run["verdict"] != "pass" || run["topic"] != "bank.orders" {
		t.Errorf("got %v", run)
	}
	if !strings.Contains(errs, "in flight") {
		t.Errorf("stderr has no progress line:\n%s", errs)
	}

	code, _, errs = loadgen(t.Context(), "verify", "--home", home, "--wait", "0s")
	if code != 1 || !strings.Contains(errs, "no such table") {
		t.Errorf("verify without a table: exit code %d\n%s", code, errs)
	}
	code, _, errs = loadgen(t.Context(), "verify", "01ARZ3NDEKTSV4RRFFQ69G5FAV", "--home", home)
	if code != 2 || !strings.Contains(errs, "no such run") {
		t.Errorf("verify of another run: exit code %d\n%s", code, errs)
	}

	rows := fill(t, pr, "bank.orders", 4000)
	write(t, pr, "bank.orders", rows)
	code, out, errs = loadgen(t.Context(), "verify", run["run"].(string), "--home", home, "--json")
	proof := result(t, out)
	for _, key := range []string{"sent", "rows", "lost", "doubled", "reordered", "altered", "quarantined"} {
		if _, ok := proof[key]; !ok {
			t.Errorf("the proof lacks %s: %v", key, proof)
		}
	}
	if code != 0 || proof["sent"] != 4000.0 || proof["rows"] != 4000.0 || proof["lost"] != 0.0 || proof["altered"] != 0.0 || proof["drained"] != true {
		t.Errorf("exit code %d, proof %v\n%s", code, proof, errs)
	}

	lost := rows[100]
	write(t, pr, "bank.tampered", append(rows[:100], rows[101:]...))
	code, out, errs = loadgen(t.Context(), "verify", "last", "--table", "bank.tampered", "--home", home, "--json", "--wait", "0s")
	if proof = result(t, out); code != exitIntegrity || proof["lost"] != 1.0 || !strings.Contains(errs, "the proof fails: lost 1") {
		t.Errorf("one row gone: exit code %d, proof %v\n%s", code, proof, errs)
	}
	if e, ok := proof["evidence"].([]any)[0].(map[string]any); !ok || e["topic"] != lost.Topic || e["partition"] != float64(lost.Partition) || e["offset"] != float64(lost.Offset) || !strings.Contains(e["detail"].(string), "still in the topic") {
		t.Errorf("it is named %v, but stands at %s[%d]@%d", e, lost.Topic, lost.Partition, lost.Offset)
	}
}

func TestBrokenThresholdHasItsOwnCode(t *testing.T) {
	home, _ := installation(t)
	profile := filepath.Join(t.TempDir(), "strict.yaml")
	text := "apiVersion: weir/v1\nkind: LoadProfile\nname: strict\nrate: {stages: [{target: 2k/s}]}\nvolume: {messages: 500}\ntopic: {name: orders}\nthresholds: [{metric: response_ms, stat: p50, max: 0.001}]\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := loadgen(t.Context(), "run", profile, "--home", home)
	if code != exitSLO || !strings.Contains(out, "verdict   slo: response_ms p50 is") || !strings.Contains(errs, "slo: response_ms p50 is") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

func TestInterruptedRunHasResultAndCode(t *testing.T) {
	home, _ := installation(t)
	ctx, cancel := context.WithCancel(t.Context())
	timer := time.AfterFunc(700*time.Millisecond, cancel)
	defer timer.Stop()
	code, out, errs := loadgen(ctx, "run", "demo", "--home", home, "--rate", "2k/s", "--json")
	if r := result(t, out); code != cli.ExitInterrupted || r["verdict"] != "interrupted" || r["errors"] != 0.0 {
		t.Errorf("exit code %d, %v\n%s", code, r, errs)
	}
}

func TestWrongUse(t *testing.T) {
	home := t.TempDir()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("bad.yaml", []byte("apiVersion: weir/v1\nkind: LoadProfile\nname: bad\nrate: {stages: [{targt: 2k/s}]}\ntopic: {name: orders}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		code int
		says string
	}{
		"unknown profile":     {[]string{"run", "nosuch"}, 2, "there is no profile nosuch"},
		"misspelt key":        {[]string{"check", "bad.yaml"}, 2, `bad.yaml:4:18: `},
		"bad rate":            {[]string{"run", "demo", "--rate", "fast"}, 2, `--rate: "fast" is no rate; write 20k/s, 12MiB/s or max`},
		"bad count":           {[]string{"run", "demo", "--count", "many"}, 2, `--count: "many" is no number of messages; write 500, 200k or 1M`},
		"size out of reach":   {[]string{"run", "demo", "--size", "100"}, 2, "size: 100 B cannot be reached with this schema"},
		"unknown flag":        {[]string{"run", "demo", "--speed", "1"}, 2, "unknown flag: --speed"},
		"no broker":           {[]string{"run", "demo", "--brokers", "127.0.0.1:1", "--registry", "http://127.0.0.1:1"}, 1, "no broker answers on 127.0.0.1:1"},
		"nothing embedded":    {[]string{"run", "demo"}, 1, "nothing serves the embedded broker and registry"},
		"verify without runs": {[]string{"verify"}, 2, "no such run"},
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			code, _, errs := loadgen(t.Context(), append(c.args, "--home", home)...)
			if code != c.code || !strings.Contains(errs, c.says) {
				t.Errorf("exit code %d, want %d\ngot  %swant %s", code, c.code, errs, c.says)
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func TestWhatPeopleRead(t *testing.T) {
	home := t.TempDir()
	t.Chdir(t.TempDir())
	help := func(args ...string) string { _, out, _ := loadgen(t.Context(), args...); return out }
	for name, got := range map[string]string{
		"help":     help("--help"),
		"profiles": help("profiles", "--home", home),
		"summary": summaryText(load.Summary{
			Run: "01K8ZJ9V4T8QH0M6W2X3Y5A7BC", Profile: "demo", Topic: "bank.transactions", Sent: 1_000_000, Warmup: 18, Rate: 58_123.4, Target: 60_000, MBs: 15.1,
			Seconds: 17.2, P50: 3.21, P99: 12.6, Max: 140, Response: load.Quantiles{P999: 31}, LatencyOf: "response", Size: load.Quantiles{P50: 261, P99: 298, Max: 308},
			Service: load.Quantiles{P50: 3.1, P99: 12.5, Max: 139}, LingerMS: 5, Lag: load.Quantiles{P99: 0.31}, CPU: 2.1, Generator: load.Health{Cores: 2, CPUShare: 0.06, GCPauses: 31, GCPauseMax: 0.42, Clock: &load.Clock{Offset: 1.9, Error: 0.6}},
			Read: &load.ReadBack{Messages: 1_000_000, Latency: load.Quantiles{P50: 4.1, P99: 15.5, Max: 152}}, Verdict: load.VerdictInvalid, Reason: "only 96.9 % of the target rate was reached",
			Thresholds: []load.Check{{Name: "response_ms p99", Max: 10, Got: 12.6}},
		}),
		"proof": proofText(verify.Result{
			Run: "01K8ZJ9V4T8QH0M6W2X3Y5A7BC", Table: "bank.transactions", Sent: 1_000_000, Rows: 999_999, Lost: 1, ReadableRows: 999_999, ReadableP50: 5210, ReadableP99: 10_900, ReadableMax: 11_200, Snapshot: 42, Files: 9, Seconds: 3.2,
			Evidence: []verify.Evidence{{Kind: "lost", Shard: 1, Seq: 77, Detail: "acknowledged by the broker; neither in the table nor in the quarantine"}},
		}),
		"search": searchText(found(t)),
		"progress": progressLine(load.Progress{Elapsed: 12300 * time.Millisecond, Planned: 1_000_000, Sent: 720_412, Acked: 720_100, InFlight: 312, Rate: 59_980, TargetRate: 60_000, BytesPerSecond: 15.6e6,
			Stage: "steady", State: load.Measuring, WindowResponse: load.Quantiles{Count: 60_000, P99: 8.4}, LagP99: 0.3}) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(goldens, name+".golden")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(string(want), got); d != "" {
				t.Errorf("%s (-want +got):\n%s", file, d)
			}
		})
	}
}

// goldens is absolute: tests change the directory.
var goldens = func() string { d, _ := filepath.Abs("testdata"); return d }()

func TestPreviewDecodesItsSamples(t *testing.T) {
	t.Chdir(t.TempDir())
	code, out, errs := loadgen(t.Context(), "preview", "demo", "--home", t.TempDir(), "--json", "--size", "300")
	v := result(t, out)
	samples, _ := v["samples"].([]any)
	if code != 0 || v["messages"] != 1e6 || len(samples) != 3 || v["bytes"] != 3e8 {
		t.Fatalf("exit code %d, %v\n%s", code, v, errs)
	}
	record := samples[0].(map[string]any)["record"].(map[string]any)
	if len(record) != 16 || record["merchant"].(map[string]any)["city"] == "" {
		t.Errorf("got record %v", record)
	}
}

// A pipeline that reads what was aborted is caught, and the messages are named.
func TestAnAbortedMessageInTheTableIsNamed(t *testing.T) {
	home, pr := installation(t)
	profile := filepath.Join(t.TempDir(), "aborting.yaml")
	text := "apiVersion: weir/v1\nkind: LoadProfile\nname: aborting\nrate: {stages: [{target: 5k/s}]}\nvolume: {messages: 2k}\ntopic: {name: bank.aborted}\nproducer: {transaction: {messages: 50, abort: 10%}}\n"
	if err := os.WriteFile(profile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := loadgen(t.Context(), "run", profile, "--home", home, "--json")
	sum := result(t, out)
	aborted, _ := sum["aborted"].(float64)
	if code != 0 || aborted < 50 {
		t.Fatalf("exit code %d, %v\n%s", code, sum, errs)
	}
	write(t, pr, "bank.aborted", fill(t, pr, "bank.aborted", 2000)) // a reader of what is not committed
	code, out, _ = loadgen(t.Context(), "verify", "last", "--home", home, "--json")
	proof := result(t, out)
	if code != 5 || proof["altered"] != aborted || proof["lost"] != 0.0 || !strings.Contains(out, "transaction was aborted: nobody may see it") {
		t.Errorf("exit code %d, want 5; %v of %v are named: %v", code, proof["altered"], aborted, proof)
	}
}
