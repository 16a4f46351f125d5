package workers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/internal/scale"
)

// TestMain is a worker process where a supervisor under test starts one.
func TestMain(m *testing.M) {
	if how := os.Getenv("WEIR_TEST_WORKER"); how != "" {
		beatEvery = 50 * time.Millisecond
		if err := work(how); err != nil {
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// work reads 2,000 rows/s, or as `how` says, and writes down which partitions it holds: "+ pid partition", "- pid partition".
func work(how string) error {
	log, err := os.OpenFile(os.Getenv("WEIR_TEST_LOG"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	var rows, commits, busy, blocked atomic.Int64
	run := func(ctx context.Context, partitions []int32) error {
		note := func(sign string) {
			for _, p := range partitions {
				fmt.Fprintf(log, "%s %d %d\n", sign, os.Getpid(), p)
			}
		}
		note("+")
		defer note("-")
		for range time.Tick(10 * time.Millisecond) { // real time: it is a process of its own
			if ctx.Err() != nil {
				return nil
			}
			if how == "broken" {
				return errors.New("no such topic")
			}
			n := int64(20)
			if how == "slow" {
				n = 2
			}
			rows.Add(n)
			commits.Add(1)
			busy.Add(int64(10 * time.Millisecond))
			blocked.Add(int64(8 * time.Millisecond)) // most of the time it waits for the commit, as with many small ones
			if how == "hung" && rows.Load() > 1000 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			}
			if how == "dies" && rows.Load() > 1000 {
				os.Exit(1)
			}
		}
		return nil
	}
	return Serve(context.Background(), os.Stdin, os.Stdout, run, func() Work {
		return Work{Rows: rows.Load(), Commits: commits.Load(), Busy: time.Duration(busy.Load()), Blocked: time.Duration(blocked.Load())}
	})
}

// crew is a supervisor whose n-th worker behaves as the n-th of its words says.
type crew struct {
	*Supervisor
	t    *testing.T
	log  string
	mu   sync.Mutex
	pids []*exec.Cmd
	rows []Row
	why  []string
}

func newCrew(t *testing.T, least, most int, how ...string) *crew {
	t.Helper()
	c := &crew{t: t, log: filepath.Join(t.TempDir(), "log")}
	if err := os.WriteFile(c.log, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	c.Supervisor = &Supervisor{
		Config: scale.Config{Min: least, Max: most, Interval: time.Second, Silence: 700 * time.Millisecond, Capacity: 2000},
		Check:  100 * time.Millisecond, Grace: time.Second,
		Command: func() *exec.Cmd {
			c.mu.Lock()
			defer c.mu.Unlock()
			cmd, word := exec.Command(os.Args[0]), "well"
			if n := len(c.pids); n < len(how) {
				word = how[n]
			}
			cmd.Env = append(os.Environ(), "WEIR_TEST_WORKER="+word, "WEIR_TEST_LOG="+c.log)
			c.pids = append(c.pids, cmd)
			return cmd
		},
		Look: func(context.Context) ([]scale.Partition, error) {
			out := make([]scale.Partition, 6)
			for i := range out {
				out[i] = scale.Partition{ID: int32(i), Arrival: 700, Backlog: 100}
			}
			return out, nil
		},
		Tell: func(d scale.Decision, rows []Row) {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.rows = rows
			for _, s := range d.Stop {
				c.why = append(c.why, string(s.How)+": "+s.Reason)
			}
		},
	}
	return c
}

// runUntil runs it until the condition holds, ends it, and gives what Run returned. No worker is left.
func (c *crew) runUntil(ok func() bool) error {
	c.t.Helper()
	ctx, stop := context.WithCancel(c.t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	defer func() {
		for _, p := range c.pids {
			if err := syscall.Kill(p.Process.Pid, 0); err == nil {
				c.t.Errorf("worker process %d is left", p.Process.Pid)
			}
		}
	}()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) { // real time: processes
		c.mu.Lock()
		yes := ok()
		c.mu.Unlock()
		if late := time.Now().After(end); yes || late {
			if late {
				c.t.Errorf("not within 20 s: %+v %v", c.rows, c.why)
			}
			stop()
			return <-done
		}
		select {
		case err := <-done:
			stop()
			return err
		default:
		}
	}
}

// busy counts the workers that read.
func (c *crew) busy() (n int) {
	for _, r := range c.rows {
		if r.State == "reading" && r.Reads > 0 {
			n++
		}
	}
	return n
}

// history replays the log: nobody reads a partition before the one before has let it go, except those of a worker that was given up.
func (c *crew) history(lost ...int) {
	c.t.Helper()
	b, err := os.ReadFile(c.log)
	if err != nil {
		c.t.Fatal(err)
	}
	holds := map[string]string{}
	for line := range strings.Lines(string(b)) {
		var sign, pid, p string
		if _, err := fmt.Sscan(line, &sign, &pid, &p); err != nil {
			c.t.Fatalf("line %q: %v", line, err)
		}
		if sign == "-" {
			delete(holds, p)
			continue
		}
		if h := holds[p]; h != "" {
			given := false
			for _, l := range lost {
				given = given || h == fmt.Sprint(c.pids[l].Process.Pid)
			}
			if !given {
				c.t.Errorf("process %s reads partition %s, which %s has not let go", pid, p, h)
			}
		}
		holds[p] = pid
	}
	for p, h := range holds {
		for i, cmd := range c.pids {
			if h == fmt.Sprint(cmd.Process.Pid) && !contains(lost, i) {
				c.t.Errorf("worker %d ended in the middle of its work on partition %s", i, p)
			}
		}
	}
}

func contains(list []int, x int) bool {
	for _, v := range list {
		if v == x {
			return true
		}
	}
	return false
}

// It waits for commits most of its time, as its peers do; what it does in the rest tells.
func TestASlowWorkerIsDrainedAndReplaced(t *testing.T) {
	c := newCrew(t, 3, 3, "well", "slow", "well")
	if err := c.runUntil(func() bool { return len(c.pids) == 4 && c.busy() == 3 }); err != nil {
		t.Fatal(err)
	}
	if len(c.why) != 1 || !strings.HasPrefix(c.why[0], "drain: worker w2 does ") {
		t.Errorf("stopped: %v", c.why)
	}
	c.history()
}

func TestAHungWorkerIsGivenUpAndKilled(t *testing.T) {
	c := newCrew(t, 3, 3, "well", "well", "hung")
	if err := c.runUntil(func() bool { return len(c.pids) == 4 && c.busy() == 3 }); err != nil {
		t.Fatal(err)
	}
	if len(c.why) == 0 || !strings.Contains(c.why[0], "worker w3 has said nothing") {
		t.Errorf("stopped: %v", c.why)
	}
	c.history(2)
}

func TestADeadWorkerIsReplaced(t *testing.T) {
	c := newCrew(t, 2, 2, "dies", "well")
	if err := c.runUntil(func() bool { return len(c.pids) == 3 && c.busy() == 2 }); err != nil {
		t.Fatal(err)
	}
	c.history(0)
}

func TestPartitionsGoFromHandToHand(t *testing.T) {
	c := newCrew(t, 1, 4)
	if err := c.runUntil(func() bool { return c.busy() >= 3 }); err != nil {
		t.Fatal(err)
	}
	c.history()
}

func TestWorkersThatKeepFailingEndTheRun(t *testing.T) {
	c := newCrew(t, 1, 1, "broken", "broken", "broken", "broken", "broken", "broken")
	err := c.runUntil(func() bool { return false })
	if err == nil || !strings.Contains(err.Error(), "no such topic") {
		t.Errorf("got %v", err)
	}
	if len(c.pids) > 6 {
		t.Errorf("%d workers were started", len(c.pids))
	}
}
