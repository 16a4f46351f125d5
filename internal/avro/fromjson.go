package avro

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hamba/avro/v2"
)

// AppendJSON encodes one value of the schema that is written in JSON. It is strict: a number of another type, an unknown field, a date
// that is none is an *Error. It reads what this package writes as JSON text, and two things more: a field that may be null may be left
// out, and a value of a union of several types may stand there without its type: then it is the first type that takes it.
func (s *Schema) AppendJSON(out, text []byte) ([]byte, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return out, &Error{Offset: int(d.InputOffset()), Err: fmt.Errorf("no JSON: %w", err)}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return out, &Error{Offset: int(d.InputOffset()), Err: errors.New("no JSON: something follows the value")}
	}
	e := jsonEncoder{left: stepsPerByte * (len(text) + 1)}
	end, err := e.encode(out, s.root, v)
	if err != nil {
		return out, placed(err, 0)
	}
	return end, nil
}

// jsonEncoder bounds how often branches of unions are tried in vain: types that contain each other would double it with each level.
type jsonEncoder struct{ left int }

const stepsPerByte = 100

var errTries = errors.New("its unions leave too many ways to read it: name their branches, {\"branch\": value}")

func (e *jsonEncoder) encode(out []byte, s avro.Schema, v any) ([]byte, error) {
	if e.left--; e.left < 0 {
		return out, errTries
	}
	switch s := deref(s).(type) {
	case *avro.RecordSchema:
		return e.encodeRecord(out, s, v)
	case *avro.UnionSchema:
		return e.encodeUnion(out, s, v)
	case *avro.ArraySchema:
		items, ok := v.([]any)
		if !ok {
			return out, expected("an array", v)
		}
		var err error
		if len(items) > 0 {
			out = binary.AppendVarint(out, int64(len(items)))
		}
		for _, x := range items {
			if out, err = e.encode(out, s.Items(), x); err != nil {
				return out, inField("element", err)
			}
		}
		return append(out, 0), nil
	case *avro.MapSchema:
		entries, ok := v.(map[string]any)
		if !ok {
			return out, expected("an object", v)
		}
		var err error
		if len(entries) > 0 {
			out = binary.AppendVarint(out, int64(len(entries)))
		}
		for k, x := range entries {
			if out, err = e.encode(appendBytes(out, []byte(k)), s.Values(), x); err != nil {
				return out, inField("value", err)
			}
		}
		return append(out, 0), nil
	case *avro.EnumSchema:
		text, _ := v.(string)
		i := slices.Index(s.Symbols(), text)
		if i < 0 {
			return out, expected("one of "+strings.Join(s.Symbols(), ", "), v)
		}
		return binary.AppendVarint(out, int64(i)), nil
	case *avro.FixedSchema:
		return encodeFixed(out, s, v)
	case *avro.PrimitiveSchema:
		return encodePrimitive(out, s, v)
	}
	if v != nil {
		return out, expected("null", v)
	}
	return out, nil
}

func (e *jsonEncoder) encodeRecord(out []byte, s *avro.RecordSchema, v any) ([]byte, error) {
	fields, ok := v.(map[string]any)
	if !ok {
		return out, expected("an object", v)
	}
	known := 0
	for _, f := range s.Fields() {
		x, there := fields[f.Name()]
		if there {
			known++
		} else if u, ok := f.Type().(*avro.UnionSchema); f.Type().Type() != avro.Null && (!ok || !u.Contains(avro.Null)) {
			return out, inField(f.Name(), errors.New("it is missing"))
		}
		var err error
		if out, err = e.encode(out, f.Type(), x); err != nil {
			return out, inField(f.Name(), err)
		}
	}
	if known < len(fields) {
		for name := range fields {
			if !slices.ContainsFunc(s.Fields(), func(f *avro.Field) bool { return f.Name() == name }) {
				return out, inField(name, errors.New("the schema has no such field"))
			}
		}
	}
	return out, nil
}

func (e *jsonEncoder) encodeUnion(out []byte, s *avro.UnionSchema, v any) ([]byte, error) {
	types, null := branches(s)
	branch := func(i int) int64 { // of a type: null may come before it
		if null >= 0 && i >= null {
			i++
		}
		return int64(i)
	}
	switch {
	case v == nil && null >= 0:
		return binary.AppendVarint(out, int64(null)), nil
	case len(types) == 1:
		return e.encode(binary.AppendVarint(out, branch(0)), types[0], v)
	}
	if m, ok := v.(map[string]any); ok && len(m) == 1 {
		for i, name := range branchNames(types) {
			n, named := types[i].(avro.NamedSchema)
			for key, x := range m {
				if key == name || named && key == n.FullName() {
					return e.encode(binary.AppendVarint(out, branch(i)), types[i], x)
				}
			}
		}
	}
	for i, t := range types {
		if end, err := e.encode(binary.AppendVarint(out, branch(i)), t, v); err == nil {
			return end, nil
		}
	}
	if e.left < 0 {
		return out, errTries
	}
	return out, expected("one of "+strings.Join(branchNames(types), ", "), v)
}

