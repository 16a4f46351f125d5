//go:build real

package real

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/internal/control"
	"weir/test/real/parts"
)

// seen is what the control API says of the stream at a moment.
type seen struct {
	at      time.Time
	behind  float64
	reading int
	team    *control.Team
}

// watch asks once a second until its test ends.
func (b *bench) watch(ctx context.Context) func() []seen {
	c := control.Dial(filepath.Join(b.home(), "control.sock"))
	var all []seen
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			if s, err := c.Snapshot(ctx); err == nil && len(s.Streams) > 0 && s.Streams[0].Team != nil {
				st := s.Streams[0]
				now := seen{at: time.Now(), behind: st.BehindSeconds, team: st.Team}
				for _, w := range st.Team.Workers {
					if w.State == "reading" && w.Partitions > 0 {
						now.reading++
					}
				}
				all = append(all, now)
			}
			time.Sleep(time.Second) // real time: another process works
		}
	}()
	return func() []seen { <-done; return all }
}

func (b *bench) limited(processes string) {
	b.write("jobs/transactions.yaml", fmt.Sprintf(`apiVersion: weir/v1
kind: Job
name: transactions
ingest:
  topic: bank.transactions
  table: bank.transactions
  start: earliest
  commit: {rows: 50k, age: 1s}
  limit: {rows_per_second: 2k}
  processes: %s
`, processes))
}

func (b *bench) rate(stages string) {
	b.write("profiles/main.yaml", fmt.Sprintf(`apiVersion: weir/v1
kind: LoadProfile
name: main
rate: {start: 1k/s, stages: [%s]}
topic: {name: bank.transactions, partitions: 12}
key: {field: account_id, cardinality: 100k}
producer: {acks: all, idempotent: true, linger: 5ms}
`, stages))
}

// everyRowOnce waits until the table has all of a load, and proves it.
func (b *bench) everyRowOnce(stream *exec.Cmd, run string) {
	b.t.Helper()
	var proof struct {
		Sent, Rows, Lost, Doubled, Reordered, Altered int64
		InFlight                                      int64 `json:"in_flight"`
	}
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(time.Second) { // real time: the stream goes on
		c, out, errs := b.start("loadgen", "verify", run, "--table", "bank.transactions", "--json")
		b.finish(c, out, errs, &proof, 0, 1, 5, 6)
		if proof.Rows >= proof.Sent || proof.Doubled > 0 || time.Now().After(end) {
			b.t.Logf("proof %+v", proof)
			break
		}
	}
	if proof.Sent == 0 || proof.Rows != proof.Sent || proof.Lost != 0 || proof.Doubled != 0 || proof.Altered != 0 {
		b.t.Errorf("the proof fails: %+v", proof)
	}
	_ = stream.Process.Signal(syscall.SIGINT)
	_ = stream.Wait()
}

// The load goes from 1x to 4x and back while a worker can do a bit more than 1x: workers follow within three minutes and four steps.
func TestWorkersFollowTheLoad(t *testing.T) {
	broker := parts.Kafka(t)
	b := newBench(t, broker.Addr, parts.Registry(t, broker))
	b.limited("{min: 1, max: 6, keep: 1m}")
	b.rate("{duration: 45s, target: 1k/s}, {duration: 1s, target: 4k/s}, {duration: 150s, target: 4k/s}, {duration: 1s, target: 1k/s}, {duration: 150s, target: 1k/s}")
	generator, sentOut, sentErr := b.start("loadgen", "run", "main", "--json")
	began := time.Now()
	time.Sleep(3 * time.Second) // real time: topic and schema are made
	stream, _, _ := b.start("pipeline", "run", "transactions")
	ctx, done := context.WithCancel(t.Context())
	defer done()
	all := b.watch(ctx)
	var sent struct{ Run string }
	b.finish(generator, sentOut, sentErr, &sent, 0, 6)
	done()
	up, down := began.Add(47*time.Second), began.Add(200*time.Second)
	steps, before := 0, 0
	var enough, few, fresh time.Time
	for _, s := range all() {
		if s.at.Before(down) && s.team.Wanted > before && before > 0 {
			steps++
		}
		before = s.team.Wanted
		if s.at.After(up) && s.reading >= 3 && enough.IsZero() {
			enough = s.at
		}
		if s.at.After(up.Add(10*time.Second)) && s.at.Before(down) {
			if s.behind > 60 {
				fresh = time.Time{}
			} else if fresh.IsZero() {
				fresh = s.at
			}
		}
		if s.at.After(down) && s.reading <= 2 && few.IsZero() {
			few = s.at
		}
	}
	t.Logf("up after %v in %d steps, the oldest record under 60 s from %v on, down after %v", enough.Sub(up), steps, fresh.Sub(up), few.Sub(down))
	if enough.IsZero() || enough.Sub(up) > 3*time.Minute || steps > 4 || fresh.IsZero() || few.IsZero() || few.Sub(down) > 3*time.Minute {
		for i, s := range all() {
			if i%10 == 0 {
				t.Logf("%4.0f s: %d reading, behind %.1f s, %s", s.at.Sub(began).Seconds(), s.reading, s.behind, s.team.Reason)
			}
		}
		t.Error("the workers do not follow the load")
	}
	b.everyRowOnce(stream, sent.Run)
}

