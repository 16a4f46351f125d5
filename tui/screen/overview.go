package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/chart"
	"weir/tui/figure"
	"weir/tui/style"
)

// Overview answers "is everything well?" on one screen.
type Overview struct {
	all       []control.Attention
	attention []control.Attention // those that the filter leaves
	filter    Filter
	cursor    int
}

// Name as in the title line.
func (o *Overview) Name() string { return "Overview" }

// Apply keeps the cursor on the same job.
func (o *Overview) Apply(s *control.Snapshot) {
	o.all = s.Attention
	o.pick()
}

// Filter leaves some lines.
func (o *Overview) Filter(f Filter) {
	o.filter = f
	o.pick()
}

func (o *Overview) pick() {
	job := ""
	if o.cursor < len(o.attention) {
		job = o.attention[o.cursor].Job
	}
	o.attention = nil
	for _, a := range o.all {
		if o.filter.Match(a.What, a.Job, a.Unit, a.Detail) {
			o.attention = append(o.attention, a)
		}
	}
	if i := slices.IndexFunc(o.attention, func(a control.Attention) bool { return a.Job == job }); i >= 0 {
		o.cursor = i
	}
	o.cursor = max(min(o.cursor, len(o.attention)-1), 0)
}

// Keys of the list of what needs attention.
func (o *Overview) Keys() []Key {
	return []Key{
		{Press: []string{"up", "k"}, Label: "↑ k", Help: "line up", Do: func() Intent { o.cursor = max(o.cursor-1, 0); return Intent{} }},
		{Press: []string{"down", "j"}, Label: "↓ j", Hint: "↑↓ move", Help: "line down", Do: func() Intent {
			o.cursor = max(min(o.cursor+1, len(o.attention)-1), 0)
			return Intent{}
		}},
		{Press: []string{"enter"}, Label: "⏎", Hint: "⏎ open", Help: "open it: the job on the Pipeline screen, the message on Notify", Do: func() Intent {
			if o.cursor >= len(o.attention) {
				return Intent{Unknown: true}
			}
			a := o.attention[o.cursor]
			if a.Screen != "" {
				return Intent{Screen: a.Screen, Item: cmp.Or(a.Item, a.Job)}
			}
			if a.Job == "" {
				return Intent{Unknown: true}
			}
			return Intent{Screen: "Pipeline", Item: a.Job}
		}},
	}
}

// Status shows what the installation stands on.
func (o *Overview) Status(p *canvas.Pen, s State) {
	p.Fit(style.Strong, s.Snap.Home, p.Room()/2).Put(style.Plain, "   ")
	if s.Snap.Done {
		p.Put(style.Good, "finished").Put(style.Plain, "   ")
	}
	parts(p, themeOf(p), s.Snap.Parts, 0)
}

const (
	ovAttention = iota
	ovProof
	ovThroughput
	ovLoad
	ovNotify
	ovJobs
	ovEvents
)

// Panels of the Overview.
func (o *Overview) Panels(State) []Panel {
	return []Panel{
		ovProof:      proofBanner(),
		ovAttention:  {Name: "Needs attention", Draw: o.drawAttention, Brief: o.briefAttention},
		ovThroughput: {Name: "Throughput", Draw: drawThroughput, Brief: briefThroughput},
		ovLoad:       {Name: "Load & capacity", Draw: drawLoadSummary, Brief: briefLoad},
		ovNotify:     {Name: "Notifications", Draw: drawNotify, Brief: briefNotify},
		ovJobs:       {Name: "Jobs", Draw: drawJobs, Brief: briefJobs},
		ovEvents:     eventsPanel(),
	}
}

