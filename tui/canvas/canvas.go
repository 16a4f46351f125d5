// Package canvas is a grid of character cells that screens draw on.
//
// Start with [New]; hand out parts with [Canvas.Sub] and [Canvas.Box]; turn the whole into text with [Canvas.String].
//
// # Promises
//
// Nothing is ever drawn outside a part, so no line is longer than the screen, whatever a title or an error contains. Control
// characters of drawn text, escape sequences among them, never reach the terminal. A part that was marked [Canvas.Stale]
// draws in grey only.
package canvas

import (
	"strings"
	"unicode/utf8"

	"github.com/charmbracelet/x/ansi"

	"weir/tui/style"
)

type cell struct {
	text string // one grapheme; "" is a blank, or the right half of a wide one
	role style.Role
	half bool // the right half of a wide grapheme
}

// A Canvas is a rectangle of cells; parts share their cells with the whole.
type Canvas struct {
	Theme *style.Theme
	w, h  int
	x, y  int // of this part in the whole
	grid  *grid
	stale bool
}

type grid struct {
	w     int
	cells []cell
}

// New makes an empty one.
func New(w, h int, theme *style.Theme) *Canvas {
	w, h = max(w, 0), max(h, 0)
	return &Canvas{Theme: theme, w: w, h: h, grid: &grid{w: w, cells: make([]cell, w*h)}}
}

// Size is the width and height in cells.
func (c *Canvas) Size() (w, h int) { return c.w, c.h }

// Reset blanks the whole for the next frame and gives it a size.
func (c *Canvas) Reset(w, h int) {
	w, h = max(w, 0), max(h, 0)
	c.w, c.h, c.grid.w = w, h, w
	if cap(c.grid.cells) < w*h {
		c.grid.cells = make([]cell, w*h)
		return
	}
	c.grid.cells = c.grid.cells[:w*h]
	clear(c.grid.cells)
}

// Sub is the part at x, y; what does not fit is cut off.
func (c *Canvas) Sub(x, y, w, h int) *Canvas {
	x, y = min(max(x, 0), c.w), min(max(y, 0), c.h)
	p := *c
	p.x, p.y = c.x+x, c.y+y
	p.w, p.h = min(max(w, 0), c.w-x), min(max(h, 0), c.h-y)
	return &p
}

// Stale is the same part, for data that are no longer true: everything is drawn in grey.
func (c *Canvas) Stale(stale bool) *Canvas {
	p := *c
	p.stale = c.stale || stale
	return &p
}

// Text writes s at x, y and gives the column after it. Where the edge cuts it, an ellipsis
// says so.
func (c *Canvas) Text(x, y int, r style.Role, s string) int {
	if y < 0 || y >= c.h {
		return x
	}
	if c.stale {
		r = style.Dim
	}
	row := c.grid.cells[(c.y+y)*c.grid.w+c.x:][:c.w]
	if c.Theme.Level == style.ASCII {
		s = toASCII(s)
	}
	for i := 0; i < len(s); {
		n, w := 1, 1
		text := s[i : i+1]
		if b := s[i]; b < 0x20 || b == 0x7f {
			text = " " // also the escape character: what follows it is harmless text
		} else if b >= utf8.RuneSelf {
			text, w = ansi.FirstGraphemeCluster(s[i:], ansi.GraphemeWidth)
			n = len(text)
			if !drawable(text) {
				text, w = "?", 1
			}
			if w == 0 {
				i += n
				continue
			}
		}
		if x+w > c.w {
			if c.w > 1 && strings.Trim(s[i:], " ") != "" { // a number without its end would be another number
				if row[c.w-1].half {
					row[c.w-2] = cell{}
				}
				row[c.w-1] = cell{text: c.Theme.Ellipsis, role: r}
			}
			return c.w
		}
		if x >= 0 {
			if row[x].half && x > 0 { // the left half would be left alone
				row[x-1] = cell{}
			}
			if end := x + w; end < c.w && row[end].half {
				row[end] = cell{}
			}
			row[x] = cell{text: text, role: r}
			if w == 2 {
				row[x+1] = cell{half: true, role: r}
			}
		}
		x += w
		i += n
	}
	return x
}

