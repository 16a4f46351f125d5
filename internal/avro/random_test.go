package avro

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"testing"

	hamba "github.com/hamba/avro/v2"
)

// dice makes schemas and data of fuzz bytes. With no bytes left every throw is 0, which always is the smallest choice.
type dice struct {
	bytes []byte
	names int      // types that have been named
	named []string // those that are complete and may be used again
	nodes int      // so that a schema ends
	open  []string // records that are not complete: a field may come back to them
	zeros bool     // there are items that take no bytes
}

func (d *dice) throw(sides int) int {
	if len(d.bytes) == 0 {
		return 0
	}
	b := d.bytes[0]
	d.bytes = d.bytes[1:]
	return int(b) % sides
}

func (d *dice) take(n int) []byte {
	out := make([]byte, n)
	k := copy(out, d.bytes)
	d.bytes = d.bytes[k:]
	return out
}

type object = map[string]any

func (d *dice) name() (name, space, full string) {
	d.names++
	name, space = fmt.Sprintf("T%d", d.names), []string{"x", "bank.core"}[d.throw(2)]
	return name, space, space + "." + name
}

// schema is the JSON of a record whose fields can all land in a table.
func (d *dice) schema(t *testing.T) string {
	b, err := json.Marshal(d.record(0))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (d *dice) record(depth int) any {
	name, space, full := d.name()
	fields := []any{}
	d.open = append(d.open, full)
	n := 1 + d.throw(5)
	if depth > 0 && d.throw(12) == 11 {
		n, d.zeros = 0, true
	}
	for i := range n {
		var typ any
		switch d.throw(16) {
		default:
			typ = d.typ(depth + 1)
		case 13:
			typ = []any{"null", d.open[d.throw(len(d.open))]}
		case 14:
			typ = object{"type": []string{"array", "map"}[d.throw(2)], "items": d.open[d.throw(len(d.open))], "values": d.open[0]}
		case 15:
			typ, d.zeros = "null", true
		}
		fields = append(fields, object{"name": fmt.Sprintf("f%d", i), "type": typ})
	}
	d.open = d.open[:len(d.open)-1]
	d.named = append(d.named, full)
	return object{"type": "record", "name": name, "namespace": space, "fields": fields}
}

func (d *dice) typ(depth int) any {
	d.nodes++
	if depth < 4 && d.nodes < 30 {
		switch d.throw(12) {
		case 6:
			return d.several(depth)
		case 7:
			d.zeros = true
			return object{"type": "array", "items": "null"}
		case 1:
			return d.record(depth)
		case 2:
			return object{"type": "array", "items": d.typ(depth + 1)}
		case 3:
			return object{"type": "map", "values": d.typ(depth + 1)}
		case 4, 5:
			return d.union(depth)
		}
	}
	return d.leaf()
}

// union has no union in it.
func (d *dice) union(depth int) any {
	order := d.throw(3)
	t := d.typ(depth + 1)
	if _, ok := t.([]any); ok {
		return t
	}
	return [][]any{{"null", t}, {t, "null"}, {t}}[order]
}

// several is a union of two to four types, with null or without.
func (d *dice) several(depth int) any {
	all := []func() any{
		func() any { return "int" },
		func() any { return "string" },
		func() any { return object{"type": "long", "logicalType": "timestamp-micros"} },
		func() any { return "double" },
		func() any { return "boolean" },
		func() any { return "bytes" },
		func() any { return d.record(depth) },
		func() any { return d.record(depth) },
		func() any { return object{"type": "array", "items": d.leaf()} },
		func() any { return object{"type": "map", "values": d.leaf()} },
	}
	var out []any
	for range 2 + d.throw(3) {
		i := d.throw(len(all))
		out = append(out, all[i]())
		all = append(all[:i], all[i+1:]...)
	}
	if d.throw(2) == 1 {
		i := d.throw(len(out) + 1)
		out = append(out[:i], append([]any{"null"}, out[i:]...)...)
	}
	return out
}

func (d *dice) leaf() any {
	switch i := d.throw(25); i {
	default:
		return []string{"boolean", "int", "long", "float", "double", "bytes", "string"}[i%7]
	case 7:
		name, space, full := d.name()
		d.named = append(d.named, full)
		return object{"type": "enum", "name": name, "namespace": space, "symbols": []string{"A", "BB", "C_3"}[:1+d.throw(3)]}
	case 8:
		name, space, full := d.name()
		d.named = append(d.named, full)
		return object{"type": "fixed", "name": name, "namespace": space, "size": 1 + d.throw(20)}
	case 9:
		size := 1 + d.throw(20)
		most := min(38, int(float64(8*size-1)*math.Log10(2)))
		precision := 1 + d.throw(most)
		name, space, full := d.name()
		d.named = append(d.named, full)
		return object{"type": "fixed", "name": name, "namespace": space, "size": size, "logicalType": "decimal", "precision": precision, "scale": d.throw(precision + 1)}
	case 10:
		precision := 1 + d.throw(38)
		return object{"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": d.throw(precision + 1)}
	case 11:
		return object{"type": "int", "logicalType": "date"}
	case 12:
		return object{"type": "int", "logicalType": "time-millis"}
	case 13:
		return object{"type": "long", "logicalType": "time-micros"}
	case 14:
		return object{"type": "long", "logicalType": []string{"timestamp-millis", "timestamp-micros"}[d.throw(2)]}
	case 15:
		return object{"type": "long", "logicalType": []string{"local-timestamp-millis", "local-timestamp-micros"}[d.throw(2)]}
	case 16:
		return object{"type": "string", "logicalType": "uuid"}
	case 22:
		return object{"type": "long", "logicalType": []string{"timestamp-nanos", "local-timestamp-nanos"}[d.throw(2)]}
	case 23, 24:
		name, space, full := d.name()
		d.named = append(d.named, full)
		return object{"type": "fixed", "name": name, "namespace": space, "size": []int{12, 16}[i-23], "logicalType": []string{"duration", "uuid"}[i-23]}
	case 17: // a logical type where it does not belong is to be ignored
		return object{"type": []string{"string", "long", "int"}[d.throw(3)], "logicalType": []string{"decimal", "date", "uuid", "timestamp-micros", "time-millis"}[d.throw(5)]}
	case 18, 19:
		if len(d.named) > 0 {
			return d.named[d.throw(len(d.named))]
		}
		return "int"
	}
}

// datum appends a value of the schema as any Avro writer may write it: blocks with and without their size, in any number.
func (d *dice) datum(out []byte, s hamba.Schema) []byte {
	switch s := s.(type) {
	case *hamba.RefSchema:
		return d.datum(out, s.Schema())
	case *hamba.RecordSchema:
		for _, f := range s.Fields() {
			out = d.datum(out, f.Type())
		}
		return out
	case *hamba.UnionSchema:
		i := d.throw(len(s.Types()))
		return d.datum(binary.AppendVarint(out, int64(i)), s.Types()[i])
	case *hamba.EnumSchema:
		return binary.AppendVarint(out, int64(d.throw(len(s.Symbols()))))
	case *hamba.FixedSchema:
		if l, ok := s.Logical().(*hamba.DecimalLogicalSchema); ok {
			return append(out, d.decimal(l, s.Size())...)
		}
		return append(out, d.take(s.Size())...)
	case *hamba.ArraySchema:
		return d.blocks(out, func(out []byte) []byte { return d.datum(out, s.Items()) })
	case *hamba.MapSchema:
		return d.blocks(out, func(out []byte) []byte { return d.datum(d.text(out), s.Values()) })
	case *hamba.PrimitiveSchema:
		return d.primitive(out, s)
	}
	return out // null
}

func (d *dice) blocks(out []byte, item func([]byte) []byte) []byte {
	for range d.throw(3) {
		n := 1 + d.throw(3)
		var block []byte
		for range n {
			block = item(block)
		}
		if d.throw(2) == 0 {
			out = binary.AppendVarint(out, int64(n))
		} else {
			out = binary.AppendVarint(binary.AppendVarint(out, int64(-n)), int64(len(block)))
		}
		out = append(out, block...)
	}
	return append(out, 0)
}

func (d *dice) primitive(out []byte, s *hamba.PrimitiveSchema) []byte {
	switch s.Type() {
	case hamba.Boolean:
		return append(out, byte(d.throw(2)))
	case hamba.Int:
		return binary.AppendVarint(out, int64(int32(d.integer())))
	case hamba.Long:
		v := d.integer()
		if strings.HasPrefix(string(logical(s)), "time") && d.throw(4) != 3 {
			v %= 1e15 // mostly within what all agree to be a time
		}
		return binary.AppendVarint(out, v)
	case hamba.Float:
		return append(out, d.take(4)...)
	case hamba.Double:
		return append(out, d.take(8)...)
	case hamba.Bytes:
		b := d.take(d.throw(12))
		if l, ok := s.Logical().(*hamba.DecimalLogicalSchema); ok {
			b = d.decimal(l, -1)
		}
		return append(binary.AppendVarint(out, int64(len(b))), b...)
	}
	return d.text(out)
}

func (d *dice) integer() int64 {
	switch d.throw(4) {
	case 0:
		return int64(d.throw(256)) - 128
	case 1:
		return []int64{math.MaxInt64, math.MinInt64, math.MaxInt32, math.MinInt32, 63, 64, -64, -65}[d.throw(8)]
	}
	return int64(binary.LittleEndian.Uint64(d.take(8))) >> d.throw(64)
}

func (d *dice) text(out []byte) []byte {
	s := strings.ToValidUTF8(string(d.take(d.throw(12))), "ß")
	if d.throw(8) == 7 {
		s += "日本"
	}
	return append(binary.AppendVarint(out, int64(len(s))), s...)
}

// decimal is a number within its precision, in size bytes, or in as many as it likes where size is -1.
func (d *dice) decimal(l *hamba.DecimalLogicalSchema, size int) []byte {
	v := new(big.Int).SetBytes(d.take(d.throw(18)))
	v.Rem(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(l.Precision())), nil))
	if d.throw(2) == 1 {
		v.Neg(v)
	}
	if size < 0 {
		size = v.BitLen()/8 + 1 + d.throw(3)
		if v.Sign() == 0 {
			size = d.throw(3)
		}
	}
	if v.Sign() < 0 {
		v.Add(v, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	return v.FillBytes(make([]byte, size))
}
