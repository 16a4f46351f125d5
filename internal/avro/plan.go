package avro

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/hamba/avro/v2"
)

// A Plan is the compiled way from a writer's schema to the columns of a target. It may be used by several goroutines.
type Plan struct {
	root   *recordNode
	target *arrow.Schema
}

// Compile matches the writer's fields with the target's columns by name. A column that the writer lacks becomes null; a
// field that the target lacks, or whose type does not fit, is an error that names it.
func Compile(writer *Schema, target *arrow.Schema) (*Plan, error) {
	r, ok := writer.root.(*avro.RecordSchema)
	if !ok {
		return nil, fmt.Errorf("expected a record, got %s", writer.root.Type())
	}
	if _, err := ArrowSchema(writer); err != nil { // recursion and what no table can hold
		return nil, err
	}
	n, err := compileRecord(r, target.Fields())
	if err != nil {
		return nil, err
	}
	return &Plan{n, target}, nil
}

// A node decodes one value of the writer's type and appends it to its column.
type node interface {
	decode(w *wire, c column) error
	least() int // the fewest bytes that a value takes on the wire
}

func compileRecord(r *avro.RecordSchema, fields []arrow.Field) (*recordNode, error) {
	n := &recordNode{}
	index := make(map[string]int, len(fields))
	for i, f := range fields {
		index[f.Name] = i
	}
	for _, f := range r.Fields() {
		i, ok := index[f.Name()]
		if !ok {
			return nil, inField(f.Name(), fmt.Errorf("there is no such column in the table"))
		}
		delete(index, f.Name())
		child, err := compile(f.Type(), fields[i].Type)
		if err != nil {
			return nil, inField(f.Name(), err)
		}
		n.fields = append(n.fields, fieldNode{f.Name(), child, i})
		n.min += child.least()
	}
	for i, f := range fields {
		if _, left := index[f.Name]; left {
			n.missing = append(n.missing, i)
		}
	}
	return n, nil
}

func compile(s avro.Schema, t arrow.DataType) (node, error) {
	switch s := s.(type) {
	case *avro.RefSchema:
		return compile(s.Schema(), t)
	case *avro.RecordSchema:
		st, ok := t.(*arrow.StructType)
		if !ok {
			return nil, misfit(s, t)
		}
		return compileRecord(s, st.Fields())
	case *avro.UnionSchema:
		inner, null, err := nullable(s)
		if err != nil {
			return nil, err
		}
		n, err := compile(inner, t)
		return unionNode{n, int32(null), int32(len(s.Types()))}, err
	case *avro.ArraySchema:
		l, ok := t.(*arrow.ListType)
		if !ok {
			return nil, misfit(s, t)
		}
		n, err := compile(s.Items(), l.Elem())
		if err != nil {
			return nil, inField("element", err)
		}
		return arrayNode{n}, nil
	case *avro.MapSchema:
		m, ok := t.(*arrow.MapType)
		if !ok || m.KeyType().ID() != arrow.STRING {
			return nil, misfit(s, t)
		}
		n, err := compile(s.Values(), m.ItemType())
		if err != nil {
			return nil, inField("value", err)
		}
		return mapNode{n}, nil
	case *avro.EnumSchema:
		if t.ID() != arrow.STRING {
			return nil, misfit(s, t)
		}
		var n enumNode
		for _, sym := range s.Symbols() {
			n = append(n, []byte(sym))
		}
		return n, nil
	case *avro.FixedSchema:
		return compileFixed(s, t)
	case *avro.PrimitiveSchema:
		return compilePrimitive(s, t)
	}
	return nil, fmt.Errorf("type %s is not supported in this version", s.Type())
}

func compileFixed(s *avro.FixedSchema, t arrow.DataType) (node, error) {
	if d, ok := s.Logical().(*avro.DecimalLogicalSchema); ok {
		if !sameDecimal(d, t) {
			return nil, misfit(s, t)
		}
		return decimalNode{size: s.Size(), precision: int32(d.Precision())}, nil
	}
	if b, ok := t.(*arrow.FixedSizeBinaryType); ok && b.ByteWidth == s.Size() {
		return fixedNode(s.Size()), nil
	}
	return nil, misfit(s, t)
}

func sameDecimal(d *avro.DecimalLogicalSchema, t arrow.DataType) bool {
	dt, ok := t.(*arrow.Decimal128Type)
	return ok && int(dt.Scale) == d.Scale() && int(dt.Precision) >= d.Precision()
}

func compilePrimitive(s *avro.PrimitiveSchema, t arrow.DataType) (node, error) {
	own, err := primitiveType(s)
	if err != nil {
		return nil, err
	}
	if d, ok := s.Logical().(*avro.DecimalLogicalSchema); ok && logical(s) == avro.Decimal {
		if !sameDecimal(d, t) {
			return nil, misfit(s, t)
		}
		return decimalNode{size: -1, precision: int32(d.Precision())}, nil
	}
	if !arrow.TypeEqual(own, t) {
		switch { // what Avro's own rules widen
		case own.ID() == arrow.INT32 && t.ID() == arrow.INT64:
			return intAsLongNode(1), nil
		case own.ID() == arrow.FLOAT32 && t.ID() == arrow.FLOAT64:
			return floatAsDoubleNode{}, nil
		}
		return nil, misfit(s, t)
	}
	switch s.Type() {
	case avro.Boolean:
		return boolNode{}, nil
	case avro.Int:
		if logical(s) == avro.TimeMillis {
			return intAsLongNode(1000), nil
		}
		return intNode{}, nil
	case avro.Long:
		if l := logical(s); l == avro.TimestampMillis || l == avro.LocalTimestampMillis {
			return longNode(1000), nil
		}
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

func misfit(s avro.Schema, t arrow.DataType) error {
	name := string(s.Type())
	if p, ok := s.(*avro.PrimitiveSchema); ok && logical(p) != "" {
		name = s.String()
	}
	return fmt.Errorf("%s does not fit a column of type %s", name, t)
}

var tenTo = func() (p [39]decimal128.Num) {
	p[0] = decimal128.FromI64(1)
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1].Mul(decimal128.FromI64(10))
	}
	return p
}()
