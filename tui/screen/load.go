package screen

import (
	"fmt"
	"strings"
	"time"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/chart"
	"weir/tui/figure"
	"weir/tui/style"
)

// Load shows a load run: is the schedule kept, what does the load feel, does every message arrive?
type Load struct{ state string }

// Name as in the title line.
func (l *Load) Name() string { return "Load" }

// Apply remembers whether the run is paused: the same key goes both ways.
func (l *Load) Apply(s *control.Snapshot) {
	l.state = ""
	if s.Load != nil {
		l.state = s.Load.State
	}
}

// Keys are the verbs of a run; each is there only if the server offers it.
func (l *Load) Keys() []Key {
	rate := func(factor float64) func() Intent {
		return func() Intent { return Intent{Verb: "rate", Args: map[string]float64{"factor": factor}} }
	}
	pause := "pause"
	if l.state == control.Paused {
		pause = "resume"
	}
	return []Key{
		{Press: []string{"space"}, Label: "␣", Hint: "␣ " + pause, Help: "pause the load, or go on", Verb: "pause", Do: func() Intent {
			if l.state == control.Paused {
				return Intent{Verb: "resume"}
			}
			return Intent{Verb: "pause"}
		}},
		{Press: []string{"+", "="}, Label: "+", Hint: "+/- rate", Help: "rate 5% up", Verb: "rate", Do: rate(1.05)},
		{Press: []string{"-"}, Label: "-", Help: "rate 5% down", Verb: "rate", Do: rate(1 / 1.05)},
		{Press: []string{"m"}, Label: "m", Hint: "m mark", Help: "put a mark into the run's log", Verb: "mark", Do: func() Intent { return Intent{Verb: "mark"} }},
		{Press: []string{"s"}, Label: "s", Hint: "s stop", Help: "stop the run: drain, verify, report", Verb: "stop", Do: func() Intent {
			return Intent{Verb: "stop", Confirm: "stop the run? What was sent is drained and proved."}
		}},
	}
}

// Status is the run with its progress.
func (l *Load) Status(p *canvas.Pen, s State) {
	r := s.Snap.Load
	if r == nil {
		p.Fit(style.Dim, "no load run", 0)
		return
	}
	narrow := p.Room() < 70
	p.Put(style.Dim, "run ").Put(style.Strong, r.Profile).Put(style.Plain, "  ")
	if !narrow {
		p.Put(style.Dim, "#"+tail(r.Run, 6)+"  ")
	}
	symbol, word, role := mark(p.Theme(), r.State)
	if r.Stage != "" && r.State == control.Running {
		word = r.Stage
	}
	p.Put(role, symbol+" "+word).Put(style.Plain, "  "+figure.Clock(r.Elapsed))
	if r.Total > 0 {
		p.Put(style.Plain, " / "+figure.Clock(r.Total))
	} else if r.Progress > 0.02 && r.Progress < 1 && !r.Over() { // a volume, not a time: what is left, at the mean rate so far
		p.Put(style.Dim, "  about "+figure.Roughly(r.Elapsed*(1-r.Progress)/r.Progress)+" left")
	}
	ends := ""
	if left := r.Total - r.Elapsed; r.Total > 0 && left > 0 && !r.Over() && p.Room() > 70 {
		form := "15:04"
		if left < 600 {
			form = "15:04:05"
		}
		ends = "   ends about " + s.Now.Add(time.Duration(left*float64(time.Second))).Format(form)
	}
	pct := fmt.Sprintf(" %4s", figure.Percent(r.Progress))
	if width := p.Room() - len(pct) - len(ends) - 3; width >= 6 {
		p.Put(style.Plain, "  ").Put(style.Accent, chart.Bar(r.Progress, width, p.Theme().Level))
	}
	p.Put(style.Plain, pct+ends)
}

// tail is the end of a run id: its beginning is the date, the same for all runs of a day.
func tail(s string, n int) string {
	if len(s) > n {
		return s[len(s)-n:]
	}
	return s
}

const (
	ldRate = iota
	ldProof
	ldNow
	ldLatency
	ldStages
	ldLimits
	ldTail
	ldGenerator
	ldEvents
)

// Panels of the Load screen.
func (l *Load) Panels(State) []Panel {
	return []Panel{
		ldProof:     proofBanner(),
		ldRate:      {Name: "Sent rate", Draw: drawRate, Brief: briefLoad},
		ldNow:       {Name: "Now", Draw: drawNow, Brief: briefNow},
		ldLatency:   {Name: "Latency", Draw: drawLatency, Brief: briefLatency},
		ldStages:    {Name: "Stages", Draw: drawStages, Brief: briefStages},
		ldLimits:    {Name: "Limits", Draw: drawLimits, Brief: briefLimits},
		ldTail:      {Name: "p99 over the run", Draw: drawTail, Brief: briefLatency},
		ldGenerator: {Name: "Generator", Draw: drawGenerator, Brief: briefNow},
		ldEvents:    eventsPanel(),
	}
}

