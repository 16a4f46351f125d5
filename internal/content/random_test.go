package content

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/hamba/avro/v2"
	"pgregory.net/rapid"

	weir "weir/internal/avro"
)

// schemas makes random schemas: each type and logical type, nested, named types used again, and types that contain themselves.
type schemas struct {
	t     *rapid.T
	names int
	done  []string // complete named types
	open  []string // records that are being made: they may be contained again where that can end
}

type object = map[string]any

func (s *schemas) pick(n int, what string) int { return rapid.IntRange(0, n-1).Draw(s.t, what) }

func (s *schemas) name() string { s.names++; return fmt.Sprintf("T%d", s.names) }

func (s *schemas) record(depth int) object {
	name := s.name()
	s.open = append(s.open, name)
	var fields []any
	for i := range 1 + s.pick(5, "fields") {
		field := []string{"id", "note", "email", "amount", "name", "payload"}[s.pick(6, "field")] + fmt.Sprint(i)
		fields = append(fields, object{"name": field, "type": s.typ(depth + 1)})
	}
	s.open = s.open[:len(s.open)-1]
	s.done = append(s.done, name)
	return object{"type": "record", "name": name, "fields": fields}
}

func (s *schemas) typ(depth int) any {
	n := 30
	if depth > 3 {
		n = 22
	}
	switch k := s.pick(n, "type"); k {
	case 0, 1:
		return "string"
	case 2:
		return "long"
	case 3:
		return "int"
	case 4:
		return []string{"boolean", "float", "double", "bytes", "null"}[s.pick(5, "primitive")]
	case 5, 6, 7, 8:
		return object{"type": "long", "logicalType": []string{"timestamp-millis", "timestamp-micros", "local-timestamp-millis", "local-timestamp-micros", "time-micros"}[s.pick(5, "long")]}
	case 9:
		return object{"type": "int", "logicalType": []string{"date", "time-millis"}[s.pick(2, "int")]}
	case 10:
		return object{"type": "string", "logicalType": "uuid"}
	case 11, 12:
		p := 1 + s.pick(30, "precision")
		return object{"type": "bytes", "logicalType": "decimal", "precision": p, "scale": s.pick(p+1, "scale")}
	case 13:
		name := s.name()
		s.done = append(s.done, name)
		return object{"type": "fixed", "name": name, "size": 16, "logicalType": "decimal", "precision": 30, "scale": s.pick(31, "scale")}
	case 14:
		name := s.name()
		s.done = append(s.done, name)
		return object{"type": "fixed", "name": name, "size": 12, "logicalType": "duration"}
	case 15, 16:
		name := s.name()
		s.done = append(s.done, name)
		return object{"type": "fixed", "name": name, "size": 1 + s.pick(20, "size")}
	case 17, 18:
		name := s.name()
		s.done = append(s.done, name)
		return object{"type": "enum", "name": name, "symbols": []string{"A", "B", "C"}[:1+s.pick(3, "symbols")]}
	case 19, 20, 21:
		if len(s.done) > 0 {
			return s.done[s.pick(len(s.done), "again")]
		}
		return "string"
	case 22, 23:
		return object{"type": "array", "items": s.typ(depth + 1)}
	case 24:
		return object{"type": "map", "values": s.typ(depth + 1)}
	case 25, 26:
		return s.record(depth)
	case 27:
		back := s.open[s.pick(len(s.open), "itself")]
		return []any{[]any{"null", back}, object{"type": "array", "items": back}, object{"type": "map", "values": back}}[s.pick(3, "how")]
	case 28:
		return []any{[]any{"null", s.typ(9)}, []any{s.typ(9), "null"}}[s.pick(2, "nullable")]
	}
	return []any{"null", "string", "long", object{"type": "record", "name": s.name(), "fields": []any{object{"name": "x", "type": "double"}}}}[s.pick(2, "null"):]
}

// TestAnySchemaIsReadBack holds the plan of random schemas against hamba's decoder and, where a table can hold the type, against
// the one that the pipeline uses.
func TestAnySchemaIsReadBack(t *testing.T) {
	var seen seenSchemas
	rapid.Check(t, seen.readBack)
	if seen.generated < 80 || seen.tables == 0 || seen.sized == 0 {
		t.Errorf("%+v: too few to prove anything", seen)
	}
}

// FuzzAnySchema is the same for as long as one likes.
func FuzzAnySchema(f *testing.F) { f.Fuzz(rapid.MakeFuzz(new(seenSchemas).readBack)) }

type seenSchemas struct{ generated, tables, sized int }

func (seen *seenSchemas) readBack(t *rapid.T) {
	text, err := json.Marshal((&schemas{t: t}).record(0))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parseSchema(string(text))
	if err != nil {
		t.Skip("a union of equal types")
	}
	c := Spec{Schema: string(text), Seed: rapid.Uint64().Draw(t, "seed"), Depth: rapid.IntRange(0, 3).Draw(t, "depth")}
	g, err := NewGenerator(c)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	seen.generated++
	if rapid.Bool().Draw(t, "sized") {
		c.Size = Constant(1)
		probe := c
		probe.Size = Size{Distribution: "uniform", Min: 1 << 29, Max: 1 << 29}
		if p, err := NewGenerator(probe); err == nil { // it can grow
			c.Size = uniform(p.Floor(), p.Floor()+rapid.IntRange(1, 9000).Draw(t, "more"))
			if g, err = NewGenerator(c); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			seen.sized++
		} else {
			c.Size = Size{}
		}
	}
	batch, plan := table(t, string(text))
	if plan != nil {
		seen.tables++
	}
	w := g.Writer()
	for n := range uint64(20) {
		b := w.Append(nil, n)
		r := avro.NewReader(bytes.NewReader(b), len(b)+1)
		var v any
		if r.ReadVal(parsed, &v); r.Error != nil {
			t.Fatalf("message %d: %v\n%s\n%x", n, r.Error, text, b)
		}
		if r.Peek(); r.Error == nil {
			t.Fatalf("message %d: bytes are left\n%s", n, text)
		}
		if !c.Size.Given() && (len(b) < g.plan.least || len(b) > g.plan.most) {
			t.Fatalf("message %d: %d B, the plan says %d to %d\n%s", n, len(b), g.plan.least, g.plan.most, text)
		}
		if c.Size.Given() {
			s := streamOf(c.Seed, n, sizeStream)
			want := g.size.draw(s.next(), s.next())
			if !g.reachable(want) {
				want--
			}
			if len(b)+HeaderSize != want {
				t.Fatalf("message %d: %d B, drawn were %d (floor %d, grows %s)\n%s", n, len(b)+HeaderSize, want, g.Floor(), g.Grows(), text)
			}
		}
		if plan != nil {
			if err := batch.Append(plan, b); err != nil {
				t.Fatalf("message %d: the pipeline's decoder: %v\n%s\n%x", n, err, text, b)
			}
		}
	}
}

func table(t *rapid.T, text string) (*weir.Batch, *weir.Plan) {
	s, err := weir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	target, err := weir.ArrowSchema(s)
	if err != nil {
		return nil, nil
	}
	b, err := weir.NewBatch(target)
	if err != nil {
		return nil, nil
	}
	p, err := weir.Compile(s, target)
	if err != nil {
		t.Fatal(err)
	}
	return b, p
}
