package storage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"
)

// Lister finds files by pattern, and reads them from any byte on.
type Lister interface {
	// List gives the files whose names fit a pattern, by name; none is no error. `*`, `?` and `[a-z]` stand for what lies
	// between two slashes, `**` for any number of directories. Wildcards pass over hidden files: those that begin with a dot
	// or an underscore, and those that Hadoop's clients still write (._COPYING_).
	List(ctx context.Context, pattern string) ([]Entry, error)
	// Digest names a file's content: equal digests, equal content.
	Digest(ctx context.Context, name string) (string, error)
	// OpenAt reads a file from a byte to its end.
	OpenAt(ctx context.Context, name string, off int64) (Reader, error)
}

// Entry is a file that was found.
type Entry struct {
	Name string // full
	Size int64
	Time time.Time // of its last change
	Tag  string    // names its content (S3's ETag); empty where only Digest tells
}

// Same reports whether a file is still as it was found.
func (e Entry) Same(o Entry) bool {
	return e.Size == o.Size && e.Tag == o.Tag && (e.Tag != "" || e.Time.Equal(o.Time))
}

// Reader reads a file.
type Reader interface {
	io.ReadCloser
	// Entry tells what is being read, as it is now.
	Entry() (Entry, error)
}

const wild = `*?[\`

// CheckPattern says what is wrong with a pattern, without asking any server.
func CheckPattern(pattern string) error {
	if err := Check(pattern); err != nil {
		return err
	}
	if pattern == "" || strings.HasSuffix(pattern, "/") {
		return fmt.Errorf("expected a pattern of files, such as %s*.csv, got %q", pattern, pattern)
	}
	if dir := literal(pattern); !Local(pattern) && len(strings.SplitN(dir, "/", 4)) < 4 {
		return fmt.Errorf("expected a path after the bucket or name node, and no wildcard before it, got %q", pattern)
	}
	for seg := range strings.SplitSeq(pattern, "/") {
		if _, err := path.Match(seg, ""); err != nil {
			return fmt.Errorf("%q in %q: expected a pattern such as *.csv: %w", seg, pattern, err)
		}
	}
	return nil
}

// literal is the directory that a pattern's files lie in or below.
func literal(pattern string) string {
	dir := pattern
	if i := strings.IndexAny(dir, wild); i >= 0 {
		dir = dir[:i]
	}
	return dir[:strings.LastIndex(dir, "/")+1]
}

// fits matches the segments of a name.
func fits(pattern, name []string) bool {
	for len(pattern) > 0 {
		if pattern[0] == "**" {
			for i := range len(name) + 1 {
				if fits(pattern[1:], name[i:]) {
					return true
				}
				if i < len(name) && hidden(name[i]) {
					return false
				}
			}
			return false
		}
		if len(name) == 0 || !fit(pattern[0], name[0]) {
			return false
		}
		pattern, name = pattern[1:], name[1:]
	}
	return len(name) == 0
}

func fit(seg, name string) bool {
	if !strings.ContainsAny(seg, wild) {
		return seg == name
	}
	ok, err := path.Match(seg, name)
	return ok && err == nil && (!hidden(name) || seg[0] == name[0])
}

func hidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || strings.HasSuffix(name, "._COPYING_")
}

// walk lists on a storage that has directories: only those are read that can hold a match.
func walk(ctx context.Context, pattern string, readDir func(dir string) ([]fs.FileInfo, error)) ([]Entry, error) {
	base := literal(pattern)
	var found []Entry
	var in func(dir string, segs []string) error
	in = func(dir string, segs []string) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		list, err := readDir(cmp.Or(dir, "."))
		if errors.Is(err, fs.ErrNotExist) && dir != base {
			return nil // it was removed meanwhile, or it is a name without wildcards that is not there
		}
		if err != nil {
			return err
		}
		for _, f := range list {
			name := f.Name()
			switch {
			case f.IsDir() && segs[0] == "**":
				if !hidden(name) && f.Mode()&fs.ModeSymlink == 0 { // a link may lead back
					err = in(dir+name+"/", segs)
				}
			case f.IsDir() && len(segs) > 1 && fit(segs[0], name):
				err = in(dir+name+"/", segs[1:])
			}
			if err != nil {
				return err
			}
			if !f.IsDir() && fits(segs, []string{name}) {
				found = append(found, Entry{Name: dir + name, Size: f.Size(), Time: f.ModTime()})
			}
			if f.IsDir() && segs[0] == "**" && len(segs) > 2 && fit(segs[1], name) {
				if err := in(dir+name+"/", segs[2:]); err != nil {
					return err
				}
			}
		}
		return nil
	}
	err := in(base, strings.Split(pattern[len(base):], "/"))
	return sorted(found), err
}

func sorted(found []Entry) []Entry {
	slices.SortFunc(found, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(found, func(a, b Entry) bool { return a.Name == b.Name })
}
