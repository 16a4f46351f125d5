package avro

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
)

// read decodes one datum and gives the row, or the error.
func read(t *testing.T, l Layout, writer string, target *arrow.Schema, datum []byte) (object, error) {
	t.Helper()
	p, err := l.Compile(mustParse(t, writer), target)
	if err != nil {
		t.Fatal(err)
	}
	b := mustBatch(t, target)
	if err := b.Append(p, datum); err != nil {
		return nil, err
	}
	return row(target, b.Flush(), 0), nil
}

func columnsFor(t *testing.T, l Layout, writer string, like *arrow.Schema) *arrow.Schema {
	t.Helper()
	s, err := l.Columns(mustParse(t, writer), like)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLayouts(t *testing.T) {
	const tree = `{"type":"record","name":"Node","fields":[{"name":"v","type":"int"},{"name":"kids","type":{"type":"array","items":"Node"}},{"name":"up","type":["null","Node"]}]}`
	leaf := []any{1, 0, 0}
	one := append([]any{2, 1}, append(leaf, 0)...)
	for _, c := range []struct {
		name, schema string
		layout       Layout
		types        []string
		datum        []any
		want         object // nil: too deep
	}{
		{"a union's branch is the child of its name", recordOf(`u ["null","int","string"]`), Layout{}, []string{"struct<int: int32 nullable, string: utf8 nullable>"},
			[]any{2, "a"}, object{"u": object{"int": nil, "string": "a"}}},
		{"and null is none of them", recordOf(`u ["int","null","string"]`), Layout{}, []string{"struct<int: int32 nullable, string: utf8 nullable>"}, []any{1}, object{"u": nil}},
		{"a union as JSON", recordOf(`u ["null","int","string"]`), Layout{JSONUnions: true}, []string{"utf8"}, []any{2, "a\"\n\\ü"}, object{"u": `{"string":"a\"\u000a\\ü"}`}},
		{"and null is null", recordOf(`u ["null","int","string"]`), Layout{JSONUnions: true}, []string{"utf8"}, []any{0}, object{"u": nil}},
		{"a tree as JSON", recordOf("t " + tree), Layout{}, []string{"utf8"}, append(one, 0), object{"t": `{"v":2,"kids":[{"v":1,"kids":[],"up":null}],"up":null}`}},
		{"what says nothing has no column", recordOf(`a "null"`, `b {"type":"record","name":"E","fields":[{"name":"x","type":"null"}]}`, `c "int"`, `d {"type":"fixed","name":"F","size":0}`, `e ["null"]`), Layout{},
			[]string{"int32"}, []any{5, 0}, object{"c": int64(5)}},
		{"a duration", recordOf(`d {"type":"fixed","name":"F","size":12,"logicalType":"duration"}`), Layout{}, nil, []any{[]byte{1, 0, 0, 0, 255, 255, 255, 255, 0, 1, 0, 0}},
			object{"d": object{"months": int64(1), "days": int64(math.MaxUint32), "millis": int64(256)}}},
		{"a UUID of 16 bytes", recordOf(`d {"type":"fixed","name":"F","size":16,"logicalType":"uuid"}`), Layout{}, nil, []any{[]byte("0123456789abcdef")},
			object{"d": "30313233-3435-3637-3839-616263646566"}},
		{"nanoseconds are rounded down", recordOf(`d {"type":"long","logicalType":"timestamp-nanos"}`), Layout{}, nil, []any{1999}, object{"d": instant(1)}},
		{"also before 1970", recordOf(`d {"type":"long","logicalType":"local-timestamp-nanos"}`), Layout{}, nil, []any{-1001}, object{"d": instant(-2)}},
		{"the smallest", recordOf(`d {"type":"long","logicalType":"timestamp-nanos"}`), Layout{}, nil, []any{int64(math.MinInt64)}, object{"d": instant(math.MinInt64/1000 - 1)}},
		{"or kept", recordOf(`d {"type":"long","logicalType":"timestamp-nanos"}`), Layout{LongNanos: true}, []string{"int64"}, []any{-1001}, object{"d": int64(-1001)}},
		{"a decimal of 39 digits", recordOf(`d {"type":"bytes","logicalType":"decimal","precision":39,"scale":38}`), Layout{}, []string{"utf8"}, []any{1, []byte{0xfb}}, object{"d": "-0." + strings.Repeat("0", 37) + "5"}},
		{"of 16 bytes", recordOf(`d {"type":"bytes","logicalType":"decimal","precision":39,"scale":1}`), Layout{}, []string{"utf8"}, []any{16, append([]byte{0x80}, make([]byte, 15)...)}, object{"d": "-17014118346046923173168730371588410572.8"}},
		{"an array of null keeps its length", recordOf(`a {"type":"array","items":"null"}`, `b "long"`), Layout{}, nil, []any{2, 0, 1}, object{"a": "[null,null]", "b": int64(1)}},
		{"unrolled once", tree, Layout{Recursion: 1}, []string{"int32", "list<element: struct<v: int32 nullable>, nullable>", "struct<v: int32 nullable>"}, append(one, 1, 3, 0, 0),
			object{"v": int64(2), "kids": []any{object{"v": int64(1)}}, "up": object{"v": int64(3)}}},
		{"unrolled once, and deeper", tree, Layout{Recursion: 1}, nil, []any{2, 1, 1, 0, 1, 1, 0, 0, 0, 0}, nil},
		{"unrolled once, and deeper in an array", tree, Layout{Recursion: 1}, nil, []any{2, 1, 1, 1, 0, 0, 0}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := columnsFor(t, c.layout, c.schema, nil)
			for i, want := range c.types {
				if got := target.Field(i).Type.String(); got != want || target.NumFields() != len(c.types) {
					t.Errorf("column %d of %d is %s, want %s", i, target.NumFields(), got, want)
				}
			}
			got, err := read(t, c.layout, c.schema, target, wireOf(c.datum...))
			if c.want == nil && !errors.Is(err, errDeep) || c.want != nil && err != nil {
				t.Fatalf("got %v, %v", got, err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// All of a value is in its JSON text.
func TestJSONText(t *testing.T) {
	schema := recordOf(`next ["null","R"]`, `b "bytes"`, `f "double"`, `l "long"`, `d {"type":"bytes","logicalType":"decimal","precision":9,"scale":2}`,
		`at {"type":"long","logicalType":"timestamp-nanos"}`, `day {"type":"int","logicalType":"date"}`, `m {"type":"map","values":["int","string"]}`)
	rest := []any{2, []byte("ab"), []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x7f}, int64(math.MaxInt64), 1, []byte{0xfb}, int64(-1), -1, 2, "k", 1, "v", "n", 0, 7, 0}
	datum := wireOf(append(append([]any{1, 0}, rest...), rest...)...)
	got, err := read(t, Layout{}, schema, mustTarget(t, schema), datum)
	want := `{"next":null,"b":"YWI=","f":"NaN","l":9223372036854775807,"d":"-0.05","at":"1969-12-31T23:59:59.999999999Z","day":"1969-12-31","m":{"k":{"string":"v"},"n":{"int":7}}}`
	if err != nil || got["next"] != want {
		t.Errorf("got  %v, %v\nwant %s", got["next"], err, want)
	}
}

// What lies deep in itself is refused before it takes the stack, and bytes that promise much text do not get it.
func TestHostileRecursion(t *testing.T) {
	list := recordOf(`next ["null","R"]`)
	chain := func(n int) []byte { return append(bytes.Repeat([]byte{2}, n), 0) }
	if _, err := read(t, Layout{}, list, mustTarget(t, list), chain(maxNested)); err != nil {
		t.Error(err)
	}
	for _, c := range []struct {
		schema string
		datum  []byte
		want   error
	}{
		{list, chain(1 << 20), errNested},
		{recordOf(`next "R"`), nil, errNested},
		{recordOf(`a {"type":"array","items":"R"}`), wireOf(int64(1)<<40, 0), errBlock},
		{recordOf(`a {"type":"array","items":{"type":"record","name":"S","fields":[{"name":"`+strings.Repeat("x", 5000)+`","type":"null"},{"name":"b","type":["null","R"]}]}}`,
			`b ["null","R"]`), append(append(wireOf(0, 1), wireOf(60_000)...), make([]byte, 60_002)...), errFull},
	} {
		_, err := read(t, Layout{}, c.schema, mustTarget(t, c.schema), c.datum)
		if !errors.Is(err, c.want) {
			t.Errorf("got %v, want %v", err, c.want)
		}
	}
	var wide []string
	for i := range 20 {
		wide = append(wide, string(rune('a'+i))+` ["null","R"]`)
	}
	if _, err := (Layout{Recursion: 10}).Columns(mustParse(t, recordOf(wide...)), nil); err == nil {
		t.Error("a table of 20^10 columns")
	}
}

// A renamed field goes on in the column of its old name, at any depth, and a plan for it needs no new column.
func TestAnAliasIsARename(t *testing.T) {
	old := recordOf(`id "long"`, `s {"type":"record","name":"S","fields":[{"name":"x","type":"int"}]}`, `u ["int",{"type":"record","name":"A","fields":[{"name":"n","type":"int"}]}]`)
	renamed := `{"type":"record","name":"R","fields":[
		{"name":"t","aliases":["s"],"type":{"type":"record","name":"S","fields":[{"name":"z","aliases":["y","x"],"type":"int"},{"name":"more","type":"string"}]}},
		{"name":"key","aliases":["id"],"type":"long"},
		{"name":"w","aliases":["u"],"type":["int",{"type":"record","name":"B","aliases":["A"],"fields":[{"name":"n","type":"int"}]}]}]}`
	have := mustTarget(t, old)
	_, err := Compile(mustParse(t, renamed), have)
	wantError(t, err, "field t.more: there is no such column in the table")
	want := columnsFor(t, Layout{}, renamed, have)
	const types = "s: struct<x: int32 nullable, more: utf8 nullable>, id: int64, u: struct<int: int32 nullable, A: struct<n: int32 nullable> nullable>"
	var got []string
	for _, f := range want.Fields() {
		got = append(got, f.Name+": "+f.Type.String())
	}
	if strings.Join(got, ", ") != types {
		t.Errorf("got  %s\nwant %s", got, types)
	}
	r, err := read(t, Layout{}, renamed, want, wireOf(3, "m", 4, 1, 5))
	if diff := cmp.Diff(object{"s": object{"x": int64(3), "more": "m"}, "id": int64(4), "u": object{"int": nil, "A": object{"n": int64(5)}}}, r); diff != "" || err != nil {
		t.Error(err, diff)
	}
	// Beside a new field, what fits a wider column stays as it is there.
	wide := columnsFor(t, Layout{}, recordOf(`id "int"`, `u "int"`, `new "int"`), mustTarget(t, recordOf(`id "double"`, `u ["int","string"]`)))
	if id, u := wide.Field(0).Type.String(), wide.Field(1).Type.String(); id != "float64" || u != "struct<int: int32 nullable>" || wide.NumFields() != 3 {
		t.Errorf("got %s, %s", id, u)
	}
	// A name counts more than an alias, and a column belongs to one field.
	both := `{"type":"record","name":"R","fields":[{"name":"new","aliases":["id"],"type":"long"},{"name":"id","type":"long"}]}`
	_, err = Compile(mustParse(t, both), have)
	wantError(t, err, "field new: there is no such column in the table")
}

// Avro's rules for readers, as far as the value stays what it is.
func TestPromotions(t *testing.T) {
	for _, c := range []struct {
		from, to string
		datum    []any
		want     any // or an error
	}{
		{`"int"`, `"long"`, []any{-7}, int64(-7)},
		{`"int"`, `"double"`, []any{-7}, bits64(math.Float64bits(-7))},
		{`"int"`, `"float"`, []any{1 << 24}, bits32(math.Float32bits(1 << 24))},
		{`"int"`, `"float"`, []any{1<<24 + 1}, errInexact},
		{`"long"`, `"double"`, []any{int64(1) << 53}, bits64(math.Float64bits(1 << 53))},
		{`"long"`, `"double"`, []any{int64(1)<<53 + 1}, errInexact},
		{`"long"`, `"double"`, []any{int64(math.MaxInt64)}, errInexact},
		{`"long"`, `"double"`, []any{int64(math.MinInt64)}, bits64(math.Float64bits(math.MinInt64))},
		{`"long"`, `"float"`, []any{3}, bits32(math.Float32bits(3))},
		{`"float"`, `"double"`, []any{float32(0.5)}, bits64(math.Float64bits(0.5))},
		{`"string"`, `"bytes"`, []any{"ü"}, blob("ü")},
		{`"bytes"`, `"string"`, []any{"ü"}, "ü"},
		{`"bytes"`, `"string"`, []any{"\xff"}, errUTF8},
		{`["int","long"]`, `"long"`, []any{1, 5}, int64(5)},
		{`["null","int","long"]`, `"double"`, []any{0}, nil},
		{`"string"`, `["int","string"]`, []any{"a"}, object{"int": nil, "string": "a"}},
		{`["null","int"]`, `["int","string"]`, []any{1, 5}, object{"int": int64(5), "string": nil}},
		{`{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}`, `["int",{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]}]`, []any{5}, object{"int": nil, "A": object{"x": int64(5)}}},
		{`{"type":"fixed","name":"F","size":16,"logicalType":"uuid"}`, `{"type":"fixed","name":"F","size":16}`, []any{[]byte("0123456789abcdef")}, blob("0123456789abcdef")},
		{`"null"`, `"long"`, nil, nil},
	} {
		got, err := read(t, Layout{}, recordOf("a "+c.from), mustTarget(t, recordOf("a "+c.to)), wireOf(c.datum...))
		if want, fails := c.want.(error); fails {
			if !errors.Is(err, want) {
				t.Errorf("%s as %s: got %v, %v, want %v", c.from, c.to, got, err, want)
			}
			continue
		}
		if diff := cmp.Diff(object{"a": c.want}, got); diff != "" || err != nil {
			t.Errorf("%s as %s: %v %s", c.from, c.to, err, diff)
		}
	}
}

// Who has the table alone finds the way into it.
func TestCompileForATable(t *testing.T) {
	schema := recordOf(`u ["int","string"]`, `next ["null","R"]`)
	for _, l := range []Layout{{}, {JSONUnions: true}, {Recursion: 3}, {JSONUnions: true, Recursion: 2}} {
		target := columnsFor(t, l, schema, nil)
		p, err := CompileFor(mustParse(t, schema), target)
		if err != nil {
			t.Fatalf("%+v: %v", l, err)
		}
		b := mustBatch(t, target)
		if err := b.Append(p, wireOf(0, 5, 1, 1, "a", 0)); err != nil {
			t.Fatal(err)
		}
		got := row(target, b.Flush(), 0)
		if want, _ := read(t, l, schema, target, wireOf(0, 5, 1, 1, "a", 0)); !cmp.Equal(want, got) {
			t.Errorf("%+v: %v", l, cmp.Diff(want, got))
		}
	}
	if _, err := CompileFor(mustParse(t, schema), mustTarget(t, recordOf(`u "int"`))); err == nil {
		t.Error("there is no way")
	}
}
