package tui

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/screen"
	"weir/tui/style"
)

func TestResizeStorm(t *testing.T) {
	m := fresh(t, style.Make(style.Braille, true), demo(), 300, 100)
	feed(m, key("3"), key("down"))
	check := func(w, h int) {
		feed(m, tea.WindowSizeMsg{Width: w, Height: h})
		for _, k := range []string{"1", "2", "3"} {
			feed(m, key(k))
			fits(t, m.View().Content, w, h)
		}
	}
	for i := range 81 { // 300x100 -> 20x5, and back
		check(300-280*i/80, 100-95*i/80)
	}
	for i := range 81 {
		check(20+280*i/80, 5+95*i/80)
	}
	for w := range 14 { // and what no terminal should be
		for h := range 6 {
			check(w+1, h+1)
		}
	}
	feed(m, tea.WindowSizeMsg{Width: 80, Height: 24}, key("3"))
	if !strings.Contains(ansi.Strip(m.View().Content), "▸ Streams") {
		t.Error("the selection did not survive")
	}
}

// TestHostileText: titles and errors come from files and brokers; whatever they hold, the picture keeps its shape and the
// terminal gets no escape sequence that is not ours.
func TestHostileText(t *testing.T) {
	evil := []string{"\x1b]0;owned\x07", "\x1b[2J\x1b[H", "\r\n\t", "\u202egnirts", "\x9b31m", "日本語のジョブ", "👩‍👩‍👧‍👦👩‍👩‍👧‍👦", "e\u0301\u0301\u0301", "\xff\xfe", strings.Repeat("long", 200), "", " "}
	r := rand.New(rand.NewPCG(1, 2))
	text := func() string { return evil[r.IntN(len(evil))] + evil[r.IntN(len(evil))] }
	for range 150 {
		s := demo()
		s.Home, s.Version = text(), text()
		for i := range s.Attention {
			s.Attention[i] = control.Attention{Level: text(), What: text(), Job: text(), Unit: text(), Detail: text(), Next: text()}
		}
		for i := range s.Streams {
			st := &s.Streams[i]
			st.Job, st.Title, st.Unit, st.Table, st.Error, st.Hint, st.State = text(), text(), text(), text(), text(), text(), text()
		}
		for i := range s.Runs {
			r := &s.Runs[i]
			r.Job, r.Title, r.Cause, r.Todo, r.Interval, r.Run, r.State = text(), text(), text(), text(), text(), text(), text()
		}
		for i := range s.Reports {
			s.Reports[i].Job, s.Reports[i].Error, s.Reports[i].Interval = text(), text(), text()
		}
		for i := range s.Events {
			s.Events[i].Kind, s.Events[i].Text = text(), text()
		}
		for i := range s.Notify.Messages {
			s.Notify.Messages[i] = control.Message{State: text(), Title: text(), Unit: text(), Channel: text(), Text: text(), Why: text()}
		}
		s.Load.Profile, s.Load.Run, s.Load.Stage, s.Load.Reason = text(), text(), text(), text()
		s.Load.ErrorsByCause = map[string]int64{text(): 3}
		for i := range s.Load.Stages {
			s.Load.Stages[i].Name = text()
		}
		for i := range s.Load.Limits {
			s.Load.Limits[i] = control.Limit{Name: text(), Want: text(), Got: text(), Spare: text()}
		}
		hostileLoad(s, r, text)
		w, h := 20+r.IntN(200), 5+r.IntN(60)
		m := fresh(t, style.Make(style.Level(r.IntN(3)), true), s, w, h)
		for _, k := range []string{"1", "2", "3", "enter", "2", "z", "tab", "tab", "tab", "tab", "tab", "tab"} {
			feed(m, key(k))
			content := m.View().Content
			fits(t, content, w, h)
			if ours := strings.Count(content, "\x1b["); strings.Count(content, "\x1b") != ours || strings.ContainsAny(content, "\r\x07\u009b") || strings.Contains(content, "\u202e") {
				t.Fatalf("a control character got through: %q", content)
			}
			if strings.Contains(content, "cannot draw") {
				t.Fatalf("a panic was caught:\n%s", ansi.Strip(content))
			}
		}
	}
}

