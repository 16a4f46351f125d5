package screen

import (
	"fmt"
	"slices"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/figure"
	"weir/tui/style"
)

// Reports shows what ran, from the ledger: each run with its data interval, its rows, its tries, and why it failed.
type Reports struct {
	runs []control.Run
	run  string // the selected one
	all  bool   // also streams, not only runs with an end
	seen []control.Run

	filter Filter
}

// Filter leaves some lines.
func (r *Reports) Filter(f Filter) {
	r.filter = f
	r.pick()
}

// Name as in the title line.
func (r *Reports) Name() string { return "Reports" }

// Apply takes the runs, the newest first, and keeps the selected one selected.
func (r *Reports) Apply(s *control.Snapshot) {
	r.seen = s.Runs
	r.pick()
}

func (r *Reports) pick() {
	r.runs = r.runs[:0:0]
	for _, x := range r.seen {
		if (r.all || x.Kind != "ingest") && r.filter.Match(x.Job, x.Title, x.Unit, x.State, x.Interval, x.Kind, x.Cause) {
			r.runs = append(r.runs, x)
		}
	}
	if r.at() < 0 {
		r.run = ""
		if len(r.runs) > 0 {
			r.run = r.runs[0].Run
		}
	}
}

func (r *Reports) at() int {
	return slices.IndexFunc(r.runs, func(x control.Run) bool { return x.Run == r.run })
}

func (r *Reports) move(by int) Intent {
	if n := len(r.runs); n > 0 {
		r.run = r.runs[min(max(r.at()+by, 0), n-1)].Run
	}
	return Intent{}
}

// Keys of the list.
func (r *Reports) Keys() []Key {
	return []Key{
		{Press: []string{"up", "k"}, Label: "↑ k", Help: "run above", Do: func() Intent { return r.move(-1) }},
		{Press: []string{"down", "j"}, Label: "↓ j", Hint: "↑↓ move", Help: "run below", Do: func() Intent { return r.move(1) }},
		{Press: []string{"a"}, Label: "a", Hint: "a all", Help: "show streams too, and not", Do: func() Intent {
			r.all = !r.all
			r.pick()
			return Intent{}
		}},
		{Press: []string{"c"}, Label: "c", Hint: "c cancel", Help: "cancel the selected run", Verb: "cancel", Do: func() Intent {
			i := r.at()
			if i < 0 || r.runs[i].State != control.Running {
				return Intent{Unknown: true}
			}
			return Intent{Verb: "cancel", Args: map[string]string{"run": r.run}, Confirm: "cancel the run of " + r.runs[i].Job + "?"}
		}},
	}
}

// Status counts the runs.
func (r *Reports) Status(p *canvas.Pen, s State) {
	var run, good, bad int
	for _, x := range r.runs {
		switch severityOfRun(x.State) {
		case 2:
			bad++
		case 1:
			run++
		default:
			good++
		}
	}
	p.Put(style.Dim, "last ").Put(style.Plain, many(len(r.runs), "run")+"   ").Put(style.Good, fmt.Sprint(good)).Put(style.Dim, " good   ").Put(style.Accent, fmt.Sprint(run)).Put(style.Dim, " running   ")
	role := style.Dim
	if bad > 0 {
		role = style.Bad
	}
	p.Put(role, fmt.Sprint(bad)).Put(style.Dim, " failed   ")
	if p.Room() > 30 {
		parts(p, p.Theme(), s.Snap.Parts, 0)
	}
}

func severityOfRun(state string) int {
	switch state {
	case "failed":
		return 2
	case control.Running:
		return 1
	}
	return 0
}

const (
	rpList = iota
	rpDetail
	rpNotify
	rpEvents
)

// Panels of the Reports screen.
func (r *Reports) Panels(State) []Panel {
	return []Panel{
		rpList:   {Name: "Runs", Draw: r.drawList, Brief: r.briefList},
		rpDetail: {Name: "Run", Draw: r.drawDetail, Brief: r.briefList},
		rpNotify: {Name: "Notifications", Draw: drawNotify, Brief: briefNotify},
		rpEvents: eventsPanel(),
	}
}

// Place: the list above, the selected run below; a wide terminal has messages and events beside them.
func (r *Reports) Place(_ State, w, h int) []Placed {
	side := 0
	if w >= 120 {
		side = min(w*5/16, 50)
	}
	y := stack(h, []int{0, 1}, []part{{6, 14, true}, {6, 9, false}})
	out := []Placed{{rpList, 0, 0, w - side, y[0]}}
	if y[1] > 0 {
		out = append(out, Placed{rpDetail, 0, y[0], w - side, y[1]})
	}
	if side > 0 {
		out = append(out, Placed{rpEvents, w - side, 0, side, y[0]})
		if y[1] > 0 {
			out = append(out, Placed{rpNotify, w - side, y[0], side, y[1]})
		}
	}
	return out
}

