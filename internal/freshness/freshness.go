// Package freshness says how far a table is behind its topic: in records, in bytes and in seconds.
//
// Feed a [Model] with looks at the topic ([Model.Look]): for each partition the table's position and the topic's end. It does no
// I/O and has no clock; looks may come at any pace.
//
// # Promises
//
// Seconds are never flattering. They come from the ends that were seen: a record that is not in the table came after the newest
// look at which the end was not beyond the table's position, so that a delay is too high by one look's distance at most, and no
// clock of a producer can falsify it. Only a backlog that is older than the first look needs the record's own timestamp; one that
// is no time (0, negative, in the future) is not believed, and the delay is then told as "at least". The instant up to which a
// table is complete never goes back while its positions do not.
package freshness

import (
	"slices"
	"time"
)

// Partition is one look at a partition: Next is the first position that is not in the table, End the first not yet written.
type Partition struct {
	ID        int32
	Next, End int64
	First     time.Time // timestamp of the record at Next; the zero time: not known
}

// Lag of a partition.
type Lag struct {
	ID        int32
	Next, End int64
	Bytes     int64         // estimated from the mean size of messages; 0 while it is not known
	Age       time.Duration // of the oldest record that is not in the table
	AtLeast   bool          // the backlog is older than the first look, and no timestamp says by how much
	UpTo      time.Time     // all that came before is in the table; the zero time: not known
	In, Out   float64       // records/s over the last minute
}

// Records that are not in the table.
func (l Lag) Records() int64 { return max(0, l.End-l.Next) }

// A State is what a look says of the whole topic.
type State struct {
	At         time.Time
	Partitions []Lag // in the order of the look
	Records    int64
	Bytes      int64
	Age        time.Duration // of the partition that is furthest behind
	AtLeast    bool
	UpTo       time.Time
	In, Out    float64
	CatchUp    time.Duration // until nothing is left, at the rates of the last minute; negative: never, 0: nothing is left
	Trend      Trend
	Hot        *Hot
}

// Hot is the partition that keeps the table behind: it alone holds more than twice its share of what is left.
type Hot struct {
	ID    int32
	Share float64 // of all records that are left
	In    float64 // records/s
}

const (
	window  = time.Minute // of rates
	samples = 256         // ends kept of a partition
	hotAge  = 15 * time.Second
)

// A Model remembers what the looks have shown. The zero one is ready. One goroutine at a time.
type Model struct {
	last  time.Time
	parts map[int32]*track
	past  history
}

// track is what is remembered of a partition.
type track struct {
	ends  []sample // ends[0] is the floor: the newest end that the table has reached, if it has reached one
	upTo  time.Time
	next  int64
	rates []move
}

// sample is an end and when it was seen, first and last.
type sample struct {
	first, last time.Time
	end         int64
}

type move struct {
	at        time.Time
	next, end int64
}

// Look takes a look at the topic; meanBytes is the mean size of a message, 0: not known. A clock that goes back stands still.
func (m *Model) Look(at time.Time, parts []Partition, meanBytes float64) State {
	if at.Before(m.last) {
		at = m.last
	}
	m.last = at
	if m.parts == nil {
		m.parts = map[int32]*track{}
	}
	s := State{At: at, Partitions: make([]Lag, len(parts)), UpTo: at}
	for i, p := range parts {
		t := m.parts[p.ID]
		if t == nil {
			t = &track{next: p.Next}
			m.parts[p.ID] = t
		}
		l := t.look(at, p)
		l.Bytes = int64(float64(l.Records()) * meanBytes)
		s.add(l)
		s.Partitions[i] = l
	}
	if len(parts) == 0 {
		s.UpTo = time.Time{}
	}
	s.CatchUp = catchUp(s)
	s.Hot = hot(s)
	m.past.add(at, s.Age)
	s.Trend = m.past.trend()
	return s
}

// Saw reports that the looks so far tell the age of a partition's backlog without a timestamp.
func (m *Model) Saw(p Partition) bool {
	t := m.parts[p.ID]
	return t != nil && t.ends[0].end <= p.Next
}

