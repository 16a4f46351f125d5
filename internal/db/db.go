// Package db opens and migrates weir's SQLite files, for the run ledger and the outbox, and PostgreSQL in the place of a file.
//
// Start with [Open]; change with [DB.Write], read with [DB.Read]. Both speak the SQL of SQLite, as far as PostgreSQL has it: see
// translate for what is put into its words.
//
// # Promises
//
// A Write is committed to the disk (WAL, synchronous=FULL) before it returns nil, or it has no effect. Several processes
// may have the same file open: a writer waits for the other, up to ten seconds. Errors say what the user can do: a
// directory that is not writable, a full disk, a file made by a newer weir.
package db

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// patience is how long a writer waits for another process that writes to the same file.
const patience = 10 * time.Second

// DB is one open file, or a schema of a PostgreSQL server. Its methods may be used from any goroutine.
type DB struct {
	path   string // or of PostgreSQL the address, without a password
	remote *remote
	name   string
	writer *sql.DB // one connection, so that writers of this process queue here and not in SQLite
	reader *sql.DB
	share  sharing
}

// Open opens the file at path, makes it if it is missing and brings it to the newest layout: migrations[i] leads from
// version i to i+1. name says in errors what the file is ("run ledger"). A path that is the address of a PostgreSQL server
// (postgres://user@host/database) stands for a schema there, which is named after it unless the address has a search_path.
func Open(ctx context.Context, path, name string, migrations []string) (*DB, error) {
	if IsPostgres(path) {
		return openPostgres(ctx, path, name, migrations)
	}
	d := &DB{path: path, name: name}
	if err := d.touch(); err != nil {
		return nil, err
	}
	d.writer = open(path, "&_txlock=immediate&_pragma=synchronous(FULL)")
	d.writer.SetMaxOpenConns(1)
	d.reader = open(path, "&_pragma=query_only(1)")
	d.reader.SetMaxOpenConns(4)
	if err := d.migrate(ctx, migrations); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func open(path, more string) *sql.DB {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		fmt.Sprintf("?_pragma=busy_timeout(%d)&_pragma=journal_mode(WAL)", patience.Milliseconds()) + more
	pool, err := sql.Open("sqlite", dsn)
	if err != nil { // only an unknown driver name gives an error here
		panic(err)
	}
	return pool
}

// touch makes the directory and the file, readable by its owner only: messages may hold business figures.
func (d *DB) touch() error {
	if err := os.MkdirAll(filepath.Dir(d.path), 0o755); err != nil {
		return d.explain(err)
	}
	f, err := os.OpenFile(d.path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return d.explain(err)
	}
	return f.Close()
}

func (d *DB) migrate(ctx context.Context, migrations []string) error {
	return d.Write(ctx, func(tx *sql.Tx) error {
		have, err := d.version(ctx, tx)
		if err != nil {
			return err
		}
		if have > len(migrations) {
			return &newerError{have: have, want: len(migrations)}
		}
		for i := have; i < len(migrations); i++ {
			if _, err := tx.ExecContext(ctx, migrations[i]); err != nil {
				return fmt.Errorf("migrate to version %d: %w", i+1, err)
			}
		}
		return d.setVersion(ctx, tx, len(migrations))
	})
}

func (d *DB) version(ctx context.Context, tx *sql.Tx) (have int, err error) {
	if d.remote != nil {
		return d.remote.version(ctx, tx)
	}
	err = tx.QueryRowContext(ctx, "PRAGMA user_version").Scan(&have)
	return have, err
}

func (d *DB) setVersion(ctx context.Context, tx *sql.Tx, v int) error {
	if d.remote != nil {
		return d.remote.setVersion(ctx, tx, v)
	}
	_, err := tx.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", v))
	return err
}

// Now is the time that all who share the database agree on: of a file this machine's, of a server the server's.
func (d *DB) Now(ctx context.Context, tx *sql.Tx) (time.Time, error) {
	if d.remote != nil && !d.remote.ownClock {
		return d.remote.now(ctx, tx)
	}
	return time.Now(), nil
}

// UseOwnClock makes Now this machine's time whatever the database is: for tests with virtual time, of which a server knows nothing.
func (d *DB) UseOwnClock() {
	if d.remote != nil {
		d.remote.ownClock = true
	}
}

// Write runs f in a transaction that holds the write lock from its start. If f or the commit fails, nothing has changed.
// f may be called again, when another process kept the lock for too long.
func (d *DB) Write(ctx context.Context, f func(tx *sql.Tx) error) error {
	end := time.Now().Add(patience)
	for {
		err := d.try(ctx, f)
		if err == nil || !isBusy(err) || time.Now().After(end) {
			return d.explain(err)
		}
		// The busy handler does not cover all: two processes that switch a new file to WAL at once get it at once.
		select {
		case <-ctx.Done():
			return d.explain(err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *DB) try(ctx context.Context, f func(tx *sql.Tx) error) (err error) {
	begin := func() (*sql.Tx, error) { return d.writer.BeginTx(ctx, nil) }
	if d.remote != nil {
		begin = func() (*sql.Tx, error) { return d.remote.begin(ctx, d.writer) }
	}
	tx, err := begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback() // the first error tells more
		}
	}()
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Read is the pool for queries; it cannot write.
func (d *DB) Read() *sql.DB { return d.reader }

// Path is the file, or the server's address without a password.
func (d *DB) Path() string { return d.path }

// Close closes the file.
func (d *DB) Close() error { return errors.Join(d.reader.Close(), d.writer.Close()) }

// Marks gives "?, ?, ?" for an IN of n values.
func Marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

// Micros is how a time is kept: microseconds since 1970, 0 for the zero time.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time is the inverse of Micros, in UTC.
func Time(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
