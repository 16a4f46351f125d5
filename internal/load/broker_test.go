package load

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestMain is also the program of the child processes that tests start.
func TestMain(m *testing.M) {
	switch os.Getenv("WEIR_TEST_CHILD") {
	case "broker":
		serveBroker(os.Getenv("WEIR_TEST_DIR"))
	case "run":
		killedRun()
	case "resumed":
		resumedRun()
	default:
		os.Exit(m.Run())
	}
}

// serveBroker prints its address and lives until its input ends: it dies with its parent.
func serveBroker(dir string) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(dir))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(c.ListenAddrs()[0])
	_, _ = io.Copy(io.Discard, os.Stdin)
	c.Close()
}

// child starts this test binary again in another role and returns its first line of output.
func child(tb testing.TB, role string, env ...string) (*exec.Cmd, string) {
	tb.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), append(env, "WEIR_TEST_CHILD="+role)...)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		tb.Fatalf("child %s: %v", role, err)
	}
	return cmd, strings.TrimSpace(line)
}

// connectTo is for a broker in another process.
func connectTo(addr string) func(...kgo.Opt) (*kgo.Client, error) {
	return func(o ...kgo.Opt) (*kgo.Client, error) { return kgo.NewClient(append(o, kgo.SeedBrokers(addr))...) }
}
