package storage

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	iceio "github.com/apache/iceberg-go/io"

	"weir/internal/fault"
)

// durable is the local file system with every file on the disk before its Close returns: iceberg-go's own never syncs,
// so that a power cut could leave a catalog that points to files which were never written.
type durable struct{}

func (durable) Open(name string) (iceio.File, error) { return os.Open(Path(name)) }
func (durable) ReadFile(name string) ([]byte, error) { return os.ReadFile(Path(name)) }
func (durable) Remove(name string) error             { return os.Remove(Path(name)) }

func (durable) Create(name string) (iceio.FileWriter, error) {
	path := Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &syncedFile{File: f}, nil
}

func (d durable) WriteFile(name string, p []byte) error { return writeFile(d, name, p) }

func writeFile(fs iceio.WriteFileIO, name string, p []byte) error {
	w, err := fs.Create(name)
	if err != nil {
		return err
	}
	if _, err := w.Write(p); err != nil {
		_ = w.Close() // the first error tells more
		return err
	}
	return w.Close()
}

type syncedFile struct {
	*os.File
	closed bool
}

func (f *syncedFile) Write(p []byte) (int, error) {
	if filepath.Ext(f.Name()) == ".parquet" {
		fault.Point("data.writing")
	}
	return f.File.Write(p)
}

// closed is the point that a file's name stands for once it is on the disk.
func closed(name string) string {
	switch filepath.Ext(name) {
	case ".parquet":
		return "data.closed"
	case ".avro":
		return "manifest.closed"
	}
	return "metadata.closed"
}

func (f *syncedFile) Close() error {
	if f.closed {
		return nil
	}
	f.closed = true
	if err := f.Sync(); err != nil {
		_ = f.File.Close()
		return err
	}
	if err := f.File.Close(); err != nil {
		return err
	}
	err := syncDir(filepath.Dir(f.Name()))
	fault.Point(closed(f.Name()))
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// MakeWritable makes a local directory and proves that files can be made in it, so that the error comes before the first row.
func MakeWritable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("directory is not writable: %w", err)
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
