package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// start serves a fresh hub on a fresh socket until the test ends.
func start(t *testing.T, verbs map[string]Verb, opts ...Option) (*Hub, *Server, *Client) {
	t.Helper()
	path := filepath.Join(t.TempDir(), SocketName)
	hub := NewHub("test", "home")
	s, err := Start(t.Context(), path, hub, verbs, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c := Dial(path)
	t.Cleanup(c.Close)
	return hub, s, c
}

// until reads updates until one is as wanted.
func until(t *testing.T, from <-chan Update, what string, want func(Update) bool) Update {
	t.Helper()
	limit := time.After(10 * time.Second)
	for {
		select {
		case u, ok := <-from:
			if !ok {
				t.Fatalf("%s: the stream has ended", what)
			}
			if want(u) {
				return u
			}
		case <-limit:
			t.Fatalf("%s: not seen", what)
		}
	}
}

func TestSnapshotTravelsWhole(t *testing.T) {
	hub, _, c := start(t, map[string]Verb{"stop": nil, "pause": nil})
	want := full()
	hub.Update(func(s *Snapshot) {
		s.Parts, s.Attention, s.Load, s.Streams, s.Reports, s.Notify, s.Proof = want.Parts, want.Attention, want.Load, want.Streams, want.Reports, want.Notify, want.Proof
		s.Comparison, s.Search = want.Comparison, want.Search
	})
	got, err := c.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(hub.Snapshot(), got, cmp.Comparer(time.Time.Equal)); d != "" {
		t.Errorf("what arrives differs (-hub +client):\n%s", d)
	}
	if d := cmp.Diff([]string{"pause", "stop"}, got.Verbs); d != "" {
		t.Errorf("verbs: %s", d)
	}
}

func TestSnapshotHandedOutNeverChanges(t *testing.T) {
	hub := NewHub("test", "home")
	mine := full()
	hub.Update(func(s *Snapshot) {
		s.Load, s.Streams, s.Notify, s.Proof = mine.Load, mine.Streams, mine.Notify, mine.Proof
		s.Comparison, s.Search = mine.Comparison, mine.Search
	})
	out := hub.Snapshot()
	before, _ := json.Marshal(out)
	mine.Load.History[0].Rate = -1 // the giver goes on with what it gave
	mine.Load.ErrorsByCause["x"] = 1
	mine.Streams[0].Partitions[0].End = -1
	mine.Comparison.Runs[0].Build = "changed"
	mine.Search.Trial.Rate = -1
	hub.Update(func(s *Snapshot) { // and the next change works in place
		s.Load.Sent = -1
		s.Load.Stages[0].Name = "changed"
		s.Load.Limits[0].Name = "changed"
		s.Streams[0].History[0].Behind = -1
		s.Notify.Messages[0].Title = "changed"
		s.Notify.Channels[0].Name = "changed"
		s.Proof.Lost = -1
		s.Comparison.Findings[0].Estimate = -1
		s.Comparison.Runs[0].State = "changed"
		s.Search.Trials[0].Rate = -1
		s.Search.Trial.Rate = -2
		s.Search.Reasons[0] = "changed"
	})
	if after, _ := json.Marshal(out); !bytes.Equal(before, after) {
		t.Errorf("a snapshot that was handed out has changed:\n%s\n%s", before, after)
	}
}

func TestSlowReaderNeverQueuesUp(t *testing.T) {
	hub, _, c := start(t, nil)
	conn, err := net.Dial("unix", c.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprint(conn, "GET /v1/stream HTTP/1.1\r\nHost: weir\r\n\r\n")
	began := time.Now()
	const changes = 20_000
	for i := range changes { // the reader sleeps; the writer must not notice
		hub.Update(func(s *Snapshot) { s.Load = &Load{Run: "r", Sent: int64(i + 1), Profile: strings.Repeat("x", 2000)} })
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("%d changes took %v with a reader that reads nothing", changes, took)
	}
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	frames := 0
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, maxFrame)
	for lines.Scan() {
		var f Frame
		if err := json.Unmarshal(lines.Bytes(), &f); err != nil {
			t.Fatal(err)
		}
		frames++
		if f.Snapshot != nil && f.Snapshot.Load != nil && f.Snapshot.Load.Sent == changes {
			break
		}
	}
	if most := int(time.Since(began).Seconds()*MaxFramesPerSecond) + 4; frames > most {
		t.Errorf("the newest state came after %d frames, want at most %d", frames, most)
	}
}

func TestStreamSurvivesDeathAndReturn(t *testing.T) {
	hub, s, c := start(t, nil)
	hub.Update(func(s *Snapshot) { s.Load = &Load{Run: "first", State: Running} })
	ctx, cancel := context.WithCancel(t.Context())
	updates := c.Stream(ctx)
	until(t, updates, "live", func(u Update) bool { return u.Live && u.Snapshot.Load != nil })
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	dead := until(t, updates, "dead", func(u Update) bool { return !u.Live })
	if dead.Snapshot == nil || dead.Snapshot.Load.Run != "first" {
		t.Error("the last data are gone with the server")
	}
	if dead.Err == nil || dead.RetryAt.IsZero() || dead.Heard.IsZero() {
		t.Errorf("a dead stream says why, since when and when it tries again; got %v, %v, %v", dead.Err, dead.Heard, dead.RetryAt)
	}
	until(t, updates, "nobody there", func(u Update) bool { return !u.Live && errors.Is(u.Err, ErrNotServed) })
	second := NewHub("test", "home")
	second.Update(func(s *Snapshot) { s.Load = &Load{Run: "second"} })
	again, err := Start(t.Context(), c.Path(), second, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	c.Refresh()
	until(t, updates, "live again", func(u Update) bool { return u.Live && u.Snapshot.Load.Run == "second" })
	cancel()
	for range updates { // closed once the goroutine has ended
	}
}

// A program that ends says so: its last state reaches whoever watches, also if it ends at once.
func TestTheLastStateReachesReaders(t *testing.T) {
	for range 20 {
		hub, s, c := start(t, nil)
		ctx, cancel := context.WithCancel(t.Context())
		updates := c.Stream(ctx)
		until(t, updates, "live", func(u Update) bool { return u.Live })
		hub.Update(func(s *Snapshot) { s.Done = true })
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		u := until(t, updates, "the end", func(u Update) bool { return !u.Live })
		if u.Snapshot == nil || !u.Snapshot.Done {
			t.Fatalf("the last thing heard is not the end: %+v", u.Snapshot)
		}
		cancel()
		for range updates {
		}
	}
}

func TestStoppedServerShowsAsDead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path) // accepts in the kernel, answers nothing: a process under SIGSTOP
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := Dial(path)
	c.dead = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	u := until(t, c.Stream(ctx), "dead", func(u Update) bool { return !u.Live })
	if u.Err == nil || !strings.Contains(u.Err.Error(), "no sign of life") {
		t.Errorf("got %v", u.Err)
	}
}

