package spark

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSubmit is a spark-submit that runs a line of shell.
func fakeSubmit(t *testing.T, line string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "spark-submit")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+line+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// spark-submit sends the driver's errors to stdout.
func TestWhatTheDriverRefusesIsTold(t *testing.T) {
	submit := fakeSubmit(t, `echo "weir: table bank.t was rolled back"; echo "24/11/20 WARN something" >&2; exit 1`)
	_, err := Submit(t.Context(), submit, t.TempDir(), Job{Name: "t"}, Secrets{})
	if err == nil || err.Error() != "job t on Spark: table bank.t was rolled back" {
		t.Errorf("got %v", err)
	}
}

func TestSecretsComeByTheEnvironmentOnly(t *testing.T) {
	dir := t.TempDir()
	submit := fakeSubmit(t, `case "$WEIR_SPARK_SECRETS" in *hunter2*) echo '{"rows_in": 3, "rows_out": 2, "commits": 1}' ;; *) exit 1 ;; esac`)
	r, err := Submit(t.Context(), submit, dir, Job{Name: "t"}, Secrets{Kafka: map[string]string{"sasl.jaas.config": "hunter2"}})
	if err != nil || r != (Result{RowsIn: 3, RowsOut: 2, Commits: 1}) {
		t.Errorf("got %+v, %v", r, err)
	}
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	for _, f := range files {
		if b, err := os.ReadFile(f); err != nil || strings.Contains(string(b), "hunter2") {
			t.Errorf("%s holds the secret (%v)", f, err)
		}
	}
}
