package notify

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

const expecting = twoChannels + `
expect:
  settlements_daily:
    unit: FIN
    title: Daily card settlements
    calendar: target2
    schedule: "0 6 * * 1-5"
    business_date: previous_working_day
    start_by: 06:30
    finish_by: 07:30
    repeat: 30m
    after: [trades]
`

// served is a service that runs in the bubble until the test ends, or stop is called.
func served(t *testing.T, path, text string, daily channel.Channel) (s *Service, stop func()) {
	t.Helper()
	s, err := Open(t.Context(), path, units(t, text), Options{
		Poll: time.Hour, LeaseTTL: 6 * time.Hour, // what is accepted wakes the sender; days of polling would take minutes of ours
		Extra: map[string]channel.Channel{"daily": daily, "platform": &flat{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	return s, func() {
		t.Helper()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		closed(t, s)
	}
}

// at waits until the clock of Berlin shows this.
func at(t *testing.T, y int, m time.Month, d, h, min int) time.Time {
	t.Helper()
	when := berlinTime(y, m, d, h, min)
	<-time.After(time.Until(when))
	synctest.Wait()
	return when
}

func berlinTime(y int, m time.Month, d, h, min int) time.Time {
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	return time.Date(y, m, d, h, min, 0, 0, zone)
}

// said are the calls with the time of Berlin's clock, and forgets them.
func said(f *flat) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, c := range f.calls {
		all = append(all, fmt.Sprintf("%s %s %s", c.at.In(berlinTime(2026, 1, 1, 0, 0).Location()).Format("2 15:04"), c.op, c.post.Message.Outcome.State))
	}
	f.calls = nil
	return strings.Join(all, ", ")
}

func run(date time.Time, state outcome.State) outcome.Outcome {
	return outcome.Outcome{RunID: "r-" + date.Format(time.DateOnly), Job: "settlements_daily", Unit: "FIN", State: state, At: time.Now(), RowsOut: 4_182_310,
		Interval: outcome.Interval{Start: date, End: date.AddDate(0, 0, 1)}}
}

func TestARunThatDoesNotComeIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		at(t, 2026, 11, 22, 12, 0) // a Sunday
		s, stop := served(t, outbox(t), expecting, daily)
		defer stop()
		friday := berlinTime(2026, 11, 20, 0, 0)
		at(t, 2026, 11, 23, 6, 29)
		if got := said(&daily.flat); got != "" {
			t.Fatalf("before anything was due: %s", got)
		}
		at(t, 2026, 11, 23, 7, 31)
		if got, want := said(&daily.flat), "23 06:30 post missing, 23 07:00 edit missing, 23 07:00 reply missing, 23 07:30 edit late, 23 07:30 reply late"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		at(t, 2026, 11, 23, 7, 40)
		accepted(t, s, run(friday, outcome.Running))
		at(t, 2026, 11, 23, 8, 18)
		accepted(t, s, run(friday, outcome.Ready))
		at(t, 2026, 11, 23, 23, 0)
		if got, want := said(&daily.flat), "23 07:40 edit running, 23 08:00 edit late, 23 08:00 reply late, 23 08:18 edit recovered, 23 08:18 loud reply recovered"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		x, err := s.Explain(t.Context(), "settlements_daily")
		if err != nil || x.Told != outcome.Recovered {
			t.Errorf("told as %s, %v", x.Told, err)
		}
	})
}

func TestARunInTimeIsNotTalkedAbout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		at(t, 2026, 11, 23, 0, 0)
		s, stop := served(t, outbox(t), expecting, daily)
		defer stop()
		friday := berlinTime(2026, 11, 20, 0, 0)
		at(t, 2026, 11, 23, 6, 10)
		accepted(t, s, run(friday, outcome.Running))
		at(t, 2026, 11, 23, 7, 29)
		accepted(t, s, run(friday, outcome.Ready))
		at(t, 2026, 11, 23, 23, 0)
		if got, want := said(&daily.flat), "23 06:10 post running, 23 07:29 edit ready"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// What a run reports after its deadline, but ended before it, is not taken for old news.
func TestAReportThatComesLateOfARunThatDidNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		at(t, 2026, 11, 23, 0, 0)
		s, stop := served(t, outbox(t), expecting, daily)
		defer stop()
		friday := berlinTime(2026, 11, 20, 0, 0)
		at(t, 2026, 11, 23, 7, 29)
		ready := run(friday, outcome.Ready)
		at(t, 2026, 11, 23, 7, 35)
		accepted(t, s, ready)
		at(t, 2026, 11, 23, 9, 0)
		if got, want := said(&daily.flat), "23 06:30 post missing, 23 07:00 edit missing, 23 07:00 reply missing, 23 07:30 edit late, 23 07:30 reply late, 23 07:35 edit recovered, 23 07:35 loud reply recovered"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestAFailureIsNotToldAsLateAsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		at(t, 2026, 11, 23, 0, 0)
		s, stop := served(t, outbox(t), expecting, daily)
		defer stop()
		at(t, 2026, 11, 23, 6, 20)
		accepted(t, s, run(berlinTime(2026, 11, 20, 0, 0), outcome.Failed))
		at(t, 2026, 11, 23, 12, 0)
		if got, want := said(&daily.flat), "23 06:20 post failed"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

