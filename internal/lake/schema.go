package lake

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// A SchemaError says which column of an existing table stands in the way.
type SchemaError struct {
	Table, Column string
	Have, Want    string // types; Have is empty if the table lacks the column
}

func (e *SchemaError) Error() string {
	if e.Have == "" {
		return fmt.Sprintf("table %s has no column %s (%s)", e.Table, e.Column, e.Want)
	}
	return fmt.Sprintf("column %s of table %s is %s, but the data are %s", e.Column, e.Table, e.Have, e.Want)
}

// reserved are the names of Iceberg's metadata columns: Spark reads no table that has one of its own.
var reserved = []string{"_file", "_pos", "_deleted", "_spec_id", "_partition"}

// nameable refuses columns that other readers of the table would stumble over.
func nameable(s *arrow.Schema) error {
	for _, f := range s.Fields() {
		if slices.Contains(reserved, strings.ToLower(f.Name)) {
			return fmt.Errorf("column %s has a name that Iceberg reserves (%s)", f.Name, strings.Join(reserved, ", "))
		}
	}
	return nil
}

// Schema is the table's schema for Arrow; its fields carry the Iceberg field ids. Batches must be built from it, because
// Iceberg renumbers the ids when a table is made.
func (t *Table) Schema() *arrow.Schema {
	tbl, _ := t.current()
	s, err := table.SchemaToArrowSchema(tbl.Schema(), nil, true, false)
	if err != nil { // every type that Ensure accepts has an Arrow type
		panic(fmt.Sprintf("lake: schema of table %s: %v", t.name, err))
	}
	return s
}

// accepts checks that the table can take rows of a schema.
func (t *Table) accepts(s *arrow.Schema) error {
	have := t.Schema()
	for _, want := range s.Fields() {
		i := have.FieldIndices(want.Name)
		if len(i) == 0 {
			return &SchemaError{Table: t.name, Column: want.Name, Want: want.Type.String()}
		}
		if f := have.Field(i[0]); !sameType(f.Type, want.Type) {
			return &SchemaError{Table: t.name, Column: want.Name, Have: f.Type.String(), Want: want.Type.String()}
		}
	}
	return nil
}

// sameType compares without field ids and without the names that list elements and map entries happen to have.
func sameType(a, b arrow.DataType) bool {
	if a.ID() != b.ID() {
		return false
	}
	switch x := a.(type) {
	case *arrow.StructType:
		y := b.(*arrow.StructType)
		if x.NumFields() != y.NumFields() {
			return false
		}
		for i, f := range x.Fields() {
			if g := y.Field(i); f.Name != g.Name || !sameType(f.Type, g.Type) {
				return false
			}
		}
		return true
	case *arrow.ListType:
		return sameType(x.Elem(), b.(*arrow.ListType).Elem())
	case *arrow.MapType:
		y := b.(*arrow.MapType)
		return sameType(x.KeyType(), y.KeyType()) && sameType(x.ItemType(), y.ItemType())
	}
	return arrow.TypeEqual(a, b)
}

// A Column of a table, for an engine that reads its files.
type Column struct {
	ID   int // Iceberg field id; the files carry it, so that renamed and added columns are found
	Name string
	Type string // DuckDB's
}

// Columns are those that a table made with a schema would have.
func Columns(s *arrow.Schema) ([]Column, error) {
	of, err := table.ArrowSchemaToIcebergWithFreshIDs(s, true)
	if err != nil {
		return nil, err
	}
	return columns(of), nil
}

func columns(s *iceberg.Schema) []Column {
	cols := make([]Column, 0, s.NumFields())
	for _, f := range s.Fields() {
		cols = append(cols, Column{ID: f.ID, Name: f.Name, Type: duckType(f.Type)})
	}
	return cols
}

func duckType(t iceberg.Type) string {
	switch t := t.(type) {
	case iceberg.BooleanType:
		return "BOOLEAN"
	case iceberg.Int32Type:
		return "INTEGER"
	case iceberg.Int64Type:
		return "BIGINT"
	case iceberg.Float32Type:
		return "FLOAT"
	case iceberg.Float64Type:
		return "DOUBLE"
	case iceberg.DateType:
		return "DATE"
	case iceberg.TimeType:
		return "TIME"
	case iceberg.TimestampType:
		return "TIMESTAMP"
	case iceberg.TimestampTzType:
		return "TIMESTAMP WITH TIME ZONE"
	case iceberg.StringType:
		return "VARCHAR"
	case iceberg.UUIDType:
		return "UUID"
	case iceberg.DecimalType:
		return fmt.Sprintf("DECIMAL(%d,%d)", t.Precision(), t.Scale())
	case *iceberg.ListType:
		return duckType(t.Element) + "[]"
	case *iceberg.MapType:
		return "MAP(" + duckType(t.KeyType) + ", " + duckType(t.ValueType) + ")"
	case *iceberg.StructType:
		fields := make([]string, len(t.FieldList))
		for i, f := range t.FieldList {
			fields[i] = `"` + strings.ReplaceAll(f.Name, `"`, `""`) + `" ` + duckType(f.Type)
		}
		return "STRUCT(" + strings.Join(fields, ", ") + ")"
	}
	return "BLOB" // binary and fixed
}
