package words

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Forms are how a language writes figures and times.
type Forms struct {
	Days, LongDays [7]string         // from Sunday
	Months         [12]string        // short
	Day, Date      string            // {weekday} {day} {month} {year}
	Clock          string            // {date} (a Day) {time} {zone}
	Hour           string            // {time} in a sentence
	Group, Point   string            // of numbers
	Short          [3]string         // thousands, millions, thousand millions
	Zones          map[string]string // its names for time zones, where it has some

	Second, Seconds, Minutes, Hours, ManyDays string // {s} {m} {h} {d}
}

const day = 24 * time.Hour

// Date writes a day: Fri 20 Nov 2026.
func (s *Set) Date(t time.Time) string { return s.Forms.on(s.Forms.Date, t) }

// Day writes a day without its year: Fri 20 Nov.
func (s *Set) Day(t time.Time) string { return s.Forms.on(s.Forms.Day, t) }

// Weekday names it in full.
func (s *Set) Weekday(t time.Time) string { return s.Forms.LongDays[t.Weekday()] }

func (f *Forms) on(form string, t time.Time) string {
	return Fill(form, "weekday", f.Days[t.Weekday()], "day", strconv.Itoa(t.Day()), "month", f.Months[t.Month()-1], "year", t.Format("2006"))
}

// Clock writes an instant in its zone: Mon 23 Nov 07:08 CET.
func (s *Set) Clock(t time.Time) string {
	zone := t.Format("MST")
	if own, ok := s.Forms.Zones[zone]; ok {
		zone = own
	}
	return Fill(s.Forms.Clock, "date", s.Day(t), "time", Time(t), "zone", zone)
}

// Hour writes the time of day in a sentence.
func (s *Set) Hour(t time.Time) string { return Fill(s.Forms.Hour, "time", Time(t)) }

// Time is the time of day as a clock shows it.
func Time(t time.Time) string { return t.Format("15:04") }

// Number groups by thousands: 4,182,331.
func (s *Set) Number(n int64) string {
	d := strconv.FormatInt(n, 10)
	neg := strings.HasPrefix(d, "-")
	d = strings.TrimPrefix(d, "-")
	for i := len(d) - 3; i > 0; i -= 3 {
		d = d[:i] + s.Forms.Group + d[i:]
	}
	if neg {
		return "-" + d
	}
	return d
}

// Percent keeps one digit that says something: 0.0005 %.
func (s *Set) Percent(share float64) string {
	p := share * 100
	if p == 0 {
		return "0 %"
	}
	digits := max(0, 1-int(math.Ceil(math.Log10(p))))
	d := strconv.FormatFloat(p, 'f', digits, 64)
	if strings.Contains(d, ".") {
		d = strings.TrimRight(strings.TrimRight(d, "0"), ".")
	}
	return s.point(d) + " %"
}

// Change writes a share with its sign: +2.1 %.
func (s *Set) Change(share float64) string {
	sign := "+"
	if share < 0 {
		sign = ""
	}
	return sign + s.point(strconv.FormatFloat(100*share, 'f', 1, 64)) + " %"
}

func (s *Set) point(d string) string { return strings.Replace(d, ".", s.Forms.Point, 1) }

// Short is a number with two digits that say something: 3.9 M.
func (s *Set) Short(v float64) string {
	for i, unit := range []float64{1e9, 1e6} {
		if v >= unit {
			return s.point(strconv.FormatFloat(v/unit, 'f', 1, 64)) + " " + s.Forms.Short[2-i]
		}
	}
	if v >= 1e4 {
		return strconv.FormatFloat(v/1e3, 'f', 0, 64) + " " + s.Forms.Short[0]
	}
	return s.Number(int64(v))
}

// Duration in words: 1 h 18 min, 22 min, 4 s.
func (s *Set) Duration(d time.Duration) string {
	f := &s.Forms
	n := func(d time.Duration) string { return strconv.FormatInt(int64(d), 10) }
	switch d = d.Abs(); {
	case d < time.Second:
		return f.Second
	case d < time.Minute:
		return Fill(f.Seconds, "s", n(d/time.Second))
	case d < time.Hour:
		return Fill(f.Minutes, "m", n(d/time.Minute))
	case d < 2*day:
		return Fill(f.Hours, "h", n(d/time.Hour), "m", n(d%time.Hour/time.Minute))
	}
	return Fill(f.ManyDays, "d", n(d/day))
}
