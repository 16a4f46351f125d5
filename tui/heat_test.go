package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"weir/internal/control"
	"weir/tui/style"
)

// TestHeatMap: h shows all response times over the run in the place of the latencies, and back.
func TestHeatMap(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}, {160, 50}} {
		m := fresh(t, style.Make(style.Braille, false), demo(), size[0], size[1])
		feed(m, key("2"))
		before := m.View().Content
		feed(m, key("h"))
		content := m.View().Content
		fits(t, content, size[0], size[1])
		golden(t, fmt.Sprintf("load-heat-%dx%d-nocolor", size[0], size[1]), ansi.Strip(content))
		feed(m, key("h"))
		if m.View().Content != before {
			t.Errorf("%v: h does not lead back", size)
		}
	}
	// A publisher that tells nothing of it, nonsense, and an ASCII terminal.
	for _, heat := range [][]control.HeatColumn{nil, {{}}, {{From: 5, To: 1, Low: -3, Counts: []int64{-1, 1 << 62, 1 << 62}}, {Low: 1e300, Counts: []int64{1}}}} {
		sn := demo()
		sn.Load.Heat = heat
		m := fresh(t, style.Make(style.ASCII, false), sn, 80, 24)
		feed(m, key("2"), key("h"))
		if content := m.View().Content; strings.Contains(content, "cannot draw") {
			t.Errorf("%v:\n%s", heat, ansi.Strip(content))
		}
	}
}