// TestOddFigures: division by nothing, times that are not set, more done than planned.
func TestOddFigures(t *testing.T) {
	for name, change := range map[string]func(*control.Snapshot){
		"zero": func(s *control.Snapshot) {
			s.Load = &control.Load{}
			s.Streams = make([]control.Stream, 2)
			s.Reports = make([]control.Report, 1)
			s.Runs = make([]control.Run, 1)
		},
		"max mode": func(s *control.Snapshot) {
			s.Load.MaxMode, s.Load.TargetRate, s.Load.Total, s.Load.Stages = true, 0, 0, nil
		},
		"over plan": func(s *control.Snapshot) { s.Load.Elapsed, s.Load.Progress, s.Load.StageIndex = 99999, 1.7, 99 },
		"future": func(s *control.Snapshot) {
			s.At = s.At.Add(time.Hour)
			s.Load.At = s.At
			s.Streams[0].LastCommit = s.At
		},
		"backwards": func(s *control.Snapshot) {
			slices.Reverse(s.Load.History)
			slices.Reverse(s.Streams[0].History)
			s.Load.Rate = -1
		},
		"no verbs":      func(s *control.Snapshot) { s.Verbs = nil },
		"not a number":  func(s *control.Snapshot) { oddLoad(s, math.NaN()) },
		"infinite":      func(s *control.Snapshot) { oddLoad(s, math.Inf(1)) },
		"less than all": func(s *control.Snapshot) { oddLoad(s, math.Inf(-1)) },
		"huge":          func(s *control.Snapshot) { oddLoad(s, 1e300) },
		"negative":      func(s *control.Snapshot) { oddLoad(s, -1e9) },
		"nothing yet":   func(s *control.Snapshot) { oddLoad(s, 0) },
		"an empty comparison and search": func(s *control.Snapshot) {
			s.Comparison, s.Search = &control.Comparison{Findings: make([]control.Finding, 3), Runs: make([]control.PairRun, 3)}, &control.Search{Trials: make([]control.Trial, 3), Trial: &control.Trial{}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := demo()
			change(s)
			for _, size := range sizes {
				m := fresh(t, style.Make(style.Braille, false), s, size[0], size[1])
				for _, k := range append([]string{"1", "2", "3", "enter", "down", "z", "z", "2", "z"}, slices.Repeat([]string{"tab"}, 16)...) {
					feed(m, key(k))
					content := ansi.Strip(m.View().Content)
					fits(t, content, size[0], size[1])
					if strings.Contains(content, "cannot draw") || strings.Contains(content, "NaN") || strings.Contains(content, "Inf") {
						t.Errorf("%s at %v:\n%s", k, size, content)
					}
				}
			}
		})
	}
}

func TestKeyTableIsComplete(t *testing.T) {
	m := onShelf(t, newShelf(), style.Make(style.Braille, false), 200, 80)
	check := func(name string) {
		t.Helper()
		seen := map[string]string{}
		for _, k := range m.offered() {
			if k.Help == "" || k.Label == "" || k.Do == nil || len(k.Press) == 0 {
				t.Errorf("%s: incomplete key %+v", name, k)
			}
			if k.Hint != "" && !strings.Contains(k.Hint, " ") {
				t.Errorf("%s: the hint %q has no word", name, k.Hint)
			}
			for _, p := range k.Press {
				if was, ok := seen[p]; ok {
					t.Errorf("%s: %s is both %q and %q", name, p, was, k.Help)
				}
				seen[p] = k.Help
			}
		}
		press(m, "?")
		help := ansi.Strip(m.View().Content)
		for _, h := range seen {
			if !strings.Contains(help, h) {
				t.Errorf("%s: the help does not have %q", name, h)
			}
		}
		press(m, "?")
		for _, k := range []string{"%", "&"} { // what is not in the table says so
			press(m, k)
			if got := ansi.Strip(m.View().Content); !strings.Contains(got, k+" does nothing here; ? shows the keys") {
				t.Errorf("%s: no hint after %s", name, k)
			}
		}
	}
	for i := range m.screens {
		press(m, fmt.Sprint(i+1))
		check(m.screens[i].Name())
	}
	press(m, "down", "enter")
	check("the editor")
	press(m, "Y")
	check("the text")
	press(m, "Y", "ctrl+r")
	check("the dry run")
}

