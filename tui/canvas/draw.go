package canvas

import (
	"strings"

	"weir/tui/style"
)

// Box draws a frame with a title around the whole part and gives what is inside. A part too small for a frame stays bare.
func (c *Canvas) Box(title string, focused bool) *Canvas { return c.BoxAged(title, "", focused) }

// BoxAged is Box with a note at the right of the title: the age of what the frame holds.
func (c *Canvas) BoxAged(title, note string, focused bool) *Canvas {
	if c.w < 4 || c.h < 3 {
		return c
	}
	line, text, s := style.Dim, style.Strong, c.Theme
	if focused {
		line, text = style.Accent, style.Accent
	}
	c.Text(0, 0, line, s.TL)
	c.Fill(1, 0, c.w-2, line, s.H)
	c.Text(c.w-1, 0, line, s.TR)
	for y := 1; y < c.h-1; y++ {
		c.Text(0, y, line, s.V)
		c.Text(c.w-1, y, line, s.V)
	}
	c.Text(0, c.h-1, line, s.BL)
	c.Fill(1, c.h-1, c.w-2, line, s.H)
	c.Text(c.w-1, c.h-1, line, s.BR)
	room := c.w - 6
	if note != "" && Width(note)+4 < room {
		c.Right(c.w-2, 0, style.Warn, " "+note+" ")
		room -= Width(note) + 3
	}
	if focused && title != "" { // also without colour
		title = s.Cursor + " " + title
	}
	if title != "" && room > 0 {
		c.Text(2, 0, text, " "+c.Fit(title, room)+" ")
	}
	return c.Sub(2, 1, c.w-4, c.h-2)
}

// A Pen writes pieces of a line one after the other.
type Pen struct {
	c    *Canvas
	x, y int
}

// At is a pen at x, y.
func (c *Canvas) At(x, y int) *Pen { return &Pen{c, x, y} }

// Put writes on.
func (p *Pen) Put(r style.Role, s string) *Pen {
	p.x = p.c.Text(p.x, p.y, r, s)
	return p
}

// Fit writes on, shortened to the room that is left minus reserve.
func (p *Pen) Fit(r style.Role, s string, reserve int) *Pen {
	return p.Put(r, p.c.Fit(s, p.c.w-p.x-reserve))
}

// Fitted is s, shortened to w cells.
func (p *Pen) Fitted(s string, w int) string { return p.c.Fit(s, w) }

// To goes on at column x, or behind what is there already.
func (p *Pen) To(x int) *Pen {
	p.x = max(p.x, x)
	return p
}

// X is the next column, Room the cells left to the edge.
func (p *Pen) X() int    { return p.x }
func (p *Pen) Room() int { return p.c.w - p.x }

// Wrap breaks s into lines of at most w cells, at blanks where it can, and at most n lines; the last one shows that there
// is more.
func (c *Canvas) Wrap(s string, w, n int) []string {
	var lines []string
	if w <= 0 || n <= 0 {
		return nil
	}
	line := ""
	for _, word := range strings.Fields(s) {
		for {
			next := word
			if line != "" {
				next = line + " " + word
			}
			if Width(next) <= w {
				line = next
				break
			}
			if line != "" {
				lines = append(lines, line)
				line = ""
				continue
			}
			head := c.head(word, w)
			lines = append(lines, head)
			if word = word[len(head):]; word == "" {
				break
			}
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	if len(lines) > n {
		lines = lines[:n]
		if Width(lines[n-1]) < w {
			lines[n-1] += c.Theme.Ellipsis
		} else {
			lines[n-1] = c.Fit(lines[n-1]+" ", w)
		}
	}
	return lines
}

// head is the longest beginning of a word that fits into w cells, at least one character.
func (c *Canvas) head(word string, w int) string {
	used := 0
	for i, r := range word {
		n := Width(string(r))
		if used+n > w && i > 0 {
			return word[:i]
		}
		used += n
	}
	return word
}

// Theme to take symbols from.
func (p *Pen) Theme() *style.Theme { return p.c.Theme }
