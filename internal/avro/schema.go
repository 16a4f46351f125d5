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
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/hamba/avro/v2"
)

// A Schema is a parsed Avro schema.
type Schema struct{ root avro.Schema }

// Parse parses the JSON of a schema.
func Parse(text string) (*Schema, error) {
	// A cache of its own: hamba's global one would take a later schema's types for those of an earlier one of the same name.
	s, err := avro.ParseWithCache(text, "", &avro.SchemaCache{})
	if err != nil {
		return nil, fmt.Errorf("avro schema: %s", strings.TrimPrefix(err.Error(), "avro: "))
	}
	return &Schema{s}, nil
}

// String is the canonical form, without docs and aliases.
func (s *Schema) String() string { return s.root.String() }

// Hamba is the schema for the encoder and for compatibility checks.
func (s *Schema) Hamba() avro.Schema { return s.root }

// ArrowSchema says how a record's top-level fields land in a table: each of them optional.
func ArrowSchema(s *Schema) (*arrow.Schema, error) {
	r, ok := s.root.(*avro.RecordSchema)
	if !ok {
		return nil, fmt.Errorf("expected a record, got %s: a table needs named columns", s.root.Type())
	}
	fields, err := arrowFields(r, nil)
	if err != nil {
		return nil, err
	}
	return arrow.NewSchema(fields, nil), nil
}

func arrowFields(r *avro.RecordSchema, open []string) ([]arrow.Field, error) {
	for _, name := range open {
		if name == r.FullName() {
			return nil, fmt.Errorf("type %s contains itself: recursive types are not supported in this version", name)
		}
	}
	fields := make([]arrow.Field, 0, len(r.Fields()))
	for _, f := range r.Fields() {
		t, err := arrowType(f.Type(), append(open, r.FullName()))
		if err != nil {
			return nil, inField(f.Name(), err)
		}
		fields = append(fields, arrow.Field{Name: f.Name(), Type: t, Nullable: true})
	}
	return fields, nil
}

func arrowType(s avro.Schema, open []string) (arrow.DataType, error) {
	switch s := s.(type) {
	case *avro.RefSchema:
		return arrowType(s.Schema(), open)
	case *avro.RecordSchema:
		fields, err := arrowFields(s, open)
		if err == nil && len(fields) == 0 {
			err = fmt.Errorf("record %s has no fields: a table has no such type", s.FullName())
		}
		if err != nil {
			return nil, err
		}
		return arrow.StructOf(fields...), nil
	case *avro.EnumSchema:
		return arrow.BinaryTypes.String, nil
	case *avro.FixedSchema:
		if d, ok := s.Logical().(*avro.DecimalLogicalSchema); ok {
			return decimalType(d)
		}
		if s.Size() <= 0 {
			return nil, fmt.Errorf("fixed %s of %d bytes: a table has no such type", s.FullName(), s.Size())
		}
		return &arrow.FixedSizeBinaryType{ByteWidth: s.Size()}, nil
	case *avro.ArraySchema:
		t, err := arrowType(s.Items(), open)
		if err != nil {
			return nil, inField("element", err)
		}
		return arrow.ListOfField(arrow.Field{Name: "element", Type: t, Nullable: true}), nil
	case *avro.MapSchema:
		t, err := arrowType(s.Values(), open)
		if err != nil {
			return nil, inField("value", err)
		}
		return arrow.MapOf(arrow.BinaryTypes.String, t), nil
	case *avro.UnionSchema:
		inner, _, err := nullable(s)
		if err != nil {
			return nil, err
		}
		return arrowType(inner, open)
	case *avro.PrimitiveSchema:
		return primitiveType(s)
	case *avro.NullSchema:
		return nil, errAlwaysNull
	}
	return nil, fmt.Errorf("type %s is not supported in this version", s.Type())
}

// nullable takes [null, T] in either order, or [T], apart; null is its branch or -1.
func nullable(s *avro.UnionSchema) (inner avro.Schema, null int, err error) {
	null = -1
	for i, t := range s.Types() {
		if t.Type() == avro.Null {
			null = i
			continue
		}
		if inner != nil {
			return nil, 0, fmt.Errorf("a union of several types (%s) is not supported in this version; only [null, T]", s.String())
		}
		inner = t
	}
	if inner == nil {
		return nil, 0, errAlwaysNull
	}
	return inner, null, nil
}

var errAlwaysNull = errors.New("a field that is always null has no type for a table")

var micros = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}

func primitiveType(s *avro.PrimitiveSchema) (arrow.DataType, error) {
	switch logical(s) {
	case avro.Decimal:
		return decimalType(s.Logical().(*avro.DecimalLogicalSchema))
	case avro.Date:
		return arrow.FixedWidthTypes.Date32, nil
	case avro.TimeMillis, avro.TimeMicros:
		return arrow.FixedWidthTypes.Time64us, nil
	case avro.TimestampMillis, avro.TimestampMicros:
		return micros, nil
	case avro.LocalTimestampMillis, avro.LocalTimestampMicros:
		return &arrow.TimestampType{Unit: arrow.Microsecond}, nil
	}
	switch s.Type() {
	case avro.Boolean:
		return arrow.FixedWidthTypes.Boolean, nil
	case avro.Int:
		return arrow.PrimitiveTypes.Int32, nil
	case avro.Long:
		return arrow.PrimitiveTypes.Int64, nil
	case avro.Float:
		return arrow.PrimitiveTypes.Float32, nil
	case avro.Double:
		return arrow.PrimitiveTypes.Float64, nil
	case avro.Bytes:
		return arrow.BinaryTypes.Binary, nil
	case avro.String:
		return arrow.BinaryTypes.String, nil
	}
	return nil, fmt.Errorf("type %s is not supported in this version", s.Type())
}

// logical is the logical type if it belongs on that primitive; Avro says to ignore it elsewhere.
func logical(s *avro.PrimitiveSchema) avro.LogicalType {
	l := s.Logical()
	if l == nil {
		return ""
	}
	switch t := l.Type(); t {
	case avro.Decimal:
		if s.Type() == avro.Bytes {
			return t
		}
	case avro.Date, avro.TimeMillis:
		if s.Type() == avro.Int {
			return t
		}
	case avro.TimeMicros, avro.TimestampMillis, avro.TimestampMicros, avro.LocalTimestampMillis, avro.LocalTimestampMicros:
		if s.Type() == avro.Long {
			return t
		}
	}
	return ""
}

func decimalType(d *avro.DecimalLogicalSchema) (arrow.DataType, error) {
	if d.Precision() > 38 {
		return nil, fmt.Errorf("decimal(%d,%d) has more than 38 digits, which no table can hold", d.Precision(), d.Scale())
	}
	return &arrow.Decimal128Type{Precision: int32(d.Precision()), Scale: int32(d.Scale())}, nil
}
