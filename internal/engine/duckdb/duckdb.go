// Package duckdb runs SQL inside this process.
//
// Each call has a DuckDB of its own, in memory, that sees the tables which it was given and nothing else: no other file, no
// network, no extension. Tables are views over read_parquet with the table's field ids, so that renamed and added columns are
// found; queries never run over registered Arrow views, which give wrong numbers when only some columns are read
// (duckdb-go #24, #28).
package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	_ "github.com/duckdb/duckdb-go/v2" // registers the driver

	"weir/internal/engine"
)

// Options of an engine; zero fields mean the default.
type Options struct {
	MemoryMB int    // default 1,024
	Threads  int    // default: the machine's cores
	TempDir  string // where what does not fit into memory goes; without it such a query fails
}

// Engine runs queries. It is safe for concurrent use.
type Engine struct{ o Options }

// New makes an engine.
func New(o Options) *Engine {
	if o.MemoryMB == 0 {
		o.MemoryMB = 1024
	}
	if o.Threads == 0 {
		o.Threads = runtime.NumCPU()
	}
	return &Engine{o}
}

// open makes a database that sees the tables, and files below out if that is given.
func (e *Engine) open(ctx context.Context, tables []engine.Table, out string) (*sql.DB, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return nil, fmt.Errorf("duckdb: %w", err)
	}
	db.SetMaxOpenConns(1) // settings and views belong to one connection
	if err := e.prepare(ctx, db, tables, out); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func (e *Engine) prepare(ctx context.Context, db *sql.DB, tables []engine.Table, out string) error {
	stmts := []string{
		"SET autoinstall_known_extensions = false", "SET autoload_known_extensions = false",
		fmt.Sprintf("SET memory_limit = '%dMB'", e.o.MemoryMB), fmt.Sprintf("SET threads = %d", e.o.Threads),
		"SET TimeZone = 'UTC'", "SET preserve_insertion_order = false", "SET enable_progress_bar = false",
	}
	var dirs []string
	if e.o.TempDir != "" {
		if err := os.MkdirAll(e.o.TempDir, 0o755); err != nil {
			return fmt.Errorf("duckdb: %w", err)
		}
		stmts = append(stmts, "SET temp_directory = "+engine.Literal(e.o.TempDir), "SET max_temp_directory_size = '50GB'")
		dirs = append(dirs, e.o.TempDir)
	} else {
		stmts = append(stmts, "SET temp_directory = ''")
	}
	if out != "" {
		dirs = append(dirs, out)
	}
	for _, t := range tables {
		for _, f := range t.Files {
			dirs = append(dirs, filepath.Dir(f))
		}
		stmts = append(stmts, views(t)...)
	}
	slices.Sort(dirs)
	dirs = slices.Compact(dirs)
	for i := range dirs {
		dirs[i] = engine.Literal(dirs[i])
	}
	stmts = append(stmts, "SET allowed_directories = ["+strings.Join(dirs, ", ")+"]", "SET enable_external_access = false", "SET lock_configuration = true")
	for _, s := range stmts {
		if _, err := db.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("duckdb: %w", explain(err))
		}
	}
	return nil
}

// views makes a table visible under its name.
func views(t engine.Table) []string {
	parts := strings.Split(t.Name, ".")
	schema := strings.Join(parts[:len(parts)-1], ".")
	name := engine.Ident(schema) + "." + engine.Ident(parts[len(parts)-1])
	return []string{"CREATE SCHEMA IF NOT EXISTS " + engine.Ident(schema), "CREATE VIEW " + name + " AS " + from(t)}
}

func from(t engine.Table) string {
	cols := make([]string, len(t.Columns))
	if len(t.Files) == 0 {
		for i, c := range t.Columns {
			cols[i] = "NULL::" + c.Type + " AS " + engine.Ident(c.Name)
		}
		return "SELECT " + strings.Join(cols, ", ") + " WHERE false"
	}
	for i, c := range t.Columns {
		cols[i] = fmt.Sprintf("%d: {name: %s, type: %s, default_value: NULL}", c.ID, engine.Literal(c.Name), engine.Literal(c.Type))
	}
	files := make([]string, len(t.Files))
	for i, f := range t.Files {
		files[i] = engine.Literal(f)
	}
	return "SELECT * FROM read_parquet([" + strings.Join(files, ", ") + "], schema = MAP {" + strings.Join(cols, ", ") + "})"
}

