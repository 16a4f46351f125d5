package duckdb

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// scratch is the folder of one session's temporary files. DuckDB lets a query read its temporary folder, so each session
// has its own. A process that was killed leaves its folders; the lock, which dies with the process, tells them apart.
type scratch struct{ dir *os.File }

const scratchPattern = "duckdb-*"

// newScratch makes a folder below parent, and removes those of dead processes; no parent gives a scratch without folder.
func newScratch(parent string) (*scratch, error) {
	if parent == "" {
		return nil, nil
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	sweep(parent)
	name, err := os.MkdirTemp(parent, scratchPattern)
	if err != nil {
		return nil, err
	}
	dir, err := os.Open(name)
	if err == nil {
		err = syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(name))
	}
	return &scratch{dir}, nil
}

// sweep removes folders that nobody holds. It leaves young ones alone: their owner may be about to lock them.
func sweep(parent string) {
	old, _ := filepath.Glob(filepath.Join(parent, scratchPattern)) // the pattern is right
	for _, name := range old {
		info, err := os.Stat(name)
		if err != nil || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		dir, err := os.Open(name)
		if err != nil {
			continue
		}
		if syscall.Flock(int(dir.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
			_ = os.RemoveAll(name) // what is left now goes at a later start
		}
		_ = dir.Close()
	}
}

func (s *scratch) path() string {
	if s == nil {
		return ""
	}
	return s.dir.Name()
}

func (s *scratch) remove() error {
	if s == nil {
		return nil
	}
	return errors.Join(os.RemoveAll(s.dir.Name()), s.dir.Close())
}
