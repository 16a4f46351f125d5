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
	quitIntent  = "\x00quit"
	leaveIntent = "\x00leave" // quit, whatever is lost
	copyIntent  = "\x00copy"
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
	for _, s := range m.screens {
		if p, ok := s.(interface{ StartKeys() []screen.Key }); ok {
			keys = append(keys, p.StartKeys()...)
		}
	}
	return append(keys,
		screen.Key{Press: []string{"tab"}, Label: "tab", Hint: "tab panel", Help: "next panel", Do: do(func() { m.cycle(1) })},
		screen.Key{Press: []string{"shift+tab"}, Label: "⇧tab", Help: "previous panel", Do: do(func() { m.cycle(-1) })},
		screen.Key{Press: []string{"z"}, Label: "z", Hint: "z zoom", Help: "the panel on the whole screen, and back (also esc)", Do: do(func() { m.zoom = !m.zoom })},
		screen.Key{Press: []string{"/"}, Label: "/", Hint: "/ filter", Help: "filter the lists of this screen: text, !text, -f letters", Do: m.find},
		screen.Key{Press: []string{"["}, Label: "[", Help: "shorter time window of the curves", Do: do(func() { m.widen(-1) })},
		screen.Key{Press: []string{"]"}, Label: "]", Help: "longer time window of the curves", Do: do(func() { m.widen(1) })},
		screen.Key{Press: []string{"y"}, Label: "y", Hint: "y copy", Help: "copy the panel as text, errors in full (OSC 52: works over ssh)", Do: ask(copyIntent)},
		screen.Key{Press: []string{"p"}, Label: "p", Hint: "p freeze", Help: "freeze the figures, and go on", Do: do(m.freeze)},
		screen.Key{Press: []string{"r"}, Label: "r", Help: "now: try a lost server again at once", Do: do(m.refresh)},
		screen.Key{Press: []string{":"}, Label: ":", Hint: ": all", Help: "all actions of all screens: type to find one", Do: m.palette},
		screen.Key{Press: []string{"?"}, Label: "?", Hint: "? help", Help: "this list: / finds, ⏎ does it", Do: m.help},
		screen.Key{Press: []string{"q", "ctrl+c"}, Label: "q", Hint: "q detach", Help: "detach: leave the screen, the run goes on (ctrl+c: the same)", Do: ask(quitIntent)},
	)
}

// find begins a filter, where the screen has lists.
func (m *model) find() screen.Intent {
	if _, ok := m.screens[m.active].(screen.Filterer); !ok {
		return screen.Intent{Unknown: true}
	}
	m.filtering = true
	m.typed.Set(m.filters[m.active])
	return screen.Intent{}
}

// windows are how far back curves can go; 0 is all there is.
var windows = []time.Duration{time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 6 * time.Hour, 0}

