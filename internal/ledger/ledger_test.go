package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"weir/internal/outcome"
)

func open(t *testing.T, path string) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closed(t *testing.T, l *Ledger) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var daily = Run{RunID: "r1", Job: "daily_totals", Kind: "report", Title: "Daily totals", Unit: "FIN", MaxAttempts: 3,
	Interval: outcome.Interval{Start: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), End: time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)}}

func unreported(t *testing.T, l *Ledger) string {
	t.Helper()
	os, err := l.Unreported(t.Context())
	must(t, err)
	var s []string
	for _, o := range os {
		s = append(s, fmt.Sprintf("%s %s try %d rev %d", o.RunID, o.State, o.Attempt, o.Revision))
	}
	return strings.Join(s, ", ")
}

func TestARunWithARetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
		defer closed(t, l)
		ctx := t.Context()
		start := time.Now()
		must(t, l.Start(ctx, daily))
		time.Sleep(time.Minute)
		must(t, l.Heartbeat(ctx, "r1"))
		failed := outcome.Outcome{State: outcome.Failed, Cause: outcome.Cause{Text: "password=hunter2 refused"}}
		must(t, l.Finish(ctx, "r1", failed))
		must(t, l.Finish(ctx, "r1", failed)) // a retried call
		if got := unreported(t, l); got != "r1 failed try 1 rev 1" {
			t.Errorf("to be told: %s", got)
		}
		again := daily
		again.Attempt = 2
		must(t, l.Start(ctx, again))
		time.Sleep(time.Minute)
		must(t, l.Finish(ctx, "r1", outcome.Outcome{State: outcome.Ready, RowsIn: 10, RowsOut: 9, Rejected: 1}))
		if got := unreported(t, l); got != "r1 failed try 1 rev 1, r1 ready try 2 rev 2" {
			t.Errorf("to be told: %s", got)
		}
		r, err := l.Get(ctx, "r1")
		must(t, err)
		want := outcome.Outcome{RunID: "r1", Job: "daily_totals", Kind: "report", Title: "Daily totals", Unit: "FIN", State: outcome.Ready, Interval: daily.Interval,
			Attempt: 2, MaxAttempts: 3, Revision: 2, Started: start.Add(time.Minute), Ended: start.Add(2 * time.Minute), At: start.Add(2 * time.Minute), RowsIn: 10, RowsOut: 9, Rejected: 1}
		if d := cmp.Diff(&want, r.Outcome); d != "" || r.State != outcome.Ready || !r.Ended.Equal(want.Ended) {
			t.Errorf("run %+v\n%s", r, d)
		}
		tries, err := l.Attempts(ctx, "r1")
		must(t, err)
		if len(tries) != 2 || tries[0].State != outcome.Failed || strings.Contains(tries[0].Cause, "hunter2") || tries[1].State != outcome.Ready {
			t.Errorf("tries %+v", tries)
		}
		os, err := l.Unreported(ctx)
		must(t, err)
		must(t, l.MarkReported(ctx, os[0].EventID()))
		must(t, l.MarkReported(ctx, "unknown"))
		if got := unreported(t, l); got != "r1 ready try 2 rev 2" {
			t.Errorf("to be told: %s", got)
		}
	})
}

func TestARunWhoseProcessDiedIsToldAsFailed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
		defer closed(t, l)
		ctx := t.Context()
		must(t, l.Start(ctx, daily))
		alive := daily
		alive.RunID = "r2"
		must(t, l.Start(ctx, alive))
		time.Sleep(50 * time.Second)
		must(t, l.Heartbeat(ctx, "r2"))
		time.Sleep(20 * time.Second)
		lost, err := l.Reap(ctx, time.Minute)
		must(t, err)
		if len(lost) != 1 || lost[0].RunID != "r1" || lost[0].State != outcome.Failed {
			t.Fatalf("lost %+v", lost)
		}
		if c := lost[0].Outcome.Cause; c.Code != "run.lost" || !strings.Contains(c.Text, "its last sign of life was at 2000-01-01 00:00:00 UTC") {
			t.Errorf("cause %+v", c)
		}
		again, err := l.Reap(ctx, time.Minute)
		must(t, err)
		if len(again) != 0 || unreported(t, l) != "r1 failed try 1 rev 1" {
			t.Errorf("again %+v, to be told: %s", again, unreported(t, l))
		}
		if err := l.Heartbeat(ctx, "r1"); !errors.Is(err, ErrEnded) {
			t.Errorf("the zombie's heartbeat: %v", err)
		}
		must(t, l.Finish(ctx, "r1", outcome.Outcome{State: outcome.Ready})) // it was only very slow
		if got := unreported(t, l); got != "r1 failed try 1 rev 1, r1 ready try 1 rev 2" {
			t.Errorf("to be told: %s", got)
		}
	})
}

