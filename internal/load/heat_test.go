package load

import (
	"slices"
	"testing"
	"time"
)

// The map counts each message once, in the row of its time, whatever the intervals do.
func TestHeat(t *testing.T) {
	s := &series{}
	take := func(values ...int64) {
		i := Interval{Start: time.Duration(len(s.intervals)) * time.Second, End: time.Duration(len(s.intervals)+1) * time.Second, Response: newPacked()}
		for _, v := range values {
			if err := i.Response.RecordValue(v); err != nil {
				t.Fatal(err)
			}
		}
		s.intervals = append(s.intervals, i)
	}
	take(1000, 1000, 1010, 4100)
	take()
	got := s.heat()
	if len(got) != 2 || got[0].Low != HeatRow(1000) || got[0].Counts[0] != 3 || got[0].Counts[HeatRow(4100)-HeatRow(1000)] != 1 || len(got[1].Counts) != 0 {
		t.Errorf("%+v", got)
	}
	if low, high := HeatBound(got[0].Low), HeatBound(got[0].Low+1); low > 1 || high <= 1 {
		t.Errorf("1 ms stands between %g and %g", low, high)
	}
	// The last interval grows, with more in it.
	s.intervals[1].End += time.Second
	if err := s.intervals[1].Response.RecordValue(7); err != nil {
		t.Fatal(err)
	}
	take(50, 60)
	total := func() (n int64) {
		for _, c := range s.heat() {
			for _, k := range c.Counts {
				n += k
			}
		}
		return n
	}
	if n := total(); n != 7 {
		t.Errorf("%d messages, want 7", n)
	}
	take(9)
	first := s.heat()
	s.thinIntervals()
	if n := total(); n != 8 || len(s.heat()) != 2 {
		t.Errorf("after thinning: %d messages in %d columns", n, len(s.heat()))
	}
	if !slices.Equal(first[0].Counts, got[0].Counts) {
		t.Error("what was handed out has changed")
	}
}
