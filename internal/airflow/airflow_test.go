package airflow

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func bank() DAG {
	return DAG{
		ID: "weir_bank", Cron: "0 6 * * *", Timezone: "Europe/Berlin", Start: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC),
		Project: "/srv/weir/it's here", Home: "/srv/weir/home", Program: "pipeline",
		Tasks: []Task{
			{Job: "totals", Kind: "report", Title: `Daily "totals" of € accounts`, Unit: "finance", Owner: "data-team", After: []string{"transactions"}, Retries: 3, RetryDelay: time.Minute, Timeout: 2 * time.Hour},
			{Job: "transactions", Kind: "ingest", Unit: "payments", Retries: 2, RetryDelay: 90 * time.Second},
		},
	}
}

func written(t *testing.T, d DAG) string {
	t.Helper()
	var b strings.Builder
	if err := Write(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestTheFileThatPeopleRead(t *testing.T) {
	daily := bank()
	daily.Cron, daily.CatchUp = "@daily", true
	emr := bank()
	emr.To = "emr"
	for name, d := range map[string]DAG{"local": bank(), "daily": daily, "emr": emr} {
		got, file := written(t, d), filepath.Join("testdata", name+".py")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", name, got, want)
		}
	}
}

// Whatever stands in titles and paths, the file is Python.
func TestOddTextsStayTexts(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not on the PATH")
	}
	d := bank()
	d.Project = "/a b/\"c\"\\d/$(touch x)"
	d.Tasks[0].Title = "\"\"\" + __import__('os').abort() + \"\"\" \\ ü\n\x00"
	d.Tasks[0].Owner = `o"o`
	cmd := exec.Command(python, "-c", "import ast, sys; ast.parse(sys.stdin.read())")
	cmd.Stdin = strings.NewReader(strings.ReplaceAll(written(t, d), "\x00", " "))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s\n%s", err, out, written(t, d))
	}
}

func TestWhatCannotBeWritten(t *testing.T) {
	circle, template, zone, id := bank(), bank(), bank(), bank()
	circle.Tasks[1].After = []string{"totals"}
	template.Home = "/x/{{ var.value.secret }}"
	zone.Timezone = "Berlin"
	id.ID = "a b"
	for want, d := range map[string]DAG{
		"wait for each other: totals, transactions": circle,
		"would take for a template":                 template,
		"expected a name such as Europe/Berlin":     zone,
		"dag id: expected letters":                  id,
	} {
		var b strings.Builder
		if err := Write(&b, d); err == nil || !strings.Contains(err.Error(), want) || b.Len() > 0 {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
