package db

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"hash/fnv"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"weir/internal/cli"
)

// IsPostgres reports that a path is the address of a PostgreSQL server.
func IsPostgres(path string) bool {
	return strings.HasPrefix(path, "postgres://") || strings.HasPrefix(path, "postgresql://")
}

// remote is what a PostgreSQL server has in the place of a file.
type remote struct {
	schema string
	key    int64 // of the lock that writers take

	ownClock bool
}

// openPostgres opens the schema. The password comes from the address, from PGPASSWORD or from ~/.pgpass, as everywhere.
func openPostgres(ctx context.Context, address, name string, migrations []string) (*DB, error) {
	c, err := pgx.ParseConfig(address)
	if err != nil { // its text is that of the address, which may hold a password
		return nil, cli.Usage(fmt.Errorf("%s: this is no address of a PostgreSQL server", name), "write postgres://user@host:5432/database?sslmode=verify-full; the password stands in PGPASSWORD or ~/.pgpass")
	}
	first, _, _ := strings.Cut(c.RuntimeParams["search_path"], ",") // new tables are made in the first one
	r := &remote{schema: strings.Trim(strings.TrimSpace(first), `"`)}
	if r.schema == "" {
		r.schema = "weir_" + strings.ReplaceAll(name, " ", "_")
		c.RuntimeParams["search_path"] = quote(r.schema)
	}
	// A process that stalls inside a transaction would keep all others from writing for as long as it likes.
	c.RuntimeParams["idle_in_transaction_session_timeout"] = millis(patience / 2)
	c.RuntimeParams["lock_timeout"] = millis(patience)
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = patience
	}
	c.DialFunc = dialer.DialContext
	h := fnv.New64a()
	_, _ = h.Write([]byte("weir " + r.schema))
	r.key = int64(h.Sum64())
	d := &DB{path: bare(address), name: name, remote: r}
	d.writer = sql.OpenDB(connector{*c})
	d.writer.SetMaxOpenConns(1)
	looking := c.Copy()
	looking.RuntimeParams["default_transaction_read_only"] = "on"
	d.reader = sql.OpenDB(connector{*looking})
	d.reader.SetMaxOpenConns(4)
	if err := d.migrate(ctx, migrations); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// bare is an address without its secrets.
func bare(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "postgres"
	}
	if u.User != nil {
		u.User = url.User(u.User.Username())
	}
	u.RawQuery = ""
	return u.String()
}

func millis(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// begin starts a transaction whose every statement sees what was committed before it, whatever the server's default is: with a
// snapshot of its start, it would not see what the one before it has written while it waited for the lock.
func (r *remote) begin(ctx context.Context, pool *sql.DB) (*sql.Tx, error) {
	tx, err := pool.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return nil, err
	}
	if err := r.lock(ctx, tx); err != nil {
		return nil, errors.Join(err, tx.Rollback())
	}
	return tx, nil
}

// lock lets one transaction write at a time, as SQLite does: what a writer reads is what it changes.
func (r *remote) lock(ctx context.Context, tx *sql.Tx) error {
	_, err := tx.ExecContext(ctx, "SELECT pg_advisory_xact_lock(?)", r.key)
	return err
}

func (r *remote) version(ctx context.Context, tx *sql.Tx) (have int, err error) {
	// The schema of a search_path may be there already, in a database where we may make none.
	var there bool
	if err := tx.QueryRowContext(ctx, "SELECT to_regnamespace(?) IS NOT NULL", quote(r.schema)).Scan(&there); err != nil {
		return 0, err
	}
	if !there {
		if _, err := tx.ExecContext(ctx, "CREATE SCHEMA "+quote(r.schema)); err != nil {
			return 0, err
		}
	}
	if _, err := tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS weir_layout (one BIGINT PRIMARY KEY CHECK (one = 1), version BIGINT NOT NULL)"); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, "SELECT version FROM weir_layout").Scan(&have)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return have, err
}

