//go:build real

package real

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/internal/lake"
	"weir/test/real/parts"
)

// refused runs a job that must fail with this exit code, and gives its first line of error and the hint.
func (b *bench) refused(job string, exit int) (said string) {
	b.t.Helper()
	var r struct{ Error, Hint string }
	c, out, errs := b.start("pipeline", "run", job, "--for", "2026-11-20", "--json")
	b.finish(c, out, errs, &r, exit)
	if strings.Contains(r.Error, "\n") {
		b.t.Errorf("%s: more than one line: %s", job, r.Error)
	}
	return r.Error + " | " + r.Hint
}

// A report on the Spark Thrift Server as its user meets it: parameters, checks, mistakes, and the kill.
func TestAReportOnTheSparkThriftServer(t *testing.T) {
	b := newBench(t, "127.0.0.1:1", "http://127.0.0.1:1")
	catalog := filepath.Join(b.home(), "catalog.db")
	hive := func(auth string) string {
		return fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nhive: {address: ADDRESS, auth: %s}\n", auth)
	}
	job := func(name, query, more string) {
		b.write("jobs/"+name+".sql", query)
		b.write("jobs/"+name+".yaml", fmt.Sprintf("apiVersion: weir/v1\nkind: Job\nname: %s\nreport: {sql: %s.sql, table: bank.%s, engine: hive, %s}\n", name, name, name, more))
	}
	b.write("jobs/pay.yaml", "apiVersion: weir/v1\nkind: Job\nname: pay\nreport:\n  table: bank.pay\n  mode: replace\n"+
		"  query: SELECT i AS id, TIMESTAMPTZ '2026-11-19 00:00:00+00' + i * INTERVAL 1 MINUTE AS ts, CASE WHEN i % 7 = 0 THEN NULL ELSE 'it''s' END AS note FROM range(4320) r(i)\n")
	b.job("pay", 0)
	address := parts.SparkThrift(t, "jdbc:sqlite:"+catalog, filepath.Join(b.home(), "warehouse"), "NOSASL")
	weir := func(auth string) {
		b.write("weir.yaml", strings.Replace(hive(auth), "ADDRESS", fmt.Sprintf("%q", address), 1))
	}
	weir("NOSASL")

	const ofDay = "SELECT id, ts, $run_id AS run FROM bank.pay WHERE ts >= $interval_start AND ts < $interval_end"
	job("log", ofDay, "mode: append")
	job("typo", "SELECT id,\n  nope FROM bank.pay", "mode: replace")
	job("nulls", "SELECT id, note FROM bank.pay", "mode: replace, checks: {not_null: [note], unique: [id]}")
	job("zero", "SELECT id, 1 / (id - id) AS n FROM bank.pay", "mode: replace")
	for _, x := range []struct {
		job  string
		exit int
		want string
	}{
		{"typo", 2, "jobs/typo.sql:2:3: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column or function parameter with name `nope` cannot be resolved (candidates: "},
		{"nulls", 1, "the result breaks a check; nothing was published; not_null note: 618 bad rows, such as {id: "},
		{"zero", 1, "[DIVIDE_BY_ZERO]"},
	} {
		if said := b.refused(x.job, x.exit); !strings.Contains(said, x.want) {
			t.Errorf("%s\ngot  %s\nwant %s", x.job, said, x.want)
		}
	}
	// A job for the embedded engine, sent to the server by a word on the command line.
	b.write("jobs/sent.yaml", "apiVersion: weir/v1\nkind: Job\nname: sent\nreport: {query: \"SELECT CAST(count(*) AS BIGINT) AS n FROM bank.pay\", table: bank.sent, mode: replace}\n")
	var sent struct{ State string }
	c, out, errs := b.start("pipeline", "submit", "sent", "--to", "thrift", "--json")
	b.finish(c, out, errs, &sent, 0)
	if sent.State != "ready" {
		t.Errorf("submit --to thrift: %+v", sent)
	}
	weir("NONE")
	began := time.Now()
	if said := b.refused("log", 1); !strings.Contains(said, "greeted with auth NONE") || !strings.Contains(said, "NONE (SASL PLAIN) or NOSASL") || time.Since(began) > 20*time.Second {
		t.Errorf("wrong auth: %s after %v", said, time.Since(began))
	}
	weir("NOSASL")

	// Killed wherever it happens to be; each day is appended once, however often it is run.
	for kill := range 6 {
		c := exec.Command(filepath.Join(b.bin, "pipeline"), "run", "log", "--for", "2026-11-20", "--home", b.home())
		c.Dir, c.Stderr = b.dir, &bytes.Buffer{}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(300+250*kill) * time.Millisecond) // real time: it works for so long
		_ = c.Process.Kill()
		_ = c.Wait()
	}
	for range 2 {
		var r struct{ State string }
		c, out, errs := b.start("pipeline", "run", "log", "--for", "2026-11-20", "--json")
		b.finish(c, out, errs, &r, 0)
	}
	l, err := lake.Open(t.Context(), lake.Config{Catalog: catalog, Warehouse: filepath.Join(b.home(), "warehouse")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	rows := held(t, l, "bank.log")
	ids := map[string]bool{}
	for _, r := range rows {
		ids[r[0]] = true
	}
	if len(rows) != 1440 || len(ids) != 1440 {
		t.Errorf("%d rows, %d ids; the day has 1440", len(rows), len(ids))
	}
	for _, empty := range []string{"bank.nulls", "bank.zero"} {
		if n := len(held(t, l, empty)); n != 0 {
			t.Errorf("table %s holds %d rows", empty, n)
		}
	}
}

// The same with what a company has: tables on S3 in a Hive Metastore. Source and result lie there, checks read local copies, and an
// interval takes the place of its old self.
func TestAReportOnTheSparkThriftServerOverS3AndHiveMetastore(t *testing.T) {
	metastore, s3 := parts.Metastore(t), parts.S3(t)
	t.Setenv("WEIR_TEST_KEY", s3.Key)
	t.Setenv("WEIR_TEST_SECRET", s3.Secret)
	t.Setenv("WEIR_SPARK_CONF", sparkOnS3(t, s3))
	address := parts.SparkThrift(t, metastore, "s3://weir/warehouse", "NONE")
	b := newBench(t, "127.0.0.1:1", "http://127.0.0.1:1")
	b.write("weir.yaml", fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nhive: {address: %q}\nlake:\n  catalog: hive\n  uri: %s\n  warehouse: s3://weir/warehouse\n"+
		"  s3: {endpoint: %q, access_key: '${env:WEIR_TEST_KEY}', secret_key: '${env:WEIR_TEST_SECRET}'}\n", address, metastore, s3.Endpoint))
	b.write("jobs/pay.yaml", "apiVersion: weir/v1\nkind: Job\nname: pay\nreport:\n  table: bank.pay\n  mode: replace\n"+
		"  query: SELECT i AS id, DATE '2026-11-19' + (i % 3)::INT AS day FROM range(3000) r(i)\n")
	b.job("pay", 0)
	b.write("jobs/days.yaml", "apiVersion: weir/v1\nkind: Job\nname: days\nreport:\n  table: bank.days\n  mode: replace\n  interval_column: day\n  engine: hive\n"+
		"  checks: {unique: [day], not_null: [n], sql: {all_there: n <> 1000}}\n"+
		"  query: SELECT day, count(*) AS n FROM bank.pay WHERE day >= $interval_start AND day < $interval_end GROUP BY day\n")
	for _, day := range []string{"2026-11-19", "2026-11-20", "2026-11-19"} {
		var r struct {
			RowsOut int64 `json:"rows_out"`
		}
		c, out, errs := b.start("pipeline", "run", "days", "--for", day, "--json")
		if b.finish(c, out, errs, &r, 0); r.RowsOut != 1 {
			t.Errorf("%s: %d rows out", day, r.RowsOut)
		}
	}
	var got struct{ Rows [][]any }
	c, out, errs := b.start("pipeline", "sql", "select day::varchar as day, n from bank.days order by day", "--json")
	b.finish(c, out, errs, &got, 0)
	if text := fmt.Sprint(got.Rows); text != "[[2026-11-19 1000] [2026-11-20 1000]]" {
		t.Errorf("got %s", text)
	}
	c, out, errs = b.start("pipeline", "sql", "show tables", "--json")
	b.finish(c, out, errs, &got, 0)
	if text := fmt.Sprint(got.Rows); text != "[[bank.days] [bank.pay]]" {
		t.Errorf("tables %s", text)
	}
}

// sparkOnS3 is a file with Spark's settings for an S3 server.
func sparkOnS3(t *testing.T, s3 parts.ObjectStore) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "s3.conf")
	text := fmt.Sprintf("spark.sql.catalog.weir.s3.endpoint %s\nspark.sql.catalog.weir.s3.path-style-access true\nspark.sql.catalog.weir.s3.access-key-id %s\n"+
		"spark.sql.catalog.weir.s3.secret-access-key %s\nspark.sql.catalog.weir.client.region us-east-1\n", s3.Endpoint, s3.Key, s3.Secret)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
