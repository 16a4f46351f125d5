package figure

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFigures(t *testing.T) {
	now := time.Date(2026, 11, 20, 14, 0, 0, 0, time.UTC)
	for _, tc := range []struct{ got, want string }{
		{Count(1_998_204_112), "1,998,204,112"}, {Count(-1234), "-1,234"}, {Count(999), "999"},
		{Short(880), "880"}, {Short(92_100), "92.1k"}, {Short(16_600_000), "16.6M"}, {Short(1_998_204_112), "2.00G"}, {Short(999_999), "1M"}, {Short(0.4), "0.4"}, {Short(310_400), "310.4k"},
		{Bytes(488e6), "488 MB"}, {Bytes(4100), "4.1 kB"}, {Bytes(12), "12 B"},
		{Millis(0.4), "0.40"}, {Millis(41), "41.0"}, {Millis(1432.4), "1,432"},
		{Seconds(-1), "?"}, {Seconds(0.4), "0.4s"}, {Seconds(14), "14s"}, {Seconds(1082), "18m02s"}, {Seconds(7860), "2h11m"}, {Seconds(273_600), "3d04h"},
		{Roughly(300), "5m"}, {Roughly(5400), "1h30m"}, {Roughly(90), "1m30s"}, {Clock(4600), "01:16:40"},
		{Age(59 * time.Second), "59s"}, {Age(119 * time.Minute), "1h"}, {Age(-time.Millisecond), "0s"}, {Ago(now, now.Add(-12*time.Minute)), "12m ago"}, {Ago(now, time.Time{}), ""},
		{Axis(150_000), "150k"}, {Axis(1_250_000), "1.25M"}, {Axis(0.25), "0.25"}, {Percent(0.64), "64%"}, {Change(0.076), "+7.6%"}, {Change(-0.02), "-2.0%"}, {Whole(499_812.4), "499,812"},
		{Short(math.NaN()), "-"}, {Bytes(math.Inf(1)), "-"}, {Millis(math.NaN()), "-"}, {Seconds(math.Inf(1)), "?"}, {Roughly(math.NaN()), "?"}, {Clock(math.NaN()), "-"}, {Axis(math.Inf(-1)), "-"},
		{Percent(math.NaN()), "-"}, {Change(math.Inf(1)), "-"}, {Whole(1e300), "-"}, {Clock(1e300), "277777:46:40"},
	} {
		if tc.got != tc.want {
			t.Errorf("got %q, want %q", tc.got, tc.want)
		}
	}
}

// TestColumnsHold: what stands in a column of six cells never needs seven.
func TestColumnsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Float64Range(0, 9e14).Draw(t, "v")
		if s := Short(v); len(s) > 6 {
			t.Fatalf("Short(%v) = %q", v, s)
		}
		if s := Seconds(math.Mod(v, 99*86400)); len(s) > 6 {
			t.Fatalf("Seconds = %q", s)
		}
	})
}