func TestMistakesOfACaller(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
	defer closed(t, l)
	ctx := t.Context()
	if _, err := l.Get(ctx, "nope"); !errors.Is(err, ErrNoRun) {
		t.Errorf("get: %v", err)
	}
	if err := l.Finish(ctx, "nope", outcome.Outcome{State: outcome.Ready}); !errors.Is(err, ErrNoRun) {
		t.Errorf("finish: %v", err)
	}
	if err := l.Start(ctx, Run{Job: "x"}); err == nil {
		t.Error("a run without an id starts")
	}
	must(t, l.Start(ctx, daily))
	must(t, l.Start(ctx, daily)) // again is a sign of life
	if err := l.Finish(ctx, "r1", outcome.Outcome{State: outcome.Running}); err == nil {
		t.Error("a run ends as running")
	}
	must(t, l.Finish(ctx, "r1", outcome.Outcome{State: outcome.Ready}))
	if err := l.Start(ctx, daily); !errors.Is(err, ErrEnded) {
		t.Errorf("an ended attempt starts again: %v", err)
	}
}

func TestRunsAreListedNewestFirst(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
	defer closed(t, l)
	for i, job := range []string{"a", "b", "a", "a"} {
		must(t, l.Start(t.Context(), Run{RunID: fmt.Sprint(i), Job: job, Started: time.Unix(int64(i), 0)}))
	}
	for _, c := range []struct {
		job  string
		n    int
		want string
	}{{"a", 2, "3 2 "}, {"", 10, "3 2 1 0 "}, {"c", 10, ""}} {
		runs, err := l.Runs(t.Context(), c.job, c.n)
		must(t, err)
		got := ""
		for _, r := range runs {
			got += r.RunID + " "
		}
		if got != c.want {
			t.Errorf("runs of %q: %s, want %s", c.job, got, c.want)
		}
	}
}

func TestReadableKeepsTheFirstTime(t *testing.T) {
	l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
	defer closed(t, l)
	at := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	must(t, l.Readable(t.Context(), "bank.transactions", 7, at))
	must(t, l.Readable(t.Context(), "bank.transactions", 7, at.Add(time.Hour)))
	must(t, l.Readable(t.Context(), "bank.other", 8, at))
	got, err := l.ReadableAt(t.Context(), "bank.transactions")
	must(t, err)
	if d := cmp.Diff(map[int64]time.Time{7: at}, got); d != "" {
		t.Error(d)
	}
}

// TestRunnerChild runs jobs in a process of its own; it does nothing otherwise.
func TestRunnerChild(t *testing.T) {
	spec := os.Getenv("WEIR_LEDGER_CHILD")
	if spec == "" {
		t.Skip("only as a child of TestProcessesShareTheLedger")
	}
	name, path, _ := strings.Cut(spec, " ")
	l := open(t, path)
	defer closed(t, l)
	for i := range 20 {
		id := fmt.Sprintf("%s-%d", name, i)
		must(t, l.Start(t.Context(), Run{RunID: id, Job: name}))
		must(t, l.Heartbeat(t.Context(), id))
		must(t, l.Finish(t.Context(), id, outcome.Outcome{State: outcome.Ready}))
	}
}

func TestProcessesShareTheLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	g, ctx := errgroup.WithContext(context.Background())
	for i := range 3 {
		g.Go(func() error {
			cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestRunnerChild$")
			cmd.Env = append(os.Environ(), fmt.Sprintf("WEIR_LEDGER_CHILD=job%d %s", i, path))
			if out, err := cmd.CombinedOutput(); err != nil {
				return fmt.Errorf("%w: %s", err, out)
			}
			return nil
		})
	}
	must(t, g.Wait())
	l := open(t, path)
	defer closed(t, l)
	told, err := l.Unreported(t.Context())
	must(t, err)
	runs, err := l.Runs(t.Context(), "", 100)
	must(t, err)
	if len(told) != 60 || len(runs) != 60 {
		t.Errorf("%d outcomes, %d runs, want 60 each", len(told), len(runs))
	}
}

// What a service runs goes on when the process that submitted it dies.
func TestARunElsewhereIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := open(t, filepath.Join(t.TempDir(), "ledger.db"))
		defer l.Close()
		ctx := t.Context()
		if err := l.Start(ctx, Run{RunID: "here", Job: "a"}); err != nil {
			t.Fatal(err)
		}
		if err := l.Start(ctx, Run{RunID: "there", Job: "a", Remote: "emr"}); err != nil {
			t.Fatal(err)
		}
		if err := l.Elsewhere(ctx, "there", "emr j-1/s-1"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		lost, err := l.Reap(ctx, time.Minute)
		if err != nil || len(lost) != 1 || lost[0].RunID != "here" {
			t.Errorf("lost %v, %v", lost, err)
		}
		open, err := l.Open(ctx)
		if err != nil || len(open) != 1 || open[0].RunID != "there" || open[0].Remote != "emr j-1/s-1" {
			t.Errorf("open %v, %v", open, err)
		}
		if err := l.Elsewhere(ctx, "here", "emr j-1/s-2"); !errors.Is(err, ErrEnded) {
			t.Errorf("a run that has ended: %v", err)
		}
	})
}
