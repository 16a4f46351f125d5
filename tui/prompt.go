package tui

import (
	"strings"
	"unicode/utf8"

	tea "charm.land/bubbletea/v2"

	"weir/tui/canvas"
	"weir/tui/screen"
	"weir/tui/style"
)

// A prompt asks for a line of text before a verb is called.
type prompt struct {
	screen.Intent
	text string
}

// promptLimit is as long as a mark may be.
const promptLimit = 200

// edit takes a key: enter gives the text, esc gives up, everything else changes it.
func (m *model) edit(key string) tea.Cmd {
	p := m.prompt
	switch key {
	case "enter":
		m.prompt = nil
		if text := strings.TrimSpace(p.text); text != "" {
			p.Args, p.Prompt = p.Answer(text), ""
			return m.want(key, p.Intent)
		}
		m.say(false, "%s: nothing typed, not done", p.Verb)
	case "esc", "ctrl+c":
		m.prompt = nil
		m.say(false, "%s: not done", p.Verb)
	case "backspace":
		_, n := utf8.DecodeLastRuneInString(p.text)
		p.text = p.text[:len(p.text)-n]
	case "ctrl+u":
		p.text = ""
	case "space":
		m.typed(" ")
	default:
		if utf8.RuneCountInString(key) == 1 {
			m.typed(key)
		}
	}
	return nil
}

// typed adds text, also pasted, to what is being asked for.
func (m *model) typed(text string) {
	if m.prompt == nil {
		return
	}
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == utf8.RuneError || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, text)
	if len(m.prompt.text)+len(text) <= promptLimit {
		m.prompt.text += text
	}
}

// drawPrompt is the question with what was typed so far; of a long text the end is seen.
func (m *model) drawPrompt(p *canvas.Pen) {
	const keys = "   enter ok  esc no"
	p.Put(style.Chosen, " "+m.prompt.Prompt+" ").Put(style.Plain, " ")
	text, room := m.prompt.text, p.Room()-len(keys)-2
	for room > 0 && canvas.Width(text) > room {
		_, n := utf8.DecodeRuneInString(text)
		text = text[n:]
	}
	p.Put(style.Strong, text).Put(style.Chosen, " ").Fit(style.Dim, keys, 0)
}
