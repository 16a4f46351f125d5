package scale

import (
	"math"
	"slices"
	"time"
)

// demand is what arrives, what a worker can do, and how wrong that belief has shown itself to be.
type demand struct {
	last    time.Time
	short   float64   // records/s that arrive, over about 30 s
	long    float64   // over about 5 min; a clear change sets it anew
	weights []float64 // records/s of each partition, over about a minute
	backlog []float64

	mu         float64 // records/s of one worker that never waits; 0: not known
	correction float64 // c

	rate     float64 // records/s into the table
	age      time.Duration
	blocked  float64 // median share of time that workers wait for downstream
	measured bool    // mu is from a worker, not from the config
	hot      int     // place of the hottest partition that exceeds a worker, or -1
}

// see takes a check's signals in.
func (d *demand) see(v *view, c Config) {
	since := v.s.At.Sub(d.last)
	first := d.last.IsZero() || len(d.weights) != len(v.s.Partitions)
	if first {
		d.weights, d.backlog = make([]float64, len(v.s.Partitions)), make([]float64, len(v.s.Partitions))
	}
	d.last = v.s.At
	step := func(over time.Duration) float64 {
		if first {
			return 1
		}
		return 1 - math.Exp(-since.Seconds()/over.Seconds())
	}
	var sum, more float64
	minute := step(time.Minute)
	d.age = 0
	for i := range v.s.Partitions {
		p := &v.s.Partitions[i]
		sum += p.Arrival
		more += p.Backlog - d.backlog[i]
		d.backlog[i] = p.Backlog
		d.weights[i] += (p.Arrival - d.weights[i]) * minute
		w := v.owner[i]
		if w >= 0 {
			v.load[w] += d.weights[i]
		}
		// A partition that has a worker for itself is not helped by further workers.
		if w >= 0 && v.many[w] == 1 && v.s.Workers[w].State == Ready && len(v.s.Partitions) > 1 {
			continue
		}
		d.age = max(d.age, p.Age-c.Interval)
	}
	d.short += (sum - d.short) * step(30*time.Second)
	d.long += (sum - d.long) * step(5*time.Minute)
	if math.Abs(d.short-d.long) > 0.35*d.long {
		d.long = d.short
	}
	if !first {
		d.rate += (max(0, sum-more/since.Seconds()) - d.rate) * step(30*time.Second)
	} else {
		d.rate = sum
	}
	v.weights = d.weights
	d.workersAt(v, minute)
}

// workersAt measures a worker's capacity where workers never waited: a worker that waits shows only what arrives.
func (d *demand) workersAt(v *view, step float64) {
	var full, busy, blocked []float64
	for i := range v.s.Workers {
		k := &v.s.Workers[i]
		if k.State != Ready || v.many[i] == 0 || v.lost[k.ID] != "" {
			continue
		}
		blocked = append(blocked, k.Blocked)
		if k.Waiting <= 0.9 {
			busy = append(busy, k.Speed)
		}
		if k.Waiting < 0.05 && k.Blocked < 0.5 && k.Speed > 0 {
			full = append(full, k.Speed)
		}
	}
	d.blocked = median(blocked)
	if len(full) == 0 || d.blocked > 0.5 {
		return
	}
	m := median(full)
	if m < slowShare*median(busy) { // only the slow ones are busy: their fault, not the fleet's measure
		return
	}
	switch {
	case !d.measured || d.mu == 0:
		d.mu, d.measured = m, true
	default:
		d.mu += (m - d.mu) * step
	}
}

func median(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	slices.Sort(x)
	return x[len(x)/2]
}

// limit is how much one worker shall get to do.
func (d *demand) limit() float64 { return d.mu * headroom / d.correction }

// workers is how many are needed for what arrives, and how many while a backlog has to be caught up as well.
func (d *demand) workers(v *view) (steady, now int) {
	d.hot = -1
	if d.mu == 0 { // nobody has been busy yet
		if d.age > urgent {
			return 0, len(v.s.Workers) + 1
		}
		return 0, 0
	}
	var own, ownRate, backlog, most float64 // own: partitions that need a worker for themselves
	for i, w := range d.weights {
		if w > d.mu && (d.hot < 0 || w > d.weights[d.hot]) {
			d.hot = i
		}
		if w > d.mu*headroom {
			own++
			ownRate += w
			continue
		}
		most = max(most, w)
		backlog += d.backlog[i]
	}
	arrives := max(0, d.long-ownRate)
	need, more := arrives/(d.mu*headroom), 0.0
	if d.age > late {
		more = backlog / catchUp.Seconds() / d.mu
	}
	count := func(need float64) int { return int(math.Ceil(own + d.correction*need - 1e-9)) }
	steady, now = count(need), count(need+more)
	// Many small partitions fill workers evenly; a few big ones do not.
	if limit := d.limit(); most > limit/4 {
		b := int(own) + d.bins(limit)
		steady, now = max(steady, b), max(now, b)
	}
	return steady, now
}

// bins is how many workers of that capacity hold all partitions but those with a worker of their own: the largest first,
// each into the first worker that has room.
func (d *demand) bins(limit float64) int {
	rest := make([]float64, 0, len(d.weights))
	for _, w := range d.weights {
		if w > 0 && w <= d.mu*headroom {
			rest = append(rest, w)
		}
	}
	slices.SortFunc(rest, func(a, b float64) int { return compare(b, a) })
	var free []float64
next:
	for _, w := range rest {
		for i := range free {
			if free[i] >= w {
				free[i] -= w
				continue next
			}
		}
		free = append(free, max(0, limit-w))
	}
	return len(free)
}

// correct moves c: up while records are late although nothing was changed for a minute, slowly down while all is well.
func (d *demand) correct(at, changed time.Time, room bool) {
	switch {
	case d.age > 45*time.Second && at.Sub(changed) > time.Minute && room:
		d.correction = min(d.correction*1.1, mostCorrection)
	case d.age < 10*time.Second:
		d.correction = max(d.correction*0.997, leastCorrection)
	}
}
