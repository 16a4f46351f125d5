package notify

import (
	"strings"
	"time"

	"weir/internal/notify/words"
	"weir/internal/outcome"
)

// overdue are the lines about a run that has not come: when it was due, how it stands, when it is usually there, what is valid
// meanwhile, and what may be behind it.
func (t telling) overdue() []string {
	o, x, w := t.Outcome, t.Outcome.Expected, t.words().Due
	if x == nil { // somebody else has noticed
		return []string{words.Fill(w.Noticed, "at", t.clock(o.When()))}
	}
	now := o.When()
	due := words.Fill(w.Since, "due", t.clock(x.Due), "now", t.hour(now, x.Due), "late", t.words().Duration(now.Sub(x.Due)))
	if x.Noticed {
		due += w.NoticedLate
	}
	lines := []string{due, t.standing(x)}
	var then []string
	if !x.Usual.IsZero() {
		then = append(then, words.Fill(w.UsuallyBy, "at", t.hour(x.Usual, now)))
	}
	if !x.IfNow.IsZero() {
		then = append(then, words.Fill(w.IfNow, "at", t.hour(x.IfNow, now)))
	}
	if len(then) > 0 {
		lines = append(lines, strings.Join(then, " "))
	}
	if x.LastGood != "" {
		rows := ""
		if x.LastRows > 0 {
			rows = words.Fill(w.LastRows, "n", t.words().Number(x.LastRows))
		}
		lines = append(lines, words.Fill(w.LastGood, "date", t.dayWords(x.LastGood), "rows", rows))
	}
	if !x.Silent.IsZero() {
		lines = append(lines, words.Fill(w.Silent, "at", t.clock(x.Silent)))
	}
	return lines
}

// standing says what is known of the run and of what it waits for.
func (t telling) standing(x *outcome.Expected) string {
	w := t.words().Due
	s := w.NotStarted
	if !x.Started.IsZero() {
		s = words.Fill(w.Started, "at", t.clock(x.Started))
	} else if t.Outcome.Interval.Start.IsZero() {
		s = w.Silence
	}
	for _, in := range x.Inputs {
		switch {
		case in.Failed:
			s += words.Fill(w.InputFailed, "job", in.Job)
		case in.Ready.IsZero():
			s += words.Fill(w.InputMissing, "job", in.Job)
		default:
			s += words.Fill(w.InputDone, "job", in.Job, "at", t.hour(in.Ready, t.Outcome.When()))
		}
	}
	return s
}

// meanwhile is what to do until the data comes.
func (t telling) meanwhile() string {
	x, w := t.Outcome.Expected, t.words().Todo
	s := w.WaitForIt
	if x != nil && x.LastGood != "" {
		s = words.Fill(w.UseOld, "date", t.dayWords(x.LastGood))
	}
	if x != nil && !x.Next.IsZero() {
		return s + words.Fill(w.Next, "at", t.hour(x.Next, t.Outcome.When()))
	}
	return s + w.Another
}

// hour is the time of day where the day is the other's, and else the whole.
func (t telling) hour(at, other time.Time) string {
	a, b := at.In(t.Zone), other.In(t.Zone)
	if a.Format(time.DateOnly) == b.Format(time.DateOnly) {
		return t.words().Hour(a)
	}
	return t.clock(at)
}

func (t telling) dayWords(day string) string {
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return t.words().Date(d)
}
