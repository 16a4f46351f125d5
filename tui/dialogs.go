package tui

import (
	"slices"
	"strings"

	"weir/tui/canvas"
	"weir/tui/screen"
	"weir/tui/style"
)

// action is a line of the key table with the screen that it belongs to.
type action struct {
	screen int // -1: works everywhere
	key    screen.Key
	off    string // why it cannot be done now
}

// actions are all lines of the key table: of one screen, or of all of them, the active one first, then those that work everywhere.
func (m *model) actions(all bool) []action {
	var out []action
	verbs := m.verbs()
	own := map[string]bool{} // keys of the active screen: what cannot be done there must not do something else
	for _, k := range m.screens[m.active].Keys() {
		for _, press := range k.Press {
			own[press] = true
		}
	}
	add := func(i int, keys []screen.Key) {
		for _, k := range keys {
			if i < 0 && !all && slices.ContainsFunc(k.Press, func(press string) bool { return own[press] }) {
				continue
			}
			off := ""
			if k.Verb != "" && !slices.Contains(verbs, k.Verb) {
				if !all {
					continue
				}
				off = "not now: " + m.lacks(k.Verb)
			}
			out = append(out, action{i, k, off})
		}
	}
	add(m.active, m.screens[m.active].Keys())
	for i := range m.screens {
		if all && i != m.active {
			add(i, m.screens[i].Keys())
		}
	}
	add(-1, m.keys)
	return out
}

// lacks says why a verb cannot be asked for.
func (m *model) lacks(verb string) string {
	if m.opt.ReadOnly && !harmless[verb] {
		return "these screens only read (--read-only)"
	}
	if !m.last.Live {
		return "nothing serves this home, and " + verb + " is its server's"
	}
	return "the server of this home does not offer " + verb
}

// choose makes a dialog of the key table: ⏎ does what the line says.
func (m *model) choose(name string, all []action, find bool) *screen.Pick {
	p := &screen.Pick{Name: name, Typing: find, Empty: "no action has that in its name"}
	for _, a := range all {
		note := "everywhere"
		if a.screen >= 0 {
			note = m.screens[a.screen].Name()
		}
		p.Items = append(p.Items, screen.Item{Label: m.label(a.key.Label), Text: a.key.Help, Note: note, Off: a.off})
	}
	p.Chosen = func(i int) screen.Intent {
		a := all[i]
		if a.screen >= 0 && a.screen != m.active {
			m.show(a.screen)
		}
		return a.key.Do()
	}
	return p
}

// palette looks for any action of any screen.
func (m *model) palette() screen.Intent {
	return screen.Intent{Dialog: m.choose("All actions", m.actions(true), true)}
}

// help is the key table of this screen.
func (m *model) help() screen.Intent {
	return screen.Intent{Dialog: m.choose("Keys on "+m.screens[m.active].Name(), m.actions(false), false)}
}

// top is the dialog that has the keys.
func (m *model) top() screen.Dialog {
	if n := len(m.dialogs); n > 0 {
		return m.dialogs[n-1]
	}
	return nil
}

// drawDialog puts the dialog over the body, as large as it likes and fits.
func (m *model) drawDialog(body *canvas.Canvas, d screen.Dialog) {
	bw, bh := body.Size()
	w, h := d.Size()
	w, h = min(w+4, bw), min(h+2, bh)
	if bw < 60 || bh < 12 {
		w, h = bw, bh
	}
	at := body.Sub((bw-w)/2, (bh-h)/2, w, h)
	at.Clear()
	m.safely(at, func() { d.Draw(at.Box(d.Title(), true)) })
}

// filterLine is the last line while a filter is typed.
func (m *model) filterLine(p *canvas.Pen, c *canvas.Canvas) {
	p.Put(style.Accent, "/")
	const help = "  ⏎ keep  esc clear  !not  -f fuzzy"
	room := p.Room()
	if room > 60 {
		room -= canvas.Width(help)
		c.Right(m.w-1, 0, style.Dim, m.label(help))
	}
	m.typed.Draw(c, p.X(), 0, room-1, style.Strong, true)
}

// filter gives the active screen what was typed.
func (m *model) filter(text string) {
	m.filters[m.active] = text
	if f, ok := m.screens[m.active].(screen.Filterer); ok {
		f.Filter(screen.NewFilter(text))
	}
}

// unsaved names what would be lost when the user leaves.
func (m *model) unsaved() string {
	var all []string
	for _, s := range m.screens {
		if k, ok := s.(screen.Keeper); ok && k.Unsaved() != "" {
			all = append(all, k.Unsaved())
		}
	}
	return strings.Join(all, ", ")
}
