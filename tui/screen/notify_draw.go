package screen

import (
	"fmt"
	"strings"
	"time"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/style"
)

// Panels of the outbox.
func (nt *Notify) Panels(State) []Panel {
	return []Panel{
		ntOutbox:   {Name: "Outbox", Draw: nt.drawList, Brief: briefNotify},
		ntMessage:  {Name: "Message", Draw: nt.drawMessage, Brief: nt.briefMessage},
		ntToday:    {Name: "Expected today", Draw: nt.drawToday, Brief: nt.briefToday},
		ntChannels: {Name: "Channels", Draw: nt.drawChannels, Brief: nt.briefChannels},
	}
}

// Place: the list above, the message below; a wide terminal has today and the channels beside them.
func (nt *Notify) Place(_ State, w, h int) []Placed {
	side := 0
	if w >= 120 {
		side = min(w*3/8, 60)
	}
	below := max(nt.below, ntMessage)
	if nt.beside = side > 0; nt.beside {
		below = ntMessage
	}
	y := stack(h, []int{0, 1}, []part{{6, h / 2, false}, {6, h, true}})
	out := []Placed{{ntOutbox, 0, 0, w - side, y[0]}}
	if y[1] > 0 {
		out = append(out, Placed{below, 0, y[0], w - side, y[1]})
	}
	if side > 0 {
		y := stack(h, []int{0, 1}, []part{{5, 3 + len(nt.expected()), false}, {5, h, true}})
		out = append(out, Placed{ntToday, w - side, 0, side, y[0]})
		if y[1] > 0 {
			out = append(out, Placed{ntChannels, w - side, y[0], side, y[1]})
		}
	}
	return out
}

func (nt *Notify) expected() []control.Expected {
	if nt.n == nil {
		return nil
	}
	return nt.n.Expected
}

// messageMark is mark for the states of a message.
func messageMark(t *style.Theme, m control.Message, channels []control.Channel) (symbol, word string, r style.Role) {
	switch m.State {
	case "sent":
		return t.Good, "sent", style.Good
	case "dead":
		return t.Bad, "DEAD", style.Bad
	case "expired":
		return t.Bad, "expired", style.Warn
	case "unknown":
		return t.Warn, "unknown", style.Warn
	case "sending":
		return t.Run, "sending", style.Accent
	case "retry", "ready":
		for _, c := range channels {
			if c.Name == m.Channel && c.State == control.Down {
				return t.Bad, "blocked", style.Bad
			}
		}
		if m.State == "retry" {
			return t.Late, "retry", style.Warn
		}
		return t.Todo, "ready", style.Accent
	case "held":
		if m.Gate == "" {
			return t.Warn, "held", style.Warn
		}
		return t.Wait, "held", style.Accent
	case "suppressed":
		return t.Todo, "silent", style.Dim
	case "superseded":
		return t.Todo, "newer", style.Dim
	}
	return t.Todo, m.State, style.Dim
}

// moment is a time of day in the zone of the messages, or the date of another day.
func (nt *Notify) moment(s State, at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	zone := nt.in(s.Now.Location())
	at, now := at.In(zone), s.Now.In(zone)
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format("15:04")
	}
	return at.Format("2 Jan")
}

// when is the time that matters of a message: of those that were sent that, of the others the next one.
func (nt *Notify) when(s State, m control.Message) string {
	_, word, _ := messageMark(&style.Theme{}, m, nt.n.Channels)
	switch {
	case word == "blocked":
		return "-"
	case m.State == "sent":
		return nt.moment(s, m.At)
	case m.State == "sending", m.State == "ready" && !m.NextAt.After(s.Now):
		return "now"
	}
	return nt.moment(s, m.NextAt)
}

