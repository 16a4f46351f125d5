package screen

import (
	"fmt"
	"strings"

	"weir/tui/canvas"
	"weir/tui/style"
)

// A Scroll shows texts that may be longer than the terminal is high: an explanation, a message in its forms.
type Scroll struct {
	Name  string
	Pages []Page

	page, top int
	lines     int // of the page, as it was wrapped last
	height    int
}

// A Page is one text; with several, tab leads to the next.
type Page struct{ Name, Text string }

// Title of the frame, with the pages that there are.
func (d *Scroll) Title() string {
	if len(d.Pages) < 2 {
		return d.Name
	}
	names := make([]string, len(d.Pages))
	for i, p := range d.Pages {
		names[i] = p.Name
		if i == d.page {
			names[i] = "[" + p.Name + "]"
		}
	}
	return d.Name + "  " + strings.Join(names, " ")
}

// Size of the longest page.
func (d *Scroll) Size() (w, h int) {
	w = canvas.Width(d.Title()) + 2
	for _, p := range d.Pages {
		lines := strings.Split(strings.TrimRight(p.Text, "\n"), "\n")
		h = max(h, len(lines))
		for _, l := range lines {
			w = max(w, canvas.Width(l))
		}
	}
	return w, h
}

// Hint tells the keys.
func (d *Scroll) Hint() string {
	if len(d.Pages) > 1 {
		return "↑↓ scroll  tab next form  esc close"
	}
	return "↑↓ scroll  esc close"
}

// Press scrolls.
func (d *Scroll) Press(p Press) Intent {
	switch p.Name {
	case "esc", "q", "enter":
		return Intent{Close: true}
	case "up", "k":
		d.top--
	case "down", "j":
		d.top++
	case "pgup":
		d.top -= d.height
	case "pgdown", "space":
		d.top += d.height
	case "home", "g":
		d.top = 0
	case "end", "G":
		d.top = d.lines
	case "tab", "right", "l":
		d.page, d.top = (d.page+1)%len(d.Pages), 0
	case "shift+tab", "left", "h":
		d.page, d.top = (d.page+len(d.Pages)-1)%len(d.Pages), 0
	}
	d.top = max(d.top, 0)
	return Intent{}
}

// Draw writes the lines that are in sight.
func (d *Scroll) Draw(c *canvas.Canvas) {
	w, h := c.Size()
	var lines []string
	for _, l := range strings.Split(strings.TrimRight(d.Pages[d.page].Text, "\n"), "\n") {
		blanks := len(l) - len(strings.TrimLeft(l, " "))
		for i, part := range c.Wrap(l[blanks:], max(w-blanks-2, 10), 1000) {
			if i > 0 {
				part = "  " + part
			}
			lines = append(lines, strings.Repeat(" ", blanks)+part)
		}
		if strings.TrimSpace(l) == "" {
			lines = append(lines, "")
		}
	}
	d.lines, d.height = len(lines), h
	d.top = max(min(d.top, len(lines)-h), 0)
	for y, l := range lines[d.top:min(d.top+h, len(lines))] {
		c.Text(0, y, style.Plain, l)
	}
	if rest := len(lines) - d.top - h; rest > 0 {
		c.Right(w, h-1, style.Dim, fmt.Sprintf(" %s %d more ", c.Theme.More, rest))
	}
}
