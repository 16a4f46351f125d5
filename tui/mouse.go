package tui

import (
	tea "charm.land/bubbletea/v2"

	"weir/tui/canvas"
	"weir/tui/screen"
)

// spot is a place that a click means something at: the name of a screen in the title line.
type spot struct{ from, to, screen int }

// click goes to the screen whose name was clicked, or gives its panel the focus. Selecting text stays the terminal's: shift and drag.
func (m *model) click(x, y int) tea.Cmd {
	if m.prompt != nil || m.confirm != nil || m.top() != nil || m.filtering || m.typesInto() {
		return nil // a question is open: it is answered with keys
	}
	if y == 0 {
		for _, s := range m.spots {
			if x >= s.from && x < s.to {
				return m.show(s.screen)
			}
		}
		return nil
	}
	const head = 2 // title and status line
	if m.snapshot() == nil || m.alone() {
		return nil
	}
	for _, p := range m.placed(m.w, m.h-1-head) {
		if x >= p.X && x < p.X+p.W && y-head >= p.Y && y-head < p.Y+p.H {
			m.focus[m.active] = p.Panel
		}
	}
	return nil
}

// wheel is the arrow keys: it moves in lists and dialogs, and means nothing where they do not.
func (m *model) wheel(up bool) tea.Cmd {
	p := screen.Press{Name: "down"}
	if up {
		p.Name = "up"
	}
	if m.prompt != nil || m.confirm != nil || m.filtering || m.typesInto() || m.snapshot() == nil {
		return nil
	}
	if m.top() == nil && !m.moves(p.Name) {
		return nil
	}
	return m.press(p)
}

func (m *model) moves(key string) bool {
	for _, k := range m.screens[m.active].Keys() {
		for _, press := range k.Press {
			if press == key {
				return true
			}
		}
	}
	return false
}

// spotted notes where the name of a screen stands.
func (m *model) spotted(at, i int, text string) {
	m.spots = append(m.spots, spot{at, at + canvas.Width(text), i})
}
