package freshness

import "time"

// Trend says where the delay is going.
type Trend string

// Trends of the last quarter of an hour.
const (
	Steady    Trend = "steady"
	Growing   Trend = "growing"
	Shrinking Trend = "shrinking"
)

const (
	span   = 15 * time.Minute
	bucket = 10 * time.Second
)

// history is the delay over the last quarter of an hour: the worst of each ten seconds.
type history struct{ points []point }

type point struct {
	at  time.Time // when it begins
	age time.Duration
}

func (h *history) add(at time.Time, age time.Duration) {
	if n := len(h.points); n > 0 && at.Sub(h.points[n-1].at) < bucket {
		h.points[n-1].age = max(h.points[n-1].age, age)
		return
	}
	h.points = append(h.points, point{at, age})
	for at.Sub(h.points[0].at) > span {
		h.points = h.points[1:]
	}
}

// trend holds the mean of the last quarter against that of the first. What stays within two seconds or a tenth is steady: a table
// that is committed every ten seconds goes up and down by ten.
func (h *history) trend() Trend {
	q := len(h.points) / 4
	if q == 0 {
		return Steady
	}
	was, is := mean(h.points[:q]), mean(h.points[len(h.points)-q:])
	slack := max(2*time.Second, was/10)
	switch {
	case is > was+slack:
		return Growing
	case is < was-slack:
		return Shrinking
	}
	return Steady
}

func mean(points []point) time.Duration {
	var sum time.Duration
	for _, p := range points {
		sum += p.age / time.Duration(len(points))
	}
	return sum
}
