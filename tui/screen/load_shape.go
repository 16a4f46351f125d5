package screen

import (
	"cmp"
	"fmt"
	"slices"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/chart"
	"weir/tui/figure"
	"weir/tui/style"
)

// skewOf is how much more than its share the hottest partition of a topic got: 1 is even.
func skewOf(all []control.PartitionSent) (skew float64, hottest control.PartitionSent) {
	type sum struct{ messages, partitions int64 }
	topics := map[string]sum{}
	for _, p := range all {
		t := topics[p.Topic]
		topics[p.Topic] = sum{t.messages + max(p.Messages, 0), t.partitions + 1}
	}
	for _, p := range all {
		t := topics[p.Topic]
		if t.messages <= 0 {
			continue
		}
		if s := float64(p.Messages) * float64(t.partitions) / float64(t.messages); s > skew {
			skew, hottest = s, p
		}
	}
	return skew, hottest
}

// hot is the skew above which a partition is told to be hot.
const hot = 1.5

func partitionName(p control.PartitionSent, several bool) string {
	if several {
		return fmt.Sprintf("%s/%d", p.Topic, p.Partition)
	}
	return fmt.Sprintf("part %3d", p.Partition)
}

// drawPartitions: does the key send as much to each partition?
func drawPartitions(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Partitions", focused)
		return
	}
	in := c.Stale(l.Silent).BoxAged(fmt.Sprintf("Partitions (%d)", len(l.Partitions)), loadNote(s, l), focused)
	w, h := in.Size()
	if len(l.Partitions) == 0 {
		text := "nothing acknowledged yet"
		if l.Acked > 0 {
			text = "this run does not tell them"
		}
		in.Text(0, 0, style.Dim, text)
		return
	}
	skew, most := skewOf(l.Partitions)
	several := slices.ContainsFunc(l.Partitions, func(p control.PartitionSent) bool { return p.Topic != l.Partitions[0].Topic })
	role := style.Good
	if skew >= hot {
		role = style.Warn
	}
	p := in.At(0, 0).Put(style.Dim, "skew ").Put(role, fmt.Sprintf("%.2f", finite(skew)))
	if skew >= hot {
		p.Put(role, " "+in.Theme.Warn+" hot").Put(style.Plain, " "+partitionName(most, several))
	}
	p.Fit(style.Dim, "  the hottest against the mean", 0)
	all := slices.Clone(l.Partitions)
	room := h - 1
	if len(all) > room { // all of them in a line, then the hottest
		values := make([]float64, len(all))
		for i, p := range all {
			values[i] = float64(p.Messages)
		}
		in.Text(0, 1, style.Accent, chart.Spark(values, min(w, len(all)), 0, in.Theme.Level))
		slices.SortStableFunc(all, func(a, b control.PartitionSent) int { return cmp.Compare(b.Messages, a.Messages) })
		room--
	}
	for i, p := range all[:min(max(room, 0), len(all))] {
		share := 0.0
		if most.Messages > 0 {
			share = float64(p.Messages) / float64(most.Messages)
		}
		name := 10
		if several {
			name = 20
		}
		y := h - room + i
		in.At(0, y).Put(style.Dim, in.Fit(partitionName(p, several), name-1)).To(name).Put(style.Accent, chart.Bar(share, max(w-name-8, 4), in.Theme.Level)).Put(style.Plain, " "+figure.Short(float64(p.Messages)))
	}
}

func briefPartitions(p *canvas.Pen, s State) {
	if l := s.Snap.Load; l != nil && len(l.Partitions) > 0 {
		skew, _ := skewOf(l.Partitions)
		p.Fit(style.Plain, fmt.Sprintf("partitions %d skew %.2f", len(l.Partitions), finite(skew)), 0)
	}
}

