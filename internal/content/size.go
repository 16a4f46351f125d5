package content

import (
	"fmt"
	"math"
	"slices"

	"weir/internal/config"
)

// Size says how large the whole Kafka value is: header of 5 bytes and record.
type Size struct {
	Distribution string        `yaml:"distribution,omitempty" json:"distribution,omitempty" jsonschema:"enum=constant,enum=uniform,enum=normal,enum=lognormal,enum=pareto,enum=buckets,enum=learned,enum=schema"`
	Of           string        `yaml:"of,omitempty" json:"of,omitempty" jsonschema:"enum=encoded,description=Default encoded: header of 5 bytes and record"`
	Bytes        config.Size   `yaml:"bytes,omitempty" json:"bytes,omitempty" jsonschema:"description=The size of constant"`
	Mean         config.Size   `yaml:"mean,omitempty" json:"mean,omitempty" jsonschema:"description=Of normal"`
	StdDev       config.Size   `yaml:"stddev,omitempty" json:"stddev,omitempty" jsonschema:"description=Of normal"`
	Median       config.Size   `yaml:"median,omitempty" json:"median,omitempty" jsonschema:"description=Of lognormal"`
	P99          config.Size   `yaml:"p99,omitempty" json:"p99,omitempty" jsonschema:"description=Of lognormal"`
	Min          config.Size   `yaml:"min,omitempty" json:"min,omitempty" jsonschema:"description=Of uniform and pareto; of normal and lognormal (default: the smallest that the schema allows)"`
	Max          config.Size   `yaml:"max,omitempty" json:"max,omitempty" jsonschema:"description=Of all but constant"`
	Exponent     float64       `yaml:"exponent,omitempty" json:"exponent,omitempty" jsonschema:"description=Of pareto: the smaller the longer its tail. Default 1.16"`
	Buckets      []SizeBucket  `yaml:"buckets,omitempty" json:"buckets,omitempty" jsonschema:"description=Weighted sizes or ranges of them"`
	File         string        `yaml:"file,omitempty" json:"file,omitempty" jsonschema:"description=Of learned: observed sizes in bytes, one in each line, or a capture; the path is relative to the profile"`
	Sizes        []config.Size `yaml:"sizes,omitempty" json:"sizes,omitempty" jsonschema:"description=Of learned: observed sizes, in place of a file"`
	Pad          string        `yaml:"pad,omitempty" json:"pad,omitempty" jsonschema:"description=Path of the string, bytes or list field that grows to the size. Default: one that the schema leaves free"`

	// Learned are the observed sizes, sorted: up to 1000 as they are, of more of them their thousandths.
	Learned []int `yaml:"-" json:"learned,omitempty"`
}

// SizeBucket is one size, or all between two.
type SizeBucket struct {
	Bytes  config.Size `yaml:"bytes,omitempty" json:"bytes,omitempty"`
	Min    config.Size `yaml:"min,omitempty" json:"min,omitempty"`
	Max    config.Size `yaml:"max,omitempty" json:"max,omitempty"`
	Weight float64     `yaml:"weight" json:"weight" jsonschema:"required"`
}

// Constant is always the same size.
func Constant(bytes int) Size { return Size{Distribution: "constant", Bytes: config.Size(bytes)} }

// Learn makes sizes like the observed ones.
func Learn(observed []int) Size {
	all := slices.Sorted(slices.Values(observed))
	if n := len(all); n > knots {
		few := make([]int, knots+1)
		for i := range few {
			few[i] = all[int(math.Round(float64(i)*float64(n-1)/knots))]
		}
		all = few
	}
	return Size{Distribution: "learned", Learned: all}
}

// knots is how many parts a learned distribution has at most.
const knots = 1000

// Given reports that a size is asked for; otherwise values are as large as the data makes them.
func (s *Size) Given() bool { return s.Distribution != "" && s.Distribution != "schema" }

// Invalid says what is wrong with it whatever the schema is; empty: nothing.
func (s *Size) Invalid() string {
	switch s.Distribution {
	case "constant":
		if s.Bytes <= 0 {
			return "constant wants bytes, as 1KiB"
		}
	case "uniform":
		if s.Min <= 0 || s.Max < s.Min {
			return "uniform wants min and max, min not above max"
		}
	case "normal":
		if s.Mean <= 0 || s.StdDev <= 0 || s.Max != 0 && s.Max < s.Mean || s.Min > s.Mean {
			return "normal wants mean and stddev (and min <= mean <= max, if given)"
		}
	case "lognormal":
		if s.Median <= 0 || s.P99 <= s.Median || s.Max < s.P99 || s.Min > s.Median {
			return "lognormal wants median < p99 <= max (and min, if given, below the median)"
		}
	case "pareto":
		if s.Min <= 0 || s.Max <= s.Min || s.Exponent < 0 {
			return "pareto wants min < max (and an exponent above 0, if given)"
		}
	case "buckets":
		if len(s.Buckets) == 0 {
			return "buckets wants a list, as [{bytes: 200, weight: 9}, {min: 1KiB, max: 64KiB, weight: 1}]"
		}
		sum := 0.0
		for _, b := range s.Buckets {
			if !(b.Weight >= 0) || (b.Bytes > 0) == (b.Max > 0) || b.Max > 0 && (b.Min <= 0 || b.Max < b.Min) {
				return "a bucket wants a weight, and bytes or min <= max"
			}
			sum += b.Weight
		}
		if !(sum > 0) {
			return "buckets: one weight must be above 0"
		}
	case "learned":
		if s.File == "" && len(s.Learned)+len(s.Sizes) == 0 {
			return "learned wants a file with observed sizes, one in each line, or sizes"
		}
		if s.File != "" && len(s.Sizes) > 0 {
			return "learned wants either a file or sizes"
		}
		for i, b := range s.Sizes {
			if b <= 0 {
				return fmt.Sprintf("sizes[%d]: want 1 or more bytes", i)
			}
		}
	}
	return ""
}

