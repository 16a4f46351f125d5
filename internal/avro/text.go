package avro

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/hamba/avro/v2"
)

// jsonNode writes a value as JSON into a text column.
type jsonNode struct{ text text }

func (n jsonNode) least() int { return n.text.least() }

func (n jsonNode) decode(w *wire, c column) error {
	t := c.(*texts)
	start := len(t.data)
	out, err := n.text.append(w, t.data, 0)
	if err == nil && len(out) > math.MaxInt32 {
		err = errFull
	}
	if err != nil {
		t.data = out[:start]
		return err
	}
	if string(out[start:]) == "null" { // no text of another value
		t.data = out[:start]
		t.null()
		return nil
	}
	t.data, t.offsets = out, append(t.offsets, int32(len(out)))
	return nil
}

// A text writes one value of a type as JSON. Nothing is lost: whole numbers keep all digits; decimals, bytes (base64), times (ISO 8601)
// and what JSON has no number for (NaN, Infinity) are strings; a value of a union of several types is {"TYPE": value}.
type text interface {
	append(w *wire, out []byte, depth int) ([]byte, error)
	least() int
}

const (
	maxNested = 1000 // levels; many readers of JSON allow no more
	// A value's text may be so much longer than the whole datum: names of fields are longer than what they stand for.
	maxTextFactor, maxTextFree = 100, 64 << 10
)

// texter makes a text of a schema; a record that it meets again is the same text.
type texter struct{ records map[string]*recordText }

func newTexter() *texter { return &texter{map[string]*recordText{}} }

func (t *texter) of(s avro.Schema) text {
	switch s := s.(type) {
	case *avro.RefSchema:
		return t.of(s.Schema())
	case *avro.RecordSchema:
		if r := t.records[s.FullName()]; r != nil {
			return r
		}
		r := &recordText{}
		t.records[s.FullName()] = r
		for i, f := range s.Fields() {
			key := append(quoted(f.Name()), ':')
			if i > 0 {
				key = append([]byte{','}, key...)
			}
			r.names, r.keys, r.fields = append(r.names, f.Name()), append(r.keys, key), append(r.fields, t.of(f.Type()))
		}
		for _, f := range r.fields {
			r.min += f.least() // 0 where a type lies in itself: less than the truth does no harm
		}
		return r
	case *avro.UnionSchema:
		types, null := branches(s)
		u := unionText{}
		names := branchNames(types)
		for i, b := range s.Types() {
			if u.parts = append(u.parts, t.of(b)); i == null || len(types) < 2 {
				u.keys = append(u.keys, nil)
				continue
			}
			u.keys, names = append(u.keys, append(append([]byte{'{'}, quoted(names[0])...), ':')), names[1:]
		}
		return u
	case *avro.ArraySchema:
		return arrayText{t.of(s.Items())}
	case *avro.MapSchema:
		return mapText{t.of(s.Values())}
	case *avro.EnumSchema:
		var e enumText
		for _, sym := range s.Symbols() {
			e = append(e, quoted(sym))
		}
		return e
	case *avro.FixedSchema:
		switch d := decimalOf(s); {
		case d != nil:
			return decimalText{s.Size(), d.Precision(), d.Scale(), true}
		case isUUID(s):
			return fixedText{16, uuidText}
		case isDuration(s):
			return fixedText{12, durationText}
		}
		return fixedText{s.Size(), base64Text}
	case *avro.PrimitiveSchema:
		if lt := logical(s); lt == avro.Decimal {
			return decimalText{-1, decimalOf(s).Precision(), decimalOf(s).Scale(), true}
		} else if lt != "" && lt != avro.UUID {
			return timeText(lt)
		}
		return primitiveText(s.Type())
	}
	return nullText{}
}

func quoted(s string) []byte {
	b, _ := json.Marshal(s) // a string always can
	return b
}

type nullText struct{}

func (nullText) least() int { return 0 }

func (nullText) append(_ *wire, out []byte, _ int) ([]byte, error) {
	return append(out, "null"...), nil
}

type recordText struct {
	names  []string
	keys   [][]byte
	fields []text
	min    int
}

func (r *recordText) least() int { return r.min }

func (r *recordText) append(w *wire, out []byte, depth int) ([]byte, error) {
	if depth >= maxNested {
		return out, errNested
	}
	out = append(out, '{')
	for i, f := range r.fields {
		out = append(out, r.keys[i]...)
		var err error
		if out, err = f.append(w, out, depth+1); err != nil {
			return out, inField(r.names[i], err)
		}
	}
	return append(out, '}'), nil
}

type unionText struct {
	parts []text
	keys  [][]byte // of a union of several types
}

func (unionText) least() int { return 1 }

func (u unionText) append(w *wire, out []byte, depth int) ([]byte, error) {
	b, err := w.int()
	if err != nil {
		return out, err
	}
	if b < 0 || int(b) >= len(u.parts) {
		return out, noBranch(b, len(u.parts))
	}
	if u.keys[b] == nil {
		return u.parts[b].append(w, out, depth)
	}
	if depth >= maxNested {
		return out, errNested
	}
	if out, err = u.parts[b].append(w, append(out, u.keys[b]...), depth+1); err != nil {
		return out, err
	}
	return append(out, '}'), nil
}

type arrayText struct{ item text }

func (arrayText) least() int { return 1 }

func (a arrayText) append(w *wire, out []byte, depth int) ([]byte, error) {
	return blocks(w, out, '[', ']', depth, a.item.least(), func(out []byte) ([]byte, error) {
		out, err := a.item.append(w, out, depth+1)
		return out, inElement("element", err)
	})
}

type mapText struct{ value text }

func (mapText) least() int { return 1 }

