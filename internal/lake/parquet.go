package lake

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"weir/internal/lake/parquet"
	"weir/internal/storage"
)

// groupBytes bounds a row group, compressed: it waits in memory.
const groupBytes = 32 << 20

// parquetFile is a data file of a table that grows.
type parquetFile struct {
	tbl  *table.Table
	name string
	out  iceio.FileWriter
	buf  *bufio.Writer
	w    *parquet.Writer
}

// begin makes a data file for batches of a schema, which are those of the table's columns.
func begin(tbl *table.Table, to storage.FS, name string, schema *arrow.Schema) (*parquetFile, error) {
	o, err := parquetOptions(tbl.Properties())
	if err != nil {
		return nil, err
	}
	out, err := to.Create(name)
	if err != nil {
		return nil, err
	}
	f := &parquetFile{tbl: tbl, name: name, out: out, buf: bufio.NewWriterSize(out, 256<<10)}
	if f.w, err = parquet.New(f.buf, schema, o); err != nil {
		return nil, errors.Join(err, out.Close())
	}
	return f, nil
}

// end closes the file, which is then on the disk, and says what Iceberg wants to know of it. The footer need not be read back.
func (f *parquetFile) end(ctx context.Context) (iceberg.DataFile, error) {
	footer, err := f.w.Close()
	if err == nil {
		err = f.buf.Flush()
	}
	if err := errors.Join(err, f.out.Close()); err != nil {
		return nil, err
	}
	return dataFile(ctx, f.tbl, footerOnly{size: f.w.Bytes(), footer: footer}, f.name)
}

// codecs are those of write.parquet.compression-codec.
var codecs = map[string]compress.Compression{
	"zstd": compress.Codecs.Zstd, "snappy": compress.Codecs.Snappy, "gzip": compress.Codecs.Gzip, "brotli": compress.Codecs.Brotli,
	"uncompressed": compress.Codecs.Uncompressed,
}

// parquetOptions are what the properties of a table say of its files.
func parquetOptions(p iceberg.Properties) (parquet.Options, error) {
	codec, ok := codecs[p.Get(table.ParquetCompressionKey, "zstd")]
	if !ok {
		return parquet.Options{}, fmt.Errorf("property %s: expected zstd, snappy, gzip, brotli or uncompressed, got %q", table.ParquetCompressionKey, p[table.ParquetCompressionKey])
	}
	return parquet.Options{
		Compression:     codec,
		Level:           p.GetInt(table.ParquetCompressionLevelKey, compress.DefaultCompressionLevel),
		RowGroupRows:    p.GetInt(table.ParquetRowGroupLimitKey, table.ParquetRowGroupLimitDefault),
		RowGroupBytes:   min(groupBytes, p.GetInt(table.ParquetRowGroupSizeBytesKey, groupBytes)),
		PageRows:        p.GetInt(table.ParquetPageRowLimitKey, table.ParquetPageRowLimitDefault),
		PageBytes:       p.GetInt(table.ParquetPageSizeBytesKey, table.ParquetPageSizeBytesDefault),
		DictionaryBytes: p.GetInt(table.ParquetDictSizeBytesKey, table.ParquetDictSizeBytesDefault),
	}, nil
}

// writeFiles encodes batches in a goroutine of its own, so that one call can use a second core for the next batch.
func writeFiles(ctx context.Context, tbl *table.Table, to storage.FS, schema *arrow.Schema, batches iter.Seq2[arrow.RecordBatch, error]) ([]iceberg.DataFile, error) {
	names, err := table.LoadLocationProvider(tbl.Location(), tbl.Properties())
	if err != nil {
		return nil, err
	}
	target := int64(tbl.Properties().GetInt(table.WriteTargetFileSizeBytesKey, table.WriteTargetFileSizeBytesDefault))
	var made []iceberg.DataFile
	queue := make(chan arrow.RecordBatch, 1)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() (err error) {
		var f *parquetFile
		defer func() {
			if f != nil {
				_ = f.out.Close() // the error that led here is the one to tell
			}
		}()
		end := func() error {
			df, err := f.end(ctx)
			f, made = nil, append(made, df)
			return err
		}
		for b := range queue {
			if b.NumRows() == 0 { // alone it would make a file
				b.Release()
				continue
			}
			if f == nil {
				f, err = begin(tbl, to, names.NewDataLocation(uuid.NewString()+".parquet"), schema)
			}
			if err == nil {
				err = f.w.Write(b)
			}
			b.Release()
			if err == nil && f.w.Bytes() >= target {
				err = end()
			}
			if err != nil {
				return err
			}
		}
		if f == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		return end()
	})
	err = feed(ctx, batches, queue)
	if err != nil {
		stop()
	}
	if broken := g.Wait(); err == nil || broken != nil && !errors.Is(broken, context.Canceled) {
		err = broken
	}
	for b := range queue {
		b.Release()
	}
	return made, err
}

// feed closes the queue at the end.
func feed(ctx context.Context, batches iter.Seq2[arrow.RecordBatch, error], queue chan<- arrow.RecordBatch) error {
	defer close(queue)
	for b, err := range batches {
		if err != nil {
			return err
		}
		select {
		case queue <- b:
		case <-ctx.Done():
			b.Release()
			return ctx.Err()
		}
	}
	return nil
}
