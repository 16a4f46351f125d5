package style

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// luminance as WCAG 2 defines it.
func luminance(c uint32) float64 {
	lin := func(v uint32) float64 {
		f := float64(v&0xff) / 255
		if f <= 0.03928 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	return 0.2126*lin(c>>16) + 0.7152*lin(c>>8) + 0.0722*lin(c)
}

func TestColoursReadOnBlackAndOnWhite(t *testing.T) {
	for r, c := range colours {
		if c == 0 {
			continue
		}
		l := luminance(c)
		if black, white := (l+0.05)/0.05, 1.05/(l+0.05); black < 4.5 || white < 4.5 {
			t.Errorf("role %d, #%06x: %.2f on black, %.2f on white, want 4.5", r, c, black, white)
		}
	}
}

// TestColourIsNeverAlone: roles of the same colour, and all roles without colour, still differ where they mean different things.
func TestColourIsNeverAlone(t *testing.T) {
	plain := Make(Braille, false)
	for _, pair := range [][2]Role{{Good, Bad}, {Warn, Bad}, {Plain, Bad}, {Plain, Dim}, {Plain, Chosen}} {
		if plain.SGR(pair[0]) == plain.SGR(pair[1]) {
			t.Errorf("roles %d and %d look the same without colour", pair[0], pair[1])
		}
	}
	for r := range roles {
		if strings.Contains(plain.SGR(r), "38;") {
			t.Errorf("role %d has colour without colour", r)
		}
	}
}

func TestLevelFollowsTheLocale(t *testing.T) {
	for _, tc := range []struct {
		env  map[string]string
		want Level
	}{
		{map[string]string{"LANG": "en_US.UTF-8"}, Braille}, {map[string]string{"LANG": "C.utf8"}, Braille}, {map[string]string{}, ASCII},
		{map[string]string{"LC_ALL": "C", "LANG": "en_US.UTF-8"}, ASCII}, {map[string]string{"LANG": "de_DE.UTF-8", "TERM": "linux"}, Blocks},
	} {
		if got := New(func(k string) string { return tc.env[k] }).Level; got != tc.want {
			t.Errorf("%v: level %d, want %d", tc.env, got, tc.want)
		}
	}
	if New(func(k string) string { return map[string]string{"NO_COLOR": "1"}[k] }).Color {
		t.Error("colour although NO_COLOR is set")
	}
}

func TestSymbolsAreComplete(t *testing.T) {
	for name, s := range map[string]Symbols{"unicode": unicodeSymbols, "ascii": asciiSymbols} {
		v := reflect.ValueOf(s)
		for i := range v.NumField() {
			text := v.Field(i).String()
			if text == "" {
				t.Errorf("%s: %s is empty", name, v.Type().Field(i).Name)
			}
			for _, r := range text {
				if name == "ascii" && r > 126 {
					t.Errorf("%s is no ASCII: %q", v.Type().Field(i).Name, text)
				}
			}
		}
	}
}
