package regress

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/stat/distuv"
)

// Noise is what pairs of the same build tell about a machine.
type Noise struct {
	Metric string  `json:"metric"`
	Pairs  int     `json:"pairs"`  // of a comparison
	Spread float64 `json:"spread"` // of the relative difference within a pair, as a standard deviation
	Floor  float64 `json:"floor"`  // the noise floor: no smaller change can be told from none with so many pairs
	Seen   float64 `json:"seen"`   // the smallest change that four of five comparisons find
	Quiet  bool    `json:"quiet"`  // the spread is at most 3 %: a confirm round is not needed
}

// Calibrate measures the noise from pairs of the same build (A/A), for comparisons of n pairs.
func Calibrate(m Metric, pairs []Pair, n int) (Noise, error) {
	if len(pairs) < Least {
		return Noise{}, fmt.Errorf("%s: %d pairs of the same build: at least %d are needed", m.Name, len(pairs), Least)
	}
	d := make([]float64, len(pairs))
	var sum, sq float64
	for i, p := range pairs {
		if !(p.Base > 0) || !(p.Candidate > 0) {
			return Noise{}, fmt.Errorf("%s: pair %d is %v and %v: expected positive numbers", m.Name, i+1, p.Base, p.Candidate)
		}
		d[i] = m.worse(p)
		sum += d[i]
		sq += d[i] * d[i]
	}
	k := float64(len(d))
	sd := max(math.Sqrt(max(0, (sq-sum*sum/k)/(k-1))), mad(d))
	// The estimate's own spread: that of a mean, a little wider for its efficiency (3/π). Of few pairs the test asks for more than
	// the normal distribution does: Student's with n-1 degrees comes close.
	se := sd / math.Sqrt(float64(n)) / math.Sqrt(3/math.Pi)
	t := distuv.StudentsT{Sigma: 1, Nu: float64(max(n, Least) - 1)}
	floor := t.Quantile(1-Alpha) * se
	return Noise{Metric: m.Name, Pairs: n, Spread: math.Expm1(sd), Floor: math.Expm1(floor), Seen: math.Expm1(seen(sd, floor, n)), Quiet: sd <= believed}, nil
}

// seen tries the very test out: the change that four of five comparisons of n pairs find, on a machine of that spread. Its draws
// have a seed of their own.
func seen(sd, floor float64, n int) float64 {
	const tries = 1000
	noise := make([][]float64, tries)
	rng := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = make([]float64, n)
		for k := range noise[i] {
			noise[i][k] = sd * rng.NormFloat64()
		}
	}
	enough := func(change float64) bool {
		found := 0
		d := make([]float64, n)
		for _, x := range noise {
			for k := range d {
				d[k] = change + x[k]
			}
			if est, _, _, _ := hodgesLehmann(d); est >= floor && signFlip(d) <= Alpha {
				found++
			}
		}
		return found >= tries*4/5
	}
	low, high := 0.0, 10*max(sd, 1e-9)
	for range 12 {
		if mid := (low + high) / 2; enough(mid) {
			high = mid
		} else {
			low = mid
		}
	}
	return high
}

// Check refuses a floor that lies in the noise.
func (n Noise) Check(m Metric) error {
	if m.Gated && m.Floor < n.Floor {
		return fmt.Errorf("%s: a floor of %.3g %% lies in the noise of this machine (%.3g %% with %d pairs): raise it, make more pairs, or take a quieter machine",
			m.Name, 100*m.Floor, 100*n.Floor, n.Pairs)
	}
	return nil
}
