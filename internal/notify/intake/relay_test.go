package intake

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/ledger"
	"weir/internal/outcome"
)

type book struct{ *ledger.Ledger }

func (b book) GiveUp(ctx context.Context, silence time.Duration) (int, error) {
	lost, err := b.Reap(ctx, silence)
	return len(lost), err
}

func (b book) Close() error { return nil } // the test goes on with it

func ended(t *testing.T, l *ledger.Ledger, run string, state outcome.State) {
	t.Helper()
	if err := l.Start(t.Context(), ledger.Run{RunID: run, Job: "by_name"}); err != nil {
		t.Fatal(err)
	}
	if state == outcome.Running {
		return
	}
	if err := l.Finish(t.Context(), run, outcome.Outcome{State: state}); err != nil {
		t.Fatal(err)
	}
}

// relayFor runs the relay for a while of virtual time.
func relayFor(t *testing.T, r Relay, d time.Duration) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), d)
	defer stop()
	if err := r.Run(ctx); err != nil {
		t.Fatal(err)
	}
}

// A run whose process was killed is told as failed; one whose ledger row is marked as told, but which the outbox has lost, is told;
// what is too old is no news.
func TestRelayFindsTheKilledAndTheLost(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, err := ledger.Open(t.Context(), filepath.Join(dir, "ledger.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ended(t, l, "ancient", outcome.Ready)
		time.Sleep(3 * 24 * time.Hour)
		ended(t, l, "lost", outcome.Ready)
		all, err := l.Unreported(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range all { // a former outbox had them both
			if err := l.MarkReported(t.Context(), o.EventID()); err != nil {
				t.Fatal(err)
			}
		}
		ended(t, l, "fresh", outcome.Ready)
		ended(t, l, "killed", outcome.Running)
		s, fin, rest := serviceAt(t, filepath.Join(dir, "outbox.db"))
		r := Relay{Notify: s, Log: quiet, Open: func(context.Context) (Ledger, error) { return book{l}, nil }}
		relayFor(t, r, 45*time.Second)
		states := func() map[string]outcome.State {
			drain(t, s)
			out := map[string]outcome.State{}
			for _, p := range append(fin.posts, rest.posts...) {
				out[p.Message.Outcome.RunID] = p.Message.Outcome.State
			}
			return out
		}
		if got := states(); len(got) != 2 || got["lost"] != outcome.Ready || got["fresh"] != outcome.Ready {
			t.Errorf("told after 45 s: %v", got)
		}
		relayFor(t, r, 2*time.Minute)
		if got := states(); len(got) != 3 || got["killed"] != outcome.Failed {
			t.Errorf("told in the end: %v", got)
		}
		if why := fin.last(t).Why; !strings.Contains(why, "the process that ran it") {
			t.Errorf("why: %q", why)
		}
	})
}

// After a sleep of the machine, a run that shows life again within a minute is not given up.
func TestRelayGivesNobodyUpAfterASleep(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, err := ledger.Open(t.Context(), filepath.Join(dir, "ledger.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ended(t, l, "sleeper", outcome.Running)
		s, _, _ := serviceAt(t, filepath.Join(dir, "outbox.db"))
		opened := 0
		r := Relay{Notify: s, Log: quiet, Open: func(context.Context) (Ledger, error) {
			if opened++; opened == 5 {
				time.Sleep(8 * time.Hour) // the lid is closed
			}
			if opened < 10 {
				return nil, nil
			}
			return book{l}, nil
		}}
		go func() {
			time.Sleep(8*time.Hour + 50*time.Second)
			for range 20 {
				if err := l.Heartbeat(t.Context(), "sleeper"); err != nil {
					t.Error(err)
				}
				time.Sleep(10 * time.Second)
			}
		}()
		relayFor(t, r, 8*time.Hour+3*time.Minute)
		time.Sleep(5 * time.Minute) // the one above ends
		if run, err := l.Get(t.Context(), "sleeper"); err != nil || run.State != outcome.Running {
			t.Errorf("%+v %v", run, err)
		}
	})
}

func TestHeartbeatStopsWhenNotifyIsStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent, stuck atomic.Int32
		h := Heartbeat{Log: quiet, Send: func(context.Context) error { sent.Add(1); return nil }, Healthy: func(context.Context) error {
			if stuck.Load() > 0 {
				return errors.New("something has waited for 31m0s")
			}
			return nil
		}}
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- h.Run(ctx) }()
		time.Sleep(4*time.Minute + 30*time.Second)
		if n := sent.Load(); n != 5 {
			t.Errorf("%d beats in four and a half minutes", n)
		}
		stuck.Store(1)
		time.Sleep(10 * time.Minute)
		if n := sent.Load(); n != 5 {
			t.Errorf("%d beats, although it is stuck", n)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestPingShowsNoSecret(t *testing.T) {
	var calls atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) > 1 {
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	h := Heartbeat{URL: server.URL + "/ping/hunter2", Log: quiet, Healthy: func(context.Context) error { return nil }}
	if err := h.beat(t.Context()); err != nil || calls.Load() != 1 {
		t.Errorf("%v, %d calls", err, calls.Load())
	}
	for _, close := range []bool{false, true} {
		if close {
			server.Close()
		}
		if err := h.beat(t.Context()); err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "127.0.0.1:0/") {
			t.Errorf("got %v", err)
		}
	}
}
