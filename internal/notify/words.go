package notify

import (
	"strconv"
	"strings"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/notify/words"
	"weir/internal/outcome"
)

// The built-in message for business people (builtin:business-v1). The first line says what, for which date, whether it is
// usable; then when, why, rows, what to do, whom to ask; the technical line comes last. The words are in package words.

var symbolOf = map[outcome.State]string{
	outcome.Running: "▶", outcome.Ready: "✅", outcome.Warning: "⚠", outcome.Failed: "✖", outcome.Cancelled: "⊘",
	outcome.Recovered: "✅", outcome.Late: "◷", outcome.Missing: "◷", outcome.Replaced: "✅",
}

// A telling is an outcome with what notify knows about it from before.
type telling struct {
	Outcome   outcome.Outcome
	EventID   string
	Key       string
	Revision  int
	Previous  outcome.State
	Incident  string
	Since     time.Time     // when the incident began; zero if there is none
	Broke     outcome.State // what it was told as then
	Usual     *usual        // what earlier days have brought; nil: too few are known, or nobody asks
	Due       time.Time     // when the data has to be ready; zero: nobody has said
	LastGood  time.Time     // business date of the last good data
	Zone      *time.Location
	Language  string
	Ask       string
	Templates []Template // the unit's own words, the first first
}

func (t telling) words() *words.Set { return words.Of(t.Language) }

// n is a count that is too small to be grouped.
func n(i int) string { return strconv.Itoa(i) }

// message finds the words, and says which of the unit's own could not be used.
func (t telling) message() (channel.Message, []Decision) {
	o := t.Outcome
	w := t.words().States[o.State]
	m := channel.Message{
		EventID: t.EventID, Key: t.Key, Revision: t.Revision, Incident: t.Incident, Language: t.Language, Previous: t.Previous, Severity: severityOf(o), Outcome: o,
		Symbol: symbolOf[o.State], Word: w.Word, Verdict: w.Verdict, Ask: t.Ask, Due: t.Due, Rows: t.rows(), Todo: t.todo(), Lines: t.lines(),
	}
	if !t.LastGood.IsZero() {
		m.LastGood = t.LastGood.Format(time.DateOnly)
	}
	m.Subject = titleOf(o) + t.span()
	if o.State != outcome.Ready && o.State != outcome.Running {
		m.Why = oneLine(o.Cause.Text)
	}
	if t.Usual != nil {
		m.Rows = strings.TrimSpace(m.Rows + "\n" + t.Usual.line(t.words(), o.RowsOut))
	}
	m.Footer = t.footer()
	unused := t.dress(&m)
	m.Reply = t.reply(m)
	if isNotice(o) {
		t.notice(&m)
	}
	return m, unused
}

func titleOf(o outcome.Outcome) string {
	if o.Title != "" {
		return o.Title
	}
	return o.Job
}

const day = 24 * time.Hour

// span says for which days or hours: in the zone that the interval was written in, as that is the business's own.
func (t telling) span() string {
	w := t.words()
	from, to := t.Outcome.Interval.Start, t.Outcome.Interval.End
	if from.IsZero() {
		if s := t.Outcome.Started.In(t.Zone); !t.Outcome.Started.IsZero() {
			return words.Fill(w.Run.Of, "date", w.Date(s), "from", words.Time(s))
		}
		return ""
	}
	switch d := to.Sub(from); {
	case to.IsZero() || from.AddDate(0, 0, 1).Equal(to):
		return words.Fill(w.Run.For, "date", w.Date(from))
	case d < day:
		return words.Fill(w.Run.ForHours, "date", w.Date(from), "from", words.Time(from), "to", words.Time(to.In(from.Location())))
	}
	return words.Fill(w.Run.ForDays, "from", w.Day(from), "to", w.Date(to.In(from.Location()).Add(-time.Nanosecond)))
}

func (t telling) clock(at time.Time) string { return t.words().Clock(at.In(t.Zone)) }

func (t telling) lines() []string {
	o, w := t.Outcome, t.words()
	took := ""
	if !o.Started.IsZero() && o.Ended.After(o.Started) {
		took = words.Fill(w.Run.Took, "took", w.Duration(o.Ended.Sub(o.Started)))
	}
	line := func(text string) []string {
		return []string{words.Fill(text, "at", t.clock(o.When()), "took", took, "tries", t.tries(), "late", w.Duration(o.When().Sub(t.Since)))}
	}
	switch o.State {
	case outcome.Running:
		return []string{words.Fill(w.Run.RunningSince, "at", t.clock(firstOf(o.Started, o.When())))}
	case outcome.Ready, outcome.Warning:
		return line(w.Run.ReadySince)
	case outcome.Recovered:
		switch {
		case t.Since.IsZero():
			return line(w.Run.ReadySince)
		case t.Broke.Overdue():
			return line(w.Run.AfterDue)
		}
		return line(w.Run.AfterFailure)
	case outcome.Cancelled:
		return line(w.Run.Stopped)
	case outcome.Late, outcome.Missing:
		return t.overdue()
	case outcome.Replaced:
		return line(w.Run.Anew)
	}
	lines := line(w.Run.Failed)
	var still []string
	if !t.LastGood.IsZero() {
		still = append(still, words.Fill(w.Run.OldFigures, "date", w.Date(t.LastGood)))
	}
	switch o.Kind {
	case "report":
		still = append(still, w.Run.NothingHalf)
	case "ingest":
		still = append(still, w.Run.LoadedStays)
	}
	if len(still) > 0 {
		lines = append(lines, strings.Join(still, " "))
	}
	return lines
}

