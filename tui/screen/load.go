package screen

import (
	"time"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/style"
)

// Load shows a load run: is the schedule kept, what does the load feel, does every message arrive? Beside it stand the comparison
// and the search that make such runs.
type Load struct {
	state  string
	trial  bool // it is one of a search or a comparison: it takes no orders
	run    string
	recent []control.Point // of each second since this screen is open: the run's own history gets coarse as it grows long
	heat   bool            // the heat map stands in the place of the latencies
}

// Name as in the title line.
func (ld *Load) Name() string { return "Load" }

// recentPoints is how many seconds are remembered.
const recentPoints = 3600

// Apply remembers the state, as the same key pauses and goes on, and what the newest second was like.
func (ld *Load) Apply(s *control.Snapshot) {
	l := s.Load
	ld.trial = s.Search != nil && !s.Search.Over() || s.Comparison != nil && !s.Comparison.Over()
	if l == nil {
		ld.state, ld.run, ld.recent = "", "", nil
		return
	}
	if ld.state = l.State; l.Run != ld.run {
		ld.run, ld.recent = l.Run, nil
	}
	n := len(ld.recent)
	if l.Over() || n > 0 && l.Elapsed < ld.recent[n-1].T+1 {
		return
	}
	q := l.Window.Response
	p := control.Point{T: l.Elapsed, Target: l.TargetRate, Rate: l.Rate, P50: q.P50, P99: q.P99, P999: q.P999, Service: l.Window.Service.P99}
	if h := len(l.History); h > 0 {
		p.Lag, p.Read = l.History[h-1].Lag, l.History[h-1].Read
	}
	if n >= recentPoints {
		ld.recent = append(ld.recent[:0], ld.recent[recentPoints/4:]...)
	}
	ld.recent = append(ld.recent, p)
}

// history of the run: in a window the finer points of what this screen has seen itself, where there are any.
func (ld *Load) history(l *control.Load, s State) []control.Point {
	if s.Window <= 0 || l.Run != ld.run || len(ld.recent) == 0 {
		return l.History
	}
	var out []control.Point
	for _, p := range l.History {
		if p.T < ld.recent[0].T {
			out = append(out, p)
		}
	}
	return append(out, ld.recent...)
}

// Keys are the verbs of a run that goes on; each is there only if the server offers it.
func (ld *Load) Keys() []Key {
	export := Key{Press: []string{"x"}, Label: "x", Help: "write all figures of the run as they are now to a file", Verb: "load.export", Do: func() Intent { return Intent{Verb: "load.export"} }}
	heat := Key{Press: []string{"h"}, Label: "h", Help: "all response times over the run as a heat map in the place of the latencies, and back", Do: func() Intent {
		ld.heat = !ld.heat
		return Intent{}
	}}
	switch {
	case ld.state == "":
		return nil
	case ld.trial, ld.state == control.Done, ld.state == control.Failed, ld.state == control.Stopped:
		export.Hint = "x export"
		return []Key{export, heat}
	}
	rate := func(factor float64) func() Intent {
		return func() Intent { return Intent{Verb: "load.rate", Args: map[string]any{"factor": factor}} }
	}
	plain := func(verb string) func() Intent { return func() Intent { return Intent{Verb: verb} } }
	pause := "pause"
	if ld.state == control.Paused {
		pause = "resume"
	}
	return []Key{
		{Press: []string{"space"}, Label: "␣", Hint: "␣ " + pause, Help: "pause the load, or go on; the rest of the schedule moves by the pause", Verb: "load." + pause, Do: plain("load." + pause)},
		{Press: []string{"+"}, Label: "+", Hint: "+/- rate", Help: "rate 5% up", Verb: "load.rate", Do: rate(1.05)},
		{Press: []string{"-"}, Label: "-", Help: "rate 5% down", Verb: "load.rate", Do: rate(1 / 1.05)},
		{Press: []string{"}"}, Label: "}", Help: "rate 25% up", Verb: "load.rate", Do: rate(1.25)},
		{Press: []string{"{"}, Label: "{", Help: "rate 25% down", Verb: "load.rate", Do: rate(1 / 1.25)},
		{Press: []string{"="}, Label: "=", Help: "back to the profile's rate", Verb: "load.rate", Do: func() Intent { return Intent{Verb: "load.rate", Args: map[string]any{}} }},
		{Press: []string{"g"}, Label: "g", Hint: "g go to", Help: "go to a rate, held until = or the next stage", Verb: "load.rate", Do: func() Intent {
			return Intent{Verb: "load.rate", Prompt: "rate, as 30k/s", Answer: func(text string) any { return map[string]any{"rate": text} }}
		}},
		{Press: []string{"n"}, Label: "n", Help: "the next stage, at once", Verb: "load.next", Do: plain("load.next")},
		{Press: []string{"m"}, Label: "m", Hint: "m mark", Help: "put a mark with a text on the curves and into the run's log", Verb: "load.mark", Do: func() Intent {
			return Intent{Verb: "load.mark", Prompt: "mark", Answer: func(text string) any { return map[string]any{"text": text} }}
		}},
		{Press: []string{"s"}, Label: "s", Hint: "s stop", Help: "stop the run: what was sent is waited for, judged and reported", Verb: "load.stop", Do: func() Intent {
			return Intent{Verb: "load.stop", Confirm: "stop the run? What was sent is drained and judged."}
		}},
		{Press: []string{"S", "Q"}, Label: "S Q", Help: "abort the run: what is on its way is given up, results are kept", Verb: "load.abort", Do: func() Intent {
			return Intent{Verb: "load.abort", Confirm: "ABORT the run? What is on its way is given up."}
		}},
		export, heat,
	}
}

