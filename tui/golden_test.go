package tui

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/google/go-cmp/cmp"

	"weir/internal/control"
	"weir/tui/style"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var sizes = [][2]int{{80, 24}, {120, 30}, {120, 40}, {160, 50}, {60, 16}, {40, 10}}

// fresh is a model that has seen the snapshot, live.
func fresh(t testing.TB, theme *style.Theme, s *control.Snapshot, w, h int) *model {
	t.Helper()
	m := newModel(t.Context(), &still{}, theme, Options{})
	m.now = at
	feed(m, tea.WindowSizeMsg{Width: w, Height: h})
	if s != nil {
		feed(m, live(s))
	}
	return m
}

func live(s *control.Snapshot) updateMsg {
	return updateMsg{control.Update{Snapshot: s, Heard: at, Live: true}, at}
}

// feed gives messages to the model and drops the commands.
func feed(m *model, msgs ...tea.Msg) {
	for _, msg := range msgs {
		m.Update(msg)
	}
}

func key(s string) tea.KeyPressMsg {
	switch s {
	case "enter":
		return tea.KeyPressMsg{Code: tea.KeyEnter}
	case "esc":
		return tea.KeyPressMsg{Code: tea.KeyEscape}
	case "tab":
		return tea.KeyPressMsg{Code: tea.KeyTab}
	case "shift+tab":
		return tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift}
	case "up":
		return tea.KeyPressMsg{Code: tea.KeyUp}
	case "down":
		return tea.KeyPressMsg{Code: tea.KeyDown}
	case "space":
		return tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
	case "left":
		return tea.KeyPressMsg{Code: tea.KeyLeft}
	case "right":
		return tea.KeyPressMsg{Code: tea.KeyRight}
	case "backspace":
		return tea.KeyPressMsg{Code: tea.KeyBackspace}
	}
	if letter, ok := strings.CutPrefix(s, "ctrl+"); ok {
		return tea.KeyPressMsg{Code: rune(letter[0]), Mod: tea.ModCtrl}
	}
	return tea.KeyPressMsg{Code: []rune(s)[0], Text: s}
}

// fits checks the law of every picture: no line wider, no more lines than the terminal.
func fits(t *testing.T, content string, w, h int) {
	t.Helper()
	lines := strings.Split(content, "\n")
	if len(lines) > h {
		t.Errorf("%dx%d: %d lines", w, h, len(lines))
	}
	for i, line := range lines {
		if n := ansi.StringWidth(line); n > w {
			t.Errorf("%dx%d: line %d has %d cells: %q", w, h, i, n, ansi.Strip(line))
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; run the test with -update", err)
	}
	if d := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got+"\n", "\n")); d != "" {
		t.Errorf("%s differs (-golden +drawn):\n%s", path, d)
	}
}

// TestScreens draws every screen at every size. NO_COLOR goldens are kept as seen; colour ones with their escape sequences.
func TestScreens(t *testing.T) {
	for _, color := range []bool{true, false} {
		theme := style.Make(style.Braille, color)
		mode := "nocolor"
		if color {
			mode = "color"
		}
		for i, name := range []string{"overview", "load", "pipeline", "reports"} {
			for _, size := range sizes {
				w, h := size[0], size[1]
				t.Run(fmt.Sprintf("%s-%dx%d-%s", name, w, h, mode), func(t *testing.T) {
					m := fresh(t, theme, demo(), w, h)
					feed(m, key(fmt.Sprint(i+1)))
					content := m.View().Content
					fits(t, content, w, h)
					if !color {
						if strings.Contains(content, "38;2") {
							t.Error("colour although NO_COLOR is set")
						}
						content = ansi.Strip(content)
					}
					golden(t, fmt.Sprintf("%s-%dx%d-%s", name, w, h, mode), content)
				})
			}
		}
	}
}