func (nt *Notify) drawList(c *canvas.Canvas, s State, focused bool) {
	title := "Outbox"
	if nt.n != nil && nt.filter.Text != "" {
		title += fmt.Sprintf(" (%d of %d)", len(nt.list), len(nt.n.Messages))
	}
	at := time.Time{}
	if nt.n != nil {
		at = nt.n.At
		if nt.zone != nil && nt.zone.String() != s.Now.Location().String() {
			title += "  times in " + nt.zone.String()
		}
	}
	in := c.BoxAged(title, note(s, at), focused)
	w, h := in.Size()
	if len(nt.list) == 0 {
		switch {
		case nt.n != nil && nt.n.Error != "":
			in.At(0, 0).Fit(style.Bad, nt.n.Error, 0)
		case nt.filter.Text != "" && nt.n != nil && len(nt.n.Messages) > 0:
			in.At(0, 0).Put(style.Dim, "no message has that")
		default:
			in.At(0, 0).Fit(style.Dim, "nothing was told yet: a job that ends is, or `notify emit`", 0)
		}
		return
	}
	blocked := nt.blocked()
	rows := max(h-1-len(blocked), 1)
	const state, unit, channel, try, next = 11, 5, 14, 4, 7
	rest := w - state - unit - channel - try - next
	message := max(rest*5/8, 22)
	x := [...]int{state, state + message, state + message + unit, state + message + unit + channel, state + message + unit + channel + try, state + message + unit + channel + try + next}
	in.At(2, 0).Put(style.Dim, "STATE").To(x[0]).Put(style.Dim, "MESSAGE").To(x[1]).Put(style.Dim, "UNIT").To(x[2]).Put(style.Dim, "CHANNEL").To(x[3]).Put(style.Dim, "TRY").To(x[4]).Put(style.Dim, "AT").
		To(x[5]).Fit(style.Dim, "WHY", 0)
	first := max(0, nt.line()-rows+1)
	for y := 0; y < rows && first+y < len(nt.list); y++ {
		m := nt.list[first+y]
		symbol, word, role := messageMark(in.Theme, m, nt.n.Channels)
		name := style.Plain
		if m.ID == nt.id {
			name = style.Chosen
		}
		text := bare(m.Title)
		if message < 36 && m.Job != "" && !m.Reply && !m.Notice { // the sentence has no room: what, for when, how
			text = strings.Join(strings.Fields(m.Job+" "+monthDay(m.Date)+" "+m.Outcome), " ")
		}
		if m.Reply {
			text = in.Theme.Arrow + " " + text
		}
		why := m.Why
		if m.Gate != "" && m.State == "held" {
			why = m.Gate
		}
		in.At(0, y+1).Put(role, symbol+" "+word).To(x[0]).Put(name, in.Fit(text, message-1)).To(x[1]).Put(style.Plain, in.Fit(m.Unit, unit-1)).To(x[2]).Put(style.Plain, in.Fit(m.Channel, channel-1)).
			To(x[3]).Put(style.Plain, fmt.Sprint(m.Try)).To(x[4]).Put(style.Plain, nt.when(s, m)).To(x[5]).Fit(style.Dim, why, 0)
	}
	if left := len(nt.list) - first - rows; left > 0 {
		in.Right(w, rows, style.Dim, fmt.Sprintf(" %s %d more", in.Theme.More, left))
	}
	for i, b := range blocked {
		in.At(0, h-len(blocked)+i).Put(style.Bad, in.Theme.Bad+" ").Fit(style.Bad, b, 0)
	}
}

// monthDay is a date without its year.
func monthDay(date string) string {
	if _, rest, ok := strings.Cut(date, "-"); ok {
		return rest
	}
	return date
}

// blocked are lines about channels that take nothing, where their panel is not in sight.
func (nt *Notify) blocked() []string {
	var all []string
	if nt.beside || nt.below == ntChannels {
		return nil
	}
	for _, c := range nt.n.Channels {
		if c.State == control.Down && len(all) < 2 {
			all = append(all, fmt.Sprintf("%s blocked: %s, %d wait; %s", c.Name, c.Detail, c.Waiting, c.Fix))
		}
	}
	return all
}

