//go:build real

package real

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/test/real/parts"
)

// A real scheduler runs the DAG that `pipeline airflow` wrote, each minute. The program of its tasks is one whose answer is lost
// the first time, after the rows were committed: the task is tried again, and the table holds each interval once.
func TestAirflowRunsOurJobs(t *testing.T) {
	b := newBench(t, "127.0.0.1:1", "http://127.0.0.1:1")
	b.write("jobs/base.yaml", "apiVersion: weir/v1\nkind: Job\nname: base\nreport: {query: 'SELECT r.range AS id FROM range(10) r', table: bank.base, mode: replace}\n")
	b.write("jobs/minutely.yaml", `apiVersion: weir/v1
kind: Job
name: minutely
unit: finance
title: Balances by the minute
report:
  query: SELECT $interval_start AS start, $interval_end AS until, count(*) AS n FROM bank.base
  table: bank.minutely
  mode: append
`)
	b.write("units.yaml", "version: 1\nchannels: {file: {console: {path: told.txt}}}\nunits:\n  finance: {title: Finance}\ndefault: [file]\n")
	b.write("flaky", fmt.Sprintf("#!/bin/sh\n%s/pipeline \"$@\" || exit $?\ncase $2 in minutely) [ -e %s/once ] || { touch %s/once; echo the answer is lost >&2; exit 1; } ;; esac\n", b.bin, b.dir, b.dir))
	if err := os.Chmod(filepath.Join(b.dir, "flaky"), 0o700); err != nil {
		t.Fatal(err)
	}
	// The table that minutely reads must be there before the DAG is written: its query is looked at.
	var ran struct{ State string }
	c, out, errs := b.start("pipeline", "run", "base", "--json")
	b.finish(c, out, errs, &ran, 0)
	dags := t.TempDir()
	var wrote struct{ Tasks int }
	c, out, errs = b.start("pipeline", "airflow", "minutely", "base", "--dag", "weir_minutely", "--cron", "* * * * *", "--start", time.Now().UTC().Format(time.DateOnly),
		"--retry-delay", "3s", "--program", filepath.Join(b.dir, "flaky"), "--out", filepath.Join(dags, "weir_minutely.py"), "--json")
	b.finish(c, out, errs, &wrote, 0)

	tells := airflowTells(t, dags)
	airflow := parts.Airflow(t, dags)
	var runs []struct {
		State string `json:"state"`
		ID    string `json:"run_id"`
	}
	succeeded := func() (n int) {
		runs = nil
		printed := airflow.CLI(t, "dags", "list-runs", "weir_minutely", "-o", "json")
		if i := strings.Index(printed, "[{"); i >= 0 { // warnings stand before it
			_ = json.Unmarshal([]byte(printed[i:]), &runs)
		}
		for _, r := range runs {
			if r.State == "success" {
				n++
			}
		}
		return n
	}
	for end := time.Now().Add(4 * time.Minute); succeeded() < 2; time.Sleep(3 * time.Second) { // real time: Airflow's minutes
		if time.Now().After(end) {
			t.Fatalf("runs after four minutes: %+v\nimport errors: %s", runs, airflow.CLI(t, "dags", "list-import-errors"))
		}
	}
	t.Run("a DAG that knows nothing of notify tells its unit", tells)
	airflow.Kill(t)
	if _, err := os.Stat(filepath.Join(b.dir, "once")); err != nil {
		t.Error("no answer was lost")
	}
	c, out, errs = b.start("pipeline", "sql", "select count(*) as n, count(distinct start) as d, min(epoch(until - start)) as len, max(n) as rows from bank.minutely", "--json")
	var got struct{ Rows [][]float64 }
	b.finish(c, out, errs, &got, 0)
	t.Logf("runs %+v, table %v", runs, got.Rows)
	if r := got.Rows[0]; r[0] < 2 || r[0] != r[1] || r[2] != 60 || r[3] != 10 {
		t.Errorf("the table holds %v: rows, intervals, seconds of one, rows of base", r)
	}
	told, err := os.ReadFile(filepath.Join(b.home(), "told.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(told), "Balances by the minute"); n < 2 {
		t.Errorf("the unit was told %d times:\n%s", n, told)
	}
}
