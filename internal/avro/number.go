package avro

import (
	"encoding/binary"
	"encoding/hex"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/hamba/avro/v2"
)

func compilePrimitive(s *avro.PrimitiveSchema, t arrow.DataType) (node, error) {
	lt := logical(s)
	if lt == avro.Decimal {
		return compileDecimal(s, decimalOf(s), -1, t)
	}
	if (lt == timestampNanos || lt == localTimestampNanos) && t.ID() == arrow.INT64 {
		return longNode(1), nil
	}
	if !arrow.TypeEqual(primitiveType(s), t) {
		if n := promote(s.Type(), lt, t.ID()); n != nil {
			return n, nil
		}
		return nil, misfit(s, t)
	}
	switch lt {
	case avro.TimeMillis:
		return intAsLongNode(1000), nil
	case avro.TimestampMillis, avro.LocalTimestampMillis:
		return longNode(1000), nil
	case timestampNanos, localTimestampNanos:
		return nanosNode{}, nil
	}
	switch s.Type() {
	case avro.Boolean:
		return boolNode{}, nil
	case avro.Int:
		return intNode{}, nil
	case avro.Long:
		return longNode(1), nil
	case avro.Float:
		return floatNode{}, nil
	case avro.Double:
		return doubleNode{}, nil
	case avro.Bytes:
		return bytesNode{}, nil
	}
	return stringNode{}, nil
}

// promote is the way into a column of another type that Avro's rules for readers allow, or nil.
func promote(from avro.Type, lt avro.LogicalType, to arrow.Type) node {
	if lt != "" && lt != avro.UUID {
		return nil // a date is no number
	}
	switch {
	case from == avro.Int && to == arrow.INT64:
		return intAsLongNode(1)
	case (from == avro.Int || from == avro.Long) && to == arrow.FLOAT64:
		return asFloatingNode[float64]{int: from == avro.Int}
	case (from == avro.Int || from == avro.Long) && to == arrow.FLOAT32:
		return asFloatingNode[float32]{int: from == avro.Int}
	case from == avro.Float && to == arrow.FLOAT64:
		return floatAsDoubleNode{}
	case from == avro.String && to == arrow.BINARY:
		return bytesNode{}
	case from == avro.Bytes && to == arrow.STRING:
		return stringNode{}
	}
	return nil
}

func compileFixed(s *avro.FixedSchema, t arrow.DataType) (node, error) {
	if d := decimalOf(s); d != nil {
		return compileDecimal(s, d, s.Size(), t)
	}
	if isUUID(s) && t.ID() == arrow.STRING {
		return uuidNode{}, nil
	}
	if isDuration(s) {
		if n := durationInto(structFields(t)); n != nil {
			return n, nil
		}
	}
	if b, ok := t.(*arrow.FixedSizeBinaryType); ok && b.ByteWidth == s.Size() {
		return fixedNode(s.Size()), nil
	}
	return nil, misfit(s, t)
}

// intAsLongNode is an int for a wider column; the number is what it is multiplied with: 1000 for milliseconds.
type intAsLongNode int64

func (intAsLongNode) least() int { return 1 }

func (n intAsLongNode) decode(w *wire, c column) error {
	v, err := w.int()
	if err == nil {
		c.(*numbers[int64]).add(int64(v) * int64(n))
	}
	return err
}

// longNode is a long; the number is as above.
type longNode int64

func (longNode) least() int { return 1 }

func (n longNode) decode(w *wire, c column) error {
	v, err := w.long()
	if err != nil {
		return err
	}
	if n != 1 {
		if v > math.MaxInt64/int64(n) || v < math.MinInt64/int64(n) {
			return errTime
		}
		v *= int64(n)
	}
	c.(*numbers[int64]).add(v)
	return nil
}

type floatAsDoubleNode struct{}

func (floatAsDoubleNode) least() int { return 4 }

func (floatAsDoubleNode) decode(w *wire, c column) error {
	b, err := w.take(4)
	if err != nil {
		return errShort
	}
	c.(*numbers[float64]).add(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	return nil
}

// asFloatingNode is a whole number for a column of floating point: only one that stays what it is.
type asFloatingNode[T float32 | float64] struct{ int bool }

func (asFloatingNode[T]) least() int { return 1 }

func (n asFloatingNode[T]) decode(w *wire, c column) error {
	v, err := w.whole(n.int)
	if err != nil {
		return err
	}
	f := T(v)
	if f >= 1<<63 || int64(f) != v {
		return errInexact
	}
	c.(*numbers[T]).add(f)
	return nil
}

func (w *wire) whole(isInt bool) (int64, error) {
	if isInt {
		v, err := w.int()
		return int64(v), err
	}
	return w.long()
}

// nanosNode is a time in nanoseconds for a column of microseconds: rounded down, before 1970 as well.
type nanosNode struct{}

func (nanosNode) least() int { return 1 }

func (nanosNode) decode(w *wire, c column) error {
	v, err := w.long()
	if err != nil {
		return err
	}
	micros := v / 1000
	if v%1000 < 0 {
		micros--
	}
	c.(*numbers[int64]).add(micros)
	return nil
}

// uuidNode is a UUID of 16 bytes, as the text that one on a string would be.
type uuidNode struct{}

func (uuidNode) least() int { return 16 }

func (uuidNode) decode(w *wire, c column) error {
	b, err := w.take(16)
	if err != nil {
		return err
	}
	var text [36]byte
	return c.(*texts).add(appendUUID(text[:0], b))
}

func appendUUID(out, b []byte) []byte {
	for _, n := range [...]int{4, 2, 2, 2} {
		out = append(hex.AppendEncode(out, b[:n]), '-')
		b = b[n:]
	}
	return hex.AppendEncode(out, b)
}

// durationNode has the columns of months, days and milliseconds among those of its struct, and the others.
type durationNode struct {
	parts [3]int
	rest  []int
}

func durationInto(cols []arrow.Field) node {
	n, found := durationNode{}, 0
	for i, c := range cols {
		part := -1
		for k, f := range durationType.Fields() {
			if c.Name == f.Name && c.Type.ID() == arrow.INT64 {
				part = k
			}
		}
		if part < 0 {
			n.rest = append(n.rest, i)
			continue
		}
		n.parts[part] = i
		found++
	}
	if found < len(n.parts) {
		return nil
	}
	return n
}

func (durationNode) least() int { return 12 }

func (n durationNode) decode(w *wire, c column) error {
	b, err := w.take(12)
	if err != nil {
		return err
	}
	s := c.(*structs)
	for i, at := range n.parts {
		s.children[at].(*numbers[int64]).add(int64(binary.LittleEndian.Uint32(b[4*i:])))
	}
	for _, at := range n.rest {
		s.children[at].null()
	}
	s.n++
	return nil
}
