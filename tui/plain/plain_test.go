package plain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/control"
)

// fed is a source that the test speaks through; its stream ends with the context, as the client's does.
type fed chan control.Update

func (f fed) Stream(ctx context.Context) <-chan control.Update {
	context.AfterFunc(ctx, func() { close(f) })
	return f
}

// page is what was printed: a timer that wakes the printer orders nothing before it, so it needs a lock.
type page struct {
	mu sync.Mutex
	b  strings.Builder
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.b.String()
}

func (p *page) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.b.Reset()
}

func snapshot(change func(*control.Snapshot)) control.Update {
	now := time.Now()
	s := &control.Snapshot{At: now,
		Load:    &control.Load{Profile: "smoke", Run: "r1", State: control.Running, Stage: "hold", Progress: 0.5, TargetRate: 1000, Rate: 998, BytesPerSec: 260e3, Sent: 5000, Acked: 4990, Whole: control.Latency{Response: control.Quantiles{Count: 1, P50: 2, P99: 9, Max: 12}}},
		Streams: []control.Stream{{Job: "transactions", State: control.Running, BehindSeconds: 2, BehindRecords: 1998, InPerSec: 998, OutPerSec: 990, Rows: 4000, Commits: 3, LastCommit: now.Add(-time.Second)}},
	}
	if change != nil {
		change(s)
	}
	return control.Update{Snapshot: s, Heard: now, Live: true}
}

func TestFollowSaysChangesAtOnceAndMovementNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := make(fed, 1)
		var out page
		done := make(chan error, 1)
		go func() { done <- follow(t.Context(), from, &out, 10*time.Second) }()
		lines := func() []string {
			synctest.Wait()
			s := strings.Split(strings.TrimSpace(out.String()), "\n")
			out.Reset()
			return s
		}
		want := func(what string, subjects ...string) {
			t.Helper()
			got := lines()
			for i, l := range got {
				if f := strings.Fields(l); len(f) > 1 {
					got[i] = strings.Join(f[1:3], " ")
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(subjects) {
				t.Errorf("%s: got %q, want %q", what, got, subjects)
			}
		}
		from <- snapshot(nil)
		want("start", "load smoke", "stream transactions")
		from <- snapshot(func(s *control.Snapshot) { s.Load.Sent++ })
		want("only figures moved", "")
		time.Sleep(10 * time.Second)
		want("after the interval", "load smoke", "stream transactions")
		from <- snapshot(func(s *control.Snapshot) {
			s.Streams[0].State, s.Streams[0].Error = control.Waiting, "registry does not answer"
			s.Attention = []control.Attention{{Level: control.Warn, What: "WAITING", Job: "transactions", Detail: "registry does not answer", Next: "start it"}}
		})
		want("trouble", "attention WAITING", "stream transactions")
		from <- snapshot(nil)
		want("and its end", "attention over:", "stream transactions")
		from <- control.Update{Snapshot: snapshot(nil).Snapshot, Err: errors.New("the process has ended"), Heard: time.Now()}
		want("server dies", "server GONE:")
		time.Sleep(10 * time.Second)
		want("no figures of a dead server", "server no")
		from <- snapshot(nil)
		want("server returns", "server back")
		from <- snapshot(func(s *control.Snapshot) {
			s.Done, s.Load.State, s.Load.Verdict = true, control.Done, "pass"
			s.Reports = []control.Report{{Job: "daily", State: control.Done, Rows: 12}}
			s.Notify = &control.Notify{Sent: 1, Messages: []control.Message{{State: "sent", Title: "Daily totals ready", Unit: "FIN", Channel: "console", Text: "12 rows\x1b[2J\nsecond line"}}}
			s.Proof = &control.Proof{Run: "r1", Sent: 10000, Rows: 10000, Done: true}
		})
		synctest.Wait()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		all := out.String()
		if strings.ContainsAny(all, "\x1b\x07") {
			t.Error("control characters in plain lines")
		}
		end := strings.Split(strings.TrimSpace(all), "\n")
		if last := end[len(end)-1]; !strings.HasPrefix(last, "proof     proved: lost 0 doubled 0") {
			t.Errorf("the last line is %q, want the proof", last)
		}
	})
}