func TestBeatKeepsAQuietStreamLive(t *testing.T) {
	_, _, c := start(t, nil, func(s *Server) { s.reading = 100 * time.Millisecond }) // far below the beat: must not end the stream
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	updates := c.Stream(ctx)
	first := until(t, updates, "live", func(u Update) bool { return u.Live })
	until(t, updates, "a beat", func(u Update) bool {
		if !u.Live {
			t.Fatalf("the stream broke: %v", u.Err)
		}
		return u.Heard.Sub(first.Heard) > 1500*time.Millisecond && u.Snapshot == first.Snapshot
	})
}

func TestTwoServersOnOneSocket(t *testing.T) {
	_, _, c := start(t, nil)
	_, err := Start(t.Context(), c.Path(), NewHub("other", "home"), nil)
	if !errors.Is(err, ErrServed) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Fatalf("the second server got %v, want ErrServed with the process id of the first", err)
	}
	if s, err := c.Snapshot(t.Context()); err != nil || s.Version != "test" {
		t.Errorf("the first server no longer answers: %v", err)
	}
}

func TestStaleSocketFileIsReplaced(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close() // as after kill -9
	s, err := Start(t.Context(), path, NewHub("new", "home"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("socket: %v, %v; want mode 0600", info.Mode(), err)
	}
	if got, err := Dial(path).Snapshot(t.Context()); err != nil || got.Version != "new" {
		t.Errorf("no answer: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

func TestOneOfManyStartersWins(t *testing.T) {
	path := filepath.Join(t.TempDir(), SocketName)
	results := make(chan error)
	for range 16 {
		go func() {
			s, err := Start(t.Context(), path, NewHub("one", "home"), nil)
			if err == nil {
				t.Cleanup(func() { s.Close() })
			}
			results <- err
		}()
	}
	won := 0
	for range 16 {
		switch err := <-results; {
		case err == nil:
			won++
		case !errors.Is(err, ErrServed):
			t.Errorf("a loser got %v, want ErrServed", err)
		}
	}
	if won != 1 {
		t.Errorf("%d servers on one socket", won)
	}
	if s, err := Dial(path).Snapshot(t.Context()); err != nil || s.Version != "one" {
		t.Errorf("the winner does not answer: %v", err)
	}
}

func TestSocketInADeepDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 40))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, SocketName)
	s, err := Start(t.Context(), path, NewHub("deep", "home"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got, err := Dial(path).Snapshot(t.Context()); err != nil || got.Version != "deep" {
		t.Errorf("no answer: %v", err)
	}
}

func TestNobodyServes(t *testing.T) {
	_, err := Dial(filepath.Join(t.TempDir(), SocketName)).Snapshot(t.Context())
	if !errors.Is(err, ErrNotServed) || hintOf(err) == "" {
		t.Errorf("got %v, want ErrNotServed with a hint", err)
	}
}
