package screen

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"weir/tui/canvas"
	"weir/tui/style"
)

// An Input is a line of text with a cursor. It knows characters as people count them.
type Input struct {
	text []string // one character each
	at   int      // the cursor stands before text[at]
}

// mostTyped bounds what a paste can bring.
const mostTyped = 4096

// NewInput is one that holds a text, with the cursor behind it.
func NewInput(s string) Input {
	var in Input
	in.Set(s)
	return in
}

// Set replaces the text.
func (in *Input) Set(s string) {
	in.text = characters(s)
	in.at = len(in.text)
}

// Value is the text.
func (in *Input) Value() string { return strings.Join(in.text, "") }

func characters(s string) []string {
	var all []string
	for s != "" && len(all) < mostTyped {
		c, _ := ansi.FirstGraphemeCluster(s, ansi.GraphemeWidth)
		s = s[len(c):]
		if c == "\n" || c == "\r\n" || c == "\r" || c == "\t" {
			c = " "
		}
		if r, _ := utf8.DecodeRuneInString(c); r < 0x20 || r >= 0x7f && r < 0xa0 || r == utf8.RuneError { // a control character is no text
			continue
		}
		all = append(all, c)
	}
	return all
}

// Press does what a key means in a text; false if it means nothing here.
func (in *Input) Press(p Press) bool {
	switch p.Name {
	case "left", "ctrl+b":
		in.at = max(in.at-1, 0)
	case "right", "ctrl+f":
		in.at = min(in.at+1, len(in.text))
	case "home", "ctrl+a":
		in.at = 0
	case "end", "ctrl+e":
		in.at = len(in.text)
	case "backspace", "ctrl+h":
		in.cut(in.at-1, in.at)
	case "delete", "ctrl+d":
		in.cut(in.at, in.at+1)
	case "ctrl+u":
		in.cut(0, in.at)
	case "ctrl+k":
		in.cut(in.at, len(in.text))
	case "ctrl+w", "alt+backspace":
		from := in.at
		for from > 0 && in.text[from-1] == " " {
			from--
		}
		for from > 0 && in.text[from-1] != " " {
			from--
		}
		in.cut(from, in.at)
	default:
		if p.Text == "" {
			return false
		}
		add := characters(p.Text)
		if len(in.text)+len(add) > mostTyped {
			return true
		}
		rest := append([]string{}, in.text[in.at:]...)
		in.text = append(append(in.text[:in.at:in.at], add...), rest...)
		in.at += len(add)
	}
	return true
}

func (in *Input) cut(from, to int) {
	from, to = max(from, 0), min(to, len(in.text))
	if from < to {
		in.text = append(in.text[:from:from], in.text[to:]...)
		in.at = from
	}
}

// Draw writes the text into w cells at x, y, with the cursor in sight.
func (in *Input) Draw(c *canvas.Canvas, x, y, w int, role style.Role, cursor bool) {
	if w <= 0 {
		return
	}
	part := c.Sub(x, y, w, 1)
	first := 0
	for canvas.Width(strings.Join(in.text[first:in.at], ""))+1 > w && first < in.at {
		first++
	}
	col := 0
	for i := first; i <= len(in.text); i++ {
		r, text := role, " "
		if i < len(in.text) {
			text = in.text[i]
		}
		if cursor && i == in.at {
			r = style.Chosen
		} else if i == len(in.text) {
			break
		}
		n := max(canvas.Width(text), 1)
		if col+n > w {
			break
		}
		part.Text(col, 0, r, text)
		col += n
	}
}
