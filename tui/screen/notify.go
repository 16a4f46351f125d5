package screen

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/style"
)

// Notify is the outbox: what was told to whom, what was not and why, and what can be done about it.
type Notify struct {
	n    *control.Notify
	list []control.Message // as the filter leaves them, those in trouble first
	id   int64             // the selected one

	trace  *control.Trace // of the selected one, or of the one before until its own is there
	failed string         // why there is none
	asked  question       // for which it was
	at     time.Time
	calls  int

	zone *time.Location // of the times in messages; nil: the terminal's

	below  int  // the panel under the list where there is no room for a column beside it
	beside bool // there is
	filter Filter
}

// question is what a trace depends on.
type question struct {
	id    int64
	state string
	tries int
}

// traceEvery is how often a trace is read again although nothing seems to have changed.
const traceEvery = 10 * time.Second

const (
	ntOutbox = iota
	ntMessage
	ntToday
	ntChannels
)

// Name as in the title line.
func (nt *Notify) Name() string { return "Notify" }

// Lasting: what the screens read themselves stays true without a server.
func (nt *Notify) Lasting() bool { return nt.n != nil && nt.n.Own }

// Apply takes the outbox; the selected message stays selected.
func (nt *Notify) Apply(s *control.Snapshot) {
	if s.Notify != nil && (nt.n == nil || nt.n.Zone != s.Notify.Zone) {
		nt.zone, _ = time.LoadLocation(s.Notify.Zone) // one that is not known here: the terminal's
	}
	nt.n = s.Notify
	nt.pick()
}

// Filter leaves some lines.
func (nt *Notify) Filter(f Filter) {
	nt.filter = f
	nt.pick()
}

func (nt *Notify) pick() {
	nt.list = nt.list[:0:0]
	if nt.n == nil {
		return
	}
	for _, m := range nt.n.Messages {
		if nt.filter.Match(m.State, m.Gate, m.Title, m.Job, m.Unit, m.Channel, m.Why) {
			nt.list = append(nt.list, m)
		}
	}
	slices.SortStableFunc(nt.list, func(a, b control.Message) int {
		return cmp.Or(cmp.Compare(urgency(a), urgency(b)), cmp.Compare(b.ID, a.ID))
	})
	if nt.line() < 0 {
		nt.id = 0
		if len(nt.list) > 0 {
			nt.id = nt.list[0].ID
		}
	}
}

// urgency sorts messages: what waits for a person, what will still leave, what is over.
func urgency(m control.Message) int {
	switch m.State {
	case "dead":
		return 0
	case "unknown", "expired":
		return 1
	case "retry":
		return 2
	case "held":
		if m.Gate == "" {
			return 1
		}
		return 3
	case "sending", "ready":
		return 3
	}
	return 4
}

func (nt *Notify) line() int {
	return slices.IndexFunc(nt.list, func(m control.Message) bool { return m.ID == nt.id })
}

func (nt *Notify) selected() *control.Message {
	if i := nt.line(); i >= 0 {
		return &nt.list[i]
	}
	return nil
}

// Select goes to what a line of attention names: a message, a channel, a job, a state.
func (nt *Notify) Select(item string) {
	id, _ := strconv.ParseInt(item, 10, 64)
	for _, m := range nt.list {
		if m.ID == id || m.Channel == item || m.Job == item || m.State == item {
			nt.id = m.ID
			return
		}
	}
	if nt.n != nil && slices.ContainsFunc(nt.n.Expected, func(e control.Expected) bool { return e.Job == item }) {
		nt.below = ntToday
	}
}

func (nt *Notify) move(by int) Intent {
	if n := len(nt.list); n > 0 {
		nt.id = nt.list[min(max(nt.line()+by, 0), n-1)].ID
		nt.below = ntMessage
	}
	return nt.look(false)
}

// Ask wants the trace of the selected message, when it is new or may have changed.
func (nt *Notify) Ask(s State) Intent {
	if !s.Offers(control.VerbNotifyTrace) {
		return Intent{}
	}
	old := s.Now.Sub(nt.at) > traceEvery
	if old {
		nt.at = s.Now
	}
	return nt.look(old)
}

