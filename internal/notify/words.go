package notify

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// The built-in English words for business people (builtin:business-v1). The first line says what, for which date, whether
// it is usable; then when, why, rows, what to do, whom to ask; the technical line comes last.

type words struct{ symbol, word, verdict string }

var wordsOf = map[outcome.State]words{
	outcome.Running:   {"▶", "RUNNING", "not ready yet"},
	outcome.Ready:     {"✅", "READY", "usable"},
	outcome.Warning:   {"⚠", "READY WITH WARNING", "usable with care"},
	outcome.Failed:    {"✖", "FAILED", "not usable"},
	outcome.Cancelled: {"⊘", "CANCELLED", "not usable"},
	outcome.Recovered: {"✅", "RECOVERED", "usable again"},
	outcome.Late:      {"◷", "LATE", "not ready yet"},
	outcome.Missing:   {"◷", "MISSING", "has not started"},
	outcome.Replaced:  {"✅", "REPLACED", "usable, the figures are new"},
}

// A telling is an outcome with what notify knows about it from before.
type telling struct {
	Outcome  outcome.Outcome
	EventID  string
	Key      string
	Revision int
	Previous outcome.State
	Incident string
	Since    time.Time     // when the incident began; zero if there is none
	Broke    outcome.State // what it was told as then
	Usual    *usual        // what earlier days have brought; nil: too few are known, or nobody asks
	LastGood time.Time     // business date of the last good data
	Zone     *time.Location
	Ask      string
	Template Template
}

// message finds the words.
func (t telling) message() channel.Message {
	o := t.Outcome
	w := wordsOf[o.State]
	m := channel.Message{
		EventID: t.EventID, Key: t.Key, Revision: t.Revision, Incident: t.Incident, Previous: t.Previous, Severity: severityOf(o), Outcome: o,
		Symbol: w.symbol, Word: w.word, Verdict: w.verdict, Ask: t.Ask, Rows: t.rows(), Todo: t.todo(), Lines: t.lines(),
	}
	if !t.LastGood.IsZero() {
		m.LastGood = t.LastGood.Format(time.DateOnly)
	}
	title := titleOf(o)
	if s := t.Template.Title.of(o.State); s != "" {
		title = fill(s, o)
	}
	m.Subject = title + t.span()
	if o.State != outcome.Ready && o.State != outcome.Running {
		m.Why = oneLine(o.Cause.Text)
		if s := t.Template.Why.of(o.State); s != "" {
			m.Why = fill(s, o)
		}
	}
	if t.Usual != nil {
		m.Rows = strings.TrimSpace(m.Rows + "\n" + t.Usual.line(o.RowsOut))
	}
	m.Footer = t.footer()
	m.Reply = t.reply(m)
	if isNotice(o) {
		t.notice(&m)
	}
	return m
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
	from, to := t.Outcome.Interval.Start, t.Outcome.Interval.End
	if from.IsZero() {
		if s := t.Outcome.Started; !s.IsZero() {
			return ", run of " + s.In(t.Zone).Format("Mon 2 Jan 2006 15:04")
		}
		return ""
	}
	switch d := to.Sub(from); {
	case to.IsZero() || from.AddDate(0, 0, 1).Equal(to):
		return " for " + from.Format("Mon 2 Jan 2006")
	case d < day:
		return " for " + from.Format("Mon 2 Jan 2006 15:04") + "-" + to.In(from.Location()).Format("15:04")
	}
	return " for " + from.Format("Mon 2 Jan") + " to " + to.In(from.Location()).Add(-time.Nanosecond).Format("Mon 2 Jan 2006")
}

func (t telling) clock(at time.Time) string { return at.In(t.Zone).Format("Mon 2 Jan 15:04 MST") }

func (t telling) lines() []string {
	o := t.Outcome
	took := ""
	if !o.Started.IsZero() && o.Ended.After(o.Started) {
		took = " (took " + duration(o.Ended.Sub(o.Started)) + ")"
	}
	at := t.clock(o.When())
	switch o.State {
	case outcome.Running:
		return []string{"Running since " + t.clock(firstOf(o.Started, o.When())) + "."}
	case outcome.Ready, outcome.Warning:
		return []string{"Ready since " + at + took + "."}
	case outcome.Recovered:
		if t.Since.IsZero() {
			return []string{"Ready since " + at + took + "."}
		}
		if t.Broke.Overdue() {
			return []string{"Ready since " + at + ", " + duration(o.When().Sub(t.Since)) + " after it was due."}
		}
		return []string{"Ready since " + at + ", " + duration(o.When().Sub(t.Since)) + " after it had failed."}
	case outcome.Cancelled:
		return []string{"Stopped " + at + took + "."}
	case outcome.Late, outcome.Missing:
		return t.overdue()
	case outcome.Replaced:
		return []string{"Published anew " + at + took + "; what was there before is no longer valid."}
	}
	lines := []string{"Failed " + at + took + tries(o) + "."}
	still := ""
	if !t.LastGood.IsZero() {
		still = "The figures you see are still those of " + t.LastGood.Format("Mon 2 Jan 2006") + ". "
	}
	switch o.Kind {
	case "report":
		still += "Nothing half-finished was published."
	case "ingest":
		still += "What was loaded before stays valid; nothing was half loaded."
	}
	if still = strings.TrimSpace(still); still != "" {
		lines = append(lines, still)
	}
	return lines
}

