// Package readback writes random data of an Avro schema into a table and holds what readers give against what was decoded.
package readback

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"weir/internal/avro"
	"weir/internal/content"
	"weir/internal/engine"
	"weir/internal/engine/duckdb"
	"weir/internal/lake"
)

// Rows is how many a table gets.
const Rows = 100

// A Table has what was decoded: one array for each column, and at last the number of the row, row_no.
type Table struct {
	schema *arrow.Schema
	arrays []arrow.Array
	plan   lake.Plan
	table  *lake.Table
}

// Make makes a table and fills it with random data of a schema.
func Make(t testing.TB, lk *lake.Lake, name, text string, layout avro.Layout) *Table {
	t.Helper()
	g, err := content.NewGenerator(content.Spec{Seed: 5, Schema: text})
	if err != nil {
		t.Fatal(err)
	}
	s, err := avro.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	cols, err := layout.Columns(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	row := arrow.Field{Name: "row_no", Type: arrow.PrimitiveTypes.Int64, Nullable: true}
	tbl, err := lk.Ensure(t.Context(), name, arrow.NewSchema(append(cols.Fields(), row), nil), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	schema := tbl.Schema()
	values := arrow.NewSchema(schema.Fields()[:cols.NumFields()], nil)
	plan, err := layout.Compile(s, values)
	if err != nil {
		t.Fatal(err)
	}
	batch, err := avro.NewBatch(values)
	if err != nil {
		t.Fatal(err)
	}
	w, deep := g.Writer(), 0
	for n := uint64(0); batch.Len() < Rows && n < 20*Rows; n++ {
		if err := batch.Append(plan, w.Append(nil, n)); err != nil {
			if layout.Recursion == 0 || !strings.Contains(err.Error(), "more often than the table has columns for") {
				t.Fatal(err)
			}
			deep++
		}
	}
	rows := batch.Len()
	numbers := array.NewInt64Builder(memory.DefaultAllocator)
	for i := range rows {
		numbers.Append(int64(i))
	}
	arrays := append(batch.Flush(), numbers.NewArray())
	want := array.NewRecordBatch(schema, arrays, int64(rows))
	files, err := tbl.Write(t.Context(), func(yield func(arrow.RecordBatch, error) bool) {
		want.Retain()
		yield(want, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tbl.Commit(t.Context(), lake.Commit{Job: "test", ID: "1", To: []byte("1"), Add: files}); err != nil {
		t.Fatal(err)
	}
	p, err := tbl.Plan(t.Context())
	if err != nil || rows == 0 {
		t.Fatalf("%d rows, %d too deep, %v", rows, deep, err)
	}
	return &Table{schema, arrays, p, tbl}
}

// Scan reads the table with our own reader.
func (x *Table) Scan(t testing.TB) {
	t.Helper()
	at := int64(0)
	for c, err := range x.table.Scan(t.Context(), x.plan) {
		if err != nil {
			t.Fatal(err)
		}
		for k := range x.arrays {
			got := c.Batch.Column(k)
			if part := array.NewSlice(x.arrays[k], at, at+c.Batch.NumRows()); !array.ApproxEqual(got, part, array.WithNaNsEqual(true)) {
				t.Fatalf("%s: our reader gives\n%v\nwant\n%v", x.schema.Field(k).Name, got, part)
			}
		}
		at += c.Batch.NumRows()
	}
	if at != x.rows() {
		t.Fatalf("our reader gives %d rows of %d", at, x.rows())
	}
}

func (x *Table) rows() int64 { return int64(x.arrays[0].Len()) }

// HasTimes reports that a column holds times of day, which Spark refuses to read: the whole table with them.
func (x *Table) HasTimes() bool { return strings.Contains(x.schema.String(), "time64[") }

// DuckDB reads the table with that.
func (x *Table) DuckDB(t testing.TB, duck *duckdb.Engine) {
	t.Helper()
	table := engine.Table{Name: "x.t"}
	for _, f := range x.plan.Files {
		table.Files = append(table.Files, f.Path)
	}
	for _, c := range x.plan.Columns {
		table.Columns = append(table.Columns, engine.Column{ID: c.ID, Name: c.Name, Type: c.Type})
	}
	got, err := duck.Query(t.Context(), "SELECT CAST(to_json(t) AS VARCHAR) FROM x.t ORDER BY row_no", []engine.Table{table}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, r := range got.Rows {
		lines = append(lines, fmt.Sprint(r[0]))
	}
	x.Compare(t, lines)
}

// Compare holds rows that an engine has written as JSON against the table, in the order of row_no. Binary columns may be in base64 and
// times be cut to milliseconds, as Spark has them.
func (x *Table) Compare(t testing.TB, lines []string) {
	t.Helper()
	if int64(len(lines)) != x.rows() {
		t.Fatalf("%d rows, want %d", len(lines), x.rows())
	}
	for i, line := range lines {
		d := json.NewDecoder(strings.NewReader(line))
		d.UseNumber()
		var v map[string]any
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%v: %v", line, err)
		}
		for k, f := range x.schema.Fields() {
			if !same(v[f.Name], x.arrays[k], i) {
				t.Fatalf("row %d: %s is\n%v\nwant\n%s", i, f.Name, v[f.Name], x.arrays[k].ValueStr(i))
			}
		}
	}
}

// same holds what an engine writes as JSON against a value of an array.
func same(got any, a arrow.Array, i int) bool {
	if a.IsNull(i) || got == nil {
		return a.IsNull(i) && got == nil
	}
	text := fmt.Sprint(got)
	switch a := a.(type) {
	case *array.Boolean:
		return got == a.Value(i)
	case *array.Int32:
		return text == strconv.Itoa(int(a.Value(i)))
	case *array.Int64:
		return text == strconv.FormatInt(a.Value(i), 10)
	case *array.Float32:
		v, err := strconv.ParseFloat(text, 32)
		return err == nil && (float32(v) == a.Value(i) || math.IsNaN(v) && a.Value(i) != a.Value(i))
	case *array.Float64:
		v, err := strconv.ParseFloat(text, 64)
		return err == nil && (v == a.Value(i) || math.IsNaN(v) && math.IsNaN(a.Value(i)))
	case *array.Decimal128:
		v, ok := new(big.Rat).SetString(text)
		want, _ := new(big.Rat).SetString(a.ValueStr(i))
		return ok && v.Cmp(want) == 0
	case *array.String:
		return got == a.Value(i)
	case *array.Binary:
		return sameBytes(text, a.Value(i))
	case *array.FixedSizeBinary:
		return sameBytes(text, a.Value(i))
	case *array.Date32:
		return text == a.Value(i).ToTime().Format(time.DateOnly)
	case *array.Time64:
		return text == a.Value(i).ToTime(arrow.Microsecond).Format("15:04:05.999999")
	case *array.Timestamp:
		at := a.Value(i).ToTime(arrow.Microsecond)
		spark := strings.TrimSuffix(text, "Z")
		return strings.TrimSuffix(text, "+00") == at.Format("2006-01-02 15:04:05.999999") || spark == at.Truncate(time.Millisecond).Format("2006-01-02T15:04:05.000")
	case *array.Struct:
		m, ok := got.(map[string]any)
		for k, f := range a.DataType().(*arrow.StructType).Fields() {
			ok = ok && same(m[f.Name], a.Field(k), i)
		}
		return ok
	case *array.Map: // before List, which it embeds
		m, ok := got.(map[string]any)
		from, to := a.ValueOffsets(i)
		for k := int(from); k < int(to); k++ {
			ok = ok && same(m[a.Keys().(*array.String).Value(k)], a.Items(), k)
		}
		return ok && len(m) == int(to-from)
	case *array.List:
		l, ok := got.([]any)
		from, to := a.ValueOffsets(i)
		if len(l) != int(to-from) {
			return false
		}
		for k := range l {
			ok = ok && same(l[k], a.ListValues(), int(from)+k)
		}
		return ok
	}
	return false
}

var escape = regexp.MustCompile(`\\x[0-9A-F]{2}`)

func sameBytes(text string, want []byte) bool {
	b, err := base64.StdEncoding.DecodeString(text)
	return unescaped(text) == string(want) || err == nil && string(b) == string(want)
}

func unescaped(blob string) string {
	return escape.ReplaceAllStringFunc(blob, func(s string) string {
		b, _ := strconv.ParseUint(s[2:], 16, 8) // the pattern says so
		return string([]byte{byte(b)})
	})
}
