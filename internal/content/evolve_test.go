package content

import (
	"encoding/binary"
	"strings"
	"testing"
)

const (
	beforeSchema = `{"type":"record","name":"R","fields":[{"name":"id","type":"string"},{"name":"n","type":"long"}]}`
	afterSchema  = `{"type":"record","name":"R","fields":[{"name":"id","type":"string"},{"name":"n","type":"long"},{"name":"extra","type":"int","default":0}]}`
)

// From its number on each message is written with the second schema, under its id; a duplicate keeps that of the message it repeats.
func TestASecondSchemaTakesOver(t *testing.T) {
	extra := Field{Uniform: &Bounds{"7", "9"}}
	m := mustMix(t, Stream{Spec: Spec{Schema: beforeSchema, Faults: Faults{Duplicate: 0.2}, Evolve: &Evolution{From: 500, Schema: afterSchema, Fields: map[string]Field{"extra": extra}}}})
	m.SetSchemaID(0, 3)
	m.SetLaterID(0, 8)
	before, after := mustSchema(t, beforeSchema), mustSchema(t, afterSchema)
	w, crossed := m.Writer(), 0
	for n := range uint64(1000) {
		fault, of := m.Fate(n)
		got := w.Append(nil, n, of, fault, 1)
		id := binary.BigEndian.Uint32(got.Value[1:])
		if want := map[bool]uint32{false: 3, true: 8}[of >= 500]; id != want {
			t.Fatalf("message %d with the bytes of %d has schema %d, want %d", n, of, id, want)
		}
		if n >= 500 && of < 500 {
			crossed++
		}
		schema := before
		if of >= 500 {
			schema = after
		}
		v := decode(t, schema, got.Value[HeaderSize:])
		if x, ok := v["extra"].(int); ok != (of >= 500) || ok && (x < 7 || x > 9) {
			t.Fatalf("message %d: %v", n, v)
		}
		if datum := w.Datum(nil, n, 1); string(datum) != string(got.Value[HeaderSize:]) {
			t.Fatalf("message %d: the table would be expected to hold something else", n)
		}
	}
	if crossed == 0 {
		t.Error("no duplicate repeats a message of the first schema")
	}
	for text, e := range map[string]Evolution{
		"value.evolve: value.fields.gone": {From: 1, Schema: afterSchema, Fields: map[string]Field{"gone": extra}},
		"value.evolve: value.schema":      {From: 1, Schema: "{"},
	} {
		if _, err := NewMix(1, []Stream{{Spec: Spec{Schema: beforeSchema, Evolve: &e}}}); err == nil || !strings.HasPrefix(err.Error(), text) {
			t.Errorf("got %v, want %s", err, text)
		}
	}
}
