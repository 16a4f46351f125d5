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

func upTo(s State, st control.Stream) string {
	if st.CompleteUpTo.IsZero() {
		return ""
	}
	return st.CompleteUpTo.In(s.Now.Location()).Format("15:04:05")
}

// drawDetail is everything about the selected job; on the whole screen it has room for curves and the full error.
func (pl *Pipeline) drawDetail(c *canvas.Canvas, s State, focused bool) {
	i := pl.at()
	switch {
	case i < 0:
		c.Box("Details", focused).At(0, 0).Put(style.Dim, "no job selected")
	case pl.items[i].stream != nil:
		drawStream(c, s, pl.items[i].stream, focused)
	default:
		drawReport(c, s, pl.items[i].report, focused)
	}
}

func (pl *Pipeline) briefDetail(p *canvas.Pen, s State) {
	i := pl.at()
	if i < 0 {
		return
	}
	if st := pl.items[i].stream; st != nil {
		p.Fit(style.Plain, fmt.Sprintf("rows %s quarantined %s commits %d", figure.Short(float64(st.Rows)), figure.Short(float64(st.Quarantined)), st.Commits), 0)
		return
	}
	r := pl.items[i].report
	p.Fit(style.Plain, fmt.Sprintf("%s %s %d rows %s", r.Job, r.State, r.Rows, figure.Ago(s.Now, r.Started)), 0)
}

func drawStream(c *canvas.Canvas, s State, st *control.Stream, focused bool) {
	title := st.Job
	if st.Title != "" {
		title += "  " + st.Title
	}
	in := c.BoxAged(title, note(s, st.At), focused)
	w, h := in.Size()
	var facts []func(p *canvas.Pen)
	facts = append(facts, func(p *canvas.Pen) {
		p.Put(style.Dim, "way   ").Fit(style.Plain, fmt.Sprintf("%s %s %s   behind %s", st.Topic, in.Theme.Arrow, st.Table, left(st)), 0)
	})
	if plan := prospect(st); plan != "" {
		facts = append(facts, func(p *canvas.Pen) { p.Put(style.Dim, "plan  ").Fit(style.Plain, plan, 0) })
	}
	facts = append(facts, func(p *canvas.Pen) {
		p.Put(style.Dim, "rows  ").Put(style.Plain, figure.Count(st.Rows)).Put(style.Dim, "   quarantined ").Put(errorRole(st.Quarantined), figure.Count(st.Quarantined)).
			Put(style.Dim, "   commits ").Put(style.Plain, figure.Count(st.Commits)).Put(style.Dim, "   last took ").Fit(style.Plain, figure.Millis(st.CommitMillis)+" ms", 0)
	}, func(p *canvas.Pen) {
		p.Put(style.Dim, "table ")
		if up := upTo(s, *st); up != "" {
			p.Put(style.Plain, "complete up to "+up+"   ")
		}
		p.Fit(style.Plain, fmt.Sprintf("snapshot %d has the cursor of %s", st.Snapshot, many(len(st.Partitions), "partition")), 0)
	})
	var trouble []string
	if why := cause(st); why != "" {
		trouble = in.Wrap("why: "+why, w, 2+h/4)
	}
	if st.Hint != "" {
		trouble = append(trouble, in.Wrap(in.Theme.Arrow+" "+st.Hint, w, 1+h/6)...)
	}
	team := teamHeight(st.Team, h-len(trouble))
	bars := h - len(facts) - len(trouble) - team // what is left goes to the partitions, and in a high panel to the curve
	curve := 0
	if bars > 14 {
		curve = min(max(bars/2, 6), 16)
		bars -= curve
	}
	y := partitionBars(in.Sub(0, 0, w, max(bars, 0)), st)
	for _, line := range trouble {
		role := style.Warn
		if severity(st.State) == 2 {
			role = style.Bad
		}
		in.Text(0, y, role, line)
		y++
	}
	for _, f := range facts {
		if y < h {
			f(in.At(0, y))
			y++
		}
	}
	if team > 0 && y+team <= h {
		drawTeam(in.Sub(0, y, w, team), st.Team)
		y += team
	}
	if curve > 4 && y < h-4 {
		half := w / 2
		room := min(h-y-1, curve)
		in.Text(0, y, style.Dim, "behind")
		streamPlot(in.Sub(0, y+1, half-2, room), within(s, st), behind, niceTime, figure.Roughly)
		in.Text(half, y, style.Dim, "rows/s into the table")
		streamPlot(in.Sub(half, y+1, w-half, room), within(s, st), out, chart.Nice, figure.Axis)
		y += room + 2
	}
	var own []control.Event // what the log says about this job
	for _, e := range s.Snap.Events {
		if strings.Contains(e.Text, st.Job) {
			own = append(own, e)
		}
	}
	if y < h-1 && len(own) > 0 {
		events(in.Sub(0, y, w, h-y), s, own)
	}
}

