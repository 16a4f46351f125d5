package kafka

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A child is this test binary once more, as a process that serves the broker and can be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("WEIR_TEST_BROKER"); dir != "" {
		e, err := ServeEmbedded(context.Background(), os.Getenv("WEIR_TEST_ADDR"), dir)
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		fmt.Println(e.Addr())
		select {}
	}
	os.Exit(m.Run())
}

type child struct {
	cmd  *exec.Cmd
	addr string
}

func startChild(t *testing.T, addr, dir string) child {
	t.Helper()
	c, err := spawn(t, addr, dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// spawn may be called by any goroutine.
func spawn(t *testing.T, addr, dir string) (child, error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "WEIR_TEST_BROKER="+dir, "WEIR_TEST_ADDR="+addr)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return child{}, err
	}
	if err := cmd.Start(); err != nil {
		return child{}, err
	}
	c := child{cmd: cmd}
	t.Cleanup(c.kill)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || strings.HasPrefix(line, "error:") {
		return child{}, fmt.Errorf("child: %s %w", line, err)
	}
	c.addr = strings.TrimSpace(line)
	return c, nil
}

// kill is SIGKILL, and waits for the end. It may be called twice.
func (c child) kill() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait()
}
