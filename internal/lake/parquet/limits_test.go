package parquet

import (
	"bytes"
	"fmt"
	"testing"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
)

// Readers skip what lies outside the limits: those of long values are shorter, and still hold every value.
func TestLimitsOfLongValuesHoldThem(t *testing.T) {
	long := func(s string, end ...string) string { // s until it is longer than a limit, then the end
		b := bytes.Repeat([]byte(s), longest/len(s)+1)
		for _, e := range end {
			b = append(b, e...)
		}
		return string(b)
	}
	for _, c := range []struct {
		name            string
		dt              arrow.DataType
		values          []string
		least, greatest string // "": as the values are; otherwise how the limit ends
		none            bool
	}{
		{name: "short", dt: arrow.BinaryTypes.String, values: []string{"a", "b"}},
		{name: "as long as may be", dt: arrow.BinaryTypes.String, values: []string{long("a")[:longest], long("b")[:longest]}},
		{name: "greatest", dt: arrow.BinaryTypes.String, values: []string{"", long("z", "z")}, greatest: "zz{"},
		{name: "least", dt: arrow.BinaryTypes.String, values: []string{long("a", "a"), "b"}, least: "aaa"},
		{name: "both", dt: arrow.BinaryTypes.String, values: []string{long("ä", "a"), long("ö", "ö")}, least: "ää", greatest: "öö÷"},
		{name: "within a code point", dt: arrow.BinaryTypes.String, values: []string{long("€", "a"), long("€", "b")}, least: "€€", greatest: "€₭"},
		{name: "before the surrogates", dt: arrow.BinaryTypes.String, values: []string{long("\ud7ff")}, least: "\ud7ff\ud7ff", greatest: "\ud7ff\ue000"},
		{name: "a longer code point", dt: arrow.BinaryTypes.String, values: []string{long("\x7f", "\x7f")}, least: "\x7f\x7f", greatest: "\x7f\u0080"},
		{name: "the last code points", dt: arrow.BinaryTypes.String, values: []string{"é" + long("\U0010ffff")}, least: "\U0010ffff", greatest: "ê"},
		{name: "nothing greater", dt: arrow.BinaryTypes.String, values: []string{"a", long("\U0010ffff", "a")}, none: true},
		{name: "bytes", dt: arrow.BinaryTypes.Binary, values: []string{long("\x00", "\x00"), long("\xe4", "\xe4")}, least: "\x00\x00", greatest: "\xe4\xe5"},
		{name: "the last bytes", dt: arrow.BinaryTypes.Binary, values: []string{"a", "b" + long("\xff")}, greatest: "c"},
		{name: "no greater bytes", dt: arrow.BinaryTypes.Binary, values: []string{"a", long("\xff", "\xff")}, none: true},
		{name: "of one width", dt: &arrow.FixedSizeBinaryType{ByteWidth: longest + 1}, values: []string{long("a")[:longest] + "b"}, none: true},
	} {
		for _, numbered := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, numbered %v", c.name, numbered), func(t *testing.T) {
				b := array.NewBuilder(memory.DefaultAllocator, c.dt)
				for _, v := range c.values {
					switch b := b.(type) {
					case *array.StringBuilder:
						b.Append(v)
					case *array.BinaryBuilder:
						b.Append([]byte(v))
					case *array.FixedSizeBinaryBuilder:
						b.Append([]byte(v))
					}
				}
				v, a := valuesOf(c.dt), b.NewArray()
				if numbered {
					v.number(nil, a, nil, 0, a.Len())
				} else {
					v.plain(nil, a, nil, 0, a.Len())
				}
				least, greatest := v.limits()
				if c.none {
					if least != nil && greatest != nil {
						t.Errorf("limits of %d and %d bytes, where there can be none", len(least), len(greatest))
					}
					return
				}
				if least == nil || greatest == nil || len(least) > longest || len(greatest) > longest+utf8.UTFMax {
					t.Fatalf("limits of %d and %d bytes", len(least), len(greatest))
				}
				for _, v := range c.values {
					if string(least) > v || string(greatest) < v {
						t.Errorf("a value of %d bytes lies outside", len(v))
					}
				}
				leastIs, greatestIs := v.exact()
				first, last := c.values[0], c.values[len(c.values)-1]
				if c.least == "" && string(least) != first || !bytes.HasSuffix(least, []byte(c.least)) || leastIs != (string(least) == first) {
					t.Errorf("the least of %d bytes ends in %q, exact: %v", len(least), least[max(0, len(least)-8):], leastIs)
				}
				if c.greatest == "" && string(greatest) != last || !bytes.HasSuffix(greatest, []byte(c.greatest)) || greatestIs != (string(greatest) == last) {
					t.Errorf("the greatest of %d bytes ends in %q, exact: %v", len(greatest), greatest[max(0, len(greatest)-8):], greatestIs)
				}
				if c.dt.ID() == arrow.STRING && !(utf8.Valid(least) && utf8.Valid(greatest)) {
					t.Error("a limit is no text")
				}
			})
		}
	}
}

func textOf(values ...string) arrow.RecordBatch {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	b.AppendValues(values, nil)
	s := arrow.NewSchema([]arrow.Field{{Name: "p", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	return array.NewRecordBatch(s, []arrow.Array{b.NewArray()}, -1)
}

// A file says of each limit that is no value of the column that it is none.
func TestFilesSayWhichLimitsAreCut(t *testing.T) {
	var out bytes.Buffer
	w, err := New(&out, textOf().Schema(), Options{Compression: compress.Codecs.Zstd, Level: 1, RowGroupRows: 2, RowGroupBytes: 1 << 20, PageRows: 10, PageBytes: 1 << 16, DictionaryBytes: 1 << 12})
	if err != nil {
		t.Fatal(err)
	}
	long := func(s string) string { return string(bytes.Repeat([]byte(s), 5000)) }
	for _, b := range []arrow.RecordBatch{textOf("a", "b"), textOf("a", long("z")), textOf(long("a"), "b"), textOf(long("\U0010ffff"), "b")} {
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := file.NewParquetReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range r.MetaData().RowGroups {
		s := g.Columns[0].MetaData.Statistics
		cut := func(exact *bool) bool { return exact != nil && !*exact }
		got = append(got, fmt.Sprintf("%d to %d bytes, cut %v %v", len(s.MinValue), len(s.MaxValue), cut(s.IsMinValueExact), cut(s.IsMaxValueExact)))
	}
	want := []string{"1 to 1 bytes, cut false false", "1 to 4096 bytes, cut false true", "4096 to 1 bytes, cut true false", "0 to 0 bytes, cut false false"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