// Place: the first four are always there; wider and higher terminals add, they do not rearrange.
func (l *Load) Place(s State, w, h int) []Placed {
	proof := part{}
	if p := s.Snap.Proof; p != nil && (p.Done || !p.Good()) {
		proof = part{least: 5, want: 5}
	}
	side := 30
	if w >= 120 {
		side = 50
	}
	if h < 34 {
		y := stack(h, []int{1, 0, 2, 3}, []part{proof, {6, 9, true}, {5, 8, false}, {3, 4, false}})
		out := rows([]Placed{{Panel: ldProof, W: w}, {Panel: ldRate, W: w - side}, {Panel: ldLatency, W: w}, {Panel: ldStages, W: w}}, y, Placed{Panel: ldNow, X: w - side, W: side}, 1)
		if w >= 120 {
			out = beside(out, ldLatency, ldLimits, side)
		}
		return out
	}
	y := stack(h, []int{1, 0, 2, 4, 3}, []part{proof, {9, 16, true}, {7, 9, false}, {6, 13, false}, {5, 9, false}})
	out := rows([]Placed{{Panel: ldProof, W: w}, {Panel: ldRate, W: w - side}, {Panel: ldLatency, W: w}, {Panel: ldTail, W: w}, {Panel: ldStages, W: w}}, y, Placed{Panel: ldNow, X: w - side, W: side}, 1)
	if w >= 120 {
		out = beside(beside(out, ldLatency, ldLimits, side), ldTail, ldGenerator, side)
	}
	return out
}

// beside takes the right side columns of a panel for another one.
func beside(placed []Placed, panel, other, side int) []Placed {
	for i, p := range placed {
		if p.Panel == panel {
			placed[i].W -= side
			return append(placed, Placed{other, p.X + p.W - side, p.Y, side, p.H})
		}
	}
	return placed
}

// noLoad fills the panels when there is no run: a newcomer learns here how to start one.
func noLoad(c *canvas.Canvas, title string, focused bool) {
	in := c.Box(title, focused)
	if title != "Sent rate" { // once is enough
		in.Text(0, 0, style.Dim, "no load run")
		return
	}
	in.At(0, 0).Fit(style.Dim, "no load run; in another terminal:", 0)
	in.At(0, 1).Fit(style.Plain, "loadgen run PROFILE", 0)
}

// drawNow is the state of the run in figures; the honest-generator light is the schedule lag.
func drawNow(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Now", focused)
		return
	}
	in := c.Stale(l.Silent).BoxAged("Now", loadNote(s, l), focused)
	w, h := in.Size()
	wide := w >= 40
	label := func(y int, name string) *canvas.Pen { return in.At(0, y).Put(style.Dim, name).To(8) }
	rate := "rate"
	if l.Over() {
		rate = "mean"
	}
	p := label(0, rate).Put(style.Strong, figure.Count(int64(shownRate(l)+0.5))).Put(style.Plain, " /s")
	if wide && !l.MaxMode {
		p.Put(style.Dim, "   target ").Put(style.Plain, figure.Count(int64(l.TargetRate+0.5)))
	}
	if l.MaxMode {
		p.Put(style.Dim, "  max")
	}
	p.Put(style.Plain, "  ")
	rateMark(p, l)
	label(1, "volume").Put(style.Plain, figure.Bytes(l.BytesPerSec)+"/s")
	p = label(2, "size").Put(style.Plain, fmt.Sprintf("p50 %s p99 %s B", figure.Short(l.Size.P50), figure.Short(l.Size.P99)))
	if wide {
		p.Put(style.Plain, " max "+figure.Short(l.Size.Max))
	}
	name := "sched lag "
	if wide {
		name = "schedule lag p99 "
	}
	p = in.At(0, 3).Put(style.Dim, name).Put(style.Plain, figure.Millis(l.LagP99)+" ms ")
	if late(l) {
		p.Put(style.Warn, in.Theme.Warn+" late")
	} else {
		p.Put(style.Good, in.Theme.Good)
	}
	p = in.At(0, 4).Put(style.Dim, "in flight ").Put(style.Plain, fmt.Sprintf("%11s", figure.Count(l.InFlight)))
	if wide && l.MaxInFlight > 0 {
		p.Put(style.Dim, "   of at most ").Put(style.Plain, figure.Count(l.MaxInFlight))
	}
	p = in.At(0, 5).Put(style.Dim, "errors ").Put(errorRole(l.Errors), figure.Count(l.Errors))
	if cause, n := topCause(l.ErrorsByCause); cause != "" {
		p.Put(style.Plain, "  ").Fit(style.Warn, fmt.Sprintf("%s %s", cause, figure.Short(float64(n))), 0)
	}
	if !wide || h < 12 {
		proofLine(in.At(0, 6), s)
		return
	}
	in.At(0, 7).Put(style.Strong, "PROOF").Put(style.Dim, " (from the destination table)")
	pr := s.Snap.Proof
	if pr == nil {
		in.At(0, 8).Fit(style.Dim, "none yet", 0)
		return
	}
	in.At(0, 8).Put(style.Dim, "sent").To(13).Put(style.Plain, figure.Count(pr.Sent))
	in.At(0, 9).Put(style.Dim, "arrived").To(13).Put(style.Plain, figure.Count(pr.Rows)).Put(style.Dim, "   in flight ").Put(style.Plain, figure.Count(pr.InFlight))
	for i, n := range []struct {
		name string
		n    int64
	}{{"lost", pr.Lost}, {"doubled", pr.Doubled}, {"out of order", pr.Reordered}, {"altered", pr.Altered}} {
		role, word := proved(pr, n.n)
		in.At(0, 10+i).Put(style.Dim, n.name).To(13).Put(role, word)
	}
}

