package tui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"weir/internal/control"
	"weir/tui/style"
)

// fed is a source that the test speaks through.
type fed struct {
	still
	updates chan control.Update
}

func (f *fed) Stream(ctx context.Context) <-chan control.Update { return f.updates }

// crlf makes captured output what a terminal's line discipline makes of it: without a TTY a program writes bare line feeds.
type crlf struct {
	mu    sync.Mutex
	to    io.Writer
	n     int
	wrote chan struct{}
}

func (c *crlf) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += len(p)
	select {
	case c.wrote <- struct{}{}:
	default:
	}
	_, err := c.to.Write(bytes.ReplaceAll(p, []byte("\n"), []byte("\r\n")))
	return len(p), err
}

func (c *crlf) count() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

func env(vars ...string) func(string) string {
	return func(name string) string {
		for _, v := range vars {
			if k, val, _ := strings.Cut(v, "="); k == name {
				return val
			}
		}
		return ""
	}
}

// TestProgramOnATerminal runs the real program against a terminal emulator and compares the screen, line by line, with the
// View; and what is left in the scroll-back after q.
func TestProgramOnATerminal(t *testing.T) {
	const w, h = 160, 50
	term := vt.NewSafeEmulator(w, h)
	replies := make(chan struct{})
	in, keys := io.Pipe()
	go func() { // without this the emulator blocks on its own answers
		defer close(replies)
		_, _ = io.Copy(keys, term)
	}()
	out := &crlf{to: term, wrote: make(chan struct{}, 1)}
	s := demo()
	now := time.Now()
	s.At, s.Load.At, s.Notify.At = now, now, now
	from := &fed{updates: make(chan control.Update, 1)}
	from.updates <- control.Update{Snapshot: s, Heard: now, Live: true}
	done := make(chan error, 1)
	go func() {
		done <- run(t.Context(), &contextual{from}, in, out, Options{Getenv: env("TERM=xterm-256color", "LANG=C.UTF-8")}, tea.WithWindowSize(w, h), tea.WithColorProfile(colorprofile.ANSI256))
	}()
	shown := func(want string) []string {
		t.Helper()
		limit := time.After(10 * time.Second)
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			lines := strings.Split(ansi.Strip(term.Render()), "\n")
			if strings.Contains(strings.Join(lines, "\n"), want) {
				return lines
			}
			select {
			case <-limit:
				t.Fatalf("%q not shown:\n%s", want, strings.Join(lines, "\n"))
			case <-tick.C:
			}
		}
	}
	shown("Needs attention (3)")
	if n := out.count(); n > 12_000 {
		t.Errorf("the first picture took %d bytes", n)
	}
	if _, err := keys.Write([]byte("2")); err != nil {
		t.Fatal(err)
	}
	got := shown("p99 ms (")
	m := fresh(t, style.Make(style.Braille, true), s, w, h)
	m.now = now
	feed(m, key("2"))
	want := strings.Split(ansi.Strip(m.View().Content), "\n")
	differ := 0
	for i := 1; i < h; i++ { // the first line has the time
		if strings.TrimRight(got[i], " ") != strings.TrimRight(want[i], " ") {
			differ++
			if !strings.Contains(want[i], "ends about") {
				t.Errorf("line %d\nscreen %q\nview   %q", i, got[i], want[i])
			}
		}
	}
	before := out.count()
	moved := *s
	load := *s.Load
	load.Rate, load.Sent, load.Elapsed = 498_777, load.Sent+500_000, load.Elapsed+1
	load.History = append(slices.Clone(load.History[1:]), control.Point{T: load.Elapsed, Target: 500_000, Rate: 498_777, P99: 60})
	moved.Load = &load
	from.updates <- control.Update{Snapshot: &moved, Heard: time.Now(), Live: true}
	shown("498,777")
	shown("1,998,704,112") // in another panel: the tick is painted whole
	if n := out.count() - before; n > 2048 {
		t.Errorf("one tick took %d bytes, want at most 2048", n)
	} else {
		t.Logf("first picture and one screen change %d bytes, a tick %d bytes, %d lines differ", before, n, differ)
	}
	keyLatency(t, keys, out)
	if _, err := keys.Write([]byte("q")); err != nil {
		t.Fatal(err)
	}
	if err := within(t, done); err != nil {
		t.Fatal(err)
	}
	if end := ansi.Strip(term.Render()); !strings.Contains(end, "detached; the run goes on: `pipeline tui` attaches again") || !strings.Contains(end, "proof     at the end: sent") {
		t.Errorf("left in the scroll-back:\n%s", end)
	}
	if term.IsAltScreen() {
		t.Error("the alternate screen is still on")
	}
	keys.Close()
	term.Close()
	<-replies
}

func within(t *testing.T, done <-chan error) error {
	t.Helper()
	select {
	case err := <-done:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("did not end")
		return nil
	}
}

// keyLatency measures from a key to the first byte of its picture. The bound is loose: tests run beside others.
func keyLatency(t *testing.T, keys io.Writer, out *crlf) {
	t.Helper()
	var took []time.Duration
	for i := range 40 {
		for len(out.wrote) > 0 {
			<-out.wrote
		}
		begin := time.Now()
		if _, err := keys.Write([]byte{"123"[i%3]}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-out.wrote:
			took = append(took, time.Since(begin))
		case <-time.After(5 * time.Second):
			t.Fatal("a key is not answered")
		}
	}
	slices.Sort(took)
	t.Logf("key to paint at 160x50: p50 %v, p95 %v, max %v", took[20], took[38], took[39])
	if took[20] > 50*time.Millisecond {
		t.Errorf("key to paint: half of the keys took over %v", took[20])
	}
}

// TestRunEndsWithItsContext: SIGTERM to the program ends the UI, with the terminal restored.
func TestRunEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	from := &fed{updates: make(chan control.Update, 1)}
	from.updates <- control.Update{Snapshot: demo(), Heard: time.Now(), Live: true}
	in, keys := io.Pipe()
	defer keys.Close()
	done := make(chan error, 1)
	go func() {
		done <- run(ctx, &contextual{from}, in, io.Discard, Options{Getenv: env("TERM=xterm", "LANG=C.UTF-8")}, tea.WithWindowSize(80, 24))
	}()
	cancel()
	if err := within(t, done); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's error", err)
	}
}

// contextual closes its stream with the context, as the client does.
type contextual struct{ *fed }

func (c *contextual) Stream(ctx context.Context) <-chan control.Update {
	context.AfterFunc(ctx, func() { close(c.updates) })
	return c.updates
}