func encodeFixed(out []byte, s *avro.FixedSchema, v any) ([]byte, error) {
	if d := decimalOf(s); d != nil {
		b, err := unscaledBytes(d, v, s.Size())
		return append(out, b...), err
	}
	if isDuration(s) {
		m, _ := v.(map[string]any)
		for _, part := range durationType.Fields() {
			n, err := strconv.ParseUint(fmt.Sprint(m[part.Name]), 10, 32)
			if err != nil || len(m) != 3 {
				return out, expected("an object of months, days and millis", v)
			}
			out = binary.LittleEndian.AppendUint32(out, uint32(n))
		}
		return out, nil
	}
	text, ok := v.(string)
	var b []byte
	err := errors.New("no text")
	if ok && isUUID(s) {
		b, err = hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	} else if ok {
		b, err = base64.StdEncoding.DecodeString(text)
	}
	if err != nil || len(b) != s.Size() {
		return out, expected(fmt.Sprintf("%d bytes in base64, or a UUID", s.Size()), v)
	}
	return append(out, b...), nil
}

func encodePrimitive(out []byte, s *avro.PrimitiveSchema, v any) ([]byte, error) {
	text, isText := v.(string)
	num, isNumber := v.(json.Number)
	switch s.Type() {
	case avro.Boolean:
		if b, ok := v.(bool); ok {
			return append(out, map[bool]byte{true: 1}[b]), nil
		}
	case avro.String:
		if isText {
			return appendBytes(out, []byte(text)), nil
		}
	case avro.Bytes:
		if d := decimalOf(s); d != nil {
			b, err := unscaledBytes(d, v, -1)
			return appendBytes(out, b), err
		}
		if b, err := base64.StdEncoding.DecodeString(text); isText && err == nil {
			return appendBytes(out, b), nil
		}
		return out, expected("bytes in base64", v)
	case avro.Int, avro.Long:
		bits := map[avro.Type]int{avro.Int: 32, avro.Long: 64}[s.Type()]
		var n int64
		err := errors.New("neither")
		if isNumber {
			n, err = strconv.ParseInt(num.String(), 10, bits)
		} else if isText {
			n, err = timeOf(logical(s), text)
		}
		if err == nil && n == n<<(64-bits)>>(64-bits) {
			return binary.AppendVarint(out, n), nil
		}
		if lt := logical(s); lt != "" {
			return out, expected(string(lt), v)
		}
	case avro.Float, avro.Double:
		bits := map[avro.Type]int{avro.Float: 32, avro.Double: 64}[s.Type()]
		if isText && (text == "NaN" || text == "Infinity" || text == "-Infinity") {
			num, isNumber = json.Number(text), true
		}
		if f, err := strconv.ParseFloat(num.String(), bits); isNumber && err == nil {
			if bits == 32 {
				return binary.LittleEndian.AppendUint32(out, math.Float32bits(float32(f))), nil
			}
			return binary.LittleEndian.AppendUint64(out, math.Float64bits(f)), nil
		}
	}
	return out, expected(string(s.Type()), v)
}

// timeOf reads what timeText writes; digits that the type has no room for are an error.
func timeOf(lt avro.LogicalType, text string) (int64, error) {
	layout, unit := time.RFC3339Nano, time.Microsecond
	switch lt {
	case avro.Date:
		t, err := time.Parse(time.DateOnly, text)
		return t.Unix() / 86400, err
	case avro.TimeMillis, avro.TimeMicros:
		layout = "2006-01-02 15:04:05.999999999"
		text = "1970-01-01 " + text
	case avro.LocalTimestampMillis, avro.LocalTimestampMicros, localTimestampNanos:
		layout = "2006-01-02T15:04:05.999999999"
	case avro.TimestampMillis, avro.TimestampMicros, timestampNanos:
	default:
		return 0, errors.New("no time")
	}
	switch lt {
	case avro.TimeMillis, avro.TimestampMillis, avro.LocalTimestampMillis:
		unit = time.Millisecond
	case timestampNanos, localTimestampNanos:
		unit = time.Nanosecond
	}
	t, err := time.Parse(layout, text)
	per := int64(time.Second / unit)
	n := t.Unix()*per + int64(t.Nanosecond())/int64(unit)
	if err == nil && (t.Nanosecond()%int(unit) != 0 || unit == time.Nanosecond && !time.Unix(0, n).Equal(t)) {
		err = errors.New("too fine, or too far away")
	}
	return n, err
}

// unscaledBytes are a decimal's digits as a two's complement number.
func unscaledBytes(d *avro.DecimalLogicalSchema, v any, size int) ([]byte, error) {
	wanted := fmt.Sprintf("a decimal(%d,%d)", d.Precision(), d.Scale())
	text := fmt.Sprint(v)
	if _, ok := v.(bool); ok || v == nil || len(text) > 2*maxDigits || strings.ContainsAny(text, "eE/pPxX_ ") { // an exponent may stand for any number of digits
		return nil, expected(wanted, v)
	}
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		return nil, expected(wanted, v)
	}
	r.Mul(r, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(d.Scale())), nil)))
	n := new(big.Int).Set(r.Num())
	if !r.IsInt() || len(new(big.Int).Abs(n).String()) > d.Precision() {
		return nil, expected(wanted, v)
	}
	if size < 0 {
		size = n.BitLen()/8 + 1
	}
	if n.Sign() < 0 {
		n.Add(n, new(big.Int).Lsh(big.NewInt(1), uint(8*size)))
	}
	return n.FillBytes(make([]byte, size)), nil
}

func appendBytes(out, b []byte) []byte {
	return append(binary.AppendVarint(out, int64(len(b))), b...)
}

func expected(what string, v any) error {
	text, err := json.Marshal(v)
	if err != nil || len(text) > 60 {
		text = append(text[:min(len(text), 60)], "…"...)
	}
	return fmt.Errorf("expected %s, got %s", what, text)
}
