package expect

import (
	"testing"
	"time"

	"weir/internal/config"
)

func TestRowsAgainstTheUsual(t *testing.T) {
	friday := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	days := func(rows ...int64) []Day { // each of the same weekday, the newest first, and a Thursday between them
		var d []Day
		for i, n := range rows {
			f := friday.AddDate(0, 0, -7*(i+1))
			d = append(d, Day{f.AddDate(0, 0, 6), 1}, Day{f, n})
		}
		return d
	}
	three, one := Spread(3), int64(1)
	strict := &Rows{Warn: &three, FailBelow: &one}
	for _, c := range []struct {
		name      string
		rules     *Rows
		earlier   []Day
		rows      int64
		known     bool
		low, high float64
		verdict   Verdict
	}{
		{"as usual", strict, days(4000, 4100, 4200, 4300, 4150), 4180, true, 4000, 4300, Fine},
		{"too many", strict, days(4000, 4100, 4200, 4300, 4150), 4301, true, 4000, 4300, Unusual},
		{"too few", strict, days(4000, 4100, 4200, 4300, 4150), 3999, true, 4000, 4300, Unusual},
		{"none", strict, days(4000, 4100, 4200, 4300, 4150), 0, true, 4000, 4300, TooFew},
		{"three days are not enough", strict, days(4000, 4100, 4200), 1, false, 0, 0, Fine},
		{"one wild day does not widen the band", strict, days(4000, 4100, 4200, 4300, 9_000_000), 9000, true, 3900, 4500, Unusual},
		{"always the same: one percent is left", strict, days(1000, 1000, 1000, 1000), 1010, true, 990, 1010, Fine},
		{"always the same, two percent off", strict, days(1000, 1000, 1000, 1000), 1020, true, 990, 1010, Unusual},
		{"only the newest of the window", &Rows{Warn: &three, Window: 4}, days(10, 10, 10, 10, 9000, 9000, 9000, 9000, 9000), 10, true, 9.9, 10.1, Fine},
		{"any day", &Rows{Usual: AnyDay, Warn: &three}, days(1, 1, 1, 1), 1, true, 0.99, 1.01, Fine},
		{"no rule, no verdict", nil, days(4000, 4100, 4200, 4300, 4150), 1, true, 4000, 4300, Fine},
		{"usually nothing", strict, days(0, 0, 0, 0), 5, true, 0, 0, Unusual},
	} {
		u, known := c.rules.For(friday, c.earlier)
		if known != c.known || known && (round(u.Low) != c.low || round(u.High) != c.high) {
			t.Errorf("%s: %+v, %v", c.name, u, known)
		}
		if got := (Config{Rows: c.rules}).Compare(u, known, c.rows, c.rows, 0); got != c.verdict {
			t.Errorf("%s: %q, want %q", c.name, got, c.verdict)
		}
	}
}

func round(f float64) float64 { return float64(int64(f*100+0.5)) / 100 }

func TestTheShareOfRejectedRows(t *testing.T) {
	warn, fail := config.Percent(0.001), config.Percent(0.01)
	c := Config{Rejected: &Rejected{&warn, &fail}}
	for rejected, want := range map[int64]Verdict{0: Fine, 10: Fine, 11: Refused, 100: Refused, 101: Unusable, 10_000: Unusable} {
		if got := c.Compare(Usual{}, false, 10_000, 10_000-rejected, rejected); got != want {
			t.Errorf("%d of 10,000 rejected: %q, want %q", rejected, got, want)
		}
	}
	if got := c.Compare(Usual{}, false, 0, 9_900, 200); got != Unusable { // a job that does not count its input
		t.Errorf("without an input count: %q", got)
	}
}
