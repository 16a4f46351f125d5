package lake

import (
	"errors"
	"strings"
	"syscall"
)

// diskFull recognises what only an operator can mend. SQLite and the Parquet writer do not wrap the system's error.
func diskFull(err error) bool {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS) {
		return true
	}
	return err != nil && (strings.Contains(err.Error(), "no space left on device") || strings.Contains(err.Error(), "database or disk is full"))
}

// Operator reports whether an error is one that no retry mends, only an operator: a full, read-only or forbidden disk, or a table that is not kept in the
// way in which it is written.
func Operator(err error) bool {
	return diskFull(err) || errors.Is(err, syscall.EACCES) || errors.As(err, new(*LayoutError))
}
