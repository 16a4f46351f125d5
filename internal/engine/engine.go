// Package engine is what runs SQL: the words that engines and their users share, and the quoting of names.
//
// Engines live in folders of their own (`duckdb`); each passes the suite in `enginetest`. An engine knows no jobs and no
// cursors: tables are handed to it as files and columns, and it hands back rows or files.
package engine

import (
	"fmt"
	"strings"
)

// A Table is what a query may read under a name.
type Table struct {
	Name    string   // with its namespace: bank.transactions
	Files   []string // Parquet, local paths; they carry the field ids
	Columns []Column
}

// A Column of a table or of a result.
type Column struct {
	ID   int // field id in the files; 0 in a result
	Name string
	Type string // DuckDB's name for it
}

// Result is rows that a query gave, in memory: for people and for small proofs.
type Result struct {
	Columns []Column
	Rows    [][]any
	More    bool // there were more rows than asked for
}

// Ident quotes a name for SQL: job files' names are never pasted bare.
func Ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Literal quotes a text for SQL.
func Literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// A SQLError is a mistake in a query, with its place in it.
type SQLError struct {
	Line, Col int    // from 1; 0 if the engine gave none
	Message   string // one line
	Hint      string // candidates, if the engine named some
}

func (e *SQLError) Error() string {
	s := e.Message
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	if e.Line > 0 {
		return fmt.Sprintf("%d:%d: %s", e.Line, e.Col, s)
	}
	return s
}

// ExitCode: wrong SQL is wrong configuration.
func (e *SQLError) ExitCode() int { return 2 }
