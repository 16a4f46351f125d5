package tui

import (
	"fmt"
	"strings"
	"time"

	"weir/tui/canvas"
	"weir/tui/figure"
	"weir/tui/screen"
	"weir/tui/style"
)

// draw makes the whole picture: title line, status line, body, key line.
func (m *model) draw() string {
	if m.w <= 0 || m.h <= 0 {
		return " "
	}
	c := m.canvas
	c.Reset(m.w, m.h)
	m.title(c)
	last := m.h - 1
	body := c.Sub(0, min(2, last), m.w, last-2)
	small := m.w < 60 || m.h < 16
	if small {
		body = c.Sub(0, min(1, last), m.w, last-1)
	}
	switch {
	case m.snapshot() == nil:
		m.drawNothing(body)
	case small:
		m.safely(body, func() { m.drawBriefs(body.Stale(m.stale())) })
	default:
		st := m.state()
		status := c.Sub(1, 1, m.w-2, 1).Stale(m.stale())
		if view := m.view(); view != "" {
			status.Right(m.w-2, 0, style.Warn, view)
			status = status.Sub(0, 0, m.w-2-canvas.Width(view)-2, 1)
		}
		m.safely(status, func() { m.screens[m.active].Status(status.At(0, 0), st) })
		w, h := body.Size()
		panels := m.screens[m.active].Panels(st)
		placed := m.placed(w, h)
		focus := m.focused(placed)
		for _, p := range placed {
			at := body.Sub(p.X, p.Y, p.W, p.H).Stale(m.stale())
			m.safely(at, func() { panels[p.Panel].Draw(at, st, p.Panel == focus && len(placed) > 1) })
		}
	}
	if d := m.top(); d != nil {
		m.drawDialog(body, d)
	}
	if last > 0 && !m.longToast(c, last) {
		m.keyLine(c.Sub(0, last, m.w, 1))
	}
	return c.String()
}

// longToast writes a message that one line cannot hold over the last lines: an error without its end says nothing.
func (m *model) longToast(c *canvas.Canvas, last int) bool {
	if m.toast == "" || !m.now.Before(m.until) || m.confirm != nil || m.prompt != nil || canvas.Width(m.toast) <= m.w-4 {
		return false
	}
	role, sign := style.Strong, ""
	if m.bad {
		role, sign = style.Warn, m.theme.Warn
	}
	lines := c.Wrap(m.toast, m.w-4, min(last, 4))
	if len(lines) < 2 {
		return false
	}
	strip := c.Sub(0, last-len(lines)+1, m.w, len(lines))
	strip.Clear()
	strip.Text(1, 0, role, sign)
	for y, line := range lines {
		strip.Text(3, y, role, line)
	}
	return true
}

// typesInto reports that a value is being typed on the screen.
func (m *model) typesInto() bool {
	t, ok := m.screens[m.active].(screen.Typer)
	return ok && t.Typing()
}

// stale says that what the active screen shows is no longer true. A screen that shows files needs no server for that.
func (m *model) stale() bool {
	l, ok := m.screens[m.active].(screen.Lasting)
	return m.dead() && !(ok && l.Lasting())
}

// view says what is left out of the picture: by a filter, or by a time window.
func (m *model) view() string {
	var parts []string
	if m.opt.ReadOnly {
		parts = append(parts, "read-only")
	}
	if f := m.filters[m.active]; f != "" {
		parts = append(parts, "filter: "+m.canvas.Fit(f, 20))
	}
	if w := windows[m.window]; w > 0 {
		parts = append(parts, "last "+figure.Roughly(w.Seconds()))
	}
	return strings.Join(parts, "  ")
}

// safely keeps a screen that cannot draw something from taking the terminal with it.
func (m *model) safely(c *canvas.Canvas, draw func()) {
	defer func() {
		if v := recover(); v != nil {
			c.Text(0, 0, style.Bad, c.Fit(fmt.Sprintf("cannot draw this: %v (a bug of weir; the work goes on)", v), max(c.Width(), 1)))
		}
	}()
	draw()
}

