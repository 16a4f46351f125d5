// Package files gives mini-batch jobs files: on local disk, S3 and HDFS, by URI and pattern, each taken once.
//
// Start with [From], which wants a pattern and a format: [Lines], [JSON], [CSV], [Avro], or a [Whole] of your own. A name that
// ends with .gz is unpacked.
//
// # Promises
//
// A file is known by its content (S3's ETag, HDFS's checksum, a SHA-256 on local disk): moved or renamed, touched or delivered
// again under another name, it is not taken again; with [ByName] the name counts too. A file whose content has changed since
// it was taken stops the job, unless [TakeChanged] is set. Nothing is forgotten in silence: see [Remember].
//
// Files are taken in the order of their names. A batch ends with the file or, in a file of lines, the piece of it that reaches
// Limits.Bytes; what is new is asked each Limits.Age. A file that changes while it is read fails its batch, which is planned anew. Files of
// zero bytes are left alone, and so are hidden ones (.x, _x, x._COPYING_) unless the pattern names them. A writer that does not
// rename its files into place needs [Settled].
//
// What cannot be decoded goes to the sink's quarantine as a [Refused], with its bytes and where it was, and the file goes on.
package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"sync"
	"time"

	"weir/internal/config"
	"weir/internal/storage"
	"weir/minibatch"
)

// A Record is what a format makes of a piece of a file.
type Record[T any] struct {
	Value T
	Origin
}

// Origin says where a record was.
type Origin struct {
	File   string // full name
	Line   int64  // from 1; 0 where it is not known: in a binary file, and beyond the first 32 MiB of a file of lines
	Offset int64  // of its first byte, in the unpacked file; in a binary file the number of the record
}

func (o Origin) String() string {
	if o.Line > 0 {
		return fmt.Sprintf("%s:%d", o.File, o.Line)
	}
	return fmt.Sprintf("%s at %d", o.File, o.Offset)
}

// Access says how S3 and HDFS are reached.
type Access struct {
	S3Endpoint, S3Region, S3AccessKey, S3SecretKey string // empty: as the AWS tools find them
	HDFSUser                                       string
}

// A Source reads files.
type Source[T any] struct {
	fs      storage.FS
	pattern string
	format  Format[T]
	o       options

	mu      sync.Mutex
	digests map[string]digest // of files without a tag, by name
}

type digest struct {
	of  storage.Entry
	sum string
}

// An Option of a source.
type Option func(*options)

type options struct {
	access   Access
	changed  bool
	byName   bool
	remember int
	settled  time.Duration
}

// With says how S3 and HDFS are reached.
func With(a Access) Option { return func(o *options) { o.access = a } }

// TakeChanged takes a file again, whole, when its content has changed under its name. Otherwise that stops the job.
func TakeChanged() Option { return func(o *options) { o.changed = true } }

// ByName takes files of equal content under different names, each once.
func ByName() Option { return func(o *options) { o.byName = true } }

// Remember is how many files the cursor knows, default 5,000 (24 bytes each, in every commit of the destination). Past it, the
// oldest that no longer fit the pattern are forgotten; if all of them are still there the job stops and says so.
func Remember(n int) Option { return func(o *options) { o.remember = n } }

// Settled leaves files alone that were changed less than d ago, because they may be half written.
func Settled(d time.Duration) Option { return func(o *options) { o.settled = d } }

// From makes a source of the files that fit a pattern: /data/in/*.csv, s3://bucket/in/**/*.json, hdfs://namenode:8020/in/*.csv.
// Between two slashes, *, ? and [a-z] are wildcards; ** stands for any number of directories.
func From[T any](ctx context.Context, pattern string, f Format[T], opt ...Option) (*Source[T], error) {
	s := &Source[T]{pattern: pattern, format: f, o: options{remember: 5000}, digests: map[string]digest{}}
	for _, set := range opt {
		set(&s.o)
	}
	if err := storage.CheckPattern(pattern); err != nil {
		return nil, fmt.Errorf("files: %w", err)
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	if storage.Local(pattern) && storage.Path(pattern) == pattern {
		abs, err := filepath.Abs(pattern)
		if err != nil {
			return nil, err
		}
		s.pattern = abs
	}
	a := s.o.access
	props := storage.Config{
		S3:   storage.S3{Endpoint: a.S3Endpoint, Region: a.S3Region, AccessKey: config.Secret(a.S3AccessKey), SecretKey: config.Secret(a.S3SecretKey)},
		HDFS: storage.HDFS{User: a.HDFSUser},
	}.Properties()
	var err error
	if s.fs, err = storage.Open(ctx, s.pattern, props); err != nil {
		return nil, err
	}
	return s, nil
}

// list finds the files, each with what names its content.
func (s *Source[T]) list(ctx context.Context) ([]storage.Entry, error) {
	all, err := s.fs.List(ctx, s.pattern)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		err = minibatch.Fatal(err) // no further try makes a directory or a right
	}
	if err != nil {
		return nil, fmt.Errorf("find files: %w", err)
	}
	kept := all[:0]
	for _, e := range all {
		if e.Size > 0 && (s.o.settled == 0 || time.Since(e.Time) >= s.o.settled) {
			kept = append(kept, e)
		}
	}
	return kept, nil
}

// content names what is in a file. A file without a tag is read for it, once in the life of the process.
func (s *Source[T]) content(ctx context.Context, e storage.Entry) (string, error) {
	if e.Tag != "" {
		return e.Tag, nil
	}
	s.mu.Lock()
	d, ok := s.digests[e.Name]
	s.mu.Unlock()
	if ok && d.of.Same(e) {
		return d.sum, nil
	}
	sum, err := s.fs.Digest(ctx, e.Name)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	s.digests[e.Name] = digest{e, sum}
	s.mu.Unlock()
	return sum, nil
}
