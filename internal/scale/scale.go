// Package scale decides how many workers a stream needs, which partitions each of them reads, and which worker has to go.
//
// Make a [Policy] with [New] and call [Policy.Decide] with fresh [Signals] every few seconds; carry out the [Decision]. The
// same policy drives processes of one host, and may drive pods or containers.
//
// # Promises
//
// It is pure: no I/O, no clock, no goroutine, no chance. The same signals in the same order give the same decisions. Each
// decision says in one sentence why. It does not scale what scaling cannot help: a partition that alone exceeds a worker, and
// a slow downstream, are told instead.
package scale

import "time"

// Config bounds and tunes a policy. Zero fields mean the documented default.
type Config struct {
	Min, Max int           // workers, default 1 and one for each partition
	Capacity float64       // records/s of a worker, believed until one has been measured; 0: not known
	Interval time.Duration // the age at which a batch is closed: a record that is younger is not late
	Keep     time.Duration // workers stay for so long after they were last wanted, default 10 min
	Lease    time.Duration // a worker without progress for so long is lost, default 2 min
	Silence  time.Duration // a worker that says nothing for so long is lost, default 30 s
}

// States of a worker.
type State int

const (
	Starting State = iota // not yet able to read
	Ready
	Draining // was told to finish its batch and stop
	Gone     // its process has ended
)

// A Worker as it was seen since the last check.
type Worker struct {
	ID    string // of this process, never used again
	Slot  string // where it runs: a slot that made workers slow twice is left out for a while
	State State
	Holds []int32 // partitions that it reads or is about to release

	Heard    time.Time // last sign of life
	Progress time.Time // when it last came forward or had nothing to do
	Speed    float64   // records/s in the time that it did not wait for input: what it can do
	Own      float64   // records/s in the time that it waited for nothing: how fast it is itself, compared with its peers
	Waiting  float64   // share of the time that it waited for input
	Blocked  float64   // share of the time that it waited for storage or catalog
}

// A Partition as it was seen since the last check.
type Partition struct {
	ID      int32
	Arrival float64       // records/s
	Backlog float64       // records not in the table
	Age     time.Duration // of the oldest of them
}

// Signals are all that the policy knows. Partitions come in the order of their ids.
type Signals struct {
	At         time.Time
	Workers    []Worker
	Partitions []Partition
}

// A Verdict is what scaling does not help.
type Verdict string

// Verdicts.
const (
	None       Verdict = ""
	Hot        Verdict = "hot partition"
	Downstream Verdict = "downstream is slow"
)

// How a worker has to stop.
type How string

// Drain: finish the batch in work, release everything, stop. Kill: its partitions go to others at once.
const (
	Drain How = "drain"
	Kill  How = "kill"
)

// A Stop names a worker that has to go.
type Stop struct {
	Worker string
	How    How
	Reason string
	Slow   bool // it was slower than its peers
}

// An Assignment is what one worker shall read.
type Assignment struct {
	Worker     string
	Partitions []int32
}

// A Decision is what is to be done.
type Decision struct {
	Wanted   int
	Step     bool // Wanted has changed
	Start    int  // so many new workers are needed
	Stop     []Stop
	Assign   []Assignment // of every worker that goes on
	Excluded []string     // slots that must not get a new worker now
	Verdict  Verdict
	Reason   string // one sentence
}

const (
	headroom = 0.75              // share of a worker's capacity that is planned with
	catchUp  = 120 * time.Second // a backlog shall be gone in
	late     = 15 * time.Second  // an age from which a backlog counts
	urgent   = 60 * time.Second  // an age at which even a small step up is made

	stepUp   = 0.10 // smaller changes are not worth a move of partitions
	stepDown = 0.15

	// The correction heals a wrong belief about capacity. At its least the plan loads workers to 99 %, which the stepwise way down
	// and what was wanted before keep from being reached; below it records would often be late.
	leastCorrection, mostCorrection = 0.76, 3.0
)

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.Keep, 10*time.Minute)
	def(&c.Lease, 2*time.Minute)
	def(&c.Silence, 30*time.Second)
	c.Min = max(c.Min, 1)
	return c
}
