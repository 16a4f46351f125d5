package notify

import (
	"context"
	"database/sql"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/notify/expect"
	"weir/internal/notify/words"
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
		o.Cause = outcome.Cause{Code: string(v), Text: whyFigures(s.words(o.Unit), v, o, r.Config, known)}
		return o, known, nil
	}
	return o, nil, nil
}

// whyFigures says what is wrong with the figures.
func whyFigures(w *words.Set, v expect.Verdict, o outcome.Outcome, c expect.Config, known *usual) string {
	share := func() string {
		return w.Percent(float64(o.Rejected) / float64(max(1, o.RowsIn, o.RowsOut+o.Rejected)))
	}
	switch v {
	case expect.TooFew:
		return words.Fill(w.Rows.TooFew, "n", w.Number(o.RowsOut), "min", w.Number(*c.Rows.FailBelow))
	case expect.Unusable:
		return words.Fill(w.Rows.RejectedTooMany, "share", share(), "max", w.Percent(float64(*c.Rejected.Fail)))
	case expect.Refused:
		return words.Fill(w.Rows.RejectedUnlike, "share", share(), "max", w.Percent(float64(*c.Rejected.Warn)))
	}
	return words.Fill(w.Rows.Unusual, "n", w.Number(o.RowsOut), "low", w.Number(int64(known.Low)), "high", w.Number(int64(known.High)))
}

// line compares rows with what is usual: Against a usual Friday: rows +2.1 % (normal 3.9 to 4.4 M).
func (u *usual) line(w *words.Set, rows int64) string {
	what := w.Rows.Day
	if u.Weekday {
		what = w.Weekday(u.Date)
	}
	return words.Fill(w.Rows.Usual, "day", what, "change", w.Change(u.Change(rows)), "low", w.Short(u.Low), "high", w.Short(u.High))
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
