// Package screen holds the screens of the terminal UI: Overview, Load, Pipeline, Reports, Notify, Profiles.
//
// A screen is a plain struct. The root model gives it the newest snapshot ([Screen.Apply]), a place to draw on and the keys that
// the user presses; it gives back what it wants done as an [Intent]. It does no I/O and starts nothing.
//
// What a screen can do beside that is said by further interfaces: [Filterer], [Typer], [Asker], [Keeper].
//
// A new screen is one file here, with its panels, and one line in [All].
package screen

import (
	"slices"
	"time"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/figure"
	"weir/tui/style"
)

// A State is what there is to draw.
type State struct {
	Snap *control.Snapshot
	Now  time.Time
	Dead bool // the server is gone: nothing here is true any more

	Window time.Duration // what curves over time show; 0: all there is
	Verbs  []string      // what can be asked for now
}

// Offers reports that a verb can be asked for.
func (s State) Offers(verb string) bool { return slices.Contains(s.Verbs, verb) }

// A Screen draws one subject.
type Screen interface {
	// Name as in the title line.
	Name() string
	// Apply takes a newer snapshot; what was selected stays selected.
	Apply(*control.Snapshot)
	// Status writes the second line of the terminal.
	Status(p *canvas.Pen, s State)
	// Panels, the most important first.
	Panels(s State) []Panel
	// Place says where panels stand in w x h cells, at 80 columns or more. Panels left out are not shown at that size.
	Place(s State, w, h int) []Placed
	// Keys of this screen, beside the ones that work everywhere.
	Keys() []Key
}

// A Panel is a framed part of a screen.
type Panel struct {
	Name  string
	Draw  func(c *canvas.Canvas, s State, focused bool)
	Brief func(p *canvas.Pen, s State) // one line, where the terminal is too small for frames
}

// Placed is a panel (an index into Panels) with its place.
type Placed struct {
	Panel, X, Y, W, H int
}

// A Key is one line of the key table; help, the last line of the screen and what a key does all come from it.
type Key struct {
	Press []string // as bubbletea names keys
	Label string   // as a person names them
	Hint  string   // in the last line: key and word; empty: only in the help
	Help  string
	Verb  string // shown and working only if the server offers this verb
	Do    func() Intent
}

// An Intent is what a key wants the root model to do. The zero one wants nothing more than a new picture.
type Intent struct {
	Verb    string // call it on the server
	Args    any
	Confirm string                // a question to be answered first
	Prompt  string                // a text to be asked for first
	Answer  func(text string) any // gives Args from that text
	Screen  string                // go to this screen
	Item    string                // and select this there
	Unknown bool                  // the key means nothing at the moment

	Say    string // a word for the user
	Bad    bool   // it is about trouble
	Dialog Dialog // open it over the screen
	Close  bool   // close the dialog that is open
	Quiet  bool   // a verb of which the user need not hear
	// Into is where the answer of Verb goes. Then says what it means; it is called where everything else changes, never at the same time.
	Into any
	Then func(err error) Intent
}

// A Filterer has lists of which the user wants to see some lines only.
type Filterer interface {
	// Filter takes a filter, or the empty one.
	Filter(Filter)
}

// A Typer has a place where text is typed: while it is, all keys are its own.
type Typer interface {
	Typing() bool
	Type(Press) Intent
}

// An Asker wants things from the server that no snapshot has. It is asked each second while it is seen, and when it is gone to.
type Asker interface {
	Ask(State) Intent
}

// A Keeper has work of the user that would be lost.
type Keeper interface {
	// Unsaved names it; empty: nothing would be lost.
	Unsaved() string
}

// A Selecter has lines that another screen can lead to.
type Selecter interface{ Select(item string) }

// Lasting screens show what stays true when the server is gone.
type Lasting interface{ Lasting() bool }

// A Press is a key or a paste.
type Press struct {
	Name string // as bubbletea names keys; empty for a paste
	Text string // what it writes, if it writes something
}

// All screens in the order of their numbers.
func All() []Screen {
	return []Screen{&Overview{}, &Load{}, &Pipeline{}, &Reports{}, &Notify{}, &Profiles{}}
}

// note is the age of a section that is older than the rest; empty while it is fresh.
func note(s State, at time.Time) string {
	if age := s.Now.Sub(at); !at.IsZero() && age > 3*time.Second && !s.Dead {
		return figure.Span(age) + " old"
	}
	return ""
}

// part is a row of panels in a stack: it needs least, likes want, and may take what is left over.
type part struct {
	least, want int
	grow        bool
}

// stack shares h lines among parts, from the top down. Who comes first in order gets its least first; a part that gets less than its
// least gets nothing.
func stack(h int, order []int, parts []part) []int {
	out := make([]int, len(parts))
	for _, i := range order {
		if h >= parts[i].least {
			out[i] = parts[i].least
			h -= out[i]
		}
	}
	for _, i := range order {
		if out[i] > 0 {
			more := min(h, parts[i].want-out[i])
			out[i] += max(more, 0)
			h -= max(more, 0)
		}
	}
	last := -1
	for _, i := range order {
		if out[i] > 0 && parts[i].grow {
			last = i
			break
		}
	}
	if last < 0 {
		for i := range parts {
			if out[i] > 0 {
				last = i
			}
		}
	}
	if last >= 0 {
		out[last] += h
	}
	return out
}

// mark is the symbol, role and word of a state: the three that always go together.
func mark(t *style.Theme, state string) (symbol, word string, r style.Role) {
	switch state {
	case control.OK:
		return t.Good, "ok", style.Good
	case control.Done:
		return t.Good, "done", style.Good
	case control.Running:
		return t.Run, "run", style.Accent
	case control.CaughtUp:
		return t.Good, "even", style.Good
	case control.Preparing:
		return t.Todo, "prep", style.Accent
	case control.Draining:
		return t.Run, "drain", style.Accent
	case control.Waiting:
		return t.Late, "wait", style.Warn
	case control.Paused:
		return t.Pause, "pause", style.Warn
	case control.Stopped:
		return t.Pause, "stop", style.Warn
	case control.Warn:
		return t.Warn, "warn", style.Warn
	case control.Wait:
		return t.Todo, "wait", style.Dim
	case control.Failed:
		return t.Bad, "FAIL", style.Bad
	case control.Down:
		return t.Bad, "DOWN", style.Bad
	case control.Bad:
		return t.Bad, "BAD", style.Bad
	}
	return t.Todo, state, style.Dim
}

// check is the mark of a yes or no.
func check(t *style.Theme, good bool) (string, style.Role) {
	if good {
		return t.Good, style.Good
	}
	return t.Bad, style.Bad
}

func themeOf(p *canvas.Pen) *style.Theme { return p.Theme() }
