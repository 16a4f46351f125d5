package minibatch

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// ErrBudget means that no retry was left in the [Budget]: what the job talks to fails so often that trying again would only add
// to its load.
var ErrBudget = errors.New("retry budget exhausted")

// A Budget keeps retries a small part of the work, as in the SRE book and gRPC's retry throttling: each committed batch earns a
// share of a retry, and each retry costs one. In any span of time there are at most Burst + PerMinute * minutes + Share *
// batches retries. A retry that the budget does not allow yet waits, or, where none will come, ends the run with [ErrBudget].
//
// Zero means the default; negative means none. A run has a budget of its own unless its Retry names one, which several jobs
// may share that talk to the same server.
type Budget struct {
	Share     float64 // of the batches, default 0.2
	Burst     float64 // retries that can be saved up, and that a run begins with, default 10
	PerMinute float64 // retries that time brings, default 10, so that a server that comes back is found

	mu     sync.Mutex
	used   float64 // of Burst
	at     time.Time
	begun  bool
	spent  int
	earned int
}

func pick(v, otherwise float64) float64 {
	switch {
	case v < 0:
		return 0
	case v == 0:
		return otherwise
	}
	return v
}

func (b *Budget) share() float64 { return pick(b.Share, 0.2) }
func (b *Budget) burst() float64 { return max(1, pick(b.Burst, 10)) }
func (b *Budget) rate() float64  { return pick(b.PerMinute, 10) / float64(time.Minute) }

// earn counts a committed batch.
func (b *Budget) earn() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	b.earned++
	b.used = max(0, b.used-b.share())
}

func (b *Budget) refill() {
	now := time.Now()
	if b.begun {
		b.used = max(0, b.used-b.rate()*float64(now.Sub(b.at)))
	}
	b.at, b.begun = now, true
}

// take reserves a retry and says how long it must wait, of several callers in their order. Without one it reserves nothing.
func (b *Budget) take(most time.Duration) (wait time.Duration, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.refill()
	if over := b.used + 1 - b.burst(); over > 1e-9 {
		if b.rate() == 0 {
			return 0, fmt.Errorf("%w: %d retries for %d batches", ErrBudget, b.spent, b.earned)
		}
		if wait = time.Duration(over / b.rate()); wait > most {
			return 0, fmt.Errorf("%w: %d retries for %d batches, the next one in %v", ErrBudget, b.spent, b.earned, wait.Round(time.Second))
		}
	}
	b.used++
	b.spent++
	return wait, nil
}
