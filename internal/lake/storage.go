package lake

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	iceio "github.com/apache/iceberg-go/io"
)

// durable is the local file system with every file on the disk before its Close returns: iceberg-go's own never syncs,
// so that a power cut could leave a catalog that points to files which were never written.
type durable struct{ iceio.LocalFS }

var useDurableFiles = sync.OnceFunc(func() {
	iceio.Unregister("file")
	iceio.Register("file", durableFactory)
})

func (d durable) Create(name string) (iceio.FileWriter, error) {
	path := local(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &syncedFile{File: f}, nil
}

func (d durable) WriteFile(name string, p []byte) error {
	w, err := d.Create(name)
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
	return syncDir(filepath.Dir(f.Name()))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// local strips the scheme: Go writes file:///a/b, Spark file:/a/b, and both mean /a/b.
func local(name string) string {
	rest, ok := strings.CutPrefix(name, "file:")
	if !ok {
		return name
	}
	if u, err := url.Parse(name); err == nil && u.Path != "" {
		return u.Path
	}
	return "/" + strings.TrimLeft(rest, "/")
}

// makeWritable makes a directory and proves that files can be made in it, so that the error comes before the first row.
func makeWritable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".probe-*")
	if err != nil {
		return fmt.Errorf("directory is not writable: %w", err)
	}
	return firstError(f.Close(), os.Remove(f.Name()))
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
