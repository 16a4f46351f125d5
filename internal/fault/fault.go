// Package fault lets a test end or stop a process at a named point of its work: WEIR_FAULT=commit.swapped:2:kill ends it with SIGKILL when it comes
// to that point for the second time. Without the variable a point costs one comparison.
//
// [Points] lists them all; who adds a call adds its name.
package fault

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// Points of the way from topic to table, in its order.
var Points = []string{
	"records.fetched",      // of a part, the first
	"data.writing",         // in the middle of a data file
	"data.closed",          // a data file is on the disk
	"quarantine.staged",    // refused records are in files
	"quarantine.committed", // and in their table; the rows are not yet in theirs
	"commit.begun",         // the rows' commit has begun
	"manifest.closed",      // a manifest or a manifest list is on the disk
	"commit.staged",        // all files of the commit are there, the catalog has not been asked
	"metadata.closed",      // metadata are written, the catalog's pointer is not swapped
	"commit.swapped",       // it is swapped, and nobody has been told
	"commit.done",          // the run knows; the group's offsets are not committed
}

type order struct {
	point  string
	left   atomic.Int64
	action string
}

var armed = parse(os.Getenv("WEIR_FAULT"))

// parse reads point:n:action; anything else arms nothing.
func parse(text string) *order {
	parts := strings.Split(text, ":")
	if len(parts) != 3 {
		return nil
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil || n < 1 || parts[2] != "kill" && parts[2] != "stop" {
		return nil
	}
	o := &order{point: parts[0], action: parts[2]}
	o.left.Store(n)
	return o
}

// Point ends (kill) or stops (stop) this process if it is told to, here.
func Point(name string) {
	if armed == nil || armed.point != name || armed.left.Add(-1) != 0 {
		return
	}
	sig := syscall.SIGKILL
	if armed.action == "stop" {
		sig = syscall.SIGSTOP
	}
	_ = syscall.Kill(syscall.Getpid(), sig)
	if sig == syscall.SIGKILL {
		select {} // it is about to end
	}
}
