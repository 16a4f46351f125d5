// Package engine is what runs SQL: the words that engines and their users share, and the quoting of names.
//
// Engines live in folders of their own (`duckdb`); each passes the suite in `enginetest`. An engine knows no jobs and no
// cursors: tables are handed to it as files and columns, and it hands back rows or files.
package engine

import (
	"context"
	"errors"
	"strings"
)

// ErrMemory means that a query cannot be run within the memory, or the temporary files, that the engine may use.
var ErrMemory = errors.New("the query needs more memory than it may have")

// ErrLost means that an engine elsewhere cannot be reached, or no longer: trying again may help.
var ErrLost = errors.New("the engine cannot be reached")

// A Querier runs queries: what every engine does. A query is one SELECT; it sees the tables that are handed in, under their
// names, and no other file. $name in it is an argument: bound, never pasted; args may hold more than the query mentions. It is
// safe for concurrent use. A mistake in the query is a *SQLError; a call whose context has ended returns the context's error
// within a second.
type Querier interface {
	// References lists the tables that a query reads, sorted, each once, as the query spells them. It runs nothing.
	References(ctx context.Context, query string) ([]string, error)
	// Describe gives the columns of a query's result without running it.
	Describe(ctx context.Context, query string, tables []Table, args map[string]any) ([]Column, error)
	// Query gives at most limit rows; 0 means all.
	Query(ctx context.Context, query string, tables []Table, limit int, args map[string]any) (Result, error)
}

// An Engine reads the files of its tables and writes files itself.
type Engine interface {
	Querier
	// Copy writes the result as Parquet files in a new folder below dir, which become the caller's, synced to the disk. The
	// columns, found by name, say as which type and field id each column of the result is written. No rows make no files;
	// an error leaves none.
	Copy(ctx context.Context, query string, tables []Table, dir string, columns []Column, args map[string]any) (files []string, rows int64, err error)
}

// A Server is an engine elsewhere, which finds tables and their files by itself through the catalog that it shares with us. It
// is handed names and snapshots, and can put a result only into a table of that catalog.
type Server interface {
	Querier
	// Insert puts the result into a table that is there. The columns say which of the result, found by name, go where in it.
	Insert(ctx context.Context, query string, tables []Table, into string, columns []Column, args map[string]any) error
}

// A Table is what a query may read under a name.
type Table struct {
	Name     string   // with its namespace: bank.transactions
	Snapshot int64    // whose rows are meant, for a Server; 0: the table has none yet
	Files    []string // Parquet, local paths; they carry the field ids
	Columns  []Column
	// PathColumn, unless it is empty, is the name of one more column: the path of the row's file, as Files spells it.
	PathColumn string
}

// A Column of a table or of a result.
type Column struct {
	ID   int // field id in the files; 0 in a result
	Name string
	Type string // DuckDB's name for it
}

// Result is rows that a query gave, in memory: for people and for small proofs.
//
// A value is nil, a bool, an int or uint of the column's width, a float, a string, []byte, or a time.Time in UTC (dates and
// timestamps); lists are []any and structs map[string]any. Decimals, integers past 64 bits, UUIDs, times of day and whatever
// else there is are strings, as SQL would print them.
type Result struct {
	Columns []Column
	Rows    [][]any
	More    bool // there were more rows than asked for
}

// Ident quotes a name for SQL: job files' names are never pasted bare.
func Ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Literal quotes a text for SQL.
func Literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// TableIdent quotes a table's name: its last part is the table, what stands before it the namespace.
func TableIdent(name string) string {
	if i := strings.LastIndexByte(name, '.'); i >= 0 {
		return Ident(name[:i]) + "." + Ident(name[i+1:])
	}
	return Ident(name)
}
