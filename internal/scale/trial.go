package scale

import "time"

// trial is a step up that has to show that it helps.
type trial struct {
	from, to int
	at       time.Time
	rate     float64 // records/s into the table before the step
}

type outcome int

const (
	open outcome = iota
	proven
	failed
)

const trialTime = 2 * time.Minute

// verdict after two minutes: it helped if nothing is late any more, if half of the expected throughput came, or if the workers
// at least do not wait for downstream.
func (t *trial) verdict(v *view, d demand) outcome {
	if v.s.At.Sub(t.at) < trialTime {
		return open
	}
	expected := t.rate * float64(t.to-t.from) / float64(max(t.from, 1))
	if d.age <= late || d.rate-t.rate >= expected/2 || d.blocked <= 0.5 {
		return proven
	}
	return failed
}
