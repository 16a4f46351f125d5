package avro

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"
)

// recordOf is a record R with the given fields, as JSON: a "long", b "string".
func recordOf(fields ...string) string {
	for i, f := range fields {
		name, typ, _ := strings.Cut(f, " ")
		fields[i] = fmt.Sprintf(`{"name":%q,"type":%s}`, name, typ)
	}
	return `{"type":"record","name":"R","fields":[` + strings.Join(fields, ",") + `]}`
}

func mustParse(t testing.TB, text string) *Schema {
	t.Helper()
	s, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustTarget(t testing.TB, text string) *arrow.Schema {
	t.Helper()
	target, err := ArrowSchema(mustParse(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return target
}

func mustBatch(t testing.TB, target *arrow.Schema) *Batch {
	t.Helper()
	b, err := NewBatch(target)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustCompile(t testing.TB, writer string, target *arrow.Schema) *Plan {
	t.Helper()
	p, err := Compile(mustParse(t, writer), target)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("\ngot  %v\nwant %s", err, want)
	}
}

// wireOf writes ints and int64s as longs, strings with their length, and bytes as they are.
func wireOf(parts ...any) []byte {
	var out []byte
	for _, p := range parts {
		switch p := p.(type) {
		case int:
			out = binary.AppendVarint(out, int64(p))
		case int64:
			out = binary.AppendVarint(out, p)
		case string:
			out = append(binary.AppendVarint(out, int64(len(p))), p...)
		case float32:
			out = binary.LittleEndian.AppendUint32(out, math.Float32bits(p))
		case []byte:
			out = append(out, p...)
		default:
			panic(fmt.Sprintf("wireOf: %T", p))
		}
	}
	return out
}

func TestTableTypes(t *testing.T) {
	for avroType, want := range map[string]string{
		`"boolean"`: "bool", `"int"`: "int32", `"long"`: "int64", `"float"`: "float32", `"double"`: "float64",
		`"bytes"`: "binary", `"string"`: "utf8",
		`["null","int"]`: "int32", `["int","null"]`: "int32", `["int"]`: "int32",
		`{"type":"enum","name":"E","symbols":["A"]}`:                                 "utf8",
		`{"type":"fixed","name":"F","size":3}`:                                       "fixed_size_binary[3]",
		`{"type":"array","items":"int"}`:                                             "list<element: int32, nullable>",
		`{"type":"map","values":"int"}`:                                              "map<utf8, int32, items_nullable>",
		`{"type":"record","name":"S","fields":[{"name":"x","type":"int"}]}`:          "struct<x: int32 nullable>",
		`{"type":"bytes","logicalType":"decimal","precision":38,"scale":2}`:          "decimal(38, 2)",
		`{"type":"fixed","name":"F","size":8,"logicalType":"decimal","precision":9}`: "decimal(9, 0)",
		`{"type":"int","logicalType":"date"}`:                                        "date32",
		`{"type":"int","logicalType":"time-millis"}`:                                 "time64[us]",
		`{"type":"long","logicalType":"time-micros"}`:                                "time64[us]",
		`{"type":"long","logicalType":"timestamp-millis"}`:                           "timestamp[us, tz=UTC]",
		`{"type":"long","logicalType":"timestamp-micros"}`:                           "timestamp[us, tz=UTC]",
		`{"type":"long","logicalType":"local-timestamp-millis"}`:                     "timestamp[us]",
		`{"type":"long","logicalType":"local-timestamp-micros"}`:                     "timestamp[us]",
		`{"type":"string","logicalType":"uuid"}`:                                     "utf8",
		`{"type":"fixed","name":"F","size":16,"logicalType":"uuid"}`:                 "utf8",
		`{"type":"fixed","name":"F","size":12,"logicalType":"duration"}`:             "struct<months: int64 nullable, days: int64 nullable, millis: int64 nullable>",
		`{"type":"long","logicalType":"timestamp-nanos"}`:                            "timestamp[us, tz=UTC]",
		`{"type":"long","logicalType":"local-timestamp-nanos"}`:                      "timestamp[us]",
		`{"type":"int","logicalType":"timestamp-nanos"}`:                             "int32",
		`{"type":"bytes","logicalType":"decimal","precision":39,"scale":2}`:          "utf8",
		`{"type":"bytes","logicalType":"decimal","precision":1001,"scale":2}`:        "binary",
		`["int","string"]`: "struct<int: int32 nullable, string: utf8 nullable>",
		`["null","R",{"type":"fixed","name":"F","size":3}]`:                                                              "struct<R: utf8 nullable, F: fixed_size_binary[3] nullable>",
		`["string",{"type":"enum","name":"x.String","symbols":["A"]},{"type":"enum","name":"y.string","symbols":["A"]}]`: "struct<string: utf8 nullable, x_String: utf8 nullable, y_string: utf8 nullable>",
		`["null",{"type":"array","items":"R"}]`:                                                                          "list<element: utf8, nullable>",
		`["null",{"type":"record","name":"E","fields":[]}]`:                                                              "utf8", // whether it is there
		`["int",{"type":"record","name":"E","fields":[]}]`:                                                               "struct<int: int32 nullable, E: utf8 nullable>",
		`{"type":"array","items":"null"}`:                                                                                "utf8",
		`{"type":"long","logicalType":"date"}`:                                                                           "int64", // belongs on an int: ignored
		`{"type":"fixed","name":"F","size":2,"logicalType":"decimal","precision":9}`:                                     "fixed_size_binary[2]",
	} {
		f := mustTarget(t, recordOf("a "+avroType)).Field(0)
		if f.Type.String() != want || !f.Nullable {
			t.Errorf("%s: got %s (nullable %v), want %s", avroType, f.Type, f.Nullable, want)
		}
	}
}

func TestATableNeedsARecord(t *testing.T) {
	s := mustParse(t, `"int"`)
	_, err := ArrowSchema(s)
	wantError(t, err, "expected a record, got int: a table needs named columns")
	if _, err = Compile(s, arrow.NewSchema(nil, nil)); err == nil {
		t.Error("Compile takes it")
	}
}

func TestParseNamesTheMistake(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{`{"type":"record"`, "avro schema: "},
		{recordOf(`a "lng"`), "lng"},
	} {
		if _, err := Parse(c.schema); err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "avro: avro") {
			t.Errorf("%s: got %v, want …%s…", c.schema, err, c.want)
		}
	}
	// One schema's types are not known to the next.
	mustParse(t, recordOf(`a {"type":"fixed","name":"Iban","size":3}`))
	if _, err := Parse(recordOf(`a "Iban"`)); err == nil {
		t.Error("a name of an earlier schema is known")
	}
}

func TestCompileSaysWhatDoesNotFit(t *testing.T) {
	const decimal = `{"type":"bytes","logicalType":"decimal","precision":%d,"scale":%d}`
	for _, c := range []struct{ writer, table, want string }{
		{recordOf(`a "long"`, `b "int"`), recordOf(`a "long"`), "field b: there is no such column in the table"},
		{recordOf(`s {"type":"record","name":"S","fields":[{"name":"x","type":"int"},{"name":"y","type":"int"}]}`), recordOf(`s {"type":"record","name":"S","fields":[{"name":"x","type":"int"}]}`), "field s.y: there is no such column in the table"},
		{recordOf(`a "long"`), recordOf(`a "int"`), "field a: long does not fit a column of type int32"},
		{recordOf(`a "double"`), recordOf(`a "float"`), "field a: double does not fit a column of type float32"},
		{recordOf(`a "string"`), recordOf(`a "long"`), "field a: string does not fit a column of type int64"},
		{recordOf(`a {"type":"int","logicalType":"date"}`), recordOf(`a "long"`), `field a: {"type":"int","logicalType":"date"} does not fit a column of type int64`},
		{recordOf(`a ["int","string"]`), recordOf(`a "string"`), "field a: a union of several types does not fit a column of type utf8"},
		{recordOf(`a ["int","string","boolean"]`), recordOf(`a ["int","string"]`), "field a.boolean: there is no such column in the table"},
		{recordOf(`a {"type":"array","items":"string"}`), recordOf(`a {"type":"array","items":"int"}`), "field a.element: string does not fit a column of type int32"},
		{recordOf(`a {"type":"map","values":["null","string"]}`), recordOf(`a {"type":"map","values":"int"}`), "field a.value: string does not fit a column of type int32"},
		{recordOf(`a {"type":"array","items":"int"}`), recordOf(`a "int"`), "field a: array does not fit a column of type int32"},
		{recordOf(`a {"type":"fixed","name":"F","size":4}`), recordOf(`a {"type":"fixed","name":"F","size":5}`), "field a: fixed does not fit a column of type fixed_size_binary[5]"},
		{recordOf(`a {"type":"long","logicalType":"timestamp-micros"}`), recordOf(`a {"type":"long","logicalType":"local-timestamp-micros"}`), `field a: {"type":"long","logicalType":"timestamp-micros"} does not fit a column of type timestamp[us]`},
		{recordOf("a " + fmt.Sprintf(decimal, 9, 3)), recordOf("a " + fmt.Sprintf(decimal, 9, 2)), `field a: {"type":"bytes","logicalType":"decimal","precision":9,"scale":3} does not fit a column of type decimal(9, 2)`},
		{recordOf("a " + fmt.Sprintf(decimal, 10, 2)), recordOf("a " + fmt.Sprintf(decimal, 9, 2)), `field a: {"type":"bytes","logicalType":"decimal","precision":10,"scale":2} does not fit a column of type decimal(9, 2)`},
	} {
		_, err := Compile(mustParse(t, c.writer), mustTarget(t, c.table))
		wantError(t, err, c.want)
	}
}

// A table's writers differ: an older one lacks a column, writes an int where it is a long now, and has another order.
func TestSeveralWritersOneBatch(t *testing.T) {
	target := mustTarget(t, recordOf(`id "long"`, `score "double"`, `s {"type":"record","name":"S","fields":[{"name":"x","type":"int"},{"name":"y","type":"string"}]}`, `tags {"type":"array","items":"long"}`))
	now := mustCompile(t, recordOf(`id "long"`, `score "double"`), target)
	old := mustCompile(t, recordOf(`score "float"`, `tags {"type":"array","items":"int"}`, `s {"type":"record","name":"S","fields":[{"name":"y","type":"string"}]}`, `id "int"`), target)
	b := mustBatch(t, target)
	for range 2 {
		if err := b.Append(now, wireOf(1, []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x3f})); err != nil {
			t.Fatal(err)
		}
		if err := b.Append(old, wireOf(float32(2.5), 2, 7, 8, 0, "why", -2)); err != nil {
			t.Fatal(err)
		}
	}
	cols := b.Flush()
	want := []object{
		{"id": int64(1), "score": bits64(math.Float64bits(1.5)), "s": nil, "tags": nil},
		{"id": int64(-2), "score": bits64(math.Float64bits(2.5)), "s": object{"x": nil, "y": "why"}, "tags": []any{int64(7), int64(8)}},
	}
	for i := range 4 {
		if diff := cmp.Diff(want[i%2], row(target, cols, i)); diff != "" {
			t.Errorf("row %d (-want +got):\n%s", i, diff)
		}
	}
}