func (nt *Notify) look(again bool) Intent {
	m := nt.selected()
	if m == nil {
		return Intent{}
	}
	q := question{m.ID, m.State, m.Try}
	if q == nt.asked && !again {
		return Intent{}
	}
	if q.id != nt.asked.id {
		nt.failed = ""
	}
	nt.asked = q
	nt.calls++
	call := nt.calls
	got := new(control.Trace)
	return Intent{Verb: control.VerbNotifyTrace, Args: map[string]int64{"id": m.ID}, Quiet: true, Into: got, Then: func(err error) Intent {
		switch {
		case nt.calls != call: // a later question is on its way, perhaps about another message
		case err != nil:
			nt.failed = err.Error()
		default:
			nt.trace, nt.failed = got, ""
		}
		return Intent{}
	}}
}

// traced is the trace of the selected message, if it is there.
func (nt *Notify) traced() *control.Trace {
	if nt.trace == nil || nt.trace.ID != nt.id {
		return nil
	}
	return nt.trace
}

// Keys of the outbox.
func (nt *Notify) Keys() []Key {
	return []Key{
		{Press: []string{"up", "k"}, Label: "↑ k", Help: "message above", Do: func() Intent { return nt.move(-1) }},
		{Press: []string{"down", "j"}, Label: "↓ j", Hint: "↑↓ move", Help: "message below", Do: func() Intent { return nt.move(1) }},
		{Press: []string{"pgup"}, Label: "pgup", Help: "ten messages up", Do: func() Intent { return nt.move(-10) }},
		{Press: []string{"pgdown"}, Label: "pgdn", Help: "ten messages down", Do: func() Intent { return nt.move(10) }},
		{Press: []string{"enter", "e"}, Label: "⏎ e", Hint: "e explain", Help: "explain: the way of its event to every channel, sent or not", Verb: control.VerbNotifyTrace, Do: nt.explain},
		{Press: []string{"v"}, Label: "v", Hint: "v preview", Help: "the message as text, as Slack, SNS and mail get it", Verb: control.VerbNotifyTrace, Do: nt.preview},
		{Press: []string{"R"}, Label: "R", Hint: "R redrive", Help: "redrive: try a dead, held or expired message again", Verb: control.VerbNotifyRedrive, Do: nt.redrive},
		{Press: []string{"D"}, Label: "D", Hint: "D drop", Help: "drop a dead, held or expired message for good, with a reason", Verb: control.VerbNotifyDrop, Do: nt.drop},
		{Press: []string{"s"}, Label: "s", Hint: "s silence", Help: "silence: keep messages like this back for a time", Verb: control.VerbNotifySilence, Do: nt.silence},
		{Press: []string{"S"}, Label: "S", Help: "end a silence", Verb: control.VerbNotifyUnsilence, Do: nt.unsilence},
		{Press: []string{"T"}, Label: "T", Hint: "T test", Help: "send a test message to a channel now", Verb: control.VerbNotifyTest, Do: nt.test},
		{Press: []string{"d"}, Label: "d", Help: "doctor: tokens, permissions and clocks of all channels", Verb: control.VerbNotifyDoctor, Do: nt.doctor},
		{Press: []string{"o"}, Label: "o", Hint: "o today", Help: "below the list: the message, what is expected today, channels and silences", Do: func() Intent {
			nt.below = nt.below%ntChannels + 1
			return Intent{}
		}},
	}
}

func (nt *Notify) explain() Intent {
	t := nt.traced()
	if t == nil {
		return nt.missing()
	}
	return Intent{Dialog: &Scroll{Name: "Why: " + bare(t.Title), Pages: []Page{{Text: t.Whole}}}}
}

