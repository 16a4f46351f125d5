package main

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// burn uses CPU time, however busy the machine is.
func burn(d time.Duration) {
	used := func() time.Duration {
		var r syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &r)
		return time.Duration(r.Utime.Nano() + r.Stime.Nano())
	}
	for end := used() + d; used() < end; {
	}
}

// A pipeline's CPU time is that of all its processes, also of those that have ended.
func TestTheCPUTimeOfAPipeline(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	before := cpuOf([]int{os.Getpid(), 1 << 30})
	burn(100 * time.Millisecond)
	child := exec.Command("sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done")
	if err := child.Run(); err != nil {
		t.Fatal(err)
	}
	took := (child.ProcessState.UserTime() + child.ProcessState.SystemTime()).Seconds()
	after := cpuOf([]int{os.Getpid()})
	if got := after[0] - before[0]; got < 0.08+took-0.02 || before[1] >= 0 {
		t.Errorf("got %.2f s, want at least 0.1 s and the %.2f s of a child; of no process %v", got, took, before[1])
	}
}

// What is asked for between two readings is their share.
func TestTheCPUClockBetweenItsReadings(t *testing.T) {
	at := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	c := &cpuClock{at: []time.Time{at, at.Add(time.Second), at.Add(3 * time.Second)}, cpu: [][]float64{{10, -1}, {11, -1}, {12, -1}}}
	for _, x := range []struct {
		from, to time.Duration
		want     float64
	}{
		{0, time.Second, 1}, {500 * time.Millisecond, 2 * time.Second, 1}, {time.Second, time.Hour, 1}, {-time.Hour, 500 * time.Millisecond, 0.5},
	} {
		if got, ok := c.between(0, at.Add(x.from), at.Add(x.to)); !ok || got != x.want {
			t.Errorf("%v to %v: got %v, %v; want %v", x.from, x.to, got, ok, x.want)
		}
	}
	if _, ok := c.between(1, at, at.Add(time.Second)); ok {
		t.Error("a pipeline whose time is not known has one")
	}
}