func (m *model) widen(by int) {
	m.window = min(max(m.window+by, 0), len(windows)-1)
	word := "all there is"
	if w := windows[m.window]; w > 0 {
		word = "the last " + figure.Roughly(w.Seconds())
	}
	m.say(false, "curves show %s", word)
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

// verbs that can be asked for now.
func (m *model) verbs() []string {
	var all []string
	if s := m.last.Snapshot; s != nil && m.last.Live {
		all = s.Verbs
	}
	all = append(all[:len(all):len(all)], m.last.Own...)
	if m.opt.ReadOnly {
		all = slices.DeleteFunc(all, func(v string) bool { return !harmless[v] })
	}
	return all
}

// harmless verbs change nothing; profile.edit gives a text back.
var harmless = map[string]bool{
	control.VerbProfiles: true, control.VerbProfileRead: true, control.VerbProfileEdit: true, control.VerbProfilePreview: true,
	control.VerbNotifyTrace: true, control.VerbNotifyDoctor: true,
}

// offered keys: the screen's and the global ones, without the verbs that the server does not have.
func (m *model) offered() []screen.Key {
	var out []screen.Key
	for _, a := range m.actions(false) {
		out = append(out, a.key)
	}
	return out
}

// press does what a key means: an answer to a question, typed text, or a line of the key table.
func (m *model) press(p screen.Press) tea.Cmd {
	m.toast = ""
	key := p.Name
	switch {
	case m.prompt != nil:
		return m.edit(p)
	case m.confirm != nil:
		ask := *m.confirm
		m.confirm = nil
		if key == "y" || key == "Y" || ask.Verb == leaveIntent && key == "ctrl+c" {
			ask.Confirm = ""
			return m.want(key, ask)
		}
		m.say(false, "not done")
		return nil
	case key == "ctrl+c":
		return m.want(key, screen.Intent{Verb: quitIntent})
	case m.top() != nil:
		return m.want(key, m.top().Press(p))
	case m.filtering:
		m.typing(p)
		return m.ask()
	}
	if m.typesInto() {
		return m.want(key, m.screens[m.active].(screen.Typer).Type(p))
	}
	if key == "" { // a paste where no text is
		return nil
	}
	leave := m.finished() && m.opt.QuitWhenDone
	if key == "esc" && m.back() {
		return nil
	}
	if leave && slices.Contains([]string{"enter", "esc", "space"}, key) {
		return m.want(key, screen.Intent{Verb: quitIntent})
	}
	for _, k := range m.offered() {
		if slices.Contains(k.Press, key) {
			return m.want(key, k.Do())
		}
	}
	if leave {
		return m.want(key, screen.Intent{Verb: quitIntent})
	}
	for _, a := range m.actions(true) { // of this screen, but not now
		if a.off != "" && a.screen == m.active && slices.Contains(a.key.Press, key) {
			m.say(true, "%s %s", key, a.off)
			return nil
		}
	}
	m.say(true, "%s does nothing here; ? shows the keys", key)
	return nil
}

// back leaves what covers the screen: the zoom, then the filter.
func (m *model) back() bool {
	switch {
	case m.zoom:
		m.zoom = false
	case m.filters[m.active] != "":
		m.filter("")
	default:
		return false
	}
	return true
}

// typing is a key while a filter is typed.
func (m *model) typing(p screen.Press) {
	switch p.Name {
	case "enter":
		m.filtering = false
	case "esc":
		m.filtering = false
		m.filter("")
	default:
		if m.typed.Press(p) {
			m.filter(m.typed.Value())
		}
	}
}

// want carries out an intent.
func (m *model) want(key string, i screen.Intent) tea.Cmd {
	if i.Close && len(m.dialogs) > 0 {
		m.dialogs = m.dialogs[:len(m.dialogs)-1]
	}
	if i.Dialog != nil {
		m.dialogs = append(m.dialogs, i.Dialog)
	}
	if i.Say != "" {
		m.say(i.Bad, "%s", i.Say)
	}
	var cmd tea.Cmd
	switch {
	case i.Unknown:
		m.say(true, "%s does nothing here at the moment; ? shows the keys", key)
	case i.Verb == quitIntent && m.unsaved() != "" && i.Confirm == "":
		m.dialogs = nil
		m.confirm = &screen.Intent{Verb: leaveIntent, Confirm: m.unsaved() + " is not saved: leave, and lose it?"}
	case i.Verb == quitIntent, i.Verb == leaveIntent:
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
	case i.Prompt != "":
		m.prompt = &prompt{Intent: i}
	case i.Verb != "" && i.Confirm != "":
		m.confirm = &i
	case i.Verb != "":
		cmd = m.call(i)
	}
	if i.Screen != "" && i.Confirm == "" {
		for n, s := range m.screens {
			if s.Name() == i.Screen {
				cmd = tea.Batch(cmd, m.show(n))
				if p, ok := s.(screen.Selecter); ok && i.Item != "" {
					p.Select(i.Item)
				}
			}
		}
	}
	return cmd
}

// show goes to a screen.
func (m *model) show(n int) tea.Cmd {
	if m.active != n {
		m.active, m.zoom = n, false
	}
	return m.ask()
}

// ask lets the active screen want what no snapshot has.
func (m *model) ask() tea.Cmd {
	a, ok := m.screens[m.active].(screen.Asker)
	if !ok {
		return nil
	}
	return m.want("", a.Ask(m.state()))
}

// call asks the server; the answer comes back as a message.
func (m *model) call(i screen.Intent) tea.Cmd {
	if m.opt.ReadOnly && !harmless[i.Verb] { // no key offers it: this is the lock behind the door
		m.say(true, "%s", m.lacks(i.Verb))
		return nil
	}
	if !i.Quiet {
		m.say(false, "%s %s", i.Verb, m.theme.Ellipsis)
	}
	ctx, from := m.ctx, m.from
	return func() tea.Msg {
		var result any
		into := i.Into
		if into == nil {
			into = &result
		}
		err := from.Do(ctx, i.Verb, i.Args, into)
		return verbMsg{i, result, err, time.Now()}
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
