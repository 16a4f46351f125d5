//go:build real

package real

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/test/real/parts"
)

// Two DAGs as any team writes them: nothing of notify is in them. Each runs once, for a day in the past.
const lineageDAGs = `from datetime import datetime, timedelta, timezone
import os
from airflow.sdk import DAG, task

common = dict(schedule="@once", start_date=datetime(2026, 11, 20, tzinfo=timezone.utc), default_args={"owner": "FIN"})

with DAG("settlements_daily", **common):
    @task(retries=1, retry_delay=timedelta(seconds=1))
    def load():
        mark = os.path.join(os.path.dirname(__file__), "tried")
        if not os.path.exists(mark):
            open(mark, "w").close()
            raise ConnectionError("the first try loses its connection")

    @task
    def check():
        pass

    load() >> check()

with DAG("gl_report", **common):
    @task
    def post():
        raise ValueError("column fee_eur is missing")

    post()
`

// airflowTells writes the DAGs, and makes the Airflow that is started next tell a notify of its runs through OpenLineage's provider. The
// test that it gives sees what the unit has been told.
func airflowTells(t *testing.T, dags string) func(*testing.T) {
	t.Helper()
	n := notifyListens(t, "units: {FIN: {}}")
	parts.AirflowLineage(t, n.url, n.token)
	if err := os.WriteFile(filepath.Join(dags, "finance.py"), []byte(lineageDAGs), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(t *testing.T) {
		n.told(t, "READY")
		text := n.told(t, "FAILED")
		t.Log(text)
		for _, once := range []string{"✅ READY  settlements_daily for Fri 20 Nov 2026: usable", "✖ FAILED  gl_report for Fri 20 Nov 2026: not usable", "column fee_eur is missing"} {
			if strings.Count(text, once) != 1 {
				t.Errorf("%d times told: %s", strings.Count(text, once), once)
			}
		}
		if strings.Count(text, "READY") != 1 || strings.Count(text, "FAILED") != 1 || strings.Contains(text, "the first try") {
			t.Errorf("more than one READY and one FAILED:\n%s", text)
		}
		other, _ := os.ReadFile(filepath.Join(n.dir, ".weir", "other.txt"))
		if strings.Contains(string(other), "settlements_daily") || strings.Contains(string(other), "gl_report") {
			t.Errorf("somebody else was told:\n%s", other)
		}
	}
}
