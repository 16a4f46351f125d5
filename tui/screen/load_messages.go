package screen

import (
	"slices"
	"strings"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/figure"
	"weir/tui/style"
)

// proofOf is the proof of the run that is shown: that of another run says nothing of it.
func proofOf(s State) *control.Proof {
	p := s.Snap.Proof
	if l := s.Snap.Load; p == nil || l != nil && p.Run != "" && l.Run != "" && p.Run != l.Run {
		return nil
	}
	return p
}

// feeds are the streams that read what the run writes, the one that is most behind first.
func feeds(s State) []control.Stream {
	l := s.Snap.Load
	if c := s.Snap.Comparison; l == nil || c != nil && !c.Over() { // the runs of a comparison have pipelines of their own
		return nil
	}
	topics := strings.Split(l.Topic, ", ")
	var out []control.Stream
	for _, st := range s.Snap.Streams {
		if slices.Contains(topics, st.Topic) && st.Topic != "" {
			out = append(out, st)
		}
	}
	slices.SortStableFunc(out, func(a, b control.Stream) int {
		switch {
		case a.BehindSeconds > b.BehindSeconds:
			return -1
		case a.BehindSeconds < b.BehindSeconds:
			return 1
		}
		return 0
	})
	return out
}

func behindRole(st control.Stream) style.Role {
	if st.BehindSeconds > 60 || severity(st.State) > 0 {
		return style.Warn
	}
	return style.Plain
}

// a count has a name, an exact and a short figure, and how it looks.
type count struct {
	name, exact, short string
	role               style.Role
}

func counted(name string, n int64, role style.Role) count {
	return count{name, figure.Count(n), figure.Short(float64(n)), role}
}

// writeCounts writes as many as fit, exactly if there is room for that.
func writeCounts(p *canvas.Pen, all []count) {
	sum := 0
	for _, k := range all {
		sum += canvas.Width(k.name) + canvas.Width(k.exact) + 3
	}
	exact := sum-2 <= p.Room()
	gap := "  "
	if exact && sum+len(all) <= p.Room() {
		gap = "   "
	}
	for i, k := range all {
		text := k.short
		if exact {
			text = k.exact
		}
		if p.Room() < canvas.Width(k.name)+canvas.Width(text)+1 {
			return
		}
		p.Put(style.Dim, k.name+" ").Put(k.role, text)
		if i < len(all)-1 {
			p.Put(style.Plain, gap)
		}
	}
}

// drawMessages is the account of the run: where each message is. What is on its way is not missing, and before the end a nought
// proves nothing.
func drawMessages(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Messages", focused)
		return
	}
	in := framed(c.Stale(l.Silent), "Messages", loadNote(s, l), focused)
	_, h := in.Size()
	writeCounts(in.At(0, 0), sentCounts(s, l))
	if h > 1 {
		p := in.At(0, 1)
		writeCounts(p, proofCounts(s, l))
		if when := "   " + whenProved(s, l); p.Room() >= canvas.Width(when) {
			p.Put(style.Dim, when)
		}
	}
	if h > 2 {
		consumers(in.At(0, 2), s, l)
	}
	for y, st := range feeds(s) {
		if y > 0 && y+2 < h {
			behindLine(in.At(0, y+2), s, st)
		}
	}
}

func sentCounts(s State, l *control.Load) []count {
	flight := style.Plain
	all := []count{counted("sent", l.Sent, style.Strong), counted("acked", l.Acked, style.Strong), counted("in flight", l.InFlight, flight)}
	if l.Read != nil {
		all = append(all, counted("read back", l.Read.Messages, style.Plain))
	} else {
		all = append(all, count{"read back", "-", "-", style.Dim})
	}
	if pr := proofOf(s); pr != nil {
		all = append(all, counted("in table", pr.Rows, style.Plain))
		if !pr.Done && pr.InFlight > 0 {
			all = append(all, counted("on the way to it", pr.InFlight, style.Plain))
		}
	} else {
		all = append(all, count{"in table", "-", "-", style.Dim})
	}
	return all
}

