package calendar

import (
	"fmt"
	"strings"
	"time"
)

// most is how many dates a file may have: a century of a company's own holidays.
const most = 10_000

// Parse reads a file of dates, one a line:
//
//	# holidays of our company
//	like target2
//	2026-12-24  Christmas Eve
//	open 2026-12-26
//
// "like" takes the holidays of a calendar that is built in, "open" works on a day that would be free. Saturdays and Sundays
// are free, except with "like none". name is what errors call the file.
func Parse(name, text string) (Calendar, error) {
	c := Calendar{name: name, dates: map[date]string{}, open: map[date]bool{}}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		no := func(format string, args ...any) (Calendar, error) {
			return Calendar{}, fmt.Errorf("%s:%d: %s", name, i+1, fmt.Sprintf(format, args...))
		}
		switch words[0] {
		case "like":
			if len(words) != 2 {
				return no("expected like and the name of one calendar")
			}
			base, err := Named(words[1])
			if err != nil {
				return no("%v", err)
			}
			c.rules, c.every, c.years = base.rules, base.every, base.years
			continue
		case "open":
			words = words[1:]
			if len(words) == 0 {
				return no("expected open and a date")
			}
			t, err := time.Parse(time.DateOnly, words[0])
			if err != nil {
				return no("%q is no date; write it as 2026-12-24", words[0])
			}
			c.open[dateOf(t)] = true
		default:
			t, err := time.Parse(time.DateOnly, words[0])
			if err != nil {
				return no("%q is no date; write it as 2026-12-24, and its name behind it", words[0])
			}
			holiday := strings.Join(words[1:], " ")
			if holiday == "" {
				holiday = "holiday"
			}
			c.dates[dateOf(t)] = holiday
		}
		if len(c.dates)+len(c.open) > most {
			return no("more than %d dates", most)
		}
	}
	if len(c.dates)+len(c.open) == 0 && c.years == nil {
		return Calendar{}, fmt.Errorf("%s: no date in it", name)
	}
	return c, nil
}
