package avro

import (
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/hamba/avro/v2"
)

// A Layout says how those types land for which a table has no type of its own. The zero value is the default.
type Layout struct {
	// JSONUnions makes a union of several types a column of JSON text. Otherwise it is a struct with one optional child for each of
	// them, named as the type.
	JSONUnions bool
	// Recursion is how often a record type may lie in itself, each time as a struct of its own; a datum that goes deeper is refused.
	// With 0 the record in itself is JSON text, of any depth.
	Recursion int
	// LongNanos keeps timestamps of nanoseconds as numbers. Otherwise they are timestamps, rounded down to the microsecond, which is
	// as fine as a table's type gets.
	LongNanos bool
}

// maxColumns bounds what an unrolled type may become: a tree of three children has a thousand nodes at depth 6.
const maxColumns = 5000

// Columns says how a record's top-level fields land in a table, each of them optional. Fields that always have the same value (null, a
// record without fields) have no column. Like is the table as it is (nil: none yet): a field whose alias is one of its columns has that
// column's name, and one that fits a wider column has its type, at any depth.
func (l Layout) Columns(s *Schema, like *arrow.Schema) (*arrow.Schema, error) {
	r, ok := s.root.(*avro.RecordSchema)
	if !ok {
		return nil, fmt.Errorf("expected a record, got %s: a table needs named columns", s.root.Type())
	}
	var have []arrow.Field
	if like != nil {
		have = like.Fields()
	}
	fields, _, err := newLander(l).fields(r, have)
	if err != nil {
		return nil, err
	}
	return arrow.NewSchema(fields, nil), nil
}

// landing is what becomes of a type.
type landing int

const (
	lands   landing = iota // in a column
	nothing                // its value is known beforehand: there is nothing to keep
	beyond                 // below the deepest level of a type that contains itself
)

// A lander walks through a schema. Open are the records in which it is.
type lander struct {
	Layout
	open      []string
	seen      int             // fields, in this walk
	recursive map[string]bool // by full name, once it was asked
}

func newLander(l Layout) *lander { return &lander{Layout: l, recursive: map[string]bool{}} }

func (l *lander) fields(r *avro.RecordSchema, like []arrow.Field) ([]arrow.Field, landing, error) {
	l.open = append(l.open, r.FullName())
	defer func() { l.open = l.open[:len(l.open)-1] }()
	fields, kind := make([]arrow.Field, 0, len(r.Fields())), nothing
	to := columnsOf(r, like)
	for i, f := range r.Fields() {
		name, in := f.Name(), arrow.DataType(nil)
		if to[i] >= 0 {
			name, in = like[to[i]].Name, like[to[i]].Type
		}
		if l.seen++; l.seen > maxColumns {
			return nil, 0, fmt.Errorf("the schema has more than %d fields, nested ones counted; with a type that contains itself, unroll it less deep or take JSON text", maxColumns)
		}
		t, k, err := l.land(f.Type(), in)
		if err != nil {
			return nil, 0, inField(f.Name(), err)
		}
		if k == beyond {
			kind = beyond
		}
		if k != lands {
			continue
		}
		fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: true})
	}
	if len(fields) > 0 {
		kind = lands
	}
	return fields, kind, nil
}

var jsonText = arrow.BinaryTypes.String

// land gives the type of a column for a schema; like is what the table has in its place, or nil.
func (l *lander) land(s avro.Schema, like arrow.DataType) (arrow.DataType, landing, error) {
	s = deref(s)
	if like != nil && structFields(like) == nil && elemOf(like) == nil {
		if _, err := l.compile(s, like); err == nil {
			return like, lands, nil // the column may be wider
		}
	}
	if i := asBranch(s, like); i >= 0 {
		f := structFields(like)[i]
		t, k, err := l.land(s, f.Type)
		if k != lands || err != nil {
			return nil, k, err
		}
		return arrow.StructOf(arrow.Field{Name: f.Name, Type: t, Nullable: true}), lands, nil
	}
	switch s := s.(type) {
	case *avro.RecordSchema:
		if len(l.open) > 0 && l.loops(s) {
			if l.Recursion == 0 {
				return jsonText, lands, nil
			}
			depth := 0
			for _, name := range l.open {
				if name == s.FullName() {
					depth++
				}
			}
			if depth > l.Recursion {
				return nil, beyond, nil
			}
		}
		fields, kind, err := l.fields(s, structFields(like))
		if kind != lands || err != nil {
			return nil, kind, err
		}
		return arrow.StructOf(fields...), lands, nil
	case *avro.EnumSchema:
		return arrow.BinaryTypes.String, lands, nil
	case *avro.FixedSchema:
		t, k := fixedType(s)
		return t, k, nil
	case *avro.ArraySchema:
		t, k, err := l.land(s.Items(), elemOf(like))
		if k == nothing { // but how many there are
			return jsonText, lands, err
		}
		if k != lands || err != nil {
			return nil, k, inElement("element", err)
		}
		return arrow.ListOfField(arrow.Field{Name: "element", Type: t, Nullable: true}), lands, nil
	case *avro.MapSchema:
		t, k, err := l.land(s.Values(), elemOf(like))
		if k == nothing { // but its keys
			return jsonText, lands, err
		}
		if k != lands || err != nil {
			return nil, k, inElement("value", err)
		}
		return arrow.MapOf(arrow.BinaryTypes.String, t), lands, nil
	case *avro.UnionSchema:
		return l.union(s, like)
	case *avro.PrimitiveSchema:
		if lt := logical(s); l.LongNanos && (lt == timestampNanos || lt == localTimestampNanos) {
			return arrow.PrimitiveTypes.Int64, lands, nil
		}
		return primitiveType(s), lands, nil
	}
	return nil, nothing, nil // null
}

