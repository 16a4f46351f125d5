package canvas

import (
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"weir/tui/style"
)

var theme = style.Make(style.Braille, true)

func TestTextStaysInItsPart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w, h := rapid.IntRange(0, 30).Draw(t, "w"), rapid.IntRange(0, 6).Draw(t, "h")
		c := New(w, h, theme)
		for y := range h {
			c.Fill(0, y, w, style.Plain, "#")
		}
		x, y := rapid.IntRange(-2, 30).Draw(t, "x"), rapid.IntRange(-2, 6).Draw(t, "y")
		part := c.Sub(x, y, rapid.IntRange(-1, 30).Draw(t, "pw"), rapid.IntRange(-1, 6).Draw(t, "ph"))
		pw, ph := part.Size()
		part.Clear()
		for range 4 {
			part.Text(rapid.IntRange(-3, 30).Draw(t, "tx"), rapid.IntRange(-1, 6).Draw(t, "ty"), style.Good, rapid.String().Draw(t, "s"))
		}
		part.Box(rapid.String().Draw(t, "title"), true).Text(0, 0, style.Plain, rapid.String().Draw(t, "inner"))
		lines := strings.Split(ansi.Strip(c.String()), "\n")
		if h > 0 && len(lines) != h {
			t.Fatalf("%d lines, want %d", len(lines), h)
		}
		outside := 0
		for _, line := range lines {
			if n := ansi.StringWidth(line); n > w {
				t.Fatalf("a line of %d cells in %d: %q", n, w, line)
			}
			outside += strings.Count(line, "#")
		}
		if outside < w*h-pw*ph {
			t.Fatalf("drawn outside the part: %d of %d cells are left around it", outside, w*h-pw*ph)
		}
	})
}

func TestWhatIsCutShows(t *testing.T) {
	c := New(8, 1, theme)
	c.At(0, 0).Put(style.Dim, "sent ").Put(style.Plain, "1,998,204")
	if got := c.Plain(); got != "sent 1,…\n" {
		t.Errorf("got %q; a number without its end is another number", got)
	}
	c = New(8, 1, theme)
	c.Text(0, 0, style.Plain, "12345678   ")
	if got := c.Plain(); got != "12345678\n" {
		t.Errorf("got %q; blanks are no loss", got)
	}
}

func TestWideCharactersAreNeverHalved(t *testing.T) {
	c := New(6, 1, theme)
	c.Text(0, 0, style.Plain, "日本語")
	c.Text(1, 0, style.Plain, "x") // onto the right half of the first
	if got := c.Plain(); got != " x本語\n" {
		t.Errorf("got %q", got)
	}
	c.Text(1, 0, style.Plain, "ab") // onto the left half of the second
	if got := c.Plain(); got != " ab 語\n" {
		t.Errorf("got %q", got)
	}
}

func TestStalePartIsGrey(t *testing.T) {
	c := New(20, 1, theme)
	c.Stale(true).At(0, 0).Put(style.Good, "ok").Put(style.Bad, "bad")
	if got := c.String(); strings.Contains(got, theme.SGR(style.Good)) || strings.Contains(got, theme.SGR(style.Bad)) || !strings.Contains(got, theme.SGR(style.Dim)) {
		t.Errorf("got %q", got)
	}
}

func TestASCIITerminalGetsASCII(t *testing.T) {
	c := New(40, 3, style.Make(style.ASCII, false))
	c.Box("Größe → 日本", true).Text(0, 0, style.Plain, "p99 ≤ 100 µs … ✔")
	for _, r := range ansi.Strip(c.String()) {
		if r > 126 {
			t.Fatalf("%q in %q", r, c.Plain())
		}
	}
	if !strings.Contains(c.Plain(), "p99 <= 100 us ... +") {
		t.Error(c.Plain())
	}
}

func TestWrap(t *testing.T) {
	c := New(1, 1, theme)
	for _, tc := range []struct {
		s    string
		w, n int
		want string
	}{
		{"one two three", 7, 9, "one two|three"}, {"one two three four", 7, 2, "one two|three…"}, {"incomprehensible", 6, 9, "incomp|rehens|ible"},
		{"日本語", 4, 9, "日本|語"}, {"", 5, 3, ""}, {"a b", 5, 0, ""},
	} {
		if got := strings.Join(c.Wrap(tc.s, tc.w, tc.n), "|"); got != tc.want {
			t.Errorf("wrap %q into %d x %d: got %q, want %q", tc.s, tc.w, tc.n, got, tc.want)
		}
	}
}

func TestClearLeavesNoHalfCharacter(t *testing.T) {
	c := New(8, 1, style.Make(style.Braille, false))
	c.Text(0, 0, style.Plain, "日本語本")
	c.Sub(3, 0, 2, 1).Clear()
	if got, want := c.String(), "日    本"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