// Place: the proof on top once there is one; attention is never hidden.
func (o *Overview) Place(s State, w, h int) []Placed {
	proof := part{}
	if s.Snap.Proof != nil && (s.Snap.Proof.Done || !s.Snap.Proof.Good() || w >= 160) {
		proof = part{least: 5, want: 5}
	}
	half := w / 2
	if w < 160 || h < 30 {
		want, message := 9, 5
		if proof.want > 0 { // the end of a run: proof and message are what one looks for
			want, message = 5, 6
		}
		y := stack(h, []int{1, 0, 2, 3}, []part{proof, {5, want, true}, {5, 7 - 2*(message-5), false}, {4, message, false}})
		return rows([]Placed{{Panel: ovProof, W: w}, {Panel: ovAttention, W: w}, {Panel: ovThroughput, W: half}, {Panel: ovNotify, W: w}}, y,
			Placed{Panel: ovLoad, X: half, W: w - half}, 2)
	}
	y := stack(h, []int{1, 0, 2, 3, 4}, []part{proof, {7, 12, false}, {7, 9, false}, {6, 10, true}, {6, 11, false}})
	out := rows([]Placed{{Panel: ovProof, W: w}, {Panel: ovAttention, W: w}, {Panel: ovThroughput, W: half}, {Panel: ovJobs, W: w}, {Panel: ovNotify, W: 100}}, y,
		Placed{Panel: ovLoad, X: half, W: w - half}, 2)
	for _, p := range out {
		if p.Panel == ovNotify {
			out = append(out, Placed{ovEvents, 100, p.Y, w - 100, p.H})
		}
	}
	return out
}

// rows gives the panels of a stack their places; beside stands at the right of row i.
func rows(panels []Placed, heights []int, beside Placed, i int) []Placed {
	var out []Placed
	y := 0
	for k, p := range panels {
		if heights[k] == 0 {
			continue
		}
		p.Y, p.H = y, heights[k]
		out = append(out, p)
		if k == i {
			beside.Y, beside.H = y, heights[k]
			out = append(out, beside)
		}
		y += heights[k]
	}
	return out
}

func (o *Overview) drawAttention(c *canvas.Canvas, s State, focused bool) {
	title := "Needs attention"
	switch n := len(o.all); {
	case len(o.attention) < n:
		title += fmt.Sprintf(" (%d of %d)", len(o.attention), n)
	case n > 0:
		title += fmt.Sprintf(" (%d)", n)
	}
	in := c.Box(title, focused)
	w, h := in.Size()
	y, each := 0, 1
	if w >= 140 {
		each = 2 // room for what to do
	}
	room := max((h-1)/each, 1)
	first := max(0, o.cursor-room+1) // the selected line stays in sight
	for i := first; i < len(o.attention) && i < first+room; i++ {
		a := o.attention[i]
		role, symbol := style.Warn, in.Theme.Warn
		if a.Level == control.Bad {
			role, symbol = style.Bad, in.Theme.Bad
		} else if a.What == "LATE" {
			symbol = in.Theme.Late
		}
		tail := fmt.Sprintf("%9s  %-4s", figure.Ago(s.Now, a.Since), in.Fit(a.Unit, 4))
		p := in.At(0, y).Put(role, symbol).Put(style.Plain, " ").Put(role, in.Fit(a.What, 8)).To(11)
		name := style.Strong
		if i == o.cursor {
			name = style.Chosen
		}
		p.Put(name, in.Fit(a.Job, 20)).To(min(33, w/2)).Put(style.Plain, " ")
		detail := a.Detail
		if each == 1 && a.Next != "" && w >= 100 {
			detail += "  " + in.Theme.Arrow + " " + a.Next
		}
		p.Fit(style.Plain, detail, len(tail)+1)
		in.Right(w, y, style.Plain, tail)
		if y++; each == 2 && y < h-1 {
			if a.Next != "" {
				in.At(11, y).Put(style.Dim, "next: ").Fit(style.Plain, a.Next, 0)
			}
			y++
		}
	}
	switch {
	case len(o.all) > 0 && len(o.attention) == 0:
		in.At(0, 0).Put(style.Dim, "none of them has that")
		y = 1
	case len(o.all) == 0:
		in.At(0, 0).Put(style.Good, in.Theme.Good).Put(style.Plain, " nothing needs attention")
		y = 1
	}
	if y+1 < h {
		y++
	}
	if y < h {
		jobCounts(in.At(0, y), s)
		y += 2
	}
	if y < h {
		lastLine(in.At(0, y), s)
	}
}

func (o *Overview) briefAttention(p *canvas.Pen, s State) {
	t := themeOf(p)
	if len(s.Snap.Attention) == 0 {
		p.Put(style.Good, t.Good).Put(style.Plain, " ")
		p.Fit(style.Plain, "nothing needs attention", 0)
		return
	}
	a := s.Snap.Attention[0]
	role := style.Warn
	if a.Level == control.Bad {
		role = style.Bad
	}
	p.Put(role, fmt.Sprintf("%s %d %s", t.Warn, len(s.Snap.Attention), a.What)).Put(style.Plain, " ").Fit(style.Plain, a.Job+" "+a.Detail, 0)
}

