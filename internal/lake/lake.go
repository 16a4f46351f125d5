// Package lake stores rows in Iceberg tables, each batch together with the cursor that it moves.
//
// Start with [Open]; [Lake.Ensure] makes a table, [Table.Write] puts rows into files that nobody sees yet, and
// [Table.Commit] is the only way to make them visible.
//
// # Promises
//
// A commit is all or nothing. It fails with [ErrMoved] if another worker has moved the cursor. An error whose result is
// unknown is resolved inside Commit, by looking for the commit id in the table's history, before it returns. No file is
// deleted while a commit's result is unknown. Files are on the disk (fsync) before a commit refers to them.
//
// The tables are plain Iceberg (format 2, Parquet zstd, all columns optional) in a catalog named "weir": any Iceberg
// reader can read them without weir. What a cursor means is its owner's business.
package lake

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	sqlcat "github.com/apache/iceberg-go/catalog/sql"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	_ "modernc.org/sqlite" // the driver of the default catalog
)

// CatalogName is part of the key of every table in a SQL catalog: all readers must use the same.
const CatalogName = "weir"

// ErrNoTable means that the catalog has no table of that name.
var ErrNoTable = errors.New("no such table")

// Config says where tables live.
type Config struct {
	Catalog   string // SQLite file; made if absent
	Warehouse string // directory for data and metadata
}

// A Lake is an open catalog. It is safe for concurrent use.
type Lake struct {
	cat   catalogIO
	db    *sql.DB
	mu    sync.Mutex
	locks map[string]*sync.Mutex // one committer per table inside a process
}

// catalogIO is what lake needs of a catalog; tests put one that lies in front of the real one.
type catalogIO interface {
	table.CatalogIO
	CreateTable(context.Context, table.Identifier, *iceberg.Schema, ...catalog.CreateTableOpt) (*table.Table, error)
	CreateNamespace(context.Context, table.Identifier, iceberg.Properties) error
	ListNamespaces(context.Context, table.Identifier) ([]table.Identifier, error)
	listTables(context.Context, table.Identifier) ([]table.Identifier, error)
}

type sqlCatalog struct{ *sqlcat.Catalog }

func (c sqlCatalog) listTables(ctx context.Context, ns table.Identifier) ([]table.Identifier, error) {
	var all []table.Identifier
	for id, err := range c.ListTables(ctx, ns) {
		if err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	return all, nil
}

// Open opens the catalog and makes it where there is none.
func Open(ctx context.Context, c Config) (*Lake, error) {
	useDurableFiles()
	warehouse, err := filepath.Abs(c.Warehouse)
	if err != nil {
		return nil, fmt.Errorf("warehouse %s: %w", c.Warehouse, err)
	}
	if err := makeWritable(warehouse); err != nil {
		return nil, fmt.Errorf("warehouse: %w", err)
	}
	if err := makeWritable(filepath.Dir(c.Catalog)); err != nil {
		return nil, fmt.Errorf("catalog: %w", err)
	}
	dsn := "file:" + (&url.URL{Path: c.Catalog}).EscapedPath() +
		"?_pragma=busy_timeout(15000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("catalog %s: %w", c.Catalog, err)
	}
	cat, err := sqlcat.NewCatalog(CatalogName, db, sqlcat.SQLite, iceberg.Properties{
		"warehouse": (&url.URL{Scheme: "file", Path: warehouse}).String(), "init_catalog_tables": "true",
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("catalog %s: %w", c.Catalog, err), db.Close())
	}
	return &Lake{cat: sqlCatalog{cat}, db: db, locks: map[string]*sync.Mutex{}}, nil
}

// Close closes the catalog.
func (l *Lake) Close() error { return l.db.Close() }

