package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"net/url"
	"os"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// A File is a data file that is on the disk. It belongs to the table once a commit has added it.
type File struct {
	Path        string // local, without scheme
	Rows, Bytes int64
	data        iceberg.DataFile
}

func fileOf(df iceberg.DataFile) File {
	return File{Path: local(df.FilePath()), Rows: df.Count(), Bytes: df.FileSizeBytes(), data: df}
}

// Write writes batches, which must have the table's Schema, into new data files. It releases each batch. On an error no
// file is left behind. One call uses one core; for two cores call it twice.
func (t *Table) Write(ctx context.Context, batches iter.Seq2[arrow.RecordBatch, error]) ([]File, error) {
	tbl, id := t.current(), uuid.New()
	var files []File
	// Small queues: the default of 64 batches for each writer is most of the memory of a pipeline.
	for df, err := range table.WriteRecords(ctx, tbl, t.Schema(), batches, table.WithWriteUUID(id), table.WithRecordBatchBufferSize(2), table.WithMaxWriteWorkers(1)) {
		if err != nil {
			return nil, errors.Join(fmt.Errorf("write rows of table %s: %w", t.name, err), t.sweep(id))
		}
		files = append(files, fileOf(df))
	}
	return files, nil
}

// sweep removes the files of one failed Write: their names carry its id.
func (t *Table) sweep(id uuid.UUID) error {
	err := filepath.WalkDir(t.DataDir(), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if ok, _ := filepath.Match("*"+id.String()+"*", d.Name()); ok {
			return os.Remove(path)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// DataDir is where the table's data files lie.
func (t *Table) DataDir() string { return filepath.Join(local(t.current().Location()), "data") }

// Import takes Parquet files that somebody else wrote into DataDir; their columns must carry the table's field ids.
func (t *Table) Import(ctx context.Context, paths []string) ([]File, error) {
	tbl := t.current()
	files := make([]File, 0, len(paths))
	for _, p := range paths {
		df, err := table.FileToDataFile(ctx, durable{}, (&url.URL{Scheme: "file", Path: p}).String(), tbl.Schema(), tbl.Spec(), 0, tbl.Properties())
		if err != nil {
			return nil, fmt.Errorf("take %s into table %s: %w", filepath.Base(p), t.name, err)
		}
		files = append(files, fileOf(df))
	}
	return files, nil
}

// Drop deletes files that no commit has added and none will.
func (t *Table) Drop(files []File) error {
	var errs []error
	for _, f := range files {
		if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