// A sizer draws sizes. It takes two random numbers so that a size costs a message's stream the same whatever it is.
type sizer interface {
	draw(a, b uint64) int
	bounds() (least, most int)
}

// sizer compiles the size; floor is the smallest that the schema allows.
func (s *Size) sizer(floor int) sizer {
	least, most := int(s.Min), int(s.Max)
	if least == 0 {
		least = floor
	}
	switch s.Distribution {
	case "constant":
		return constantSize(s.Bytes)
	case "uniform":
		return uniformSize{int(s.Min), int(s.Max)}
	case "normal":
		if most == 0 {
			most = int(s.Mean + 6*s.StdDev)
		}
		return normalSize{float64(s.Mean), float64(s.StdDev), least, most}
	case "lognormal":
		return lognormalSize{float64(s.Median), math.Log(float64(s.P99)/float64(s.Median)) / z99, least, most}
	case "pareto":
		alpha := s.Exponent
		if alpha == 0 {
			alpha = 1.16
		}
		return paretoSize{int(s.Min), int(s.Max), alpha}
	case "buckets":
		b := bucketSize{}
		var weights []float64
		for _, x := range s.Buckets {
			weights = append(weights, x.Weight)
			if x.Bytes > 0 {
				x.Min, x.Max = x.Bytes, x.Bytes
			}
			b.all = append(b.all, uniformSize{int(x.Min), int(x.Max)})
		}
		b.which = newWeighted(weights)
		return b
	case "learned":
		return learnedSize(s.Learned)
	}
	return nil
}

type constantSize int

func (s constantSize) draw(_, _ uint64) int { return int(s) }
func (s constantSize) bounds() (int, int)   { return int(s), int(s) }

type uniformSize struct{ min, max int }

func (s uniformSize) draw(a, _ uint64) int { return s.min + int(below(a, uint64(s.max-s.min+1))) }
func (s uniformSize) bounds() (int, int)   { return s.min, s.max }

// normalSize is the bell curve; draws outside min and max are moved to the bound.
type normalSize struct {
	mean, stddev float64
	min, max     int
}

func (s normalSize) draw(a, b uint64) int { return within(s.mean+s.stddev*bell(a, b), s.min, s.max) }
func (s normalSize) bounds() (int, int)   { return s.min, s.max }

func within(x float64, least, most int) int {
	return int(math.Round(min(max(x, float64(least)), float64(most))))
}

// lognormalSize has most sizes near median and a long tail: sigma is the standard deviation of the logarithm. Draws outside
// min and max are moved to the bound.
type lognormalSize struct {
	median, sigma float64
	min, max      int
}

// z99 is the 99th percentile of the standard normal distribution.
const z99 = 2.3263478740408408

func (s lognormalSize) draw(a, b uint64) int {
	return within(s.median*math.Exp(s.sigma*bell(a, b)), s.min, s.max)
}
func (s lognormalSize) bounds() (int, int) { return s.min, s.max }

// paretoSize has its bounds as parts of the distribution: nothing piles up at them.
type paretoSize struct {
	min, max int
	alpha    float64
}

func (s paretoSize) draw(a, _ uint64) int {
	u := float64(a>>11) / (1 << 53)
	low, high := math.Pow(float64(s.min), -s.alpha), math.Pow(float64(s.max), -s.alpha)
	return within(math.Pow(low-u*(low-high), -1/s.alpha), s.min, s.max)
}
func (s paretoSize) bounds() (int, int) { return s.min, s.max }

type bucketSize struct {
	which weighted
	all   []uniformSize
}

func (s bucketSize) draw(a, b uint64) int { return s.all[s.which.draw(a)].draw(b, 0) }
func (s bucketSize) bounds() (least, most int) {
	least = math.MaxInt
	for _, u := range s.all {
		least, most = min(least, u.min), max(most, u.max)
	}
	return least, most
}

type learnedSize []int

func (s learnedSize) draw(a, b uint64) int {
	if len(s) <= knots {
		return s[below(a, uint64(len(s)))]
	}
	i := below(a, knots)
	return s[i] + int(below(b, uint64(s[i+1]-s[i]+1)))
}
func (s learnedSize) bounds() (int, int) { return s[0], s[len(s)-1] }
