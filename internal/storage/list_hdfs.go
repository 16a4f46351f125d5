package storage

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"strings"

	"github.com/colinmarc/hdfs/v2"
)

func (d distributed) List(ctx context.Context, pattern string) ([]Entry, error) {
	found, err := walk(ctx, at(pattern), d.client.ReadDir)
	for i := range found {
		found[i].Name = strings.TrimSuffix(pattern, at(pattern)) + found[i].Name
	}
	return found, err
}

// Digest is HDFS's own checksum of its blocks' checksums: no byte is read.
func (d distributed) Digest(_ context.Context, name string) (string, error) {
	f, err := d.client.Open(at(name))
	if err != nil {
		return "", err
	}
	sum, err := f.Checksum()
	return hex.EncodeToString(sum), errors.Join(err, f.Close())
}

func (d distributed) OpenAt(ctx context.Context, name string, off int64) (Reader, error) {
	f, err := d.client.Open(at(name))
	if err != nil {
		return nil, err
	}
	if f.Stat().IsDir() {
		return nil, errors.Join(&fs.PathError{Op: "open", Path: name, Err: errors.New("is a directory")}, f.Close())
	}
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return hdfsReader{alive{ctx, f}, f, d, name}, nil
}

type hdfsReader struct {
	alive
	f    *hdfs.FileReader
	d    distributed
	name string
}

func (r hdfsReader) Close() error { return r.f.Close() }

func (r hdfsReader) Entry() (Entry, error) {
	s, err := r.d.client.Stat(at(r.name))
	if err != nil {
		return Entry{}, err
	}
	return Entry{Name: r.name, Size: s.Size(), Time: s.ModTime()}, nil
}
