// Package parquet writes Arrow batches as a Parquet file, at a fraction of the cost of the general writer: pages are built straight from
// the batches' buffers.
//
// Start with [New]; [Writer.Write] takes a batch, [Writer.Close] ends the file.
//
// # Promises
//
// Only what every reader of Iceberg tables reads: data pages of version 2, PLAIN and dictionaries, statistics of each column chunk. The
// newer encodings would be smaller, but Iceberg's own reader in Spark refuses them before its version 1.10.
//
// A column gets a dictionary where its first values repeat, in each row group anew. Memory is the compressed pages of one row group.
package parquet

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// Options say how a file is laid out.
type Options struct {
	Compression     compress.Compression
	Level           int // of the compression
	RowGroupRows    int
	RowGroupBytes   int // compressed
	PageRows        int
	PageBytes       int // before compression
	DictionaryBytes int // of one column in one row group: what comes after it is written without one
}

// A Writer writes one file. It is for one goroutine.
type Writer struct {
	to     *counter
	schema *arrow.Schema
	o      Options
	props  *pq.WriterProperties
	meta   *metadata.FileMetaDataBuilder
	cols   []*column
	leaves []leaf
	rows   int // in the row group
	groups int16
	cut    []cut
}

// cut says of a column chunk which of its limits are no values of it. arrow-go's statistics have no place for that before the footer.
type cut struct {
	group, column   int
	least, greatest bool
}

// counter knows how far the file is written.
type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

// Tell is what arrow-go asks of a file.
func (c *counter) Tell() int64 { return c.n }

var magic = []byte("PAR1")

// New begins a file for batches of a schema, whose fields may carry field ids as pqarrow reads them. The caller closes w.
func New(w io.Writer, s *arrow.Schema, o Options) (*Writer, error) {
	props := pq.NewWriterProperties(pq.WithCompression(o.Compression), pq.WithCompressionLevel(o.Level), pq.WithDataPageVersion(pq.DataPageV2))
	columns, err := pqarrow.ToParquet(s, props, pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, err
	}
	out := &Writer{to: &counter{Writer: w}, schema: s, o: o, props: props, meta: metadata.NewFileMetadataBuilder(columns, props, nil)}
	codec, err := compress.GetCodec(o.Compression)
	if err != nil {
		return nil, err
	}
	types := typesOf(s.Fields(), nil)
	for i, dt := range types {
		c := columns.Column(i)
		v := valuesOf(dt)
		if v == nil {
			return nil, fmt.Errorf("column %s: no values of type %s can be written", c.Path(), dt)
		}
		col := &column{values: v, codec: codec, o: &out.o, maxDef: int(c.MaxDefinitionLevel()), maxRep: int(c.MaxRepetitionLevel())}
		col.reset()
		out.cols = append(out.cols, col)
	}
	_, err = out.to.Write(magic)
	return out, err
}

// typesOf lists the types of the leaves, in the order of shred.
func typesOf(fields []arrow.Field, to []arrow.DataType) []arrow.DataType {
	for _, f := range fields {
		switch dt := f.Type.(type) {
		case *arrow.StructType:
			to = typesOf(dt.Fields(), to)
		case *arrow.ListType:
			to = typesOf([]arrow.Field{dt.ElemField()}, to)
		case *arrow.MapType:
			to = typesOf([]arrow.Field{dt.KeyField(), dt.ItemField()}, to)
		default:
			to = append(to, dt)
		}
	}
	return to
}

// Write adds the rows of a batch, which stays the caller's.
func (w *Writer) Write(b arrow.RecordBatch) error {
	for i, f := range w.schema.Fields() {
		if i >= int(b.NumCols()) || !arrow.TypeEqual(f.Type, b.Column(i).DataType()) {
			return fmt.Errorf("the batch has other columns than the file: %s", b.Schema())
		}
	}
	rows := int(b.NumRows())
	if rows == 0 {
		return nil
	}
	// Pages may only grow by so much at a time, or large messages would make large pages.
	size := 0
	for _, c := range b.Columns() {
		size += sizeOf(c.Data())
	}
	step := max(1, min(rows, int(int64(rows)*int64(w.o.PageBytes)/int64(max(size, 1)))))
	for from := 0; from < rows; from += step {
		if err := w.add(b, from, min(step, rows-from)); err != nil {
			return err
		}
	}
	return nil
}

// sizeOf is how many bytes an array's buffers have.
func sizeOf(d arrow.ArrayData) int {
	n := 0
	for _, b := range d.Buffers() {
		if b != nil {
			n += b.Len()
		}
	}
	for _, c := range d.Children() {
		n += sizeOf(c)
	}
	return n
}

func (w *Writer) add(b arrow.RecordBatch, from, n int) error {
	w.leaves = w.leaves[:0]
	var err error
	for i, f := range w.schema.Fields() {
		if w.leaves, err = shred(f.Name, f, b.Column(i), slots{n: n, from: from}, w.leaves); err != nil {
			return err
		}
	}
	size := 0
	for i, l := range w.leaves {
		if err := w.cols[i].add(l, n); err != nil {
			return err
		}
		size += len(w.cols[i].out)
	}
	clear(w.leaves) // they hold the batch
	if w.rows += n; w.rows >= w.o.RowGroupRows || size >= w.o.RowGroupBytes {
		return w.endGroup()
	}
	return nil
}

// Bytes is how long the file is so far, without the row group that has not ended.
func (w *Writer) Bytes() int64 { return w.to.n }

func (w *Writer) endGroup() error {
	group := w.meta.AppendRowGroup()
	for i, c := range w.cols {
		if err := c.endPage(); err != nil {
			return err
		}
		if least, greatest := c.exact(); !least || !greatest {
			w.cut = append(w.cut, cut{int(w.groups), i, !least, !greatest})
		}
		meta := group.NextColumnChunk()
		pages, err := file.NewPageWriter(w.to, w.o.Compression, w.o.Level, meta, w.groups, int16(i), memory.DefaultAllocator, false, nil, nil)
		if err != nil {
			return err
		}
		if err := c.endChunk(pages, meta); err != nil {
			return err
		}
	}
	group.SetNumRows(w.rows)
	if err := group.Finish(0, w.groups); err != nil {
		return err
	}
	w.groups++
	w.rows = 0
	return nil
}

// Close ends the file. The footer is what readers take for the file's metadata: with Bytes it is enough to know the file.
func (w *Writer) Close() (footer []byte, err error) {
	if w.rows > 0 {
		if err := w.endGroup(); err != nil {
			return nil, err
		}
	}
	meta, err := w.meta.Finish()
	if err != nil {
		return nil, err
	}
	for _, c := range w.cut {
		s, no := meta.RowGroups[c.group].Columns[c.column].MetaData.Statistics, false
		if c.least && s.MinValue != nil {
			s.IsMinValueExact = &no
		}
		if c.greatest && s.MaxValue != nil {
			s.IsMaxValueExact = &no
		}
	}
	var end tail
	if _, err := meta.WriteTo(&end, nil); err != nil {
		return nil, err
	}
	end = binary.LittleEndian.AppendUint32(end, uint32(len(end)))
	end = append(end, magic...)
	_, err = w.to.Write(end)
	return end, err
}

type tail []byte

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	return len(p), nil
}
