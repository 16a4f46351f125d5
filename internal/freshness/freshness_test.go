package freshness

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var start = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// arrivals is a partition as it was: the time at which each position came, and how far the table is.
type arrivals struct {
	at   []time.Time
	next int64
}

func (a *arrivals) look(id int32) Partition {
	return Partition{ID: id, Next: a.next, End: int64(len(a.at))}
}

// Against what really happened: the delay is never flattering and too high by one look at most, the table is complete up to where it
// says, and that never goes back.
func TestTheDelayIsWhatHappened(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Model
		parts := make([]arrivals, rapid.IntRange(1, 4).Draw(t, "partitions"))
		now, was := start, time.Time{}
		widest := time.Duration(0)
		for range rapid.IntRange(1, 60).Draw(t, "looks") {
			step := time.Duration(rapid.IntRange(1, 30_000).Draw(t, "step")) * time.Millisecond
			before := now
			now = now.Add(step)
			widest = max(widest, step)
			var looked []Partition
			for i := range parts {
				p := &parts[i]
				for k := range rapid.IntRange(0, 3).Draw(t, "came") {
					p.at = append(p.at, before.Add(step*time.Duration(k+1)/4))
				}
				p.next += rapid.Int64Range(0, int64(len(p.at))-p.next).Draw(t, "committed")
				look := p.look(int32(i))
				look.First = rapid.SampledFrom([]time.Time{{}, time.UnixMilli(0), time.UnixMilli(-1), now.Add(time.Hour), time.UnixMilli(math.MaxInt64 / 4)}).Draw(t, "timestamp")
				looked = append(looked, look)
			}
			s := m.Look(now, looked, 100)
			for i, p := range parts {
				l := s.Partitions[i]
				if l.Records() != int64(len(p.at))-p.next || l.Bytes != 100*l.Records() {
					t.Fatalf("partition %d: %+v of %d records at %d", i, l, len(p.at), p.next)
				}
				real := time.Duration(0)
				if l.Records() > 0 {
					real = now.Sub(p.at[p.next])
				}
				if l.AtLeast {
					if l.Age > real || l.Age > now.Sub(start) {
						t.Fatalf("partition %d is at least %v behind, really %v", i, l.Age, real)
					}
					continue
				}
				if l.Age < real || l.Age > real+widest {
					t.Fatalf("partition %d is %v behind, really %v (looks up to %v apart)", i, l.Age, real, widest)
				}
				for pos, at := range p.at {
					if at.Before(l.UpTo) && int64(pos) >= p.next {
						t.Fatalf("partition %d is told complete up to %v; position %d came at %v", i, l.UpTo, pos, at)
					}
				}
			}
			if s.UpTo.Before(was) {
				t.Fatalf("complete up to %v, and before up to %v", s.UpTo, was)
			}
			was = s.UpTo
		}
	})
}

func TestAnIdlePartitionDoesNotHoldTheTableBack(t *testing.T) {
	var m Model
	m.Look(start, []Partition{{ID: 0, Next: 5, End: 5}, {ID: 1, Next: 0, End: 0}}, 0)
	now := start.Add(time.Hour)
	s := m.Look(now, []Partition{{ID: 0, Next: 5, End: 5}, {ID: 1, Next: 0, End: 0}}, 0)
	if !s.UpTo.Equal(now) || s.Age != 0 || s.CatchUp != 0 {
		t.Errorf("got %+v, want complete up to the look", s)
	}
	// A record that comes now is as old as the look before, not as the last record of its partition.
	now = now.Add(time.Second)
	if s = m.Look(now, []Partition{{ID: 0, Next: 5, End: 6}, {ID: 1}}, 0); s.Age != time.Second {
		t.Errorf("behind %v, want 1s", s.Age)
	}
}

func TestABacklogFromBeforeTheFirstLook(t *testing.T) {
	for name, c := range map[string]struct {
		first   time.Time
		age     time.Duration
		atLeast bool
	}{
		"its record says when":                 {start.Add(-time.Hour), time.Hour + time.Minute, false},
		"no timestamp":                         {time.Time{}, time.Minute, true},
		"the timestamp 0":                      {time.UnixMilli(0), time.Minute, true},
		"the far future":                       {start.AddDate(400, 0, 0), time.Minute, true},
		"a clock that is ahead of ours":        {start.Add(90 * time.Second), time.Minute, false},
		"later than the look that had it":      {start.Add(30 * time.Second), time.Minute, false},
		"from before the first computer of us": {time.UnixMilli(1), start.Add(time.Minute).Sub(time.UnixMilli(1)), false},
	} {
		t.Run(name, func(t *testing.T) {
			var m Model
			m.Look(start, []Partition{{ID: 0, Next: 10, End: 20, First: c.first}}, 0)
			s := m.Look(start.Add(time.Minute), []Partition{{ID: 0, Next: 10, End: 30, First: c.first}}, 0)
			if s.Age != c.age || s.AtLeast != c.atLeast {
				t.Errorf("behind %v (at least: %v), want %v (%v)", s.Age, s.AtLeast, c.age, c.atLeast)
			}
		})
	}
}