// drawSizes is the histogram of the values' sizes.
func drawSizes(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Sizes", focused)
		return
	}
	in := c.Stale(l.Silent).BoxAged("Sizes of values", loadNote(s, l), focused)
	w, h := in.Size()
	q := l.Size
	in.At(0, 0).Put(style.Dim, "p50 ").Put(style.Plain, figure.Bytes(q.P50)).Put(style.Dim, "  p99 ").Put(style.Plain, figure.Bytes(q.P99)).Put(style.Dim, "  max ").Fit(style.Plain, figure.Bytes(q.Max), 0)
	bars := grouped(l.Sizes, 1<<20)
	if len(bars) == 0 {
		in.At(0, 1).Fit(style.Dim, "no histogram is told", 0)
		return
	}
	if len(bars) > h-1 && h > 2 { // upright where the lines are few
		sizeColumns(in.Sub(0, 1, w, h-1), bars)
		return
	}
	bars = grouped(bars, h-1)
	var all, most int64
	for _, b := range bars {
		all += b.Count
		most = max(most, b.Count)
	}
	for i, b := range bars {
		share := float64(b.Count) / float64(max(most, 1))
		p := in.At(0, i+1).Put(style.Dim, fmt.Sprintf("%s %7s ", in.Theme.AtMost, figure.Bytes(float64(b.Bytes))))
		p.Put(style.Accent, chart.Bar(share, max(w-p.X()-6, 4), in.Theme.Level)).Put(style.Plain, fmt.Sprintf(" %5s", percentOf(b.Count, all)))
	}
}

// sizeColumns is the histogram as upright columns, with the sizes at both ends and in the middle.
func sizeColumns(in *canvas.Canvas, bars []control.SizeBar) {
	w, h := in.Size()
	values := make([]float64, len(bars))
	for i, b := range bars {
		values[i] = float64(b.Count)
	}
	for y, line := range chart.Columns(values, w, h-1, in.Theme.Level) {
		in.Text(0, y, style.Accent, line)
	}
	name := func(i int) string { return in.Theme.AtMost + figure.Bytes(float64(bars[i].Bytes)) }
	in.Text(0, h-1, style.Dim, name(0))
	if mid := len(bars) / 2; mid > 0 {
		in.Text(mid*w/len(bars), h-1, style.Dim, name(mid))
	}
	in.Right(w, h-1, style.Dim, name(len(bars)-1))
}

func percentOf(n, of int64) string {
	switch share := float64(n) / float64(max(of, 1)); {
	case n == 0:
		return ""
	case share < 0.005:
		return "<1%"
	default:
		return figure.Percent(share)
	}
}

// grouped joins neighbours until there are at most n; empty ones at the ends go.
func grouped(all []control.SizeBar, n int) []control.SizeBar {
	for len(all) > 0 && all[0].Count == 0 {
		all = all[1:]
	}
	for len(all) > 0 && all[len(all)-1].Count == 0 {
		all = all[:len(all)-1]
	}
	if n <= 0 || len(all) == 0 {
		return nil
	}
	each := (len(all) + n - 1) / n
	var out []control.SizeBar
	for chunk := range slices.Chunk(all, each) {
		b := control.SizeBar{Bytes: chunk[len(chunk)-1].Bytes}
		for _, x := range chunk {
			b.Count += x.Count
		}
		out = append(out, b)
	}
	return out
}

// drawErrors: which ones, how often, since when; and what was wrong on purpose.
func drawErrors(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Errors", focused)
		return
	}
	in := c.Stale(l.Silent).BoxAged("Errors", loadNote(s, l), focused)
	w, h := in.Size()
	y := 0
	all := causesOf(l)
	for _, cause := range all {
		if y >= h {
			return
		}
		when := ""
		if cause.First >= 0 {
			when = figure.Clock(cause.First)
			if cause.Last > cause.First+1 {
				when += " " + in.Theme.Arrow + " " + figure.Clock(cause.Last)
			}
		}
		in.At(0, y).Put(style.Warn, fmt.Sprintf("%6s ", figure.Short(float64(cause.Count)))).Fit(style.Plain, cause.Text, canvas.Width(when)+2)
		in.Right(w, y, style.Dim, when)
		y++
	}
	if len(all) == 0 {
		in.At(0, y).Put(style.Good, in.Theme.Good).Put(style.Plain, " no errors")
		y++
	}
	if len(l.Faults) > 0 && y < h {
		in.At(0, y).Fit(style.Dim, "wrong on purpose:", 0)
		y++
		p := in.At(0, y)
		for _, f := range l.Faults {
			text := f.Kind + " " + figure.Short(float64(f.Count))
			if p.X() > 0 && p.Room() < canvas.Width(text)+2 {
				if y++; y >= h {
					return
				}
				p = in.At(0, y)
			}
			p.Put(style.Plain, text+"  ")
		}
	}
}

func briefErrors(p *canvas.Pen, s State) {
	l := s.Snap.Load
	if l == nil || l.Errors == 0 {
		return
	}
	if all := causesOf(l); len(all) > 0 {
		p.Put(style.Warn, figure.Short(float64(all[0].Count))+" x ").Fit(style.Plain, all[0].Text, 0)
	}
}
