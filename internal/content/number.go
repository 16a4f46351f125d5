package content

import (
	"fmt"
	"math"
	"strconv"

	"github.com/hamba/avro/v2"
)

// numbers of a type: how a drawn value is written.
type numberType struct {
	append      func(b []byte, v float64) []byte
	whole       func(b []byte, v int64) []byte // of types that hold whole numbers
	least, most int
	perSecond   float64 // of times: units in a second
}

// timeUnit is how many units of a time type make a second; 0: it is no point in time. A plain long counts milliseconds.
func timeUnit(s avro.Schema) float64 {
	switch logicalOf(s) {
	case avro.TimestampMillis, avro.LocalTimestampMillis:
		return 1e3
	case avro.TimestampMicros, avro.LocalTimestampMicros:
		return 1e6
	case avro.Date:
		return 1.0 / daySeconds
	}
	if p, ok := s.(*avro.PrimitiveSchema); ok && p.Type() == avro.Long && p.Logical() == nil {
		return 1e3
	}
	return 0
}

// numeric says how numbers become values of a type; ok is false for types that hold none.
func numeric(s avro.Schema) (n numberType, ok bool) {
	if logicalOf(s) != "" {
		n.perSecond = timeUnit(s)
	}
	if d := decimalOf(s); d != nil {
		limit := math.Pow10(min(d.Precision(), 18)) - 1
		scale := math.Pow10(d.Scale())
		width := 0
		if f, fixed := s.(*avro.FixedSchema); fixed {
			width = f.Size()
			limit = min(limit, math.Exp2(float64(8*min(width, 8)-1))-1025) // 1025: a float64 next to 2^63 rounds up
		}
		if width > 0 {
			n.least, n.most = width, width
			n.append = func(b []byte, v float64) []byte { return appendTwos(b, clamp(v*scale, limit), width) }
			return n, true
		}
		n.least, n.most = 2, 9
		n.append = func(b []byte, v float64) []byte { return appendUnscaled(b, clamp(v*scale, limit)) }
		return n, true
	}
	p, prim := s.(*avro.PrimitiveSchema)
	if !prim {
		return n, false
	}
	switch p.Type() {
	case avro.Int, avro.Long:
		limit := float64(1 << 62)
		n.least, n.most = 1, 10
		if p.Type() == avro.Int {
			limit, n.most = math.MaxInt32, 5
		}
		switch logicalOf(s) { // what a decoder may refuse
		case avro.TimeMillis:
			limit = daySeconds*1e3 - 1
		case avro.TimeMicros:
			limit = daySeconds*1e6 - 1
		}
		n.append = func(b []byte, v float64) []byte { return appendLong(b, clamp(v, limit)) }
		n.whole = appendLong
	case avro.Float:
		n.least, n.most = 4, 4
		n.append = func(b []byte, v float64) []byte { return appendFloat(b, float32(v)) }
	case avro.Double:
		n.least, n.most = 8, 8
		n.append = appendDouble
	default:
		return n, false
	}
	return n, true
}

func clamp(v, limit float64) int64 { return int64(math.Round(min(max(v, -limit), limit))) }

func (n numberType) step(value func(*draw) float64) step {
	return plain(n.least, n.most, func(b []byte, d *draw) []byte { return n.append(b, value(d)) })
}

func (n numberType) uniform(path string, r Bounds) (step, error) {
	low, ok := number(r.Min, n.perSecond)
	high, too := number(r.Max, n.perSecond)
	if !ok || !too || !(low <= high) || math.IsInf(high-low, 0) {
		want := "numbers"
		if n.perSecond > 0 {
			want = "numbers or times such as 2026-01-31"
		}
		return step{}, fmt.Errorf("value.fields.%s: uniform: want %s, min not above max; got %s and %s", path, want, r.Min, r.Max)
	}
	if n.whole != nil {
		least, most := int64(low), int64(high)
		if i, err := strconv.ParseInt(r.Min, 10, 64); err == nil {
			least = i
		}
		if i, err := strconv.ParseInt(r.Max, 10, 64); err == nil {
			most = i
		}
		if n.most == 5 && (least < math.MinInt32 || most > math.MaxInt32) {
			return step{}, fmt.Errorf("value.fields.%s: uniform: %s to %s is more than an int holds", path, r.Min, r.Max)
		}
		return longs(least, uint64(most-least)+1), nil
	}
	return n.step(func(d *draw) float64 { return low + (high-low)*d.unit() }), nil
}
