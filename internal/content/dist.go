package content

import (
	"math"
	"sort"
)

// unit gives a number in [0, 1).
func (r *rng) unit() float64 { return float64(r.next()>>11) / (1 << 53) }

// bell draws from the standard normal distribution (Box-Muller).
func (r *rng) bell() float64 { return bell(r.next(), r.next()) }

func bell(a, b uint64) float64 {
	u := (float64(a>>11) + 1) / (1 << 53) // in (0, 1]: the logarithm needs it
	v := float64(b>>11) / (1 << 53)
	return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v)
}

// exp draws from the exponential distribution with mean 1.
func (r *rng) exp() float64 { return -math.Log((float64(r.next()>>11) + 1) / (1 << 53)) }

// zipf draws 1 … n with a probability of rank^-exponent, by rejection from the integral of that curve (Hörmann and Derflinger
// 1996): no table, whatever n is, and 1.0 to 1.3 tries a draw.
type zipf struct {
	n, exponent float64
	top, bottom float64 // the curve's integral at 1.5, less 1, and at n + 0.5
	shortcut    float64
}

func newZipf(n uint64, exponent float64) *zipf {
	z := &zipf{n: float64(n), exponent: exponent}
	z.top = z.integral(1.5) - 1
	z.bottom = z.integral(z.n + 0.5)
	z.shortcut = 2 - z.inverse(z.integral(2.5)-z.curve(2))
	return z
}

func (z *zipf) curve(x float64) float64 { return math.Exp(-z.exponent * math.Log(x)) }

func (z *zipf) integral(x float64) float64 {
	l := math.Log(x)
	return growth((1-z.exponent)*l) * l
}

func (z *zipf) inverse(y float64) float64 {
	t := max(-1, y*(1-z.exponent))
	return math.Exp(logarithm(t) * y)
}

// growth is (eˣ-1)/x and logarithm is log(1+x)/x, both also at 0.
func growth(x float64) float64 {
	if math.Abs(x) > 1e-8 {
		return math.Expm1(x) / x
	}
	return 1 + x/2*(1+x/3*(1+x/4))
}

func logarithm(x float64) float64 {
	if math.Abs(x) > 1e-8 {
		return math.Log1p(x) / x
	}
	return 1 - x*(0.5-x*(1.0/3-x/4))
}

func (z *zipf) draw(r *rng) uint64 {
	for {
		u := z.bottom + r.unit()*(z.top-z.bottom)
		x := z.inverse(u)
		k := min(max(math.Floor(x+0.5), 1), z.n)
		if k-x <= z.shortcut || u >= z.integral(k+0.5)-z.curve(k) {
			return uint64(k)
		}
	}
}

// weighted draws an index with the given weights.
type weighted []uint64 // upper borders of a random word

func newWeighted(weights []float64) weighted {
	sum := 0.0
	for _, w := range weights {
		sum += w
	}
	borders, below := make(weighted, len(weights)), 0.0
	last := 0
	for i, w := range weights {
		below += w
		if w > 0 {
			last = i
		}
		borders[i] = border(below / sum)
	}
	for i := last; i < len(borders); i++ {
		borders[i] = math.MaxUint64
	}
	return borders
}

// border is the word below which a share of all words lies.
func border(share float64) uint64 {
	if share >= 1 {
		return math.MaxUint64
	}
	return uint64(share * (1 << 63) * 2)
}

func (w weighted) draw(word uint64) int {
	if len(w) > 16 {
		return min(len(w)-1, sort.Search(len(w), func(i int) bool { return word < w[i] }))
	}
	for i, b := range w {
		if word < b {
			return i
		}
	}
	return len(w) - 1
}

// chooser draws 0 … n-1 as a Choice says.
type chooser struct {
	n          uint64
	sequential bool
	zipf       *zipf
	hot        uint64 // border of the hot share
	hotKeys    uint64
}

func newChooser(n uint64, c Choice) *chooser {
	k := &chooser{n: n, sequential: c.Distribution == "sequential"}
	if c.Distribution == "zipf" {
		k.zipf = newZipf(n, exponent(c.Exponent))
	}
	if c.Hot.Share > 0 {
		k.hot, k.hotKeys = border(float64(c.Hot.Share)), min(n, max(1, uint64(c.Hot.Keys)))
	}
	return k
}

func exponent(e float64) float64 {
	if e == 0 {
		return 1
	}
	return e
}

func (k *chooser) draw(d *draw) uint64 {
	if k.hot > 0 && d.next() < k.hot {
		return d.below(k.hotKeys)
	}
	switch {
	case k.zipf != nil:
		return k.zipf.draw(&d.rng) - 1
	case k.sequential:
		return d.n % k.n
	}
	return d.below(k.n)
}
