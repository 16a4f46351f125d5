package expect

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"weir/internal/calendar"
	"weir/internal/config"
)

func berlin(t testing.TB) *time.Location {
	t.Helper()
	z, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// rule reads a config as it stands in units.yaml.
func rule(t testing.TB, text, days string) Rule {
	t.Helper()
	var c Config
	if err := config.Decode("x.yaml", []byte(text), &c); err != nil {
		t.Fatal(err)
	}
	if bad := c.Check(); len(bad) > 0 {
		t.Fatal(bad)
	}
	cal, err := calendar.Named(days)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.Rule("j", berlin(t), cal)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const settlements = "schedule: 0 6 * * 1-5\nbusiness_date: previous_working_day\nstart_by: 06:30\nfinish_by: 07:30\nrepeat: 30m\n"

func TestWhichRunsAreExpected(t *testing.T) {
	for _, c := range []struct {
		name, config, days, from, to string
		want                         string // date@run start_by finish_by
	}{
		{"a weekend", settlements, "target2", "2026-11-20", "2026-11-24", "2026-11-19@20T06:00+01 06:30+01 07:30+01, 2026-11-20@23T06:00+01 06:30+01 07:30+01"},
		{"Easter", settlements, "target2", "2026-04-02", "2026-04-08", "2026-04-01@02T06:00+02 06:30+02 07:30+02, 2026-04-02@07T06:00+02 06:30+02 07:30+02"},
		{"a leap day", settlements, "weekdays", "2024-02-29", "2024-03-02", "2024-02-28@29T06:00+01 06:30+01 07:30+01, 2024-02-29@01T06:00+01 06:30+01 07:30+01"},
		{"in the hour that does not exist", "schedule: 30 2 * * *\nfinish_by: 02:45", "none", "2026-03-28", "2026-03-31",
			"2026-03-28@28T02:30+01 - 02:45+01, 2026-03-29@29T03:00+02 - 03:00+02, 2026-03-30@30T02:30+02 - 02:45+02"},
		{"in the hour that comes twice", "schedule: 30 2 * * *\nfinish_by: 90m", "none", "2026-10-24", "2026-10-27",
			"2026-10-24@24T02:30+02 - 04:00+02, 2026-10-25@25T02:30+02 - 03:00+01, 2026-10-26@26T02:30+01 - 04:00+01"},
		{"a deadline after midnight", "schedule: 0 22 * * *\nfinish_by: 01:00", "none", "2026-12-31", "2027-01-01", "2026-12-31@31T22:00+01 - 01:00+01"},
		{"many ticks, one date", "schedule: '*/5 * * * *'\nstart_by: 5m\nbusiness_date: previous_day", "none", "2026-11-20", "2026-11-22", "2026-11-19@20T00:00+01 00:05+01 -, 2026-11-20@21T00:00+01 00:05+01 -"},
		{"the 31st", "schedule: 0 6 31 * *\nfinish_by: 1h", "none", "2026-01-01", "2026-06-01", "2026-01-31@31T06:00+01 - 07:00+01, 2026-03-31@31T06:00+02 - 07:00+02, 2026-05-31@31T06:00+02 - 07:00+02"},
		{"never", "schedule: 0 6 30 2 *\nfinish_by: 1h", "none", "2026-01-01", "2026-06-01", ""},
	} {
		r := rule(t, c.config, c.days)
		day := func(s string) time.Time {
			d, err := time.ParseInLocation(time.DateOnly, s, r.Zone)
			if err != nil {
				t.Fatal(err)
			}
			return d
		}
		clock := func(at time.Time) string {
			if at.IsZero() {
				return "-"
			}
			return at.Format("15:04-07")
		}
		var got []string
		for _, s := range r.Slots(day(c.from), day(c.to), false) {
			got = append(got, fmt.Sprintf("%s@%s %s %s", s.Date.Format(time.DateOnly), s.Run.Format("02T15:04-07"), clock(s.StartBy), clock(s.FinishBy)))
		}
		if strings.Join(got, ", ") != c.want {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, strings.Join(got, ", "), c.want)
		}
	}
}

func TestAHolidayIsNotExpectedAndSaysSo(t *testing.T) {
	r := rule(t, settlements, "target2")
	good := time.Date(2026, 4, 3, 0, 0, 0, 0, r.Zone)
	all := r.Slots(good, good.AddDate(0, 0, 1), true)
	if len(all) != 1 || all[0].Holiday != "Good Friday" {
		t.Errorf("%+v", all)
	}
	if some := r.Slots(good, good.AddDate(0, 0, 1), false); len(some) != 0 {
		t.Errorf("expected all the same: %+v", some)
	}
}

// Whatever the window, a slot is listed if and only if its run lies inside.
func TestSlotsDoNotDependOnTheWindow(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.SampledFrom([]string{settlements, "schedule: 30 2 * * *\nfinish_by: 02:45", "schedule: '0 */7 * * *'\nstart_by: 5m\nbusiness_date: previous_day", "schedule: '@daily'\nfinish_by: 23:59"}).Draw(rt, "config")
		r := rule(t, text, rapid.SampledFrom([]string{"target2", "none"}).Draw(rt, "days"))
		begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		at := func(name string) time.Time {
			return begin.Add(time.Duration(rapid.IntRange(0, 366*24*60).Draw(rt, name)) * time.Minute)
		}
		a, b := at("from"), at("to")
		dates := map[string]bool{}
		var inside []Slot
		for _, s := range r.Slots(begin.AddDate(0, 0, -3), begin.AddDate(1, 0, 3), false) {
			if key := s.Date.Format(time.DateOnly); dates[key] {
				rt.Fatalf("two slots for %s", key)
			} else {
				dates[key] = true
			}
			if !s.Run.Before(a) && s.Run.Before(b) {
				inside = append(inside, s)
			}
			if !s.StartBy.IsZero() && s.StartBy.Before(s.Run) || !s.FinishBy.IsZero() && s.FinishBy.Before(s.Run) {
				rt.Fatalf("due before it runs: %+v", s)
			}
		}
		for _, s := range inside[:min(len(inside), 3)] {
			if again, ok := r.SlotOf(s.Date); !ok || !again.Run.Equal(s.Run) {
				rt.Fatalf("slot of %v is %+v, want %+v", s.Date, again, s)
			}
		}
		if got := r.Slots(a, b, false); fmt.Sprint(got) != fmt.Sprint(inside) {
			rt.Fatalf("got %v\nwant %v", got, inside)
		}
	})
}

