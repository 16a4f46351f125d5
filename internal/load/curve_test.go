package load

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestCurve(t *testing.T) {
	// 0 → 1,000/s in 10 s (5,000 messages), hold 10 s (10,000), down to 0 in 5 s (2,500).
	curve := Pieces(nil).Append("ramp", 0, 1000, 10*time.Second).Append("steady", 1000, 1000, 10*time.Second).Append("down", 1000, 0, 5*time.Second)
	for _, c := range []struct {
		name string
		n    float64
		want time.Duration
	}{
		{"the first is due at once", 0, 0},
		{"in the middle of the ramp's time a quarter is due", 1250, 5 * time.Second},
		{"at the top", 5000, 10 * time.Second},
		{"steady: one each millisecond", 5001, 10*time.Second + time.Millisecond},
		{"at the end of steady", 15000, 20 * time.Second},
		{"down: three quarters in half of the time", 15000 + 1875, 22500 * time.Millisecond},
		{"after the last there is none", 17500, Forever},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := curve.At(c.n); (got - c.want).Abs() > time.Microsecond {
				t.Errorf("message %v: got %v, want %v", c.n, got, c.want)
			}
		})
	}
	if got := curve.Due(curve.End()); got != 17500 {
		t.Errorf("got %v messages in all, want 17500", got)
	}
	if got := curve.Rate(22500 * time.Millisecond); got != 500 {
		t.Errorf("got %v/s half-way down, want 500/s", got)
	}
	open := Pieces(nil).Append("hold", 100, 100, 0)
	if got := open.At(1_000_000); got != 10_000*time.Second {
		t.Errorf("an open stage: message 1,000,000 at %v, want 10,000 s", got)
	}
}

func TestCurveLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rate := rapid.OneOf(rapid.Just(0.0), rapid.Float64Range(0, 200_000))
		var curve Pieces
		from := rate.Draw(t, "start")
		for range rapid.IntRange(1, 5).Draw(t, "stages") {
			to := rate.Draw(t, "target")
			curve = curve.Append("", from, to, time.Duration(rapid.Int64Range(1e6, 3600e9).Draw(t, "over")))
			from = to
		}
		total := curve.Due(curve.End())
		if total < 1 {
			return
		}
		n := math.Floor(rapid.Float64Range(0, total-1).Draw(t, "n"))
		at := curve.At(n)
		if at > curve.End() {
			t.Fatalf("message %v of %.1f is due at %v, after the end %v", n, total, at, curve.End())
		}
		if next := curve.At(n + 1); next < at {
			t.Fatalf("message %v is due at %v, the one before at %v", n+1, next, at)
		}
		// At and Messages are each other's inverse: as many are due before message n's time as n, to a nanosecond's worth.
		slack := 0.001 + curve.Peak()*2e-9 + total*1e-9
		if got := curve.Due(at); math.Abs(got-n) > slack {
			t.Fatalf("before message %v (due %v) %f messages are due", n, at, got)
		}
		if curve.At(total+2) != Forever {
			t.Fatalf("message %v is due although the curve has only %.1f", total+2, total)
		}
	})
}
