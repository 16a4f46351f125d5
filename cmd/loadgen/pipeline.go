package main

import (
	"net"
	"syscall"

	"weir/internal/project"
)

// pipelineOf finds the process that serves the home, for thresholds on its memory: the one at the other end of its socket.
func pipelineOf(pr *project.Project) func() int {
	pid := 0
	return func() int {
		if pid > 0 && syscall.Kill(pid, 0) == nil {
			return pid
		}
		pid = 0
		c, err := net.Dial("unix", pr.Socket())
		if err != nil {
			return 0
		}
		defer c.Close()
		raw, err := c.(*net.UnixConn).SyscallConn()
		if err != nil {
			return 0
		}
		_ = raw.Control(func(fd uintptr) {
			if cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED); err == nil {
				pid = int(cred.Pid)
			}
		})
		return pid
	}
}
