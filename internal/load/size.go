package load

import (
	"math"
)

// A Size draws how many bytes a whole Kafka value (header of 5 bytes and record) shall have. It is read by all senders at once.
type Size interface {
	// Draw takes two random numbers so that a size costs a message's stream the same whatever the distribution is.
	Draw(a, b uint64) int
	// Bounds are the smallest and the largest size that Draw can give.
	Bounds() (least, most int)
}

// ConstantSize is always the same.
type ConstantSize int

// Draw gives the size.
func (s ConstantSize) Draw(_, _ uint64) int { return int(s) }

// Bounds are the size itself.
func (s ConstantSize) Bounds() (int, int) { return int(s), int(s) }

// UniformSize takes every size from Min to Max equally often.
type UniformSize struct{ Min, Max int }

// Draw gives one of them.
func (s UniformSize) Draw(a, _ uint64) int { return s.Min + int(below(a, uint64(s.Max-s.Min+1))) }

// Bounds are Min and Max.
func (s UniformSize) Bounds() (int, int) { return s.Min, s.Max }

// LognormalSize has most sizes near Median and a long tail: Sigma is the standard deviation of the logarithm. Draws outside
// Min and Max are moved to the bound.
type LognormalSize struct {
	Median, Sigma float64
	Min, Max      int
}

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263478740408408

// Lognormal is given by its median and its 99th percentile, as people know their sizes.
func Lognormal(median, p99 float64, least, most int) LognormalSize {
	return LognormalSize{Median: median, Sigma: math.Log(p99/median) / z99, Min: least, Max: most}
}

// Draw uses the Box-Muller transform.
func (s LognormalSize) Draw(a, b uint64) int {
	u := (float64(a>>11) + 1) / (1 << 53) // in (0, 1]: the logarithm needs it
	v := float64(b>>11) / (1 << 53)
	z := math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
	x := s.Median * math.Exp(s.Sigma*z)
	return int(math.Round(min(max(x, float64(s.Min)), float64(s.Max))))
}

// Bounds are Min and Max.
func (s LognormalSize) Bounds() (int, int) { return s.Min, s.Max }
