package scale

import (
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// world is a model of a topic and its workers under virtual time: fluid records, workers that take 45 s to start, partitions that
// rest 10 s when they move. It knows nothing of the policy but its signals and decisions.
type world struct {
	rng      *rand.Rand
	at       time.Duration
	partials []float64 // share of the load of each partition
	load     func(t time.Duration) float64
	capacity float64
	lie      float64 // what workers report of their capacity is so many times too high
	store    float64 // records/s that storage takes from all workers together; 0: any
	maxSlots int
	slowSlot map[string]float64 // share of the capacity that a slot leaves

	workers []*simWorker
	backlog []float64
	paused  []time.Duration // partition does not move before
	owner   []*simWorker
	next    int
	startIn time.Duration

	// what came of it
	workerSeconds, needed float64
	late                  time.Duration // time with a record older than the SLO
	worst                 float64
	steps                 int
	drained, killed       []Stop
	first, last           Decision
	verdicts              map[Verdict]int
	most                  int
}

type simWorker struct {
	id, slot string
	ready    time.Duration
	state    State
	stuck    bool // hung: lives, says so, does nothing
	speed    float64
	waiting  float64
	blocked  float64
	progress time.Duration
	holds    []int32
	drains   time.Duration
}

const (
	simStep = 15 * time.Second
	slo     = 120.0
)

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newWorld(seed uint64, partitions int, sigma, capacity float64, load func(time.Duration) float64) *world {
	w := &world{
		rng: rand.New(rand.NewPCG(seed, 7)), load: load, capacity: capacity, lie: 1, startIn: 45 * time.Second, maxSlots: 1000,
		partials: make([]float64, partitions), backlog: make([]float64, partitions), paused: make([]time.Duration, partitions),
		owner: make([]*simWorker, partitions), slowSlot: map[string]float64{}, verdicts: map[Verdict]int{},
	}
	var sum float64
	for i := range w.partials {
		w.partials[i] = math.Exp(sigma * w.rng.NormFloat64())
		sum += w.partials[i]
	}
	for i := range w.partials {
		w.partials[i] /= sum
	}
	return w
}

// start gives the world n ready workers.
func (w *world) begin(n int) {
	for range n {
		w.start(nil)
	}
	for i, k := range w.workers {
		k.ready = 0
		k.state = Ready
		for p := i; p < len(w.owner); p += n {
			w.owner[p] = k
		}
	}
}

func (w *world) start(excluded []string) {
	used := map[string]bool{}
	for _, k := range w.workers {
		used[k.slot] = true
	}
	for _, e := range excluded {
		used[e] = true
	}
	slot := ""
	for i := range w.maxSlots {
		if slot = fmt.Sprint("s", i); !used[slot] {
			break
		}
	}
	w.next++
	w.workers = append(w.workers, &simWorker{id: fmt.Sprint("w", w.next), slot: slot, ready: w.at + w.startIn, progress: w.at})
}

// run lets policy and world go on for a while.
func (w *world) run(p *Policy, long time.Duration) {
	for end := w.at + long; w.at < end; {
		s := w.tick()
		d := p.Decide(s)
		w.obey(d)
	}
}

// tick moves the records of one step.
func (w *world) tick() Signals {
	dt := simStep.Seconds()
	rate := w.load(w.at)
	w.needed += rate / w.capacity * dt
	demand := map[*simWorker]float64{}
	for i, share := range w.partials {
		w.backlog[i] += share * rate * dt
		if k := w.owner[i]; k != nil && w.at >= w.paused[i] {
			demand[k] += w.backlog[i]
		}
	}
	w.at += simStep
	s := Signals{At: epoch.Add(w.at), Partitions: make([]Partition, 0, len(w.partials)), Workers: make([]Worker, 0, len(w.workers))}
	can := map[*simWorker]float64{}
	var total float64
	for _, k := range w.workers {
		if k.state != Ready && k.state != Draining || k.stuck {
			continue
		}
		c := w.capacity
		if f, ok := w.slowSlot[k.slot]; ok {
			c *= f
		}
		c *= 0.95 + 0.1*w.rng.Float64()
		k.blocked = 0.1
		can[k] = c
		total += min(c*dt, demand[k])
	}
	if w.store > 0 && total > w.store*dt {
		for k := range can {
			can[k] *= w.store * dt / total
			k.blocked = max(0.1, 1-w.store*dt/total)
		}
	}
	share := map[*simWorker]float64{}
	for k, c := range can {
		k.speed = c * w.lie
		k.waiting = 0
		share[k] = 1
		if demand[k] < c*dt {
			k.waiting = 1 - demand[k]/(c*dt)
		} else {
			share[k] = c * dt / demand[k]
		}
		k.progress = w.at
	}
	worst := 0.0
	for i, part := range w.partials {
		if k := w.owner[i]; k != nil && w.at > w.paused[i] {
			w.backlog[i] -= w.backlog[i] * share[k]
		}
		arrival := part * rate
		age := w.backlog[i] / max(arrival, 1)
		worst = max(worst, age)
		s.Partitions = append(s.Partitions, Partition{ID: int32(i), Arrival: arrival, Backlog: w.backlog[i], Age: time.Duration(age * float64(time.Second))})
	}
	w.worst = max(w.worst, worst)
	if worst > slo {
		w.late += simStep
	}
	for _, k := range w.workers {
		k.holds = k.holds[:0]
		w.workerSeconds += dt
		if k.state == Starting && w.at >= k.ready {
			k.state, k.progress = Ready, w.at
		}
	}
	for i, k := range w.owner {
		if k != nil {
			k.holds = append(k.holds, int32(i))
		}
	}
	w.most = max(w.most, len(w.workers))
	for _, k := range w.workers {
		s.Workers = append(s.Workers, Worker{
			ID: k.id, Slot: k.slot, State: k.state, Holds: k.holds, Heard: s.At, Progress: epoch.Add(k.progress), Speed: k.speed, Own: k.speed / max(0.01, 1-k.blocked), Waiting: k.waiting, Blocked: k.blocked,
		})
	}
	w.workers = deleteIf(w.workers, func(k *simWorker) bool { return k.state == Gone || k.state == Draining && w.at >= k.drains })
	return s
}

func deleteIf(ws []*simWorker, gone func(*simWorker) bool) []*simWorker {
	var out []*simWorker
	for _, k := range ws {
		if !gone(k) {
			out = append(out, k)
		}
	}
	return out
}

func (w *world) obey(d Decision) {
	if w.last.Wanted == 0 {
		w.first = d
	} else if d.Wanted != w.last.Wanted {
		w.steps++
	}
	w.last = d
	w.verdicts[d.Verdict]++
	byID := map[string]*simWorker{}
	for _, k := range w.workers {
		byID[k.id] = k
	}
	for _, x := range d.Stop {
		k := byID[x.Worker]
		if k == nil {
			continue
		}
		if x.How == Kill {
			w.killed = append(w.killed, x)
			k.state = Gone
			w.workers = deleteIf(w.workers, func(o *simWorker) bool { return o == k })
		} else {
			if x.Slow {
				w.drained = append(w.drained, x)
			}
			k.state, k.drains = Draining, w.at+10*time.Second
		}
		for i, o := range w.owner {
			if o == k {
				w.owner[i] = nil
			}
		}
	}
	for _, a := range d.Assign {
		k := byID[a.Worker]
		for _, p := range a.Partitions {
			if w.owner[p] != k {
				w.owner[p], w.paused[p] = k, w.at+10*time.Second
			}
		}
	}
	for range d.Start {
		if len(w.workers) < w.maxSlots {
			w.start(d.Excluded)
		}
	}
}

// wave is the reference load: a slow wave of 0.4 to 1.6 M rec/s, one 10-min burst, one 1-min blip.
func wave(seed uint64) func(time.Duration) float64 {
	r := rand.New(rand.NewPCG(seed, 3))
	burst := time.Duration(1+3*r.Float64()) * time.Hour
	blip := burst + time.Duration((0.5+r.Float64())*float64(time.Hour))
	return func(t time.Duration) float64 {
		x := 1e6 - 0.6e6*math.Cos(2*math.Pi*t.Hours()/6)
		x *= 1 + 0.05*(2*r.Float64()-1)
		switch {
		case t >= burst && t < burst+10*time.Minute, t >= blip && t < blip+time.Minute:
			x *= 3
		}
		return x
	}
}

func level(x float64) func(time.Duration) float64 { return func(time.Duration) float64 { return x } }
