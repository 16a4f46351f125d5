// Package parquettest makes batches of every type and nesting, for tests of those who write and read them.
package parquettest

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/google/uuid"
)

func optional(name string, dt arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: dt, Nullable: true}
}

// Everything has each type, alone and in each kind of nesting.
var Everything = func() *arrow.Schema {
	merchant := arrow.StructOf(optional("id", arrow.PrimitiveTypes.Int64), optional("name", arrow.BinaryTypes.String),
		optional("tags", arrow.ListOfField(optional("element", arrow.BinaryTypes.String))))
	return arrow.NewSchema([]arrow.Field{
		optional("bool", arrow.FixedWidthTypes.Boolean),
		optional("int", arrow.PrimitiveTypes.Int32),
		optional("long", arrow.PrimitiveTypes.Int64),
		optional("float", arrow.PrimitiveTypes.Float32),
		optional("double", arrow.PrimitiveTypes.Float64),
		optional("date", arrow.FixedWidthTypes.Date32),
		optional("time", arrow.FixedWidthTypes.Time64us),
		optional("at", arrow.FixedWidthTypes.Timestamp_us),
		optional("text", arrow.BinaryTypes.String),
		optional("bytes", arrow.BinaryTypes.Binary),
		optional("fixed", &arrow.FixedSizeBinaryType{ByteWidth: 5}),
		optional("id", extensions.NewUUIDType()),
		optional("small", &arrow.Decimal128Type{Precision: 9, Scale: 2}),
		optional("large", &arrow.Decimal128Type{Precision: 38, Scale: 6}),
		optional("merchant", merchant),
		optional("list", arrow.ListOfField(optional("element", arrow.PrimitiveTypes.Int64))),
		optional("lists", arrow.ListOfField(optional("element", arrow.ListOfField(optional("element", arrow.PrimitiveTypes.Int32))))),
		optional("records", arrow.ListOfField(optional("element", merchant))),
		optional("map", arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64)),
		optional("maps", arrow.MapOf(arrow.BinaryTypes.String, merchant)),
		{Name: "required", Type: arrow.PrimitiveTypes.Int64},
		{Name: "required_list", Type: arrow.ListOfField(arrow.Field{Name: "element", Type: arrow.BinaryTypes.String})},
	}, nil)
}()

// random appends a value whose kind of repetition is how many different ones there are.
func random(r *rand.Rand, b array.Builder, kinds int, nulls float64) {
	if r.Float64() < nulls {
		b.AppendNull()
		return
	}
	v := int64(r.IntN(kinds)) - int64(kinds/3)
	text := fmt.Sprintf("%d %x", v, v*v*7919)
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(v%2 == 0)
	case *array.Int32Builder:
		b.Append(int32(v * 977))
	case *array.Int64Builder:
		b.Append(v * 1_000_000_007)
	case *array.Float32Builder:
		b.Append([]float32{float32(v) / 3, float32(math.NaN()), 0, float32(math.Copysign(0, -1)), float32(math.Inf(1))}[r.IntN(5)])
	case *array.Float64Builder:
		b.Append([]float64{float64(v) / 3, math.NaN(), 0, math.Copysign(0, -1), math.Inf(-1)}[r.IntN(5)])
	case *array.Date32Builder:
		b.Append(arrow.Date32(v))
	case *array.Time64Builder:
		b.Append(arrow.Time64(v + int64(kinds)))
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(1_700_000_000_000_000 + v))
	case *array.StringBuilder:
		b.Append(text[:r.IntN(2)*len(text)])
	case *array.BinaryBuilder:
		b.Append([]byte(text))
	case *array.FixedSizeBinaryBuilder:
		b.Append([]byte(fmt.Sprintf("%05d", (v+int64(kinds))%100_000)))
	case *extensions.UUIDBuilder:
		b.Append(uuid.NewSHA1(uuid.Nil, []byte(text)))
	case *array.Decimal128Builder:
		n := decimal128.FromI64(v * 1001)
		if b.Type().(*arrow.Decimal128Type).Precision > 18 {
			n = n.Mul(decimal128.FromI64(1_000_000_000_000_000_000))
		}
		b.Append(n)
	case *array.StructBuilder:
		b.Append(true)
		for i := range b.NumField() {
			random(r, b.FieldBuilder(i), kinds, nulls)
		}
	case *array.MapBuilder:
		b.Append(true)
		for i := range r.IntN(4) {
			b.KeyBuilder().(*array.StringBuilder).Append(fmt.Sprint("key", i))
			random(r, b.ItemBuilder(), kinds, nulls)
		}
	case *array.ListBuilder:
		b.Append(true)
		for range r.IntN(5) {
			random(r, b.ValueBuilder(), kinds, nulls)
		}
	default:
		panic(fmt.Sprintf("%T", b))
	}
}

// Batch makes rows whose columns have so many kinds of values, and this share of nulls.
func Batch(r *rand.Rand, s *arrow.Schema, rows, kinds int, nulls float64) arrow.RecordBatch {
	rb := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer rb.Release()
	for i, f := range s.Fields() {
		for range rows {
			if f.Nullable {
				random(r, rb.Field(i), kinds, nulls)
			} else {
				random(r, rb.Field(i), kinds, 0)
			}
		}
	}
	return rb.NewRecordBatch()
}
