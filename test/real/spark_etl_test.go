//go:build real

package real

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/test/real/parts"
)

// The same etl job on Go and on Spark: equal rows and equal refused lines, types and all. A job that goes from one engine to the
// other, with a kill on the way, loads each line once; a corrected delivery replaces its date on both.
func TestTheSameFilesOnSpark(t *testing.T) {
	submit := parts.SparkSubmitCommand(t)
	b := newBench(t, "127.0.0.1:1", "http://127.0.0.1:1")
	for _, name := range []string{"here", "there", "moved"} {
		b.write("jobs/"+name+".yaml", fmt.Sprintf(`apiVersion: weir/v1
kind: Job
name: %s
etl:
  files: {dir: ../in, pattern: "orders_{date}_*"}
  format: {delimiter: ";", null: ["", "NULL"]}
  columns:
    - {name: id, type: bigint, required: true}
    - {name: part, type: int}
    - {name: name, type: string}
    - {name: amount, type: "decimal(10,2)", format: "1.234,56"}
    - {name: weight, type: double}
    - {name: paid, type: boolean}
    - {name: due, type: date, format: "%%d.%%m.%%Y"}
    - {name: at, type: timestamp}
  select:
    - {name: id, sql: id}
    - {name: name, sql: "upper(trim(name))"}
    - {name: amount, sql: amount}
    - {name: twice, sql: "CAST(amount * 2 AS DECIMAL(12,2))"}
    - {name: weight, sql: "weight"}
    - {name: paid, sql: "coalesce(paid, false)"}
    - {name: due, sql: due}
    - {name: seen, sql: "\"at\""}
    - {name: kind, sql: "CASE WHEN part %% 2 = 0 THEN 'even' ELSE 'odd' END"}
  where: "part IS NULL OR part <> 3"
  table: shop.%[1]s
  mode: replace
`, name))
	}
	day := func(date string, from int, gz bool) {
		var text strings.Builder
		text.WriteString("id;part;name;amount;weight;paid;due;at\n")
		for i := from; i < from+3000; i++ {
			fmt.Fprintf(&text, "%d;%d;\" Zoë ; %d\n\";%d.%03d,5;%d.25;%s;%02d.11.2026;2026-11-20 10:%02d:00+02:00\n", i, i%7, i, i%9, i%1000, i, []string{"yes", "0", "NULL"}[i%3], 1+i%28, i%60)
		}
		text.WriteString("x;1;bad id;1,00;1;yes;01.11.2026;\n1;2\n9;1;\"open;1,00;1;yes;01.11.2026;\n8;3;;;;;31.02.2026;\n")
		data, name := []byte(text.String()), "in/orders_"+date+"_a.csv"
		if gz {
			var z bytes.Buffer
			w := gzip.NewWriter(&z)
			_, _ = w.Write(data)
			_ = w.Close()
			data, name = z.Bytes(), name+".gz"
		}
		b.write(name, string(data))
	}
	day("2026-11-20", 0, false)
	day("2026-11-21", 10_000, true)
	b.write("in/orders_2026-11-21_b.csv", "id;part;name;amount;weight;paid;due;at\n77;0;second;1,5;;;;\n")

	type ran struct {
		State    string
		RowsIn   int64 `json:"rows_in"`
		RowsOut  int64 `json:"rows_out"`
		Rejected int64 `json:"rejected"`
	}
	run := func(job string) (r ran) {
		t.Helper()
		c, out, errs := b.start("pipeline", "run", job, "--json")
		b.finish(c, out, errs, &r, 0)
		return r
	}
	spark := func(job string) (*exec.Cmd, *bytes.Buffer, *bytes.Buffer) {
		return b.start("pipeline", "submit", job, "--to", "local", "--spark-submit", submit, "--json")
	}
	onSpark := func(job string) (r ran) {
		t.Helper()
		c, out, errs := spark(job)
		b.finish(c, out, errs, &r, 0)
		return r
	}
	sql := func(q string) string {
		t.Helper()
		c := exec.Command(filepath.Join(b.bin, "pipeline"), "sql", q, "--home", b.home(), "--json")
		c.Dir = b.dir
		text, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return string(text)
	}
	equal := func(other string) {
		t.Helper()
		refused := `SELECT reason, error, file, line, "column", raw, business_date, sha256 FROM shop.%s__quarantine`
		for _, q := range []string{"SELECT * FROM shop.%s", refused} {
			x, y := fmt.Sprintf(q, "here"), fmt.Sprintf(q, other)
			n := sql("SELECT (SELECT count(*) FROM (" + x + " EXCEPT ALL " + y + ")) + (SELECT count(*) FROM (" + y + " EXCEPT ALL " + x + ")) AS differ, (SELECT count(*) FROM (" + x + ")) AS n")
			t.Logf("%s: %s", other, strings.TrimSpace(n))
			if !strings.Contains(n, "[0,") && !strings.Contains(n, `"differ":0,`) {
				t.Errorf("%s differs: %s\nhere  %s\nthere %s", other, n, sql(x+" EXCEPT ALL "+y+" ORDER BY 1 LIMIT 3"), sql(y+" EXCEPT ALL "+x+" ORDER BY 1 LIMIT 3"))
			}
		}
	}
	here, there := run("here"), onSpark("there")
	if here != there || here.Rejected == 0 || here.RowsOut == 0 || here.RowsIn == here.RowsOut+here.Rejected {
		t.Errorf("Go says %+v, Spark %+v", here, there)
	}
	equal("there")
	if r := onSpark("there"); r.RowsIn != 0 {
		t.Errorf("what is loaded was loaded again: %+v", r)
	}

	// moved: its first days on Spark, which is killed once; then the other engine, with a corrected delivery for Spark.
	c, _, _ := spark("moved")
	time.Sleep(6*time.Second + rand.N(5*time.Second)) // real time: somewhere in its work
	_ = syscall.Kill(c.Process.Pid, syscall.SIGKILL)
	_ = c.Wait()
	time.Sleep(2 * time.Second) // real time: what it started ends with it
	run("moved")
	equal("moved")
	day("2026-11-20", 20_000, false)
	onSpark("moved")
	run("here")
	equal("moved")
	day("2026-11-22", 30_000, true)
	run("moved")
	run("here")
	equal("moved")

	// What only one engine knows, and what fails on a line, is told; nothing is loaded.
	text, err := os.ReadFile(filepath.Join(b.dir, "jobs", "there.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct{ sql, want string }{
		{"CASE WHEN regexp_full_match(name, 'a') THEN 'a' ELSE 'b' END", "select[8].sql: Spark does not take this expression"},
		{"CAST(id + 9223372036854770000 AS STRING)", "overflow"},
	} {
		changed := strings.Replace(string(text), "CASE WHEN part % 2 = 0 THEN 'even' ELSE 'odd' END", x.sql, 1)
		changed = strings.ReplaceAll(strings.ReplaceAll(changed, "shop.there", "shop.other"), "name: there", "name: other")
		b.write("jobs/other.yaml", changed)
		c, out, errs := spark("other")
		var told struct{ Error string }
		b.finish(c, out, errs, &told, 1)
		if !strings.Contains(strings.ToLower(told.Error), strings.ToLower(x.want)) {
			t.Errorf("%s: got %q", x.sql, told.Error)
		}
		if n := sql("SELECT count(*) AS n FROM shop.other"); !strings.Contains(n, "[0]") && !strings.Contains(n, `"n":0`) {
			t.Errorf("%s: rows were loaded: %s", x.sql, n)
		}
		_ = os.Remove(filepath.Join(b.dir, "jobs", "other.yaml"))
	}
}
