package tui

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/figure"
	"weir/tui/screen"
)

// copyLimit is what terminals take over OSC 52 without trouble.
const copyLimit = 64 << 10

// Intents that only the root knows are asked for by these names.
const (
	quitIntent = "\x00quit"
	copyIntent = "\x00copy"
)

// globalKeys work on every screen. A screen's own key of the same name comes first.
func (m *model) globalKeys() []screen.Key {
	var keys []screen.Key
	for i, s := range m.screens {
		n := string(rune('1' + i))
		keys = append(keys, screen.Key{Press: []string{n}, Label: n, Help: s.Name(), Do: func() screen.Intent { return screen.Intent{Screen: s.Name()} }})
	}
	do := func(f func()) func() screen.Intent {
		return func() screen.Intent { f(); return screen.Intent{} }
	}
	ask := func(name string) func() screen.Intent {
		return func() screen.Intent { return screen.Intent{Verb: name} }
	}
	return append(keys,
		screen.Key{Press: []string{"tab"}, Label: "tab", Hint: "tab panel", Help: "next panel", Do: do(func() { m.cycle(1) })},
		screen.Key{Press: []string{"shift+tab"}, Label: "⇧tab", Help: "previous panel", Do: do(func() { m.cycle(-1) })},
		screen.Key{Press: []string{"z"}, Label: "z", Hint: "z zoom", Help: "the panel on the whole screen, and back (also esc)", Do: do(func() { m.zoom = !m.zoom })},
		screen.Key{Press: []string{"y"}, Label: "y", Hint: "y copy", Help: "copy the panel as text, errors in full (OSC 52: works over ssh)", Do: ask(copyIntent)},
		screen.Key{Press: []string{"p"}, Label: "p", Hint: "p freeze", Help: "freeze the figures, and go on", Do: do(m.freeze)},
		screen.Key{Press: []string{"r"}, Label: "r", Help: "now: try a lost server again at once", Do: do(m.refresh)},
		screen.Key{Press: []string{"?"}, Label: "?", Hint: "? help", Help: "this list", Do: do(func() { m.help, m.scroll = true, 0 })},
		screen.Key{Press: []string{"q", "ctrl+c"}, Label: "q", Hint: "q detach", Help: "detach: leave the screen, the run goes on (ctrl+c: the same)", Do: ask(quitIntent)},
	)
}

func (m *model) freeze() {
	if m.frozen == nil {
		m.frozen = m.last.Snapshot
		return
	}
	m.frozen = nil
	if m.last.Snapshot != nil {
		m.apply(m.last.Snapshot)
	}
}

// refresh only leaves a token for the stream: no I/O happens here.
func (m *model) refresh() {
	m.from.Refresh()
	if m.frozen != nil {
		m.freeze()
	}
}

// offered keys: the screen's and the global ones, without the verbs that the server does not have.
func (m *model) offered() []screen.Key {
	var verbs []string
	if s := m.last.Snapshot; s != nil && m.last.Live {
		verbs = s.Verbs
	}
	var out []screen.Key
	for _, k := range append(m.screens[m.active].Keys(), m.keys...) {
		if k.Verb == "" || slices.Contains(verbs, k.Verb) {
			out = append(out, k)
		}
	}
	return out
}

// press does what a key means: an answer to a question, a move in the help, or a line of the key table.
func (m *model) press(key string) tea.Cmd {
	m.toast = ""
	switch {
	case m.prompt != nil:
		return m.edit(key)
	case m.confirm != nil:
		ask := *m.confirm
		m.confirm = nil
		if key == "y" || key == "Y" {
			return m.call(ask)
		}
		m.say(false, "%s: not done", ask.Verb)
		return nil
	case m.help && key != "ctrl+c":
		switch key {
		case "down", "j":
			m.scroll++
		case "up", "k":
			m.scroll = max(m.scroll-1, 0)
		default:
			m.help = false
		}
		return nil
	}
	leave := m.finished() && m.opt.QuitWhenDone
	if key == "esc" && m.zoom {
		m.zoom = false
		return nil
	}
	if leave && slices.Contains([]string{"enter", "esc", "space"}, key) {
		m.quit = true
		return tea.Quit
	}
	for _, k := range m.offered() {
		if slices.Contains(k.Press, key) {
			return m.want(key, k.Do())
		}
	}
	if leave {
		m.quit = true
		return tea.Quit
	}
	m.say(true, "%s does nothing here; ? shows the keys", key)
	return nil
}

// want carries out an intent.
func (m *model) want(key string, i screen.Intent) tea.Cmd {
	switch {
	case i.Unknown:
		m.say(true, "%s does nothing here at the moment; ? shows the keys", key)
	case i.Verb == quitIntent:
		m.quit = true
		return tea.Quit
	case i.Verb == copyIntent:
		text, cut := m.copied()
		note := ""
		if cut {
			note = ", cut at 64 KiB"
		}
		m.say(false, "copied %d lines%s; if nothing arrives, the terminal has OSC 52 switched off", strings.Count(text, "\n"), note)
		return tea.SetClipboard(text)
	case i.Screen != "":
		for n, s := range m.screens {
			if s.Name() == i.Screen {
				m.active, m.zoom = n, false
				if p, ok := s.(*screen.Pipeline); ok && i.Job != "" {
					p.Select(i.Job)
				}
			}
		}
	case i.Prompt != "":
		m.prompt = &prompt{Intent: i}
	case i.Verb != "" && i.Confirm != "":
		m.confirm = &i
	case i.Verb != "":
		return m.call(i)
	}
	return nil
}

// call asks the server; the answer comes back as a message.
func (m *model) call(i screen.Intent) tea.Cmd {
	m.say(false, "%s %s", i.Verb, m.theme.Ellipsis)
	ctx, from := m.ctx, m.from
	return func() tea.Msg {
		var result any
		err := from.Do(ctx, i.Verb, i.Args, &result)
		return verbMsg{i.Verb, result, err, time.Now()}
	}
}

// copied is the focused panel as plain text, wide and high enough that nothing is shortened, under a line that says what it is.
func (m *model) copied() (text string, cut bool) {
	s := m.snapshot()
	if s == nil {
		return "weir: no data yet\n", false
	}
	sc := m.screens[m.active]
	panel := sc.Panels(m.state())[m.focused(m.placed(m.w, max(m.h-3, 1)))]
	c := canvas.New(max(m.w, 200), max(m.h, 60), m.theme)
	panel.Draw(c, m.state(), false)
	head := "weir " + s.Version + "  " + sc.Name() + " / " + panel.Name + "  " + s.At.Format(time.RFC3339) + "  " + figure.Span(m.now.Sub(s.At)) + " old"
	if s.Load != nil {
		head += "  run " + s.Load.Run
	}
	text = head + "\n" + strings.TrimLeft(c.Plain(), "\n") + troubles(s)
	if len(text) > copyLimit {
		return text[:copyLimit], true
	}
	return text, false
}

// troubles are the errors in full: what a person pastes into a ticket.
func troubles(s *control.Snapshot) string {
	var b strings.Builder
	for _, a := range s.Attention {
		b.WriteString(strings.TrimRight(strings.Join([]string{a.What, a.Job, a.Unit, a.Detail, a.Next}, "  "), " ") + "\n")
	}
	for _, st := range s.Streams {
		if st.Error != "" {
			b.WriteString(st.Job + ": " + st.Error + "\n" + st.Hint + "\n")
		}
	}
	for _, r := range s.Reports {
		if r.Error != "" {
			b.WriteString(r.Job + ": " + r.Error + "\n" + r.Hint + "\n")
		}
	}
	return b.String()
}