func firstOf(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

func (t telling) tries() string {
	if t.Outcome.MaxAttempts < 2 {
		return ""
	}
	return words.Fill(t.words().Run.Tries, "n", n(t.Outcome.Attempt), "max", n(t.Outcome.MaxAttempts))
}

// healing reports a failure that the job will try to mend by itself: nobody needs to be pinged.
func healing(o outcome.Outcome) bool {
	return o.State == outcome.Failed && o.Cause.Retryable && o.Attempt < o.MaxAttempts
}

func (t telling) todo() string {
	o, w := t.Outcome, t.words()
	if o.Todo != "" {
		return oneLine(o.Todo)
	}
	do := func(text string) string { return words.Fill(text, "data", t.product()) }
	switch o.State {
	case outcome.Running:
		return w.Todo.Wait
	case outcome.Ready, outcome.Recovered:
		return do(w.Todo.Nothing)
	case outcome.Warning:
		if o.Rejected > 0 {
			return words.Fill(w.Todo.Rejected, "n", w.Number(o.Rejected))
		}
		return do(w.Todo.Care)
	case outcome.Late, outcome.Missing:
		return t.meanwhile()
	case outcome.Replaced:
		return do(w.Todo.Again)
	case outcome.Cancelled:
		return w.Todo.Cancelled
	}
	if healing(o) {
		return w.Todo.Healing
	}
	return w.Todo.Failed
}

// product is what the reader uses: the tables that were written, or else the data.
func (t telling) product() string {
	w := t.words()
	var names []string
	for _, d := range t.Outcome.Outputs {
		names = append(names, d.Name)
	}
	if len(names) == 0 || len(names) > 3 {
		return w.Todo.Data
	}
	return words.Fill(w.Todo.Named, "names", strings.Join(names, ", "))
}

func (t telling) rows() string {
	o, w := t.Outcome, t.words()
	if o.RowsIn == 0 && o.RowsOut == 0 && o.Rejected == 0 {
		return ""
	}
	if o.RowsIn == 0 && o.Rejected == 0 && o.Namespace != "" { // another engine, which has not counted its input
		return words.Fill(w.Rows.Loaded, "n", w.Number(o.RowsOut))
	}
	s := words.Fill(w.Rows.All, "in", w.Number(o.RowsIn), "loaded", w.Number(o.RowsOut), "rejected", w.Number(o.Rejected))
	if o.Rejected > 0 && o.RowsIn > 0 {
		s += " (" + w.Percent(float64(o.Rejected)/float64(o.RowsIn)) + ")"
	}
	if o.Filtered > 0 {
		s += words.Fill(w.Rows.LeftOut, "n", w.Number(o.Filtered))
	}
	return s
}

func (t telling) footer() string {
	o, w := t.Outcome, t.words()
	parts := []string{o.Job, words.Fill(w.Run.Footer, "run", o.RunID)}
	if o.Attempt > 0 && o.MaxAttempts > 1 {
		parts = append(parts, words.Fill(w.Run.Try, "n", n(o.Attempt), "max", n(o.MaxAttempts)))
	}
	if o.Cause.Code != "" {
		parts = append(parts, o.Cause.Code)
	}
	if o.LogRef != "" {
		parts = append(parts, words.Fill(w.Run.Log, "log", oneLine(o.LogRef)))
	}
	return strings.Join(append(parts, t.Zone.String()), " · ")
}

// reply is the line in the thread: an edit alone tells nobody.
func (t telling) reply(m channel.Message) string {
	o, w := t.Outcome, t.words()
	form, after, rows := w.Reply.Other, "", ""
	switch o.State {
	case outcome.Failed:
		form = w.Reply.Failed
	case outcome.Recovered:
		form = w.Reply.Recovered
		if !t.Since.IsZero() {
			after = words.Fill(w.Reply.After, "late", w.Duration(o.When().Sub(t.Since)))
		}
		if o.RowsOut > 0 {
			rows = words.Fill(w.Reply.Rows, "n", w.Number(o.RowsOut))
		}
	}
	s := words.Fill(form, "symbol", m.Symbol, "said", w.States[o.State].Said, "at", words.Time(o.When().In(t.Zone)), "tries", t.tries(), "after", after, "rows", rows)
	if m.Why != "" && o.State != outcome.Recovered {
		s += ": " + m.Why
	}
	return s
}

// oneLine keeps a stack trace or a forged line out of the message.
func oneLine(s string) string {
	const most = 500
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return s
}
