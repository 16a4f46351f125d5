package storage

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"strings"
)

func (durable) List(ctx context.Context, pattern string) ([]Entry, error) {
	if strings.HasPrefix(pattern, "file:") {
		pattern = Path(strings.ReplaceAll(pattern, "?", "%3F")) // a wildcard, no query
	}
	return walk(ctx, pattern, func(dir string) ([]fs.FileInfo, error) {
		list, err := os.ReadDir(dir)
		var infos []fs.FileInfo
		for _, e := range list {
			f, bad := e.Info()
			if bad == nil && f.Mode()&fs.ModeSymlink != 0 {
				f, bad = os.Stat(dir + "/" + e.Name())
				if bad == nil {
					f = link{f, e.Name()}
				}
			}
			switch {
			case errors.Is(bad, fs.ErrNotExist): // removed meanwhile, or a link to nothing
			case bad != nil:
				return nil, bad
			case f.IsDir() || f.Mode()&^fs.ModeSymlink&fs.ModeType == 0:
				infos = append(infos, f)
			}
		}
		return infos, err
	})
}

// link is a symbolic link, with what it leads to.
type link struct {
	fs.FileInfo
	name string
}

func (l link) Name() string      { return l.name }
func (l link) Mode() fs.FileMode { return l.FileInfo.Mode() | fs.ModeSymlink }

func (durable) Digest(ctx context.Context, name string) (string, error) {
	f, err := os.Open(Path(name))
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, alive{ctx, f}); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// alive is a reader that ends with its context.
type alive struct {
	ctx context.Context
	r   io.Reader
}

func (a alive) Read(p []byte) (int, error) {
	if err := a.ctx.Err(); err != nil {
		return 0, err
	}
	return a.r.Read(p)
}

func (durable) OpenAt(ctx context.Context, name string, off int64) (Reader, error) {
	f, err := os.Open(Path(name))
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(off, io.SeekStart); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return diskReader{alive{ctx, f}, f, name}, nil
}

type diskReader struct {
	alive
	f    *os.File
	name string
}

func (r diskReader) Close() error { return r.f.Close() }

func (r diskReader) Entry() (Entry, error) {
	s, err := r.f.Stat()
	if err != nil {
		return Entry{}, err
	}
	return Entry{Name: r.name, Size: s.Size(), Time: s.ModTime()}, nil
}
