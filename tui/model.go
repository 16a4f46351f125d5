package tui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/screen"
	"weir/tui/style"
)

// Messages: everything that can change the model, beside keys and sizes.
type (
	updateMsg struct {
		control.Update
		at time.Time
	}
	tickMsg time.Time
	verbMsg struct {
		asked  screen.Intent
		result any
		err    error
		at     time.Time
	}
)

// model is the only model. Screens draw and say what they want; only Update changes anything.
type model struct {
	ctx    context.Context // of Run: a command must not outlive it
	from   control.Source
	opt    Options
	theme  *style.Theme
	canvas *canvas.Canvas

	w, h    int
	now     time.Time
	last    control.Update
	frozen  *control.Snapshot
	blurred bool   // nobody looks: draw once a second
	content string // what was drawn last

	screens []screen.Screen
	keys    []screen.Key // the ones that work everywhere
	active  int
	focus   []int // per screen: the panel that y copies and z zooms
	zoom    bool
	dialogs []screen.Dialog // the last one has the keys
	window  int             // into windows
	spots   []spot          // names in the title line as it was drawn last

	filters   []string // per screen
	filtering bool     // one is being typed
	typed     screen.Input

	toast   string
	bad     bool      // the toast is about trouble
	until   time.Time // the toast's end
	confirm *screen.Intent
	prompt  *prompt
	quit    bool
}

func newModel(ctx context.Context, from control.Source, theme *style.Theme, opt Options) *model {
	m := &model{ctx: ctx, from: from, opt: opt, theme: theme, now: time.Now(), w: 80, h: 24, screens: screen.All(), canvas: canvas.New(80, 24, theme)}
	m.focus, m.filters, m.window = make([]int, len(m.screens)), make([]string, len(m.screens)), len(windows)-1
	m.keys = m.globalKeys()
	for i, s := range m.screens {
		if strings.EqualFold(s.Name(), opt.Screen) {
			m.active = i
		}
	}
	return m
}

func tick() tea.Cmd {
	return tea.Tick(time.Second, func(t time.Time) tea.Msg { return tickMsg(t) })
}

// Init starts the clock: ages grow even when nothing arrives.
func (m *model) Init() tea.Cmd { return tick() }

// Update is the only place where the model changes.
func (m *model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	redraw := true
	var cmd tea.Cmd
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.w, m.h = msg.Width, msg.Height
	case tea.FocusMsg:
		m.blurred = false
	case tea.BlurMsg:
		m.blurred = true
	case tickMsg:
		m.now = time.Time(msg)
		cmd = tea.Batch(tick(), m.ask())
	case updateMsg:
		first := m.last.Snapshot == nil
		m.receive(msg)
		redraw = !m.blurred
		if first {
			cmd = m.ask()
		}
	case verbMsg:
		cmd = m.answered(msg)
	case tea.KeyPressMsg:
		cmd = m.press(screen.Press{Name: msg.String(), Text: msg.Key().Text})
	case tea.MouseClickMsg:
		if redraw = msg.Button == tea.MouseLeft; redraw {
			cmd = m.click(msg.X, msg.Y)
		}
	case tea.MouseWheelMsg:
		cmd = m.wheel(msg.Button == tea.MouseWheelUp)
	case tea.PasteMsg:
		cmd = m.press(screen.Press{Text: msg.Content})
	default:
		redraw = false
	}
	if redraw {
		m.content = ""
	}
	return m, cmd
}

// View draws what Update left. It draws once per change, not once per frame.
func (m *model) View() tea.View {
	if m.content == "" {
		m.content = m.draw()
	}
	v := tea.NewView(m.content)
	v.AltScreen = true
	v.ReportFocus = true
	if !m.opt.NoMouse {
		v.MouseMode = tea.MouseModeCellMotion
	}
	v.WindowTitle = m.windowTitle()
	if l := m.loadOf(m.snapshot()); l != nil && !l.Over() {
		v.ProgressBar = tea.NewProgressBar(tea.ProgressBarDefault, int(l.Progress*100))
	}
	return v
}

func (m *model) loadOf(s *control.Snapshot) *control.Load {
	if s == nil {
		return nil
	}
	return s.Load
}

