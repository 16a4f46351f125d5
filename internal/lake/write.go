package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"weir/internal/storage"
)

// A File is a data file that is in the table's storage. It belongs to the table once a commit has added it.
type File struct {
	Path        string // without scheme if it is local; otherwise its URI, unless Lake.Local has made it a copy's path
	Rows, Bytes int64
	data        iceberg.DataFile
	shape       *Shape // nil: the table's own columns
}

func fileOf(df iceberg.DataFile) File {
	return File{Path: storage.Path(df.FilePath()), Rows: df.Count(), Bytes: df.FileSizeBytes(), data: df}
}

// Write writes batches, which must have the table's Schema, into new data files. It releases each batch. On an error no
// file is left behind. One call uses one core; for two cores call it twice. The rows of a table that is partitioned or sorted go
// into a file for each partition, in the table's order.
func (t *Table) Write(ctx context.Context, batches iter.Seq2[arrow.RecordBatch, error]) ([]File, error) {
	tbl, _ := t.current()
	return t.write(ctx, tbl, t.Schema(), batches)
}

// WriteShape is Write for batches of a shape, which may have columns that the table gets with these files.
func (t *Table) WriteShape(ctx context.Context, s *Shape, batches iter.Seq2[arrow.RecordBatch, error]) ([]File, error) {
	files, err := t.write(ctx, s.tbl, s.schema, batches)
	for i := range files {
		files[i].shape = s
	}
	return files, err
}

func (t *Table) write(ctx context.Context, tbl *table.Table, schema *arrow.Schema, batches iter.Seq2[arrow.RecordBatch, error]) ([]File, error) {
	return t.recorded(func(rec *recorder) ([]iceberg.DataFile, error) {
		if arranged(tbl) {
			return t.arrange(ctx, tbl, rec, schema, batches)
		}
		return writeFiles(ctx, tbl, rec, schema, batches)
	})
}

// recorded takes all files away again if writing them fails.
func (t *Table) recorded(write func(*recorder) ([]iceberg.DataFile, error)) ([]File, error) {
	_, fs := t.current()
	rec := &recorder{FS: fs}
	made, err := write(rec)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("write rows of table %s: %w", t.name, err), rec.removeAll())
	}
	files := make([]File, len(made))
	for i, df := range made {
		files[i] = fileOf(df)
	}
	return files, nil
}

// stream writes batches in the order in which they come, a partition's into a file of its own, with the options of a compaction.
func (t *Table) stream(ctx context.Context, tbl *table.Table, schema *arrow.Schema, batches iter.Seq2[arrow.RecordBatch, error], more ...table.WriteRecordOption) ([]File, error) {
	return t.recorded(func(rec *recorder) ([]iceberg.DataFile, error) {
		// Small queues: the default of 64 batches for each writer is most of the memory of a pipeline.
		return t.byLibrary(ctx, tbl, rec, schema, batches, append(more, table.WithRecordBatchBufferSize(2), table.WithMaxWriteWorkers(1))...)
	})
}

// byLibrary writes batches with iceberg-go's writer.
func (t *Table) byLibrary(ctx context.Context, tbl *table.Table, rec *recorder, schema *arrow.Schema, batches iter.Seq2[arrow.RecordBatch, error], o ...table.WriteRecordOption) ([]iceberg.DataFile, error) {
	var made []iceberg.DataFile
	for df, err := range table.WriteRecords(ctx, t.through(tbl, rec), schema, batches, append(o, table.WithWriteUUID(uuid.New()))...) {
		if err == nil {
			df, err = trusted(tbl, rec, df)
		}
		if err != nil {
			return nil, err
		}
		made = append(made, df)
	}
	return made, nil
}

// recorder knows which files were begun, so that a failed Write can take them away.
type recorder struct {
	storage.FS
	mu   sync.Mutex
	made []string
}

func (r *recorder) Create(name string) (iceio.FileWriter, error) {
	r.mu.Lock()
	r.made = append(r.made, name)
	r.mu.Unlock()
	return r.FS.Create(name)
}

func (r *recorder) removeAll() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return removeAll(r.FS, r.made)
}

func removeAll(from iceio.IO, names []string) error {
	var errs []error
	for _, n := range names {
		if err := from.Remove(n); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// DataDir is a local directory into which others, such as an engine, may write files for Import: where the table's data
// files lie, or with a remote warehouse a directory of the cache.
func (t *Table) DataDir() string {
	tbl, _ := t.current()
	if storage.Local(tbl.Location()) {
		return filepath.Join(storage.Path(tbl.Location()), "data")
	}
	return filepath.Join(t.lake.cache.dir, "staged", t.name)
}

// Import takes Parquet files that somebody else wrote into DataDir; their columns must carry the table's field ids. With a
// remote warehouse they are moved there. On an error the files stay the caller's, and no copy of them is left.
func (t *Table) Import(ctx context.Context, paths []string) ([]File, error) {
	tbl, fs := t.current()
	files, moved := make([]File, 0, len(paths)), []string{}
	take := func(path string) error {
		name := storage.URI(path)
		if !storage.Local(tbl.Location()) {
			name = storage.Join(tbl.Location(), "data", uuid.NewString()+".parquet")
			moved = append(moved, name)
			if err := upload(fs, path, name); err != nil {
				return err
			}
		}
		df, err := dataFile(ctx, tbl, fs, name)
		if err != nil {
			return err
		}
		files = append(files, fileOf(df))
		return nil
	}
	for _, p := range paths {
		if err := take(p); err != nil {
			return nil, errors.Join(fmt.Errorf("take %s into table %s: %w", filepath.Base(p), t.name, err), removeAll(fs, moved))
		}
	}
	if len(moved) > 0 {
		for _, p := range paths {
			if err := os.Remove(p); err != nil {
				return nil, errors.Join(err, removeAll(fs, moved))
			}
			_ = os.Remove(filepath.Dir(p)) // a folder that was made for these files alone
		}
	}
	return files, nil
}

func upload(to storage.FS, path, name string) (err error) {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := to.Create(name)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}

// Drop deletes files that no commit has added and none will.
func (t *Table) Drop(files []File) error {
	_, fs := t.current()
	names := make([]string, len(files))
	for i, f := range files {
		names[i] = f.data.FilePath()
	}
	return removeAll(fs, names)
}
