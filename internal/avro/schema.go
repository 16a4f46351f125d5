// Package avro reads Avro from the wire into Arrow columns, without a struct, a map or an interface value in between.
//
// [Parse] a schema, make a [Batch] for the columns that are wanted, [Compile] the way from the schema to the columns, and
// [Batch.Append] datum after datum; [Batch.Flush] hands out Arrow arrays.
//
// # Promises
//
// A datum that cannot be decoded leaves the batch exactly as it was. Hostile bytes never panic and never make the decoder
// allocate more than a small multiple of their own length. What is decoded is what hamba/avro decodes (fuzzed against it),
// less what a table cannot hold or what only a broken writer emits: text that is not UTF-8, decimals beyond their precision,
// times beyond what microseconds can hold, and numbers beyond their type.
package avro

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/hamba/avro/v2"
)

// A Schema is a parsed Avro schema.
type Schema struct{ root avro.Schema }

// Parse parses the JSON of a schema; named are the schemas of types that it refers to, each after those that it refers to itself.
func Parse(text string, named ...string) (*Schema, error) {
	// A cache of its own: hamba's global one would take a later schema's types for those of an earlier one of the same name.
	cache := &avro.SchemaCache{}
	var s avro.Schema
	for _, t := range append(slices.Clone(named), text) {
		var err error
		if s, err = avro.ParseWithCache(t, "", cache); err != nil {
			return nil, fmt.Errorf("avro schema: %s", strings.TrimPrefix(err.Error(), "avro: "))
		}
	}
	return &Schema{deref(s)}, nil
}

// String is the canonical form, without docs and aliases.
func (s *Schema) String() string { return s.root.String() }

// Hamba is the schema for the encoder and for compatibility checks.
func (s *Schema) Hamba() avro.Schema { return s.root }

// ArrowSchema says how a record's top-level fields land in a table, by the default [Layout].
func ArrowSchema(s *Schema) (*arrow.Schema, error) { return Layout{}.Columns(s, nil) }

var (
	micros      = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	localMicros = &arrow.TimestampType{Unit: arrow.Microsecond}
)

func primitiveType(s *avro.PrimitiveSchema) arrow.DataType {
	switch logical(s) {
	case avro.Decimal:
		return decimalType(decimalOf(s))
	case avro.Date:
		return arrow.FixedWidthTypes.Date32
	case avro.TimeMillis, avro.TimeMicros:
		return arrow.FixedWidthTypes.Time64us
	case avro.TimestampMillis, avro.TimestampMicros, timestampNanos:
		return micros
	case avro.LocalTimestampMillis, avro.LocalTimestampMicros, localTimestampNanos:
		return localMicros
	}
	switch s.Type() {
	case avro.Boolean:
		return arrow.FixedWidthTypes.Boolean
	case avro.Int:
		return arrow.PrimitiveTypes.Int32
	case avro.Long:
		return arrow.PrimitiveTypes.Int64
	case avro.Float:
		return arrow.PrimitiveTypes.Float32
	case avro.Double:
		return arrow.PrimitiveTypes.Float64
	case avro.Bytes:
		return arrow.BinaryTypes.Binary
	}
	return arrow.BinaryTypes.String
}

// Logical types of Avro 1.12 that hamba leaves among a schema's properties.
const (
	timestampNanos      = avro.LogicalType("timestamp-nanos")
	localTimestampNanos = avro.LogicalType("local-timestamp-nanos")
)

// logical is the logical type if it belongs on that primitive; Avro says to ignore it elsewhere.
func logical(s *avro.PrimitiveSchema) avro.LogicalType {
	if l := s.Logical(); l != nil { // hamba has looked where it stands
		if l.Type() == avro.Decimal && decimalOf(s) == nil {
			return ""
		}
		return l.Type()
	}
	if p, _ := s.Prop("logicalType").(string); s.Type() == avro.Long && (p == string(timestampNanos) || p == string(localTimestampNanos)) {
		return avro.LogicalType(p)
	}
	return ""
}

// isUUID: on a string hamba knows it.
func isUUID(s *avro.FixedSchema) bool {
	return s.Size() == 16 && s.Prop("logicalType") == string(avro.UUID)
}

func isDuration(s *avro.FixedSchema) bool {
	return s.Logical() != nil && s.Logical().Type() == avro.Duration
}

// maxDigits are the most that a decimal may have; with more it is taken as the bytes that it is on the wire, since a number of a million
// digits would only serve to fill the memory.
const maxDigits = 1000

// decimalOf is nil for what is no decimal.
func decimalOf(s avro.LogicalTypeSchema) *avro.DecimalLogicalSchema {
	d, _ := s.Logical().(*avro.DecimalLogicalSchema)
	if d != nil && d.Precision() > maxDigits {
		return nil
	}
	return d
}

// decimalType: with more than 38 digits no table has a type for it; then the digits stand there as text.
func decimalType(d *avro.DecimalLogicalSchema) arrow.DataType {
	if d.Precision() > 38 {
		return arrow.BinaryTypes.String
	}
	return &arrow.Decimal128Type{Precision: int32(d.Precision()), Scale: int32(d.Scale())}
}