func (nt *Notify) preview() Intent {
	t := nt.traced()
	if t == nil {
		return nt.missing()
	}
	if len(t.Previews) == 0 {
		return Intent{Say: "its server tells no preview", Bad: true}
	}
	d := &Scroll{Name: "Preview"}
	for _, p := range t.Previews {
		d.Pages = append(d.Pages, Page{p.As, p.Text})
	}
	return Intent{Dialog: d}
}

// missing says why there is no trace.
func (nt *Notify) missing() Intent {
	switch {
	case nt.selected() == nil:
		return Intent{Unknown: true}
	case nt.failed != "":
		return Intent{Say: nt.failed, Bad: true}
	}
	out := nt.look(true)
	out.Say = "its trace is being read; once more in a moment"
	return out
}

// stuck are the states that a person may change.
func stuck(m *control.Message) bool {
	return m != nil && (m.State == "dead" || m.State == "held" || m.State == "expired")
}

func (nt *Notify) redrive() Intent {
	m := nt.selected()
	if !stuck(m) {
		return Intent{Say: "only what is dead, held or expired can be tried again", Bad: true}
	}
	what := "send " + bare(m.Title) + " to " + m.Channel + " again?"
	if m.State == "held" && m.Gate != "" {
		what = "send " + bare(m.Title) + " to " + m.Channel + " now, and not when it was to leave?"
	}
	return nt.settle(Intent{Verb: control.VerbNotifyRedrive, Args: map[string]int64{"id": m.ID}, Confirm: what}, "redriven: the sender tries it at once")
}

func (nt *Notify) drop() Intent {
	m := nt.selected()
	if !stuck(m) {
		return Intent{Say: "only what is dead, held or expired can be dropped", Bad: true}
	}
	id := m.ID
	return nt.settle(Intent{Verb: control.VerbNotifyDrop, Prompt: "drop it for good, because", Answer: func(text string) any {
		return map[string]any{"id": id, "reason": text}
	}}, "dropped; explain says who and why")
}

// change says what a verb has done, and looks at the message again.
func (nt *Notify) change(i Intent, done string) Intent {
	i.Quiet = true
	i.Then = func(err error) Intent {
		if err != nil {
			return Intent{Say: err.Error(), Bad: true}
		}
		out := nt.look(true)
		out.Say = done
		return out
	}
	return i
}

// settle is change for the selected message; it leads on to the next one that waits for a person.
func (nt *Notify) settle(i Intent, done string) Intent {
	next := nt.id
	for at := nt.line() + 1; at < len(nt.list); at++ {
		if stuck(&nt.list[at]) {
			next = nt.list[at].ID
			break
		}
	}
	i = nt.change(i, done)
	then := i.Then
	i.Then = func(err error) Intent {
		if err == nil {
			nt.id = next
			nt.pick()
		}
		return then(err)
	}
	return i
}

// silence proposes one for messages like the selected.
func (nt *Notify) silence() Intent {
	match := ""
	if m := nt.selected(); m != nil {
		var terms []string
		if m.Unit != "" {
			terms = append(terms, fmt.Sprintf("unit = %q", m.Unit))
		}
		if m.Job != "" {
			terms = append(terms, fmt.Sprintf("job = %q", m.Job))
		}
		match = strings.Join(terms, " and ")
	}
	need := func(s string) string {
		if strings.TrimSpace(s) == "" {
			return "want some words"
		}
		return ""
	}
	f := &Form{Name: "Silence", Verb: "begin it", About: "Messages that match are kept back until then, each with this reason. What is still broken when it ends is told then. Nobody is told that there is a silence.",
		Entries: []Entry{
			{Name: "match", Help: `in the words of routes: unit = "FIN" and job ~ "gl_*"`, Input: NewInput(match), Check: need},
			{Name: "for", Help: "how long: 30m, 4h, 2d", Input: NewInput("4h"), Check: need},
			{Name: "reason", Help: "stands at each message that is kept back", Check: need},
		}}
	f.Do = func(v []string) Intent {
		got := new(control.Silence)
		return Intent{Verb: control.VerbNotifySilence, Args: map[string]string{"match": v[0], "for": v[1], "reason": v[2]}, Into: got, Quiet: true, Then: func(err error) Intent {
			if err != nil {
				return f.Refused(err)
			}
			return Intent{Close: true, Say: fmt.Sprintf("silence %d of %s until %s; S ends it", got.ID, got.Owner, got.Until.In(nt.in(time.Local)).Format("Mon 2 Jan 15:04"))}
		}}
	}
	return Intent{Dialog: f}
}

