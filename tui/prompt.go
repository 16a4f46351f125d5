package tui

import (
	"strings"

	tea "charm.land/bubbletea/v2"

	"weir/tui/canvas"
	"weir/tui/screen"
	"weir/tui/style"
)

// A prompt asks in the last line for a text before a verb is called: the curves above stay in sight.
type prompt struct {
	screen.Intent
	in screen.Input
}

// promptLimit is as long as a mark may be.
const promptLimit = 200

// edit takes a key: enter gives the text, esc gives up, everything else changes it.
func (m *model) edit(key screen.Press) tea.Cmd {
	p := m.prompt
	switch key.Name {
	case "enter":
		m.prompt = nil
		if text := strings.TrimSpace(p.in.Value()); text != "" {
			p.Args, p.Prompt = p.Answer(text), ""
			return m.want(key.Name, p.Intent)
		}
		m.say(false, "%s: nothing typed, not done", p.Verb)
	case "esc", "ctrl+c":
		m.prompt = nil
		m.say(false, "%s: not done", p.Verb)
	default:
		if before := p.in; p.in.Press(key) && len(p.in.Value()) > promptLimit {
			p.in = before
		}
	}
	return nil
}

// drawPrompt is the question with what was typed so far.
func (m *model) drawPrompt(p *canvas.Pen, c *canvas.Canvas) {
	const keys = "   enter ok  esc no"
	p.Put(style.Chosen, " "+m.prompt.Prompt+" ").Put(style.Plain, " ")
	room := p.Room() - 2
	if room > 40 {
		room -= len(keys)
		c.Right(m.w-1, 0, style.Dim, keys)
	}
	m.prompt.in.Draw(c, p.X(), 0, room, style.Strong, true)
}