// title line: the screens, and at the right the time and the age of the data.
func (m *model) title(c *canvas.Canvas) {
	words, role := m.age()
	if m.w < 60 {
		m.spots = nil
		c.Sub(0, 0, max(m.w-canvas.Width(words)-2, 0), 1).At(1, 0).Put(style.Strong, "weir ").Fit(style.Chosen, fmt.Sprintf("%d %s", m.active+1, m.screens[m.active].Name()), 0)
		c.Right(m.w-1, 0, role, words)
		return
	}
	form, clock := m.titleForm(m.w-7-canvas.Width(words), m.now.Format("15:04:05")+"  ")
	p := c.Sub(0, 0, max(m.w-canvas.Width(clock)-canvas.Width(words)-2, 0), 1).At(1, 0).Put(style.Strong, "weir ")
	m.spots = m.spots[:0]
	for i := range m.screens {
		m.spotted(p.X(), i, m.name(i, form))
		if text := m.name(i, form); i == m.active {
			p.Put(style.Chosen, text)
		} else {
			p.Put(style.Plain, text)
		}
		if form == 0 {
			p.Put(style.Plain, " ")
		}
	}
	c.Right(m.w-1-canvas.Width(words), 0, style.Dim, clock)
	c.Right(m.w-1, 0, role, words)
}

// titleForm is how much of the title has room: the blanks between the names go first, then the clock, then the names of the screens
// that are not seen.
func (m *model) titleForm(room int, clock string) (int, string) {
	for _, f := range []struct {
		form  int
		clock string
	}{{0, clock}, {1, clock}, {1, ""}, {2, clock}} {
		if m.namesWidth(f.form)+canvas.Width(f.clock) <= room {
			return f.form, f.clock
		}
	}
	return 2, ""
}

// name of a screen in the title line: in full, or its number alone.
func (m *model) name(i, form int) string {
	text := fmt.Sprintf("%d %s", i+1, m.screens[i].Name())
	if i == m.active {
		return "[" + text + "]"
	}
	if form == 2 {
		text = text[:1]
	}
	return " " + text + " "
}

func (m *model) namesWidth(form int) int {
	n := 0
	for i := range m.screens {
		n += canvas.Width(m.name(i, form))
		if form == 0 {
			n++
		}
	}
	return n
}

// age of what is shown, in the words of the title line.
func (m *model) age() (string, style.Role) {
	s := m.snapshot()
	retry := ""
	if !m.last.RetryAt.IsZero() {
		retry = "retry in " + seconds(m.last.RetryAt.Sub(m.now))
		if !m.last.RetryAt.After(m.now) {
			retry = "trying again"
		}
	}
	switch {
	case s == nil && m.last.Err != nil:
		return m.theme.Bad + " no server, " + retry, style.Warn
	case s == nil:
		return "connecting", style.Dim
	case m.finished() && m.frozen == nil:
		if !m.last.Live {
			return m.theme.Good + " finished, server ended", style.Good
		}
		return m.theme.Good + " finished " + figure.Ago(m.now, s.At), style.Good
	case m.dead():
		return m.theme.Bad + " " + old(m.now.Sub(m.last.Heard)) + ", " + retry, style.Warn
	case m.frozen != nil:
		return m.theme.Pause + " frozen, " + old(m.now.Sub(s.At)), style.Warn
	}
	age := m.now.Sub(s.At)
	if age > 10*time.Second { // the server is there, it has nothing new to say
		return "quiet " + figure.Age(age), style.Dim
	}
	return "live " + figure.Age(age), style.Good
}

func old(d time.Duration) string { return seconds(d) + " old" }

// seconds in whole ones: an age that flickers in tenths cannot be read.
func seconds(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", max(int(d.Seconds()), 0))
	}
	return figure.Span(d)
}

