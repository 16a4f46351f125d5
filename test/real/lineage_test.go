//go:build real

package real

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

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
	n := notifyListens(t, "units: {FIN: {jobs: [settlements_daily]}}")
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
	for name, text := range map[string]string{"job.py": job, "in.csv": rows} {
		if err := os.WriteFile(filepath.Join(n.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	submit := func(date string, more ...string) error {
		args := []string{"--jars", jar}
		for _, conf := range []string{
			"spark.extraListeners=io.openlineage.spark.agent.OpenLineageSparkListener",
			"spark.openlineage.transport.type=http", "spark.openlineage.transport.url=" + n.url,
			"spark.openlineage.transport.auth.type=api_key", "spark.openlineage.transport.auth.apiKey=" + n.token,
			"spark.openlineage.namespace=prod", "spark.openlineage.run.tags=business_date:" + date,
		} {
			args = append(args, "--conf", conf)
		}
		c := exec.Command(spark, append(append(args, filepath.Join(n.dir, "job.py"), n.dir), more...)...)
		out, err := c.CombinedOutput()
		if err != nil && len(more) == 0 {
			t.Fatalf("%v\n%s", err, tail(string(out), 30))
		}
		return err
	}
	if err := submit("2026-11-20"); err != nil {
		t.Fatal(err)
	}
	text := n.told(t, "READY")
	t.Log(text)
	if strings.Count(text, "READY") != 1 || !strings.Contains(text, "settlements_daily for Fri 20 Nov 2026: usable") || !strings.Contains(text, "999") {
		t.Errorf("want one READY with 999 rows for Fri 20 Nov 2026; told\n%s", text)
	}
	if submit("2026-11-23", "fail") == nil {
		t.Fatal("the job that was to fail has not")
	}
	text = n.told(t, "FAILED")
	t.Log(text)
	if strings.Count(text, "FAILED") != 1 || !strings.Contains(text, "settlements_daily for Mon 23 Nov 2026: not usable") || !strings.Contains(text, "column fee_eur is missing") {
		t.Errorf("want one FAILED with its cause for Mon 23 Nov 2026; told\n%s", text)
	}
	if other, err := os.ReadFile(filepath.Join(n.dir, ".weir", "other.txt")); err == nil {
		t.Errorf("somebody else was told:\n%s", other)
	}
}
