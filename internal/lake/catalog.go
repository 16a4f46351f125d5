package lake

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	sqlcat "github.com/apache/iceberg-go/catalog/sql"
	"github.com/apache/iceberg-go/table"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver of postgres catalogs
	_ "modernc.org/sqlite"             // the driver of the default catalog

	"weir/internal/cli"
	"weir/internal/storage"
)

// catalogIO is what lake needs of a catalog; tests put one that lies in front of the real one.
type catalogIO interface {
	table.CatalogIO
	CreateTable(context.Context, table.Identifier, *iceberg.Schema, ...catalog.CreateTableOpt) (*table.Table, error)
	DropTable(context.Context, table.Identifier) error
	CreateNamespace(context.Context, table.Identifier, iceberg.Properties) error
	ListNamespaces(context.Context, table.Identifier) ([]table.Identifier, error)
	listTables(context.Context, table.Identifier) ([]table.Identifier, error)
}

// openCatalog opens a catalog by its address: see Config.
func openCatalog(ctx context.Context, c Config, props iceberg.Properties) (catalogIO, io.Closer, error) {
	address := c.Catalog
	scheme, _, ok := strings.Cut(address, "://")
	switch {
	case c.byName():
		return openREST(ctx, c, props)
	case ok && scheme == "glue":
		return openGlue(ctx, c, props)
	case ok && (scheme == "postgres" || scheme == "postgresql"):
		return openPostgres(ctx, address, props)
	case ok && scheme == "thrift":
		return openHive(ctx, address, props)
	case ok && scheme != "file":
		return nil, nil, fmt.Errorf("catalog: expected a SQLite file, postgres://…, thrift://host:9083, https://… of a REST catalog or glue://region, got %s://…", scheme)
	}
	return openSQLite(storage.Path(address), props)
}

// unreachable says in one line what is wrong with a catalog on a server; drivers tell of each try in a line of its own.
func unreachable(err error, address string) error {
	var own *cli.Error
	if !strings.Contains(address, "://") || errors.As(err, &own) {
		return err
	}
	var lines []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	return &cli.Error{Err: said{strings.Join(lines, " "), err}, Hint: "is the catalog's server up, and is lake.uri in weir.yaml its address?"}
}

// said is an error in other words.
type said struct {
	text string
	error
}

func (s said) Error() string { return s.text }
func (s said) Unwrap() error { return s.error }

func openSQLite(file string, props iceberg.Properties) (catalogIO, io.Closer, error) {
	if err := storage.MakeWritable(filepath.Dir(file)); err != nil {
		return nil, nil, fmt.Errorf("catalog: %w", err)
	}
	dsn := "file:" + (&url.URL{Path: file}).EscapedPath() +
		"?_pragma=busy_timeout(15000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate"
	return openSQL("sqlite", dsn, sqlcat.SQLite, "catalog "+file, props)
}

// openPostgres opens a catalog in a database that several machines can reach. Its address may hold a password, so errors
// name the host only.
func openPostgres(ctx context.Context, address string, props iceberg.Properties) (catalogIO, io.Closer, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, nil, errors.New("catalog: expected postgres://user@host:5432/database (a password with odd characters must be escaped)")
	}
	what := "catalog postgres " + u.Host + u.Path
	cat, closer, err := openSQL("pgx", address, sqlcat.Postgres, what, props)
	if err != nil {
		return nil, nil, err
	}
	if err := closer.(*sql.DB).PingContext(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", what, err), closer.Close())
	}
	return cat, closer, nil
}

func openSQL(driver, dsn string, dialect sqlcat.SupportedDialect, what string, props iceberg.Properties) (catalogIO, io.Closer, error) {
	db, err := sql.Open(driver, dsn)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", what, err)
	}
	props["init_catalog_tables"] = "true"
	cat, err := sqlcat.NewCatalog(CatalogName, db, dialect, props)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", what, err), db.Close())
	}
	return listed{cat}, db, nil
}

// lister is how iceberg-go's catalogs list.
type lister interface {
	catalog.Catalog
	table.CatalogIO
}

// listed is a catalog with its listing as a slice.
type listed struct{ lister }

func (c listed) listTables(ctx context.Context, ns table.Identifier) ([]table.Identifier, error) {
	var all []table.Identifier
	for id, err := range c.ListTables(ctx, ns) {
		if err != nil {
			return nil, err
		}
		all = append(all, id)
	}
	return all, nil
}
