package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog/hive"
	"github.com/apache/thrift/lib/go/thrift"
	"github.com/beltran/gohive"
	hms "github.com/beltran/gohive/hive_metastore"
)

// openHive opens a Hive Metastore 3 as catalog. (Metastore 4 has removed calls that its clients still make.)
func openHive(ctx context.Context, address string, props iceberg.Properties) (catalogIO, io.Closer, error) {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return nil, nil, fmt.Errorf("catalog: expected thrift://host:9083, got %q", address)
	}
	m := &metastore{host: u.Hostname(), port: 9083}
	if p := u.Port(); p != "" {
		if m.port, err = strconv.Atoi(p); err != nil {
			return nil, nil, fmt.Errorf("catalog: expected thrift://host:9083, got %q", address)
		}
	}
	if _, err := m.GetAllDatabases(ctx); err != nil {
		return nil, nil, fmt.Errorf("catalog: %w", err)
	}
	props[hive.URI] = address
	// A commit holds its lock for about 150 ms; with the library's 4 looks two writers at once would often give up.
	props[hive.LockCheckMinWaitMs], props[hive.LockCheckMaxWaitMs], props[hive.LockCheckRetries] = "50", "1000", "20"
	return listed{hive.NewCatalogWithClient(m, props)}, m, nil
}

// metastore is one connection, opened when it is needed and again after it broke, for one call at a time: the protocol has
// no numbers that would tell answers apart.
type metastore struct {
	host string
	port int

	mu   sync.Mutex
	conn *gohive.HiveMetastoreClient
}

// call makes one call. A connection that broke may have carried it or not: that is the caller's to find out.
func call[T any](ctx context.Context, m *metastore, f func(*hms.ThriftHiveMetastoreClient) (T, error)) (T, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var none T
	if err := ctx.Err(); err != nil {
		return none, err
	}
	where := "hive metastore " + net.JoinHostPort(m.host, strconv.Itoa(m.port))
	if m.conn == nil {
		c := gohive.NewMetastoreConnectConfiguration()
		c.TransportMode = "binary"
		var err error
		if m.conn, err = gohive.ConnectToMetastore(m.host, m.port, "NOSASL", c); err != nil {
			m.conn = nil
			return none, fmt.Errorf("%s: %w", where, err)
		}
	}
	conn := m.conn
	stop := context.AfterFunc(ctx, conn.Close) // the client knows no deadline
	v, err := f(conn.Client)
	if !stop() {
		m.conn = nil
		return none, errors.Join(ctx.Err(), err)
	}
	var transport thrift.TTransportException
	var protocol thrift.TProtocolException
	if errors.As(err, &transport) || errors.As(err, &protocol) || errors.Is(err, io.EOF) {
		conn.Close()
		m.conn = nil
		err = fmt.Errorf("%s: the connection broke: %w", where, err)
	}
	return v, err
}

func do(ctx context.Context, m *metastore, f func(*hms.ThriftHiveMetastoreClient) error) error {
	_, err := call(ctx, m, func(c *hms.ThriftHiveMetastoreClient) (struct{}, error) { return struct{}{}, f(c) })
	return err
}

func (m *metastore) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.conn != nil {
		m.conn.Close()
		m.conn = nil
	}
	return nil
}

func (m *metastore) GetDatabase(ctx context.Context, name string) (*hms.Database, error) {
	return call(ctx, m, func(c *hms.ThriftHiveMetastoreClient) (*hms.Database, error) { return c.GetDatabase(ctx, name) })
}

func (m *metastore) CreateDatabase(ctx context.Context, d *hms.Database) error {
	return do(ctx, m, func(c *hms.ThriftHiveMetastoreClient) error { return c.CreateDatabase(ctx, d) })
}

func (m *metastore) AlterDatabase(ctx context.Context, name string, d *hms.Database) error {
	return do(ctx, m, func(c *hms.ThriftHiveMetastoreClient) error { return c.AlterDatabase(ctx, name, d) })
}

func (m *metastore) DropDatabase(ctx context.Context, name string, deleteData, cascade bool) error {
	return do(ctx, m, func(c *hms.ThriftHiveMetastoreClient) error { return c.DropDatabase(ctx, name, deleteData, cascade) })
}