func TestVerbs(t *testing.T) {
	s := demo()
	from := &still{}
	m := newModel(t.Context(), from, style.Make(style.Braille, false), Options{Screen: "load"})
	m.now = at
	feed(m, live(s))
	press := func(k string) {
		if _, cmd := m.Update(key(k)); cmd != nil {
			feed(m, cmd())
		}
	}
	press("space")
	press("+")
	press("s") // asks
	if !strings.Contains(m.View().Content, "stop the run?") {
		t.Error("stop does not ask")
	}
	press("n")
	press("s")
	press("y")
	if got := strings.Join(from.called, " "); got != "load.pause load.rate load.stop" {
		t.Errorf("called %q, want load.pause load.rate load.stop", got)
	}
	from.err = errors.New("stop: no run")
	press("space")
	if !strings.Contains(m.View().Content, "stop: no run") {
		t.Error("a refused verb does not say why")
	}
	s = demo()
	s.Load.State = control.Paused
	feed(m, live(s))
	press("space")
	if got := from.called[len(from.called)-1]; got != "load.resume" {
		t.Errorf("a paused run got %q, want load.resume", got)
	}
	s = demo()
	s.Verbs = []string{"load.stop"}
	feed(m, live(s))
	n := len(from.called)
	press("space")
	if len(from.called) != n || !strings.Contains(m.View().Content, "the server of this home does not offer") || strings.Contains(lastLine(m), "pause") {
		t.Errorf("pause is not offered by the server, yet: %s", lastLine(m))
	}
}

func lastLine(m *model) string {
	m.toast, m.content = "", ""
	lines := strings.Split(ansi.Strip(m.View().Content), "\n")
	return lines[len(lines)-1]
}

func quits(cmd tea.Cmd) bool {
	if cmd == nil {
		return false
	}
	_, ok := cmd().(tea.QuitMsg)
	return ok
}

func TestLeaving(t *testing.T) {
	for _, k := range []string{"q", "ctrl+c"} {
		m := fresh(t, style.Make(style.Braille, false), demo(), 80, 24)
		if _, cmd := m.Update(key(k)); !quits(cmd) {
			t.Errorf("%s does not leave", k)
		}
	}
	m := fresh(t, style.Make(style.Braille, false), demo(), 80, 24)
	m.opt.QuitWhenDone = true
	if _, cmd := m.Update(key("space")); quits(cmd) {
		t.Error("left before the end")
	}
	feed(m, live(done()))
	if _, cmd := m.Update(tickMsg(at.Add(time.Hour))); cmd == nil || !strings.Contains(m.View().Content, "PROVED") {
		t.Error("the result does not stay until a key is pressed")
	}
	if _, cmd := m.Update(key("2")); quits(cmd) {
		t.Error("looking around after the end leaves")
	}
	for _, k := range []string{"enter", "space", "v", "q"} {
		if _, cmd := m.Update(key(k)); !quits(cmd) {
			t.Errorf("%s does not leave after the end", k)
		}
	}
	feed(m, updateMsg{control.Update{Snapshot: done(), Heard: at, Err: errors.New("gone")}, at.Add(time.Minute)})
	if m.dead() {
		t.Error("the result of finished work turned grey when its server ended")
	}
}