// The panels; where one fills the screen, tab goes through them in this order.
const (
	ldRate = iota
	ldMessages
	ldLatency
	ldNow
	ldLimits
	ldComparison
	ldSearch
	ldTail
	ldSpectrum
	ldStages
	ldGenerator
	ldPartitions
	ldSizes
	ldErrors
	ldProof
	ldHeat
)

// Panels of the Load screen.
func (ld *Load) Panels(State) []Panel {
	return []Panel{
		ldRate:       {Name: "Sent rate", Draw: ld.drawRate, Brief: briefLoad},
		ldMessages:   {Name: "Messages", Draw: drawMessages, Brief: briefMessages},
		ldLatency:    {Name: "Latency", Draw: ld.drawLatency, Brief: briefLatency},
		ldNow:        {Name: "Now", Draw: drawNow, Brief: briefNow},
		ldLimits:     {Name: "Limits", Draw: drawLimits, Brief: briefLimits},
		ldComparison: {Name: "Comparison", Draw: drawComparison, Brief: briefComparison},
		ldSearch:     {Name: "Capacity search", Draw: drawSearch, Brief: briefSearch},
		ldTail:       {Name: "p99 over the run", Draw: ld.drawTail, Brief: briefLatency},
		ldSpectrum:   {Name: "Percentiles", Draw: drawSpectrum, Brief: briefLatency},
		ldStages:     {Name: "Stages and events", Draw: drawStages, Brief: briefStages},
		ldGenerator:  {Name: "Generator", Draw: drawGenerator, Brief: briefGenerator},
		ldPartitions: {Name: "Partitions", Draw: drawPartitions, Brief: briefPartitions},
		ldSizes:      {Name: "Sizes", Draw: drawSizes, Brief: func(*canvas.Pen, State) {}},
		ldErrors:     {Name: "Errors", Draw: drawErrors, Brief: briefErrors},
		ldProof:      proofBanner(),
		ldHeat:       {Name: "Response times", Draw: ld.drawHeat, Brief: briefLatency},
	}
}

// asked says whether the comparison, the search stand on the screen: while they go on, and as long as no other load runs.
func asked(s State) (comparison, search bool) {
	alone := s.Snap.Load == nil || s.Snap.Load.Over()
	c, f := s.Snap.Comparison, s.Snap.Search
	comparison, search = c != nil && (!c.Over() || alone), f != nil && (!f.Over() || alone)
	if comparison && search && c.Over() && f.Over() { // of two that are over the newer one
		comparison = c.At.After(f.At)
		search = !comparison
	}
	return comparison, search
}

// a row of panels that share some lines.
type row struct {
	part
	order  int // whose turn it is to get its least
	panels []Placed
}

