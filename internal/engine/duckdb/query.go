package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	duck "github.com/duckdb/duckdb-go/v2"

	"weir/internal/engine"
)

// Query runs one SELECT and gives at most limit rows; 0 means all.
func (e *Engine) Query(ctx context.Context, query string, tables []engine.Table, limit int, args map[string]any) (r engine.Result, err error) {
	err = e.with(ctx, query, tables, "", args, func(s *session, p parsed, named []any) error {
		rows, err := s.QueryContext(ctx, p.body, named...)
		if err != nil {
			return explain(ctx, err, p.body, 0)
		}
		defer rows.Close()
		r, err = collect(ctx, rows, limit)
		return err
	})
	return r, err
}

// Describe gives the columns of a query's result without running it.
func (e *Engine) Describe(ctx context.Context, query string, tables []engine.Table, args map[string]any) (cols []engine.Column, err error) {
	err = e.with(ctx, query, tables, "", args, func(s *session, p parsed, named []any) error {
		const describe = "DESCRIBE "
		rows, err := s.QueryContext(ctx, describe+p.body, named...)
		if err != nil {
			return explain(ctx, err, p.body, len(describe))
		}
		defer rows.Close()
		r, err := collect(ctx, rows, 0)
		for _, row := range r.Rows {
			cols = append(cols, engine.Column{Name: fmt.Sprint(row[0]), Type: fmt.Sprint(row[1])})
		}
		return err
	})
	return cols, err
}

// with opens a session for a query that has been parsed and whose arguments are there.
func (e *Engine) with(ctx context.Context, query string, tables []engine.Table, out string, args map[string]any, do func(*session, parsed, []any) error) (err error) {
	s, err := e.open(ctx, tables, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	p, err := parse(ctx, s.DB, query)
	if err != nil {
		return err
	}
	named, err := p.bind(args)
	if err != nil {
		return err
	}
	return do(s, p, named)
}

// bind takes the arguments that a query mentions; DuckDB refuses others.
func (p parsed) bind(args map[string]any) ([]any, error) {
	var out []any
	for _, name := range p.paramNames() {
		v, ok := args[name]
		if !ok {
			known := make([]string, 0, len(args))
			for k := range args {
				known = append(known, "$"+k)
			}
			slices.Sort(known)
			text := "there are none here"
			if len(known) > 0 {
				text = "known are " + strings.Join(known, ", ")
			}
			return nil, (&engine.SQLError{Message: fmt.Sprintf("there is no parameter $%s; %s", name, text)}).At(p.body, p.place(name))
		}
		out = append(out, sql.Named(name, v))
	}
	return out, nil
}

func collect(ctx context.Context, rows *sql.Rows, limit int) (engine.Result, error) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return engine.Result{}, explain(ctx, err, "", 0)
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
		vals, ptrs := make([]any, len(types)), make([]any, len(types))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			return r, explain(ctx, err, "", 0)
		}
		for i, v := range vals {
			vals[i] = plain(v, r.Columns[i].Type)
		}
		r.Rows = append(r.Rows, vals)
	}
	return r, explain(ctx, rows.Err(), "", 0)
}

// plain makes the driver's values those that engine.Result promises.
func plain(v any, kind string) any {
	switch v := v.(type) {
	case nil, bool, string, int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64:
		return v
	case []byte:
		if kind == "UUID" && len(v) == 16 {
			return fmt.Sprintf("%x-%x-%x-%x-%x", v[:4], v[4:6], v[6:8], v[8:10], v[10:])
		}
		return v
	case time.Time:
		if strings.HasPrefix(kind, "TIME") && !strings.HasPrefix(kind, "TIMESTAMP") {
			return v.Format("15:04:05.999999")
		}
		return v.UTC()
	case *big.Int:
		return v.String()
	case duck.Decimal: // all digits of its scale: 4.00 is what the table says, not 4
		return new(big.Rat).SetFrac(v.Value, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(v.Scale)), nil)).FloatString(int(v.Scale))
	case duck.Interval:
		return interval(v)
	case duck.UUID:
		return v.String()
	case []any:
		for i := range v {
			v[i] = plain(v[i], "")
		}
		return v
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k], "")
		}
		return v
	}
	return fmt.Sprint(v) // decimals, maps, bits: their String is what SQL prints
}

func interval(v duck.Interval) string {
	var parts []string
	if v.Months != 0 {
		parts = append(parts, fmt.Sprintf("%d months", v.Months))
	}
	if v.Days != 0 {
		parts = append(parts, fmt.Sprintf("%d days", v.Days))
	}
	if d := time.Duration(v.Micros) * time.Microsecond; d != 0 || len(parts) == 0 {
		parts = append(parts, d.String())
	}
	return strings.Join(parts, " ")
}
