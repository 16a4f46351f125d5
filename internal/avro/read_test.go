package avro

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"strconv"
	"strings"
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

// doc is JSON text with sorted keys.
type doc string

// plain brings what hamba decoded without a Go type into the same form, as it is to land in a column of type t.
func plain(s hamba.Schema, v any, t arrow.DataType) any {
	if r, ok := s.(*hamba.RefSchema); ok {
		s = r.Schema()
	}
	if s.Type() == hamba.Null {
		return nil
	}
	if u, ok := s.(*hamba.UnionSchema); ok {
		if v == nil {
			return nil
		}
		if types, _ := branches(u); len(types) > 1 && t.ID() == arrow.STRUCT {
			i, x := branchOf(u, v)
			out, name := object{}, branchNames(types)[i]
			for _, f := range t.(*arrow.StructType).Fields() {
				if out[f.Name] = nil; f.Name == name {
					out[f.Name] = plain(types[i], x, f.Type)
				}
			}
			return out
		} else if len(types) == 1 {
			_, x := branchOf(u, v)
			return plain(types[0], x, t)
		}
	}
	switch s := s.(type) {
	case *hamba.RecordSchema:
		if st, ok := t.(*arrow.StructType); ok {
			return plainFields(s, v.(object), st.Fields())
		}
	case *hamba.ArraySchema:
		if l, ok := t.(*arrow.ListType); ok {
			out := []any{}
			for _, x := range v.([]any) {
				out = append(out, plain(s.Items(), x, l.Elem()))
			}
			return out
		}
	case *hamba.MapSchema:
		if m, ok := t.(*arrow.MapType); ok {
			out := object{}
			for k, x := range v.(object) {
				out[k] = plain(s.Values(), x, m.ItemType())
			}
			return out
		}
	case *hamba.FixedSchema:
		return plainFixed(s, v, t)
	case *hamba.EnumSchema:
		return v
	case *hamba.PrimitiveSchema:
		return plainPrimitive(s, v, t)
	}
	b, err := json.Marshal(tree(s, v))
	if err != nil {
		panic(err)
	}
	return doc(b)
}

func plainFields(s *hamba.RecordSchema, v object, cols []arrow.Field) object {
	out := object{}
	for _, c := range cols {
		for _, f := range s.Fields() {
			if f.Name() == c.Name {
				out[c.Name] = plain(f.Type(), v[f.Name()], c.Type)
			}
		}
	}
	return out
}

// branchOf finds the branch by the name that hamba gives it: {"type": value}.
func branchOf(u *hamba.UnionSchema, v any) (int, any) {
	types, _ := branches(u)
	for key, x := range v.(object) {
		for i, s := range types {
			name, _, _ := strings.Cut(key, ".")
			if n, ok := s.(hamba.NamedSchema); ok && n.FullName() == key || !ok && string(s.Type()) == name {
				return i, x
			}
		}
	}
	panic(fmt.Sprintf("no branch for %v", v))
}

func plainFixed(s *hamba.FixedSchema, v any, t arrow.DataType) any {
	if l, ok := s.Logical().(*hamba.DecimalLogicalSchema); ok {
		return unscaled(l, v)
	}
	b := fixedBytes(v)
	switch {
	case t.ID() == arrow.STRING && s.Size() == 0:
		return doc(`""`)
	case t.ID() == arrow.STRING:
		return uuidOf(b)
	case t.ID() == arrow.STRUCT:
		part := func(i int) any { return int64(binary.LittleEndian.Uint32(b[4*i:])) }
		return object{"months": part(0), "days": part(1), "millis": part(2)}
	}
	return blob(b)
}

