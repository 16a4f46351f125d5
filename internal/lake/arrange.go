package lake

import (
	"context"
	"fmt"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// arrangeBytes is what one Write holds in memory of rows that must be brought into partitions or in order, whatever the number of
// partitions: only one file is open at a time.
var arrangeBytes int64 = 64 << 20 // smaller in tests

// arranged reports that rows of a table cannot be written in the order in which they come.
func arranged(tbl *table.Table) bool {
	spec := tbl.Spec()
	order := tbl.SortOrder()
	return !spec.IsUnpartitioned() || order.Len() > 0
}

// arrange writes batches into one file for each partition and each piece of arrangeBytes, sorted within it by the table's order.
func (t *Table) arrange(ctx context.Context, tbl *table.Table, rec *recorder, schema *arrow.Schema, batches iter.Seq2[arrow.RecordBatch, error]) ([]iceberg.DataFile, error) {
	var made []iceberg.DataFile
	full := func(_, bytes int64, _ arrow.RecordBatch) bool { return bytes >= arrangeBytes }
	for piece, err := range gathered(batches, schema, full) {
		if err != nil {
			return nil, err
		}
		if piece.NumRows() == 0 {
			piece.Release()
			continue
		}
		one := func(yield func(arrow.RecordBatch, error) bool) { yield(piece, nil) }
		// Within one batch the writer brings rows of a partition together by itself, in their order, and sorts each file's.
		files, err := t.byLibrary(ctx, tbl, rec, schema, one, table.WithRecordBatchBufferSize(1), clustered(tbl))
		if err != nil {
			return nil, err
		}
		made = append(made, files...)
	}
	return made, nil
}

// gathered joins batches until the next one would be too many; full is asked with the rows and bytes that are held. Each batch belongs to
// the caller.
func gathered(batches iter.Seq2[arrow.RecordBatch, error], schema *arrow.Schema, full func(rows, bytes int64, next arrow.RecordBatch) bool) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		var held []arrow.RecordBatch
		var rows, bytes int64
		drop := func() {
			for _, b := range held {
				b.Release()
			}
			held, rows, bytes = nil, 0, 0
		}
		defer func() { drop() }()
		flush := func() bool {
			if len(held) == 0 {
				return true
			}
			b, err := joined(schema, held)
			drop()
			return yield(b, err) && err == nil
		}
		for b, err := range batches {
			if err != nil {
				yield(nil, err)
				return
			}
			if full(rows, bytes, b) && !flush() {
				b.Release()
				return
			}
			held, rows, bytes = append(held, b), rows+b.NumRows(), bytes+sizeOf(b)
		}
		flush()
	}
}

// clustered keeps one partition's file open at a time.
func clustered(tbl *table.Table) table.WriteRecordOption {
	if spec := tbl.Spec(); spec.IsUnpartitioned() {
		return table.WithMaxWriteWorkers(1)
	}
	return table.WithClusteredWrite()
}

// joined makes one batch of several.
func joined(schema *arrow.Schema, batches []arrow.RecordBatch) (arrow.RecordBatch, error) {
	if len(batches) == 1 {
		batches[0].Retain()
		return batches[0], nil
	}
	var rows int64
	cols := make([]arrow.Array, schema.NumFields())
	defer func() {
		for _, c := range cols {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i := range cols {
		of := make([]arrow.Array, len(batches))
		for j, b := range batches {
			of[j] = b.Column(i)
		}
		var err error
		if cols[i], err = array.Concatenate(of, memory.DefaultAllocator); err != nil {
			return nil, fmt.Errorf("column %s: %w", schema.Field(i).Name, err)
		}
		rows = int64(cols[i].Len())
	}
	return array.NewRecordBatch(schema, cols, rows), nil
}

// sizeOf is what a batch holds in memory; of a slice, what it is cut from.
func sizeOf(b arrow.RecordBatch) (n int64) {
	var add func(arrow.ArrayData)
	add = func(d arrow.ArrayData) {
		for _, buf := range d.Buffers() {
			if buf != nil {
				n += int64(buf.Len())
			}
		}
		for _, c := range d.Children() {
			add(c)
		}
	}
	for _, c := range b.Columns() {
		add(c.Data())
	}
	return n
}
