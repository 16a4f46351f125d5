package kafka

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kfake"

	"weir/internal/cli"
)

// Embedded is a Kafka broker inside this process. Other processes reach it over TCP on loopback.
type Embedded struct {
	cluster *kfake.Cluster
	lock    *os.File
	once    sync.Once
}

// ServeEmbedded starts the broker. Its data lie in dir, so that memory does not grow with the topics and acknowledged
// messages survive a kill of the process. addr may be 127.0.0.1:0 for any free port.
func ServeEmbedded(_ context.Context, addr, dir string) (*Embedded, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("embedded broker: expected an address on loopback such as 127.0.0.1:0, got %q", addr)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: port %q: %w", port, err)
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(n), kfake.DataDir(dir), kfake.DefaultNumPartitions(6), kfake.ClusterID(ulid.Make().String())) // data that are there keep theirs: positions in tables are keyed by it
	if err != nil {
		lock.Close()
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	return &Embedded{cluster: c, lock: lock}, nil
}

// lockDir keeps a second process out of the data. The lock goes with the process, also when it is killed.
func lockDir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, &cli.Error{
			Err:  fmt.Errorf("embedded broker: another process serves the data in %s", dir),
			Hint: "use that one: other programs of the same --home find it by themselves",
		}
	}
	return f, nil
}

// Addr is where the broker listens.
func (e *Embedded) Addr() string { return e.cluster.ListenAddrs()[0] }

// Close stops the broker; its data stay. It may be called twice.
func (e *Embedded) Close() error {
	e.once.Do(func() {
		e.cluster.Close()
		e.lock.Close()
	})
	return nil
}
