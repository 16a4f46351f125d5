package content

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/invopop/jsonschema"

	"weir/internal/config"
)

// A Field says how the values of one field are drawn. One generator at most; null, length, branches and pool go with any.
// In a profile a plain value is short for constant.
type Field struct {
	Constant *string            `yaml:"constant,omitempty" json:"constant,omitempty" jsonschema:"description=Always this value"`
	Weights  map[string]float64 `yaml:"weights,omitempty" json:"weights,omitempty" jsonschema:"description=Values with their weights, as {DE: 6, FR: 3}"`
	Uniform  *Bounds            `yaml:"uniform,omitempty" json:"uniform,omitempty" jsonschema:"description=Between min and max; for times also as 2026-01-31"`
	Normal   *NormalDraw        `yaml:"normal,omitempty" json:"normal,omitempty"`
	// Lognormal is given by median and p99.
	Lognormal   *LognormalDraw `yaml:"lognormal,omitempty" json:"lognormal,omitempty"`
	Exponential *MeanDraw      `yaml:"exponential,omitempty" json:"exponential,omitempty"`
	Zipf        *ZipfDraw      `yaml:"zipf,omitempty" json:"zipf,omitempty" jsonschema:"description=Whole numbers from 1 on, small ones often"`
	Sequence    *Sequence      `yaml:"sequence,omitempty" json:"sequence,omitempty" jsonschema:"description=start + step x the message's number"`
	Fake        string         `yaml:"fake,omitempty" json:"fake,omitempty" jsonschema:"description=Name of a kind of text, as email or iban"`
	Pattern     string         `yaml:"pattern,omitempty" json:"pattern,omitempty" jsonschema:"description=Texts that match a regular expression"`

	Pool     string             `yaml:"pool,omitempty" json:"pool,omitempty" jsonschema:"description=The value belongs to an entity of this pool"`
	As       string             `yaml:"as,omitempty" json:"as,omitempty" jsonschema:"description=Name of the entity's attribute. Default: the field's name"`
	Null     *config.Percent    `yaml:"null,omitempty" json:"null,omitempty" jsonschema:"description=Share of nulls of a nullable field. Default 10%"`
	Length   *Lengths           `yaml:"length,omitempty" json:"length,omitempty" jsonschema:"description=Of a string or bytes; items of an array or map"`
	Branches map[string]float64 `yaml:"branches,omitempty" json:"branches,omitempty" jsonschema:"description=Weights of a union's types by name"`
}

// Bounds are numbers, or times as 2026-01-31 or 2026-01-31T10:00:00Z.
type Bounds struct {
	Min string `yaml:"min" json:"min" jsonschema:"required"`
	Max string `yaml:"max" json:"max" jsonschema:"required"`
}

// NormalDraw is the bell curve; values beyond min and max are drawn again.
type NormalDraw struct {
	Mean   float64  `yaml:"mean" json:"mean" jsonschema:"required"`
	StdDev float64  `yaml:"stddev" json:"stddev" jsonschema:"required"`
	Min    *float64 `yaml:"min,omitempty" json:"min,omitempty"`
	Max    *float64 `yaml:"max,omitempty" json:"max,omitempty"`
}

// LognormalDraw has a long tail.
type LognormalDraw struct {
	Median float64 `yaml:"median" json:"median" jsonschema:"required"`
	P99    float64 `yaml:"p99" json:"p99" jsonschema:"required"`
	Max    float64 `yaml:"max,omitempty" json:"max,omitempty"`
}

// MeanDraw is exponential.
type MeanDraw struct {
	Mean float64 `yaml:"mean" json:"mean" jsonschema:"required"`
	Max  float64 `yaml:"max,omitempty" json:"max,omitempty"`
}

// ZipfDraw draws 1 … n.
type ZipfDraw struct {
	N        config.Count `yaml:"n" json:"n" jsonschema:"required"`
	Exponent float64      `yaml:"exponent,omitempty" json:"exponent,omitempty" jsonschema:"description=Default 1"`
}

// Sequence counts with the message's number.
type Sequence struct {
	Start int64 `yaml:"start,omitempty" json:"start,omitempty"`
	Step  int64 `yaml:"step,omitempty" json:"step,omitempty" jsonschema:"description=Default 1"`
}

