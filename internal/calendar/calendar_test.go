package calendar

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func day(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

func named(t testing.TB, name string) Calendar {
	t.Helper()
	c, err := Named(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// free lists the days of a year that fall on Monday to Friday and are not worked.
func free(c Calendar, year int) string {
	var days []string
	for d := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() == year; d = d.AddDate(0, 0, 1) {
		if w := d.Weekday(); w != time.Saturday && w != time.Sunday && !c.Working(d) {
			days = append(days, d.Format("01-02"))
		}
	}
	return strings.Join(days, " ")
}

func TestHolidaysAsTheyWerePublished(t *testing.T) {
	for _, c := range []struct {
		calendar string
		year     int
		free     string // on Monday to Friday
	}{
		// European Central Bank, "TARGET closing days".
		{"target2", 2024, "01-01 03-29 04-01 05-01 12-25 12-26"},
		{"target2", 2025, "01-01 04-18 04-21 05-01 12-25 12-26"},
		{"target2", 2026, "01-01 04-03 04-06 05-01 12-25"},
		{"target2", 2027, "01-01 03-26 03-29"},
		// US Office of Personnel Management, "Federal Holidays".
		{"us-federal", 2020, "01-01 01-20 02-17 05-25 07-03 09-07 10-12 11-11 11-26 12-25"},
		{"us-federal", 2021, "01-01 01-18 02-15 05-31 06-18 07-05 09-06 10-11 11-11 11-25 12-24 12-31"},
		{"us-federal", 2024, "01-01 01-15 02-19 05-27 06-19 07-04 09-02 10-14 11-11 11-28 12-25"},
		{"us-federal", 2026, "01-01 01-19 02-16 05-25 06-19 07-03 09-07 10-12 11-11 11-26 12-25"},
		// gov.uk, "UK bank holidays", England and Wales.
		{"gb", 2023, "01-02 04-07 04-10 05-01 05-08 05-29 08-28 12-25 12-26"},
		{"gb", 2026, "01-01 04-03 04-06 05-04 05-25 08-31 12-25 12-28"},
		// The days on which all states of Germany are free, and Bavaria's own.
		{"de", 2024, "01-01 03-29 04-01 05-01 05-09 05-20 10-03 12-25 12-26"},
		{"de", 2026, "01-01 04-03 04-06 05-01 05-14 05-25 12-25"},
		{"de-by", 2026, "01-01 01-06 04-03 04-06 05-01 05-14 05-25 06-04 12-25"},
		{"weekdays", 2026, ""},
	} {
		if got := free(named(t, c.calendar), c.year); got != c.free {
			t.Errorf("%s in %d is free on\n     %s\nwant %s", c.calendar, c.year, got, c.free)
		}
	}
}

func TestNextAndPreviousWorkingDay(t *testing.T) {
	for _, c := range []struct{ name, calendar, at, previous, next string }{
		{"a Monday", "target2", "2026-11-23", "2026-11-20", "2026-11-24"},
		{"the Tuesday after Easter", "target2", "2026-04-07", "2026-04-02", "2026-04-08"},
		{"around New Year", "target2", "2026-12-31", "2026-12-30", "2027-01-04"},
		{"a leap day", "weekdays", "2024-02-29", "2024-02-28", "2024-03-01"},
		{"before a leap day", "weekdays", "2024-02-28", "2024-02-27", "2024-02-29"},
		{"no leap day", "weekdays", "2100-03-01", "2100-02-26", "2100-03-02"},
		{"each day", "none", "2026-11-22", "2026-11-21", "2026-11-23"},
	} {
		cal := named(t, c.calendar)
		if p, n := cal.Previous(day(c.at)).Format(time.DateOnly), cal.Next(day(c.at)).Format(time.DateOnly); p != c.previous || n != c.next {
			t.Errorf("%s: before %s is %s, after it %s; want %s and %s", c.name, c.at, p, n, c.previous, c.next)
		}
	}
}

func TestADayIsThatOfItsOwnZone(t *testing.T) {
	tokyo := time.FixedZone("", 9*3600)
	c := named(t, "target2")
	at := time.Date(2026, 12, 25, 1, 0, 0, 0, tokyo) // still 24 December in UTC
	if c.Working(at) || !c.Working(at.UTC()) {
		t.Errorf("in Tokyo %v, in UTC %v", c.Working(at), c.Working(at.UTC()))
	}
	if name, ok := c.Holiday(at); !ok || name != "Christmas Day" {
		t.Errorf("%q, %v", name, ok)
	}
	if next := c.Next(at); next.Location() != tokyo || next.Hour() != 0 {
		t.Errorf("next is %v", next)
	}
}

func TestAFileOfDates(t *testing.T) {
	c, err := Parse("own.txt", "# ours\nlike target2\n2026-12-24  Christmas Eve # half a day\nopen 2026-12-26\n2026-05-15\n")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := free(c, 2026), "01-01 04-03 04-06 05-01 05-15 12-24 12-25"; got != want {
		t.Errorf("free on %s, want %s", got, want)
	}
	if name, _ := c.Holiday(day("2026-12-24")); name != "Christmas Eve" {
		t.Errorf("called %q", name)
	}
	if !c.Working(day("2026-12-26")) { // a Saturday, and a holiday
		t.Error("what is open is not worked")
	}
	for text, want := range map[string]string{
		"": "own.txt: no date in it", "like": "own.txt:1: expected like and", "like targt": `own.txt:1: there is no calendar "targt"`,
		"2026-12-24\n24.12.2026": `own.txt:2: "24.12.2026" is no date`, "open": "own.txt:1: expected open and a date", "open x": `"x" is no date`, "2026-02-29": "is no date",
	} {
		if _, err := Parse("own.txt", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestNextAndPreviousUndoEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, err := Named(rapid.SampledFrom(Names()).Draw(t, "calendar"))
		if err != nil {
			t.Fatal(err)
		}
		d := time.Date(1990, 1, rapid.IntRange(1, 40000).Draw(t, "day"), 0, 0, 0, 0, time.UTC)
		next := c.Next(d)
		if !next.After(d) || !c.Working(next) {
			t.Fatalf("after %v comes %v", d, next)
		}
		for between := d.AddDate(0, 0, 1); between.Before(next); between = between.AddDate(0, 0, 1) {
			if c.Working(between) {
				t.Fatalf("%v is worked, but %v comes after %v", between, next, d)
			}
		}
		if c.Working(d) && !c.Previous(next).Equal(d) {
			t.Fatalf("before %v is %v, want %v", next, c.Previous(next), d)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("like target2\n2026-12-24 x\nopen 2026-12-26\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := Parse("f", text)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f:") {
				t.Fatalf("no place: %v", err)
			}
			return
		}
		if next := c.Next(day("2026-12-23")); !next.After(day("2026-12-23")) {
			t.Fatal(next)
		}
	})
}