// Query runs one SELECT and gives at most limit rows; 0 means all.
func (e *Engine) Query(ctx context.Context, query string, tables []engine.Table, limit int, args map[string]any) (engine.Result, error) {
	db, err := e.open(ctx, tables, "")
	if err != nil {
		return engine.Result{}, err
	}
	defer db.Close()
	named, err := e.named(ctx, query, args)
	if err != nil {
		return engine.Result{}, err
	}
	rows, err := db.QueryContext(ctx, query, named...)
	if err != nil {
		return engine.Result{}, explain(err)
	}
	defer rows.Close()
	return collect(rows, limit)
}

func collect(rows *sql.Rows, limit int) (engine.Result, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return engine.Result{}, explain(err)
	}
	var r engine.Result
	for _, t := range types {
		r.Columns = append(r.Columns, engine.Column{Name: t.Name(), Type: t.DatabaseTypeName()})
	}
	for rows.Next() {
		if limit > 0 && len(r.Rows) == limit {
			r.More = true
			return r, nil
		}
		vals := make([]any, len(types))
		ptrs := make([]any, len(types))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			return r, explain(err)
		}
		r.Rows = append(r.Rows, vals)
	}
	return r, explain(rows.Err())
}

// named takes the arguments that a query mentions ($name), bound, never pasted.
func (e *Engine) named(ctx context.Context, query string, args map[string]any) ([]any, error) {
	q, err := e.parse(ctx, query)
	if err != nil {
		return nil, err
	}
	var out []any
	for _, p := range q.params {
		v, ok := args[p]
		if !ok {
			known := make([]string, 0, len(args))
			for k := range args {
				known = append(known, "$"+k)
			}
			slices.Sort(known)
			return nil, &engine.SQLError{Message: fmt.Sprintf("there is no parameter $%s; known are %s", p, strings.Join(known, ", "))}
		}
		out = append(out, sql.Named(p, v))
	}
	return out, nil
}

// Describe gives the columns of a query's result without running it.
func (e *Engine) Describe(ctx context.Context, query string, tables []engine.Table, args map[string]any) ([]engine.Column, error) {
	r, err := e.Query(ctx, "SELECT * FROM (\n"+trim(query)+"\n) LIMIT 0", tables, 0, args)
	var s *engine.SQLError
	if errors.As(err, &s) && s.Line > 1 {
		s.Line-- // of the wrapping
	}
	return r.Columns, err
}

func trim(query string) string { return strings.TrimRight(strings.TrimSpace(query), "; \n\t") }

var (
	place     = regexp.MustCompile(`(?s)LINE (\d+): (.*?)\n( *)\^`)
	errorKind = regexp.MustCompile(`^[A-Z][A-Za-z]*( [A-Z][A-Za-z]*)* Error: `)
)

// explain makes one line of what DuckDB says, with the place in the query.
func explain(err error) error {
	if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	text := err.Error()
	s := &engine.SQLError{}
	if m := place.FindStringSubmatch(text); m != nil {
		s.Line, _ = strconv.Atoi(m[1])
		s.Col = len(m[3]) - len("LINE "+m[1]+": ") + 1
		if strings.HasPrefix(m[2], "...") { // a long line is cut: the column is that of the cut
			s.Col = 1
		}
		text = text[:strings.Index(text, "\nLINE ")]
	}
	lines := strings.Split(strings.TrimSpace(errorKind.ReplaceAllString(strings.TrimPrefix(text, "duckdb: "), "")), "\n")
	s.Message = strings.TrimSpace(lines[0])
	for _, l := range lines[1:] {
		if l = strings.TrimSpace(l); l != "" {
			s.Hint = strings.TrimSpace(s.Hint + " " + l)
		}
	}
	if strings.Contains(s.Message, "file system operations are disabled") {
		s.Hint = "a query sees the tables of the catalog and no other files"
	}
	return s
}
