package notify

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/internal/calendar"
)

func quietIn(t testing.TB, zone string, c QuietCfg, days string) *quiet {
	t.Helper()
	z, err := time.LoadLocation(zone)
	if err != nil {
		t.Fatal(err)
	}
	var working func(time.Time) bool
	if days != "" {
		cal, err := calendar.Named(days)
		if err != nil {
			t.Fatal(err)
		}
		working = cal.Working
	}
	q, err := quietOf(&c, z, working)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// wallTime reads a local time; a second time on the day clocks go back is written with its zone.
func wallTime(t testing.TB, z *time.Location, s string) time.Time {
	t.Helper()
	for _, layout := range []string{"2006-01-02 15:04 -0700", "2006-01-02 15:04"} {
		if at, err := time.ParseInLocation(layout, s, z); err == nil {
			return at.In(z)
		}
	}
	t.Fatalf("%q is no time", s)
	return time.Time{}
}

func TestQuietHours(t *testing.T) {
	night := QuietCfg{Hours: "20:00-07:30", Weekends: true}
	for _, c := range []struct{ name, zone, days, at, until string }{
		{"by day", "Europe/Berlin", "target2", "2026-11-23 12:00", ""},
		{"the last minute of the day", "Europe/Berlin", "target2", "2026-11-23 19:59", ""},
		{"in the evening", "Europe/Berlin", "target2", "2026-11-23 20:00", "2026-11-24 07:30"},
		{"over midnight", "Europe/Berlin", "target2", "2026-11-24 02:14", "2026-11-24 07:30"},
		{"at its end", "Europe/Berlin", "target2", "2026-11-24 07:30", ""},
		{"Friday evening", "Europe/Berlin", "target2", "2026-11-20 20:30", "2026-11-23 07:30"},
		{"Sunday noon", "Europe/Berlin", "target2", "2026-11-22 12:00", "2026-11-23 07:30"},
		{"the night before a holiday", "Europe/Berlin", "target2", "2026-12-24 21:00", "2026-12-28 07:30"},
		{"Easter", "Europe/Berlin", "target2", "2026-04-02 22:00", "2026-04-07 07:30"},
		{"a leap day", "Europe/Berlin", "target2", "2028-02-28 23:00", "2028-02-29 07:30"},
		{"the night after a leap day", "Europe/Berlin", "target2", "2028-02-29 20:00", "2028-03-01 07:30"},
		{"another zone", "Asia/Tokyo", "weekdays", "2026-11-23 20:00", "2026-11-24 07:30"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := quietIn(t, c.zone, night, c.days)
			want := time.Time{}
			if c.until != "" {
				want = wallTime(t, q.zone, c.until)
			}
			if got := q.until(wallTime(t, q.zone, c.at)); !got.Equal(want) {
				t.Errorf("quiet until %v, want %v", got, want)
			}
		})
	}
}

// The clocks of Berlin go from 02:00 to 03:00 on 29 March 2026, and from 03:00 back to 02:00 on 25 October.
func TestAcceptance_DSTDayInQuietHours(t *testing.T) {
	for _, c := range []struct{ name, hours, at, until string }{
		{"the short night is an hour shorter", "20:00-07:30", "2026-03-28 20:00 +0100", "2026-03-29 07:30 +0200"},
		{"the long night is an hour longer", "20:00-07:30", "2026-10-24 20:00 +0200", "2026-10-25 07:30 +0100"},
		{"an end that does not exist is when the clocks have gone on", "20:00-02:30", "2026-03-29 01:30 +0100", "2026-03-29 03:00 +0200"},
		{"a beginning that does not exist too", "02:30-07:30", "2026-03-29 03:00 +0200", "2026-03-29 07:30 +0200"},
		{"before it nothing is quiet", "02:30-07:30", "2026-03-29 01:59 +0100", ""},
		{"an end that comes twice is the first", "20:00-02:30", "2026-10-25 02:10 +0200", "2026-10-25 02:30 +0200"},
		{"and the repeated hour is not quiet again", "20:00-02:30", "2026-10-25 02:10 +0100", ""},
		{"a beginning that comes twice is the first, too", "02:30-07:30", "2026-10-25 02:10 +0100", "2026-10-25 07:30 +0100"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q := quietIn(t, "Europe/Berlin", QuietCfg{Hours: c.hours}, "")
			want := time.Time{}
			if c.until != "" {
				want = wallTime(t, q.zone, c.until)
			}
			if got := q.until(wallTime(t, q.zone, c.at)); !got.Equal(want) {
				t.Errorf("quiet until %v, want %v", got, want)
			}
		})
	}
}

func TestQuietHoursEndInEveryZoneAndAreThenOver(t *testing.T) {
	zones := []string{"Europe/Berlin", "America/Sao_Paulo", "Africa/Cairo", "Asia/Kolkata", "Pacific/Apia", "Australia/Lord_Howe", "America/New_York", "UTC"}
	rapid.Check(t, func(r *rapid.T) {
		q := quietIn(t, rapid.SampledFrom(zones).Draw(r, "zone"), QuietCfg{Hours: rapid.SampledFrom([]string{"20:00-07:30", "00:00-24:00", "02:30-02:45", "23:30-00:30", "00:00-00:01"}).Draw(r, "hours"), Weekends: rapid.Bool().Draw(r, "weekends")},
			rapid.SampledFrom([]string{"target2", "weekdays", "none"}).Draw(r, "days"))
		at := time.Unix(rapid.Int64Range(1.2e9, 1.9e9).Draw(r, "at"), 0)
		end := q.until(at)
		if q.hours && q.from == 0 && q.to == wholeDay { // always quiet: bounded, not endless
			return
		}
		if end.IsZero() {
			return
		}
		if !end.After(at) || end.Sub(at) > 12*24*time.Hour {
			r.Fatalf("quiet at %v until %v", at, end)
		}
		if again := q.until(end); !again.IsZero() {
			r.Fatalf("quiet at %v until %v, and then until %v", at, end, again)
		}
		if q.until(end.Add(-time.Second)).IsZero() {
			r.Fatalf("quiet at %v until %v, but not a second before that", at, end)
		}
	})
}

func TestACalendarThatNeverWorksDoesNotHoldForEver(t *testing.T) {
	q := quietIn(t, "UTC", QuietCfg{Weekends: true}, "")
	q.working = func(time.Time) bool { return false }
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if end := q.until(at); end.Sub(at) > longest*24*time.Hour {
		t.Errorf("until %v", end)
	}
}