// partitionBars shows the lag of each partition, as many as fit, the worst first when not all do; it gives the lines it used.
func partitionBars(in *canvas.Canvas, st *control.Stream) int {
	w, h := in.Size()
	if h <= 0 || len(st.Partitions) == 0 {
		return 0
	}
	all := slices.Clone(st.Partitions)
	most := slices.MaxFunc(all, func(a, b control.Partition) int { return cmp.Compare(a.Behind(), b.Behind()) })
	cols := max(w/36, 1)
	room := cols * h
	if len(all) > room {
		slices.SortStableFunc(all, func(a, b control.Partition) int { return cmp.Compare(b.Behind(), a.Behind()) })
		all = all[:room]
	}
	each := w / cols
	lines := (len(all) + cols - 1) / cols
	for i, p := range all {
		x, y := i/lines*each, i%lines
		share := 0.0
		if most.Behind() > 0 {
			share = float64(p.Behind()) / float64(most.Behind())
		}
		role := style.Accent
		tail := figure.Short(float64(p.Behind()))
		if p.Seconds > 0 {
			tail += " " + atLeast(p.Seconds, p.AtLeast)
		}
		if each >= 60 && p.Bytes > 0 {
			tail += "  " + figure.Bytes(float64(p.Bytes))
		}
		if p.Behind() == 0 {
			tail = "even"
		}
		if st.Hot != nil && p.ID == st.Hot.Partition {
			role = style.Warn
			tail += " hot " + figure.Percent(st.Hot.Share)
		}
		cell := in.Sub(x, y, each-1, 1)
		cell.At(0, 0).Put(style.Dim, fmt.Sprintf("part %3d ", p.ID)).Put(role, chart.Bar(share, max(each-32, 4), in.Theme.Level)).Put(style.Plain, " ").Fit(style.Plain, tail, 0)
	}
	return lines
}

func drawReport(c *canvas.Canvas, s State, r *control.Report, focused bool) {
	title := r.Job
	if r.Title != "" {
		title += "  " + r.Title
	}
	in := c.Box(title, focused)
	w, h := in.Size()
	symbol, word, role := mark(in.Theme, r.State)
	in.At(0, 0).Put(role, symbol+" "+word).Put(style.Plain, "   ").Fit(style.Plain, fmt.Sprintf("%s rows to %s in %s", figure.Count(r.Rows), r.Table, figure.Seconds(r.Seconds)), 0)
	in.At(0, 1).Put(style.Dim, "interval ").Put(style.Plain, r.Interval).Put(style.Dim, "   unit ").Put(style.Plain, r.Unit)
	if !r.Started.IsZero() {
		in.At(0, 2).Put(style.Dim, "started  ").Fit(style.Plain, r.Started.In(s.Now.Location()).Format(time.DateTime)+"  "+figure.Ago(s.Now, r.Started), 0)
	}
	y := 3
	if r.Error != "" {
		for _, line := range in.Wrap("why: "+r.Error, w, max(h-y-1, 1)) {
			in.Text(0, y, style.Bad, line)
			y++
		}
	}
	if r.Hint != "" {
		in.At(0, y).Fit(style.Warn, in.Theme.Arrow+" "+r.Hint, 0)
	}
}