// Lengths are from min to max.
type Lengths struct {
	Min int `yaml:"min,omitempty" json:"min,omitempty"`
	Max int `yaml:"max" json:"max" jsonschema:"required"`
}

// UnmarshalYAML takes a section, or a plain value as a constant.
func (f *Field) UnmarshalYAML(unmarshal func(any) error) error {
	var word string
	if unmarshal(&word) == nil && word != "" {
		*f = Field{Constant: &word}
		return nil
	}
	type section Field
	return unmarshal((*section)(f))
}

// Schema takes a plain value or a section.
func (Field) Schema() *jsonschema.Schema {
	section := &jsonschema.Schema{Type: "object", Properties: jsonschema.NewProperties(), AdditionalProperties: jsonschema.FalseSchema}
	for _, name := range generators {
		section.Properties.Set(name, &jsonschema.Schema{})
	}
	for _, name := range []string{"pool", "as", "null", "length", "branches"} {
		section.Properties.Set(name, &jsonschema.Schema{})
	}
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Type: "number"}, {Type: "boolean"}, section}}
}

var generators = []string{"constant", "weights", "uniform", "normal", "lognormal", "exponential", "zipf", "sequence", "fake", "pattern"}

// given lists the generators that a field names.
func (f *Field) given() (all []string) {
	for i, there := range []bool{f.Constant != nil, len(f.Weights) > 0, f.Uniform != nil, f.Normal != nil, f.Lognormal != nil,
		f.Exponential != nil, f.Zipf != nil, f.Sequence != nil, f.Fake != "", f.Pattern != ""} {
		if there {
			all = append(all, generators[i])
		}
	}
	return all
}

// Invalid says what is wrong with a field whatever the schema is; empty: nothing.
func (f *Field) Invalid() string {
	switch g := f.given(); {
	case len(g) > 1:
		return "one generator only; got " + strings.Join(g, " and ")
	case f.Weights != nil && !positive(f.Weights):
		return "weights: want numbers from 0 on, one above 0"
	case f.Branches != nil && !positive(f.Branches):
		return "branches: want numbers from 0 on, one above 0"
	case f.Normal != nil && !(f.Normal.StdDev > 0):
		return "normal: want a stddev above 0"
	case f.Normal != nil && f.Normal.Min != nil && f.Normal.Max != nil && *f.Normal.Min >= *f.Normal.Max:
		return "normal: want min below max"
	case f.Lognormal != nil && !(f.Lognormal.Median > 0 && f.Lognormal.P99 > f.Lognormal.Median):
		return "lognormal: want 0 < median < p99"
	case f.Exponential != nil && !(f.Exponential.Mean > 0):
		return "exponential: want a mean above 0"
	case f.Zipf != nil && (f.Zipf.N < 1 || f.Zipf.Exponent < 0):
		return "zipf: want n of 1 or more and an exponent above 0"
	case f.Null != nil && (*f.Null < 0 || *f.Null > 1):
		return "null: want 0% to 100%"
	case f.Length != nil && (f.Length.Min < 0 || f.Length.Max < f.Length.Min || f.Length.Max > 1<<20):
		return "length: want 0 <= min <= max <= 1048576"
	case f.As != "" && f.Pool == "":
		return "as: wants a pool"
	case f.Fake != "" && fakes[f.Fake].write == nil:
		return "fake: there is no " + strconv.Quote(f.Fake) + suggest(f.Fake, slices.Sorted(maps.Keys(fakes)))
	}
	return ""
}

func suggest(got string, known []string) string {
	if near := config.Nearest(got, known); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

func positive(weights map[string]float64) bool {
	sum := 0.0
	for _, w := range weights {
		if !(w >= 0) {
			return false
		}
		sum += w
	}
	return sum > 0 && sum < 1e15
}

// number reads a bound: a number, or a time in the given units a second; day is the length of a unit in days for dates.
func number(text string, perSecond float64) (float64, bool) {
	if v, err := strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64); err == nil {
		return v, true
	}
	if perSecond == 0 {
		return 0, false
	}
	for _, form := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(form, text); err == nil {
			return float64(t.Unix()) * perSecond, true
		}
	}
	return 0, false
}