// A comparison and a search have a line for each step, and their result.
func TestFollowTellsComparisonsAndSearches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		from := make(fed, 1)
		var out page
		done := make(chan error, 1)
		go func() { done <- follow(ctx, from, &out, 10*time.Second) }()
		tell := func(change func(*control.Snapshot)) string {
			out.Reset()
			from <- snapshot(func(s *control.Snapshot) {
				s.Load, s.Streams = nil, nil
				change(s)
			})
			synctest.Wait()
			return out.String()
		}
		run := control.PairRun{Build: "baseline", Pair: 1, Round: 1, State: control.Running, Step: "load"}
		p99 := control.Finding{Metric: "p99", Gated: true, Floor: 0.1, Pairs: 1, Estimate: 0.3, From: 0.2, To: 0.4}
		trial := control.Trial{Rate: 800, Outcome: control.NotKept, Phase: "step up", Told: "p99 212ms, not <100ms"}
		for _, x := range []struct {
			change func(*control.Snapshot)
			want   string
		}{
			{func(s *control.Snapshot) {
				s.Comparison = &control.Comparison{ID: "c", Kind: control.Compare, Profile: "ci", State: control.Running, Pairs: 6, Runs: []control.PairRun{run}}
			}, "compare   ci running  pair 1 of 6, baseline: load\n"},
			{func(s *control.Snapshot) {
				run.State, run.Step = control.Done, ""
				s.Comparison = &control.Comparison{ID: "c", Kind: control.Compare, Profile: "ci", State: control.Running, Pairs: 6, Left: 90, Runs: []control.PairRun{run}, Findings: []control.Finding{p99}}
			}, "compare   ci running  pair 1 of 6, baseline, about 1m30s left  p99 +30.0% [+20.0%, +40.0%] of 10%\n"},
			{func(s *control.Snapshot) {
				p99.Verdict = "regressed"
				s.Comparison = &control.Comparison{ID: "c", Kind: control.Compare, Profile: "ci", State: control.Done, Findings: []control.Finding{p99}, Verdict: "regressed", Reason: "p99 30 % worse"}
			}, "compare   ci done  p99 +30.0% [+20.0%, +40.0%] of 10% regressed  verdict regressed p99 30 % worse\n"},
			{func(s *control.Snapshot) {
				s.Search = &control.Search{ID: "s", Profile: "ci", SLO: "p99<100ms", State: control.Running, Trials: []control.Trial{trial}, LowestNotKept: 800, Trial: &control.Trial{Rate: 600, Phase: "bisect"}, Spent: 40, Most: 600}
			}, "search    ci p99<100ms running  trial 1: 800/s not kept p99 212ms, not <100ms  not kept 800/s  now 600/s (bisect)  spent 40s of 10m00s\n"},
			{func(s *control.Snapshot) {
				s.Search = &control.Search{ID: "s", Profile: "ci", SLO: "p99<100ms", State: control.Done, Trials: []control.Trial{trial}, Verdict: "capacity", Headline: "capacity 700/s; 800/s was not kept", Confidence: "high", Reasons: []string{"700/s was kept in 2 of 2 trials"}, Spent: 80}
			}, "search    ci p99<100ms done  capacity 700/s; 800/s was not kept  confidence high (700/s was kept in 2 of 2 trials)  1 trials in 1m20s\n"},
		} {
			if got := tell(x.change); !strings.HasSuffix(got, x.want) {
				t.Errorf("got %q, want %q", got, x.want)
			}
			if got := tell(x.change); got != "" {
				t.Errorf("said twice: %q", got)
			}
		}
		cancel()
		if err := <-done; err != nil || !strings.Contains(out.String(), "capacity 700/s") {
			t.Errorf("the summary has no capacity: %v, %q", err, out.String())
		}
	})
}

// What makes a run worthless or broken is said in its line, at once.
func TestLoadTellsWhatIsWrong(t *testing.T) {
	var f follower
	now := time.Now()
	f.changes(snapshot(nil), now)
	for _, x := range []struct {
		change func(*control.Load)
		want   string
	}{
		{func(l *control.Load) { l.Self.Invalid = "109 ms behind its schedule" }, "INVALID: 109 ms behind its schedule"},
		{func(l *control.Load) {
			l.Limits = []control.Limit{{Name: "response_ms p99", Want: "≤ 100", Got: "212", State: control.Bad}}
		}, "BROKEN response_ms p99 ≤ 100 is 212"},
		{func(l *control.Load) { l.Resumed = 2 }, "resumed 2 times"},
		{func(l *control.Load) { l.Interactive, l.Changes = true, []control.Change{{What: "paused"}} }, "changed by hand"},
		{func(l *control.Load) { l.Read, l.Resumed = &control.Read{Messages: 4000, Behind: 90}, 1 }, "read back 4,000 behind 90 doubled 0"},
	} {
		got := strings.Join(f.changes(snapshot(func(s *control.Snapshot) { x.change(s.Load) }), now), "\n")
		if !strings.Contains(got, x.want) {
			t.Errorf("got %q, want %q", got, x.want)
		}
	}
}

func TestFollowWithoutServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := make(fed, 1)
		from <- control.Update{Err: control.ErrNotServed}
		if err := follow(t.Context(), from, &strings.Builder{}, 0); !errors.Is(err, control.ErrNotServed) {
			t.Errorf("got %v, want ErrNotServed at once", err)
		}
	})
}

func TestFollowGivesUpOnALostServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		from := make(fed, 1)
		done := make(chan error, 1)
		go func() { done <- follow(t.Context(), from, &strings.Builder{}, time.Hour) }()
		from <- snapshot(nil)
		synctest.Wait()
		lost := time.Now()
		from <- control.Update{Snapshot: snapshot(nil).Snapshot, Err: errors.New("the process has ended"), Heard: lost}
		if err := <-done; err == nil || !strings.Contains(err.Error(), "the process has ended") || time.Since(lost) < goneLimit {
			t.Errorf("got %v after %v", err, time.Since(lost))
		}
	})
}

func TestFollowEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		from := make(fed, 1)
		var out page
		done := make(chan error, 1)
		go func() { done <- follow(ctx, from, &out, 0) }()
		from <- snapshot(nil)
		synctest.Wait()
		cancel()
		if err := <-done; err != nil || !strings.Contains(out.String(), "rows 4,000") {
			t.Errorf("got %v and\n%s", err, out.String())
		}
	})
}
