package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/style"
)

// limitName is a threshold as its profile names it, without what is always so: response is what a latency is by itself.
func limitName(name string) string {
	for _, r := range [][2]string{{"response_ms ", ""}, {"service_ms ", "service "}, {"error_ratio", "errors"}, {"freshness_s ", "fresh "}, {"_", " "}} {
		name = strings.ReplaceAll(name, r[0], r[1])
	}
	return name
}

// limitOf is the limit on a percentile of the whole run's response, in ms; 0: there is none.
func limitOf(l *control.Load, stat string) (float64, *control.Limit) {
	for i := range l.Limits {
		lim := &l.Limits[i]
		name := limitName(lim.Name)
		if name != stat && !strings.HasPrefix(name, stat+" of ") {
			continue
		}
		want := strings.TrimLeft(lim.Want, "≤<= ")
		var v float64
		var unit string
		if n, _ := fmt.Sscanf(want, "%g%s", &v, &unit); n < 1 || !(v > 0) || odd(v) {
			continue
		}
		if unit == "" {
			if _, rest, ok := strings.Cut(want, " "); ok {
				unit = strings.TrimSpace(rest)
			}
		}
		if unit == "s" {
			v *= 1000
		}
		return v, lim
	}
	return 0, nil
}

// byTrouble: the broken ones first, when not all fit.
func byTrouble(all []control.Limit, room int) []control.Limit {
	if len(all) <= room {
		return all
	}
	worst := map[string]int{control.Bad: 0, control.Warn: 1, control.OK: 2}
	rank := func(l control.Limit) int {
		if n, ok := worst[l.State]; ok {
			return n
		}
		return 3
	}
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b control.Limit) int { return cmp.Compare(rank(a), rank(b)) })
	return out
}

// limitLine has the limits one after the other, the broken ones first.
func limitLine(p *canvas.Pen, l *control.Load) {
	if len(l.Limits) == 0 {
		p.Fit(style.Dim, "the profile sets no limits", 0)
	}
	all := byTrouble(l.Limits, 0)
	for i, lim := range all {
		symbol, _, role := mark(p.Theme(), lim.State)
		text := fmt.Sprintf(" %s %s", limitName(lim.Name), lim.Want)
		if lim.State == control.Bad {
			text += ", is " + lim.Got
		}
		if p.Room() < canvas.Width(text)+2 {
			p.Fit(style.Dim, fmt.Sprintf("+%d", len(all)-i), 0)
			return
		}
		p.Put(role, symbol).Put(style.Plain, text+"   ")
	}
}

// drawLimits is the list of thresholds with the margin, and the verdict.
func drawLimits(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Limits", focused)
		return
	}
	in := c.Stale(l.Silent).Box("Limits", focused)
	w, h := in.Size()
	y := 0
	if len(l.Limits) == 0 {
		in.At(0, 0).Fit(style.Dim, "the profile sets no limits", 0)
		y++
	}
	room := h
	if l.Verdict != "" || invalid(l) != "" {
		room--
	}
	all := byTrouble(l.Limits, room)
	if room < 2 && len(all) > room {
		limitLine(in.At(0, 0), l)
		all, y = nil, 1
	}
	got := max(w-20, 24) // where the value begins
	for i, lim := range all {
		if y >= room {
			break
		}
		if y == room-1 && i < len(all)-1 {
			in.At(0, y).Fit(style.Dim, fmt.Sprintf("%s %d more: z shows them", in.Theme.More, len(all)-i), 0)
			y++
			break
		}
		symbol, _, role := mark(in.Theme, lim.State)
		value := style.Strong
		if lim.State == control.Bad {
			value = style.Bad
		}
		in.At(0, y).Put(role, symbol).Put(style.Plain, " "+in.Fit(limitName(lim.Name)+" "+lim.Want, got-3)).To(got).Put(value, in.Fit(lim.Got, 9)).To(got+9).Put(style.Plain, " ").Fit(style.Dim, lim.Spare, 0)
		y++
	}
	if y+1 < h {
		y++
	}
	if y < h {
		verdictLine(in.At(0, y), l)
	}
}

func briefLimits(p *canvas.Pen, s State) {
	if l := s.Snap.Load; l != nil {
		limitLine(p, l)
	}
}

func verdictLine(p *canvas.Pen, l *control.Load) {
	symbol, role, word, reason := p.Theme().Good, style.Good, strings.ToUpper(l.Verdict), l.Reason
	switch l.Verdict {
	case "pass":
	case "slo":
		symbol, role, word = p.Theme().Bad, style.Bad, "LIMIT BROKEN"
	case "fail", "failed":
		symbol, role = p.Theme().Bad, style.Bad
	default:
		symbol, role = p.Theme().Warn, style.Warn
	}
	if why := invalid(l); why != "" {
		symbol, role, word, reason = p.Theme().Bad, style.Bad, "INVALID", why
	}
	if word == "" {
		return
	}
	text := "verdict if stopped now: "
	if l.Over() {
		text = "verdict: "
	}
	if p.Room() < 60 {
		text = strings.Replace(text, " if stopped now", " now", 1)
	}
	p.Put(style.Dim, text).Put(role, symbol+" "+word).Fit(style.Plain, "  "+reason, 0)
}
