package load

import "math/rand/v2"

// arrivals are the positions on the curve at which one sender's messages are due.
//
// With uniform arrivals message n has position n. Poisson arrivals are exact: a Poisson process is the sum of independent ones,
// so each sender has its own, of its share of the rate, and draws exponential gaps; the curve then bends time (Lewis and
// Shedler, 1979). With a rate in bytes/s a message takes as much of the curve as it has bytes, so that the senders need not know
// of each other.
type arrivals struct {
	x     float64
	share float64 // of how many senders this is one
	bytes bool
	gap   *rand.Rand // nil: uniform
}

func newArrivals(r *Rate, seed uint64, id, shards int, first float64) arrivals {
	a := arrivals{x: first, share: float64(shards), bytes: r.bytes()}
	if a.bytes {
		a.x = 0
	}
	if r.Arrival == "poisson" {
		a.gap = rand.New(rand.NewPCG(seed, uint64(id)))
		a.x = 0
		if !a.bytes {
			a.next(1)
		}
	}
	return a
}

// next goes on behind a message of so many bytes.
func (a *arrivals) next(size int) {
	step := a.share
	if a.bytes {
		step *= float64(size)
	}
	if a.gap != nil {
		step *= a.gap.ExpFloat64()
	}
	a.x += step
}