func (m mapText) append(w *wire, out []byte, depth int) ([]byte, error) {
	return blocks(w, out, '{', '}', depth, 1+m.value.least(), func(out []byte) ([]byte, error) {
		out, err := primitiveText(avro.String).append(w, out, 0)
		if err != nil {
			return out, inField("key", err)
		}
		out, err = m.value.append(w, append(out, ':'), depth+1)
		return out, inElement("value", err)
	})
}

func blocks(w *wire, out []byte, left, right byte, depth, least int, item func([]byte) ([]byte, error)) ([]byte, error) {
	if depth >= maxNested {
		return out, errNested
	}
	out = append(out, left)
	start := len(out)
	for first := true; ; {
		count, err := w.block(least)
		if err != nil {
			return out, err
		}
		if count == 0 {
			return append(out, right), nil
		}
		for range count {
			if !first {
				out = append(out, ',')
			}
			first = false
			if out, err = item(out); err != nil {
				return out, err
			}
			if len(out)-start > maxTextFree+maxTextFactor*len(w.buf) {
				return out, errFull
			}
		}
	}
}

type enumText [][]byte

func (enumText) least() int { return 1 }

func (e enumText) append(w *wire, out []byte, _ int) ([]byte, error) {
	i, err := w.int()
	if err != nil {
		return out, err
	}
	if i < 0 || int(i) >= len(e) {
		return out, noSymbol(i, len(e))
	}
	return append(out, e[i]...), nil
}

type fixedText struct {
	size int
	put  func(out, b []byte) []byte
}

func (n fixedText) least() int { return n.size }

func (n fixedText) append(w *wire, out []byte, _ int) ([]byte, error) {
	b, err := w.take(int64(n.size))
	if err != nil {
		return out, err
	}
	return n.put(out, b), nil
}

func base64Text(out, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(out, '"'), b), '"')
}

func uuidText(out, b []byte) []byte { return append(appendUUID(append(out, '"'), b), '"') }

func durationText(out, b []byte) []byte {
	for i, key := range [...]string{`{"months":`, `,"days":`, `,"millis":`} {
		out = strconv.AppendUint(append(out, key...), uint64(binary.LittleEndian.Uint32(b[4*i:])), 10)
	}
	return append(out, '}')
}

// timeText is a date or time; the logical type says in what it is counted.
type timeText avro.LogicalType

func (timeText) least() int { return 1 }

func (n timeText) append(w *wire, out []byte, _ int) ([]byte, error) {
	lt := avro.LogicalType(n)
	v, err := w.whole(lt == avro.Date || lt == avro.TimeMillis)
	if err != nil {
		return out, err
	}
	var t time.Time
	layout := "2006-01-02T15:04:05.999999999Z"
	switch lt {
	case avro.Date:
		t, layout = time.Unix(v*86400, 0), time.DateOnly
	case avro.TimeMillis, avro.TimestampMillis, avro.LocalTimestampMillis:
		t = time.UnixMilli(v)
	case avro.TimeMicros, avro.TimestampMicros, avro.LocalTimestampMicros:
		t = time.UnixMicro(v)
	default: // nanoseconds
		t = time.Unix(0, v)
	}
	switch lt {
	case avro.LocalTimestampMillis, avro.LocalTimestampMicros, localTimestampNanos:
		layout = layout[:len(layout)-1]
	case avro.TimeMillis, avro.TimeMicros:
		if t.Unix() < 0 || t.Unix() >= 86400 { // no time of day: as it was written
			return strconv.AppendInt(out, v, 10), nil
		}
		layout = "15:04:05.999999999"
	}
	return append(t.UTC().AppendFormat(append(out, '"'), layout), '"'), nil
}

type primitiveText avro.Type

func (n primitiveText) least() int {
	switch avro.Type(n) {
	case avro.Float:
		return 4
	case avro.Double:
		return 8
	}
	return 1
}

func (n primitiveText) append(w *wire, out []byte, _ int) ([]byte, error) {
	switch t := avro.Type(n); t {
	case avro.Boolean:
		b, err := w.take(1)
		switch {
		case err != nil:
			return out, errShort
		case b[0] > 1:
			return out, errBool
		}
		return strconv.AppendBool(out, b[0] == 1), nil
	case avro.Int, avro.Long:
		v, err := w.whole(t == avro.Int)
		return strconv.AppendInt(out, v, 10), err
	case avro.Float, avro.Double:
		b, err := w.take(int64(n.least()))
		if err != nil {
			return out, errShort
		}
		if t == avro.Float {
			return appendFloat(out, float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 32), nil
		}
		return appendFloat(out, math.Float64frombits(binary.LittleEndian.Uint64(b)), 64), nil
	}
	b, err := w.bytes()
	if err != nil {
		return out, err
	}
	if avro.Type(n) == avro.Bytes {
		return base64Text(out, b), nil
	}
	if !utf8.Valid(b) {
		return out, errUTF8
	}
	return appendString(out, b), nil
}

// appendFloat gives the shortest digits that are read as the same number.
func appendFloat(out []byte, v float64, bits int) []byte {
	switch {
	case math.IsNaN(v):
		return append(out, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(out, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(out, `"-Infinity"`...)
	}
	return strconv.AppendFloat(out, v, 'g', -1, bits)
}

func appendString(out, s []byte) []byte {
	const digits = "0123456789abcdef"
	out = append(out, '"')
	from := 0
	for i, b := range s {
		if b >= ' ' && b != '"' && b != '\\' {
			continue
		}
		out = append(out, s[from:i]...)
		from = i + 1
		if b < ' ' {
			out = append(out, '\\', 'u', '0', '0', digits[b>>4], digits[b&15])
		} else {
			out = append(out, '\\', b)
		}
	}
	return append(append(out, s[from:]...), '"')
}