func (s *State) add(l Lag) {
	s.Records += l.Records()
	s.Bytes += l.Bytes
	s.In, s.Out = s.In+l.In, s.Out+l.Out
	s.Age, s.AtLeast = max(s.Age, l.Age), s.AtLeast || l.AtLeast
	if l.UpTo.IsZero() || s.UpTo.IsZero() {
		s.UpTo = time.Time{}
	} else if l.UpTo.Before(s.UpTo) {
		s.UpTo = l.UpTo
	}
}

func (t *track) look(at time.Time, p Partition) Lag {
	l := Lag{ID: p.ID, Next: p.Next, End: p.End}
	if p.Next < t.next { // rewound: what was said of the table is no longer true
		t.upTo, t.rates = time.Time{}, nil
	}
	t.next = p.Next
	t.see(at, p)
	l.In, l.Out = t.rate(move{at, p.Next, p.End})
	switch floor := t.ends[0]; {
	case p.End <= p.Next:
		l.UpTo = at
	case floor.end <= p.Next:
		l.UpTo = floor.last
	case believable(p.First, at):
		l.UpTo = earlier(p.First, floor.first)
	default:
		l.AtLeast = true
		l.UpTo = t.upTo
		l.Age = at.Sub(floor.first)
	}
	if l.UpTo.Before(t.upTo) {
		l.UpTo = t.upTo // an old timestamp does not undo what was seen
	}
	t.upTo = l.UpTo
	if !l.AtLeast {
		l.Age = at.Sub(l.UpTo)
	}
	return l
}

// see remembers the end, and forgets what the table has passed, except for the newest look of it.
func (t *track) see(at time.Time, p Partition) {
	for n := len(t.ends); n > 0 && t.ends[n-1].end > p.End; n-- {
		t.ends = t.ends[:n-1] // the broker has lost messages: those ends are no more
	}
	if n := len(t.ends); n > 0 && t.ends[n-1].end == p.End {
		t.ends[n-1].last = at
	} else {
		t.ends = append(t.ends, sample{at, at, p.End})
	}
	i := 0
	for i+1 < len(t.ends) && t.ends[i+1].end <= p.Next {
		i++
	}
	t.ends = t.ends[i:]
	if len(t.ends) > samples {
		t.thin(at)
	}
}

// thin forgets samples that stand close together: those left are one part in 128 of the delay apart.
func (t *track) thin(at time.Time) {
	gap := at.Sub(t.ends[0].first) / (samples / 2)
	kept := t.ends[:1]
	for _, s := range t.ends[1:] {
		if s.last.Sub(kept[len(kept)-1].last) >= gap {
			kept = append(kept, s)
		}
	}
	t.ends = kept
}

func (t *track) rate(now move) (in, out float64) {
	t.rates = append(t.rates, now)
	i := 0
	for i+1 < len(t.rates) && now.at.Sub(t.rates[i+1].at) >= window {
		i++
	}
	t.rates = t.rates[i:]
	if n := len(t.rates); n > 4*samples { // looks that come very often
		t.rates = append(t.rates[:1], t.rates[n/2:]...)
	}
	was := t.rates[0]
	seconds := now.at.Sub(was.at).Seconds()
	if seconds <= 0 {
		return 0, 0
	}
	return max(0, float64(now.end-was.end)/seconds), max(0, float64(now.next-was.next)/seconds)
}

// believable: producers write what they like into a timestamp. A little ahead is a clock that is not quite right.
func believable(ts, now time.Time) bool {
	return !ts.IsZero() && ts.UnixMilli() > 0 && !ts.After(now.Add(time.Minute))
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

const never = -time.Second // of a time to catch up

func catchUp(s State) time.Duration {
	gain := s.Out - s.In
	switch {
	case s.Records == 0:
		return 0
	case gain <= 0:
		return never
	}
	const most = 365 * 24 * time.Hour
	if seconds := float64(s.Records) / gain; seconds < most.Seconds() {
		return time.Duration(seconds * float64(time.Second))
	}
	return never
}

func hot(s State) *Hot {
	if len(s.Partitions) < 2 || s.Age < hotAge || s.Records == 0 {
		return nil
	}
	worst := slices.MaxFunc(s.Partitions, func(a, b Lag) int { return int(min(max(a.Records()-b.Records(), -1), 1)) })
	share := float64(worst.Records()) / float64(s.Records)
	if share*float64(len(s.Partitions)) <= 2 && share < 0.9 {
		return nil
	}
	return &Hot{ID: worst.ID, Share: share, In: worst.In}
}
