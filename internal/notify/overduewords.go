package notify

import (
	"fmt"
	"strings"
	"time"

	"weir/internal/outcome"
)

// overdue are the lines about a run that has not come: when it was due, how it stands, when it is usually there, what is valid
// meanwhile, and what may be behind it.
func (t telling) overdue() []string {
	o, x := t.Outcome, t.Outcome.Expected
	if x == nil { // somebody else has noticed
		return []string{"Noticed " + t.clock(o.When()) + "."}
	}
	now := o.When()
	due := fmt.Sprintf("Due %s, now %s (%s).", t.clock(x.Due), t.hour(now, x.Due), duration(now.Sub(x.Due)))
	if x.Noticed {
		due += " Noticed late: nobody was there to notice when it was due."
	}
	lines := []string{due, t.standing(x)}
	var then []string
	if !x.Usual.IsZero() {
		then = append(then, "Usually ready by "+t.hour(x.Usual, now)+".")
	}
	if !x.IfNow.IsZero() {
		then = append(then, "If it starts now: about "+t.hour(x.IfNow, now)+".")
	}
	if len(then) > 0 {
		lines = append(lines, strings.Join(then, " "))
	}
	if x.LastGood != "" {
		good := "Last good data: " + dayWords(x.LastGood)
		if x.LastRows > 0 {
			good += ", " + number(x.LastRows) + " rows"
		}
		lines = append(lines, good+".")
	}
	if !x.Silent.IsZero() {
		lines = append(lines, "Likely cause: nothing has been heard of any job since "+t.clock(x.Silent)+"; is the scheduler down?")
	}
	return lines
}

// standing says what is known of the run and of what it waits for.
func (t telling) standing(x *outcome.Expected) string {
	s := "The job has not started."
	if !x.Started.IsZero() {
		s = "The job has run since " + t.clock(x.Started) + "."
	} else if t.Outcome.Interval.Start.IsZero() {
		s = "No sign of life has come since."
	}
	for _, n := range x.Inputs {
		switch {
		case n.Failed:
			s += " Its input " + n.Job + " has failed."
		case n.Ready.IsZero():
			s += " Its input " + n.Job + " is not there yet."
		default:
			s += " Its input " + n.Job + " is complete since " + t.hour(n.Ready, t.Outcome.When()) + "."
		}
	}
	return s
}

// meanwhile is what to do until the data comes.
func (t telling) meanwhile() string {
	x := t.Outcome.Expected
	s := "wait for these figures"
	if x != nil && x.LastGood != "" {
		s = "use the figures of " + dayWords(x.LastGood) + " until these are ready"
	}
	if x != nil && !x.Next.IsZero() {
		return s + "; the next update comes at " + t.hour(x.Next, t.Outcome.When()) + "."
	}
	return s + "; another message follows when they are."
}

// hour is the time of day where the day is the other's, and else the whole.
func (t telling) hour(at, other time.Time) string {
	a, b := at.In(t.Zone), other.In(t.Zone)
	if a.Format(time.DateOnly) == b.Format(time.DateOnly) {
		return a.Format("15:04")
	}
	return t.clock(at)
}

func dayWords(day string) string {
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return day
	}
	return d.Format("Mon 2 Jan 2006")
}