func TestFrozenShowsOldFiguresWithTheirAge(t *testing.T) {
	m := fresh(t, style.Make(style.Braille, false), demo(), 80, 24)
	feed(m, key("p"))
	newer := demo()
	newer.Home = "/somewhere/else"
	feed(m, live(newer), tickMsg(at.Add(20*time.Second)))
	if v := m.View().Content; strings.Contains(v, "/somewhere/else") || !strings.Contains(v, "frozen, 21 s old") {
		t.Errorf("not frozen, or without its age:\n%s", v)
	}
	newer.Streams = nil
	feed(m, live(newer), key("3"))
	if v := m.View().Content; !strings.Contains(v, "orders") {
		t.Errorf("the list of a frozen screen has moved on:\n%s", v)
	}
	feed(m, key("1"), key("p"))
	if v := m.View().Content; !strings.Contains(v, "/somewhere/else") {
		t.Error("did not go on")
	}
}

func TestRefreshReachesTheStream(t *testing.T) {
	from := &still{}
	m := newModel(t.Context(), from, style.Make(style.Braille, false), Options{})
	feed(m, key("r"))
	if from.refresh != 1 {
		t.Error("r did not ask for a new try")
	}
}

func TestCopyHasTheWholeError(t *testing.T) {
	m := fresh(t, style.Make(style.Braille, true), demo(), 80, 24)
	feed(m, key("3"), key("tab"))
	text, cut := m.copied()
	for _, want := range []string{"weir 0.1.0", "2026-11-20T14:02:10Z", "01JD7QZ8M4T2", demo().Streams[2].Error, demo().Streams[2].Hint} {
		if !strings.Contains(text, want) {
			t.Errorf("the copy lacks %q:\n%s", want, text)
		}
	}
	if cut || strings.Contains(text, "\x1b") {
		t.Error("cut, or with escape sequences")
	}
	s := demo()
	s.Streams[0].Error = strings.Repeat("x", 100<<10)
	feed(m, live(s))
	if text, cut := m.copied(); !cut || len(text) > 64<<10 {
		t.Error("not cut at 64 KiB, or without saying so")
	}
}

func TestUnseenTerminalIsDrawnOnceASecond(t *testing.T) {
	m := fresh(t, style.Make(style.Braille, false), demo(), 80, 24)
	newer := demo()
	newer.Home = "/somewhere/else"
	feed(m, tea.BlurMsg{})
	m.View() // as after each message
	feed(m, live(newer))
	if strings.Contains(m.View().Content, "/somewhere/else") {
		t.Error("drawn although nobody looks")
	}
	feed(m, tickMsg(at.Add(time.Second)))
	if !strings.Contains(m.View().Content, "/somewhere/else") {
		t.Error("an unfocused terminal shows old figures as live")
	}
}

// brokenScreen panics like a bug would.
type brokenScreen struct{ screen.Overview }

func (b *brokenScreen) Panels(s screen.State) []screen.Panel {
	all := b.Overview.Panels(s)
	all[0].Draw = func(*canvas.Canvas, screen.State, bool) { panic("index out of range") }
	return all
}

func TestPanicInAPanelIsShownThere(t *testing.T) {
	m := fresh(t, style.Make(style.Braille, false), demo(), 80, 24)
	m.screens[0] = &brokenScreen{}
	feed(m, live(demo()))
	if v := m.View().Content; !strings.Contains(v, "cannot draw this: index out of range") || !strings.Contains(v, "Throughput") {
		t.Errorf("got\n%s", v)
	}
}

func TestNotATerminalIsRefused(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = Run(t.Context(), control.Dial("none"), f, &strings.Builder{}, Options{})
	if !errors.Is(err, ErrNoTerminal) || !strings.Contains(err.Error(), "--plain") {
		t.Errorf("got %v, want ErrNoTerminal and the way out", err)
	}
}
