package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"weir/internal/engine"
)

// parsed is what DuckDB's own parser says of a query.
type parsed struct {
	body   string         // the query up to the semicolon that ends it: it can stand within another statement
	tables []string       // with their namespace, as they are written
	params map[string]int // by name: the byte in body where it first stands
}

// place is where a parameter stands in the query; DuckDB does not know it in every position, then its name is looked for.
func (p parsed) place(param string) int {
	if at := p.params[param]; at >= 0 && at < len(p.body) && strings.HasPrefix(p.body[at:], "$"+param) {
		return at
	}
	return strings.Index(p.body, "$"+param)
}

func (p parsed) paramNames() []string { return slices.Sorted(maps.Keys(p.params)) }

// References lists the tables that a query reads, sorted. The query must be one SELECT.
func (e *Engine) References(ctx context.Context, query string) (tables []string, err error) {
	s, err := e.open(ctx, nil, "")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p, err := parse(ctx, s.DB, query)
	return p.tables, err
}

// document is what json_serialize_sql gives.
type document struct {
	Error      bool            `json:"error"`
	Type       string          `json:"error_type"`
	Message    string          `json:"error_message"`
	Position   string          `json:"position"`
	Statements json.RawMessage `json:"statements"`
}

func serialize(ctx context.Context, db *sql.DB, query string) (d document, err error) {
	var text string
	if err := db.QueryRowContext(ctx, "SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", query).Scan(&text); err != nil {
		return d, explain(ctx, err, "", 0)
	}
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		return d, fmt.Errorf("duckdb: parse tree: %w", err)
	}
	return d, nil
}

func parse(ctx context.Context, db *sql.DB, query string) (parsed, error) {
	doc, err := serialize(ctx, db, query)
	if err != nil {
		return parsed{}, err
	}
	if doc.Error {
		s := &engine.SQLError{Message: oneLine(doc.Message)}
		if strings.Contains(doc.Message, "Only SELECT statements") {
			s.Message = "expected one SELECT: a query reads, and the job's table is where its result goes"
		}
		if at, err := strconv.Atoi(doc.Position); err == nil {
			_ = s.At(query, at)
		}
		return parsed{}, s
	}
	var statements []any
	if err := json.Unmarshal(doc.Statements, &statements); err != nil {
		return parsed{}, fmt.Errorf("duckdb: parse tree: %w", err)
	}
	if len(statements) != 1 {
		return parsed{}, &engine.SQLError{Message: fmt.Sprintf("expected one SELECT, found %d statements", len(statements))}
	}
	w := walker{ctes: map[string]bool{}, params: map[string]int{}}
	w.walk(statements[0])
	p := parsed{params: w.params, body: query}
	for _, t := range w.tables {
		if !w.ctes[strings.ToLower(t)] {
			p.tables = append(p.tables, t)
		}
	}
	slices.Sort(p.tables)
	p.tables = slices.Compact(p.tables)
	p.body, err = body(ctx, db, query, doc)
	return p, err
}

// body cuts a query at the semicolon that ends it: what stands before it has the same tree. A semicolon within a text or a
// comment does not end it, and the parser knows which is which.
func body(ctx context.Context, db *sql.DB, query string, whole document) (string, error) {
	for i := range query {
		if query[i] != ';' {
			continue
		}
		d, err := serialize(ctx, db, query[:i])
		if err != nil {
			return "", err
		}
		if !d.Error && string(d.Statements) == string(whole.Statements) {
			return query[:i], nil
		}
	}
	return query, nil
}

// walker looks for tables, parameters and the names that WITH gives.
type walker struct {
	tables []string
	ctes   map[string]bool // in lower case: names of SQL have none
	params map[string]int
}

func (w *walker) walk(v any) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			w.walk(x)
		}
	case map[string]any:
		w.node(v)
		for _, x := range v {
			w.walk(x)
		}
	}
}

func (w *walker) node(v map[string]any) {
	switch v["type"] {
	case "BASE_TABLE":
		name, _ := v["table_name"].(string)
		for _, k := range []string{"schema_name", "catalog_name"} {
			if s, _ := v[k].(string); s != "" && !(k == "catalog_name" && s == catalog) {
				name = s + "." + name
			}
		}
		w.tables = append(w.tables, name)
	case "VALUE_PARAMETER":
		name, _ := v["identifier"].(string)
		at, _ := v["query_location"].(float64)
		if old, seen := w.params[name]; !seen || int(at) < old {
			w.params[name] = int(at)
		}
	}
	m, _ := v["cte_map"].(map[string]any)
	entries, _ := m["map"].([]any)
	for _, x := range entries {
		kv, _ := x.(map[string]any)
		if name, ok := kv["key"].(string); ok {
			w.ctes[strings.ToLower(name)] = true
		}
	}
}
