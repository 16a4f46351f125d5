// Package tui is the terminal UI of weir: one screenful over load, lag, jobs and messages.
//
// Start it with [Run] on a [control.Source]; where [Suitable] says no, use package plain. It knows nothing but the control API:
// closing it stops nothing, and it attaches to whatever process serves the socket.
//
// # Promises
//
// Every figure shows its age; when the server is gone the data stay, in grey, with their age and the time of the next try.
// The model changes by messages only, and all I/O runs in commands, so neither a dead server nor a slow terminal blocks a key.
// At most 15 snapshots a second reach the model, always the newest. The terminal is restored on every way out, and what was
// last known is left in the scroll-back.
package tui

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/term"

	"weir/internal/control"
	"weir/tui/plain"
	"weir/tui/style"
)

// Options of Run; the zero ones are right for `pipeline tui`.
type Options struct {
	// QuitWhenDone: once the work is finished, show the result until a key is pressed (the demo).
	QuitWhenDone bool
	// Screen to start with, by name; empty is Overview.
	Screen string
	// Getenv tells about the terminal: TERM, NO_COLOR, the locale; nil asks the process.
	Getenv func(string) string
	// Detached is left in the scroll-back when the user leaves while the work goes on; empty has a text for `pipeline tui`.
	Detached string
	// ReadOnly screens change nothing: what would is said to be off.
	ReadOnly bool
	// NoMouse leaves the mouse to the terminal; else clicks choose screens and panels, the wheel moves, and shift selects text.
	NoMouse bool
}

const detached = "detached; the run goes on: `pipeline tui` attaches again"

// ErrNoTerminal means that there is nothing to draw on; plain lines are the way then.
var ErrNoTerminal = errors.New("no terminal")

// Suitable says why a terminal UI cannot be shown here; nil if it can.
func Suitable(in io.Reader, out io.Writer, getenv func(string) string) error {
	if getenv == nil {
		getenv = os.Getenv
	}
	for name, stream := range map[string]any{"stdin": in, "stdout": out} {
		if f, ok := stream.(term.File); !ok || !term.IsTerminal(f.Fd()) {
			return fmt.Errorf("%w: %s is not one; use plain lines (--plain)", ErrNoTerminal, name)
		}
	}
	switch {
	case getenv("TERM") == "dumb" || getenv("TERM") == "":
		return fmt.Errorf("%w: TERM is %q; use plain lines (--plain)", ErrNoTerminal, getenv("TERM"))
	case getenv("CI") == "true":
		return fmt.Errorf("%w: CI=true; use plain lines (--plain)", ErrNoTerminal)
	}
	return nil
}

// Run shows the UI until the user leaves or ctx ends. It fails with ErrNoTerminal if in and out are not a terminal.
func Run(ctx context.Context, from control.Source, in io.Reader, out io.Writer, opt Options) error {
	if opt.Getenv == nil {
		opt.Getenv = os.Getenv
	}
	if err := Suitable(in, out, opt.Getenv); err != nil {
		return fmt.Errorf("tui: %w", err)
	}
	return run(ctx, from, in, out, opt)
}

// updatesPerSecond bounds what reaches the model.
const updatesPerSecond = 15

func run(ctx context.Context, from control.Source, in io.Reader, out io.Writer, opt Options, more ...tea.ProgramOption) error {
	m := newModel(ctx, from, style.New(opt.Getenv), opt)
	p := tea.NewProgram(m, append([]tea.ProgramOption{
		tea.WithContext(ctx), tea.WithInput(in), tea.WithOutput(out),
		tea.WithoutSignalHandler(), // the program's own context carries signals; in raw mode ctrl+c is a key
		tea.WithEnvironment(environment(opt.Getenv)),
	}, more...)...)
	inner, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { // the receiver: the stream holds the newest only, and Send waits for the model, so nothing queues up
		pause := time.NewTicker(time.Second / updatesPerSecond)
		defer pause.Stop()
		for u := range from.Stream(inner) {
			p.Send(updateMsg{u, time.Now()})
			select {
			case <-pause.C:
			case <-inner.Done():
			}
		}
	})
	last, err := p.Run()
	cancel()
	wg.Wait()
	if last, ok := last.(*model); ok {
		farewell(out, last, opt)
	}
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return fmt.Errorf("tui: %w; the work goes on", err)
	}
	return nil
}

// farewell leaves what was last known in the scroll-back.
func farewell(out io.Writer, m *model, opt Options) {
	if s := m.snapshot(); s != nil {
		for _, line := range plain.Summary(s, time.Now()) {
			fmt.Fprintln(out, line)
		}
	}
	if m.finished() {
		return
	}
	if opt.Detached == "" {
		opt.Detached = detached
	}
	fmt.Fprintln(out, opt.Detached)
}

// environment is what the renderer asks of the process.
func environment(getenv func(string) string) []string {
	var env []string
	for _, name := range []string{"TERM", "COLORTERM", "TERM_PROGRAM", "TMUX", "STY", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "LC_ALL", "LC_CTYPE", "LANG", "SSH_TTY", "WT_SESSION", "COLUMNS", "LINES"} {
		if v := getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}