func (m *model) windowTitle() string {
	s := m.snapshot()
	switch {
	case s == nil:
		return "weir"
	case len(s.Attention) > 0:
		return fmt.Sprintf("weir (%d need attention)", len(s.Attention))
	}
	return "weir"
}

// snapshot that is shown: the newest, or the one that the user froze; nil before the first.
func (m *model) snapshot() *control.Snapshot {
	if m.frozen != nil {
		return m.frozen
	}
	return m.last.Snapshot
}

// dead says that what is shown is no longer true. Figures of finished work stay true when their server has ended.
func (m *model) dead() bool { return !m.last.Live && !m.finished() }

// finished says that the work is done and its figures are final.
func (m *model) finished() bool {
	s := m.last.Snapshot
	return s != nil && (s.Done || m.opt.QuitWhenDone && s.Proof != nil && s.Proof.Done)
}

func (m *model) receive(u updateMsg) {
	if u.at.After(m.now) {
		m.now = u.at
	}
	m.last = u.Update
	if m.frozen == nil && u.Snapshot != nil {
		m.apply(u.Snapshot)
	}
}

func (m *model) apply(s *control.Snapshot) {
	for _, sc := range m.screens {
		sc.Apply(s)
	}
}

func (m *model) say(bad bool, format string, args ...any) {
	m.toast, m.bad, m.until = fmt.Sprintf(format, args...), bad, m.now.Add(6*time.Second)
}

func (m *model) answered(a verbMsg) tea.Cmd {
	text, more := a.result.(string)
	switch {
	case a.err != nil && a.asked.Then == nil:
		m.say(true, "%v", hinted(a.err))
	case a.err != nil || a.asked.Quiet:
	case more && text != "": // a verb that has more to tell: where a file lies
		m.say(false, "%s: %s", a.asked.Verb, text)
	default:
		m.say(false, "%s: done", a.asked.Verb)
	}
	if a.asked.Then == nil {
		return nil
	}
	return m.want("", a.asked.Then(hinted(a.err)))
}

// hinted is an error with what the user can do.
func hinted(err error) error {
	var e *control.Error
	if errors.As(err, &e) && e.Hint != "" {
		return fmt.Errorf("%w (%s)", err, e.Hint)
	}
	return err
}

// state is what screens draw.
func (m *model) state() screen.State {
	return screen.State{Snap: m.snapshot(), Now: m.now, Dead: m.dead(), Window: windows[m.window], Verbs: m.verbs()}
}

// placed panels of the active screen at this size; at small sizes only the focused one.
func (m *model) placed(w, h int) []screen.Placed {
	sc, st := m.screens[m.active], m.state()
	all := sc.Place(st, max(w, 80), h)
	if m.alone() {
		return []screen.Placed{{Panel: m.focused(all), W: w, H: h}}
	}
	return all
}

// focused is the panel that y copies and z zooms: the one that the user chose, while it is there at this size. Alone on the
// screen, each panel is there.
func (m *model) focused(all []screen.Placed) int {
	focus := m.focus[m.active]
	if m.alone() && focus < len(m.screens[m.active].Panels(m.state())) {
		return focus
	}
	if len(all) > 0 && !slices.ContainsFunc(all, func(p screen.Placed) bool { return p.Panel == focus }) {
		return all[0].Panel
	}
	return focus
}

// alone says that one panel fills the screen.
func (m *model) alone() bool { return m.w < 80 || m.zoom }

// cycle moves the focus among the panels that this size shows; where one fills the screen, among all of them.
func (m *model) cycle(by int) {
	if m.alone() {
		n := len(m.screens[m.active].Panels(m.state()))
		m.focus[m.active] = (m.focus[m.active] + by + n) % n
		return
	}
	all := m.screens[m.active].Place(m.state(), max(m.w, 80), m.h-3)
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b screen.Placed) int { return (a.Y-b.Y)*10000 + a.X - b.X })
	i := slices.IndexFunc(all, func(p screen.Placed) bool { return p.Panel == m.focus[m.active] })
	m.focus[m.active] = all[(max(i, 0)+by+len(all))%len(all)].Panel
}
