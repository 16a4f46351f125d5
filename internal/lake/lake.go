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
// Columns that Widen adds come to the table with the first files that have them, in their commit; two writers that widen a table in
// different ways do not mix: the later one's files are refused, and written anew they fit.
//
// The tables are plain Iceberg (format 2, Parquet zstd, all columns optional) in a catalog named "weir": any Iceberg
// reader can read them without weir. What a cursor means is its owner's business.
package lake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"weir/internal/storage"
)

// CatalogName is part of the key of every table in a SQL catalog: all readers must use the same.
const CatalogName = "weir"

// ErrNoTable means that the catalog has no table of that name.
var ErrNoTable = errors.New("no such table")

// Config says where tables live.
type Config struct {
	Catalog   string // SQLite file, made if absent; postgres://…; thrift://host:9083 of a Hive Metastore; http(s)://… of a REST catalog; glue://region
	Warehouse string // directory for data and metadata: local, s3://bucket/path, hdfs://namenode:8020/path; of a REST catalog: a name that it knows, or empty
	Storage   storage.Config
	REST      REST // how a REST catalog is reached

	// Cache is the local directory for copies of remote files, which readers such as SQL engines need, and CacheBytes what
	// it may hold (0: 10 GiB). Only needed with a remote warehouse.
	Cache      string
	CacheBytes int64
}

// A Lake is an open catalog. It is safe for concurrent use.
type Lake struct {
	cat       catalogIO
	closer    io.Closer // of the catalog's connection
	warehouse string    // URI; empty: the catalog says where a table lies
	props     map[string]string
	cache     *cache
	mu        sync.Mutex
	locks     map[string]*sync.Mutex // one committer per table inside a process
}

// Open opens the catalog; a SQLite file is made where there is none.
func Open(ctx context.Context, c Config) (*Lake, error) {
	storage.Register()
	l := &Lake{props: c.Storage.Properties(), locks: map[string]*sync.Mutex{}, cache: &cache{dir: c.Cache, limit: c.CacheBytes}}
	if !c.byName() {
		if err := l.place(c.Warehouse); err != nil {
			return nil, err
		}
	}
	var err error
	if l.cat, l.closer, err = openCatalog(ctx, c, l.properties()); err != nil {
		return nil, unreachable(err, c.Catalog)
	}
	return l, nil
}

// byName says that the catalog knows its warehouses by their names, and where each table lies.
func (c Config) byName() bool {
	return strings.HasPrefix(c.Catalog, "https://") || strings.HasPrefix(c.Catalog, "http://")
}

// place finds the warehouse. Of a remote one it says only what the name itself tells: servers are asked for with the first table.
func (l *Lake) place(warehouse string) error {
	if !storage.Local(warehouse) {
		l.warehouse = strings.TrimRight(warehouse, "/")
		if err := storage.Check(warehouse); err != nil {
			return fmt.Errorf("warehouse: %w", err)
		}
		return nil
	}
	dir, err := filepath.Abs(storage.Path(warehouse))
	if err != nil {
		return fmt.Errorf("warehouse %s: %w", warehouse, err)
	}
	if err := storage.MakeWritable(dir); err != nil {
		return fmt.Errorf("warehouse: %w", err)
	}
	l.warehouse = storage.URI(dir)
	return nil
}

// properties are those of the catalog: it opens storages by itself.
func (l *Lake) properties() iceberg.Properties {
	p := iceberg.Properties{}
	if l.warehouse != "" {
		p["warehouse"] = l.warehouse
	}
	maps.Copy(p, l.props)
	return p
}

// files opens the storage of a location.
func (l *Lake) files(ctx context.Context, location string) (storage.FS, error) {
	return storage.Open(ctx, location, l.props)
}

// Close closes the catalog.
func (l *Lake) Close() error { return l.closer.Close() }

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

	// Partition and Sort say how rows lie: day(booked_at), bucket(16, account_id), truncate(3, country), country; and account_id,
	// booked_at desc. A table that exists must be laid out so, unless they are empty.
	Partition, Sort []string

	// Key are the columns of which the table has one row for each value: only a [Keyed] may commit to it. A table that exists must have
	// been made with them, also where there are none.
	Key []string
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
	if err := t.accepts(s); err != nil {
		return t, err
	}
	return t, t.Arranged(o)
}

func (l *Lake) create(ctx context.Context, name string, s *arrow.Schema, o Options) (*Table, error) {
	if err := nameable(s); err != nil {
		return nil, fmt.Errorf("create table %s: %w", name, err)
	}
	id := strings.Split(name, ".")
	schema, err := table.ArrowSchemaToIcebergWithFreshIDs(s, true)
	if err != nil {
		return nil, fmt.Errorf("create table %s: %w", name, err)
	}
	lay, err := layoutFor(schema, o)
	if err != nil {
		return nil, fmt.Errorf("create table %s: %w", name, err)
	}
	props := iceberg.Properties{}
	for k, v := range defaults {
		props[k] = v
	}
	maps.Copy(props, lastTimes(time.Now()))
	if len(o.Key) > 0 {
		props[keyProperty] = strings.Join(o.Key, ",")
	}
	for k, v := range o.Properties {
		props[k] = v
	}
	ns := id[:len(id)-1]
	if err := l.cat.CreateNamespace(ctx, ns, nil); err != nil && !errors.Is(err, catalog.ErrNamespaceAlreadyExists) {
		return nil, fmt.Errorf("create namespace %s: %w", strings.Join(ns, "."), err)
	}
	opts := []catalog.CreateTableOpt{catalog.WithProperties(props), catalog.WithPartitionSpec(&lay.spec), catalog.WithSortOrder(lay.sort)}
	if l.warehouse != "" {
		opts = append(opts, catalog.WithLocation(storage.Join(l.warehouse, strings.Join(ns, ".")+".db", id[len(id)-1])))
	}
	_, err = l.cat.CreateTable(ctx, id, schema, opts...)
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
	fs  storage.FS // of its location

	wider *Shape // with columns that the table gets with the next commit; nil: it has all
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
	fs, err := t.lake.files(ctx, got.Location())
	if err != nil {
		return nil, fmt.Errorf("load table %s: %w", t.name, err)
	}
	tbl := t.through(got, fs)
	t.mu.Lock()
	t.tbl, t.fs = tbl, fs
	t.settled(tbl)
	t.mu.Unlock()
	return tbl, nil
}

// through is a table that reads and writes files with fs, and commits with the lake's catalog: in tests that is not the one
// which loaded it.
func (t *Table) through(tbl *table.Table, fs iceio.IO) *table.Table {
	return table.New(t.id, tbl.Metadata(), tbl.MetadataLocation(), func(context.Context) (iceio.IO, error) { return fs, nil }, t.lake.cat)
}

// on is the table with another catalog.
func (t *Table) on(tbl *table.Table, cat table.CatalogIO) *table.Table {
	return table.New(t.id, tbl.Metadata(), tbl.MetadataLocation(), tbl.FS, cat)
}

func (t *Table) current() (*table.Table, storage.FS) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.tbl, t.fs
}
