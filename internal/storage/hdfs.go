package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"os/user"
	"path"
	"strings"
	"sync"
	"time"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/colinmarc/hdfs/v2"
)

// distributed is HDFS.
type distributed struct{ client *hdfs.Client }

func openHDFS(_ context.Context, u *url.URL, props map[string]string) (iceio.IO, error) {
	o := hdfs.ClientOptions{User: props[userKey], UseDatanodeHostname: false}
	if n := props[nameNodesKey]; n != "" {
		o.Addresses = strings.Split(n, ",")
	} else {
		o.Addresses = []string{u.Host}
		if u.Port() == "" {
			o.Addresses[0] += ":8020"
		}
	}
	if o.User == "" {
		o.User = os.Getenv("HADOOP_USER_NAME")
	}
	if me, err := user.Current(); err == nil && o.User == "" {
		o.User = me.Username
	}
	if err := tickets(&o, props); err != nil {
		return nil, err
	}
	c, err := hdfs.NewClient(o)
	if err != nil {
		return nil, fmt.Errorf("hdfs name node %s: %w", strings.Join(o.Addresses, ", "), refusedTicket(err, o.KerberosClient != nil))
	}
	return distributed{c}, nil
}

// at is the path on the name node.
func at(name string) string {
	rest, ok := strings.CutPrefix(name, "hdfs://")
	if !ok {
		return name
	}
	if _, p, ok := strings.Cut(rest, "/"); ok {
		return "/" + p
	}
	return "/"
}

func (d distributed) Open(name string) (iceio.File, error) {
	f, err := d.client.Open(at(name))
	if err != nil {
		return nil, err
	}
	if f.Stat().IsDir() {
		return nil, errors.Join(&fs.PathError{Op: "open", Path: name, Err: errors.New("is a directory")}, f.Close())
	}
	return &hdfsFile{FileReader: f}, nil
}

func (d distributed) ReadFile(name string) ([]byte, error) { return d.client.ReadFile(at(name)) }
func (d distributed) Remove(name string) error             { return d.client.Remove(at(name)) }

func (d distributed) WriteFile(name string, p []byte) error { return writeFile(d, name, p) }

func (d distributed) Create(name string) (iceio.FileWriter, error) {
	p := at(name)
	w, err := d.client.Create(p)
	if errors.Is(err, fs.ErrNotExist) { // its directory is not there yet
		if err = d.client.MkdirAll(path.Dir(p), 0o755); err == nil {
			w, err = d.client.Create(p)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		if err = d.client.Remove(p); err == nil {
			w, err = d.client.Create(p)
		}
	}
	if err != nil {
		return nil, err
	}
	return &hdfsWriter{w: w}, nil
}

// hdfsFile makes one open file safe for many readers: the client's ReadAt moves the file's position.
type hdfsFile struct {
	mu sync.Mutex
	*hdfs.FileReader
}

func (f *hdfsFile) Stat() (fs.FileInfo, error) { return f.FileReader.Stat(), nil }

func (f *hdfsFile) ReadAt(p []byte, off int64) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	pos, err := f.FileReader.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, err
	}
	if off > f.FileReader.Stat().Size() {
		return 0, io.EOF
	}
	n, err := f.FileReader.ReadAt(p, off)
	if _, back := f.FileReader.Seek(pos, io.SeekStart); err == nil && back != nil {
		err = back
	}
	return n, err
}

func (f *hdfsFile) Read(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.FileReader.Read(p)
}

func (f *hdfsFile) Seek(off int64, whence int) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.FileReader.Seek(off, whence)
}

type hdfsWriter struct {
	w      *hdfs.FileWriter
	closed bool
}

// Write leaves nothing to the client where there is nothing: it would begin a block, and a block without bytes never becomes
// complete.
func (w *hdfsWriter) Write(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	return w.w.Write(p)
}

// ReadFrom hides itself from io.Copy, which would call it again.
func (w *hdfsWriter) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{w}, r)
}

const completeTime = time.Minute

// Close waits until the last block has as many copies as the cluster demands: until then the name node says that the file
// is not complete, which is no failure.
func (w *hdfsWriter) Close() error {
	if w.closed {
		return nil
	}
	w.closed = true
	for wait, until := 10*time.Millisecond, time.Now().Add(completeTime); ; wait = min(2*wait, time.Second) {
		err := w.w.Close()
		if err == nil || !hdfs.IsErrReplicating(err) || time.Now().After(until) {
			return err
		}
		time.Sleep(wait)
	}
}