func (m *metastore) GetAllDatabases(ctx context.Context) ([]string, error) {
	return call(ctx, m, func(c *hms.ThriftHiveMetastoreClient) ([]string, error) { return c.GetAllDatabases(ctx) })
}

func (m *metastore) GetTable(ctx context.Context, db, table string) (*hms.Table, error) {
	return call(ctx, m, func(c *hms.ThriftHiveMetastoreClient) (*hms.Table, error) { return c.GetTable(ctx, db, table) })
}

func (m *metastore) CreateTable(ctx context.Context, t *hms.Table) error {
	return do(ctx, m, func(c *hms.ThriftHiveMetastoreClient) error { return c.CreateTable(ctx, t) })
}

func (m *metastore) AlterTable(ctx context.Context, db, table string, t *hms.Table) error {
	return do(ctx, m, func(c *hms.ThriftHiveMetastoreClient) error { return c.AlterTable(ctx, db, table, t) })
}

func (m *metastore) DropTable(ctx context.Context, db, table string, deleteData bool) error {
	return do(ctx, m, func(c *hms.ThriftHiveMetastoreClient) error { return c.DropTable(ctx, db, table, deleteData) })
}

func (m *metastore) GetTables(ctx context.Context, db, pattern string) ([]string, error) {
	return call(ctx, m, func(c *hms.ThriftHiveMetastoreClient) ([]string, error) { return c.GetTables(ctx, db, pattern) })
}

// Lock says whose the lock will be, so that one whose owner died can be told from one that is in use. The metastore itself
// waits for five minutes before it gives such a lock free.
func (m *metastore) Lock(ctx context.Context, r *hms.LockRequest) (*hms.LockResponse, error) {
	host, err := os.Hostname()
	if err != nil {
		return nil, err
	}
	r.User, r.Hostname, r.AgentInfo = "weir", host, agent(os.Getpid())
	got, err := call(ctx, m, func(c *hms.ThriftHiveMetastoreClient) (*hms.LockResponse, error) { return c.Lock(ctx, r) })
	if err != nil || got.State != hms.LockState_WAITING {
		return got, err
	}
	for _, part := range r.Component {
		if err := m.freeDead(ctx, host, part.Dbname, part.Tablename); err != nil {
			return got, nil // the caller waits, as it would have
		}
	}
	return got, nil
}

// world is where process ids mean what they mean here: this boot of this machine, in this container.
var world = sync.OnceValue(func() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	space, _ := os.Readlink("/proc/self/ns/pid")
	return strings.TrimSpace(string(boot)) + " " + space
})

func agent(pid int) string { return fmt.Sprintf("weir %s %d", world(), pid) }

// dead reports whether a lock's owner was a process of ours that is gone.
func dead(agentInfo string) bool {
	rest, ours := strings.CutPrefix(agentInfo, "weir "+world()+" ")
	pid, err := strconv.Atoi(rest)
	return ours && err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
}

// freeDead gives locks free that processes of this machine held when they died.
func (m *metastore) freeDead(ctx context.Context, host, db string, table *string) error {
	held, err := call(ctx, m, func(c *hms.ThriftHiveMetastoreClient) (*hms.ShowLocksResponse, error) {
		return c.ShowLocks(ctx, &hms.ShowLocksRequest{Dbname: &db, Tablename: table})
	})
	if err != nil {
		return err
	}
	for _, l := range held.Locks {
		if l.Hostname == host && l.AgentInfo != nil && dead(*l.AgentInfo) {
			if err := m.Unlock(ctx, l.Lockid); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *metastore) CheckLock(ctx context.Context, id int64) (*hms.LockResponse, error) {
	return call(ctx, m, func(c *hms.ThriftHiveMetastoreClient) (*hms.LockResponse, error) {
		return c.CheckLock(ctx, &hms.CheckLockRequest{Lockid: id})
	})
}

func (m *metastore) Unlock(ctx context.Context, id int64) error {
	return do(ctx, m, func(c *hms.ThriftHiveMetastoreClient) error { return c.Unlock(ctx, &hms.UnlockRequest{Lockid: id}) })
}