// TestStates are the pictures of the moments that matter beside a run that goes well.
func TestStates(t *testing.T) {
	bw := style.Make(style.Braille, false)
	empty := &control.Snapshot{At: at.Add(-time.Second), Version: "0.1.0", Home: ".weir"}
	for _, tc := range []struct {
		name string
		make func() *model
	}{
		{"stale", func() *model {
			m := fresh(t, style.Make(style.Braille, true), demo(), 80, 24)
			m.now = at.Add(42 * time.Second)
			feed(m, updateMsg{control.Update{Snapshot: demo(), Heard: at, Err: errors.New("the process has ended"), RetryAt: m.now.Add(3 * time.Second)}, m.now})
			return m
		}},
		{"stale-load", func() *model {
			m := fresh(t, bw, demo(), 80, 24)
			feed(m, key("2"), tickMsg(at.Add(42*time.Second)), updateMsg{control.Update{Snapshot: demo(), Heard: at, Err: errors.New("the process has ended"), RetryAt: at.Add(45 * time.Second)}, at.Add(42 * time.Second)})
			return m
		}},
		{"silent-publisher", func() *model {
			s := demo()
			s.Load.Silent, s.Load.At, s.Load.Source = true, at.Add(-31*time.Second), "loadgen"
			m := fresh(t, bw, s, 80, 24)
			feed(m, key("2"))
			return m
		}},
		{"nothing-yet", func() *model { return fresh(t, bw, nil, 80, 24) }},
		{"no-server", func() *model {
			m := fresh(t, bw, nil, 80, 24)
			feed(m, updateMsg{control.Update{Err: fmt.Errorf("/srv/weir/control.sock: %w", control.ErrNotServed), RetryAt: at.Add(3 * time.Second)}, at})
			return m
		}},
		{"empty-overview", func() *model { return fresh(t, bw, empty, 80, 24) }},
		{"empty-load", func() *model { m := fresh(t, bw, empty, 80, 24); feed(m, key("2")); return m }},
		{"empty-pipeline", func() *model { m := fresh(t, bw, empty, 80, 24); feed(m, key("3")); return m }},
		{"frozen", func() *model {
			m := fresh(t, bw, demo(), 80, 24)
			newer := demo()
			newer.Attention = nil
			feed(m, key("p"), live(newer), tickMsg(at.Add(12*time.Second)))
			return m
		}},
		{"help", func() *model { m := fresh(t, bw, demo(), 80, 24); feed(m, key("2"), key("?")); return m }},
		{"help-small", func() *model { m := fresh(t, bw, demo(), 40, 10); feed(m, key("?")); return m }},
		{"confirm", func() *model { m := fresh(t, bw, demo(), 80, 24); feed(m, key("2"), key("s")); return m }},
		{"unknown-key", func() *model { m := fresh(t, bw, demo(), 80, 24); feed(m, key("x")); return m }},
		{"detail", func() *model { m := fresh(t, bw, demo(), 80, 24); feed(m, key("3"), key("enter")); return m }},
		{"team-80x24", func() *model {
			m := fresh(t, bw, demo(), 80, 24)
			feed(m, key("3"), key("j"), key("enter"))
			return m
		}},
		{"team-120x40", func() *model {
			m := fresh(t, bw, demo(), 120, 40)
			feed(m, key("3"), key("j"))
			return m
		}},
		{"detail-160x50", func() *model {
			m := fresh(t, bw, demo(), 160, 50)
			feed(m, key("3"), key("down"), key("enter"))
			return m
		}},
		{"zoom", func() *model { m := fresh(t, bw, demo(), 80, 24); feed(m, key("2"), key("tab"), key("z")); return m }},
		{"proved-overview", func() *model { return fresh(t, bw, done(), 80, 24) }},
		{"proved-load", func() *model {
			m := fresh(t, bw, done(), 80, 24)
			m.opt.QuitWhenDone = true
			feed(m, key("2"))
			return m
		}},
		{"lost-messages", func() *model {
			s := done()
			s.Proof.Lost, s.Proof.Rows = 17, s.Proof.Rows-17
			return fresh(t, bw, s, 80, 24)
		}},
		{"max-mode-load", func() *model { // by volume, as fast as acks allow: the demo
			s := demo()
			s.Load.MaxMode, s.Load.TargetRate, s.Load.Total, s.Load.Stages, s.Load.Stage, s.Load.Limits, s.Load.Verdict = true, 0, 0, nil, "", nil, ""
			s.Load.Planned, s.Load.Elapsed, s.Load.Progress = 1_000_000, 21, 0.66
			s.Load.History = s.Load.History[:0]
			for i := range 80 {
				s.Load.History = append(s.Load.History, control.Point{T: float64(i) / 4, Rate: 31_000 + float64(i%7)*300, P99: 12 + float64(i%5)})
			}
			m := fresh(t, bw, s, 80, 24)
			feed(m, key("2"))
			return m
		}},
		{"ascii-load", func() *model {
			m := fresh(t, style.Make(style.ASCII, false), demo(), 80, 24)
			feed(m, key("2"))
			return m
		}},
		{"blocks-load", func() *model {
			m := fresh(t, style.Make(style.Blocks, false), demo(), 80, 24)
			feed(m, key("2"))
			return m
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := tc.make()
			content := m.View().Content
			fits(t, content, m.w, m.h)
			if !m.theme.Color {
				content = ansi.Strip(content)
			}
			golden(t, "state-"+tc.name, content)
		})
	}
}