// Nobody was there on Monday and Tuesday: each missed deadline is told once, and that it was noticed late. What was reported
// meanwhile comes in first. A crash in between changes nothing.
func TestAcceptance_DowntimeOverDeadlineIsToldOnceAndMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		path := outbox(t)
		at(t, 2026, 11, 21, 22, 0)
		_, stop := served(t, path, expecting, daily)
		at(t, 2026, 11, 22, 0, 0)
		stop()
		at(t, 2026, 11, 24, 12, 0)
		s, stop := served(t, path, expecting, daily)
		accepted(t, s, run(berlinTime(2026, 11, 20, 0, 0), outcome.Ready)) // as the relay does when it starts
		at(t, 2026, 11, 24, 12, 5)
		if got, want := said(&daily.flat), "24 12:00 post ready, 24 12:00 post late"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		x, err := s.Explain(t.Context(), "settlements_daily")
		if err != nil || x.Outcome.BusinessDate() != "2026-11-23" || !x.Outcome.Expected.Noticed || !x.Outcome.Expected.Due.Equal(berlinTime(2026, 11, 24, 7, 30)) {
			t.Errorf("%+v, %v", x.Outcome, err)
		}
		stop()
		_, stop = served(t, path, expecting, daily)
		at(t, 2026, 11, 24, 12, 25)
		if got := said(&daily.flat); got != "" {
			t.Errorf("told again after a restart: %s", got)
		}
		stop()
	})
}

// Each day has its run, its deadline and one incident, also those with 23 and with 25 hours.
func TestDaysOnWhichTheClockIsChanged(t *testing.T) {
	text := strings.Replace(expecting, `"0 6 * * 1-5"`, `"30 2 * * *"`, 1)
	text = strings.Replace(text, "calendar: target2", "calendar: none", 1)
	text = strings.Replace(text, "previous_working_day", "same_day", 1)
	text = strings.Replace(strings.Replace(text, "start_by: 06:30", "start_by: 02:45", 1), "finish_by: 07:30", "finish_by: 04:00", 1)
	text = strings.Replace(text, "    repeat: 30m\n", "", 1)
	for _, c := range []struct {
		month time.Month
		day   int
		want  string
	}{
		{3, 29, "29 03:00 post missing, 29 04:00 edit late, 29 04:00 reply late"}, // 02:30 and 02:45 do not exist
		{10, 25, "25 02:45 post missing, 25 04:00 edit late, 25 04:00 reply late"},
	} {
		synctest.Test(t, func(t *testing.T) {
			daily := &threads{}
			at(t, 2026, c.month, c.day-1, 12, 0)
			_, stop := served(t, outbox(t), text, daily)
			at(t, 2026, c.month, c.day, 23, 0)
			if got := said(&daily.flat); got != c.want {
				t.Errorf("%s\ngot  %s\nwant %s", c.month, got, c.want)
			}
			stop()
		})
	}
}

func TestAStreamThatFallsSilent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		at(t, 2026, 11, 23, 0, 0)
		s, stop := served(t, outbox(t), twoChannels+"expect: {clicks: {unit: FIN, freshness: 2h}}\n", daily)
		defer stop()
		tell := func(n int) {
			accepted(t, s, outcome.Outcome{RunID: fmt.Sprint("c", n), Job: "clicks", Unit: "FIN", State: outcome.Ready, At: time.Now()})
		}
		at(t, 2026, 11, 23, 9, 0)
		tell(1)
		at(t, 2026, 11, 23, 10, 0)
		tell(2)
		at(t, 2026, 11, 23, 15, 0)
		tell(3)
		at(t, 2026, 11, 23, 16, 0)
		if got, want := said(&daily.flat), "23 09:00 post ready, 23 10:00 post ready, 23 12:00 post late, 23 15:00 post recovered"; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}

func TestWhatIsExpectedToday(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		at(t, 2026, 11, 20, 0, 0)
		text := expecting + "  gl_report: {schedule: '0 8 * * *', calendar: target2, finish_by: 09:00}\n  monthly: {unit: FIN, schedule: '0 8 1 * *', finish_by: 09:00}\n"
		s, stop := served(t, outbox(t), text, daily)
		defer stop()
		show := func() string {
			all, err := s.ExpectationsToday(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range all {
				got = append(got, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", e.Job, e.BusinessDate, e.State, e.Reason)))
			}
			return strings.Join(got, ", ")
		}
		for _, c := range []struct {
			day, h, m int
			then      outcome.State
			want      string
		}{
			{20, 5, 0, "", "settlements_daily 2026-11-19 to come, gl_report 2026-11-20 to come, monthly  not today not scheduled"},
			{20, 6, 40, outcome.Running, "settlements_daily 2026-11-19 missing, gl_report 2026-11-20 to come, monthly  not today not scheduled"},
			{20, 6, 41, outcome.Ready, "settlements_daily 2026-11-19 running, gl_report 2026-11-20 to come, monthly  not today not scheduled"},
			{20, 6, 42, "", "settlements_daily 2026-11-19 done, gl_report 2026-11-20 to come, monthly  not today not scheduled"},
			{21, 6, 42, "", "gl_report 2026-11-20 late, gl_report 2026-11-21 not today weekend, monthly  not today not scheduled, settlements_daily  not today not scheduled"},
		} {
			at(t, 2026, 11, c.day, c.h, c.m)
			if got := show(); got != c.want {
				t.Errorf("on %d at %d:%02d\ngot  %s\nwant %s", c.day, c.h, c.m, got, c.want)
			}
			if c.then != "" {
				accepted(t, s, run(berlinTime(2026, 11, 19, 0, 0), c.then))
				time.Sleep(time.Second)
				synctest.Wait()
			}
		}
	})
}