// A table's own field names and metadata (an Iceberg table's ids) stay, whatever the writer calls its items.
func TestKeepsTheTablesTypes(t *testing.T) {
	md := arrow.NewMetadata([]string{"PARQUET:field_id"}, []string{"7"})
	target := arrow.NewSchema([]arrow.Field{
		{Name: "l", Type: arrow.ListOfField(arrow.Field{Name: "item", Type: arrow.PrimitiveTypes.Int32, Nullable: true, Metadata: md}), Nullable: true},
		{Name: "m", Type: arrow.MapOfFields(arrow.Field{Name: "k", Type: arrow.BinaryTypes.String, Metadata: md}, arrow.Field{Name: "v", Type: arrow.PrimitiveTypes.Int64, Nullable: true}), Nullable: true},
	}, nil)
	p := mustCompile(t, recordOf(`l {"type":"array","items":"int"}`, `m {"type":"map","values":"int"}`), target)
	b := mustBatch(t, target)
	if err := b.Append(p, wireOf(2, 1, 2, 0, 1, "k", 5, 1, "j", 6, 0)); err != nil {
		t.Fatal(err)
	}
	cols := b.Flush()
	for i, c := range cols {
		if got, want := fmt.Sprintf("%#v", c.DataType()), fmt.Sprintf("%#v", target.Field(i).Type); c.DataType() != target.Field(i).Type {
			t.Errorf("type %s, want the table's own %s", got, want)
		}
	}
	want := object{"l": []any{int64(1), int64(2)}, "m": object{"k": int64(5), "j": int64(6)}}
	if diff := cmp.Diff(want, row(target, cols, 0)); diff != "" {
		t.Error(diff)
	}
	rec := array.NewRecordBatch(target, cols, 1) // checks types and lengths
	rec.Release()
}

