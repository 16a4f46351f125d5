package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"weir/internal/cli"
)

// system is a pipeline under test: a shell command that serves until SIGINT.
type system struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
	err   error
}

// serve starts a pipeline with a home of its own; env is what its command finds in its environment.
func serve(command, home string, env ...string) (*system, error) {
	s := &system{cmd: exec.Command("sh", "-c", "exec "+command), log: filepath.Join(home, "system.log"), ended: make(chan struct{})} //nolint:gosec // the user's own command
	log, err := os.Create(s.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	s.cmd.Env = append(append(os.Environ(), "WEIR_HOME="+home), env...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // it is ended by us, after the proof
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { // ends with the process
		s.err = s.cmd.Wait()
		close(s.ended)
	}()
	return s, nil
}

// died says how the pipeline ended before its time.
func (s *system) died() error {
	select {
	case <-s.ended:
		text, _ := os.ReadFile(s.log)
		how := "exit status 0"
		if s.err != nil {
			how = s.err.Error()
		}
		return &cli.Error{Err: fmt.Errorf("the pipeline under test ended (%s): %s", how, lastLine(string(text))), Hint: "its output: " + s.log}
	default:
		return nil
	}
}

// stop ends the pipeline and gives the CPU time that it and its children took.
func (s *system) stop() (cpu float64, err error) {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGINT)
	select {
	case <-s.ended:
	case <-time.After(endTime):
		_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL)
		<-s.ended
		return 0, fmt.Errorf("the pipeline under test did not end within %v of SIGINT (its output: %s)", endTime, s.log)
	}
	st := s.cmd.ProcessState
	return (st.UserTime() + st.SystemTime()).Seconds(), nil
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}

// cpuClock reads how much CPU time pipelines have taken, again and again, so that it can be told for any span of a run.
type cpuClock struct {
	pids []int
	stop chan struct{}
	done sync.WaitGroup
	at   []time.Time
	cpu  [][]float64 // s, by reading and pipeline; less than 0: it could not be read
}

func watchCPU(every time.Duration, systems ...*system) *cpuClock {
	c := &cpuClock{stop: make(chan struct{})}
	for _, s := range systems {
		c.pids = append(c.pids, s.cmd.Process.Pid)
	}
	c.read()
	c.done.Go(func() {
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				c.read()
			case <-c.stop:
				c.read()
				return
			}
		}
	})
	return c
}

// end stops the clock; what it has read can be asked for then.
func (c *cpuClock) end() {
	close(c.stop)
	c.done.Wait()
}

func (c *cpuClock) read() { c.cpu, c.at = append(c.cpu, cpuOf(c.pids)), append(c.at, time.Now()) }

// until is the CPU time of pipeline i up to a moment; ok is false where the system does not tell.
func (c *cpuClock) until(i int, t time.Time) (s float64, ok bool) {
	for k := range c.at {
		if c.cpu[k][i] < 0 {
			return 0, false
		}
		if c.at[k].Before(t) {
			continue
		}
		if k == 0 {
			return c.cpu[0][i], true
		}
		share := t.Sub(c.at[k-1]).Seconds() / c.at[k].Sub(c.at[k-1]).Seconds()
		return c.cpu[k-1][i] + share*(c.cpu[k][i]-c.cpu[k-1][i]), true
	}
	return c.cpu[len(c.at)-1][i], true
}

// between is the CPU time of a span.
func (c *cpuClock) between(i int, from, to time.Time) (float64, bool) {
	a, ok := c.until(i, from)
	b, also := c.until(i, to)
	return b - a, ok && also
}

const tick = 100 // of /proc per second, on every system that Go runs on

// cpuOf is the CPU time of processes with all their descendants, also those that have ended and were waited for.
func cpuOf(pids []int) []float64 {
	out := make([]float64, len(pids))
	for i := range out {
		out[i] = -1
	}
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return out
	}
	type process struct{ parent, ticks int }
	all := map[int]process{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil { // it has just ended
			continue
		}
		name := bytes.LastIndexByte(b, ')') // it may hold anything
		fields := strings.Fields(string(b[name+1:]))
		if name < 0 || len(fields) < 15 {
			continue
		}
		pid, err := strconv.Atoi(strings.Split(f, "/")[2])
		if err != nil {
			continue
		}
		n := func(i int) int { v, _ := strconv.Atoi(fields[i]); return v }
		all[pid] = process{n(1), n(11) + n(12) + n(13) + n(14)}
	}
	for i, root := range pids {
		if _, ok := all[root]; !ok {
			continue
		}
		sum := 0
		for pid, p := range all {
			for up := pid; up > 1; up = all[up].parent {
				if up == root {
					sum += p.ticks
					break
				}
			}
		}
		out[i] = float64(sum) / tick
	}
	return out
}
