// Package telemetry measures this process: what it uses is part of its results.
package telemetry

import (
	"syscall"
	"time"
)

// PeakRSS is the most memory in bytes that this process has had resident so far.
func PeakRSS() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Maxrss << 10 // Linux counts in KiB
}

// CPU is the processor time that this process has used so far, in its own code and in the system's on its behalf.
func CPU() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