func firstOf(a, b time.Time) time.Time {
	if a.IsZero() {
		return b
	}
	return a
}

func tries(o outcome.Outcome) string {
	if o.MaxAttempts < 2 {
		return ""
	}
	return fmt.Sprintf(", %d of %d tries used", o.Attempt, o.MaxAttempts)
}

// healing reports a failure that the job will try to mend by itself: nobody needs to be pinged.
func healing(o outcome.Outcome) bool {
	return o.State == outcome.Failed && o.Cause.Retryable && o.Attempt < o.MaxAttempts
}

func (t telling) todo() string {
	o := t.Outcome
	if s := t.Template.Todo.of(o.State); s != "" {
		return fill(s, o)
	}
	if o.Todo != "" {
		return oneLine(o.Todo)
	}
	switch o.State {
	case outcome.Running:
		return "wait; this message changes when the data is ready."
	case outcome.Ready, outcome.Recovered:
		return "nothing, " + t.product() + " can be used."
	case outcome.Warning:
		if o.Rejected > 0 {
			return fmt.Sprintf("look at the %s rejected rows before you rely on totals.", number(o.Rejected))
		}
		return "use " + t.product() + " with care, see above."
	case outcome.Late, outcome.Missing:
		return t.meanwhile()
	case outcome.Replaced:
		return "take " + t.product() + " again where you have used it already."
	case outcome.Cancelled:
		return "do not use these figures; someone stopped the job on purpose."
	}
	if healing(o) {
		return "nothing yet: it is tried again by itself, another message follows."
	}
	return "do not use these figures yet; another message follows when it is mended."
}

// product is what the reader uses: the tables that were written, or else the data.
func (t telling) product() string {
	var names []string
	for _, d := range t.Outcome.Outputs {
		names = append(names, d.Name)
	}
	if len(names) == 0 || len(names) > 3 {
		return "the data"
	}
	return strings.Join(names, ", ")
}

func (t telling) rows() string {
	o := t.Outcome
	if o.RowsIn == 0 && o.RowsOut == 0 && o.Rejected == 0 {
		return ""
	}
	if o.RowsIn == 0 && o.Rejected == 0 && o.Namespace != "" { // another engine, which has not counted its input
		return "Rows loaded " + number(o.RowsOut)
	}
	s := fmt.Sprintf("Rows in %s   loaded %s   rejected %s", number(o.RowsIn), number(o.RowsOut), number(o.Rejected))
	if o.Rejected > 0 && o.RowsIn > 0 {
		s += " (" + percent(float64(o.Rejected)/float64(o.RowsIn)) + ")"
	}
	if o.Filtered > 0 {
		s += "   left out " + number(o.Filtered)
	}
	return s
}

func (t telling) footer() string {
	o := t.Outcome
	if s := t.Template.Footer.of(o.State); s != "" {
		return fill(s, o)
	}
	parts := []string{o.Job, "run " + o.RunID}
	if o.Attempt > 0 && o.MaxAttempts > 1 {
		parts = append(parts, fmt.Sprintf("try %d of %d", o.Attempt, o.MaxAttempts))
	}
	if o.Cause.Code != "" {
		parts = append(parts, o.Cause.Code)
	}
	if o.LogRef != "" {
		parts = append(parts, "log "+oneLine(o.LogRef))
	}
	return strings.Join(append(parts, t.Zone.String()), " · ")
}

// reply is the line in the thread: an edit alone tells nobody.
func (t telling) reply(m channel.Message) string {
	o := t.Outcome
	at := o.When().In(t.Zone).Format("15:04")
	switch o.State {
	case outcome.Failed:
		s := m.Symbol + " failed at " + at + tries(o)
		if m.Why != "" {
			s += ": " + m.Why
		}
		return s
	case outcome.Recovered:
		s := m.Symbol + " recovered"
		if !t.Since.IsZero() {
			s += " after " + duration(o.When().Sub(t.Since))
		}
		s += ", published " + at
		if o.RowsOut > 0 {
			s += ", " + number(o.RowsOut) + " rows"
		}
		return s
	}
	s := m.Symbol + " " + strings.ToLower(m.Word) + " at " + at
	if m.Why != "" {
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

// number groups by thousands: 4,182,331.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	if neg {
		return "-" + s
	}
	return s
}

// percent keeps one digit that says something: 0.0005 %.
func percent(share float64) string {
	p := share * 100
	if p == 0 {
		return "0 %"
	}
	digits := max(0, 1-int(math.Ceil(math.Log10(p))))
	s := strconv.FormatFloat(p, 'f', digits, 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + " %"
}

// duration in words: 1 h 18 min, 22 min, 4 s.
func duration(d time.Duration) string {
	switch d = d.Abs(); {
	case d < time.Second:
		return "less than a second"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/day)
}
