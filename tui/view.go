package tui

import (
	"fmt"
	"strings"
	"time"

	"weir/tui/canvas"
	"weir/tui/figure"
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
	case m.help:
		m.drawHelp(body)
	case m.snapshot() == nil:
		m.drawNothing(body)
	case small:
		m.safely(body, func() { m.drawBriefs(body.Stale(m.dead())) })
	default:
		st := m.state()
		status := c.Sub(1, 1, m.w-2, 1).Stale(m.dead())
		m.safely(status, func() { m.screens[m.active].Status(status.At(0, 0), st) })
		w, h := body.Size()
		panels := m.screens[m.active].Panels(st)
		placed := m.placed(w, h)
		focus := m.focused(placed)
		for _, p := range placed {
			at := body.Sub(p.X, p.Y, p.W, p.H).Stale(m.dead())
			m.safely(at, func() { panels[p.Panel].Draw(at, st, p.Panel == focus && len(placed) > 1) })
		}
	}
	if last > 0 {
		m.keyLine(c.Sub(0, last, m.w, 1))
	}
	return c.String()
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
	clock := m.now.Format("15:04:05") + "  "
	if m.w < 60 {
		clock = ""
	}
	right := canvas.Width(clock) + canvas.Width(words) + 1
	p := c.Sub(0, 0, max(m.w-right-1, 0), 1).At(1, 0).Put(style.Strong, "weir ")
	if m.w < 60 {
		p.Fit(style.Chosen, fmt.Sprintf("%d %s", m.active+1, m.screens[m.active].Name()), 0)
	} else {
		for i, s := range m.screens {
			name := fmt.Sprintf("%d %s", i+1, s.Name())
			if i == m.active {
				p.Put(style.Chosen, "["+name+"]").Put(style.Plain, " ")
			} else {
				p.Put(style.Plain, " "+name+"  ")
			}
		}
	}
	c.Right(m.w-1-canvas.Width(words), 0, style.Dim, clock)
	c.Right(m.w-1, 0, role, words)
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
		m.drawPrompt(p)
		return
	case m.confirm != nil:
		p.Put(style.Bad, " y/n ").Put(style.Plain, " ").Fit(style.Strong, m.confirm.Confirm+"  y yes, any other key no", 0)
		return
	case m.toast != "" && m.now.Before(m.until):
		role := style.Strong
		if m.bad {
			role = style.Warn
			p.Put(role, m.theme.Warn+" ")
		}
		p.Fit(role, m.toast, 0)
		return
	case m.help:
		p.Put(style.Plain, "any key closes this")
		return
	case m.finished() && m.opt.QuitWhenDone:
		p.Put(style.Chosen, " finished ").Fit(style.Plain, "  "+m.label("⏎")+" or q leaves   1-3 look around   ? help", 0)
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
	i := strings.LastIndexByte(text, ' ')
	p.Put(style.Accent, text[:i]).Put(style.Plain, text[i:]+"  ")
}

// label is how a key is called on this terminal.
func (m *model) label(s string) string {
	if m.theme.Level != style.ASCII {
		return s
	}
	return strings.NewReplacer("↑", "up", "↓", "down", "⏎", "enter", "␣", "space", "⇧", "shift+").Replace(s)
}

// drawHelp is the key table.
func (m *model) drawHelp(c *canvas.Canvas) {
	in := c.Box("Keys on "+m.screens[m.active].Name(), true)
	_, h := in.Size()
	keys := m.offered()
	m.scroll = min(m.scroll, max(len(keys)-h, 0))
	for y := 0; y < h && m.scroll+y < len(keys); y++ {
		k := keys[m.scroll+y]
		in.At(0, y).Put(style.Accent, m.label(k.Label)).To(12).Put(style.Plain, " ").Fit(style.Plain, k.Help, 0)
	}
	if m.scroll+h < len(keys) {
		in.Right(in.Width(), h-1, style.Dim, " "+m.theme.More+" more ")
	}
}
