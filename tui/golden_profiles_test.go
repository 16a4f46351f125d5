package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"weir/internal/control"
	"weir/tui/style"
)

// onShelf is a model that shows the profiles of a shelf, at a size, after some keys. "type:…" types a text.
func onShelf(t testing.TB, s *shelf, theme *style.Theme, w, h int, keys ...string) *model {
	t.Helper()
	sn := demo()
	sn.Verbs = append(append([]string{}, sn.Verbs...), shelfVerbs...)
	sn.Launches = []control.Launch{
		{ID: "01JD7QZ8M4T2AAAAAAAAAAAAAA", Kind: "search", Profile: "nightly-soak", PID: 811, At: at.Add(-7 * time.Minute), State: control.Running, Last: "trial  4      8k/s  kept      p99 41 ms  (double)"},
		{ID: "01JD7QZ8M4T2BBBBBBBBBBBBBB", Kind: "load", Profile: "smoke", PID: 702, At: at.Add(-2 * time.Hour), State: control.Done, Last: "  verdict   pass"},
	}
	m := newModel(t.Context(), s, theme, Options{})
	m.now = at
	settle(m, tea.WindowSizeMsg{Width: w, Height: h}, live(sn))
	settle(m, key("6"))
	press(m, keys...)
	return m
}

func press(m *model, keys ...string) {
	for _, k := range keys {
		if text, ok := strings.CutPrefix(k, "type:"); ok {
			for _, r := range text {
				settle(m, key(string(r)))
			}
			continue
		}
		settle(m, key(k))
	}
}

// down is so many times the arrow.
func down(n int, more ...string) []string {
	var all []string
	for range n {
		all = append(all, "down")
	}
	return append(all, more...)
}

func keysOf(parts ...[]string) (all []string) {
	for _, p := range parts {
		all = append(all, p...)
	}
	return all
}

// The profile of the pictures is the second in the list; rate is selected first.
var opened = []string{"down", "enter"}

// TestProfiles are the pictures of the Profiles screen at three sizes, with and without colour.
func TestProfiles(t *testing.T) {
	steep := keysOf(opened, down(3, "right"), down(3, "enter", "ctrl+u", "type:500k/s", "enter"))
	for _, tc := range []struct {
		name string
		keys []string
	}{
		{"list", nil},
		{"broken-in-list", []string{"up"}},
		{"editor", opened},
		{"typing", keysOf(opened, down(3, "right"), down(3, "enter", "ctrl+u", "type:40k"))},
		{"warnings", steep},
		{"problem", keysOf(opened, []string{"Y", "down", "down", "down", "enter", "ctrl+u", "type:    - {name: ramp, duration: 10m, target: fast}", "enter", "Y"})},
		{"yaml", keysOf(opened, []string{"Y"})},
		{"no-yaml", []string{"up", "enter"}},
		{"dry-run", keysOf(opened, []string{"ctrl+r"})},
		{"add", keysOf(opened, []string{"up", "a"})},
		{"add-a-value", keysOf(opened, []string{"up", "a", "down", "enter"})},
		{"options", keysOf(opened, down(12, "enter"))},
		{"save-as", []string{"down", "down", "enter", "ctrl+s"}},
		{"compare", []string{"down", "C", "type:./main/pipeline run orders", "tab"}},
		{"search", []string{"down", "F"}},
		{"run", []string{"down", "R"}},
		{"filter", []string{"/", "type:lost|night"}},
		{"palette", []string{":", "type:rate"}},
		{"help", []string{"?"}},
	} {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {160, 50}} {
			for _, color := range []bool{true, false} {
				if color && tc.name != "list" && tc.name != "warnings" && tc.name != "problem" {
					continue
				}
				mode := "nocolor"
				if color {
					mode = "color"
				}
				name := fmt.Sprintf("profiles-%s-%dx%d-%s", tc.name, size[0], size[1], mode)
				t.Run(name, func(t *testing.T) {
					m := onShelf(t, newShelf(), style.Make(style.Braille, color), size[0], size[1], tc.keys...)
					content := m.View().Content
					fits(t, content, size[0], size[1])
					if strings.Contains(content, "cannot draw") {
						t.Errorf("a panic was caught:\n%s", ansi.Strip(content))
					}
					if !color {
						if strings.Contains(content, "38;2") {
							t.Error("colour although NO_COLOR is set")
						}
						content = ansi.Strip(content)
					}
					golden(t, name, content)
				})
			}
		}
	}
}
