// Package style says how meaning looks: roles, their colours, and the symbols that go with the words.
//
// Start with [New]. A screen names roles and symbols, never a colour or a code point.
//
// # Promises
//
// Meaning is a word and a symbol and only then a colour; no pair of roles differs by red and green alone. Every colour has a
// contrast of at least 4.5:1 on black and on white (a test computes it). Without colour (NO_COLOR) bold, faint and reverse
// stay. Where the locale is not UTF-8, every symbol is ASCII.
package style

import "strings"

// A Role is why a piece of text looks as it does.
type Role uint8

// The roles. Plain is the terminal's own colour.
const (
	Plain Role = iota
	Strong
	Dim    // borders, labels, what lies ahead, and all data that are no longer true
	Accent // what is selected, what is running, the measured curve
	Good
	Warn
	Bad
	Chosen // the selected line or screen
	roles
)

// colours, as 24 bits; the renderer maps them to what the terminal has. All lie at the one luminance (about 0.18) that has
// 4.5:1 against black and against white. Blue and orange are told apart by every common kind of colour blindness.
var colours = [roles]uint32{Dim: 0x757575, Accent: 0x0077cc, Good: 0x0077cc, Warn: 0xb75c00, Bad: 0xb75c00}

// attributes work without colour too: 1 bold, 2 faint, 7 reverse.
var attributes = [roles]string{Strong: "1", Good: "1", Warn: "1", Bad: "1;7", Chosen: "7"}

// A Level is what the terminal's font and locale can show.
type Level uint8

// Levels of symbols, each including the ones before.
const (
	ASCII   Level = iota
	Blocks        // box drawing and blocks: the Linux console
	Braille       // all of it
)

// A Theme is what to draw with.
type Theme struct {
	Level Level
	Color bool
	Symbols
	sgr [roles]string
}

// New makes the theme for an environment: NO_COLOR, TERM and the locale variables.
func New(getenv func(string) string) *Theme {
	return Make(levelOf(getenv), getenv("NO_COLOR") == "")
}

// Make makes a theme by hand.
func Make(level Level, color bool) *Theme {
	t := &Theme{Level: level, Color: color, Symbols: unicodeSymbols}
	if level == ASCII {
		t.Symbols = asciiSymbols
	}
	for r := range roles {
		t.sgr[r] = sgr(r, color)
	}
	return t
}

// SGR is the escape sequence that switches to a role from any other.
func (t *Theme) SGR(r Role) string { return t.sgr[r] }

func sgr(r Role, color bool) string {
	codes := []string{"0"}
	if a := attributes[r]; a != "" {
		codes = append(codes, a)
	}
	if c := colours[r]; c != 0 && color {
		codes = append(codes, "38;2;"+itoa(c>>16)+";"+itoa(c>>8&0xff)+";"+itoa(c&0xff))
	} else if r == Dim {
		codes = append(codes, "2")
	}
	if len(codes) == 1 {
		return "\x1b[m"
	}
	return "\x1b[" + strings.Join(codes, ";") + "m"
}

func itoa(v uint32) string {
	const digits = "0123456789"
	if v < 10 {
		return digits[v : v+1]
	}
	return itoa(v/10) + digits[v%10:v%10+1]
}

// levelOf reads the locale as the C library does: the first of the three that is set decides.
func levelOf(getenv func(string) string) Level {
	locale := ""
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale = getenv(name); locale != "" {
			break
		}
	}
	l := strings.ToLower(strings.ReplaceAll(locale, "-", ""))
	switch {
	case !strings.Contains(l, "utf8"):
		return ASCII
	case getenv("TERM") == "linux": // the console font has no braille
		return Blocks
	}
	return Braille
}
