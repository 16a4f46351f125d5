package lake

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"weir/internal/storage"
)

const (
	defaultCache = 10 << 30
	inUse        = 10 * time.Minute // a copy that somebody asked for so lately may be open, or about to be
)

// cache holds local copies of remote data files. Those never change, so that a copy is good for ever.
type cache struct {
	dir   string
	limit int64
}

// Local gives the plan with a local path for every file: remote ones are copied into the cache first. Files of a local
// warehouse stay as they are.
func (l *Lake) Local(ctx context.Context, p Plan) (Plan, error) {
	files := slices.Clone(p.Files)
	fetched := false
	for i, f := range files {
		if storage.Local(f.Path) {
			continue
		}
		path, err := l.cache.get(ctx, l, f.File)
		if err != nil {
			return p, fmt.Errorf("read table %s: %w", p.Table, err)
		}
		files[i].Path, fetched = path, true
	}
	p.Files = files
	if fetched {
		if err := l.cache.trim(time.Now()); err != nil {
			return p, fmt.Errorf("cache %s: %w", l.cache.dir, err)
		}
	}
	return p, nil
}

func (c *cache) get(ctx context.Context, l *Lake, f File) (string, error) {
	if c.dir == "" {
		return "", errors.New("a remote warehouse needs a directory for local copies")
	}
	h := sha256.Sum256([]byte(f.Path))
	path := filepath.Join(c.dir, "files", hex.EncodeToString(h[:16])+".parquet")
	now := time.Now()
	if st, err := os.Stat(path); err == nil && st.Size() == f.Bytes {
		return path, os.Chtimes(path, now, now) // the time of its last use
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return path, c.fetch(ctx, l, f, path)
}

func (c *cache) fetch(ctx context.Context, l *Lake, f File, path string) (err error) {
	from, err := l.files(ctx, f.Path)
	if err != nil {
		return err
	}
	in, err := from.Open(f.Path)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	out, err := os.CreateTemp(filepath.Dir(path), ".copy-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(out.Name()))
		}
	}()
	n, err := io.Copy(out, in)
	if err == nil && n != f.Bytes {
		err = fmt.Errorf("%s: got %d bytes, the table says %d", f.Path, n, f.Bytes)
	}
	if err := errors.Join(err, out.Close()); err != nil {
		return err
	}
	return os.Rename(out.Name(), path)
}

// trim removes the copies that were not asked for longest, until the rest is within the limit.
func (c *cache) trim(now time.Time) error {
	limit := c.limit
	if limit == 0 {
		limit = defaultCache
	}
	entries, err := os.ReadDir(filepath.Join(c.dir, "files"))
	if err != nil {
		return err
	}
	var all []fs.FileInfo
	var sum int64
	for _, e := range entries {
		if i, err := e.Info(); err == nil {
			all, sum = append(all, i), sum+i.Size()
		}
	}
	slices.SortFunc(all, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, i := range all {
		if sum <= limit || now.Sub(i.ModTime()) < inUse {
			return nil
		}
		if err := os.Remove(filepath.Join(c.dir, "files", i.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		sum -= i.Size()
	}
	return nil
}