// anew lands a type for which the table has nothing.
func (l *lander) anew(s avro.Schema) (arrow.DataType, landing, error) {
	l.seen = 0
	return l.land(s, nil)
}

func (l *lander) union(u *avro.UnionSchema, like arrow.DataType) (arrow.DataType, landing, error) {
	types, null := branches(u)
	switch {
	case len(types) == 0:
		return nil, nothing, nil
	case len(types) == 1:
		t, k, err := l.land(types[0], like)
		if k == nothing && null >= 0 { // but whether it is there
			return jsonText, lands, err
		}
		return t, k, err
	case l.JSONUnions:
		return jsonText, lands, nil
	}
	var fields []arrow.Field
	have := structFields(like)
	names, to := branchNames(types), branchColumns(types, have)
	for i, s := range types {
		name, in := names[i], arrow.DataType(nil)
		if to[i] >= 0 {
			name, in = have[to[i]].Name, have[to[i]].Type
		}
		t, k, err := l.land(s, in)
		if err != nil {
			return nil, 0, inField(name, err)
		}
		if k == nothing { // but that it is this branch
			t, k = jsonText, lands
		}
		if k == lands {
			fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: true})
		}
	}
	if len(fields) == 0 {
		return nil, beyond, nil
	}
	return arrow.StructOf(fields...), lands, nil
}

func fixedType(s *avro.FixedSchema) (arrow.DataType, landing) {
	switch d := decimalOf(s); {
	case d != nil:
		return decimalType(d), lands
	case isUUID(s):
		return arrow.BinaryTypes.String, lands
	case isDuration(s):
		return durationType, lands
	case s.Size() <= 0:
		return nil, nothing
	}
	return &arrow.FixedSizeBinaryType{ByteWidth: s.Size()}, lands
}

// durationType has longs because each part is an unsigned number of 32 bits.
var durationType = arrow.StructOf(
	arrow.Field{Name: "months", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	arrow.Field{Name: "days", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	arrow.Field{Name: "millis", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
)

func structFields(t arrow.DataType) []arrow.Field {
	if st, ok := t.(*arrow.StructType); ok {
		return st.Fields()
	}
	return nil
}

func elemOf(t arrow.DataType) arrow.DataType {
	switch t := t.(type) {
	case *arrow.ListType:
		return t.Elem()
	case *arrow.MapType:
		return t.ItemType()
	}
	return nil
}

func inElement(name string, err error) error {
	if err == nil {
		return nil
	}
	return inField(name, err)
}

// loops reports that a record type contains itself.
func (l *lander) loops(r *avro.RecordSchema) bool {
	if yes, asked := l.recursive[r.FullName()]; asked {
		return yes
	}
	yes := reaches(r, r.FullName(), &[]string{})
	l.recursive[r.FullName()] = yes
	return yes
}

func reaches(r *avro.RecordSchema, name string, seen *[]string) bool {
	if slices.Contains(*seen, r.FullName()) {
		return false
	}
	*seen = append(*seen, r.FullName())
	var in func(s avro.Schema) bool
	in = func(s avro.Schema) bool {
		switch s := s.(type) {
		case *avro.RefSchema:
			return in(s.Schema())
		case *avro.RecordSchema:
			return s.FullName() == name || reaches(s, name, seen)
		case *avro.ArraySchema:
			return in(s.Items())
		case *avro.MapSchema:
			return in(s.Values())
		case *avro.UnionSchema:
			return slices.ContainsFunc(s.Types(), in)
		}
		return false
	}
	return slices.ContainsFunc(r.Fields(), func(f *avro.Field) bool { return in(f.Type()) })
}