func TestFlushedArraysStay(t *testing.T) {
	text := string(readFile(t, "testdata/bank-transaction.avsc"))
	s := mustParse(t, text)
	target := mustTarget(t, text)
	p := mustCompile(t, text, target)
	b := mustBatch(t, target)
	fill := func(seed byte) {
		d := &dice{bytes: []byte(strings.Repeat(string([]byte{seed, 1, 2, 1, 1, seed * 3}), 4000))}
		for range 100 {
			if err := b.Append(p, d.datum(nil, s.root)); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(3)
	first := b.Flush()
	if b.Len() != 0 || b.Bytes() != 0 {
		t.Errorf("after Flush: %d rows, %d bytes", b.Len(), b.Bytes())
	}
	before := fmt.Sprint(first)
	fill(5)
	second := b.Flush()
	if fmt.Sprint(first) != before {
		t.Error("flushed arrays have changed with the next batch")
	}
	if second[0].Len() != 100 || fmt.Sprint(second) == before {
		t.Error("the second batch is not the second data")
	}
	if empty := b.Flush(); empty[0].Len() != 0 || fmt.Sprint(empty[12]) != "[]" {
		t.Errorf("an empty batch gives %v", empty)
	}
}

func TestPlanForOtherColumns(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a plan for other columns was used: values would land in the wrong ones")
		}
	}()
	p := mustCompile(t, recordOf(`a "int"`, `b "int"`), mustTarget(t, recordOf(`a "int"`, `b "int"`)))
	_ = mustBatch(t, mustTarget(t, recordOf(`b "int"`, `a "int"`))).Append(p, wireOf(1, 2))
}

