// Package calendar knows working days: which days a bank, a country or a company works, and which is the next one.
//
// Start with [Named] for a calendar that is built in, or [Parse] for a file of dates. A day is the date of a time in its own
// zone; the hour does not matter.
//
// # Promises
//
// Pure: no clock, no file, no network. The holidays of TARGET2 (the Eurosystem's), of the United States' federal offices, of
// Germany and its states and of England and Wales are computed for any year, those that are given once by law for the years
// that are known when this is built.
package calendar

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/rickar/cal/v2"
	"github.com/rickar/cal/v2/de"
	"github.com/rickar/cal/v2/ecb"
	"github.com/rickar/cal/v2/gb"
	"github.com/rickar/cal/v2/us"
)

// A Calendar says which days are worked. The zero value works on Monday to Friday.
type Calendar struct {
	name  string
	rules []*cal.Holiday
	every bool            // weekends are worked
	dates map[date]string // of a file: closed
	open  map[date]bool   // of a file: worked, whatever else is said
	years *sync.Map       // int -> map[date]string, as computing an Easter for each day would be waste
}

type date struct {
	y int
	m time.Month
	d int
}

func dateOf(t time.Time) date {
	y, m, d := t.Date()
	return date{y, m, d}
}

// The library computes at midnight in this zone, and there are zones in which some midnights do not exist.
func init() { cal.DefaultLoc = time.UTC }

var builtin = map[string][]*cal.Holiday{
	"target2": ecb.Holidays, "us-federal": us.Holidays, "gb": gb.Holidays, "weekdays": nil, "none": nil, "de": de.Holidays,
	"de-bw": de.HolidaysBW, "de-by": de.HolidaysBY, "de-be": de.HolidaysBE, "de-bb": de.HolidaysBB, "de-hb": de.HolidaysHB, "de-hh": de.HolidaysHH,
	"de-he": de.HolidaysHE, "de-mv": de.HolidaysMV, "de-ni": de.HolidaysNI, "de-nw": de.HolidaysNW, "de-rp": de.HolidaysRP, "de-sl": de.HolidaysSL,
	"de-sn": de.HolidaysSN, "de-st": de.HolidaysST, "de-sh": de.HolidaysSH, "de-th": de.HolidaysTH,
}

// Names are the calendars that are built in. "weekdays" knows no holiday, "none" works on each day.
func Names() []string {
	var names []string
	for name := range builtin {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Named gives a calendar that is built in.
func Named(name string) (Calendar, error) {
	rules, ok := builtin[name]
	if !ok {
		return Calendar{}, fmt.Errorf("there is no calendar %q; one of %s, or file:PATH", name, strings.Join(Names(), ", "))
	}
	return Calendar{name: name, rules: rules, every: name == "none", years: new(sync.Map)}, nil
}

// Holiday gives the name of the holiday that a day is; ok is false if it is none. A weekend is no holiday.
func (c Calendar) Holiday(day time.Time) (name string, ok bool) {
	d := dateOf(day)
	if c.open[d] {
		return "", false
	}
	if name, ok = c.dates[d]; ok {
		return name, true
	}
	if len(c.rules) == 0 {
		return "", false
	}
	name, ok = c.year(d.y)[d]
	return name, ok
}

// year computes the holidays of a year. The first of January may be kept on the last of December before.
func (c Calendar) year(y int) map[date]string {
	if known, ok := c.years.Load(y); ok {
		return known.(map[date]string)
	}
	days := map[date]string{}
	for _, h := range c.rules {
		for _, of := range []int{y, y + 1} {
			actual, observed := h.Calc(of)
			for _, t := range []time.Time{actual, observed} {
				if !t.IsZero() && t.Year() == y {
					days[dateOf(t)] = h.Name
				}
			}
		}
	}
	c.years.Store(y, days)
	return days
}

// Working reports whether a day is worked.
func (c Calendar) Working(day time.Time) bool {
	if c.open[dateOf(day)] {
		return true
	}
	if _, free := c.Holiday(day); free {
		return false
	}
	w := day.Weekday()
	return c.every || w != time.Saturday && w != time.Sunday
}

// farthest is how many days in a row may be free before a calendar is thought to be wrong.
const farthest = 366

// Next is the first working day after a day, at its midnight in the day's zone.
func (c Calendar) Next(day time.Time) time.Time { return c.walk(day, 1) }

// Previous is the last working day before a day, at its midnight in the day's zone.
func (c Calendar) Previous(day time.Time) time.Time { return c.walk(day, -1) }

func (c Calendar) walk(day time.Time, step int) time.Time {
	y, m, d := day.Date()
	for i := 1; ; i++ {
		// Noon exists on each day of each zone, midnight does not.
		at := time.Date(y, m, d+i*step, 12, 0, 0, 0, day.Location())
		if c.Working(at) || i == farthest {
			return time.Date(y, m, d+i*step, 0, 0, 0, 0, day.Location())
		}
	}
}

func (c Calendar) String() string { return c.name }
