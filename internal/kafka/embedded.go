package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kfake"

	"weir/internal/cli"
)

// After an orderly end kfake starts by reading file by file, so that smaller files need less memory (its default is 100 MiB).
// After a kill it reads all messages for a moment: two million of 300 bytes took 0.3 s and 555 MB, of which 16 MB stayed. While
// it serves it needs about 65 MB, however much there is.
const segmentBytes = "16777216"

// Embedded is a Kafka broker inside this process. Other processes reach it over TCP on loopback.
type Embedded struct {
	cluster *kfake.Cluster
	addr    string // kfake itself would block for ever when it is asked after its end
	lock    *os.File
	once    sync.Once
}

// ServeEmbedded starts the broker. Its data lie in dir, so that memory does not grow with the topics and acknowledged
// messages survive a kill of the process. addr may be 127.0.0.1:0 for any free port; take the same port again after a restart,
// and clients that were connected go on by themselves.
func ServeEmbedded(ctx context.Context, addr, dir string) (*Embedded, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host != "127.0.0.1" {
		return nil, fmt.Errorf("embedded broker: expected an address on loopback such as 127.0.0.1:0, got %q", addr)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: port %q: %w", port, err)
	}
	lock, killed, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	var g *gate
	c, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.Ports(n),
		kfake.ListenFn(func(network, addr string) (net.Listener, error) {
			l, err := (&net.ListenConfig{}).Listen(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			g = newGate(l)
			return g, nil
		}),
		kfake.DataDir(dir),
		kfake.DefaultNumPartitions(6),
		kfake.BrokerConfigs(map[string]string{"log.segment.bytes": segmentBytes}),
		// New data get a name of their own, data that are there keep theirs: positions in tables are keyed by it.
		kfake.ClusterID(ulid.Make().String()),
	)
	if err != nil {
		lock.Close()
		return nil, cannotServe(addr, dir, err)
	}
	if killed {
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		err = mend(ctx, g)
		cancel()
	}
	if err != nil {
		c.Close()
		lock.Close()
		return nil, cannotServe(addr, dir, err)
	}
	debug.FreeOSMemory() // the start has read the data: without this they count as resident for minutes
	close(g.opened)
	return &Embedded{cluster: c, addr: g.Addr().String(), lock: lock}, nil
}

func cannotServe(addr, dir string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) {
		return &cli.Error{
			Err:  fmt.Errorf("embedded broker: another process listens on %s", addr),
			Hint: "end that process, or delete embedded.json in the home so that another port is taken",
		}
	}
	return &cli.Error{
		Err:  fmt.Errorf("embedded broker: data in %s: %w", dir, err),
		Hint: "is the disk full or not writable? Without these messages weir starts with an empty broker: move the directory away",
	}
}

// lockDir keeps a second process out of the data. The lock goes with the process, also when it is killed. Its file holds the
// number of the process until an orderly Close: killed says that the last one had none.
func lockDir(dir string) (f *os.File, killed bool, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, false, fmt.Errorf("embedded broker: %w", err)
	}
	f, err = os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("embedded broker: %w", err)
	}
	b, _ := io.ReadAll(io.LimitReader(f, 20))
	holder := strings.TrimSpace(string(b))
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		who := "another process"
		if holder != "" {
			who += " (" + holder + ")"
		}
		return nil, false, &cli.Error{
			Err:  fmt.Errorf("embedded broker: %s serves the data in %s", who, dir),
			Hint: "use that one: other programs of the same --home find it by themselves",
		}
	}
	// Written over, never emptied first: a full disk must not make a kill look like an orderly end.
	if _, err := f.WriteAt(fmt.Appendf(nil, "%-10d\n", os.Getpid()), 0); err != nil {
		f.Close()
		return nil, false, fmt.Errorf("embedded broker: %w", err)
	}
	return f, holder != "", nil
}

// Addr is where the broker listens, or did until Close.
func (e *Embedded) Addr() string { return e.addr }

// Close stops the broker; its data stay. It may be called twice.
func (e *Embedded) Close() (err error) {
	e.once.Do(func() {
		e.cluster.Close()
		err = errors.Join(e.lock.Truncate(0), e.lock.Close())
	})
	return err
}