// shownRate is the rate of now, or the mean of a run that is over.
func shownRate(l *control.Load) float64 {
	if l.Over() && l.Elapsed > 0 {
		return float64(l.Acked) / l.Elapsed
	}
	return l.Rate
}

// late says that the generator itself is behind its plan: then its figures say more about it than about the broker.
func late(l *control.Load) bool {
	if l.MaxMode {
		return false
	}
	return l.LagP99 > max(10, 0.2*quantile(l).P99)
}

func topCause(causes map[string]int64) (cause string, n int64) {
	for c, k := range causes {
		if k > n || k == n && c < cause {
			cause, n = c, k
		}
	}
	return cause, n
}

func briefNow(p *canvas.Pen, s State) {
	if l := s.Snap.Load; l != nil {
		p.Fit(style.Plain, fmt.Sprintf("sent %s errors %s in flight %s", figure.Short(float64(l.Sent)), figure.Short(float64(l.Errors)), figure.Short(float64(l.InFlight))), 0)
	}
}

// drawStages is the plan of the run: what is behind, now and ahead; then the verdict as it stands.
func drawStages(c *canvas.Canvas, s State, focused bool) {
	l := s.Snap.Load
	if l == nil {
		noLoad(c, "Stages", focused)
		return
	}
	in := c.Stale(l.Silent).Box("Stages and events", focused)
	_, h := in.Size()
	p := in.At(0, 0)
	first := 0 // what is behind gives way when not all stages fit
	for first < l.StageIndex && first < len(l.Stages)-1 && stagesWidth(l.Stages[first:]) > p.Room() {
		first++
	}
	if first > 0 {
		p.Put(style.Dim, fmt.Sprintf("%s %d done %s ", in.Theme.Good, first, in.Theme.Arrow))
	}
	for i, st := range l.Stages {
		if i < first {
			continue
		}
		symbol, role := in.Theme.Todo, style.Dim
		switch {
		case l.State == control.Done || i < l.StageIndex:
			symbol, role = in.Theme.Good, style.Good
		case i == l.StageIndex && !l.Over():
			symbol, role = in.Theme.Run, style.Accent
		}
		if i > first {
			p.Put(style.Dim, " "+in.Theme.Arrow+" ")
		}
		p.Put(role, symbol).Put(style.Plain, stageText(st))
	}
	if len(l.Stages) == 0 {
		text := "constant " + figure.Short(l.TargetRate) + "/s"
		if l.MaxMode {
			text = "as fast as acks allow"
		}
		if l.Planned > 0 {
			text += ", " + figure.Count(l.Planned) + " messages"
		}
		p.Fit(style.Plain, text, 0)
	}
	y := 1
	if l.Verdict != "" && y < h {
		verdictLine(in.At(0, y), l)
		y++
	}
	if y < h {
		events(in.Sub(0, y, 1<<20, h-y), s, s.Snap.Events)
	}
}

func stageText(st control.Stage) string {
	text := " " + st.Name
	if st.Duration > 0 {
		text += " " + figure.Roughly(st.Duration)
	}
	if st.Target > 0 {
		text += " " + figure.Short(st.Target)
	}
	return text
}

func stagesWidth(stages []control.Stage) int {
	const around = 4 // symbol and arrow
	n := 0
	for _, st := range stages {
		n += canvas.Width(stageText(st)) + around
	}
	return n + 10 // room for "3 done"
}

func verdictLine(p *canvas.Pen, l *control.Load) {
	symbol, role := p.Theme().Good, style.Good
	switch l.Verdict {
	case "pass":
	case "fail":
		symbol, role = p.Theme().Bad, style.Bad
	default:
		symbol, role = p.Theme().Warn, style.Warn
	}
	text := "verdict if stopped now: "
	if l.Over() {
		text = "verdict: "
	}
	p.Put(style.Dim, text).Put(role, symbol+" "+strings.ToUpper(l.Verdict)).Fit(style.Plain, "  "+l.Reason, 0)
}

func briefStages(p *canvas.Pen, s State) {
	l := s.Snap.Load
	if l == nil {
		return
	}
	p.Fit(style.Plain, fmt.Sprintf("stage %d/%d %s", min(l.StageIndex+1, len(l.Stages)), len(l.Stages), l.Stage), 0)
	if l.Verdict != "" {
		p.Fit(style.Dim, " verdict "+l.Verdict, 0)
	}
}
