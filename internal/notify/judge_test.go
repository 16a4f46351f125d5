package notify

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/notify/expect"
	"weir/internal/notify/words"
	"weir/internal/outcome"
)

const judging = twoChannels + `
expect:
  settlements_daily:
    unit: FIN
    rows: { usual: same_weekday, window: 8, warn_outside: 3 mad, fail_below: 1 }
    rejected: { warn: 0.1%, fail: 1% }
`

// A run's figures are held against those of the same weekday: unusual ones warn, unusable ones are a failure, and a rerun mends it.
func TestFiguresAreHeldAgainstTheUsual(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		at(t, 2026, 9, 1, 8, 0)
		s, stop := served(t, outbox(t), judging, daily)
		defer stop()
		tell := func(date time.Time, run string, rows, rejected int64) string {
			t.Helper()
			o := outcome.Outcome{RunID: run, Job: "settlements_daily", Unit: "FIN", State: outcome.Ready, At: time.Now(), RowsIn: rows + rejected, RowsOut: rows, Rejected: rejected,
				Interval: outcome.Interval{Start: date, End: date.AddDate(0, 0, 1)}}
			accepted(t, s, o)
			<-time.After(time.Minute)
			synctest.Wait()
			daily.mu.Lock()
			defer daily.mu.Unlock()
			return daily.calls[len(daily.calls)-1].post.Message.Text()
		}
		friday := time.Date(2026, 9, 4, 0, 0, 0, 0, time.UTC)
		for i, rows := range []int64{1000, 1010, 990, 1005} {
			date := friday.AddDate(0, 0, 7*i)
			if text := tell(date, date.Format(time.DateOnly), rows, 0); !strings.HasPrefix(text, "✅ READY") || strings.Contains(text, "Against") {
				t.Errorf("too little was known on %s: %s", date, text)
			}
			monday := date.AddDate(0, 0, 3) // much more comes on Mondays; that is another usual
			tell(monday, monday.Format(time.DateOnly), 5000, 0)
		}
		date := friday.AddDate(0, 0, 28)
		for _, c := range []struct {
			name           string
			run            string
			rows, rejected int64
			want           []string
		}{
			{"usual", "a", 1008, 0, []string{"READY  ", "Against a usual Friday: rows +0.5 % (normal 987 to 1,017)"}},
			{"unusual", "b", 1500, 0, []string{"READY WITH WARNING", "Why: 1,500 rows were loaded, usual are 990 to 1,020", "rows +49.3 %"}},
			{"rejected", "c", 1000, 5, []string{"READY WITH WARNING", "Why: 0.5 % of the rows were rejected, usual is at most 0.1 %"}},
			{"many", "d", 1000, 50, []string{"FAILED", "Why: 5 % of the rows were rejected, at most 1 % may be", "not usable"}},
			{"none", "e", 0, 0, []string{"FAILED", "Why: 0 rows were loaded, at least 1 are expected"}},
			{"run again", "f", 1002, 0, []string{"RECOVERED"}},
		} {
			date = date.AddDate(0, 0, 7) // a date of its own, so that the cases do not depend on each other
			text := ""
			if c.run == "f" {
				tell(date, "e", 0, 0)
			}
			text = tell(date, c.run, c.rows, c.rejected)
			if c.name == "usual" {
				daily.mu.Lock()
				if u := daily.calls[len(daily.calls)-1].post.Message.Usual; u == nil || u.Low != 987 || u.High != 1017 || u.Change < 0.5 || u.Change > 0.6 {
					t.Errorf("programs are told that usual is %+v", u)
				}
				daily.mu.Unlock()
			}
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%s: no %q in\n%s", c.name, want, text)
				}
			}
		}
	})
}

// Also a run that is on time says when it was due.
func TestAMessageKnowsWhenItsDataWereDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights+"expect: {settlements_daily: {schedule: \"0 6 * * 1-5\", business_date: previous_working_day, finish_by: \"07:30\"}}\n")
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 08:00")
		d.tell(ends("settlements_daily", outcome.Ready, "2026-11-20"), ends("clicks", outcome.Ready, "2026-11-20"))
		want := wallTime(t, d.zone, "2026-11-23 07:30")
		if m, other := d.daily.calls[0].post.Message, d.daily.calls[1].post.Message; !m.Due.Equal(want) || !other.Due.IsZero() {
			t.Errorf("due %v, want %v; of a job that nobody expects %v", m.Due, want, other.Due)
		}
	})
}

func TestWordsAboutWhatHasNotCome(t *testing.T) {
	zone := berlinTime(2026, 1, 1, 0, 0).Location()
	inEachLanguage(t, "overdue", func(tag string) string {
		var b strings.Builder
		for _, change := range []func(o *outcome.Outcome){
			func(o *outcome.Outcome) {
				o.Expected.Inputs = []outcome.Needed{{Job: "trades", Ready: berlinTime(2026, 11, 23, 13, 2)}}
				o.Expected.Usual, o.Expected.IfNow, o.Expected.Next = berlinTime(2026, 11, 23, 13, 11), berlinTime(2026, 11, 23, 14, 20), berlinTime(2026, 11, 23, 14, 30)
				o.Expected.LastGood, o.Expected.LastRows, o.Expected.Silent = "2026-11-19", 2_114_902, berlinTime(2026, 11, 23, 12, 58)
			},
			func(o *outcome.Outcome) {
				o.State, o.Expected.Noticed, o.At = outcome.Missing, true, berlinTime(2026, 11, 24, 9, 0)
				o.Expected.Inputs = []outcome.Needed{{Job: "trades", Failed: true}, {Job: "rates"}}
			},
			func(o *outcome.Outcome) { o.Expected.Started = berlinTime(2026, 11, 23, 13, 20) },
			func(o *outcome.Outcome) { o.Interval = outcome.Interval{} },
		} {
			day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
			o := outcome.Outcome{RunID: "expect/risk_positions/2026-11-20", Job: "risk_positions", Unit: "RSK", Title: "Risk positions", State: outcome.Late, At: berlinTime(2026, 11, 23, 14, 2),
				Interval: outcome.Interval{Start: day, End: day.AddDate(0, 0, 1)}, Expected: &outcome.Expected{Due: berlinTime(2026, 11, 23, 13, 30)}}
			change(&o)
			m, _ := telling{Outcome: o, EventID: "e", Key: "k", Revision: 1, Zone: zone, Language: tag, Ask: "@data-risk"}.message()
			b.WriteString(m.Text() + "\n")
		}
		day := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
		u := &usual{expect.Usual{Days: 8, Weekday: true, Median: 4_096_000, Low: 3_900_000, High: 4_400_000}, day}
		b.WriteString(u.line(words.Of(tag), 4_182_310) + "\n")
		u.Weekday, u.Low, u.High = false, 9_000, 12_345
		b.WriteString(u.line(words.Of(tag), 4_000_000) + "\n")
		return b.String()
	})
}
