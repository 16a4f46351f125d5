package scale

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The reference wave of six hours, burst and blip included: calm and cheap.
func TestTheReferenceWave(t *testing.T) {
	const seeds, long = 8, 6 * time.Hour
	var cost, steps, late float64
	for seed := range uint64(seeds) {
		w := newWorld(seed, 1000, 0.2, 20_000, wave(seed))
		p := New(Config{Max: 1000, Capacity: 20_000})
		w.begin(30)
		p.n = 30
		w.run(p, long)
		cost += w.workerSeconds / w.needed / seeds
		steps += float64(w.steps) / long.Hours() / seeds
		late += w.late.Seconds() / long.Seconds() / seeds
	}
	t.Logf("%.3f x the least cost, %.2f steps/h, %.2f %% of the time over the SLO", cost, steps, 100*late)
	if cost > 1.35 || steps > 6 || late > 0.01 {
		t.Errorf("%.2f x the least cost, want 1.35; %.1f steps/h, want 6; %.1f %% over the SLO, want 1", cost, steps, 100*late)
	}
}

// 40 minutes out of the wave, 100 times; in some of them the load triples at once.
func TestAHundredSeedsStayFresh(t *testing.T) {
	const seeds, long = 100, 40 * time.Minute
	var late float64
	for seed := range uint64(seeds) {
		load, phase := wave(seed), time.Duration(seed)*5*time.Hour/seeds
		w := newWorld(seed, 1000, 0.2, 20_000, func(at time.Duration) float64 { return load(at + phase) })
		p := New(Config{Max: 1000, Capacity: 20_000})
		n := int(load(phase) / 15_000)
		w.begin(n)
		p.n = n
		w.run(p, long)
		late += w.late.Seconds() / long.Seconds() / seeds
	}
	t.Logf("%.2f %% of the time over the SLO", 100*late)
	if late > 0.01 {
		t.Errorf("%.1f %% of the time over the SLO, want at most 1", 100*late)
	}
}

// worldAndPolicy is a level load that n workers carry well.
func worldAndPolicy(seed uint64, partitions int, sigma, rate float64) (*world, *Policy) {
	w := newWorld(seed, partitions, sigma, 20_000, level(rate))
	p := New(Config{Max: 1000, Capacity: 20_000})
	w.begin(1)
	return w, p
}

func TestAWrongBeliefHealsItself(t *testing.T) {
	for _, lie := range []float64{0.7, 1.3, 1.6} {
		w := newWorld(1, 1000, 0.2, 20_000, wave(1))
		w.lie = lie
		p := New(Config{Max: 1000, Capacity: 20_000 * lie})
		w.begin(40)
		w.run(p, 6*time.Hour)
		if share := w.late.Seconds() / (6 * 3600); share > 0.02 {
			t.Errorf("belief %.1f x: %.1f %% over the SLO, worst %.0f s", lie, 100*share, w.worst)
		}
	}
}

func TestSkewIsCarriedByWeights(t *testing.T) {
	for seed := range uint64(5) {
		w, p := worldAndPolicy(seed, 1000, 0.6, 1e6)
		w.run(p, 30*time.Minute)
		w.late = 0
		w.run(p, time.Hour)
		if w.late > 0 || p.n > 75 {
			t.Errorf("seed %d: %v late with %d workers, want none late with at most 75", seed, w.late, p.n)
		}
	}
}

func TestNoiseMovesNothing(t *testing.T) {
	for seed := range uint64(20) {
		w, p := worldAndPolicy(seed, 100, 0, 0)
		w.load = func(time.Duration) float64 { return 200_000 * (0.7 + 0.6*w.rng.Float64()) }
		w.run(p, 40*time.Minute)
		w.steps = 0
		w.run(p, 30*time.Minute)
		if w.steps > 1 {
			t.Errorf("seed %d: %d steps under noise of 30 %%", seed, w.steps)
		}
	}
}

func TestALoadStepIsFollowedInFewSteps(t *testing.T) {
	w, p := worldAndPolicy(3, 32, 0.1, 24_000)
	w.startIn = 5 * time.Second
	w.run(p, 20*time.Minute)
	n := p.n
	w.load, w.steps = level(96_000), 0
	w.run(p, 3*time.Minute)
	if s := w.tick(); maxAge(s) > time.Minute || w.steps > 4 || p.n < 5 {
		t.Errorf("after 3 min: age %v, %d steps, %d workers", maxAge(s), w.steps, p.n)
	}
	w.load = level(24_000)
	w.run(p, 15*time.Minute)
	if p.n > n {
		t.Errorf("15 min after the peak %d workers, before it %d", p.n, n)
	}
}

func maxAge(s Signals) (d time.Duration) {
	for _, p := range s.Partitions {
		d = max(d, p.Age)
	}
	return d
}

func TestASlowDownstreamIsToldAndNotScaled(t *testing.T) {
	w, p := worldAndPolicy(5, 100, 0.2, 200_000)
	w.run(p, 30*time.Minute)
	n, killed := p.n, len(w.drained)
	w.store = 60_000
	w.run(p, 20*time.Minute)
	if p.n > n || w.last.Verdict != Downstream || len(w.drained) > killed || len(w.last.Excluded) > 0 {
		t.Errorf("%d workers became %d; %q; drained %v", n, p.n, w.last.Reason, w.drained)
	}
}

func TestAHotPartitionIsToldAndNotScaled(t *testing.T) {
	w, p := worldAndPolicy(6, 20, 0, 100_000)
	w.run(p, 30*time.Minute)
	w.partials[7] *= 8 // 40 k/s of 20 k/s
	w.run(p, 10*time.Minute)
	n := p.n
	w.steps = 0
	w.run(p, time.Hour)
	if w.last.Verdict != Hot || !strings.Contains(w.last.Reason, "hot partition 7: ") || w.steps > 1 || p.n > n {
		t.Errorf("%d workers became %d in %d steps; %s", n, p.n, w.steps, w.last.Reason)
	}
}