func (nt *Notify) drawMessage(c *canvas.Canvas, s State, focused bool) {
	m := nt.selected()
	if m == nil {
		c.Box("Message", focused).At(0, 0).Put(style.Dim, "none is selected")
		return
	}
	in := c.Box(bare(m.Title)+" "+c.Theme.Arrow+" "+m.Channel, focused)
	w, h := in.Size()
	symbol, word, role := messageMark(in.Theme, *m, nt.n.Channels)
	p := in.At(0, 0).Put(role, symbol+" "+word)
	t := nt.traced()
	if t == nil {
		why := nt.failed
		if why == "" {
			why = "reading its trace " + in.Theme.Ellipsis
		}
		p.Put(style.Plain, "  ").Fit(style.Dim, why, 0)
		nt.body(in, 1, m.Text)
		return
	}
	p.Put(style.Dim, "  event ").Put(style.Plain, short(t.Event)).Put(style.Dim, "  rev ").Put(style.Plain, fmt.Sprint(t.Revision)).Put(style.Dim, "  key ").Put(style.Plain, in.Fit(t.Key, 40)).
		Put(style.Dim, "  accepted ").Fit(style.Plain, nt.moment(s, t.Accepted), 0)
	y := 1
	say := func(label string, role style.Role, text string, most int) {
		for i, line := range in.Wrap(text, w-9, most) {
			if y < h {
				if i == 0 {
					in.Text(0, y, style.Dim, label)
				}
				in.Text(9, y, role, line)
				y++
			}
		}
	}
	say("matched", style.Plain, strings.Join(t.Routes, " "+in.Theme.Arrow+" "), 1+h/12)
	if m.Why != "" {
		role := style.Plain
		if urgency(*m) < 3 {
			role = style.Warn
		}
		say("why", role, m.Why, 1+h/12)
	}
	tries := t.Tries
	if most := max(1, h/5); len(tries) > most {
		tries = tries[len(tries)-most:]
	}
	for i, try := range tries {
		label, role := "", style.Plain
		if i == 0 {
			label = "tries"
		}
		if !try.Good {
			role = style.Warn
		}
		say(label, role, try.At.In(nt.in(s.Now.Location())).Format("15:04:05 ")+try.Text, 1)
	}
	if t.Fix != "" {
		say("next", style.Accent, t.Fix, 2)
	}
	nt.body(in, y, t.Text)
}

// body writes the message as its reader gets it, under a line.
func (nt *Notify) body(in *canvas.Canvas, y int, text string) {
	w, h := in.Size()
	if text == "" || y >= h-1 {
		return
	}
	const head = " preview "
	in.Fill(0, y, w, style.Dim, in.Theme.Ahead)
	in.Text(2, y, style.Dim, head)
	y++
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		for _, part := range in.Wrap(line, w, max(h-y, 0)) {
			in.Text(0, y, style.Plain, part)
			y++
		}
	}
}

// short is the beginning and the end of an id.
func short(id string) string {
	if len(id) > 12 {
		return id[:8]
	}
	return id
}

func (nt *Notify) briefMessage(p *canvas.Pen, _ State) {
	m := nt.selected()
	if m == nil {
		return
	}
	symbol, word, role := messageMark(p.Theme(), *m, nt.n.Channels)
	p.Put(role, symbol+" "+word).Put(style.Plain, " ").Fit(style.Plain, bare(m.Title)+" "+p.Theme().Arrow+" "+m.Channel+" "+m.Why, 0)
}

// expectedMark is mark for the states of an expected run.
func expectedMark(t *style.Theme, state string) (symbol, word string, r style.Role) {
	switch state {
	case "done":
		return t.Good, "ready", style.Good
	case "running":
		return t.Run, "run", style.Accent
	case "late":
		return t.Late, "LATE", style.Warn
	case "missing":
		return t.Bad, "MISSING", style.Bad
	case "failed":
		return t.Bad, "FAILED", style.Bad
	case "to come":
		return t.Todo, "to come", style.Plain
	case "not today":
		return t.Dot, "off", style.Dim
	}
	return t.Dot, state, style.Dim
}

// onTime counts the runs whose time has come, and those that kept it.
func (nt *Notify) onTime() (good, all int) {
	for _, e := range nt.expected() {
		switch e.State {
		case "done":
			all++
			if e.Due.IsZero() || !e.Ready.After(e.Due) {
				good++
			}
		case "late", "missing", "failed":
			all++
		}
	}
	return good, all
}

