// Package storagetest is what every storage must do: call [Run] with a fresh place on it.
package storagetest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"weir/internal/storage"
)

// Run tests the storage of a directory, such as s3://bucket/test, with what its server needs to be told.
func Run(t *testing.T, dir string, props map[string]string) {
	t.Helper()
	s, err := storage.Open(t.Context(), dir, props)
	if err != nil {
		t.Fatal(err)
	}
	u := &suite{s, dir}
	t.Run("what was written is read", u.roundTrip)
	t.Run("a second write replaces", u.replace)
	t.Run("what is not there", u.missing)
	t.Run("any part, by many at once", u.readAt)
	t.Run("odd names", u.names)
	t.Run("removed", u.remove)
	t.Run("found by pattern", u.list)
	t.Run("read from a byte on", u.openAt)
	t.Run("opened once", func(t *testing.T) {
		again, err := storage.Open(t.Context(), storage.Join(dir, "x"), props)
		if err != nil || again != s {
			t.Errorf("a second Open made another connection (%v)", err)
		}
	})
}

type suite struct {
	storage.FS
	dir string
}

func (u *suite) at(name string) string { return storage.Join(u.dir, name) }

// content is the same for the same size, and no part of it is like another.
func content(size int) []byte {
	b := make([]byte, size)
	c := rand.NewChaCha8([32]byte{byte(size)})
	_, _ = c.Read(b)
	return b
}

func (u *suite) roundTrip(t *testing.T) {
	for _, size := range []int{0, 1, 4096, 1<<20 + 7, 24<<20 + 3} { // the last is more than one part of S3 and than many packets of HDFS
		name, want := u.at(fmt.Sprintf("deep/er/%d.bin", size)), content(size)
		w, err := u.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		half := size / 2
		if _, err := w.Write(want[:half]); err != nil {
			t.Fatal(err)
		}
		if n, err := w.ReadFrom(bytes.NewReader(want[half:])); err != nil || n != int64(size-half) {
			t.Fatalf("read from: %d bytes, %v", n, err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		got, err := u.ReadFile(name)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: got %d back, %v", size, len(got), err)
		}
		f, err := u.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		if st, err := f.Stat(); err != nil || st.Size() != int64(size) || st.IsDir() {
			t.Errorf("stat: %v, %v", st, err)
		}
		if got, err = io.ReadAll(f); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d read, %v", size, len(got), err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}
}

func (u *suite) replace(t *testing.T) {
	name := u.at("twice")
	for _, text := range []string{"the first, which is longer", "the second"} {
		if err := u.WriteFile(name, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := u.ReadFile(name); err != nil || string(got) != "the second" {
		t.Errorf("got %q, %v", got, err)
	}
}

func (u *suite) missing(t *testing.T) {
	name := u.at("nowhere/file")
	if _, err := u.ReadFile(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("ReadFile: got %v", err)
	}
	if f, err := u.Open(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open: got %v, %v", f, err)
	}
	if err := u.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Remove: got %v", err)
	}
}

func (u *suite) readAt(t *testing.T) {
	name, want := u.at("parts"), content(3<<20)
	if err := u.WriteFile(name, want); err != nil {
		t.Fatal(err)
	}
	f, err := u.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			for range 12 {
				off, n := r.IntN(len(want)), 1+r.IntN(100_000)
				n = min(n, len(want)-off)
				p := make([]byte, n)
				if got, err := f.ReadAt(p, int64(off)); got != n || err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(p, want[off:off+n]) {
					t.Errorf("%d bytes at %d: got %d, %v", n, off, got, err)
					return
				}
			}
		})
	}
	all.Wait()
	p := make([]byte, 100)
	if n, err := f.ReadAt(p, int64(len(want)-40)); n != 40 || err == nil {
		t.Errorf("past the end: %d bytes, %v", n, err)
	}
	if pos, err := f.Seek(-10, io.SeekEnd); err != nil || pos != int64(len(want)-10) {
		t.Errorf("seek: %d, %v", pos, err)
	}
	if rest, err := io.ReadAll(f); err != nil || !bytes.Equal(rest, want[len(want)-10:]) {
		t.Errorf("after the seek: %d bytes, %v", len(rest), err)
	}
}

