//go:build real

package real

import (
	"os/exec"
	"path/filepath"
	"testing"

	"weir/test/real/parts"
)

// The days of a report are made by Go and by Spark in turns: the same rows as by Go alone, also where a day is made twice.
func TestTheDaysOfAReportOnBothEngines(t *testing.T) {
	submit := parts.SparkSubmitCommand(t)
	b := newBench(t, "127.0.0.1:1", "http://127.0.0.1:1")
	for name, mode := range map[string]string{"kept": "mode: append", "days": "mode: replace, interval_column: day"} {
		b.write("jobs/"+name+".yaml", "apiVersion: weir/v1\nkind: Job\nname: "+name+"\nreport: {query: \"SELECT CAST($interval_start AS DATE) AS day, CAST(7 AS BIGINT) AS n, CAST('1.50' AS DECIMAL(10,2)) AS total\", table: bank."+name+", "+mode+"}\n")
	}
	var run struct{ State string }
	here := func(job, day string) {
		c, out, errs := b.start("pipeline", "run", job, "--for", day, "--json")
		b.finish(c, out, errs, &run, 0)
	}
	spark := func(job, day string) {
		c, out, errs := b.start("pipeline", "submit", job, "--to", "local", "--spark-submit", submit, "--for", day, "--json")
		b.finish(c, out, errs, &run, 0)
	}
	for _, job := range []string{"kept", "days"} {
		here(job, "2026-11-18")
		spark(job, "2026-11-19")
		spark(job, "2026-11-18") // Go made it
		here(job, "2026-11-19")  // Spark made it
		here(job, "2026-11-20")
		q := exec.Command(filepath.Join(b.bin, "pipeline"), "sql", "SELECT * FROM bank."+job+" ORDER BY 1", "--home", b.home(), "--json")
		q.Dir = b.dir
		got, err := q.Output()
		want := `{"columns":["day","n","total"],"more":false,"rows":[["2026-11-18T00:00:00Z",7,"1.50"],["2026-11-19T00:00:00Z",7,"1.50"],["2026-11-20T00:00:00Z",7,"1.50"]]}` + "\n"
		if err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v; want %s", job, got, err, want)
		}
	}
}