func (nt *Notify) drawToday(c *canvas.Canvas, s State, focused bool) {
	title := "Expected today"
	if good, all := nt.onTime(); all > 0 {
		title += fmt.Sprintf("  %d of %d on time", good, all)
	}
	in := c.Box(title, focused)
	w, h := in.Size()
	if len(nt.expected()) == 0 {
		in.At(0, 0).Fit(style.Dim, "nothing: units.yaml has no expect", 0)
		return
	}
	in.At(2, 0).Put(style.Dim, "STATE").To(11).Put(style.Dim, "UNIT").To(16).Put(style.Dim, "DUE").To(23).Put(style.Dim, "READY").To(30).Fit(style.Dim, "JOB", 0)
	rows := h - 1
	for y, e := range nt.expected() {
		if y == rows-1 && len(nt.expected()) > rows {
			in.Right(w, h-1, style.Dim, fmt.Sprintf("%s %d more", in.Theme.More, len(nt.expected())-y))
			return
		}
		if y >= rows {
			return
		}
		symbol, word, role := expectedMark(in.Theme, e.State)
		ready := nt.moment(s, e.Ready)
		if e.Ready.IsZero() && !e.Usual.IsZero() && e.State != "not today" {
			ready = "~" + nt.moment(s, e.Usual)
		}
		text := e.Job
		switch {
		case e.Why != "":
			text += "  " + e.Why
		case !e.Again.IsZero():
			text += "  told again " + nt.moment(s, e.Again)
		}
		in.At(0, y+1).Put(role, symbol+" "+in.Fit(word, 8)).To(11).Put(style.Plain, in.Fit(e.Unit, 4)).To(16).Put(style.Plain, nt.moment(s, e.Due)).To(23).Put(style.Plain, ready).To(30).Fit(style.Plain, text, 0)
	}
}

func (nt *Notify) briefToday(p *canvas.Pen, _ State) {
	if good, all := nt.onTime(); all > 0 {
		p.Fit(style.Plain, fmt.Sprintf("expected today: %d of %d on time", good, all), 0)
		return
	}
	p.Fit(style.Dim, "expected today: nothing so far", 0)
}

func (nt *Notify) drawChannels(c *canvas.Canvas, s State, focused bool) {
	in := c.Box("Channels & silences", focused)
	w, h := in.Size()
	if nt.n == nil {
		return
	}
	y := 0
	line := func(role style.Role, symbol, name, text, tail string) {
		if y < h {
			in.At(0, y).Put(role, symbol).Put(style.Plain, " ").Put(style.Strong, in.Fit(name, 18)).To(20).Put(style.Plain, " ").Fit(role, text, canvas.Width(tail)+1)
			in.Right(w, y, style.Dim, tail)
			y++
		}
	}
	more := func(role style.Role, text string) {
		for _, l := range in.Wrap(text, w-3, 2) {
			if y < h {
				in.Text(3, y, role, l)
				y++
			}
		}
	}
	for _, ch := range nt.n.Channels {
		tail := ""
		if ch.Waiting > 0 {
			tail = fmt.Sprintf("%d wait", ch.Waiting)
		}
		switch ch.State {
		case control.Down:
			line(style.Bad, in.Theme.Bad, ch.Name, "blocked since "+nt.moment(s, ch.Since), tail)
			more(style.Plain, ch.Detail)
			more(style.Accent, in.Theme.Arrow+" "+ch.Fix)
		case control.Warn:
			line(style.Warn, in.Theme.Warn, ch.Name, ch.Detail, tail)
			more(style.Accent, in.Theme.Arrow+" "+ch.Fix)
		default:
			text := "ok"
			if ch.Detail != "" {
				text = ch.Detail
			}
			line(style.Good, in.Theme.Good, ch.Name, text, tail)
		}
	}
	for _, x := range nt.n.Silences {
		line(style.Accent, in.Theme.Pause, fmt.Sprintf("silence %d", x.ID), "until "+nt.moment(s, x.Until)+", "+x.Owner, fmt.Sprintf("%d kept", x.Kept))
		more(style.Plain, x.Match+": "+x.Reason)
	}
	if len(nt.n.Silences) == 0 && y < h {
		in.At(0, y).Fit(style.Dim, "no silence is in force; s begins one", 0)
	}
}

func (nt *Notify) briefChannels(p *canvas.Pen, _ State) {
	if nt.n == nil {
		return
	}
	bad := 0
	for _, c := range nt.n.Channels {
		if c.State == control.Down {
			if bad++; bad == 1 {
				p.Put(style.Bad, p.Theme().Bad+" ").Fit(style.Bad, c.Name+" blocked: "+c.Detail, 0)
			}
		}
	}
	if bad == 0 {
		p.Fit(style.Plain, fmt.Sprintf("channels: %d, none blocked", len(nt.n.Channels)), 0)
	}
}