func TestSplitHeader(t *testing.T) {
	id, datum, err := SplitHeader([]byte{0, 0, 1, 0, 2, 9, 8})
	if id != 1<<16+2 || string(datum) != "\x09\x08" || err != nil {
		t.Errorf("got %d, %x, %v", id, datum, err)
	}
	_, _, err = SplitHeader([]byte{0, 0, 1})
	wantError(t, err, "3 bytes are too few for a schema header (0x00 and a 4-byte id)")
	_, _, err = SplitHeader([]byte("{json}"))
	wantError(t, err, "the first byte is 0x7b, not 0x00: the message has no schema header")
}

func TestErrorSaysWhere(t *testing.T) {
	text := recordOf(`id "long"`, `s {"type":"record","name":"S","fields":[{"name":"tags","type":{"type":"array","items":"string"}}]}`)
	target := mustTarget(t, text)
	b := mustBatch(t, target)
	p := mustCompile(t, text, target)
	for _, c := range []struct {
		datum []byte
		want  string
		is    error
	}{
		{nil, "field id, byte 0: the datum ends here", errShort},
		{wireOf(1, 2, "a", "\xff", 0), "field s.tags.element, byte 6: text that is not UTF-8", errUTF8},
		{wireOf(1, 0, 0), "byte 2: bytes are left after the datum", errTrailing},
	} {
		err := b.Append(p, c.datum)
		wantError(t, err, c.want)
		if !errors.Is(err, c.is) {
			t.Errorf("%v is not %v", err, c.is)
		}
	}
}
