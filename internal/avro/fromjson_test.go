package avro

import (
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is written as JSON text is read as the same value.
func TestJSONThereAndBack(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		d := &dice{bytes: rapid.SliceOfN(rapid.Byte(), 20, 300).Draw(rt, "dice")}
		s := mustParse(t, d.schema(t))
		tx := newTexter().of(s.root)
		text, err := tx.append(&wire{buf: d.datum(nil, s.root)}, nil, 0)
		if errors.Is(err, errBlock) {
			return // items of no bytes
		}
		if err != nil {
			t.Fatal(err)
		}
		datum, err := s.AppendJSON(nil, text)
		if err != nil {
			if strings.Contains(err.Error(), "expected timestamp") || strings.Contains(err.Error(), "expected date") || strings.Contains(err.Error(), "expected local") {
				return // a year that ISO 8601 has no four digits for
			}
			t.Fatalf("%v\n%s\n%s", err, text, s)
		}
		again, err := tx.append(&wire{buf: datum}, nil, 0)
		if errors.Is(err, errBlock) {
			return
		}
		a, b := alike(doc(""), string(text)), alike(doc(""), string(again)) // maps have no order
		if err != nil || a != b {
			t.Fatalf("%v\n%s\n%s\n%s", err, a, b, s)
		}
	})
}

func TestJSONIsStrict(t *testing.T) {
	for _, c := range []struct{ typ, value, want string }{
		{`"int"`, `2147483648`, "field a, byte 0: expected int, got 2147483648"},
		{`"int"`, `1.0`, "field a, byte 0: expected int, got 1.0"},
		{`"int"`, `"1"`, `field a, byte 0: expected int, got "1"`},
		{`"long"`, `1e3`, "field a, byte 0: expected long, got 1e3"},
		{`"float"`, `1e39`, "field a, byte 0: expected float, got 1e39"},
		{`"double"`, `"1"`, `field a, byte 0: expected double, got "1"`},
		{`"boolean"`, `1`, "field a, byte 0: expected boolean, got 1"},
		{`"string"`, `null`, "field a, byte 0: expected string, got null"},
		{`"bytes"`, `"ä"`, `field a, byte 0: expected bytes in base64, got "ä"`},
		{`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, `1.234`, "field a, byte 0: expected a decimal(4,2), got 1.234"},
		{`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, `100`, "field a, byte 0: expected a decimal(4,2), got 100"},
		{`{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}`, `1e999999999`, "field a, byte 0: expected a decimal(4,2), got 1e999999999"},
		{`{"type":"int","logicalType":"date"}`, `"2026-02-30"`, `field a, byte 0: expected date, got "2026-02-30"`},
		{`{"type":"long","logicalType":"timestamp-millis"}`, `"2026-11-27T20:19:01.1234Z"`, `field a, byte 0: expected timestamp-millis, got "2026-11-27T20:19:01.1234Z"`},
		{`{"type":"enum","name":"E","symbols":["A","B"]}`, `"C"`, `field a, byte 0: expected one of A, B, got "C"`},
		{`{"type":"fixed","name":"F","size":3}`, `"YWI="`, `field a, byte 0: expected 3 bytes in base64, or a UUID, got "YWI="`},
		{`["null","int","string"]`, `true`, "field a, byte 0: expected one of int, string, got true"},
		{`{"type":"array","items":"int"}`, `[1,null]`, "field a.element, byte 0: expected int, got null"},
		{`"int"`, `1, "b": 2`, "field b, byte 0: the schema has no such field"},
		{`"int"`, `1} {`, "byte 9: no JSON: something follows the value"},
	} {
		_, err := mustParse(t, recordOf("a "+c.typ)).AppendJSON(nil, []byte(`{"a":`+c.value+`}`))
		wantError(t, err, c.want)
	}
	s := mustParse(t, recordOf(`a "int"`, `b ["null","int"]`))
	_, err := s.AppendJSON(nil, []byte(`{}`))
	wantError(t, err, "field a, byte 0: it is missing")
	if got, err := s.AppendJSON(nil, []byte(`{"a":7}`)); err != nil || string(got) != string(wireOf(7, 0)) {
		t.Errorf("%x, %v", got, err)
	}
}

// Types that contain each other leave two ways at each level, and a wrong leaf makes all of them fail.
func TestJSONThatFitsInTooManyWaysIsRefused(t *testing.T) {
	s, err := Parse(`{"type":"record","name":"Root","fields":[{"name":"e","type":["null",
	{"type":"record","name":"Not","fields":[{"name":"of","type":["null","Not",{"type":"record","name":"Maybe","fields":[{"name":"of","type":["null","Not","Maybe"]}]}]}]},"Maybe"]}]}`)
	if err != nil {
		t.Fatal(err)
	}
	deep := func(leaf string) error {
		_, err := s.AppendJSON(nil, []byte(`{"e":`+strings.Repeat(`{"of":`, 60)+leaf+strings.Repeat(`}`, 60)+`}`))
		return err
	}
	if err := deep(`"bad"`); !errors.Is(err, errTries) {
		t.Errorf("got %v, want that it is given up", err)
	}
	if err := deep("null"); err != nil {
		t.Errorf("what fits: %v", err)
	}
}