// jobCounts: how many streams and reports are in which state.
func jobCounts(p *canvas.Pen, s State) {
	states := map[string]int{}
	for _, st := range s.Snap.Streams {
		states[st.State]++
	}
	for _, r := range s.Snap.Reports {
		states[r.State]++
	}
	if len(states) == 0 {
		p.Fit(style.Dim, "no jobs yet", 0)
		return
	}
	for _, k := range []struct{ state, words string }{
		{control.Running, "running"}, {control.CaughtUp, "caught up"}, {control.Done, "done"}, {control.Preparing, "preparing"}, {control.Draining, "draining"},
		{control.Waiting, "waiting"}, {control.Stopped, "stopped"}, {control.Failed, "failed"},
	} {
		if n := states[k.state]; n > 0 {
			symbol, _, role := mark(themeOf(p), k.state)
			p.Put(role, symbol).Fit(style.Plain, fmt.Sprintf(" %d %s   ", n, k.words), 0)
		}
	}
}

func lastLine(p *canvas.Pen, s State) {
	if n := len(s.Snap.Events); n > 0 {
		e := s.Snap.Events[n-1]
		p.Put(style.Dim, "last: ").Fit(style.Plain, e.Text, 10).Put(style.Dim, "  "+figure.Ago(s.Now, e.At))
	}
}

func briefJobs(p *canvas.Pen, s State) { jobCounts(p, s) }

// compact is exact as long as a person can read it at a glance.
func compact(n int64) string {
	if n >= 1e9 {
		return figure.Short(float64(n))
	}
	return figure.Count(n)
}

// throughput sums all streams.
func throughput(s *control.Snapshot) (in, out float64, history []float64, last time.Time) {
	for _, st := range s.Streams {
		in += st.InPerSec
		out += st.OutPerSec
		if st.LastCommit.After(last) {
			last = st.LastCommit
		}
		// Histories end now: add them up from the end.
		if len(st.History) > len(history) {
			history = append(make([]float64, len(st.History)-len(history)), history...)
		}
		for i, p := range st.History {
			history[len(history)-len(st.History)+i] += p.Out
		}
	}
	return in, out, history, last
}

func drawThroughput(c *canvas.Canvas, s State, focused bool) {
	in, out, history, last := throughput(s.Snap)
	age := time.Time{}
	for _, st := range s.Snap.Streams {
		if st.At.After(age) {
			age = st.At
		}
	}
	b := c.BoxAged("Throughput  rows/s", note(s, age), focused)
	w, _ := b.Size()
	if len(s.Snap.Streams) == 0 {
		b.Text(0, 0, style.Dim, "no streams yet")
		return
	}
	var rows, quarantined, behind int64
	var names []string
	for _, st := range s.Snap.Streams {
		rows += st.Rows
		quarantined += st.Quarantined
		behind += st.BehindRecords
		names = append(names, st.Job)
	}
	head := fmt.Sprintf("%7s ", figure.Short(out))
	b.At(0, 0).Put(style.Strong, head).Put(style.Accent, chart.Spark(history, w-len(head), 0, b.Theme.Level))
	b.At(0, 1).Put(style.Dim, "in    ").Put(style.Plain, fmt.Sprintf("%-9s ", figure.Count(int64(in)))).Fit(style.Plain, strings.Join(names, ", "), 0)
	commit := "nothing committed yet"
	if !last.IsZero() {
		commit = "committed " + figure.Ago(s.Now, last)
	}
	b.At(0, 2).Put(style.Dim, "out   ").Put(style.Plain, fmt.Sprintf("%-9s ", figure.Count(int64(out)))).Fit(style.Plain, commit, 0)
	b.At(0, 3).Put(style.Dim, "rows  ").Fit(style.Plain, fmt.Sprintf("%s in tables, %s behind", compact(rows), figure.Short(float64(behind))), 0)
	role := style.Plain
	if quarantined > 0 {
		role = style.Warn
	}
	b.At(0, 4).Put(style.Dim, "quarantined ").Put(role, figure.Count(quarantined))
}

func briefThroughput(p *canvas.Pen, s State) {
	in, out, _, last := throughput(s.Snap)
	p.Fit(style.Plain, fmt.Sprintf("rows/s in %s out %s", figure.Short(in), figure.Short(out)), 0)
	if !last.IsZero() {
		p.Fit(style.Dim, " commit "+figure.Ago(s.Now, last), 0)
	}
}
