package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// What thresholds say of the memory of a process.
const (
	growthMetric = "memory_mib_h" // how fast it grows: what a leak looks like from outside
	memoryMetric = "memory_mib"   // the most that it had
)

// ofMemory reports that a threshold is about the memory of a process.
func (t Threshold) ofMemory() bool { return t.Metric == growthMetric || t.Metric == memoryMetric }

// Whose memory a threshold is about, beside files with a process id.
const (
	ofGenerator = "generator"
	ofPipeline  = "pipeline"
)

// A growth is the memory of a process over time. It keeps the least of each piece of time: what a garbage collector gives back is
// no growth. Its memory is bounded, however long the run is.
type growth struct {
	pid    func() int
	peak   float64 // MiB
	floors []floor
	every  int // looks in a floor
	open   int // looks in the floor that is being made
}

// A floor is the least memory in a piece of the run.
type floor struct {
	at    float64 // hours
	least float64 // MiB
}

const (
	mostFloors  = 240
	leastFloors = 10
	// leastGrowth is the shortest time from which a growth per hour can be told: a process that was just started fills its caches.
	leastGrowth = 30 * time.Minute
)

// look takes the memory as it is now. A process that is not there leaves a gap.
func (g *growth) look(now time.Duration) {
	pid := g.pid()
	b := residentOf(pid)
	if pid == os.Getpid() {
		b = resident()
	}
	if b > 0 {
		g.add(now.Hours(), float64(b)/(1<<20))
	}
}

func (g *growth) add(at, mib float64) {
	g.peak = max(g.peak, mib)
	if g.every == 0 {
		g.every = 1
	}
	if g.open == 0 {
		g.floors = append(g.floors, floor{at, mib})
	} else if last := &g.floors[len(g.floors)-1]; mib < last.least {
		*last = floor{at, mib}
	}
	if g.open = (g.open + 1) % g.every; g.open == 0 && len(g.floors) >= mostFloors {
		n := len(g.floors) / 2
		for i := range n {
			a, b := g.floors[2*i], g.floors[2*i+1]
			if g.floors[i] = a; b.least < a.least {
				g.floors[i] = b
			}
		}
		g.floors, g.every = g.floors[:n], 2*g.every
	}
}

// value of a threshold; ok is false where nothing can be told yet.
func (g *growth) value(metric string) (mib float64, ok bool) {
	if metric == memoryMetric {
		return g.peak, g.peak > 0
	}
	return g.slope()
}

// slope is the growth in MiB/h, that of the straight line through the floors; ok is false where they tell nothing yet.
func (g *growth) slope() (mib float64, ok bool) {
	n := float64(len(g.floors))
	if n < leastFloors || g.floors[len(g.floors)-1].at-g.floors[0].at < leastGrowth.Hours() {
		return 0, false
	}
	var t, m float64
	for _, f := range g.floors {
		t, m = t+f.at/n, m+f.least/n
	}
	var up, down float64
	for _, f := range g.floors {
		up, down = up+(f.at-t)*(f.least-m), down+(f.at-t)*(f.at-t)
	}
	return up / down, true
}

// residentOf is the memory of a process in bytes; 0 where it is not there.
func residentOf(pid int) int64 {
	if pid <= 0 {
		return 0
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if f := bytes.Fields(b); err == nil && len(f) > 1 {
		if pages, err := strconv.ParseInt(string(f[1]), 10, 64); err == nil {
			return pages * int64(os.Getpagesize())
		}
	}
	return 0
}

// process finds a threshold's process, again at each look: it may have been started anew.
func (r *run) process(of string) func() int {
	switch of {
	case "", ofGenerator:
		return os.Getpid
	case ofPipeline:
		if r.Pipeline == nil {
			return func() int { return 0 }
		}
		return r.Pipeline
	}
	file := r.Profile.path(of)
	return func() int {
		b, _ := os.ReadFile(file)
		pid, _ := strconv.Atoi(strings.TrimSpace(string(b)))
		return pid
	}
}