func proofCounts(s State, l *control.Load) []count {
	pr := proofOf(s)
	if pr == nil {
		pr = &control.Proof{}
	}
	wrong := func(name string, n int64) count {
		role, word := proved(pr, n)
		return count{name, word, word, role}
	}
	doubled := wrong("doubled", pr.Doubled)
	if l.Read != nil && l.Read.Doubled > 0 && pr.Doubled == 0 {
		doubled = counted("doubled", l.Read.Doubled, style.Bad) // the consumer has seen them: no proof is needed
	}
	all := []count{wrong("missing", pr.Lost), doubled, wrong("reordered", pr.Reordered)}
	if pr.Altered > 0 {
		all = append(all, wrong("altered", pr.Altered))
	}
	quarantined := counted("quarantined", pr.Quarantined, errorRole(pr.Quarantined))
	if proofOf(s) == nil {
		quarantined = count{"quarantined", "-", "-", style.Dim}
	}
	all = append(all, quarantined)
	if l.Errors > 0 {
		all = append(all, counted("errors", l.Errors, style.Warn))
	}
	if l.Dropped > 0 {
		all = append(all, counted("dropped", l.Dropped, style.Warn))
	}
	return all
}

// whenProved says why there is a dash where a figure should be.
func whenProved(s State, l *control.Load) string {
	pr := proofOf(s)
	switch {
	case pr != nil && pr.Done:
		return "proved from the table"
	case l.Over() && pr == nil:
		return "`loadgen verify` proves them"
	}
	return "proved at the end"
}

// consumers: how far behind those are that read what is sent.
func consumers(p *canvas.Pen, s State, l *control.Load) {
	if r := l.Read; r != nil {
		p.Put(style.Dim, "reader ")
		if r.Error != "" {
			p.Put(style.Warn, themeOf(p).Warn+" ").Put(style.Warn, p.Fitted(r.Error, max(p.Room()/2, 10)))
		} else {
			p.Put(style.Plain, figure.Short(float64(r.Behind))+" behind")
			if r.Latency.Count > 0 {
				p.Put(style.Dim, ", after p99 ").Put(style.Plain, figure.Millis(r.Latency.P99)+" ms")
			}
		}
		p.Put(style.Plain, "   ")
	}
	if all := feeds(s); len(all) > 0 {
		behindLine(p, s, all[0])
		return
	}
	if l.Read == nil {
		p.Fit(style.Dim, "no consumer is known: `pipeline run` shows here how far behind its table is", 0)
	}
}

// behindLine is a stream that fills a table from the run: how old its newest row is, and when it will be even.
func behindLine(p *canvas.Pen, s State, st control.Stream) {
	p.Put(style.Dim, "table ").Put(style.Plain, p.Fitted(st.Table, 30)).Put(style.Plain, " ")
	symbol, word, role := mark(themeOf(p), st.State)
	p.Put(role, symbol+" "+word+" ")
	p.Put(behindRole(st), figure.Seconds(st.BehindSeconds)+" behind")
	p.Put(style.Dim, " ("+figure.Short(float64(st.BehindRecords))+")")
	if eta := drained(s, st); eta != "" {
		p.Put(style.Plain, ", "+eta)
	}
	if up := upTo(s, st); up != "" {
		p.Fit(style.Dim, ", rows up to "+up, 0)
	}
}

// drained says when a stream will be even, at the pace of now.
func drained(s State, st control.Stream) string {
	in := st.InPerSec
	if l := s.Snap.Load; l != nil && l.Over() {
		in = 0
	}
	switch gain := st.OutPerSec - in; {
	case st.BehindRecords <= 0 || st.BehindSeconds < 5:
		return ""
	case gain <= 0 && st.OutPerSec > 0:
		return "growing"
	case gain <= 0:
		return "standing still"
	default:
		return "even in " + figure.Seconds(float64(st.BehindRecords)/gain)
	}
}

func briefMessages(p *canvas.Pen, s State) {
	l := s.Snap.Load
	if l == nil {
		return
	}
	writeCounts(p, append([]count{counted("acked", l.Acked, style.Plain)}, proofCounts(s, l)...))
}
