package lake

import (
	"cmp"
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// KeysOf gives the key of each row of a batch as a text that is equal where the values of the columns are, also before and after a
// column was widened; false where a value is null. It panics on a column that is not there or that no key can have.
func KeysOf(b arrow.RecordBatch, columns []string) func(row int) (string, bool) {
	parts := make([]func([]byte, int) []byte, len(columns))
	cols := make([]arrow.Array, len(columns))
	for i, name := range columns {
		cols[i] = b.Column(b.Schema().FieldIndices(name)[0])
		parts[i] = keyPart(cols[i])
	}
	var buf []byte
	return func(row int) (string, bool) {
		buf = buf[:0]
		for i, c := range cols {
			if c.IsNull(row) {
				return "", false
			}
			buf = parts[i](buf, row)
		}
		return string(buf), true
	}
}

func keyPart(c arrow.Array) func([]byte, int) []byte {
	number := func(v int64) []byte { return binary.BigEndian.AppendUint64(nil, uint64(v)) }
	num := func(at func(int) int64) func([]byte, int) []byte {
		return func(dst []byte, row int) []byte { return append(dst, number(at(row))...) }
	}
	text := func(at func(int) []byte) func([]byte, int) []byte {
		return func(dst []byte, row int) []byte {
			v := at(row)
			return append(binary.BigEndian.AppendUint32(dst, uint32(len(v))), v...)
		}
	}
	switch c := c.(type) {
	case *array.Int32:
		return num(func(i int) int64 { return int64(c.Value(i)) })
	case *array.Int64:
		return num(c.Value)
	case *array.Date32:
		return num(func(i int) int64 { return int64(c.Value(i)) })
	case *array.Time64:
		return num(func(i int) int64 { return int64(c.Value(i)) })
	case *array.Timestamp:
		return num(func(i int) int64 { return int64(c.Value(i)) })
	case *array.Boolean:
		return func(dst []byte, row int) []byte {
			if c.Value(row) {
				return append(dst, 1)
			}
			return append(dst, 0)
		}
	case *array.String:
		return text(func(i int) []byte { return []byte(c.Value(i)) })
	case *array.LargeString:
		return text(func(i int) []byte { return []byte(c.Value(i)) })
	case *array.Binary:
		return text(c.Value)
	case *array.LargeBinary:
		return text(c.Value)
	case *array.FixedSizeBinary:
		return text(c.Value)
	case *array.Decimal128:
		return func(dst []byte, row int) []byte {
			v := c.Value(row)
			dst = append(dst, number(v.HighBits())...)
			return binary.BigEndian.AppendUint64(dst, v.LowBits())
		}
	case array.ExtensionArray:
		return keyPart(c.Storage())
	}
	panic("lake: no key can have a column of type " + c.DataType().String())
}

// bounds tells of each file, by what the manifests say of the first key column, whether it may hold one of the keys.
func (k *Keyed) bounds(keys map[string]struct{}) func(PlannedFile) bool {
	tbl, _ := k.t.current()
	field, _ := tbl.Schema().FindFieldByName(k.columns[0])
	f := k.t.Schema().Field(k.t.Schema().FieldIndices(k.columns[0])[0])
	every := func(PlannedFile) bool { return true }
	switch f.Type.ID() {
	case arrow.INT32, arrow.INT64, arrow.DATE32, arrow.TIMESTAMP, arrow.TIME64:
		low, high := extremes(keys, func(key string) int64 { return int64(binary.BigEndian.Uint64([]byte(key[:8]))) })
		return func(f PlannedFile) bool {
			from, ok := bound(f.data.LowerBoundValues()[field.ID])
			to, ok2 := bound(f.data.UpperBoundValues()[field.ID])
			return !ok || !ok2 || from <= high && to >= low
		}
	case arrow.STRING:
		low, high := extremes(keys, func(key string) string { return key[4 : 4+binary.BigEndian.Uint32([]byte(key[:4]))] })
		return func(f PlannedFile) bool { // a bound may be cut: below the lowest, above the highest value
			from, to := f.data.LowerBoundValues()[field.ID], f.data.UpperBoundValues()[field.ID]
			return from == nil || to == nil || string(from) <= high && string(to) >= low
		}
	}
	return every
}

// extremes are the least and the greatest value of some keys, of which there is at least one.
func extremes[T cmp.Ordered](keys map[string]struct{}, value func(key string) T) (low, high T) {
	first := true
	for key := range keys {
		v := value(key)
		if first {
			low, high, first = v, v, false
		}
		low, high = min(low, v), max(high, v)
	}
	return low, high
}

// bound is a number as manifests keep it; a file of before a column was widened has it shorter.
func bound(b []byte) (int64, bool) {
	switch len(b) {
	case 4:
		return int64(int32(binary.LittleEndian.Uint32(b))), true
	case 8:
		return int64(binary.LittleEndian.Uint64(b)), true
	}
	return 0, false
}
