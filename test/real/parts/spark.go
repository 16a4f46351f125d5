package parts

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// SparkCatalog is the environment that points [SparkSubmit] at a table catalog of ours: jdbc:sqlite:FILE or thrift://HOST:PORT.
func SparkCatalog(uri, warehouse string) map[string]string {
	return map[string]string{"WEIR_SPARK_CATALOG_URI": uri, "WEIR_SPARK_WAREHOUSE": warehouse}
}

// SparkSubmit runs a PySpark script and gives what it printed. The script is a path, or the name of one in test/real. Without
// WEIR_SPARK_CATALOG_URI and WEIR_SPARK_WAREHOUSE in env the catalog is a fresh one.
func SparkSubmit(t testing.TB, file string, env map[string]string, args ...string) (stdout string) {
	t.Helper()
	need(t, "spark", "python3")
	if _, err := os.Stat(file); err != nil {
		file = filepath.Join(home(t), file)
	}
	vars := []string{"WEIR_REAL_RUN=" + t.TempDir()}
	for k, v := range env {
		vars = append(vars, k+"="+v)
	}
	out, err := script(t, "spark", sparkTime, vars, append([]string{"submit", file}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	return withoutWarnings(out)
}

// SparkThrift starts a Spark Thrift Server for the test over a table catalog of ours, with auth NOSASL or NONE, and gives its
// address. Its first session takes about 18 s.
func SparkThrift(t testing.TB, uri, warehouse, auth string) (address string) {
	t.Helper()
	need(t, "spark", "python3")
	for k, v := range SparkCatalog(uri, warehouse) {
		t.Setenv(k, v)
	}
	t.Setenv("WEIR_SPARK_AUTH", auth)
	return fmt.Sprintf("127.0.0.1:%d", serve(t, "spark-thrift", 1).port)
}

// SparkSubmitCommand is a spark-submit for programs under test: the real one, with the jars and without a catalog of its own.
func SparkSubmitCommand(t testing.TB) string {
	t.Helper()
	need(t, "spark", "python3")
	file := filepath.Join(t.TempDir(), "spark-submit")
	text := fmt.Sprintf("#!/bin/sh\nexport WEIR_REAL_RUN=%q WEIR_REAL_WITH=$PPID\nexec %q submit \"$@\"\n", t.TempDir(), filepath.Join(home(t), "spark"))
	if err := os.WriteFile(file, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return file
}

// withoutWarnings drops what Spark's logging says of the JVM on stdout, before the script has begun.
func withoutWarnings(out string) string {
	for strings.HasPrefix(out, "WARNING: ") {
		_, out, _ = strings.Cut(out, "\n")
	}
	return out
}
