// Package parts starts real Kafka, schema registry and Spark for tests and stops them when the test ends.
//
// Start with [Kafka], [Registry], [HDFS], [S3], [Metastore], [Postgres], [Moto], [Receivers], [AlertmanagerCommand] and [SparkSubmit]. Each test has its own ports on 127.0.0.1 and its own data; the software itself is
// fetched once into a cache. Where a part cannot be had the test is skipped, with the reason; with CI=true or WEIR_REQUIRE_PARTS=1 it
// fails instead, so that a missing part does not look like a passed test.
package parts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	fetchTime = 20 * time.Minute // a slow line and 400 MB
	startTime = 3 * time.Minute
	sparkTime = 15 * time.Minute
)

// script runs one of our scripts; its environment names this process, so that nothing outlives a test that is killed.
func script(t testing.TB, name string, limit time.Duration, env []string, args ...string) (stdout string, err error) {
	t.Helper()
	// Not the test's context: cleanups need the scripts too, and it is cancelled by then.
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(home(t), name), args...)
	cmd.Env = append(append(os.Environ(), "WEIR_REAL_WITH="+strconv.Itoa(os.Getpid())), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	if ctx.Err() != nil {
		err = fmt.Errorf("no end after %s", limit)
	}
	if err != nil {
		err = fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, tail(errs.String(), 40))
	}
	return out.String(), err
}

// missing ends a test for which a part cannot be had.
func missing(t testing.TB) func(format string, args ...any) {
	if os.Getenv("CI") == "true" || os.Getenv("WEIR_REQUIRE_PARTS") == "1" {
		return t.Fatalf
	}
	return t.Skipf
}

// need gets a part's software. It ends the test where that cannot be.
func need(t testing.TB, name string, tools ...string) {
	t.Helper()
	absent := missing(t)
	if runtime.GOOS != "linux" {
		absent("real %s: needs Linux", name)
	}
	for _, tool := range append([]string{"bash", "flock", "java", "mvn"}, tools...) {
		if _, err := exec.LookPath(tool); err != nil {
			absent("real %s: %s is not on the PATH (needs a JDK 17, Maven and, for Spark, Python 3.9 to 3.11)", name, tool)
		}
	}
	if v := javaVersion(); v < 17 {
		absent("real %s: needs Java 17, found %d", name, v)
	}
	if _, err := script(t, name, fetchTime, nil, "fetch"); err != nil {
		absent("real %s: not to be had: %v", name, err)
	}
}

var javaLine = regexp.MustCompile(`version "(\d+)`)

// javaVersion is the major version, 0 where it cannot be told. Java 8 calls itself 1.8, which is old enough either way.
func javaVersion() int {
	out, err := exec.Command("java", "-version").CombinedOutput()
	if err != nil {
		return 0
	}
	m := javaLine.FindSubmatch(out)
	if m == nil {
		return 0
	}
	v, _ := strconv.Atoi(string(m[1]))
	return v
}

// home is test/real, found from any test's directory.
func home(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "test", "real")
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		t.Fatal("no go.mod above the working directory")
	}
}

// port finds n free ports in a row. They lie below the range of outgoing connections, so that nobody takes one while its server is
// killed and started again.
func port(t testing.TB, n int) int {
	t.Helper()
	for range 100 {
		p := 20000 + rand.IntN(12000)
		if free(p, n) {
			return p
		}
	}
	t.Fatal("no free port between 20000 and 32000")
	return 0
}

func free(first, n int) bool {
	for p := first; p < first+n; p++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(p)))
		if err != nil {
			return false
		}
		l.Close()
	}
	return true
}

// readTail is the end of a server's log, for a test that failed.
func readTail(path string) string {
	b, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "(no log)"
	}
	return tail(string(b), 25)
}

func tail(s string, lines int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
