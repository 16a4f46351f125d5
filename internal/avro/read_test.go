package avro

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	hamba "github.com/hamba/avro/v2"
)

// Values of both sides in the one form in which they are compared. Floats are their bits, for the sake of NaN.
type (
	blob    string
	digits  string
	days    int64
	instant int64 // since 1970
	nanos   int64 // of a day; wraps around in hamba
	bits32  uint32
	bits64  uint64
)

// value reads one value of an Arrow array.
func value(a arrow.Array, i int) any {
	if a.IsNull(i) {
		return nil
	}
	switch a := a.(type) {
	case *array.Boolean:
		return a.Value(i)
	case *array.Int32:
		return int64(a.Value(i))
	case *array.Int64:
		return a.Value(i)
	case *array.Float32:
		return bits32(math.Float32bits(a.Value(i)))
	case *array.Float64:
		return bits64(math.Float64bits(a.Value(i)))
	case *array.String:
		return a.Value(i)
	case *array.Binary:
		return blob(a.Value(i))
	case *array.FixedSizeBinary:
		return blob(a.Value(i))
	case *array.Decimal128:
		return digits(a.Value(i).BigInt().String())
	case *array.Date32:
		return days(a.Value(i))
	case *array.Time64:
		return nanos(int64(a.Value(i)) * 1000)
	case *array.Timestamp:
		return instant(a.Value(i))
	case *array.Struct:
		out := object{}
		for k, f := range a.DataType().(*arrow.StructType).Fields() {
			out[f.Name] = value(a.Field(k), i)
		}
		return out
	case *array.Map: // before List, which it embeds
		from, to := a.ValueOffsets(i)
		out := object{}
		for k := from; k < to; k++ {
			out[a.Keys().(*array.String).Value(int(k))] = value(a.Items(), int(k))
		}
		return out
	case *array.List:
		from, to := a.ValueOffsets(i)
		out := []any{}
		for k := from; k < to; k++ {
			out = append(out, value(a.ListValues(), int(k)))
		}
		return out
	}
	return fmt.Errorf("no reader for %s", a.DataType())
}

// row is one row of the flushed columns.
func row(target *arrow.Schema, cols []arrow.Array, i int) object {
	out := object{}
	for k, f := range target.Fields() {
		out[f.Name] = value(cols[k], i)
	}
	return out
}

// plain brings what hamba decoded without a Go type into the same form.
func plain(s hamba.Schema, v any) any {
	switch s := s.(type) {
	case *hamba.RefSchema:
		return plain(s.Schema(), v)
	case *hamba.UnionSchema:
		inner, _, _ := nullable(s)
		m, ok := v.(object) // {"type": value}, but a primitive by itself
		for _, v = range m {
		}
		if v == nil || ok && len(m) == 0 {
			return nil
		}
		return plain(inner, v)
	case *hamba.RecordSchema:
		out := object{}
		for _, f := range s.Fields() {
			out[f.Name()] = plain(f.Type(), v.(object)[f.Name()])
		}
		return out
	case *hamba.ArraySchema:
		out := []any{}
		for _, x := range v.([]any) {
			out = append(out, plain(s.Items(), x))
		}
		return out
	case *hamba.MapSchema:
		out := object{}
		for k, x := range v.(object) {
			out[k] = plain(s.Values(), x)
		}
		return out
	case *hamba.FixedSchema:
		if l, ok := s.Logical().(*hamba.DecimalLogicalSchema); ok {
			return unscaled(l, v)
		}
		return fixedBytes(v)
	case *hamba.PrimitiveSchema:
		return plainPrimitive(s, v)
	}
	return v
}

func plainPrimitive(s *hamba.PrimitiveSchema, v any) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int64:
		switch logical(s) { // which ReadNext leaves alone
		case hamba.LocalTimestampMillis:
			return instant(v * 1000)
		case hamba.LocalTimestampMicros:
			return instant(v)
		}
	case float32:
		return bits32(math.Float32bits(v))
	case float64:
		return bits64(math.Float64bits(v))
	case []byte:
		return blob(v)
	case *big.Rat:
		return unscaled(s.Logical().(*hamba.DecimalLogicalSchema), v)
	case time.Duration:
		return nanos(v)
	case time.Time:
		if s.Logical().Type() == hamba.Date {
			return days(v.Unix() / 86400)
		}
		return instant(v.Unix()*1e6 + int64(v.Nanosecond())/1e3)
	}
	return v
}

func unscaled(l *hamba.DecimalLogicalSchema, v any) digits {
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(l.Scale())), nil)
	r := new(big.Rat).Mul(v.(*big.Rat), new(big.Rat).SetInt(ten))
	return digits(r.Num().String())
}

func fixedBytes(v any) any {
	if d, ok := v.(hamba.LogicalDuration); ok {
		b := binary.LittleEndian.AppendUint32(nil, d.Months)
		b = binary.LittleEndian.AppendUint32(b, d.Days)
		return blob(binary.LittleEndian.AppendUint32(b, d.Milliseconds))
	}
	r := reflect.ValueOf(v) // [N]byte
	b := make([]byte, r.Len())
	reflect.Copy(reflect.ValueOf(b), r)
	return blob(b)
}
