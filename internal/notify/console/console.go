// Package console is the channel that writes messages to a file or to the terminal, each as a block of lines.
//
// A block that was written before a crash is recognised by its id, so that it is not written twice; the terminal cannot be
// asked, so a message may be shown there again.
package console

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"weir/internal/notify/channel"
)

// Config says where to write.
type Config struct {
	Path   string    // of the file; empty: only to Stream
	Stream io.Writer // also, or only, to here; may be nil
}

// New makes the channel. A file can be looked into after a crash; a stream can only be repeated.
func New(c Config) channel.Channel {
	if c.Path == "" {
		return stream{c.Stream}
	}
	return &file{c.Path, c.Stream}
}

type stream struct{ w io.Writer }

func (s stream) Send(_ context.Context, p channel.Post) (channel.Receipt, error) {
	if s.w == nil {
		return channel.Receipt{}, nil
	}
	_, err := io.WriteString(s.w, p.Message.Text()+"\n")
	if err != nil {
		return channel.Receipt{}, &channel.Failure{Class: channel.Blocked, Code: "write_failed", Err: err}
	}
	return channel.Receipt{}, nil
}

// Repeatable: a message twice on the terminal is better than none.
func (stream) Repeatable(time.Duration) bool { return true }

type file struct {
	path string
	echo io.Writer
}

// end closes a block and names its post; a block without it was cut by a crash.
func end(id string) string { return "-- " + id + " --\n" }

func (f *file) Send(_ context.Context, p channel.Post) (channel.Receipt, error) {
	text := p.Message.Text()
	if p.Mention != "" {
		text += "For: " + p.Mention + "\n"
	}
	if err := f.append(text + end(p.ID) + "\n"); err != nil {
		return channel.Receipt{}, err
	}
	if f.echo != nil {
		_, _ = io.WriteString(f.echo, text+"\n") // the file is what counts
	}
	return channel.Receipt{}, nil
}

func (f *file) append(block string) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return fail(err)
	}
	w, err := os.OpenFile(f.path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fail(err)
	}
	before, err := w.Stat()
	if err != nil {
		return errors.Join(fail(err), w.Close())
	}
	n, err := io.WriteString(w, block) // one write, so that blocks of several processes do not mix
	if err == nil {
		err = w.Sync()
	}
	if err != nil && n > 0 && n < len(block) {
		_ = w.Truncate(before.Size()) // disk full: leave no half block behind
	}
	if err != nil {
		return errors.Join(fail(err), w.Close())
	}
	return w.Close()
}

func fail(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err // notify names the channel, and explain its file
	}
	if errors.Is(err, syscall.ENOSPC) {
		return &channel.Failure{Class: channel.Again, Code: "disk_full", Err: err}
	}
	return &channel.Failure{Class: channel.Blocked, Code: "not_writable", Err: err}
}

// Find looks for the end of the post's block.
func (f *file) Find(_ context.Context, id, _ string, _ time.Time) (channel.Receipt, bool, error) {
	r, err := os.Open(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return channel.Receipt{}, false, nil
	}
	if err != nil {
		return channel.Receipt{}, false, fail(err)
	}
	defer r.Close()
	want := strings.TrimSpace(end(id))
	s := bufio.NewScanner(r)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		if s.Text() == want {
			return channel.Receipt{}, true, nil
		}
	}
	if err := s.Err(); err != nil {
		return channel.Receipt{}, false, fail(fmt.Errorf("read: %w", err))
	}
	return channel.Receipt{}, false, nil
}