func uuidOf(b []byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// tree is a value as JSON should show it.
func tree(s hamba.Schema, v any) any {
	switch s := s.(type) {
	case *hamba.RefSchema:
		return tree(s.Schema(), v)
	case *hamba.UnionSchema:
		if v == nil {
			return nil
		}
		types, _ := branches(s)
		i, x := branchOf(s, v)
		if len(types) == 1 {
			return tree(types[0], x)
		}
		return object{branchNames(types)[i]: tree(types[i], x)}
	case *hamba.RecordSchema:
		out := object{}
		for _, f := range s.Fields() {
			out[f.Name()] = tree(f.Type(), v.(object)[f.Name()])
		}
		return out
	case *hamba.ArraySchema:
		out := []any{}
		for _, x := range v.([]any) {
			out = append(out, tree(s.Items(), x))
		}
		return out
	case *hamba.MapSchema:
		out := object{}
		for k, x := range v.(object) {
			out[k] = tree(s.Values(), x)
		}
		return out
	case *hamba.FixedSchema:
		if l, ok := s.Logical().(*hamba.DecimalLogicalSchema); ok {
			return v.(*big.Rat).FloatString(l.Scale())
		}
		b := fixedBytes(v)
		if isDuration(s) {
			part := func(i int) any { return binary.LittleEndian.Uint32(b[4*i:]) }
			return object{"months": part(0), "days": part(1), "millis": part(2)}
		}
		if isUUID(s) {
			return uuidOf(b)
		}
		return b // base64
	case *hamba.NullSchema:
		return nil
	case *hamba.PrimitiveSchema:
		return treePrimitive(s, v)
	}
	return v
}

func treePrimitive(s *hamba.PrimitiveSchema, v any) any {
	const stamp = "2006-01-02T15:04:05.999999999"
	switch v := v.(type) {
	case float32:
		return jsonFloat(float64(v), 32)
	case float64:
		return jsonFloat(v, 64)
	case *big.Rat:
		return v.FloatString(s.Logical().(*hamba.DecimalLogicalSchema).Scale())
	case time.Time:
		if logical(s) == hamba.Date {
			return v.Format(time.DateOnly)
		}
		return v.Format(stamp + "Z")
	case time.Duration:
		return timeOfDay(v.Milliseconds(), v)
	case int64:
		switch logical(s) {
		case hamba.TimeMicros:
			return timeOfDay(v, time.Duration(min(max(v, -1), 1e12))*time.Microsecond)
		case hamba.LocalTimestampMillis:
			return time.UnixMilli(v).UTC().Format(stamp)
		case hamba.LocalTimestampMicros:
			return time.UnixMicro(v).UTC().Format(stamp)
		case timestampNanos:
			return time.Unix(0, v).UTC().Format(stamp + "Z")
		case localTimestampNanos:
			return time.Unix(0, v).UTC().Format(stamp)
		}
	}
	return v
}

func timeOfDay(written int64, d time.Duration) any {
	if d < 0 || d >= 24*time.Hour {
		return written
	}
	return time.Time{}.Add(d).Format("15:04:05.999999999")
}

func jsonFloat(v float64, bits int) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return map[string]string{"NaN": "NaN", "+Inf": "Infinity", "-Inf": "-Infinity"}[fmt.Sprint(v)]
	}
	return json.Number(strconv.FormatFloat(v, 'g', -1, bits))
}

// alike gives what was read with its JSON text in the form of doc, wherever that is wanted.
func alike(want, got any) any {
	switch w := want.(type) {
	case doc:
		text, _ := got.(string)
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil || d.More() {
			return fmt.Sprintf("no JSON: %q: %v", got, err)
		}
		b, _ := json.Marshal(v)
		return doc(b)
	case object:
		g, _ := got.(object)
		out := object{}
		for k, v := range g {
			out[k] = alike(w[k], v)
		}
		return out
	case []any:
		g, _ := got.([]any)
		out := []any{}
		for i, v := range g {
			if i < len(w) {
				v = alike(w[i], v)
			}
			out = append(out, v)
		}
		return out
	}
	return got
}

func plainPrimitive(s *hamba.PrimitiveSchema, v any, t arrow.DataType) any {
	switch v := v.(type) {
	case int:
		return int64(v)
	case int64:
		switch logical(s) { // which ReadNext leaves alone
		case hamba.TimeMicros:
			return nanos(v * 1000)
		case hamba.LocalTimestampMillis:
			return instant(v * 1000)
		case hamba.LocalTimestampMicros:
			return instant(v)
		case timestampNanos, localTimestampNanos:
			if t.ID() == arrow.TIMESTAMP {
				return instant(math.Floor(float64(v%1_000_000)/1000)) + instant(v/1_000_000*1000)
			}
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

func fixedBytes(v any) []byte {
	if d, ok := v.(hamba.LogicalDuration); ok {
		b := binary.LittleEndian.AppendUint32(nil, d.Months)
		b = binary.LittleEndian.AppendUint32(b, d.Days)
		return binary.LittleEndian.AppendUint32(b, d.Milliseconds)
	}
	r := reflect.ValueOf(v) // [N]byte
	b := make([]byte, r.Len())
	reflect.Copy(reflect.ValueOf(b), r)
	return b
}
