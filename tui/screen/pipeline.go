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

// Pipeline shows the jobs: who is behind, by how much, why, and what became of the reports.
type Pipeline struct {
	items  []item // those that the filter leaves
	seen   *control.Snapshot
	filter Filter
	job    string // the selected one
	open   bool   // its details fill the screen
}

// item is a line of the list: a stream or a report.
type item struct {
	stream *control.Stream
	report *control.Report
}

func (i item) job() string {
	if i.stream != nil {
		return i.stream.Job
	}
	return i.report.Job
}

func many(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Name as in the title line.
func (pl *Pipeline) Name() string { return "Pipeline" }

// Apply sorts the streams, the failed first and then by how far they are behind, and keeps the selected job selected.
func (pl *Pipeline) Apply(s *control.Snapshot) {
	pl.seen = s
	pl.pick()
}

// Filter leaves some lines.
func (pl *Pipeline) Filter(f Filter) {
	pl.filter = f
	if pl.seen != nil {
		pl.pick()
	}
}

func (pl *Pipeline) pick() {
	s := pl.seen
	pl.items = pl.items[:0:0]
	for i := range s.Streams {
		if st := &s.Streams[i]; pl.filter.Match(st.Job, st.Title, st.Unit, st.State, st.Table, st.Topic) {
			pl.items = append(pl.items, item{stream: st})
		}
	}
	slices.SortStableFunc(pl.items, func(a, b item) int {
		return cmp.Or(cmp.Compare(severity(b.stream.State), severity(a.stream.State)), cmp.Compare(b.stream.BehindSeconds, a.stream.BehindSeconds), cmp.Compare(a.stream.Job, b.stream.Job))
	})
	for i := range s.Reports {
		if r := &s.Reports[i]; pl.filter.Match(r.Job, r.Title, r.Unit, r.State, r.Table, r.Interval) {
			pl.items = append(pl.items, item{report: r})
		}
	}
	if pl.at() < 0 {
		pl.job, pl.open = "", false
		if len(pl.items) > 0 {
			pl.job = pl.items[0].job()
		}
	}
}

// Select goes to a job's details.
func (pl *Pipeline) Select(job string) { pl.job = job }

func (pl *Pipeline) at() int {
	return slices.IndexFunc(pl.items, func(i item) bool { return i.job() == pl.job })
}

func (pl *Pipeline) move(by int) Intent {
	if n := len(pl.items); n > 0 {
		pl.job = pl.items[min(max(pl.at()+by, 0), n-1)].job()
	}
	return Intent{}
}

// Keys of the list and its details.
func (pl *Pipeline) Keys() []Key {
	open, back := "⏎ open", ""
	if pl.open {
		open, back = "", "esc back"
	}
	return []Key{
		{Press: []string{"up", "k"}, Label: "↑ k", Help: "job above", Do: func() Intent { return pl.move(-1) }},
		{Press: []string{"down", "j"}, Label: "↓ j", Hint: "↑↓ move", Help: "job below", Do: func() Intent { return pl.move(1) }},
		{Press: []string{"enter"}, Label: "⏎", Hint: open, Help: "details of the job on the whole screen", Do: func() Intent {
			pl.open = pl.job != ""
			return Intent{}
		}},
		{Press: []string{"esc"}, Label: "esc", Hint: back, Help: "back to the list", Do: func() Intent {
			was := pl.open
			pl.open = false
			return Intent{Unknown: !was}
		}},
		{Press: []string{"S"}, Label: "S", Help: "stop the program that runs the jobs, after the batch in work; nothing is lost", Verb: "stop", Do: func() Intent {
			return Intent{Verb: "stop", Confirm: "stop the program that runs these jobs, after the batch in work?"}
		}},
	}
}

// Status says what the list shows.
func (pl *Pipeline) Status(p *canvas.Pen, s State) {
	p.Put(style.Dim, "view: ").Put(style.Plain, "streams and reports").Put(style.Dim, "   sort: ").Put(style.Plain, "seconds behind").
		Fit(style.Plain, "   "+many(len(s.Snap.Streams), "stream")+", "+many(len(s.Snap.Reports), "report")+"   ", 0)
	if p.Room() > 30 {
		parts(p, p.Theme(), s.Snap.Parts, 0)
	}
}

const (
	plList = iota
	plDetail
	plWhy
	plReports
	plEvents
)

// Panels of the Pipeline screen.
func (pl *Pipeline) Panels(State) []Panel {
	return []Panel{
		plList:    {Name: "Streams", Draw: pl.drawList, Brief: pl.briefList},
		plDetail:  {Name: "Details", Draw: pl.drawDetail, Brief: pl.briefDetail},
		plWhy:     {Name: "Trend", Draw: pl.drawTrend, Brief: pl.briefDetail},
		plReports: {Name: "Notifications", Draw: drawNotify, Brief: briefNotify},
		plEvents:  eventsPanel(),
	}
}

// Place: list above details; a wide terminal has the trend and the events beside them.
func (pl *Pipeline) Place(_ State, w, h int) []Placed {
	if pl.open {
		return []Placed{{plDetail, 0, 0, w, h}}
	}
	side := 0
	if w >= 120 {
		side = min(w*5/16, 50)
	}
	y := stack(h, []int{0, 1, 2}, []part{{5, 13, true}, {6, 8, h >= 34}, {0, 0, false}})
	if h >= 34 {
		y = stack(h, []int{0, 1, 2}, []part{{8, 12, true}, {8, 20, false}, {6, 9, false}})
	}
	out := []Placed{{plList, 0, 0, w - side, y[0]}, {plDetail, 0, y[0], w - side, y[1]}}
	if side > 0 {
		out = append(out, Placed{plWhy, w - side, 0, side, y[0]}, Placed{plEvents, w - side, y[0], side, y[1]})
	}
	if y[2] > 0 {
		out = append(out, Placed{plReports, 0, y[0] + y[1], w, y[2]})
	}
	return out
}

func (pl *Pipeline) drawList(c *canvas.Canvas, s State, focused bool) {
	in := c.Box("Streams and reports", focused)
	w, h := in.Size()
	if len(pl.items) == 0 {
		word := "no jobs run here yet"
		if pl.filter.Text != "" && len(s.Snap.Streams)+len(s.Snap.Reports) > 0 {
			word = "no job has that"
		}
		in.At(0, 0).Put(style.Dim, word)
		return
	}
	lines := pl.lines()
	first := 0 // the line that is drawn at the top, so that the selected one is in sight
	for i, l := range lines {
		if l.item != nil && l.item.job() == pl.job {
			first = max(0, i-h+1)
		}
	}
	for y := 0; y < h && first+y < len(lines); y++ {
		l := lines[first+y]
		switch {
		case l.head == "streams":
			pl.streamHead(in, y)
		case l.head == "reports":
			pl.reportHead(in.At(2, y))
		case l.item == nil:
		case l.item.stream != nil:
			pl.streamLine(in, y, s, l.item.stream)
		default:
			pl.reportLine(in, y, s, l.item.report)
		}
	}
	if first+h < len(lines) {
		in.Right(w, h-1, style.Dim, fmt.Sprintf("%s %d more", in.Theme.More, len(lines)-first-h))
	}
}

type listLine struct {
	head string
	item *item
}

// lines of the list: streams under their heading, then reports under theirs.
func (pl *Pipeline) lines() []listLine {
	var out []listLine
	last := ""
	for i := range pl.items {
		head := "streams"
		if pl.items[i].report != nil {
			head = "reports"
		}
		if head != last {
			if last != "" {
				out = append(out, listLine{})
			}
			out = append(out, listLine{head: head})
			last = head
		}
		out = append(out, listLine{item: &pl.items[i]})
	}
	return out
}

// columns of the stream list: where each begins, narrow and wide (0: not shown), and how wide it is.
var streamColumns = []struct {
	name                string
	narrow, wide, width int
}{
	{"STREAM", 2, 2, 15}, {"STATE", 18, 28, 7}, {"BEHIND", 26, 36, 6}, {"TREND", 34, 44, 8}, {"IN/s", 43, 55, 6}, {"OUT/s", 51, 63, 6}, {"COMMIT", 59, 71, 7},
	{"WORK", 67, 80, 4}, {"UNIT", 72, 86, 4}, {"ROWS", 0, 92, 6}, {"QUAR", 0, 100, 5},
}

// column is where column i begins; false if it does not fit as a whole: half a number is another number.
func column(i, w int) (int, bool) {
	k := streamColumns[i]
	x := k.narrow
	if w >= 100 {
		x = k.wide
	}
	return x, x > 0 && x+k.width <= w
}

func (pl *Pipeline) streamHead(in *canvas.Canvas, y int) {
	for i, k := range streamColumns {
		if x, fits := column(i, in.Width()); fits {
			in.Text(x, y, style.Dim, k.name)
		}
	}
}

func (pl *Pipeline) streamLine(in *canvas.Canvas, y int, s State, st *control.Stream) {
	symbol, word, role := mark(in.Theme, st.State)
	sign, signRole := " ", style.Plain
	switch {
	case severity(st.State) == 2:
		sign, signRole = in.Theme.Bad, style.Bad
	case st.BehindSeconds > 60, st.Error != "", st.State == control.Waiting, st.WaitsFor == control.WaitsForBroker, st.WaitsFor == control.WaitsForCatalog:
		sign, signRole = in.Theme.Warn, style.Warn
	}
	name := style.Strong
	if st.Job == pl.job {
		name = style.Chosen
	}
	commit := "never"
	if !st.LastCommit.IsZero() {
		commit = figure.Ago(s.Now, st.LastCommit)
	}
	room, _ := column(1, in.Width())
	spark, arrow := trend(in.Theme, st.History, 6)
	in.Text(0, y, signRole, sign)
	for i, k := range []struct {
		role style.Role
		text string
	}{
		{name, in.Fit(st.Job, room-3)}, {role, symbol + " " + word}, {style.Plain, fmt.Sprintf("%6s", figure.Seconds(st.BehindSeconds))}, {style.Accent, spark},
		{style.Plain, fmt.Sprintf("%6s", figure.Short(st.InPerSec))}, {style.Plain, fmt.Sprintf("%6s", figure.Short(st.OutPerSec))}, {style.Plain, commit},
		{style.Plain, fmt.Sprint(st.Workers)}, {style.Plain, in.Fit(st.Unit, 4)}, {style.Plain, figure.Short(float64(st.Rows))}, {errorRole(st.Quarantined), figure.Short(float64(st.Quarantined))},
	} {
		if x, fits := column(i, in.Width()); fits {
			p := in.At(x, y).Put(k.role, k.text)
			if i == 3 {
				p.Put(style.Plain, " "+arrow)
			}
		}
	}
}

func (pl *Pipeline) reportHead(p *canvas.Pen) {
	p.Put(style.Dim, "REPORT").To(18).Put(style.Dim, "STATE").To(26).Put(style.Dim, "ROWS").To(34).Put(style.Dim, "TOOK").To(42).Put(style.Dim, "STARTED").To(51).Put(style.Dim, "UNIT").To(57).Fit(style.Dim, "INTERVAL", 0)
}

func (pl *Pipeline) reportLine(in *canvas.Canvas, y int, s State, r *control.Report) {
	symbol, word, role := mark(in.Theme, r.State)
	name := style.Strong
	if r.Job == pl.job {
		name = style.Chosen
	}
	if severity(r.State) == 2 {
		in.At(0, y).Put(style.Bad, in.Theme.Bad)
	}
	in.At(2, y).Put(name, in.Fit(r.Job, 15)).To(18).Put(role, symbol+" "+word).To(26).Put(style.Plain, figure.Short(float64(r.Rows))).To(34).Put(style.Plain, figure.Seconds(r.Seconds)).
		To(42).Put(style.Plain, figure.Ago(s.Now, r.Started)).To(51).Put(style.Plain, in.Fit(r.Unit, 5)).To(57).Fit(style.Plain, r.Interval, 0)
}

func (pl *Pipeline) briefList(p *canvas.Pen, s State) {
	if len(pl.items) == 0 || pl.items[0].stream == nil {
		p.Fit(style.Dim, "no streams yet", 0)
		return
	}
	worst := pl.items[0].stream
	symbol, word, role := mark(p.Theme(), worst.State)
	p.Put(role, symbol+" "+word).Fit(style.Plain, fmt.Sprintf(" %s %s behind, out %s/s", worst.Job, figure.Seconds(worst.BehindSeconds), figure.Short(worst.OutPerSec)), 0)
}

func behind(p control.StreamPoint) float64 { return max(p.Behind, 0) }
func out(p control.StreamPoint) float64    { return p.Out }

// drawTrend is the selected stream over time.
func (pl *Pipeline) drawTrend(c *canvas.Canvas, s State, focused bool) {
	i := pl.at()
	if i < 0 || pl.items[i].stream == nil {
		jobCounts(c.Box("Trend", focused).At(0, 0), s)
		return
	}
	st := pl.items[i].stream
	in := c.BoxAged("Trend of "+st.Job, note(s, st.At), focused)
	_, h := in.Size()
	half := h / 2
	in.Text(0, 0, style.Dim, "behind")
	streamPlot(in.Sub(0, 1, 1<<20, half-1), within(s, st), behind, niceTime, figure.Roughly)
	in.Text(0, half, style.Dim, "rows/s into the table")
	streamPlot(in.Sub(0, half+1, 1<<20, h-half-1), within(s, st), out, chart.Nice, figure.Axis)
}

// within is the stream's history as far back as the user wants to see.
func within(s State, st *control.Stream) *control.Stream {
	if s.Window == 0 || len(st.History) == 0 {
		return st
	}
	begin := s.Now.Add(-s.Window)
	i := slices.IndexFunc(st.History, func(p control.StreamPoint) bool { return !p.T.Before(begin) })
	if i < 0 {
		i = len(st.History) - 1
	}
	out := *st
	out.History = st.History[i:]
	return &out
}

func streamPlot(in *canvas.Canvas, st *control.Stream, value func(control.StreamPoint) float64, nice func(float64) float64, label func(float64) string) {
	if len(st.History) < 2 {
		in.Text(0, 0, style.Dim, "not enough data yet")
		return
	}
	begin, end := st.History[0].T, st.History[len(st.History)-1].T
	length := max(end.Sub(begin).Seconds(), 1)
	top := 0.0
	got := make([]chart.Point, len(st.History))
	for i, p := range st.History {
		got[i] = chart.Point{X: p.T.Sub(begin).Seconds() / length, Y: value(p)}
		top = max(top, got[i].Y)
	}
	f := chart.Figure{Top: nice(top * 1.02), Now: 1, Got: got}
	plot(in, f, length, length, label)
}
