// Package table gives mini-batch jobs Iceberg tables: a sink that appends Go structs together with the job's cursor, a source
// of the rows that were added since, and whole tables for a join.
//
// Start with [Open]. A row is a struct whose exported fields are the columns, named by a `table:"name"` tag or else in lower
// case: string, bool, int32, int64, float64, []byte, time.Time (UTC, microseconds), [Date] and pointers to them for values that
// may be missing.
//
// # Promises
//
// A batch's rows and its cursor are one commit of the table (compare-and-set: a second or late worker is refused with
// minibatch.ErrMoved). Rows that a transform refuses with minibatch.Quarantine are in NAME__quarantine before the batch is
// committed, once. The tables are plain Iceberg.
package table

import (
	"context"
	"fmt"
	"iter"

	"weir/internal/config"
	"weir/internal/lake"
	"weir/internal/storage"
)

// Config says where tables live. Paths without a scheme are local.
type Config struct {
	Catalog   string // SQLite file, postgres://…, thrift://host:9083 of a Hive Metastore 3, https://… of a REST catalog, or glue://region
	Warehouse string // directory, s3://bucket/path or hdfs://namenode:8020/path; with a REST catalog the name that it knows

	CatalogToken string // bearer token for a REST catalog; empty: none

	S3Endpoint, S3Region, S3AccessKey, S3SecretKey string // empty: as the AWS tools find them
	HDFSUser                                       string
}

// Home is the config of an installation's own tables: HOME/catalog.db and HOME/warehouse.
func Home(dir string) Config {
	return Config{Catalog: dir + "/catalog.db", Warehouse: dir + "/warehouse"}
}

// Lake is an open catalog. It is safe for concurrent use.
type Lake struct{ l *lake.Lake }

// Open opens a catalog; a SQLite file is made where there is none.
func Open(ctx context.Context, c Config) (*Lake, error) {
	l, err := lake.Open(ctx, lake.Config{Catalog: c.Catalog, Warehouse: c.Warehouse, REST: lake.REST{Token: config.Secret(c.CatalogToken)}, Storage: storage.Config{
		S3:   storage.S3{Endpoint: c.S3Endpoint, Region: c.S3Region, AccessKey: config.Secret(c.S3AccessKey), SecretKey: config.Secret(c.S3SecretKey)},
		HDFS: storage.HDFS{User: c.HDFSUser},
	}})
	if err != nil {
		return nil, err
	}
	return &Lake{l}, nil
}

// Close closes the catalog.
func (l *Lake) Close() error { return l.l.Close() }

// Read gives all rows of a table as it is now. Columns that T does not name are left out; T's columns must be there.
func Read[T any](ctx context.Context, l *Lake, name string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		t, p, err := planned(ctx, l, name)
		if err == nil {
			err = scan(ctx, t, p, yield)
		}
		if err != nil {
			var none T
			yield(none, err)
		}
	}
}

func planned(ctx context.Context, l *Lake, name string) (*lake.Table, lake.Plan, error) {
	t, err := l.l.Table(ctx, name)
	if err != nil {
		return nil, lake.Plan{}, err
	}
	p, err := t.Plan(ctx)
	return t, p, err
}

// scan yields the rows of planned files; nil also where nobody reads on.
func scan[T any](ctx context.Context, t *lake.Table, p lake.Plan, yield func(T, error) bool) error {
	d, err := newDecoder[T](t.Schema())
	if err != nil {
		return fmt.Errorf("table %s: %w", t.Name(), err)
	}
	for c, err := range t.Scan(ctx, p) {
		if err != nil {
			return err
		}
		for i := range int(c.Batch.NumRows()) {
			if !yield(d.row(c.Batch, i), nil) {
				return nil
			}
		}
	}
	return nil
}