func (nt *Notify) unsilence() Intent {
	if nt.n == nil || len(nt.n.Silences) == 0 {
		return Intent{Say: "no silence is in force", Bad: true}
	}
	all := nt.n.Silences
	p := &Pick{Name: "End a silence", Chosen: func(i int) Intent {
		return nt.change(Intent{Verb: control.VerbNotifyUnsilence, Args: map[string]int64{"id": all[i].ID}}, fmt.Sprintf("silence %d has ended", all[i].ID))
	}}
	for _, x := range all {
		p.Items = append(p.Items, Item{Label: strconv.FormatInt(x.ID, 10), Text: x.Match + ": " + x.Reason, Note: x.Owner})
	}
	return Intent{Dialog: p}
}

func (nt *Notify) test() Intent {
	if nt.n == nil || len(nt.n.Channels) == 0 {
		return Intent{Unknown: true}
	}
	all := nt.n.Channels
	p := &Pick{Name: "Send a test message to", Chosen: func(i int) Intent {
		return Intent{Verb: control.VerbNotifyTest, Args: map[string]string{"channel": all[i].Name}, Confirm: "send a test message to " + all[i].Name + " now?"}
	}}
	for i, c := range all {
		note := ""
		if c.State != control.OK {
			note = "blocked"
		}
		p.Items = append(p.Items, Item{Text: c.Name, Note: note})
		if m := nt.selected(); m != nil && m.Channel == c.Name {
			defer p.At(i)
		}
	}
	return Intent{Dialog: p}
}

func (nt *Notify) doctor() Intent {
	got := new([]control.ChannelFinding)
	return Intent{Verb: control.VerbNotifyDoctor, Args: struct{}{}, Into: got, Quiet: true, Say: "asking the channels", Then: func(err error) Intent {
		if err != nil {
			return Intent{Say: err.Error(), Bad: true}
		}
		var b strings.Builder
		for _, f := range *got {
			name := f.Channel
			if name == "" {
				name = "units.yaml"
			}
			fmt.Fprintf(&b, "%-4s %s, %s: %s\n", f.State, name, f.Check, f.Text)
			if f.Fix != "" {
				b.WriteString("     next: " + f.Fix + "\n")
			}
		}
		return Intent{Dialog: &Scroll{Name: "Doctor", Pages: []Page{{Text: b.String()}}}}
	}}
}

// in is the zone of the messages, or else that of the terminal.
func (nt *Notify) in(terminal *time.Location) *time.Location {
	if nt.zone != nil {
		return nt.zone
	}
	return terminal
}

// bare is a title without its symbol, which may be as wide as two cells: the list has one of its own.
func bare(title string) string {
	first, rest, ok := strings.Cut(title, " ")
	if ok && strings.IndexFunc(first, func(r rune) bool { return r < 0x80 }) < 0 {
		return strings.Join(strings.Fields(rest), " ")
	}
	return title
}

// Status counts the messages, and says who sends.
func (nt *Notify) Status(p *canvas.Pen, s State) {
	n := s.Snap.Notify
	if n == nil {
		p.Fit(style.Dim, "no outbox in this home yet", 0)
		return
	}
	t := themeOf(p)
	if n.Error != "" {
		p.Put(style.Bad, t.Bad+" ").Fit(style.Bad, n.Error, 0)
		return
	}
	if n.Sender == "" {
		p.Put(style.Bad, t.Bad+" nobody sends: `notify serve`   ")
	} else if canvas.Width(n.Sender) < p.Room()-80 {
		p.Put(style.Good, t.Good).Put(style.Plain, " "+n.Sender+" sends   ")
	}
	outbox(p, n)
}
