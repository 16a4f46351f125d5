package main

import (
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/engine"
	"weir/internal/engine/duckdb"
	"weir/internal/lake"
	"weir/internal/project"
	"weir/internal/report"
)

func sqlCommand(app *cli.App) *cobra.Command {
	var limit int
	var dir string
	c := &cobra.Command{
		Use:   "sql QUERY",
		Short: "ask the tables of this home",
		Long: `sql runs one SELECT over the tables of the catalog with the embedded engine (DuckDB's SQL).

    pipeline sql "select count(*) from bank.transactions"
    pipeline sql "show tables"                      lists the tables

With --json the last line is {columns, rows, more}.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			p, err := project.Open(dir, app.Home)
			if err != nil {
				return err
			}
			l, err := lake.Open(c.Context(), p.Lake())
			if err != nil {
				return err
			}
			defer l.Close()
			e := duckdb.New(duckdb.Options{TempDir: p.In("tmp")})
			r, err := ask(c, l, e, args[0], limit)
			if err != nil {
				return err
			}
			return app.Result(jsonRows(r), textRows(r))
		},
	}
	c.Flags().IntVar(&limit, "limit", 1000, "rows at most; 0 means all")
	c.Flags().StringVar(&dir, "project", ".", "directory of weir.yaml")
	return c
}

func ask(c *cobra.Command, l *lake.Lake, e *duckdb.Engine, query string, limit int) (engine.Result, error) {
	known, err := l.Tables(c.Context())
	if err != nil {
		return engine.Result{}, err
	}
	if strings.EqualFold(strings.TrimRight(strings.TrimSpace(query), ";"), "show tables") {
		r := engine.Result{Columns: []engine.Column{{Name: "table"}}}
		for _, t := range known {
			r.Rows = append(r.Rows, []any{t})
		}
		return r, nil
	}
	names, err := e.References(c.Context(), query)
	if err != nil {
		return engine.Result{}, sqlError(err)
	}
	var tables []engine.Table
	for _, n := range names {
		t, err := l.Table(c.Context(), n)
		if err != nil {
			hint := "the catalog has no tables yet"
			if len(known) > 0 {
				hint = "known tables: " + strings.Join(known, ", ")
			}
			if near := config.Nearest(n, known); near != "" {
				hint = fmt.Sprintf("did you mean %q? %s", near, hint)
			}
			return engine.Result{}, cli.Usage(fmt.Errorf("there is no table %s", n), hint)
		}
		p, err := t.Plan(c.Context())
		if err == nil {
			p, err = l.Local(c.Context(), p)
		}
		if err != nil {
			return engine.Result{}, err
		}
		tables = append(tables, report.Input(p))
	}
	r, err := e.Query(c.Context(), query, tables, limit, nil)
	return r, sqlError(err)
}

// sqlError puts the place of a mistake in front: query:1:8.
func sqlError(err error) error {
	var s *engine.SQLError
	switch {
	case errors.As(err, &s) && s.Line == 0:
		return fmt.Errorf("query: %w", s)
	case errors.As(err, &s):
		return fmt.Errorf("query:%w", s)
	}
	return err
}

func jsonRows(r engine.Result) map[string]any {
	names := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		names[i] = c.Name
	}
	rows := make([][]any, len(r.Rows))
	for i, row := range r.Rows {
		rows[i] = make([]any, len(row))
		for k, v := range row {
			rows[i][k] = value(v)
		}
	}
	return map[string]any{"columns": names, "rows": rows, "more": r.More}
}

// value is a value as JSON has it: numbers stay numbers, what JSON lacks becomes text.
func value(v any) any {
	switch v := v.(type) {
	case nil, bool, string, int8, int16, int32, int64, uint8, uint16, uint32, float32, float64, []any:
		return v
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, x := range v {
			m[k] = value(x)
		}
		return m
	}
	return fmt.Sprint(v)
}

func textRows(r engine.Result) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, c := range r.Columns {
		fmt.Fprintf(w, "%s\t", c.Name)
	}
	fmt.Fprintln(w)
	for _, row := range r.Rows {
		for _, v := range row {
			if v == nil {
				v = "∅"
			}
			fmt.Fprintf(w, "%v\t", value(v))
		}
		fmt.Fprintln(w)
	}
	_ = w.Flush()
	if r.More {
		fmt.Fprintf(&b, "… more rows; --limit 0 shows all\n")
	}
	return b.String()
}
