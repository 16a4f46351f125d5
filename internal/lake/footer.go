package lake

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	iceio "github.com/apache/iceberg-go/io"
)

// footerOnly is a storage with one file of which only the end is there. iceberg-go takes statistics from nothing but a file.
type footerOnly struct {
	size   int64
	footer []byte
}

func (f footerOnly) Open(string) (iceio.File, error) {
	start := f.size - int64(len(f.footer))
	return &footerFile{SectionReader: io.NewSectionReader(offsetReader{bytes.NewReader(f.footer), start}, 0, f.size), size: f.size}, nil
}

func (footerOnly) Remove(string) error { return errors.ErrUnsupported }

type offsetReader struct {
	r     *bytes.Reader
	start int64
}

func (o offsetReader) ReadAt(p []byte, off int64) (int, error) {
	if off < o.start {
		return 0, fmt.Errorf("only the footer is in memory: read at %d, which begins at %d", off, o.start)
	}
	return o.r.ReadAt(p, off-o.start)
}

type footerFile struct {
	*io.SectionReader
	size int64
}

func (f *footerFile) Close() error               { return nil }
func (f *footerFile) Stat() (fs.FileInfo, error) { return footerInfo{f.size}, nil }

type footerInfo struct{ size int64 }

func (footerInfo) Name() string       { return "footer" }
func (i footerInfo) Size() int64      { return i.size }
func (footerInfo) Mode() fs.FileMode  { return 0o400 }
func (footerInfo) ModTime() time.Time { return time.Time{} }
func (footerInfo) IsDir() bool        { return false }
func (footerInfo) Sys() any           { return nil }