func TestWhatIsToldAboutARunThatDoesNotCome(t *testing.T) {
	r := rule(t, settlements, "target2")
	at := func(h, m int) time.Time { return time.Date(2026, 11, 23, h, m, 0, 0, r.Zone) }
	s := r.Slots(at(0, 0), at(24, 0), false)[0]
	type step struct {
		at   time.Time
		seen Seen
		want Call
	}
	waits, runs, done, known := Seen{}, Seen{Started: true}, Seen{Started: true, Ready: true}, Seen{Started: true, Told: true}
	for name, steps := range map[string][]step{
		"in time":                {{at(6, 29), runs, Nothing}, {at(7, 29), runs, Nothing}, {at(7, 29), done, Nothing}, {at(9, 0), done, Nothing}},
		"never":                  {{at(6, 29), waits, Nothing}, {at(6, 30), waits, Missing}, {at(6, 59), waits, Nothing}, {at(7, 0), waits, Missing}, {at(7, 30), waits, Late}, {at(7, 31), waits, Nothing}, {at(8, 0), waits, Late}},
		"starts too late":        {{at(6, 30), waits, Missing}, {at(6, 40), runs, Nothing}, {at(7, 0), runs, Nothing}, {at(7, 29), done, Nothing}, {at(8, 0), done, Nothing}},
		"ends too late":          {{at(7, 30), runs, Late}, {at(8, 0), runs, Late}, {at(8, 10), done, Nothing}, {at(8, 40), done, Nothing}},
		"has failed":             {{at(7, 30), known, Nothing}, {at(9, 0), known, Nothing}},
		"late, then failed":      {{at(7, 30), runs, Late}, {at(8, 0), known, Nothing}, {at(8, 10), runs, Late}},
		"nobody was there":       {{at(11, 0), waits, Late}, {at(11, 1), waits, Nothing}, {at(11, 30), waits, Late}},
		"the clock is set back":  {{at(7, 30), waits, Late}, {at(6, 0), waits, Nothing}, {at(6, 45), waits, Missing}, {at(7, 30), waits, Late}, {at(7, 40), waits, Nothing}},
		"a day later, no repeat": {{at(7, 30), waits, Late}, {at(7+23, 59), waits, Late}, {at(8+24, 31), waits, Nothing}, {at(9+24, 31), waits, Nothing}},
	} {
		var m Memory
		for _, st := range steps {
			d := r.Decide(s, st.seen, m, st.at)
			if d.Call != st.want {
				t.Errorf("%s, at %s: %q, want %q", name, st.at.Format("02T15:04"), d.Call, st.want)
			}
			if wantNoticed := d.Call == Late && name == "nobody was there" && m.Told == 0; d.Noticed != wantNoticed && name != "the clock is set back" {
				t.Errorf("%s, at %s: noticed late %v", name, st.at.Format("02T15:04"), d.Noticed)
			}
			m = d.Memory
		}
	}
}