// runMark is mark for the words of outcomes.
func runMark(t *style.Theme, state string) (symbol, word string, role style.Role) {
	switch state {
	case "ready":
		return t.Good, "ready", style.Good
	case "recovered":
		return t.Good, "recov", style.Good
	case "warning":
		return t.Warn, "warn", style.Warn
	case "failed":
		return t.Bad, "FAIL", style.Bad
	case "cancelled":
		return t.Pause, "cancl", style.Warn
	}
	return mark(t, state)
}

func (r *Reports) drawList(c *canvas.Canvas, s State, focused bool) {
	in := c.Box("Runs", focused)
	w, h := in.Size()
	if len(r.runs) == 0 && r.filter.Text != "" && len(r.seen) > 0 {
		in.At(0, 0).Put(style.Dim, "no run has that")
		return
	}
	if len(r.runs) == 0 {
		in.At(0, 0).Put(style.Dim, "nothing has run here yet: `pipeline run JOB`, or `pipeline serve`")
		return
	}
	in.At(2, 0).Put(style.Dim, "JOB").To(18).Put(style.Dim, "STATE").To(26).Put(style.Dim, "ROWS").To(33).Put(style.Dim, "REJ").To(38).Put(style.Dim, "TOOK").To(45).Put(style.Dim, "STARTED").
		To(54).Put(style.Dim, "TRY").To(58).Put(style.Dim, "UNIT").To(64).Fit(style.Dim, "INTERVAL", 0)
	rows := h - 1
	first := max(0, r.at()-rows+1)
	for y := 0; y < rows && first+y < len(r.runs); y++ {
		x := r.runs[first+y]
		symbol, word, role := runMark(in.Theme, x.State)
		name := style.Strong
		if x.Run == r.run {
			name = style.Chosen
		}
		if severityOfRun(x.State) == 2 {
			in.At(0, y+1).Put(style.Bad, in.Theme.Bad)
		}
		in.At(2, y+1).Put(name, in.Fit(x.Job, 15)).To(18).Put(role, symbol+" "+word).To(26).Put(style.Plain, figure.Short(float64(x.RowsOut))).To(33).Put(errorRole(x.Rejected), figure.Short(float64(x.Rejected))).
			To(38).Put(style.Plain, figure.Seconds(x.Seconds)).To(45).Put(style.Plain, figure.Ago(s.Now, x.Started)).To(54).Put(style.Plain, tries(x)).To(58).Put(style.Plain, in.Fit(x.Unit, 5)).To(64).Fit(style.Plain, x.Interval, 0)
	}
	if first+rows < len(r.runs) {
		in.Right(w, h-1, style.Dim, fmt.Sprintf("%s %d more", in.Theme.More, len(r.runs)-first-rows))
	}
}

func tries(x control.Run) string {
	if x.MaxAttempts > 1 || x.Attempt > 1 {
		return fmt.Sprintf("%d/%d", x.Attempt, x.MaxAttempts)
	}
	return "1"
}

func (r *Reports) drawDetail(c *canvas.Canvas, s State, focused bool) {
	i := r.at()
	if i < 0 {
		c.Box("Run", focused)
		return
	}
	x := r.runs[i]
	title := x.Job
	if x.Title != "" {
		title += "  " + x.Title
	}
	in := c.Box(title, focused)
	w, h := in.Size()
	symbol, word, role := runMark(in.Theme, x.State)
	in.At(0, 0).Put(style.Dim, "run    ").Fit(style.Plain, x.Run, 0)
	in.At(0, 1).Put(style.Dim, "state  ").Put(role, symbol+" "+word).Put(style.Dim, "   for ").Put(style.Plain, x.Interval).Put(style.Dim, "   try ").Fit(style.Plain, tries(x), 0)
	in.At(0, 2).Put(style.Dim, "rows   ").Put(style.Plain, "in "+figure.Count(x.RowsIn)+"  out "+figure.Count(x.RowsOut)+"  ").Put(errorRole(x.Rejected), "rejected "+figure.Count(x.Rejected)).
		Put(style.Dim, "   took ").Fit(style.Plain, figure.Seconds(x.Seconds)+", "+figure.Ago(s.Now, x.Started), 0)
	y := 3
	say := func(role style.Role, text string, most int) {
		for _, line := range in.Wrap(text, w, most) {
			if y < h {
				in.Text(0, y, role, line)
				y++
			}
		}
	}
	if x.Cause != "" {
		say(style.Bad, "why: "+x.Cause, max(1, h-5))
	}
	if x.Todo != "" {
		say(style.Warn, in.Theme.Arrow+" "+x.Todo, 2)
	}
}

func (r *Reports) briefList(p *canvas.Pen, s State) {
	i := r.at()
	if i < 0 {
		p.Fit(style.Dim, "no runs yet", 0)
		return
	}
	x := r.runs[i]
	symbol, word, role := runMark(p.Theme(), x.State)
	p.Put(role, symbol+" "+word).Fit(style.Plain, fmt.Sprintf(" %s %s rows %s", x.Job, figure.Short(float64(x.RowsOut)), figure.Ago(s.Now, x.Started)), 0)
}
