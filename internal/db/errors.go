package db

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"weir/internal/cli"
)

// Errors that a caller may decide by.
var (
	ErrFull     = errors.New("disk is full")
	ErrNewer    = errors.New("file was made by a newer weir")
	ErrReadOnly = errors.New("not writable")
	ErrForeign  = errors.New("not a database of weir")
	ErrLocked   = errors.New("another process keeps it locked")
	ErrAway     = errors.New("the server does not answer")
)

type newerError struct{ have, want int }

func (e *newerError) Error() string {
	return fmt.Sprintf("%v: layout %d, this program knows up to %d", ErrNewer, e.have, e.want)
}
func (e *newerError) Unwrap() error { return ErrNewer }

// explain gives an error the file's name and, where a user can act, the hint.
func (d *DB) explain(err error) error {
	if err == nil {
		return nil
	}
	if d.remote != nil {
		return d.explainRemote(err)
	}
	what, hint := err, ""
	code := code(err)
	switch {
	case errors.Is(err, ErrNewer):
		hint = "install the weir that made it, or choose another --home"
	case code == lib.SQLITE_FULL, errors.Is(err, syscall.ENOSPC):
		what, hint = ErrFull, "free some space on the disk of "+filepath.Dir(d.path)
	case code == lib.SQLITE_READONLY, code == lib.SQLITE_CANTOPEN, code == lib.SQLITE_PERM,
		errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		what, hint = fmt.Errorf("%w: %w", ErrReadOnly, err), "make "+filepath.Dir(d.path)+" writable, or choose another --home"
	case code == lib.SQLITE_NOTADB, code == lib.SQLITE_CORRUPT:
		what, hint = fmt.Errorf("%w: %w", ErrForeign, err), "move the file away and restore it from a backup"
	case code == lib.SQLITE_BUSY:
		what, hint = fmt.Errorf("%w: %w", ErrLocked, err), "look which process has "+d.path+" open"
	case code == 0: // f's own error
		return err
	}
	wrapped := fmt.Errorf("%s %s: %w", d.name, d.path, what)
	if hint == "" {
		return wrapped
	}
	return &cli.Error{Err: wrapped, Hint: hint}
}

// code is SQLite's primary result code, 0 if err did not come from SQLite.
func code(err error) int {
	var e *sqlite.Error
	if errors.As(err, &e) {
		return e.Code() & 0xff
	}
	return 0
}

func isBusy(err error) bool {
	c := code(err)
	return c == lib.SQLITE_BUSY || c == lib.SQLITE_LOCKED || isContended(err)
}