func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func (r *remote) setVersion(ctx context.Context, tx *sql.Tx, v int) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO weir_layout (one, version) VALUES (1, ?) ON CONFLICT (one) DO UPDATE SET version = excluded.version WHERE weir_layout.version <> excluded.version", v)
	return err
}

func (r *remote) now(ctx context.Context, tx *sql.Tx) (t time.Time, err error) {
	err = tx.QueryRowContext(ctx, "SELECT clock_timestamp()").Scan(&t)
	return t, err
}

// Stalls of this machine and of the network end a connection rather than block it: TCP alone would wait for a quarter of an hour.
var dialer = net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: patience, Interval: patience / 4, Count: 4}}

// isContended reports that a transaction has failed for another one, and that nothing of it is there.
func isContended(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && slices.Contains([]string{
		"40001", "40P01", // serialization failure, deadlock
		"55P03", // no lock within lock_timeout
		"25P03", // ended by the server, as we had stalled in it
	}, e.Code)
}

// explainRemote gives an error the server's name and, where a user can act, the hint.
func (d *DB) explainRemote(err error) error {
	what, hint := err, ""
	var e *pgconn.PgError
	var connect *pgconn.ConnectError
	var network net.Error
	switch {
	case errors.Is(err, ErrNewer):
		hint = "install the weir that made it, or name another schema: ?search_path=NAME"
	case errors.As(err, &e) && strings.HasPrefix(e.Code, "28"): // pgx has it behind a ConnectError as well
		what, hint = fmt.Errorf("the server refuses the log-in: %s", e.Message), "correct user and password (PGPASSWORD, ~/.pgpass)"
	case errors.As(err, &e) && e.Code == "3D000":
		what, hint = errors.New(e.Message), "make the database, or correct the address"
	case errors.As(err, &e) && e.Code == "42501":
		what, hint = fmt.Errorf("%w: %s", ErrReadOnly, e.Message), "grant the user CREATE on the database, or USAGE and CREATE on the schema"
	case errors.As(err, &e) && (e.Code == "53100" || e.Code == "53200"):
		what, hint = ErrFull, "free some space on the server"
	case errors.As(err, &e) && strings.HasPrefix(e.Code, "57P"):
		what, hint = fmt.Errorf("%w: %s", ErrAway, e.Message), "wait until it is up again; nothing is lost"
	case errors.As(err, &e) && e.Code == "55P03":
		what, hint = fmt.Errorf("%w: %s", ErrLocked, e.Message), "look in pg_stat_activity which session keeps an advisory lock"
	case errors.As(err, &connect), errors.As(err, &network), errors.Is(err, driver.ErrBadConn):
		what, hint = fmt.Errorf("%w: %w", ErrAway, err), "look whether the server runs, and whether the address is right"
	case errors.As(err, &e):
	default: // f's own error
		return err
	}
	wrapped := fmt.Errorf("%s %s: %w", d.name, d.path, what)
	if hint == "" {
		return wrapped
	}
	return &cli.Error{Err: wrapped, Hint: hint}
}

// connector makes connections whose SQL is translated.
type connector struct{ config pgx.ConnConfig }

func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	inner, err := stdlib.GetConnector(c.config).Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{inner.(*stdlib.Conn)}, nil
}

func (c connector) Driver() driver.Driver { return stdlib.GetDefaultDriver() }

type conn struct{ *stdlib.Conn }

func (c *conn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.Conn.PrepareContext(ctx, translate(query))
}

func (c *conn) Prepare(query string) (driver.Stmt, error) { return c.Conn.Prepare(translate(query)) }

func (c *conn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	return c.Conn.ExecContext(ctx, translate(query), args)
}

func (c *conn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	return c.Conn.QueryContext(ctx, translate(query), args)
}

// CheckNamedValue keeps truth as SQLite does, as 0 and 1.
func (c *conn) CheckNamedValue(v *driver.NamedValue) error {
	if b, ok := v.Value.(bool); ok {
		v.Value = int64(0)
		if b {
			v.Value = int64(1)
		}
		return nil
	}
	return c.Conn.CheckNamedValue(v)
}
