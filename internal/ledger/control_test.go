package ledger

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"weir/internal/outcome"
)

func opened(t *testing.T) *Ledger {
	t.Helper()
	l, err := Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestOneHasTheLease(t *testing.T) {
	l := opened(t)
	first, err := l.Lease(t.Context(), "x", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Lease(t.Context(), "x", time.Hour); !errors.Is(err, ErrHeld) {
		t.Fatalf("got %v, want ErrHeld", err)
	}
	if err := first.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	second, err := l.Lease(t.Context(), "x", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Renew(t.Context()); !errors.Is(err, ErrHeld) {
		t.Errorf("a holder of before: got %v, want ErrHeld", err)
	}
	if err := first.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := second.Renew(t.Context()); err != nil {
		t.Errorf("somebody else's release took the lease away: %v", err)
	}
}

func TestTheLeaseOfADeadProcessIsFree(t *testing.T) {
	c := exec.Command("true")
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	dead := host + ":" + strconv.Itoa(c.Process.Pid)
	if !Gone(dead) || Gone(Owner()) || Gone("elsewhere:1") || Gone("") {
		t.Errorf("gone: %v %v %v", Gone(dead), Gone(Owner()), Gone("elsewhere:1"))
	}
}

func TestAnAttemptThatFailedIsNotTold(t *testing.T) {
	l := opened(t)
	r := Run{RunID: "r", Job: "a", MaxAttempts: 2}
	for _, err := range []error{
		l.Start(t.Context(), r), l.Retry(t.Context(), "r", "boom"),
		l.Start(t.Context(), Run{RunID: "r", Job: "a", Attempt: 2, MaxAttempts: 2}), l.Finish(t.Context(), "r", outcome.Outcome{State: outcome.Ready}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	told, err := l.Unreported(t.Context())
	if err != nil || len(told) != 1 || told[0].State != outcome.Ready || told[0].Attempt != 2 {
		t.Errorf("told %+v, %v", told, err)
	}
	tries, err := l.Attempts(t.Context(), "r")
	if err != nil || len(tries) != 2 || tries[0].State != outcome.Failed || tries[0].Cause != "boom" || tries[1].State != outcome.Ready {
		t.Errorf("tries %+v, %v", tries, err)
	}
	if err := l.Cancel(t.Context(), "r"); !errors.Is(err, ErrEnded) {
		t.Errorf("cancel of an ended run: %v", err)
	}
}

func TestCancelIsSeenOnce(t *testing.T) {
	l := opened(t)
	if err := l.Start(t.Context(), Run{RunID: "r", Job: "a"}); err != nil {
		t.Fatal(err)
	}
	if err := l.Cancel(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if got, err := l.Cancelled(t.Context(), "r"); err != nil || got != want {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
	if err := l.Cancel(t.Context(), "nothing"); !errors.Is(err, ErrNoRun) {
		t.Errorf("got %v", err)
	}
}