func TestSlowWorkersAreDrainedAndTheirSlotsRest(t *testing.T) {
	w, p := worldAndPolicy(8, 1000, 0.1, 4e6)
	w.run(p, 40*time.Minute)
	w.maxSlots, p.cfg.Max = len(w.workers), len(w.workers)
	slow := []string{w.workers[3].slot, w.workers[50].slot, w.workers[99].slot}
	for _, s := range slow {
		w.slowSlot[s] = 0.1
	}
	w.run(p, time.Minute)
	if len(w.drained) != len(slow) {
		t.Fatalf("a minute later %d of %d slow workers are drained: %v", len(w.drained), len(slow), w.drained)
	}
	w.run(p, 5*time.Minute)
	got := p.health.excluded(epoch.Add(w.at))
	if len(got) == 0 {
		t.Error("no slot rests although a second worker was slow there")
	}
	for _, g := range got {
		if !slices.Contains(slow, g) {
			t.Errorf("slot %s rests: it is a good one", g)
		}
	}
}

func TestWhenAllAreSlowNobodyGoesAndFewOtherwise(t *testing.T) {
	w, p := worldAndPolicy(9, 200, 0.1, 1e6)
	w.run(p, 30*time.Minute)
	for _, k := range w.workers {
		w.slowSlot[k.slot] = 0.3
	}
	w.run(p, 2*time.Minute)
	if len(w.drained) > 0 {
		t.Errorf("all became slow, drained %v", w.drained)
	}
	w, p = worldAndPolicy(9, 200, 0.1, 1e6)
	w.run(p, 30*time.Minute)
	n := len(w.workers)
	for _, k := range w.workers[:n*2/5] {
		w.slowSlot[k.slot] = 0.3
	}
	w.run(p, time.Minute)
	if len(w.drained) == 0 || len(w.drained) > max(1, n/10) {
		t.Errorf("two fifths of %d are slow, drained %d at once, want 1 to a tenth", n, len(w.drained))
	}
}

func TestHungAndKilledWorkersAreReplaced(t *testing.T) {
	w, p := worldAndPolicy(10, 100, 0.1, 200_000)
	w.run(p, 30*time.Minute)
	hung, dead := w.workers[0], w.workers[1]
	hung.stuck, dead.state, dead.stuck = true, Gone, true
	s := w.tick()
	d := p.Decide(s)
	if !slices.ContainsFunc(d.Stop, func(x Stop) bool { return x.Worker == dead.id && x.How == Kill }) {
		t.Errorf("the dead worker is not let go: %+v", d.Stop)
	}
	given := 0
	for _, a := range d.Assign {
		if a.Worker == dead.id {
			t.Error("the dead worker is to read")
		}
		given += len(a.Partitions)
	}
	if given != 100 || d.Start < 1 {
		t.Errorf("%d of 100 partitions are read by somebody, %d workers are to start", given, d.Start)
	}
	w.obey(d)
	w.run(p, 3*time.Minute)
	if !slices.ContainsFunc(w.killed, func(x Stop) bool { return x.Worker == hung.id }) {
		t.Errorf("a hung worker lives after 3 min: %v", w.killed)
	}
}

// The same signals give the same decisions.
func TestTheSameAgain(t *testing.T) {
	tell := func() string {
		w, p := worldAndPolicy(11, 100, 0.6, 0)
		w.load = wave(11)
		w.slowSlot["s1"] = 0.1
		w.run(p, 3*time.Hour)
		return fmt.Sprintf("%+v %v %v", w.last, w.workerSeconds, w.drained)
	}
	if a, b := tell(), tell(); a != b {
		t.Errorf("%s\n%s", a, b)
	}
}

// What the policy says, in a life of a stream.
func TestReasons(t *testing.T) {
	var said strings.Builder
	last := ""
	note := func(w *world, p *Policy, long time.Duration, what string) {
		fmt.Fprintf(&said, "# %s\n", what)
		drained, killed := len(w.drained), len(w.killed)
		for end := w.at + long; w.at < end; {
			d := p.Decide(w.tick())
			w.obey(d)
			head := strings.SplitN(d.Reason, ":", 2)[0]
			if d.Step || head != last {
				fmt.Fprintln(&said, d.Reason)
				last = head
			}
		}
		for _, x := range append(w.drained[drained:], w.killed[killed:]...) {
			fmt.Fprintln(&said, x.Reason)
		}
	}
	w, p := worldAndPolicy(20, 16, 0, 30_000)
	p.demand.mu = 0
	w.startIn = 10 * time.Second
	note(w, p, 10*time.Minute, "a stream begins with one worker")
	w.load = level(90_000)
	note(w, p, 5*time.Minute, "three times the load")
	w.workers[0].state = Gone
	w.slowSlot[w.workers[2].slot] = 0.1
	note(w, p, 3*time.Minute, "one killed, one slow")
	w.load = level(30_000)
	note(w, p, 20*time.Minute, "back to the old load")
	w.partials[7] = 1
	note(w, p, 5*time.Minute, "a key takes it all")
	w.partials[7] = 1. / 16
	note(w, p, 20*time.Minute, "and is gone")
	w.store = 8_000
	note(w, p, 5*time.Minute, "storage is slow")
	golden := filepath.Join("testdata", "reasons.golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(said.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if said.String() != string(want) {
		t.Errorf("got\n%s\nwant\n%s", said.String(), want)
	}
}
