package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/regress"
)

// The formats that a run writes are those that the stored result gives later.
func TestReportsNowAndLater(t *testing.T) {
	home, _ := installation(t)
	file := filepath.Join(t.TempDir(), "strict.yaml")
	text := "apiVersion: weir/v1\nkind: LoadProfile\nname: strict\nrate: {stages: [{target: 2k/s}]}\nvolume: {messages: 3000}\ntopic: {name: orders}\nthresholds: [{metric: response_ms, stat: p99, max: 0.001}]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	formats := []string{"html", "junit", "markdown", "openmetrics", "hlog", "benchfmt", "benchmark-json", "otava"}
	write := func(dir string, args ...string) (int, string, string) {
		for _, f := range formats {
			args = append(args, "--"+f, filepath.Join(dir, f))
		}
		return loadgen(t.Context(), append(args, "--annotations", "--home", home)...)
	}
	now, later := t.TempDir(), filepath.Join(t.TempDir(), "new", "folder")
	code, out, errs := write(now, "run", file)
	if code != exitSLO || !strings.Contains(out, "::error title=loadgen strict response_ms p99::response_ms p99 is ") {
		t.Fatalf("exit code %d\n%s%s", code, out, errs)
	}
	if code, _, errs := write(later, "report", "last"); code != 0 {
		t.Fatalf("report: exit code %d\n%s", code, errs)
	}
	for _, f := range formats {
		a, err := os.ReadFile(filepath.Join(now, f))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(later, f))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) || len(a) < 100 {
			t.Errorf("%s: %d bytes from the run, %d from the report: want the same", f, len(a), len(b))
		}
	}
	if code, _, _ := write(later, "report", "last"); code != 0 {
		t.Errorf("a second time: exit code %d", code)
	}
	if b, err := os.ReadFile(filepath.Join(later, "otava")); err != nil || bytes.Count(b, []byte("\n")) != 3 {
		t.Errorf("otava: want a head and two rows, got\n%s", b)
	}
}

func TestAComparisonIsReported(t *testing.T) {
	t.Chdir(t.TempDir())
	dir := t.TempDir()
	b, err := json.Marshal(regress.Comparison{Profile: "ci", Runs: runs(7, "p99", 0.3)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, comparisonFile), b, 0o600); err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	code, out, errs := loadgen(t.Context(), "compare", "--from", dir, "--home", home, "--markdown", "-", "--junit", "junit.xml", "--html", "report.html")
	if code != exitRegression || !strings.Contains(out, "<!-- loadgen:ci -->") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	junit, err := os.ReadFile("junit.xml")
	if err != nil || !strings.Contains(string(junit), `<failure type="compare" message="p99 30.0 % worse [30.0 %, 30.0 %], p 0.0`) {
		t.Errorf("%v\n%s", err, junit)
	}
	if code, _, errs := loadgen(t.Context(), "report", dir, "--html", "again.html", "--home", home); code != 0 {
		t.Errorf("report: exit code %d\n%s", code, errs)
	}
	if html, err := os.ReadFile("again.html"); err != nil || strings.Count(string(html), `class="dot"`) != 5*7 {
		t.Errorf("the pair strips have %d dots, want 35: %v", strings.Count(string(html), `class="dot"`), err)
	}
	for args, want := range map[string]string{
		"report":                       "no such run",
		"report nosuch --html x":       "no such run",
		"report " + dir:                "expected what to write",
		"report " + dir + " --hlog x":  "x: this format is one of a single run",
		"report " + dir + " --otava x": "x: this format is one of a single run",
	} {
		if code, _, errs := loadgen(t.Context(), append(strings.Fields(args), "--home", home)...); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, %s", args, code, errs)
		}
	}
}