func (u *suite) names(t *testing.T) {
	for _, n := range []string{"with space", "day=2026-11-20/part+1", "über", "a%20b", "q?x", "h#y"} {
		name := u.at(n)
		if storage.Local(u.dir) {
			name = storage.URI(storage.Path(u.dir) + "/" + n) // a file's URI is escaped, the others' names are not
		}
		if err := u.WriteFile(name, []byte(n)); err != nil {
			t.Errorf("%s: %v", n, err)
			continue
		}
		if got, err := u.ReadFile(name); err != nil || string(got) != n {
			t.Errorf("%s: got %q, %v", n, got, err)
		}
	}
}

func (u *suite) remove(t *testing.T) {
	name := u.at("gone")
	if err := u.WriteFile(name, []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := u.Remove(name); err != nil {
		t.Fatal(err)
	}
	if _, err := u.ReadFile(name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func (u *suite) list(t *testing.T) {
	for _, n := range []string{"2026/11/a.csv", "2026/11/b.csv", "2026/11/c.json", "2026/12/a.csv", "2026/_temporary/a.csv", "2026/11/.d.csv", "2026/11/e.csv._COPYING_", "top.csv"} {
		if err := u.WriteFile(u.at("in/"+n), []byte("content of "+n)); err != nil {
			t.Fatal(err)
		}
	}
	for pattern, want := range map[string]string{
		"in/2026/11/a.csv":    "2026/11/a.csv",
		"in/2026/11/*.csv":    "2026/11/a.csv 2026/11/b.csv",
		"in/2026/1?/a.*":      "2026/11/a.csv 2026/12/a.csv",
		"in/2026/1[2-9]/*":    "2026/12/a.csv",
		"in/**/*.csv":         "2026/11/a.csv 2026/11/b.csv 2026/12/a.csv top.csv",
		"in/**/11/*.csv":      "2026/11/a.csv 2026/11/b.csv",
		"in/*.csv":            "top.csv",
		"in/2026/*":           "",
		"in/2026/_*/a.csv":    "2026/_temporary/a.csv",
		"in/2026/11/nope.csv": "",
	} {
		found, err := u.List(t.Context(), u.at(pattern))
		var got []string
		for _, e := range found {
			_, name, _ := strings.Cut(e.Name, "/in/")
			got = append(got, name)
			if d, err := u.Digest(t.Context(), e.Name); err != nil || d == "" || e.Tag != "" && d != e.Tag || e.Size != int64(len("content of "+name)) || e.Time.IsZero() {
				t.Errorf("%s: %+v, digest %s, %v", name, e, d, err)
			}
		}
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s: got %v, %v; want %s", pattern, got, err, want)
		}
	}
	one, err1 := u.Digest(t.Context(), u.at("in/2026/11/a.csv"))
	two, err2 := u.Digest(t.Context(), u.at("in/2026/11/b.csv"))
	if err1 != nil || err2 != nil || one == two {
		t.Errorf("digests: %s, %s, %v, %v", one, two, err1, err2)
	}
	if _, err := u.Digest(t.Context(), u.at("in/nope")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("digest of nothing: %v", err)
	}
}

func (u *suite) openAt(t *testing.T) {
	name, want := u.at("from/x.bin"), content(100_000)
	if err := u.WriteFile(name, want); err != nil {
		t.Fatal(err)
	}
	for _, off := range []int64{0, 1, 70_001, 99_999} {
		r, err := u.OpenAt(t.Context(), name, off)
		if err != nil {
			t.Fatal(err)
		}
		found, err := u.List(t.Context(), name)
		e, errE := r.Entry()
		if err != nil || errE != nil || len(found) != 1 || !e.Same(found[0]) {
			t.Errorf("what is read: %+v, %v; found: %+v, %v", e, errE, found, err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want[off:]) {
			t.Errorf("from %d: %d bytes, %v", off, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := u.WriteFile(name, want[1:]); err != nil {
		t.Fatal(err)
	}
	r, err := u.OpenAt(t.Context(), name, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	e, err := r.Entry()
	if err != nil || e.Same(storage.Entry{Size: int64(len(want)), Time: e.Time, Tag: e.Tag}) {
		t.Errorf("another size is the same file: %+v, %v", e, err)
	}
	if r, err := u.OpenAt(t.Context(), u.at("from/nope"), 0); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v, %v", r, err)
	}
}
