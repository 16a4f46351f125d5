package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"weir/internal/cli"
	"weir/internal/project"
	"weir/internal/results"
	"weir/internal/storage"
)

// entryLog is a history or a baseline, where its name says: a file on this machine or in a storage, or, if the name ends with a
// slash, a directory with a file for each run, to which any number of jobs add at once.
type entryLog struct {
	name string
	fs   storage.FS // nil: a local file
}

func openLog(ctx context.Context, pr *project.Project, name string) (*entryLog, error) {
	l := &entryLog{name: storage.Path(name)}
	if storage.Local(name) && !strings.HasSuffix(name, "/") {
		return l, nil
	}
	if err := storage.Check(name); err != nil {
		return nil, cli.Usage(err, "")
	}
	if storage.Local(name) { // patterns and storages want the whole name
		abs, err := filepath.Abs(l.name)
		if err != nil {
			return nil, err
		}
		l.name = abs + "/"
	}
	var err error
	l.fs, err = storage.Open(ctx, l.name, pr.Weir.Lake.Storage.Properties())
	return l, err
}

// readEntries reads a log by its name.
func readEntries(ctx context.Context, pr *project.Project, name string) ([]results.Entry, error) {
	l, err := openLog(ctx, pr, name)
	if err != nil {
		return nil, err
	}
	all, err := l.read(ctx)
	if err != nil {
		return nil, cli.Usage(err, "")
	}
	return all, nil
}

func (l *entryLog) many() bool { return strings.HasSuffix(l.name, "/") }

func (l *entryLog) read(ctx context.Context) ([]results.Entry, error) {
	if l.fs == nil {
		return results.ReadLog(l.name)
	}
	if !l.many() {
		b, err := l.fs.ReadFile(l.name)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		return results.ParseLog(l.name, b)
	}
	found, err := l.fs.List(ctx, l.name+"*.json")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []byte
	for _, f := range found {
		b, err := l.fs.ReadFile(f.Name)
		if err == nil {
			_, err = results.ParseLog(f.Name, b)
		}
		if err != nil {
			return nil, err
		}
		all = append(append(all, b...), '\n')
	}
	return results.ParseLog(l.name, all)
}

// add adds the entries that are not there yet, and says how many these were.
func (l *entryLog) add(ctx context.Context, add []results.Entry) (int, error) {
	if l.fs == nil {
		return results.AppendLog(l.name, add...)
	}
	old, err := l.read(ctx)
	if err != nil {
		return 0, err
	}
	fresh := results.Missing(old, add)
	if len(fresh) == 0 {
		return 0, nil
	}
	if !l.many() {
		return len(fresh), l.replace(append(old, fresh...))
	}
	for _, e := range fresh {
		b, err := results.Lines([]results.Entry{e})
		if err == nil {
			err = l.fs.WriteFile(l.name+e.Run+".json", b)
		}
		if err != nil {
			return 0, err
		}
	}
	return len(fresh), nil
}

// replace writes the log anew.
func (l *entryLog) replace(all []results.Entry) error {
	if l.fs == nil {
		return results.WriteLog(l.name, all)
	}
	if l.many() {
		return cli.Usage(fmt.Errorf("%s: a baseline is one file, as %sbaseline.ndjson", l.name, l.name), "")
	}
	b, err := results.Lines(all)
	if err != nil {
		return err
	}
	return l.fs.WriteFile(l.name, b)
}
