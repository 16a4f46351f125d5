package table

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Date is a day without a time.
type Date struct{ time.Time }

// MakeDate is a day of the calendar.
func MakeDate(year int, month time.Month, day int) Date {
	return Date{time.Date(year, month, day, 0, 0, 0, 0, time.UTC)}
}

// column ties a struct's field to a column.
type column struct {
	name    string
	field   int
	pointer bool
	typ     arrow.DataType
}

var (
	timeType = reflect.TypeFor[time.Time]()
	dateType = reflect.TypeFor[Date]()
)

// columnsOf lists the columns of a struct.
func columnsOf(t reflect.Type) ([]column, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("a row must be a struct, not %s", t)
	}
	var all []column
	for i := range t.NumField() {
		f := t.Field(i)
		c := column{name: strings.ToLower(f.Name), field: i}
		if tag := f.Tag.Get("table"); tag == "-" || !f.IsExported() {
			continue
		} else if tag != "" {
			c.name = tag
		}
		typ := f.Type
		if typ.Kind() == reflect.Pointer {
			c.pointer, typ = true, typ.Elem()
		}
		switch {
		case typ == timeType:
			c.typ = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
		case typ == dateType:
			c.typ = arrow.FixedWidthTypes.Date32
		case typ.Kind() == reflect.String:
			c.typ = arrow.BinaryTypes.String
		case typ.Kind() == reflect.Bool:
			c.typ = arrow.FixedWidthTypes.Boolean
		case typ.Kind() == reflect.Int32:
			c.typ = arrow.PrimitiveTypes.Int32
		case typ.Kind() == reflect.Int64:
			c.typ = arrow.PrimitiveTypes.Int64
		case typ.Kind() == reflect.Float64:
			c.typ = arrow.PrimitiveTypes.Float64
		case typ.Kind() == reflect.Slice && typ.Elem().Kind() == reflect.Uint8:
			c.typ = arrow.BinaryTypes.Binary
		default:
			return nil, fmt.Errorf("field %s of %s: a column cannot be %s: use string, bool, int32, int64, float64, []byte, time.Time, table.Date or a pointer to one", f.Name, t, f.Type)
		}
		all = append(all, c)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%s has no exported field", t)
	}
	return all, nil
}

func schemaOf(cols []column) *arrow.Schema {
	fields := make([]arrow.Field, len(cols))
	for i, c := range cols {
		fields[i] = arrow.Field{Name: c.name, Type: c.typ, Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// put appends one value of a row to its column.
func (c column) put(b array.Builder, row reflect.Value) {
	v := row.Field(c.field)
	if c.pointer {
		if v.IsNil() {
			b.AppendNull()
			return
		}
		v = v.Elem()
	}
	switch b := b.(type) {
	case *array.StringBuilder:
		b.Append(v.String())
	case *array.BooleanBuilder:
		b.Append(v.Bool())
	case *array.Int32Builder:
		b.Append(int32(v.Int()))
	case *array.Int64Builder:
		b.Append(v.Int())
	case *array.Float64Builder:
		b.Append(v.Float())
	case *array.BinaryBuilder:
		b.Append(v.Bytes())
	case *array.TimestampBuilder:
		b.Append(arrow.Timestamp(v.Interface().(time.Time).UnixMicro()))
	case *array.Date32Builder:
		b.Append(arrow.Date32FromTime(v.Interface().(Date).Time))
	}
}

// decoder makes structs of a table's batches.
type decoder[T any] struct {
	cols []column
	at   []int // column in the batch
}

func newDecoder[T any](s *arrow.Schema) (*decoder[T], error) {
	cols, err := columnsOf(reflect.TypeFor[T]())
	if err != nil {
		return nil, err
	}
	d := &decoder[T]{cols: cols}
	for _, c := range cols {
		i := s.FieldIndices(c.name)
		if len(i) != 1 {
			return nil, fmt.Errorf("there is no column %s", c.name)
		}
		if have := s.Field(i[0]).Type; have.ID() != c.typ.ID() {
			return nil, fmt.Errorf("column %s is %s, not %s", c.name, have, c.typ)
		}
		d.at = append(d.at, i[0])
	}
	return d, nil
}

func (d *decoder[T]) row(b arrow.RecordBatch, i int) T {
	var out T
	row := reflect.ValueOf(&out).Elem()
	for k, c := range d.cols {
		col := b.Column(d.at[k])
		if col.IsNull(i) {
			continue // the field's zero value
		}
		f := row.Field(c.field)
		if c.pointer {
			f.Set(reflect.New(f.Type().Elem()))
			f = f.Elem()
		}
		switch a := col.(type) {
		case *array.String:
			f.SetString(strings.Clone(a.Value(i)))
		case *array.Boolean:
			f.SetBool(a.Value(i))
		case *array.Int32:
			f.SetInt(int64(a.Value(i)))
		case *array.Int64:
			f.SetInt(a.Value(i))
		case *array.Float64:
			f.SetFloat(a.Value(i))
		case *array.Binary:
			f.SetBytes(append([]byte{}, a.Value(i)...))
		case *array.Timestamp:
			unit := a.DataType().(*arrow.TimestampType).Unit
			f.Set(reflect.ValueOf(a.Value(i).ToTime(unit).UTC()))
		case *array.Date32:
			f.Set(reflect.ValueOf(Date{a.Value(i).ToTime().UTC()}))
		}
	}
	return out
}