// Tables lists the names of all tables, sorted: "bank.transactions".
func (l *Lake) Tables(ctx context.Context) ([]string, error) {
	spaces, err := l.cat.ListNamespaces(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("list tables: %w", err)
	}
	var names []string
	for _, ns := range spaces {
		ids, err := l.cat.listTables(ctx, ns)
		if err != nil {
			return nil, fmt.Errorf("list tables of %s: %w", strings.Join(ns, "."), err)
		}
		for _, id := range ids {
			names = append(names, strings.Join(id, "."))
		}
	}
	slices.Sort(names)
	return names, nil
}

// Table opens a table as it is now; ErrNoTable if there is none.
func (l *Lake) Table(ctx context.Context, name string) (*Table, error) {
	t := &Table{lake: l, name: name, id: strings.Split(name, ".")}
	if len(t.id) < 2 {
		return nil, fmt.Errorf("table %q: expected a name with its namespace, such as bank.transactions", name)
	}
	if err := t.Refresh(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// Options of a new table.
type Options struct {
	Properties map[string]string // added to lake's own
}

// Ensure opens a table and makes it where there is none. An existing table must have every field of the schema with the
// same type: otherwise a *SchemaError names the first that it lacks.
func (l *Lake) Ensure(ctx context.Context, name string, s *arrow.Schema, o Options) (*Table, error) {
	t, err := l.Table(ctx, name)
	if errors.Is(err, ErrNoTable) {
		t, err = l.create(ctx, name, s, o)
	}
	if err != nil {
		return nil, err
	}
	return t, t.accepts(s)
}

func (l *Lake) create(ctx context.Context, name string, s *arrow.Schema, o Options) (*Table, error) {
	id := strings.Split(name, ".")
	schema, err := table.ArrowSchemaToIcebergWithFreshIDs(s, true)
	if err != nil {
		return nil, fmt.Errorf("create table %s: %w", name, err)
	}
	props := iceberg.Properties{}
	for k, v := range defaults {
		props[k] = v
	}
	for k, v := range o.Properties {
		props[k] = v
	}
	ns := id[:len(id)-1]
	if err := l.cat.CreateNamespace(ctx, ns, nil); err != nil && !errors.Is(err, catalog.ErrNamespaceAlreadyExists) {
		return nil, fmt.Errorf("create namespace %s: %w", strings.Join(ns, "."), err)
	}
	_, err = l.cat.CreateTable(ctx, id, schema, catalog.WithProperties(props))
	if err != nil && !errors.Is(err, catalog.ErrTableAlreadyExists) { // another process may have been first
		return nil, fmt.Errorf("create table %s: %w", name, err)
	}
	return l.Table(ctx, name)
}

func (l *Lake) lock(name string) *sync.Mutex {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.locks[name] == nil {
		l.locks[name] = &sync.Mutex{}
	}
	return l.locks[name]
}

// A Table is a table as it was at the last Refresh. Its methods are safe for concurrent use.
type Table struct {
	lake *Lake
	name string
	id   table.Identifier

	mu  sync.RWMutex
	tbl *table.Table
}

// Name is the table's full name.
func (t *Table) Name() string { return t.name }

// Refresh reads the table's newest state from the catalog.
func (t *Table) Refresh(ctx context.Context) error {
	_, err := t.load(ctx)
	return err
}

func (t *Table) load(ctx context.Context) (*table.Table, error) {
	got, err := t.lake.cat.LoadTable(ctx, t.id)
	if errors.Is(err, catalog.ErrNoSuchTable) {
		return nil, fmt.Errorf("table %s: %w", t.name, ErrNoTable)
	}
	if err != nil {
		return nil, fmt.Errorf("load table %s: %w", t.name, err)
	}
	// The table must commit through our catalog, which in tests is not the one that loaded it.
	tbl := table.New(t.id, got.Metadata(), got.MetadataLocation(), func(context.Context) (iceio.IO, error) { return durable{}, nil }, t.lake.cat)
	t.mu.Lock()
	t.tbl = tbl
	t.mu.Unlock()
	return tbl, nil
}

func (t *Table) current() *table.Table {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.tbl
}