// drawBriefs is the screen in one line per panel.
func (m *model) drawBriefs(c *canvas.Canvas) {
	st := m.state()
	_, h := c.Size()
	y := 0
	seen := map[string]bool{}
	for _, p := range m.screens[m.active].Panels(st) {
		if y >= h {
			return
		}
		line := c.Sub(1, y, m.w-2, 1)
		p.Brief(line.At(0, 0), st)
		text := line.Plain()
		if seen[text] || strings.TrimSpace(text) == "" {
			line.Clear()
			continue
		}
		seen[text] = true
		y++
	}
}

// drawNothing is the body before the first snapshot.
func (m *model) drawNothing(c *canvas.Canvas) {
	w, _ := c.Size()
	if m.last.Err == nil {
		c.Text(1, 1, style.Dim, "connecting "+m.theme.Ellipsis)
		return
	}
	y := 1
	for _, line := range c.Wrap(m.last.Err.Error(), w-2, 4) {
		c.Text(1, y, style.Warn, line)
		y++
	}
	for _, line := range c.Wrap("start one with `pipeline demo` or `pipeline run`, or name its directory with --home; this screen attaches as soon as it is there", w-2, 4) {
		c.Text(1, y+1, style.Plain, line)
		y++
	}
}

// keyLine is the last line: a question, a message, or the keys that fit.
func (m *model) keyLine(c *canvas.Canvas) {
	p := c.At(1, 0)
	switch {
	case m.prompt != nil:
		m.drawPrompt(p, c)
		return
	case m.confirm != nil:
		p.Put(style.Bad, " y/n ").Put(style.Plain, " ").Fit(style.Strong, m.confirm.Confirm, 0)
		if keys := "  y yes, any other key no"; p.Room() >= len(keys) {
			p.Put(style.Strong, keys)
		}
		return
	case m.toast != "" && m.now.Before(m.until):
		role := style.Strong
		if m.bad {
			role = style.Warn
			p.Put(role, m.theme.Warn+" ")
		}
		p.Fit(role, m.toast, 0)
		return
	case m.top() != nil:
		p.Fit(style.Plain, m.label(m.top().Hint()), 0)
		return
	case m.filtering:
		m.filterLine(p, c)
		return
	case m.typesInto():
		p.Fit(style.Plain, m.label("⏎ take it  esc leave it as it was"), 0)
		return
	case m.finished() && m.opt.QuitWhenDone:
		p.Put(style.Chosen, " finished ").Fit(style.Plain, fmt.Sprintf("  %s or q leaves   1-%d look around   ? help", m.label("⏎"), len(m.screens)), 0)
		return
	}
	const always = 2 // help and detach are always there
	keys := m.offered()
	room := p.Room() - 1
	var fixed, moving []string
	for i, k := range keys {
		if k.Hint == "" {
			continue
		}
		text := m.label(k.Hint)
		if m.finished() {
			text = strings.Replace(text, "detach", "quit", 1)
		}
		if i >= len(keys)-always {
			fixed = append(fixed, text)
			room -= canvas.Width(text) + 2
		} else {
			moving = append(moving, text)
		}
	}
	for _, text := range moving {
		if room < canvas.Width(text)+2 {
			break
		}
		room -= canvas.Width(text) + 2
		m.hint(p, text)
	}
	for _, text := range fixed {
		m.hint(p, text)
	}
}

// hint writes a key and its word.
func (m *model) hint(p *canvas.Pen, text string) {
	i := max(strings.LastIndexByte(text, ' '), 0)
	p.Put(style.Accent, text[:i]).Put(style.Plain, text[i:]+"  ")
}

// label is how a key is called on this terminal.
func (m *model) label(s string) string {
	if m.theme.Level != style.ASCII {
		return s
	}
	return strings.NewReplacer("↑", "up", "↓", "down", "⏎", "enter", "␣", "space", "⇧", "shift+").Replace(s)
}
