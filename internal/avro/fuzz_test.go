package avro

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"regexp"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"
	hamba "github.com/hamba/avro/v2"
	"pgregory.net/rapid"
)

// FuzzAgainstHamba holds the decoder against hamba/avro: random schemas, random data, and the same data cut and broken.
func FuzzAgainstHamba(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{1, 3, 2, 4, 9, 255, 7, 10, 100}, 40))
	f.Add(bytes.Repeat([]byte{4, 2, 1, 3, 18, 5, 250, 17}, 40))
	f.Fuzz(func(t *testing.T, b []byte) { againstHamba(t, b) })
}

// The same in each `go test`.
func TestDecodesWhatHambaDecodes(t *testing.T) {
	if err := flag.Set("rapid.checks", "800"); err != nil { // about a second; the default is 100
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		againstHamba(t, rapid.SliceOfN(rapid.Byte(), 20, 400).Draw(rt, "dice"))
	})
}

// refusals are what may be refused although hamba takes it.
var refusals = []error{errUTF8, errDigits, errTime, errInt, errVarint}

func againstHamba(t *testing.T, throws []byte) {
	t.Helper()
	d := &dice{bytes: throws}
	text := d.schema(t)
	s, err := Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	layout := []Layout{{}, {JSONUnions: true}, {Recursion: 2}, {Recursion: 1, LongNanos: true}}[d.throw(4)]
	c := newCase(t, text, s, layout)
	c.zeros = d.zeros
	ref := newReference(s, c.target)

	good := d.datum(nil, s.root)
	want, err := ref.decode(good)
	if err != nil {
		t.Fatalf("hamba: %v\n%s\n%x", err, text, good)
	}
	c.append(good, given(want))
	if again, err := ref.api.Marshal(ref.schema, ref.last); err != nil {
		t.Fatalf("hamba: %v\n%s\n%x", err, text, good)
	} else { // what hamba writes; times beyond its own range are others by now
		c.append(again, ref.decode)
	}
	c.broken = true
	for _, bad := range broken(d, good) {
		c.append(bad, ref.decode)
		c.append(good, given(want))
	}
	c.finish()
}

// broken are the prefixes of a datum, and variants with a byte changed, added or lost.
func broken(d *dice, good []byte) [][]byte {
	var out [][]byte
	for n := range min(len(good), 64) {
		out = append(out, good[:n])
	}
	for range 16 {
		if len(good) == 0 {
			break
		}
		b, at := bytes.Clone(good), d.throw(min(len(good), 256))
		switch d.throw(4) {
		case 0:
			b[at] ^= 1 << d.throw(8)
		case 1:
			b[at] = d.take(1)[0]
		case 2:
			b = append(b[:at], b[at+1:]...)
		case 3:
			b = append(b[:at], append(d.take(1+d.throw(10)), b[at:]...)...)
		}
		out = append(out, b)
	}
	return out
}

var soleNull = regexp.MustCompile(`"(type|items|values)":"null"`)

// A reference decodes by hamba into any.
type reference struct {
	own    hamba.Schema // which the columns are made of
	schema hamba.Schema // the same for hamba
	target *arrow.Schema
	api    hamba.API
	last   any // as hamba gave it
}

func newReference(s *Schema, target *arrow.Schema) *reference {
	// ReadNext knows null in unions only; elsewhere a record without fields takes its place, which has as many bytes.
	n := 0
	text, err := json.Marshal(s.root)
	if err != nil {
		panic(err)
	}
	text = bytes.ReplaceAll(text, []byte(`,"logicalType":"time-micros"`), nil) // a time.Duration of it might overflow
	text = soleNull.ReplaceAllFunc(text, func(b []byte) []byte {
		n++
		return append(bytes.Clone(b[:len(b)-len(`"null"`)]), fmt.Sprintf(`{"type":"record","name":"null.N%d","fields":[]}`, n)...)
	})
	// Of its own: hamba caches decoders by fingerprint for ever.
	return &reference{own: s.root, schema: mustHamba(string(text)), target: target, api: hamba.Config{MaxByteSliceSize: 1 << 16, MaxSliceAllocSize: 1 << 16}.Freeze()}
}

