package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"weir/internal/engine"
)

// parsed is what the query's own parser says of it.
type parsed struct {
	tables []string // with their namespace, as they are written
	params []string
}

// References lists the tables that a query reads, sorted. The query must be one SELECT.
func (e *Engine) References(ctx context.Context, query string) ([]string, error) {
	p, err := e.parse(ctx, query)
	return p.tables, err
}

func (e *Engine) parse(ctx context.Context, query string) (parsed, error) {
	db, err := sql.Open("duckdb", "")
	if err != nil {
		return parsed{}, fmt.Errorf("duckdb: %w", err)
	}
	defer db.Close()
	var text string
	if err := db.QueryRowContext(ctx, "SELECT json_serialize_sql(?::VARCHAR)::VARCHAR", query).Scan(&text); err != nil {
		return parsed{}, explain(err)
	}
	var doc struct {
		Error      bool   `json:"error"`
		Type       string `json:"error_type"`
		Message    string `json:"error_message"`
		Position   string `json:"position"`
		Statements []any  `json:"statements"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return parsed{}, fmt.Errorf("duckdb: parse tree: %w", err)
	}
	switch {
	case doc.Error && doc.Type == "not implemented":
		return parsed{}, &engine.SQLError{Message: "expected one SELECT: a query reads, and the job's table is where its result goes"}
	case doc.Error:
		s := &engine.SQLError{Message: doc.Message}
		s.Line, s.Col = lineCol(query, doc.Position)
		return parsed{}, s
	case len(doc.Statements) != 1:
		return parsed{}, &engine.SQLError{Message: fmt.Sprintf("expected one SELECT, found %d statements", len(doc.Statements))}
	}
	var p parsed
	ctes := map[string]bool{}
	walk(doc.Statements[0], &p, ctes)
	p.tables = slices.DeleteFunc(p.tables, func(t string) bool { return ctes[t] })
	slices.Sort(p.tables)
	slices.Sort(p.params)
	p.tables, p.params = slices.Compact(p.tables), slices.Compact(p.params)
	return p, nil
}

// walk looks for tables, parameters and the names that WITH gives.
func walk(v any, p *parsed, ctes map[string]bool) {
	switch v := v.(type) {
	case []any:
		for _, x := range v {
			walk(x, p, ctes)
		}
	case map[string]any:
		switch {
		case v["type"] == "BASE_TABLE":
			name, _ := v["table_name"].(string)
			for _, k := range []string{"schema_name", "catalog_name"} {
				if s, _ := v[k].(string); s != "" {
					name = s + "." + name
				}
			}
			p.tables = append(p.tables, name)
		case v["type"] == "VALUE_PARAMETER":
			if s, _ := v["identifier"].(string); s != "" {
				p.params = append(p.params, s)
			}
		}
		if m, ok := v["cte_map"].(map[string]any); ok {
			if entries, ok := m["map"].([]any); ok {
				for _, x := range entries {
					if kv, ok := x.(map[string]any); ok {
						if name, ok := kv["key"].(string); ok {
							ctes[name] = true
						}
					}
				}
			}
		}
		for _, x := range v {
			walk(x, p, ctes)
		}
	}
}

func lineCol(query, position string) (line, col int) {
	var at int
	if _, err := fmt.Sscan(position, &at); err != nil || at > len(query) {
		return 0, 0
	}
	before := query[:at]
	return strings.Count(before, "\n") + 1, at - strings.LastIndexByte(before, '\n')
}