// Of four workers one becomes slow, one stops in its tracks and wakes up again, and half of them are killed, again and again.
func TestWorkersAreReplaced(t *testing.T) {
	broker := parts.Kafka(t)
	b := newBench(t, broker.Addr, parts.Registry(t, broker))
	b.limited("{min: 4, max: 4}")
	rounds, every := 5, 20*time.Second
	if os.Getenv("WEIR_LONG") != "" {
		every = time.Minute
	}
	b.rate(fmt.Sprintf("{duration: 1s, target: 3k/s}, {duration: %ds, target: 3k/s}", 110+int((time.Duration(rounds)*every).Seconds())))
	generator, sentOut, sentErr := b.start("loadgen", "run", "main", "--json")
	time.Sleep(3 * time.Second) // real time: topic and schema are made
	stream, _, errs := b.start("pipeline", "run", "transactions")
	api := control.Dial(filepath.Join(b.home(), "control.sock"))
	team := func() []control.Worker {
		s, err := api.Snapshot(t.Context())
		if err != nil || len(s.Streams) == 0 || s.Streams[0].Team == nil {
			return nil
		}
		return s.Streams[0].Team.Workers
	}
	reading := func() (pids []int) {
		for _, w := range team() {
			if w.State == "reading" && w.Partitions > 0 {
				pids = append(pids, w.PID)
			}
		}
		return pids
	}
	wait := func(what string, limit time.Duration, ok func() bool) time.Duration {
		t.Helper()
		began := time.Now()
		for !ok() {
			if time.Since(began) > limit {
				t.Fatalf("%s: not within %v; team %+v\n%s", what, limit, team(), errs)
			}
			time.Sleep(100 * time.Millisecond) // real time: other processes work
		}
		return time.Since(began)
	}
	wait("four workers", time.Minute, func() bool { return len(reading()) == 4 })
	time.Sleep(15 * time.Second) // real time: their speeds are measured

	slow := reading()[0]
	slowed, stopSlow := context.WithCancel(t.Context())
	go func() { // it runs for a fifteenth of the time: with what its limit lets it do at once, a tenth of the work
		for slowed.Err() == nil {
			_ = syscall.Kill(slow, syscall.SIGSTOP)
			time.Sleep(930 * time.Millisecond) // real time: another process stands still
			_ = syscall.Kill(slow, syscall.SIGCONT)
			time.Sleep(70 * time.Millisecond) // real time: it runs
		}
	}()
	took := wait("the slow worker is drained", 45*time.Second, func() bool {
		for _, w := range team() {
			if w.PID == slow {
				return w.State == "draining" && strings.Contains(w.Reason, "its peers do")
			}
		}
		return false
	})
	t.Logf("the slow worker is drained after %v", took)
	wait("and replaced", time.Minute, func() bool { p := reading(); return len(p) == 4 && !slices.Contains(p, slow) })
	stopSlow()

	hung := reading()[1]
	_ = syscall.Kill(hung, syscall.SIGSTOP)
	took = wait("the hung worker is replaced", 45*time.Second, func() bool { p := reading(); return len(p) == 4 && !slices.Contains(p, hung) })
	t.Logf("the hung worker is replaced after %v", took)
	_ = syscall.Kill(hung, syscall.SIGCONT) // what it still commits is refused

	for range rounds {
		for _, p := range reading()[:2] {
			_ = syscall.Kill(p, syscall.SIGKILL)
		}
		time.Sleep(every) // real time: they are replaced
		wait("four workers again", 45*time.Second, func() bool { return len(reading()) == 4 })
	}
	var sent struct{ Run string }
	b.finish(generator, sentOut, sentErr, &sent, 0, 6)
	b.everyRowOnce(stream, sent.Run)
}
