package notify

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/notify/expect"
	"weir/internal/outcome"
)

// A usual is what earlier days have brought, for the words.
type usual struct {
	expect.Usual
	Date time.Time // business date that is compared
}

// judgeFigures holds the figures of a run that went well against what units.yaml expects of its job: they may make it a warning, or say
// that the data must not be used. known is nil where too little is known of earlier days.
func (s *Service) judgeFigures(ctx context.Context, tx *sql.Tx, o outcome.Outcome) (judged outcome.Outcome, known *usual, err error) {
	day, dated := dayOf(o)
	if !o.State.Good() || !dated {
		return o, nil, nil
	}
	for _, r := range s.expected {
		if r.Job != o.Job || r.Unit != "" && r.Unit != o.Unit {
			continue
		}
		past, err := history(ctx, tx, o.Unit, o.Job, day)
		if err != nil {
			return o, nil, err
		}
		var days []expect.Day
		for _, a := range past {
			if at, err := time.Parse(time.DateOnly, a.day); err == nil {
				days = append(days, expect.Day{Date: at, Rows: a.rows})
			}
		}
		date, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return o, nil, err
		}
		u, ok := r.Rows.For(date, days)
		if r.Rows != nil && ok {
			known = &usual{u, date}
		}
		v := r.Compare(u, ok, o.RowsIn, o.RowsOut, o.Rejected)
		if v == expect.Fine {
			return o, known, nil
		}
		if o.State = outcome.Warning; v.Failed() {
			o.State = outcome.Failed
		}
		o.Cause = outcome.Cause{Code: string(v), Text: whyFigures(v, o, r.Config, known)}
		return o, known, nil
	}
	return o, nil, nil
}

// whyFigures says what is wrong with the figures.
func whyFigures(v expect.Verdict, o outcome.Outcome, c expect.Config, known *usual) string {
	share := func() string {
		return percent(float64(o.Rejected) / float64(max(1, o.RowsIn, o.RowsOut+o.Rejected)))
	}
	switch v {
	case expect.TooFew:
		return fmt.Sprintf("%s rows were loaded, at least %s are expected", number(o.RowsOut), number(*c.Rows.FailBelow))
	case expect.Unusable:
		return fmt.Sprintf("%s of the rows were rejected, at most %s may be", share(), percent(float64(*c.Rejected.Fail)))
	case expect.Refused:
		return fmt.Sprintf("%s of the rows were rejected, usual is at most %s", share(), percent(float64(*c.Rejected.Warn)))
	}
	return fmt.Sprintf("%s rows were loaded, usual are %s to %s", number(o.RowsOut), number(int64(known.Low)), number(int64(known.High)))
}

// line compares rows with what is usual: Against a usual Friday: rows +2.1 % (normal 3.9 to 4.4 M).
func (u *usual) line(rows int64) string {
	what := "a usual day"
	if u.Weekday {
		what = "a usual " + u.Date.Weekday().String()
	}
	return fmt.Sprintf("Against %s: rows %+.1f %% (normal %s to %s)", what, 100*u.Change(rows), short(u.Low), short(u.High))
}

// figures are what is usual, for programs; nil for nothing.
func (u *usual) figures(rows int64) *channel.Usual {
	if u == nil {
		return nil
	}
	return &channel.Usual{Low: int64(u.Low), High: int64(u.High), Change: 100 * u.Change(rows)}
}

// due is when the data of an outcome had to be ready, as units.yaml expects it; zero if nothing does.
func (s *Service) due(o outcome.Outcome) time.Time {
	if o.Expected != nil {
		return o.Expected.Due
	}
	day, dated := dayOf(o)
	date, err := time.Parse(time.DateOnly, day)
	if !dated || err != nil {
		return time.Time{}
	}
	for _, r := range s.expected {
		if r.Job == o.Job && (r.Unit == "" || r.Unit == o.Unit) && r.Schedule != "" {
			slot, _ := r.SlotOf(date)
			return slot.FinishBy
		}
	}
	return time.Time{}
}

// short is a number of rows with two digits that say something: 3.9 M.
func short(v float64) string {
	switch {
	case v >= 1e9:
		return fmt.Sprintf("%.1f G", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.1f M", v/1e6)
	case v >= 1e4:
		return fmt.Sprintf("%.0f k", v/1e3)
	}
	return number(int64(v))
}
