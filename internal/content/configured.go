package content

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/hamba/avro/v2"
)

// configured draws a field as the profile wants it.
func (c *compiler) configured(path string, s avro.Schema, f *Field) (step, error) {
	wrong := func(format string, args ...any) (step, error) {
		return step{}, fmt.Errorf("value.fields.%s: %s", path, fmt.Sprintf(format, args...))
	}
	if why := f.Invalid(); why != "" {
		return wrong("%s", why)
	}
	generate := func(t avro.Schema) (step, error) {
		st, err := c.generated(path, deref(t), f)
		if err != nil || f.Pool == "" {
			return st, err
		}
		return c.pooled(path, st, f)
	}
	if u, ok := s.(*avro.UnionSchema); ok {
		return c.union(path, u, f, generate)
	}
	if f.Null != nil {
		return wrong("null: the field is a %s, it cannot be null", describe(s))
	}
	if f.Branches != nil {
		return wrong("branches: the field is a %s, no union", describe(s))
	}
	return generate(s)
}

// generated draws a type that is no union with the field's generator.
func (c *compiler) generated(path string, s avro.Schema, f *Field) (step, error) {
	cannot := func() (step, error) {
		g := append(f.given(), "length")[0]
		return step{}, fmt.Errorf("value.fields.%s: %s cannot make a %s", path, g, describe(s))
	}
	switch {
	case len(f.given()) == 0:
		return c.measured(path, s, f)
	case f.Constant != nil:
		b, err := encodeText(s, *f.Constant)
		if err != nil {
			return step{}, fmt.Errorf("value.fields.%s: %w", path, err)
		}
		return constant(b), nil
	case f.Weights != nil:
		words := slices.Sorted(maps.Keys(f.Weights))
		all, weights := make([]step, 0, len(words)), make([]float64, 0, len(words))
		for _, w := range words {
			b, err := encodeText(s, w)
			if err != nil {
				return step{}, fmt.Errorf("value.fields.%s: weights: %w", path, err)
			}
			all, weights = append(all, constant(b)), append(weights, f.Weights[w])
		}
		return oneStep(all, weights), nil
	case f.Fake != "" || f.Pattern != "":
		if s.Type() != avro.String || logicalOf(s) != "" {
			return cannot()
		}
		if f.Fake != "" {
			return fakes[f.Fake], nil
		}
		st, err := pattern(f.Pattern)
		if err != nil {
			return step{}, fmt.Errorf("value.fields.%s: pattern: %w", path, err)
		}
		return st, nil
	case f.Sequence != nil:
		return sequence(path, s, *f.Sequence)
	}
	n, ok := numeric(s)
	if !ok {
		return cannot()
	}
	if f.Uniform != nil {
		return n.uniform(path, *f.Uniform)
	}
	return n.step(f.drawer()), nil
}

// measured draws by the type, with the length that is wanted, or as an entity is told apart from others.
func (c *compiler) measured(path string, s avro.Schema, f *Field) (step, error) {
	if f.Length != nil {
		l := *f.Length
		switch s.Type() {
		case avro.String:
			return textsOf(l), nil
		case avro.Bytes:
			return blobsOf(l), nil
		case avro.Map:
			if l.Max > 676 {
				return step{}, fmt.Errorf("value.fields.%s: length: a map has at most 676 entries", path)
			}
			fallthrough
		case avro.Array:
			return c.typed(path, s, l)
		}
		return step{}, fmt.Errorf("value.fields.%s: length: a %s has none", path, describe(s))
	}
	if f.Pool != "" && logicalOf(s) == "" && decimalOf(s) == nil {
		switch s.Type() {
		case avro.String:
			return labels, nil
		case avro.Long, avro.Int:
			return plain(1, 5, func(b []byte, d *draw) []byte { return appendLong(b, int64(d.n)+1) }), nil
		}
	}
	return c.typed(path, s, Lengths{0, 3})
}

// oneStep writes one of several of the same type.
func oneStep(all []step, weights []float64) step {
	which, sum := newWeighted(weights), all[0]
	for _, s := range all {
		sum.least, sum.lean, sum.most = min(sum.least, s.least), max(sum.lean, s.most), max(sum.most, s.most)
	}
	sum.write = func(b []byte, d *draw) []byte { return all[which.draw(d.next())].write(b, d) }
	return sum
}

