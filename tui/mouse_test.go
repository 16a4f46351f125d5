package tui

import (
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"weir/internal/control"
	"weir/tui/style"
)

// TestMouse: a click on a name goes to its screen, on a panel focuses it; the wheel moves in lists and dialogs, and nothing else.
func TestMouse(t *testing.T) {
	d := &desk{}
	m := atOutbox(t, d, style.Make(style.Braille, false), 120, 40)
	title := strings.Split(plainText(m), "\n")[0]
	click := func(x, y int) { settle(m, tea.MouseClickMsg{X: x, Y: y, Button: tea.MouseLeft}); m.View() }
	wheel := func(b tea.MouseButton) { settle(m, tea.MouseWheelMsg{Button: b}) }
	for _, c := range []struct {
		name string
		want int
	}{{"Pipeline", 2}, {"Profiles", 5}, {"Overview", 0}, {"Notify", 4}} { // in this order: what follows is on Notify
		name, want := c.name, c.want
		before := m.active
		click(len([]rune(title[:strings.Index(strings.Split(plainText(m), "\n")[0], name)]))+2, 0)
		if m.active != want {
			t.Errorf("a click on %s from %d leads to %d", name, before, m.active)
		}
	}
	click(119, 0)
	if m.active != 4 {
		t.Errorf("a click beside the names leads to %d", m.active)
	}
	click(5, 30)
	if got := m.focused(m.placed(120, 37)); got != 1 {
		t.Errorf("a click on the message focuses panel %d", got)
	}
	wheel(tea.MouseWheelDown)
	if got := plainText(m); !strings.Contains(got, "READY Invoices") {
		t.Errorf("the wheel does not move:\n%s", got)
	}
	press(m, "R") // nothing is asked for by a wheel or a click while a question is open
	press(m, "esc")
	press(m, "up", "R")
	wheel(tea.MouseWheelDown)
	click(10, 0)
	if m.confirm == nil {
		t.Error("a wheel or a click answers a question")
	}
	press(m, "n")
	if v := m.View(); v.MouseMode != tea.MouseModeCellMotion {
		t.Error("the mouse is off")
	}
	m.opt.NoMouse = true
	if v := m.View(); v.MouseMode != tea.MouseModeNone {
		t.Error("--no-mouse, and the mouse is on")
	}
}

// TestReadOnly: whatever would change something is off and says why; looking works.
func TestReadOnly(t *testing.T) {
	d := &desk{}
	m := atOutbox(t, d, style.Make(style.Braille, false), 120, 40)
	m.opt.ReadOnly = true
	sn := demo()
	sn.Verbs = append(append(append([]string{}, sn.Verbs...), outboxVerbs...), shelfVerbs...)
	settle(m, live(sn))
	for screen := range m.screens {
		press(m, string(rune('1'+screen)))
		for _, k := range m.screens[screen].Keys() {
			if k.Verb == "" || harmless[k.Verb] {
				continue
			}
			before := len(d.asked)
			press(m, k.Press[0])
			if got := plainText(m); !strings.Contains(got, "these screens only read") || m.confirm != nil || m.prompt != nil || m.top() != nil {
				t.Fatalf("%s on %s:\n%s", k.Label, m.screens[screen].Name(), got)
			}
			for _, a := range d.asked[before:] {
				if verb, _, _ := strings.Cut(a, " "); !harmless[verb] {
					t.Errorf("%s asks for %s", k.Label, a)
				}
			}
		}
	}
	press(m, "5", "e")
	if got := plainText(m); !strings.Contains(got, "Why: FAILED General ledger") {
		t.Errorf("explain does not work:\n%s", got)
	}
	for _, verb := range []string{"load.stop", "cancel", control.VerbNotifyDrop, control.VerbProfileSave} {
		if harmless[verb] {
			t.Errorf("%s counts as harmless", verb)
		}
	}
}
