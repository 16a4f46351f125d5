package parquet

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// values takes the values of a leaf into the page of its column, and knows the least and the greatest of the column chunk. Places are
// at, or, where that is nil, n from from on.
type values interface {
	// differ counts how many of the places have different values.
	differ(a arrow.Array, at []int32, from, n int) int
	// plain appends values as the format's PLAIN.
	plain(b []byte, a arrow.Array, at []int32, from, n int) []byte
	// number appends the values' numbers in the dictionary.
	number(numbers []uint32, a arrow.Array, at []int32, from, n int) []uint32
	// dictionary is the page of the values that number has seen, and how many there are.
	dictionary() ([]byte, int)
	// limits are the least and the greatest value as the format's PLAIN, or where these are too long, others around them; nil where there
	// is none, or none that can be told.
	limits() (least, greatest []byte)
	// exact says which of the limits are values.
	exact() (least, greatest bool)
	// reset begins a new column chunk.
	reset()
}

func appendLength(b []byte, n int) []byte { return binary.LittleEndian.AppendUint32(b, uint32(n)) }

// valuesOf is the way that values of a type go into pages; nil: there is none.
func valuesOf(dt arrow.DataType) values {
	if ext, ok := dt.(arrow.ExtensionType); ok {
		dt = ext.StorageType()
		if in := valuesOf(dt); in != nil {
			return storage{in}
		}
		return nil
	}
	switch dt := dt.(type) {
	case *arrow.BooleanType:
		return &booleans{}
	case *arrow.Int32Type, *arrow.Date32Type:
		return &numbers[int32]{of: raw[int32]}
	case *arrow.Int64Type, *arrow.Time64Type, *arrow.TimestampType:
		return &numbers[int64]{of: raw[int64]}
	case *arrow.Float32Type:
		return &numbers[float32]{of: raw[float32], floats: true}
	case *arrow.Float64Type:
		return &numbers[float64]{of: raw[float64], floats: true}
	case *arrow.StringType, *arrow.BinaryType:
		return &strings{text: dt.ID() == arrow.STRING, of: func(a arrow.Array) view {
			d := a.Data()
			return view{offsets: arrow.Int32Traits.CastFromBytes(d.Buffers()[1].Bytes())[d.Offset():], data: bytesIn(d, 2)}
		}}
	case *arrow.FixedSizeBinaryType:
		return &strings{dict: texts{width: dt.ByteWidth}, of: func(a arrow.Array) view {
			return view{data: bytesIn(a.Data(), 1)[a.Data().Offset()*dt.ByteWidth:], width: dt.ByteWidth}
		}}
	case *arrow.Decimal128Type:
		width := int(pqarrow.DecimalSize(dt.Precision))
		digits := make([]byte, 16)
		return &strings{dict: texts{width: width}, signed: true, of: func(a arrow.Array) view {
			return view{decimals: a.(*array.Decimal128).Values(), data: digits, width: width}
		}}
	}
	return nil
}

func bytesIn(d arrow.ArrayData, i int) []byte {
	if b := d.Buffers()[i]; b != nil {
		return b.Bytes()
	}
	return nil
}

// storage are the values of an extension type, such as a UUID.
type storage struct{ values }

func inside(a arrow.Array) arrow.Array { return a.(array.ExtensionArray).Storage() }

func (s storage) plain(b []byte, a arrow.Array, at []int32, from, n int) []byte {
	return s.values.plain(b, inside(a), at, from, n)
}

func (s storage) number(to []uint32, a arrow.Array, at []int32, from, n int) []uint32 {
	return s.values.number(to, inside(a), at, from, n)
}

func (s storage) differ(a arrow.Array, at []int32, from, n int) int {
	return s.values.differ(inside(a), at, from, n)
}