// sequence counts with the message's number, the same whoever makes it.
func sequence(path string, s avro.Schema, q Sequence) (step, error) {
	if q.Step == 0 {
		q.Step = 1
	}
	at := func(d *draw) int64 { return q.Start + q.Step*int64(d.n) }
	switch {
	case decimalOf(s) != nil || logicalOf(s) != "" && s.Type() == avro.String:
	case s.Type() == avro.Long:
		return plain(1, 10, func(b []byte, d *draw) []byte { return appendLong(b, at(d)) }), nil
	case s.Type() == avro.Int:
		return plain(1, 5, func(b []byte, d *draw) []byte { return appendLong(b, int64(int32(at(d)))) }), nil
	case s.Type() == avro.Double:
		return plain(8, 8, func(b []byte, d *draw) []byte { return appendDouble(b, float64(at(d))) }), nil
	case s.Type() == avro.String:
		return plain(2, 21, func(b []byte, d *draw) []byte {
			start := len(b)
			b = strconv.AppendInt(append(b, 0), at(d), 10)
			b[start] = byte(2 * (len(b) - start - 1))
			return b
		}), nil
	}
	return step{}, fmt.Errorf("value.fields.%s: sequence cannot make a %s", path, describe(s))
}

// encodeText writes a value of a profile as the type wants it.
func encodeText(s avro.Schema, text string) ([]byte, error) {
	no := func() ([]byte, error) { return nil, fmt.Errorf("%q is no %s", text, describe(s)) }
	if n, ok := numeric(s); ok {
		v, ok := number(text, n.perSecond)
		if i, err := strconv.ParseInt(text, 10, 64); err == nil && n.whole != nil {
			if s.Type() == avro.Int && i != int64(int32(i)) {
				return no()
			}
			return n.whole(nil, i), nil
		}
		if !ok || n.whole != nil && v != math.Trunc(v) {
			return no()
		}
		return n.append(nil, v), nil
	}
	switch t := s.(type) {
	case *avro.EnumSchema:
		i := slices.Index(t.Symbols(), text)
		if i < 0 {
			return nil, fmt.Errorf("%s has no symbol %s%s (it has %s)", t.FullName(), text, suggest(text, t.Symbols()), strings.Join(t.Symbols(), ", "))
		}
		return appendLong(nil, int64(i)), nil
	case *avro.FixedSchema:
		if len(text) != t.Size() {
			return no()
		}
		return []byte(text), nil
	}
	switch s.Type() {
	case avro.String, avro.Bytes:
		if decimalOf(s) == nil {
			return appendString(nil, text), nil
		}
	case avro.Boolean:
		switch text {
		case "true":
			return []byte{1}, nil
		case "false":
			return []byte{0}, nil
		}
	}
	return no()
}

// drawer is the distribution that a field names, other than uniform.
func (f *Field) drawer() func(*draw) float64 {
	switch {
	case f.Normal != nil:
		least, most := math.Inf(-1), math.Inf(1)
		if f.Normal.Min != nil {
			least = *f.Normal.Min
		}
		if f.Normal.Max != nil {
			most = *f.Normal.Max
		}
		mean, dev := f.Normal.Mean, f.Normal.StdDev
		return func(d *draw) float64 {
			v := mean + dev*d.bell()
			for range 16 { // a bound far outside is met in the end
				if v >= least && v <= most {
					break
				}
				v = mean + dev*d.bell()
			}
			return min(max(v, least), most)
		}
	case f.Lognormal != nil:
		median, sigma, most := f.Lognormal.Median, math.Log(f.Lognormal.P99/f.Lognormal.Median)/z99, bound(f.Lognormal.Max)
		return func(d *draw) float64 { return min(most, median*math.Exp(sigma*d.bell())) }
	case f.Exponential != nil:
		mean, most := f.Exponential.Mean, bound(f.Exponential.Max)
		return func(d *draw) float64 { return min(most, mean*d.exp()) }
	case f.Zipf != nil:
		z := newZipf(uint64(f.Zipf.N), exponent(f.Zipf.Exponent))
		return func(d *draw) float64 { return float64(z.draw(&d.rng)) }
	}
	return nil
}

func bound(most float64) float64 {
	if most == 0 {
		return math.Inf(1)
	}
	return most
}