// Whenever it is asked, however often: no date has more than one first message of a kind, and after its data is there none.
func TestDecisionsHaveNoEndlessTalk(t *testing.T) {
	r := rule(t, settlements, "target2")
	s := r.Slots(time.Date(2026, 11, 23, 0, 0, 0, 0, r.Zone), time.Date(2026, 11, 24, 0, 0, 0, 0, r.Zone), false)[0]
	rapid.Check(t, func(rt *rapid.T) {
		now, m, told := s.Run.Add(-time.Hour), Memory{}, 0
		var seen Seen
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			now = now.Add(time.Duration(rapid.IntRange(0, 120).Draw(rt, "minutes")) * time.Minute)
			seen.Started = seen.Started || rapid.IntRange(0, 9).Draw(rt, "start") == 0
			seen.Ready = seen.Ready || seen.Started && rapid.IntRange(0, 9).Draw(rt, "ready") == 0
			d := r.Decide(s, seen, m, now)
			if d.Call != Nothing {
				told++
				if seen.Ready {
					rt.Fatal("told after it was ready")
				}
				if twice := r.Decide(s, seen, d.Memory, now); twice.Call != Nothing {
					rt.Fatal("told twice at one instant")
				}
			}
			if d.Memory.Told != told {
				rt.Fatalf("remembers %d, told %d", d.Memory.Told, told)
			}
			if d.Call == Nothing && !d.Memory.Closed && !seen.Ready {
				if w := r.Wake(s, d.Memory, now); !w.IsZero() && !w.After(now) {
					rt.Fatal("wakes in the past")
				}
			}
			m = d.Memory
		}
		if told > 2+int(now.Sub(s.Run)/(30*time.Minute)) {
			rt.Fatalf("told %d times in %v", told, now.Sub(s.Run))
		}
	})
}

func TestMistakesOfExpectations(t *testing.T) {
	for text, want := range map[string]string{
		"schedule: 0 6 * *\nfinish_by: 07:30":                          "schedule: \"0 6 * *\" is no schedule",
		"schedule: '@every 5m'\nfinish_by: 07:30":                      `schedule: "@every 5m" has no times of day`,
		"schedule: 'TZ=UTC 0 6 * * *'\nfinish_by: 07:30":               `write the zone under timezone`,
		"schedule: 0 6 * * *":                                          "say start_by, finish_by or both",
		"finish_by: 07:30":                                             "schedule is missing",
		"repeat: 30m":                                                  "nothing is expected",
		"schedule: 0 6 * * *\nfinish_by: 7.30":                         "is no deadline; write a time of day such as 06:30",
		"schedule: 0 6 * * *\nfinish_by: 24:00":                        `"24:00" is no time of day; write it as 06:30`,
		"schedule: 0 6 * * *\nfinish_by: 900h":                         "is no deadline; write a time of day such as 06:30",
		"schedule: 0 6 * * *\nfinish_by: 1h\nbusiness_date: yesterday": `business_date: "yesterday" is unknown`,
		"schedule: 0 6 * * *\nfinish_by: 1h\nfreshness: 1h":            "freshness: is for a job without a schedule",
		"rows: {warn_outside: 3 sigma}":                                "is no spread; write 3 mad",
		"rows: {warn_outside: -3 mad}":                                 "is no spread; write 3 mad",
		"rows: {window: 2}":                                            "rows.window: write 4 to 100",
		"rows: {fail_below: 0}":                                        "rows.fail_below: write at least 1",
		"rows: {usual: friday}":                                        `rows.usual: "friday" is unknown`,
		"rejected: {warn: 2%, fail: 1%}":                               "rejected.warn: is above fail",
		"freshness: 1s":                                                "freshness: write at least 1m",
		"schedule: 0 6 * * *\nfinish_by: 1h\ntimezone: Mars/Base":      `timezone: "Mars/Base" is no time zone`,
	} {
		var c Config
		err := config.Decode("x.yaml", []byte(text), &c)
		said := fmt.Sprint(err)
		if err == nil {
			for _, b := range c.Check() {
				said += b.Path + ": " + b.Message + "\n"
			}
		}
		if !strings.Contains(said, want) {
			t.Errorf("%s\ngot  %s\nwant %s", text, said, want)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add("0 6 * * 1-5", "06:30", "90m", "3 mad", int64(1767225600))
	f.Add("@hourly", "", "23:59", "0.5mad", int64(1774749600))
	f.Add("*/1 * * * *", "00:00", "", "", int64(0))
	f.Fuzz(func(t *testing.T, schedule, start, finish, spread string, at int64) {
		c := Config{Schedule: schedule}
		var s Spread
		if c.StartBy.UnmarshalText([]byte(start)) != nil || c.FinishBy.UnmarshalText([]byte(finish)) != nil || spread != "" && s.UnmarshalText([]byte(spread)) != nil {
			return
		}
		var again Deadline
		if err := again.UnmarshalText([]byte(c.StartBy.String())); err != nil || again != c.StartBy {
			t.Fatalf("%q is read back as %v, %v", start, again, err)
		}
		if len(c.Check()) > 0 {
			return
		}
		days, err := calendar.Named("target2")
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Rule("j", berlin(t), days)
		if err != nil {
			t.Fatalf("passed the check, but: %v", err)
		}
		if r.cron == nil {
			return
		}
		from := time.Unix(at%4e9, 0)
		var m Memory
		for _, slot := range r.Slots(from, from.Add(48*time.Hour), true) {
			if !slot.StartBy.IsZero() && slot.StartBy.Before(slot.Run) {
				t.Fatalf("%+v", slot)
			}
			m = r.Decide(slot, Seen{}, m, from.Add(24*time.Hour)).Memory
		}
	})
}
