// Package figure prints numbers for people: short where space is short, exact where a person compares.
//
// Start with [Count] (exact), [Short] (six characters), [Seconds], [Millis], [Bytes].
package figure

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// none is what stands for a figure that is none: not a number, infinite.
const none = "-"

func odd(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }

// Whole prints the nearest whole number, exactly.
func Whole(v float64) string {
	if odd(v) || math.Abs(v) > 1e18 {
		return none
	}
	return Count(int64(math.Round(v)))
}

// Count prints an exact number: 1,998,204,112.
func Count(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// Short prints a number in at most six characters: 880, 92.1k, 16.6M, 2.00G.
func Short(v float64) string {
	if odd(v) {
		return none
	}
	if v < 0 {
		return "-" + Short(-v)
	}
	for _, u := range []struct {
		from float64
		name string
	}{{1e12, "T"}, {1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= u.from*0.99995 {
			if v < 9.995*u.from && u.from >= 1e9 {
				return fmt.Sprintf("%.2f%s", v/u.from, u.name)
			}
			if v < 999.95*u.from {
				return trim(fmt.Sprintf("%.1f", v/u.from)) + u.name
			}
			return fmt.Sprintf("%.0f%s", v/u.from, u.name)
		}
	}
	if v == float64(int64(v)) || v >= 100 {
		return fmt.Sprintf("%.0f", v)
	}
	return fmt.Sprintf("%.1f", v)
}

// trim takes a useless ".0" away.
func trim(s string) string {
	if len(s) > 2 && s[len(s)-2:] == ".0" {
		return s[:len(s)-2]
	}
	return s
}

// Bytes prints in decimal units: 488 MB, 4.1 kB.
func Bytes(v float64) string {
	if odd(v) {
		return none
	}
	for _, u := range []struct {
		from float64
		name string
	}{{1e12, "TB"}, {1e9, "GB"}, {1e6, "MB"}, {1e3, "kB"}} {
		if v >= u.from {
			if v < 9.95*u.from {
				return fmt.Sprintf("%.1f %s", v/u.from, u.name)
			}
			return fmt.Sprintf("%.0f %s", v/u.from, u.name)
		}
	}
	return fmt.Sprintf("%.0f B", v)
}

// Millis prints milliseconds with a sensible number of digits, without the unit.
func Millis(v float64) string {
	switch {
	case odd(v):
		return none
	case v >= 1e7:
		return Short(v)
	case v >= 1000:
		return Count(int64(v + 0.5))
	case v >= 0.95:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.2f", v)
}

// Seconds prints seconds in at most six characters: 14s, 18m02s, 2h11m, 3d04h; a negative one is not known.
func Seconds(seconds float64) string {
	if odd(seconds) || seconds < 0 {
		return "?"
	}
	s := int64(min(seconds, 1e15) + 0.5)
	switch {
	case seconds < 0.95:
		return fmt.Sprintf("%.1fs", seconds)
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	case s < 24*3600:
		return fmt.Sprintf("%dh%02dm", s/3600, s/60%60)
	}
	return fmt.Sprintf("%dd%02dh", s/86400, s/3600%24)
}

// Roughly is Seconds for plans: 5m, 1h30m, 90s.
func Roughly(seconds float64) string {
	if odd(seconds) || seconds > 1e9 { // more than a duration holds
		return Seconds(seconds)
	}
	d := time.Duration(seconds * float64(time.Second)).Round(time.Second)
	switch {
	case d >= time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d >= time.Minute && d < time.Hour && d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	}
	return Seconds(d.Seconds())
}

// Clock prints seconds as 01:16:40.
func Clock(seconds float64) string {
	if odd(seconds) {
		return none
	}
	s := int64(min(max(seconds, 0), 1e9))
	return fmt.Sprintf("%02d:%02d:%02d", s/3600, s/60%60, s%60)
}

// Ago is the time since t; empty for the zero time.
func Ago(now, t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return Age(now.Sub(t)) + " ago"
}

// Age prints a duration in one unit, cut off: 6s, 12m, 2h, 3d. A small negative one, from a clock that is read twice, is 0s.
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", max(int(d.Seconds()), 0))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 24*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

// Axis prints a value beside an axis: three digits, at most six characters, never rounded to another tick's value.
func Axis(v float64) string {
	if odd(v) {
		return none
	}
	for _, u := range []struct {
		from float64
		name string
	}{{1e9, "G"}, {1e6, "M"}, {1e3, "k"}} {
		if v >= u.from {
			return strconv.FormatFloat(v/u.from, 'g', 3, 64) + u.name
		}
	}
	return strconv.FormatFloat(v, 'g', 3, 64)
}

// Span prints a duration; a small negative one, from a clock that is read twice, is 0.
func Span(d time.Duration) string { return Seconds(max(d.Seconds(), 0)) }

// Percent prints a share.
func Percent(share float64) string {
	if odd(share) {
		return none
	}
	return fmt.Sprintf("%.0f%%", 100*share)
}

// Change prints a relative change with its sign: +7.6%, -2.0%.
func Change(share float64) string {
	if odd(share) {
		return none
	}
	return fmt.Sprintf("%+.1f%%", 100*share)
}
