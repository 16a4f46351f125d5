package parquet

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"weir/internal/lake/parquet/parquettest"
)

// Whatever is written, the reader of arrow-go reads it back, bit by bit: every type and nesting, with and without nulls, with few and many
// different values, in pages and row groups of any size, with every compression.
func TestWhatIsWrittenIsRead(t *testing.T) {
	for seed := range uint64(32) {
		r := rand.New(rand.NewPCG(seed, 7))
		kinds, nulls := []int{1, 3, 40, 1_000_000}[seed%4], []float64{0, 0.02, 0.6, 1}[seed/4%4]
		codec := []compress.Compression{compress.Codecs.Zstd, compress.Codecs.Uncompressed, compress.Codecs.Snappy}[seed%3]
		o := Options{Compression: codec, Level: 1, RowGroupRows: 1 + r.IntN(1500), RowGroupBytes: 1 << (10 + r.IntN(12)), PageRows: 1 + r.IntN(700),
			PageBytes: 1 << (6 + r.IntN(12)), DictionaryBytes: 1 << (4 + r.IntN(12))}
		t.Run(fmt.Sprintf("%d kinds, %v null, seed %d", kinds, nulls, seed), func(t *testing.T) {
			var out bytes.Buffer
			w, err := New(&out, parquettest.Everything, o)
			if err != nil {
				t.Fatal(err)
			}
			var want []arrow.RecordBatch
			for range 1 + r.IntN(4) {
				b := parquettest.Batch(r, parquettest.Everything, 1+r.IntN(500), kinds, nulls)
				cut := int64(r.IntN(int(b.NumRows())))
				for _, part := range []arrow.RecordBatch{b.NewSlice(0, cut), b.NewSlice(cut, b.NumRows())} { // arrays that do not begin at 0
					want = append(want, part)
					if err := w.Write(part); err != nil {
						t.Fatal(err)
					}
				}
			}
			if _, err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if w.Bytes() != int64(out.Len()) {
				t.Errorf("the writer says %d bytes and has written %d", w.Bytes(), out.Len())
			}
			same(t, readBack(t, out.Bytes()), array.NewTableFromRecords(parquettest.Everything, want))
		})
	}
}

