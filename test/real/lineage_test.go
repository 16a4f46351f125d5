//go:build real

package real

import (
	"bytes"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/test/real/parts"
)

const openLineage = "1.53.0"

// openLineageForSpark is the listener's jar, from Maven Central, kept beside the other parts.
func openLineageForSpark(t *testing.T) string {
	t.Helper()
	root := os.Getenv("WEIR_CACHE")
	if root == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		root = filepath.Join(home, ".cache", "weir")
	}
	dir := filepath.Join(root, "openlineage-spark-"+openLineage)
	jar := filepath.Join(dir, "openlineage-spark_2.12-"+openLineage+".jar")
	if _, err := os.Stat(jar); err == nil {
		return jar
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("mvn", "-q", "-B", "dependency:copy", "-Dartifact=io.openlineage:openlineage-spark_2.12:"+openLineage, "-DoutputDirectory="+dir).CombinedOutput()
	if err != nil {
		t.Fatalf("the listener's jar: %v\n%s", err, out)
	}
	return jar
}

// A plain PySpark job, which knows nothing of notify, tells its business unit: the listener in its configuration posts to notify's
// lineage endpoint. The message has the rows and the business date; a job that fails is told as failed, with the cause.
func TestSparkTellsItsUnit(t *testing.T) {
	spark, jar := parts.SparkSubmitCommand(t), openLineageForSpark(t)
	bin, dir := t.TempDir(), t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "weir/cmd/notify").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	job := `import sys
from pyspark.sql import SparkSession
from pyspark.sql.functions import udf
spark = SparkSession.builder.appName("settlements_daily").getOrCreate()
df = spark.read.option("header", True).csv(sys.argv[1] + "/in.csv")
df.where("amount > 0").write.mode("overwrite").parquet(sys.argv[1] + "/settlements")
if len(sys.argv) > 2:
    def check(amount):
        raise ValueError("column fee_eur is missing")
    df.withColumn("fee", udf(check)("amount")).write.mode("overwrite").parquet(sys.argv[1] + "/never")
spark.stop()
`
	rows := "account,amount\n"
	for i := range 1000 {
		rows += fmt.Sprintf("%d,%d\n", i%7, i) // all but the first are written
	}
	for name, text := range map[string]string{
		"weir.yaml":  fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nnotify: {listen: %q, token: \"${env:NOTIFY_TOKEN}\"}\n", addr),
		"units.yaml": "version: 1\ndefaults: {timezone: Europe/Berlin}\nchannels: {all: {console: {path: told.txt}}, other: {console: {path: other.txt}}}\nunits: {FIN: {jobs: [settlements_daily]}}\nroutes: [{when: 'unit = \"FIN\"', to: [all]}]\ndefault: [other]\n",
		"job.py":     job,
		"in.csv":     rows,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	serve := exec.Command(filepath.Join(bin, "notify"), "serve")
	var said bytes.Buffer
	serve.Dir, serve.Env, serve.Stderr = dir, append(os.Environ(), "NOTIFY_TOKEN=let-spark-in"), &said
	if err := serve.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = serve.Process.Kill()
		_ = serve.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // real time: a program starts
		if resp, err := http.Get("http://" + addr + "/healthz"); err == nil {
			_ = resp.Body.Close()
			break
		}
		if time.Now().After(end) {
			t.Fatalf("notify does not answer: %s", said.String())
		}
	}
	submit := func(date string, more ...string) error {
		args := []string{"--jars", jar}
		for _, conf := range []string{
			"spark.extraListeners=io.openlineage.spark.agent.OpenLineageSparkListener",
			"spark.openlineage.transport.type=http", "spark.openlineage.transport.url=http://" + addr,
			"spark.openlineage.transport.auth.type=api_key", "spark.openlineage.transport.auth.apiKey=let-spark-in",
			"spark.openlineage.namespace=prod", "spark.openlineage.run.tags=business_date:" + date,
		} {
			args = append(args, "--conf", conf)
		}
		c := exec.Command(spark, append(append(args, filepath.Join(dir, "job.py"), dir), more...)...)
		out, err := c.CombinedOutput()
		if err != nil && len(more) == 0 {
			t.Fatalf("%v\n%s", err, tail(string(out), 30))
		}
		return err
	}
	told := func(want string) string {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) { // real time: programs
			text, _ := os.ReadFile(filepath.Join(dir, ".weir", "told.txt"))
			if strings.Contains(string(text), want) {
				return string(text)
			}
			if time.Now().After(end) {
				t.Fatalf("no %q in\n%s\n%s", want, text, said.String())
			}
		}
	}
	if err := submit("2026-11-20"); err != nil {
		t.Fatal(err)
	}
	text := told("READY")
	t.Log(text)
	if strings.Count(text, "READY") != 1 || !strings.Contains(text, "settlements_daily for Fri 20 Nov 2026: usable") || !strings.Contains(text, "999") {
		t.Errorf("want one READY with 999 rows for Fri 20 Nov 2026; told\n%s", text)
	}
	if submit("2026-11-23", "fail") == nil {
		t.Fatal("the job that was to fail has not")
	}
	text = told("FAILED")
	t.Log(text)
	if strings.Count(text, "FAILED") != 1 || !strings.Contains(text, "settlements_daily for Mon 23 Nov 2026: not usable") || !strings.Contains(text, "column fee_eur is missing") {
		t.Errorf("want one FAILED with its cause for Mon 23 Nov 2026; told\n%s", text)
	}
	if other, err := os.ReadFile(filepath.Join(dir, ".weir", "other.txt")); err == nil {
		t.Errorf("somebody else was told:\n%s", other)
	}
}
