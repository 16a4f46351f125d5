package console

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"weir/internal/notify/channel"
)

// Examine looks whether the file can be written, without writing to it.
func (f *file) Examine(context.Context) []channel.Finding {
	good := channel.Finding{Check: "file", Level: channel.Good, Text: f.path + " can be written"}
	w, err := os.OpenFile(f.path, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		return []channel.Finding{closed(good, w)}
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return []channel.Finding{channel.Failed("file", fail(err))}
	}
	// It will be made at the first message: in the nearest directory that is there.
	dir := filepath.Dir(f.path)
	for {
		if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	tmp, err := os.CreateTemp(dir, ".weir-doctor-*")
	if err != nil {
		return []channel.Finding{channel.Failed("file", fail(err))}
	}
	defer os.Remove(tmp.Name())
	return []channel.Finding{closed(good, tmp)}
}

func closed(good channel.Finding, w *os.File) channel.Finding {
	if err := w.Close(); err != nil {
		return channel.Failed("file", fail(err))
	}
	return good
}
