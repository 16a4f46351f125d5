// Package duckdb runs SQL inside this process. Start with [New].
//
// Each call has a DuckDB of its own, in memory, that sees the tables which it was given and nothing else: no other file, no
// network, no extension, and no setting that a query could change. Tables are views over read_parquet with the table's
// field ids, so that renamed and added columns are found; queries never run over registered Arrow views, which give wrong
// numbers when only some columns are read (duckdb-go #24, #28).
package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // registers the driver

	"weir/internal/engine"
)

// Options of an engine; zero fields mean the default.
type Options struct {
	MemoryMB  int    // default 1,024
	Threads   int    // default: the machine's cores
	TempDir   string // where what does not fit into memory goes; without it such a query fails
	MaxTempGB int    // of TempDir, for each query; default 50
}

// Engine runs queries. It is safe for concurrent use.
type Engine struct{ o Options }

var _ engine.Engine = (*Engine)(nil)

// New makes an engine.
func New(o Options) *Engine {
	if o.MemoryMB == 0 {
		o.MemoryMB = 1024
	}
	if o.Threads == 0 {
		o.Threads = runtime.NumCPU()
	}
	if o.MaxTempGB == 0 {
		o.MaxTempGB = 50
	}
	return &Engine{o}
}

// catalog is the name of a session's database. It is the catalog's own, so that weir.bank.pay works here as it does in Spark.
const catalog = "weir"

// session is one DuckDB, for one call.
type session struct {
	*sql.DB
	scratch *scratch
}

func (s *session) close() error { return errors.Join(s.DB.Close(), s.scratch.remove()) }

// open makes a database that sees the tables, and may write below out if that is given.
func (e *Engine) open(ctx context.Context, tables []engine.Table, out string) (*session, error) {
	sc, err := newScratch(e.o.TempDir)
	if err != nil {
		return nil, fmt.Errorf("duckdb: temporary files: %w", err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("duckdb: %w", err), sc.remove())
	}
	db.SetMaxOpenConns(1) // settings and the catalog in use belong to one connection
	s := &session{db, sc}
	for _, stmt := range e.setup(sc.path(), tables, out) {
		if _, err := db.ExecContext(ctx, stmt); err != nil {
			return nil, errors.Join(fmt.Errorf("duckdb: %w", explain(ctx, err, "", 0)), s.close())
		}
	}
	return s, nil
}

// setup lists the statements that make a session. The order matters: once access is off and the settings are locked, nothing
// that a query says can open them again.
func (e *Engine) setup(scratch string, tables []engine.Table, out string) []string {
	stmts := []string{
		"SET errors_as_json = true", // with the place of a mistake in bytes; the text shows it with a cut line
		"SET autoinstall_known_extensions = false", "SET autoload_known_extensions = false", "SET allow_community_extensions = false",
		fmt.Sprintf("SET memory_limit = '%dMB'", e.o.MemoryMB), fmt.Sprintf("SET threads = %d", e.o.Threads),
		"SET TimeZone = 'UTC'", "SET preserve_insertion_order = false", "SET enable_progress_bar = false",
		"SET temp_directory = " + engine.Literal(scratch), fmt.Sprintf("SET max_temp_directory_size = '%dGB'", e.o.MaxTempGB),
		"ATTACH ':memory:' AS " + catalog, "USE " + catalog, "DETACH memory",
	}
	var paths, dirs []string
	if out != "" { // a folder for itself and for what lies in it
		paths, dirs = append(paths, out), append(dirs, out+"/")
	}
	for _, t := range tables {
		paths = append(paths, t.Files...)
		stmts = append(stmts, views(t)...)
	}
	return append(stmts,
		"SET allowed_paths = "+list(paths), "SET allowed_directories = "+list(dirs),
		"SET enable_external_access = false", "SET lock_configuration = true")
}

// list writes texts as a list of SQL.
func list(texts []string) string {
	quoted := make([]string, len(texts))
	for i, s := range texts {
		quoted[i] = engine.Literal(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// views makes a table visible under its name.
func views(t engine.Table) []string {
	parts := strings.Split(t.Name, ".")
	last := len(parts) - 1
	schema := engine.Ident(strings.Join(parts[:last], "."))
	stmts := []string{"CREATE SCHEMA IF NOT EXISTS " + schema, "CREATE VIEW " + schema + "." + engine.Ident(parts[last]) + " AS " + from(t)}
	if last == 2 { // SQL reads a.b.c as catalog, schema and table
		c, s := engine.Ident(parts[0]), engine.Ident(parts[1])
		stmts = append(stmts, "ATTACH IF NOT EXISTS ':memory:' AS "+c, "CREATE SCHEMA IF NOT EXISTS "+c+"."+s,
			"CREATE VIEW "+c+"."+s+"."+engine.Ident(parts[2])+" AS "+from(t))
	}
	return stmts
}

func from(t engine.Table) string {
	cols := make([]string, 0, len(t.Columns)+1)
	if len(t.Files) == 0 {
		all := t.Columns
		if t.PathColumn != "" {
			all = append(slices.Clone(all), engine.Column{Name: t.PathColumn, Type: "VARCHAR"})
		}
		for _, c := range all {
			cols = append(cols, "NULL::"+c.Type+" AS "+engine.Ident(c.Name))
		}
		return "SELECT " + strings.Join(cols, ", ") + " WHERE false"
	}
	for _, c := range t.Columns {
		cols = append(cols, fmt.Sprintf("%d: {name: %s, type: %s, default_value: NULL}", c.ID, engine.Literal(c.Name), engine.Literal(c.Type)))
	}
	// Iceberg names folders like Hive does, but a path says nothing about columns there.
	options := "schema = MAP {" + strings.Join(cols, ", ") + "}, hive_partitioning = false"
	if t.PathColumn != "" {
		options += ", filename = " + engine.Literal(t.PathColumn)
	}
	return "SELECT * FROM read_parquet(" + list(t.Files) + ", " + options + ")"
}