func mustHamba(text string) hamba.Schema {
	s, err := Parse(text)
	if err != nil {
		panic(fmt.Sprint(err, "\n", text))
	}
	return s.root
}

// decode reads by ReadNext: Unmarshal goes through unsafe code, which broken data have seen corrupting the test's memory.
func (r *reference) decode(datum []byte) (any, error) {
	in := hamba.NewReader(nil, 0, hamba.WithReaderConfig(r.api)).Reset(datum)
	r.last = in.ReadNext(r.schema)
	if in.Error != nil {
		return nil, in.Error
	}
	if in.Peek(); in.Error == nil {
		return nil, errTrailing
	}
	return plainFields(r.own.(*hamba.RecordSchema), r.last.(object), r.target.Fields()), nil
}

// A testCase is a batch and what must be in it.
type testCase struct {
	t      *testing.T
	text   string
	target *arrow.Schema
	plan   *Plan
	batch  *Batch
	want   []any // by row
	data   [][]byte
	broken bool // the data from now on are
	layout Layout
	zeros  bool // there are arrays whose items take no bytes
}

func given(v any) func([]byte) (any, error) {
	return func([]byte) (any, error) { return v, nil }
}

func newCase(t *testing.T, text string, s *Schema, l Layout) *testCase {
	t.Helper()
	c := &testCase{t: t, text: text, layout: l}
	var err error
	if c.target, err = l.Columns(s, nil); err == nil {
		if c.plan, err = l.Compile(s, c.target); err == nil {
			c.batch, err = NewBatch(c.target)
		}
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return c
}

// append appends a datum and holds the outcome against hamba's.
func (c *testCase) append(datum []byte, hambas func([]byte) (any, error)) {
	c.t.Helper()
	before := c.batch.Len()
	err := c.batch.Append(c.plan, datum)
	if err == nil {
		want, refused := hambas(datum)
		if refused != nil {
			c.t.Fatalf("decoded, but hamba says: %v\n%s\n%x", refused, c.text, datum)
		}
		c.want, c.data = append(c.want, want), append(c.data, datum)
		if c.batch.Len() != before+1 {
			c.t.Fatalf("%d rows, want %d", c.batch.Len(), before+1)
		}
		return
	}
	if e := (*Error)(nil); !errors.As(err, &e) {
		c.t.Fatalf("not an *Error: %v", err)
	}
	if c.batch.Len() != before {
		c.t.Fatalf("refused, but a row is there: %v", err)
	}
	for _, r := range refusals {
		if errors.Is(err, r) {
			return
		}
	}
	if errors.Is(err, errDeep) && c.layout.Recursion > 0 {
		return
	}
	if (c.broken || c.zeros) && errors.Is(err, errBlock) {
		return // hamba is not to be asked: it counts to any number, even with no data left
	}
	if _, refused := hambas(datum); refused != nil {
		return
	}
	c.t.Fatalf("%v; hamba decodes it\n%s\n%x", err, c.text, datum)
}

// finish compares the rows with hamba's, and the arrays with those of a batch that never met a broken datum.
func (c *testCase) finish() {
	c.t.Helper()
	clean, err := NewBatch(c.target)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, datum := range c.data {
		if err := clean.Append(c.plan, datum); err != nil {
			c.t.Fatalf("%v, but it has been appended before\n%s\n%x", err, c.text, datum)
		}
	}
	if clean.Bytes() != c.batch.Bytes() {
		c.t.Fatalf("%d bytes, want %d", c.batch.Bytes(), clean.Bytes())
	}
	got, pure := c.batch.Flush(), clean.Flush()
	for i := range got {
		if got[i].Len() != len(c.want) || !array.ApproxEqual(got[i], pure[i], array.WithNaNsEqual(true)) {
			c.t.Fatalf("column %s keeps traces of broken data\ngot  %v %d rows\nwant %v %d rows\n%s", c.target.Field(i).Name, got[i], got[i].Len(), pure[i], len(c.want), c.text)
		}
	}
	for i, want := range c.want {
		if have := alike(want, row(c.target, got, i)); !cmp.Equal(want, have) {
			c.t.Fatalf("row %d (-hamba +ours):\n%s\n%s\n%x", i, cmp.Diff(want, have), c.text, c.data[i])
		}
	}
	for _, a := range got {
		a.Release()
	}
}