// Place: rate, latency and messages are always there; wider and higher terminals add, they do not rearrange.
func (ld *Load) Place(s State, w, h int) []Placed {
	side := 30
	if w >= 120 {
		side = 50
	}
	comparison, search := asked(s)
	above := row{part: part{least: 7, grow: true}}
	if comparison {
		above.want = 7 + len(s.Snap.Comparison.Findings)
	}
	if search {
		above.want = max(above.want, 5+len(ladder(s.Snap.Search)))
	}
	above.want = min(max(above.want, 8), max(h/3+2, 9))
	switch {
	case comparison && search && w >= 120:
		above.panels = []Placed{{Panel: ldComparison, W: w / 2}, {Panel: ldSearch, X: w / 2, W: w - w/2}}
	case comparison:
		above.panels = []Placed{{Panel: ldComparison, W: w}}
	case search:
		above.panels = []Placed{{Panel: ldSearch, W: w}}
	}
	if s.Snap.Load == nil {
		if len(above.panels) == 0 { // what to do is said once
			above.panels, above.want = []Placed{{Panel: ldRate, W: w}}, 9
		}
		return settle(h, []row{above, {part: part{least: 3, want: 3 + h/6}, order: 2, panels: []Placed{{Panel: ldStages, W: w}}}})
	}
	var all []row
	if len(above.panels) > 0 {
		above.grow = false
		all = append(all, above)
	}
	proof := false
	if p := proofOf(s); p != nil && (p.Done || !p.Good()) {
		proof = true
		all = append(all, row{part: part{least: 5, want: 5}, panels: []Placed{{Panel: ldProof, W: w}}})
	}
	tall, high := h >= 34, h >= 44 && w >= 120
	more := min(max(h-21, 0), 8) // lines beyond 80x24
	all = append(all, row{part{6, 8 + min(more/2, 3), true}, 0, []Placed{{Panel: ldRate, W: w - side}, {Panel: ldNow, X: w - side, W: side}}})
	if !proof || tall {
		messages := row{part{2, 4, false}, 3, []Placed{{Panel: ldMessages, W: w}}}
		if more >= 5 {
			messages.want = 5
		}
		all = append(all, messages)
	}
	latency := row{part{4, 7 + min(more/5, 1), false}, 2, []Placed{{Panel: ldLatency, W: w}}}
	if w >= 120 {
		latency.panels = []Placed{{Panel: ldLatency, W: w - side}, {Panel: ldLimits, X: w - side, W: side}}
	}
	all = append(all, latency)
	if tall {
		tail := row{part{7, 9, false}, 5, []Placed{{Panel: ldTail, W: w}}}
		if w >= 120 {
			tail.panels = []Placed{{Panel: ldTail, W: w - side}, {Panel: ldGenerator, X: w - side, W: side}}
		}
		if w >= 150 {
			tail.want = 11
			tail.panels = []Placed{{Panel: ldTail, W: w - side - 44}, {Panel: ldSpectrum, X: w - side - 44, W: 44}, {Panel: ldGenerator, X: w - side, W: side}}
		}
		all = append(all, tail)
	}
	if high {
		third := (w - side) / 2
		all = append(all, row{part{5, 7, false}, 6, []Placed{{Panel: ldPartitions, W: third}, {Panel: ldSizes, X: third, W: w - side - third}, {Panel: ldErrors, X: w - side, W: side}}})
	}
	if ld.heat {
		instead := ldLatency
		if tall {
			instead = ldTail
		}
		for k := range all {
			r := &all[k]
			for i := range r.panels {
				if r.panels[i].Panel == instead {
					r.panels[i].Panel, r.want = ldHeat, max(r.want, h/3+2)
				}
			}
		}
	}
	if len(above.panels) > 0 && h < 26 {
		return settle(h, all) // a trial has no stages worth a line
	}
	all = append(all, row{part{2, min(2+more*3/4, 6), false}, 4, []Placed{{Panel: ldStages, W: w}}})
	return settle(h, all)
}

// settle gives rows their lines, from the top down.
func settle(h int, all []row) []Placed {
	order, parts := make([]int, 0, len(all)), make([]part, len(all))
	for turn := range 8 {
		for i, r := range all {
			if r.order == turn {
				order = append(order, i)
			}
			parts[i] = r.part
		}
	}
	var out []Placed
	y := 0
	for i, lines := range stack(h, order, parts) {
		for _, p := range all[i].panels {
			if lines > 0 {
				p.Y, p.H = y, lines
				out = append(out, p)
			}
		}
		y += lines
	}
	return out
}

// noLoad fills the panels when there is no run: a newcomer learns here how to start one.
func noLoad(c *canvas.Canvas, title string, focused bool) {
	if title != "Sent rate" { // once is enough
		c.Box(title, focused).Text(0, 0, style.Dim, "no load run")
		return
	}
	in := c.Box("Load", focused)
	in.At(0, 0).Fit(style.Dim, "no load run; in another terminal:", 0)
	for y, k := range [][2]string{
		{"loadgen run first", "send the load of a profile, measure, judge"}, {"loadgen profiles", "which profiles there are"},
		{"loadgen search ci --slo 'p99<100ms'", "how much it can take"}, {"loadgen compare ci --help", "is this build slower than that one?"},
	} {
		in.At(2, y+1).Put(style.Plain, k[0]).To(40).Put(style.Plain, " ").Fit(style.Dim, k[1], 0)
	}
}

// framed is a panel with its frame, where there are enough lines that one may cost two; else it is bare.
func framed(c *canvas.Canvas, title, note string, focused bool) *canvas.Canvas {
	w, h := c.Size()
	if h >= 4 {
		return c.BoxAged(title, note, focused)
	}
	if focused {
		c.Text(0, 0, style.Accent, c.Theme.Cursor)
	}
	return c.Sub(2, 0, w-4, h)
}

// began is when the run's schedule started, by the clock of this snapshot.
func began(l *control.Load) time.Time {
	return l.At.Add(-time.Duration(min(finite(l.Elapsed), 1e9) * float64(time.Second)))
}
