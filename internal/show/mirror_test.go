package show

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"weir/internal/control"
)

// TestAHomeWithoutAServerShowsAndSteersItsNewestRun: the screens of `pipeline tui` alone.
func TestAHomeWithoutAServerShowsAndSteersItsNewestRun(t *testing.T) {
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "load"), 0o755); err != nil {
		t.Fatal(err)
	}
	run := func(id string, verbs map[string]control.Verb) (*control.Hub, *control.Server) {
		hub := control.NewHub("loadgen", home)
		hub.Update(func(s *control.Snapshot) { s.Load = &control.Load{Run: id, State: control.Running} })
		srv, err := control.Start(t.Context(), LoadSocket(home, id), hub, verbs)
		if err != nil {
			t.Fatal(err)
		}
		return hub, srv
	}
	paused := make(chan string, 1)
	_, old := run("01A", nil)
	defer old.Close()
	newer, srv := run("01B", map[string]control.Verb{"load.pause": func(context.Context, json.RawMessage) (any, error) {
		paused <- "01B"
		return nil, nil
	}})
	defer srv.Close()

	hub := control.NewHub("tui", home)
	ctx, stop := context.WithCancel(t.Context())
	var mirroring sync.WaitGroup
	mirroring.Go(func() { Mirror(ctx, hub, home) })
	defer mirroring.Wait()
	defer stop()
	changed, cancel := hub.Subscribe()
	defer cancel()
	see := func(what string, is func(*control.Load) bool) {
		t.Helper()
		limit := time.After(10 * time.Second)
		for l := hub.Snapshot().Load; l == nil || !is(l); l = hub.Snapshot().Load {
			select {
			case <-changed:
			case <-limit:
				t.Fatalf("never %s: %+v", what, hub.Snapshot().Load)
			}
		}
	}
	see("the newest run", func(l *control.Load) bool { return l.Run == "01B" })
	if _, err := Steered(hub, home)["load.pause"](t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := <-paused; got != "01B" {
		t.Errorf("%s was paused", got)
	}
	newer.Update(func(s *control.Snapshot) { s.Load.Sent = 7 })
	see("its figures", func(l *control.Load) bool { return l.Sent == 7 })
	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	see("that it has fallen silent, or the other one", func(l *control.Load) bool { return l.Silent || l.Run == "01A" })
}
