package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"weir/internal/cli"
)

// maxSocketPath is what sockaddr_un holds on Linux (108 with the final zero; 104 elsewhere).
const maxSocketPath = 100

// A socket is our listener together with the lock that makes us its only owner.
type socket struct {
	path     string
	listener net.Listener
	lock     *os.File
}

// listen binds the socket. Who may: the holder of the lock beside it, and only while nobody answers on it, so two starters at
// once cannot both remove "the stale file" of the other. It is bound under another name in a way that nobody else can
// connect before its mode is 0600, then renamed into place.
func listen(path string) (*socket, error) {
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	fail := func(err error) (*socket, error) {
		lock.Close()
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fail(served(path, lock))
	}
	probe, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if conn, err := dialSocket(probe, path); err == nil {
		conn.Close()
		return fail(served(path, lock))
	}
	tmp, err := os.MkdirTemp(filepath.Dir(path), ".control-") // mode 0700
	if err != nil {
		return fail(fmt.Errorf("control socket: %w", err))
	}
	defer os.RemoveAll(tmp)
	bound := filepath.Join(tmp, "s")
	l, err := listenShort(bound)
	if err != nil {
		return fail(fmt.Errorf("control socket %s: %w", path, err))
	}
	l.SetUnlinkOnClose(false) // the name moves
	if err := errors.Join(os.Chmod(bound, 0o600), os.Rename(bound, path)); err != nil {
		l.Close()
		return fail(fmt.Errorf("control socket %s: %w", path, err))
	}
	_ = lock.Truncate(0)
	_, _ = fmt.Fprintf(lock, "%d\n", os.Getpid()) // only to name us in the other's error
	return &socket{path: path, listener: l, lock: lock}, nil
}

// close removes the file while the lock is still ours.
func (s *socket) close() error {
	s.listener.Close()
	err := os.Remove(s.path)
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, s.lock.Close())
}

func served(path string, lock *os.File) error {
	who := ""
	var pid int
	if _, err := fmt.Fscan(lock, &pid); err == nil {
		who = fmt.Sprintf(" (process %d)", pid)
	}
	return &cli.Error{Err: fmt.Errorf("%s: %w%s", path, ErrServed, who), Hint: "`pipeline tui` attaches to it; another --home starts apart"}
}

func listenShort(path string) (*net.UnixListener, error) {
	var l *net.UnixListener
	err := short(path, func(p string) (err error) {
		l, err = net.ListenUnix("unix", &net.UnixAddr{Name: p, Net: "unix"})
		return err
	})
	return l, err
}

func dialSocket(ctx context.Context, path string) (net.Conn, error) {
	var c net.Conn
	err := short(path, func(p string) (err error) {
		c, err = (&net.Dialer{}).DialContext(ctx, "unix", p)
		return err
	})
	return c, err
}

// short calls use with a name of the socket that fits into a socket address: the kernel takes about 100 bytes, a home deep in
// the file system has more. An open directory gives a short name for it on Linux.
func short(path string, use func(string) error) error {
	if len(path) <= maxSocketPath {
		return use(path)
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer dir.Close()
	p := fmt.Sprintf("/proc/self/fd/%d/%s", dir.Fd(), filepath.Base(path))
	if _, err := os.Stat(filepath.Dir(p)); err != nil || len(p) > maxSocketPath {
		return fmt.Errorf("the path has %d bytes, a socket takes %d: choose a home with a shorter path", len(path), maxSocketPath)
	}
	return use(p)
}
