package notify

import (
	"weir/internal/outcome"
)

// A place is a value that a unit's own words can show, written as its language writes it.
type place struct {
	name  string
	in    []outcome.State        // the only states in which it can be known; nil: any
	value func(t telling) string // empty: not known; then the text is not used, as half a sentence helps nobody
}

var overdue = []outcome.State{outcome.Late, outcome.Missing}

var places = []place{
	{"title", nil, func(t telling) string { return titleOf(t.Outcome) }},
	{"job", nil, func(t telling) string { return t.Outcome.Job }},
	{"unit", nil, func(t telling) string { return t.Outcome.Unit }},
	{"run", nil, func(t telling) string { return t.Outcome.RunID }},
	{"state", nil, func(t telling) string { return t.words().States[t.Outcome.State].Said }},
	{"date", nil, func(t telling) string { return t.Outcome.BusinessDate() }}, // as commands take it
	{"day", nil, func(t telling) string { return t.dayWords(t.Outcome.BusinessDate()) }},
	{"at", nil, func(t telling) string { return t.clock(t.Outcome.When()) }},
	{"due", nil, func(t telling) string {
		if t.Due.IsZero() {
			return ""
		}
		return t.clock(t.Due)
	}},
	{"next", overdue, func(t telling) string {
		if x := t.Outcome.Expected; x != nil && !x.Next.IsZero() {
			return t.hour(x.Next, t.Outcome.When())
		}
		return ""
	}},
	{"last_good", append([]outcome.State{outcome.Failed}, overdue...), func(t telling) string {
		if x := t.Outcome.Expected; x != nil {
			return t.dayWords(x.LastGood)
		}
		if t.LastGood.IsZero() {
			return ""
		}
		return t.words().Date(t.LastGood)
	}},
	{"cause", nil, func(t telling) string { return oneLine(t.Outcome.Cause.Text) }},
	{"code", nil, func(t telling) string { return oneLine(t.Outcome.Cause.Code) }},
	{"rows_in", nil, func(t telling) string { return t.counted(t.Outcome.RowsIn, t.Outcome.RowsIn > 0) }},
	{"rows_out", nil, func(t telling) string { return t.counted(t.Outcome.RowsOut, t.rows() != "") }},
	{"rejected", nil, func(t telling) string { return t.counted(t.Outcome.Rejected, t.Outcome.RowsIn > 0) }},
	{"share", nil, func(t telling) string { // of the rows that were rejected
		if t.Outcome.RowsIn == 0 {
			return ""
		}
		return t.words().Percent(float64(t.Outcome.Rejected) / float64(t.Outcome.RowsIn))
	}},
	{"attempt", nil, func(t telling) string { return t.counted(int64(t.Outcome.Attempt), t.Outcome.Attempt > 0) }},
	{"attempts", nil, func(t telling) string { return t.counted(int64(t.Outcome.MaxAttempts), t.Outcome.MaxAttempts > 0) }},
	{"ask", nil, func(t telling) string { return t.Ask }},
	{"log", nil, func(t telling) string { return oneLine(t.Outcome.LogRef) }},
}

func placeNames() []string {
	var names []string
	for _, p := range places {
		names = append(names, p.name)
	}
	return names
}

func (t telling) counted(n int64, known bool) string {
	if !known {
		return ""
	}
	return t.words().Number(n)
}
