package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// children are the live worker processes of a pipeline.
func children(t *testing.T, pid int) (pids []int) {
	t.Helper()
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		t.Skipf("no /proc here: %v", err)
	}
	for _, task := range tasks {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, task.Name()))
		if err != nil {
			continue
		}
		for _, f := range strings.Fields(string(b)) {
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			pids = append(pids, n)
		}
	}
	return pids
}

// Three workers read one topic; one is killed, one is stopped in its tracks and wakes up after its partitions have gone to
// others. Every record is in the table once.
func TestWorkersKilledAndStopped(t *testing.T) {
	y := newYard(t, streamJob)
	_, done := y.load(60_000, "4k/s")
	c, out := y.pipeline("run", "transactions", "--workers", "3")
	y.waitForRows(5000)
	first := children(t, c.Process.Pid)
	if len(first) != 3 {
		t.Fatalf("%d workers, want 3: %s", len(first), out)
	}
	y.ok(syscall.Kill(first[0], syscall.SIGKILL))
	y.ok(syscall.Kill(first[1], syscall.SIGSTOP))
	// Silent for 10 s it is lost, and another starts in its place.
	for deadline := time.Now().Add(35 * time.Second); ; {
		fresh := 0
		for _, p := range children(t, c.Process.Pid) {
			if p != first[0] && p != first[1] && p != first[2] {
				fresh++
			}
		}
		if fresh >= 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d new workers for two lost ones: %s", fresh, out)
		}
		time.Sleep(100 * time.Millisecond) // real time: processes start
	}
	y.ok(syscall.Kill(first[1], syscall.SIGCONT))
	sent := <-done
	y.waitForRows(sent.Acked)
	y.ok(c.Process.Signal(syscall.SIGINT))
	_ = within(t, c)
	t.Logf("%s", out)
	y.everyRowOnce(sent)
}