func TestCatchUpIsTheBacklogOverTheGain(t *testing.T) {
	var m Model
	m.Look(start, []Partition{{Next: 0, End: 10_000}}, 0)
	s := m.Look(start.Add(10*time.Second), []Partition{{Next: 2000, End: 11_000}}, 0)
	if s.In != 100 || s.Out != 200 || s.CatchUp != 90*time.Second {
		t.Errorf("in %v, out %v, catches up in %v; want 100, 200, 1m30s", s.In, s.Out, s.CatchUp)
	}
	if s = m.Look(start.Add(20*time.Second), []Partition{{Next: 2000, End: 13_000}}, 0); s.CatchUp != never {
		t.Errorf("catches up in %v while more comes than goes", s.CatchUp)
	}
}

func TestTheHotPartitionIsNamed(t *testing.T) {
	var m Model
	look := func(at time.Duration, first int64) State {
		return m.Look(start.Add(at), []Partition{{ID: 0, End: 10}, {ID: 1, End: 10}, {ID: 7, End: first}, {ID: 3, End: 10}}, 0)
	}
	if s := look(0, 1000); s.Hot != nil {
		t.Errorf("hot before it is behind: %+v", s.Hot)
	}
	s := look(time.Minute, 1000)
	if s.Hot == nil || s.Hot.ID != 7 || math.Abs(s.Hot.Share-1000.0/1030) > 1e-9 {
		t.Errorf("got %+v, want partition 7", s.Hot)
	}
	m = Model{}
	look(0, 10)
	if s := look(time.Minute, 10); s.Hot != nil {
		t.Errorf("all are alike, got %+v", s.Hot)
	}
}

func TestATrendNeedsMoreThanACommitsUpAndDown(t *testing.T) {
	for name, c := range map[string]struct {
		age  func(i int) time.Duration
		want Trend
	}{
		"saw teeth of a commit every ten seconds": {func(i int) time.Duration { return time.Duration(i%10) * time.Second }, Steady},
		"a table that stands still":               {func(i int) time.Duration { return time.Duration(i) * time.Second }, Growing},
		"a backlog that melts":                    {func(i int) time.Duration { return time.Hour - time.Duration(i)*3*time.Second }, Shrinking},
	} {
		var h history
		for i := range 1200 {
			h.add(start.Add(time.Duration(i)*time.Second), c.age(i))
		}
		if got := h.trend(); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if n := len(h.points); n > int(span/bucket)+1 {
			t.Errorf("%s: %d points are kept", name, n)
		}
	}
}

// Memory is bounded, and what is forgotten makes the delay no smaller.
func TestADelayOfDaysIsKeptInLittle(t *testing.T) {
	var m Model
	m.Look(start, []Partition{{Next: 1, End: 1}}, 0)
	var s State
	for i := int64(1); i <= 100_000; i++ {
		s = m.Look(start.Add(time.Duration(i)*time.Second), []Partition{{Next: 1, End: 1 + i}}, 0)
	}
	if n := len(m.parts[0].ends); n > samples+1 {
		t.Errorf("%d ends are kept", n)
	}
	if want := 100_000 * time.Second; s.Age != want {
		t.Errorf("behind %v, want %v", s.Age, want)
	}
	next := int64(50_000)
	s = m.Look(start.Add(100_001*time.Second), []Partition{{Next: next, End: 100_001}}, 0)
	if real := 50_001 * time.Second; s.Age < real || s.Age > real*102/100 {
		t.Errorf("behind %v, really %v", s.Age, real)
	}
}

func TestAClockThatGoesBackStandsStill(t *testing.T) {
	var m Model
	m.Look(start, []Partition{{Next: 5, End: 5}}, 0)
	s := m.Look(start.Add(-time.Hour), []Partition{{Next: 5, End: 9}}, 0)
	if s.Age < 0 || s.UpTo.After(start) {
		t.Errorf("behind %v, complete up to %v", s.Age, s.UpTo)
	}
}

func TestARewindIsNotHidden(t *testing.T) {
	var m Model
	m.Look(start, []Partition{{Next: 100, End: 100}}, 0)
	s := m.Look(start.Add(time.Second), []Partition{{Next: 10, End: 100, First: start.Add(-time.Hour)}}, 0)
	if s.Age != time.Hour+time.Second {
		t.Errorf("behind %v after a rewind by an hour", s.Age)
	}
}
