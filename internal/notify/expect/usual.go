package expect

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Fewest is how many earlier days must be known before anything is called unusual.
const Fewest = 4

const (
	defaultWindow = 8
	mostWindow    = 100
	defaultSpread = Spread(3)
	// least is the narrowest band, as a share of the median: figures that never move would make each small step a warning.
	least = 0.01
)

// A Day is what one earlier business date brought.
type Day struct {
	Date time.Time
	Rows int64
}

// A Usual is what earlier days lead one to expect.
type Usual struct {
	Days      int     // how many were looked at
	Weekday   bool    // only those of the same weekday
	Median    float64 // rows
	Low, High float64 // outside is unusual
}

// For looks at earlier days for a business date, the newest of which come first. ok is false if too few are known.
func (r *Rows) For(date time.Time, earlier []Day) (u Usual, ok bool) {
	var rows Rows
	if r != nil {
		rows = *r
	}
	u.Weekday = rows.Usual != AnyDay
	var v []float64
	for _, d := range earlier {
		if !d.Date.Before(date) || u.Weekday && d.Date.Weekday() != date.Weekday() {
			continue
		}
		if v = append(v, float64(d.Rows)); len(v) == cmp.Or(rows.Window, defaultWindow) {
			break
		}
	}
	u.Days = len(v)
	if len(v) < Fewest {
		return u, false
	}
	spread := defaultSpread
	if rows.Warn != nil {
		spread = *rows.Warn
	}
	u.Median = Median(v)
	off := make([]float64, len(v))
	for i := range v {
		off[i] = math.Abs(v[i] - u.Median)
	}
	width := max(float64(spread)*Median(off), least*u.Median)
	u.Low, u.High = max(0, u.Median-width), u.Median+width
	return u, true
}

// Change is how far from the median a number of rows is, as a share of it; 0 if the median is 0.
func (u Usual) Change(rows int64) float64 {
	if u.Median == 0 {
		return 0
	}
	return (float64(rows) - u.Median) / u.Median
}

// Outside reports whether a number of rows is unusual.
func (u Usual) Outside(rows int64) bool { return float64(rows) < u.Low || float64(rows) > u.High }

// Median is the middle one, or the mean of the two in the middle; 0 of none.
func Median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	m := len(s) / 2
	if len(s)%2 == 1 {
		return s[m]
	}
	return s[m-1]/2 + s[m]/2
}

// A Verdict is what a finished run's figures mean.
type Verdict string

// The verdicts, from good to bad.
const (
	Fine     Verdict = ""
	Unusual  Verdict = "rows.unusual"          // a warning
	Refused  Verdict = "rejected.many"         // a warning
	TooFew   Verdict = "rows.too_few"          // not usable
	Unusable Verdict = "rejected.far_too_many" // not usable
)

// Failed reports whether the data must not be used.
func (v Verdict) Failed() bool { return v == TooFew || v == Unusable }

// Compare judges a run's figures; the worst counts. in and rejected are rows, as is loaded.
func (c Config) Compare(u Usual, known bool, in, loaded, rejected int64) Verdict {
	share := 0.0
	if total := max(in, loaded+rejected); total > 0 {
		share = float64(rejected) / float64(total)
	}
	switch {
	case c.Rows != nil && c.Rows.FailBelow != nil && loaded < *c.Rows.FailBelow:
		return TooFew
	case c.Rejected != nil && c.Rejected.Fail != nil && share > float64(*c.Rejected.Fail):
		return Unusable
	case c.Rejected != nil && c.Rejected.Warn != nil && share > float64(*c.Rejected.Warn):
		return Refused
	case c.Rows != nil && c.Rows.Warn != nil && known && u.Outside(loaded):
		return Unusual
	}
	return Fine
}