// ascii says in ASCII what our own texts and profiles say with more.
var ascii = strings.NewReplacer("≤", "<=", "≥", ">=", "→", "->", "…", "...", "–", "-", "—", "-", "·", "-", "×", "x", "µ", "u", "✔", "+", "✖", "x")

// toASCII leaves nothing that a terminal without UTF-8 would garble.
func toASCII(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return strings.Map(func(r rune) rune {
				if r >= utf8.RuneSelf {
					return '?'
				}
				return r
			}, ascii.Replace(s))
		}
	}
	return s
}

// drawable refuses what is no text: broken UTF-8, C1 controls, and the marks that turn the writing direction.
func drawable(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	switch {
	case r == utf8.RuneError && n <= 1, r >= 0x80 && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x2028, r == 0x2029:
		return false
	}
	return true
}

// Width of s on the screen.
func Width(s string) int {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return ansi.StringWidth(s)
		}
	}
	return len(s)
}

// Fit shortens s to w cells, with an ellipsis where something is missing.
func (c *Canvas) Fit(s string, w int) string {
	if Width(s) <= w {
		return s
	}
	if w <= 0 {
		return ""
	}
	return ansi.Truncate(ansi.Strip(s), w, c.Theme.Ellipsis)
}

// Right writes s so that it ends before column x.
func (c *Canvas) Right(x, y int, r style.Role, s string) { c.Text(x-Width(s), y, r, s) }

// Fill repeats a one-cell symbol n times.
func (c *Canvas) Fill(x, y, n int, r style.Role, symbol string) {
	for i := range max(n, 0) {
		c.Text(x+i, y, r, symbol)
	}
}

// String is the whole as text with escape sequences: h lines of at most w cells, without a line end after the last.
func (c *Canvas) String() string {
	var b strings.Builder
	b.Grow(c.w*c.h*2 + 64*c.h)
	for y := range c.h {
		if y > 0 {
			b.WriteByte('\n')
		}
		row := c.row(y)
		now := style.Plain
		for x := range row {
			k := &row[x]
			if k.half {
				continue
			}
			if k.text == "" || k.text == " " {
				if k.role != style.Chosen && k.role != style.Bad { // a blank has no colour, unless it is reversed
					if now == style.Chosen || now == style.Bad {
						b.WriteString(c.Theme.SGR(style.Plain))
						now = style.Plain
					}
					b.WriteByte(' ')
					continue
				}
			}
			if k.role != now {
				b.WriteString(c.Theme.SGR(k.role))
				now = k.role
			}
			if k.text == "" {
				b.WriteByte(' ')
			} else {
				b.WriteString(k.text)
			}
		}
		if now != style.Plain {
			b.WriteString(c.Theme.SGR(style.Plain))
		}
	}
	return b.String()
}

// row without the blanks at its end.
func (c *Canvas) row(y int) []cell {
	row := c.grid.cells[(c.y+y)*c.grid.w+c.x:][:c.w]
	for len(row) > 0 && row[len(row)-1] == (cell{}) {
		row = row[:len(row)-1]
	}
	return row
}

// Plain is the whole as bare text, without blanks at line ends or empty lines at the end: for the clipboard.
func (c *Canvas) Plain() string {
	var b strings.Builder
	for y := range c.h {
		var line strings.Builder
		for _, k := range c.row(y) {
			switch {
			case k.half:
			case k.text == "":
				line.WriteByte(' ')
			default:
				line.WriteString(k.text)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " "))
		b.WriteByte('\n')
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// Width of the part in cells.
func (c *Canvas) Width() int { return c.w }

// Clear blanks the part. A wide character that stands across its edge goes as a whole: half of one is no character.
func (c *Canvas) Clear() {
	if c.w == 0 {
		return
	}
	for y := range c.h {
		row := c.grid.cells[(c.y+y)*c.grid.w:][:c.grid.w]
		if row[c.x].half && c.x > 0 {
			row[c.x-1] = cell{}
		}
		if end := c.x + c.w; end < c.grid.w && row[end].half {
			row[end] = cell{}
		}
		clear(row[c.x : c.x+c.w])
	}
}
