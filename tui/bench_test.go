package tui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"

	"weir/tui/style"
)

// BenchmarkView draws each screen at 160x50; the reference is lipgloss putting as many bordered panels of the same text side by side.
func BenchmarkView(b *testing.B) {
	for i, name := range []string{"overview", "load", "pipeline"} {
		b.Run(name, func(b *testing.B) {
			m := fresh(b, style.Make(style.Braille, true), demo(), 160, 50)
			feed(m, key(fmt.Sprint(i+1)))
			b.ReportAllocs()
			for b.Loop() {
				m.content = ""
				m.View()
			}
		})
	}
	for name, keys := range map[string][]string{"profiles-list": nil, "profiles-editor": atTarget, "palette": {":"}} {
		b.Run(name, func(b *testing.B) {
			m := onShelf(b, newShelf(), style.Make(style.Braille, true), 160, 50, keys...)
			b.ReportAllocs()
			for b.Loop() {
				m.content = ""
				m.View()
			}
		})
	}
	b.Run("reference-lipgloss", func(b *testing.B) {
		text := strings.Repeat("rate 499,812 /s\n", 10)
		panel := lipgloss.NewStyle().Border(lipgloss.NormalBorder()).Foreground(lipgloss.Color("#0077cc")).Width(80).Height(12)
		b.ReportAllocs()
		for b.Loop() {
			row := lipgloss.JoinHorizontal(lipgloss.Top, panel.Render(text), panel.Render(text))
			_ = lipgloss.JoinVertical(lipgloss.Left, row, row, row, row)
		}
	})
}

// TestViewIsQuick holds the budget of a frame, by the best of many: the rest is the machine's.
func TestViewIsQuick(t *testing.T) {
	m := onShelf(t, newShelf(), style.Make(style.Braille, true), 160, 50, atTarget...)
	for i := range m.screens {
		feed(m, key(fmt.Sprint(i+1)))
		best := time.Hour
		for range 30 {
			begin := time.Now()
			m.content = ""
			m.View()
			best = min(best, time.Since(begin))
		}
		if best > 3*time.Millisecond {
			t.Errorf("%s: %v, want 3 ms at most", m.screens[i].Name(), best)
		}
	}
}
