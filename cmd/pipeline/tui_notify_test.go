package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"weir/internal/notify"
	"weir/internal/notify/channel"
	"weir/internal/outcome"
	"weir/internal/project"
)

// refusing is a channel that takes nothing, ever.
type refusing struct{}

func (refusing) Send(context.Context, channel.Post) (channel.Receipt, error) {
	return channel.Receipt{}, &channel.Failure{Class: channel.Refused, Code: "too_long"}
}

// TestADeadLetterIsSentAgainFromTheScreen is the whole way on a real terminal: nothing runs in the home, a dead letter stands on the
// Overview, is looked at, and sent again by the sender that begins meanwhile.
func TestADeadLetterIsSentAgainFromTheScreen(t *testing.T) {
	dir := t.TempDir()
	const text = "version: 1\nchannels: {hook: {console: {path: hook.txt}}, other: {console: {path: other.txt}}}\ndefault: [hook]\nfallback: [other]\n"
	if err := os.WriteFile(filepath.Join(dir, "units.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := project.Open(dir, filepath.Join(dir, ".weir"))
	if err != nil {
		t.Fatal(err)
	}
	serve := func(extra map[string]channel.Channel, until func(*notify.Service) bool) {
		t.Helper()
		units, err := notify.LoadUnits(p.Units())
		if err != nil {
			t.Fatal(err)
		}
		s, err := notify.Open(t.Context(), p.Outbox(), units, notify.Options{Home: p.Home, Extra: extra})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}()
		if extra != nil {
			if _, err := s.Accept(t.Context(), outcome.Outcome{RunID: "r1", Job: "gl_report", State: outcome.Failed, At: time.Now(), Cause: outcome.Cause{Text: "no input came"}}); err != nil {
				t.Fatal(err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		tick, limit := time.NewTicker(20*time.Millisecond), time.After(30*time.Second)
		defer tick.Stop()
		for !until(s) {
			select {
			case <-tick.C:
			case <-limit:
				t.Fatal("never so far")
			}
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
	count := func(state string) func(*notify.Service) bool {
		return func(s *notify.Service) bool {
			all, err := s.Outbox(t.Context(), notify.Filter{State: state, Channel: "hook"})
			return err == nil && len(all) == 1
		}
	}
	serve(map[string]channel.Channel{"hook": refusing{}}, count("dead"))

	cmd := exec.Command(os.Args[0], "tui") //nolint:gosec // process: the test binary is the program here
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "WEIR_TEST_MAIN=pipeline", "WEIR_HOME="+p.Home, "TERM=xterm-256color", "LANG=C.UTF-8", "LC_ALL=C.UTF-8", "CI=", "NO_COLOR=", "USER=anna")
	x := onTerminal(t, 120, 40, cmd)
	x.shows("DEAD     gl_report", "hook: refused: too_long")
	x.press("\r")
	x.shows("[5 Notify]", "nobody sends", "post: refused, too_long", "Why: no input came")
	x.press("R")
	x.shows("send FAILED gl_report", "again?")
	x.press("y")
	x.shows("redriven", "◌ ready")
	serve(nil, count("sent"))
	x.shows("✔ sent     gl_report failed")
	if b, err := os.ReadFile(filepath.Join(p.Home, "hook.txt")); err != nil || len(b) == 0 {
		t.Errorf("nothing has arrived: %q, %v", b, err)
	}
	x.press("s")
	x.shows("Silence", `job = "gl_report"`)
	x.press("\t\tmigration\r")
	x.shows("silence 1 of anna until", "‖ silence 1")
	x.press("q")
	select {
	case err := <-x.ended:
		if err != nil {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("q does not end it")
	}
}
