package control

import (
	"context"
	"encoding/json"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestEitherShowsTheHomesServerAndFallsBack: the screens of a home that is served, then not, with a server of their own behind.
func TestEitherShowsTheHomesServerAndFallsBack(t *testing.T) {
	dir := t.TempDir()
	first, own := filepath.Join(dir, "home.sock"), filepath.Join(dir, "own.sock")
	said := make(chan string, 4)
	says := func(who string) Verb {
		return func(context.Context, json.RawMessage) (any, error) { said <- who; return nil, nil }
	}
	ownHub := NewHub("own", dir)
	if _, err := Start(t.Context(), own, ownHub, map[string]Verb{"files": says("own"), "both": says("own")}); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	e := Either(Dial(first), Dial(own))
	stream := e.Stream(ctx)
	see := func(what string, is func(Update) bool) Update {
		t.Helper()
		limit := time.After(15 * time.Second)
		for {
			select {
			case u := <-stream:
				if is(u) {
					return u
				}
			case <-limit:
				t.Fatal("never " + what)
			}
		}
	}
	ask := func(verb, want string) {
		t.Helper()
		if err := e.Do(t.Context(), verb, nil, nil); err != nil {
			t.Fatal(err)
		}
		if got := <-said; got != want {
			t.Errorf("%s was done by %s, want %s", verb, got, want)
		}
	}
	see("the own server while nobody serves the home", func(u Update) bool {
		return u.Live && u.Snapshot.Version == "own" && slices.Contains(u.Own, "files")
	})
	ask("both", "own")

	homeHub := NewHub("home", dir)
	srv, err := Start(t.Context(), first, homeHub, map[string]Verb{"both": says("home")})
	if err != nil {
		t.Fatal(err)
	}
	e.Refresh()
	see("the home's server", func(u Update) bool { return u.Live && u.Snapshot.Version == "home" && slices.Contains(u.Own, "files") })
	ask("both", "home")
	ask("files", "own")

	if err := srv.Close(); err != nil {
		t.Fatal(err)
	}
	see("the old figures, as dead ones, with what still works", func(u Update) bool {
		return !u.Live && u.Snapshot.Version == "home" && slices.Contains(u.Own, "files")
	})
	ask("both", "own")
	ownHub.Update(func(s *Snapshot) { s.Notify = &Notify{Own: true, Sent: 7} })
	see("the outbox, which needs no server, among the old figures", func(u Update) bool {
		return !u.Live && u.Snapshot.Version == "home" && u.Snapshot.Notify != nil && u.Snapshot.Notify.Sent == 7
	})
	ownHub.Update(func(s *Snapshot) { s.Load = &Load{Run: "r", State: Running} })
	see("a load that runs without the home's server", func(u Update) bool { return u.Live && u.Snapshot.Load != nil })

	stop()
	for range stream { // it is closed
	}
}
