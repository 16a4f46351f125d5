// Package hive runs SQL on a server that speaks HiveServer2's protocol and shares the catalog: the Spark Thrift Server.
// Start with [New].
//
// Each call has a session of its own, in UTC and with Spark's ANSI mode: names in double quotes are names, an overflow is an
// error. Tables are read from the shared catalog at the snapshots that the caller names. Arguments become typed literals, quoted
// here; nothing is pasted. An error is one line, with its place in the query where the server tells one.
//
// It fetches results for people and small proofs; a large result goes into a table ([Engine.Insert]).
package hive

import (
	"context"
	"fmt"
	"net"
	"strings"
	"time"

	"weir/internal/engine"
)

// Auth modes: how the server wants to be talked to. A client with the wrong one learns nothing but the end of the connection.
const (
	NoSASL = "NOSASL" // hive.server2.authentication=NOSASL
	Plain  = "NONE"   // hive.server2.authentication=NONE, the servers' default: SASL PLAIN
)

// Options of an engine; zero fields mean the default.
type Options struct {
	Address  string // host:port
	Auth     string // NoSASL or Plain, the default
	User     string // default weir
	Password string
	Catalog  string        // name of the shared catalog in the server's configuration, default weir
	Dial     time.Duration // for the connection, default 5 s
}

// Engine runs queries. It is safe for concurrent use.
type Engine struct{ o Options }

var _ engine.Server = (*Engine)(nil)

// New makes an engine. It does not connect yet.
func New(o Options) (*Engine, error) {
	if o.Auth == "" {
		o.Auth = Plain
	}
	if o.Auth != NoSASL && o.Auth != Plain {
		return nil, fmt.Errorf("hive: expected auth %s or %s, got %q", Plain, NoSASL, o.Auth)
	}
	if _, _, err := net.SplitHostPort(o.Address); err != nil {
		return nil, fmt.Errorf("hive: expected the address host:port, got %q", o.Address)
	}
	if o.User == "" {
		o.User = "weir"
	}
	if o.Catalog == "" {
		o.Catalog = "weir"
	}
	if o.Dial == 0 {
		o.Dial = 5 * time.Second
	}
	return &Engine{o}, nil
}

// References lists the tables that a query reads, sorted. It asks no server.
func (e *Engine) References(_ context.Context, query string) ([]string, error) {
	return Tables(query, e.o.Catalog)
}

// Tables is References for somebody who has no server: catalog is the shared one's name there.
func Tables(query, catalog string) ([]string, error) {
	q, err := parse(query)
	if err != nil {
		return nil, err
	}
	return q.tables(catalog), nil
}

// Describe gives the columns of a query's result without running it. Their types are Spark's; see [ToArrow].
func (e *Engine) Describe(ctx context.Context, query string, tables []engine.Table, args map[string]any) (cols []engine.Column, err error) {
	err = e.with(ctx, query, tables, args, func(s *session, r rendered) error {
		cols, err = s.describe(ctx, r)
		return err
	})
	return cols, err
}

// Query runs one SELECT and gives at most limit rows; 0 means all.
func (e *Engine) Query(ctx context.Context, query string, tables []engine.Table, limit int, args map[string]any) (res engine.Result, err error) {
	err = e.with(ctx, query, tables, args, func(s *session, r rendered) error {
		if res.Columns, err = s.describe(ctx, r); err != nil {
			return err
		}
		before, after := "SELECT * FROM (\n", "\n)"
		if limit > 0 {
			after += fmt.Sprintf(" LIMIT %d", limit+1)
		}
		res.Rows, err = s.rows(ctx, before, r, after, kinds(res.Columns))
		if limit > 0 && len(res.Rows) > limit {
			res.Rows, res.More = res.Rows[:limit], true
		}
		return err
	})
	return res, err
}

// Insert puts a query's result into a table of the shared catalog.
func (e *Engine) Insert(ctx context.Context, query string, tables []engine.Table, into string, columns []engine.Column, args map[string]any) error {
	casts := make([]string, len(columns))
	for i, c := range columns {
		t, err := sparkType(c.Type)
		if err != nil {
			return fmt.Errorf("column %s of table %s: %w", c.Name, into, err)
		}
		casts[i] = fmt.Sprintf("CAST(%s AS %s) AS %s", engine.Ident(c.Name), t, engine.Ident(c.Name))
	}
	before := "INSERT INTO " + e.ident(into) + " SELECT " + strings.Join(casts, ", ") + " FROM (\n"
	return e.with(ctx, query, tables, args, func(s *session, r rendered) error {
		_, err := s.rows(ctx, before, r, "\n)", nil)
		return err
	})
}

// ident is a table's name for the server. A namespace of several parts is several names in Spark.
func (e *Engine) ident(table string) string {
	parts := strings.Split(table, ".")
	for i, p := range parts {
		parts[i] = engine.Ident(p)
	}
	return engine.Ident(e.o.Catalog) + "." + strings.Join(parts, ".")
}

// with opens a session for a query that has been read and whose arguments are there.
func (e *Engine) with(ctx context.Context, query string, tables []engine.Table, args map[string]any, do func(*session, rendered) error) error {
	q, err := parse(query)
	if err != nil {
		return err
	}
	r, err := q.render(e, tables, args)
	if err != nil {
		return err
	}
	s, err := e.open(ctx)
	if err != nil {
		return err
	}
	done := make(chan struct{})
	go func() { defer close(done); err = s.work(ctx, r, do) }()
	select {
	case <-done:
		return err
	case <-ctx.Done():
	}
	// A statement that runs is cancelled; but the library's calls know no context, and one of them may last. The end of the
	// connection is the end of the session, and of its statement.
	select {
	case <-done:
	case <-time.After(patience):
		_ = s.net.Close()
		<-done
	}
	return ended(ctx)
}

// patience is how long a cancelled call may take to end in order.
const patience = 500 * time.Millisecond