func readBack(t *testing.T, b []byte) arrow.Table {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	fr, err := pqarrow.NewFileReader(r, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	got, err := fr.ReadTable(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// same compares by value, so that chunks may be others.
func same(t *testing.T, got, want arrow.Table) {
	t.Helper()
	if got.NumRows() != want.NumRows() || got.NumCols() != want.NumCols() {
		t.Fatalf("%d rows of %d columns, want %d of %d", got.NumRows(), got.NumCols(), want.NumRows(), want.NumCols())
	}
	for i := range int(want.NumCols()) {
		name := want.Schema().Field(i).Name
		g, w := whole(t, got.Column(i)), whole(t, want.Column(i))
		for k := range w.Len() {
			if a, b := bitsOf(g, k), bitsOf(w, k); a != b {
				t.Errorf("column %s row %d: %s, want %s", name, k, a, b)
				break
			}
		}
	}
}

func whole(t *testing.T, c *arrow.Column) arrow.Array {
	t.Helper()
	a, err := array.Concatenate(c.Data().Chunks(), memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// bitsOf tells -0 from 0, and a list that is null from one that is empty.
func bitsOf(a arrow.Array, i int) string {
	switch f := a.(type) {
	case *array.Float32:
		if f.IsValid(i) {
			return fmt.Sprint(math.Float32bits(f.Value(i)))
		}
	case *array.Float64:
		if f.IsValid(i) {
			return fmt.Sprint(math.Float64bits(f.Value(i)))
		}
	}
	return a.ValueStr(i)
}

func TestRequiredColumnsRefuseNulls(t *testing.T) {
	nullable := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true}}, nil)
	required := arrow.NewSchema([]arrow.Field{{Name: "n", Type: arrow.PrimitiveTypes.Int64}}, nil)
	w, err := New(&bytes.Buffer{}, required, Options{Compression: compress.Codecs.Zstd, Level: 1, RowGroupRows: 10, RowGroupBytes: 1 << 20, PageRows: 10, PageBytes: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	b := parquettest.Batch(rand.New(rand.NewPCG(1, 1)), nullable, 3, 10, 1)
	if err := w.Write(b); err == nil || err.Error() != "column n is required and has a null" {
		t.Errorf("a null in a required column: %v", err)
	}
}

// Readers skip row groups by what the statistics say: they must be those of the general writer, which has seen each value.
func TestStatisticsAreThoseOfTheGeneralWriter(t *testing.T) {
	for seed, kinds := range []int{1, 30, 1_000_000} {
		for _, nulls := range []float64{0, 0.3, 1} {
			r := rand.New(rand.NewPCG(uint64(seed), 3))
			b := parquettest.Batch(r, parquettest.Everything, 700, kinds, nulls)
			var ours, theirs bytes.Buffer
			w, err := New(&ours, parquettest.Everything, Options{Compression: compress.Codecs.Zstd, Level: 1, RowGroupRows: 1000, RowGroupBytes: 1 << 20, PageRows: 90, PageBytes: 1 << 12, DictionaryBytes: 1 << 12})
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(b); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Close(); err != nil {
				t.Fatal(err)
			}
			general, err := pqarrow.NewFileWriter(parquettest.Everything, &theirs, w.props, pqarrow.DefaultWriterProps())
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(general.Write(b), general.Close()); err != nil {
				t.Fatal(err)
			}
			got, want := statistics(t, ours.Bytes(), true), statistics(t, theirs.Bytes(), false)
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%d kinds, %v null: %s, want %s", kinds, nulls, got[i], want[i])
				}
			}
		}
	}
}

// statistics of the columns; those of columns without a value only where none makes sense: of lists that are all null the general writer
// tells limits, the greatest number there is to the least.
func statistics(t *testing.T, b []byte, empty bool) (all []string) {
	t.Helper()
	r, err := file.NewParquetReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for i := range r.MetaData().RowGroup(0).NumColumns() {
		c, err := r.MetaData().RowGroup(0).ColumnChunk(i)
		if err != nil {
			t.Fatal(err)
		}
		s, err := c.Statistics()
		if err != nil {
			t.Fatal(err)
		}
		line := fmt.Sprintf("%s: %d values, %d null", c.PathInSchema(), c.NumValues(), s.NullCount())
		if s.HasMinMax() && (empty || s.NullCount() < c.NumValues()) {
			line += fmt.Sprintf(", %x to %x", s.EncodeMin(), s.EncodeMax())
		}
		all = append(all, line)
	}
	return all
}

// -0 and 0 are equal, and readers of either must not skip the row group.
func TestLimitsHoldBothZeros(t *testing.T) {
	for _, zero := range []float64{0, math.Copysign(0, -1)} {
		b := array.NewFloat64Builder(memory.DefaultAllocator)
		b.AppendValues([]float64{zero, math.NaN()}, nil)
		v := valuesOf(arrow.PrimitiveTypes.Float64)
		v.plain(nil, b.NewArray(), nil, 0, 2)
		least, greatest := v.limits()
		if fmt.Sprintf("%x %x", least, greatest) != "0000000000000080 0000000000000000" {
			t.Errorf("of %v: %x to %x", zero, least, greatest)
		}
	}
}

// What a file holds in memory is a row group, however many there are.
func TestMemoryIsOneRowGroup(t *testing.T) {
	b := parquettest.Batch(rand.New(rand.NewPCG(1, 1)), parquettest.Everything, 500, 1_000_000, 0.1)
	held := func(batches int) (bytes int) {
		w, err := New(io.Discard, parquettest.Everything, Options{Compression: compress.Codecs.Zstd, Level: 1, RowGroupRows: 1000, RowGroupBytes: 1 << 20, PageRows: 300, PageBytes: 1 << 12, DictionaryBytes: 1 << 12})
		if err != nil {
			t.Fatal(err)
		}
		for range batches {
			if err := w.Write(b); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range w.cols {
			bytes += cap(c.out) + cap(c.plainly) + 4*cap(c.numbers) + cap(c.def) + cap(c.rep)
		}
		return bytes
	}
	few, many := held(4), held(24)
	if many > few+few/10 {
		t.Errorf("after 24 batches %d bytes, after 4 %d", many, few)
	}
}

// A column whose first values repeat and whose later ones are large and all different does not fill the memory with its dictionary.
func TestADictionaryIsBounded(t *testing.T) {
	o := Options{Compression: compress.Codecs.Zstd, Level: 1, RowGroupRows: 122880, RowGroupBytes: 32 << 20, PageRows: 20000, PageBytes: 1 << 20, DictionaryBytes: 64 << 10}
	for _, repeated := range []int{100, 4000} { // both within the sample and beyond it
		w, err := New(io.Discard, textOf().Schema(), o)
		if err != nil {
			t.Fatal(err)
		}
		most := 0
		for n := 0; n < 8000; {
			values := make([]string, 500)
			for i := range values {
				if n >= repeated {
					values[i] = fmt.Sprint(n, string(bytes.Repeat([]byte("x"), 5000)))
				}
				n++
			}
			if err := w.Write(textOf(values...)); err != nil {
				t.Fatal(err)
			}
			d, _ := w.cols[0].dictionary()
			most = max(most, len(d))
		}
		if want := o.DictionaryBytes + 2*o.PageBytes; most > want {
			t.Errorf("after %d equal values: a dictionary of %d bytes, want %d at most", repeated, most, want)
		}
	}
}
