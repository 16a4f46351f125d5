package report

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"weir/internal/cli"
	"weir/internal/engine"
	"weir/internal/lake"
)

// destination opens the table of the result, or makes it from the query's columns. When it refuses, nothing has been written or
// made.
func (j *Job) destination(ctx context.Context) error {
	cols, err := j.parts.asked().Describe(ctx, j.query, j.inputs, j.args)
	if err != nil {
		return j.interval(j.failed(ctx, err))
	}
	fields, err := j.fields(cols)
	if err != nil {
		return err
	}
	schema := arrow.NewSchema(fields, nil)
	j.table, err = j.parts.Lake.Table(ctx, j.cfg.Table)
	if errors.Is(err, lake.ErrNoTable) {
		own, err := lake.Columns(schema)
		if err == nil {
			err = j.prepareChecks(ctx, engineColumns(own))
		}
		if err == nil {
			j.table, err = j.parts.Lake.Ensure(ctx, j.cfg.Table, schema, lake.Options{})
		}
		return err
	}
	if err != nil {
		return err
	}
	p, err := j.table.Plan(ctx)
	if err != nil {
		return err
	}
	if bad := j.mismatches(cols, p); len(bad) > 0 {
		return cli.Usage(fmt.Errorf("%s: %s", j.source(), strings.Join(bad, "; ")), "change the query, or give the report a new table")
	}
	return j.prepareChecks(ctx, engineColumns(p.Columns))
}

// interval says what to do where a query asks for a data interval and the run has none.
func (j *Job) interval(err error) error {
	if j.run.Interval.IsZero() && strings.Contains(err.Error(), "there is no parameter $interval_") {
		return cli.Usage(err, fmt.Sprintf("the query asks for a data interval: `pipeline run %s --for 2026-11-20`", j.name))
	}
	return err
}

// fields are the columns that a table made for the result has.
func (j *Job) fields(cols []engine.Column) ([]arrow.Field, error) {
	var fields []arrow.Field
	var bad []string
	seen, interval := map[string]bool{}, false
	for i, c := range cols {
		if c.Name == "" || strings.ContainsAny(c.Name, " ,;{}()\n\t=") { // Spark and Hive cannot name it
			bad = append(bad, fmt.Sprintf("column %d of the result is called %s: give it a name, AS total for example", i+1, engine.Ident(c.Name)))
			continue
		}
		if low := strings.ToLower(c.Name); seen[low] {
			bad = append(bad, fmt.Sprintf("the result has two columns %s", c.Name))
		} else {
			seen[low] = true
		}
		t, err := j.parts.resultType(c.Type)
		if err != nil {
			bad = append(bad, fmt.Sprintf("column %s: %v", c.Name, err))
			continue
		}
		if c.Name == j.cfg.IntervalColumn {
			interval = true
			if t.ID() != arrow.DATE32 && t.ID() != arrow.TIMESTAMP {
				bad = append(bad, fmt.Sprintf("column %s, which interval_column names, is %s: expected a date or a timestamp", c.Name, c.Type))
			}
		}
		fields = append(fields, arrow.Field{Name: c.Name, Type: t, Nullable: true})
	}
	if j.cfg.IntervalColumn != "" && !interval {
		bad = append(bad, fmt.Sprintf("the result has no column %s, which interval_column names", j.cfg.IntervalColumn))
	}
	if len(bad) > 0 {
		return nil, cli.Usage(fmt.Errorf("%s: %s", j.source(), strings.Join(bad, "; ")), "")
	}
	return fields, nil
}

// mismatches holds the result against a table that is there: the same columns with the same types, in any order.
func (j *Job) mismatches(cols []engine.Column, p lake.Plan) []string {
	var bad []string
	given := map[string]engine.Column{}
	for _, c := range cols {
		given[c.Name] = c
	}
	for _, want := range p.Columns {
		c, ok := given[want.Name]
		delete(given, want.Name)
		if !ok {
			bad = append(bad, fmt.Sprintf("the query gives no column %s, which table %s has (%s)", want.Name, j.cfg.Table, want.Type))
			continue
		}
		a, err := j.parts.resultType(c.Type) // known: fields has asked
		b, err2 := j.parts.Type(want.Type)
		if err != nil || err2 != nil || !arrow.TypeEqual(a, b) {
			bad = append(bad, fmt.Sprintf("column %s of table %s is %s, but the query gives %s", want.Name, j.cfg.Table, want.Type, c.Type))
		}
	}
	for _, c := range cols {
		if _, left := given[c.Name]; left {
			bad = append(bad, fmt.Sprintf("table %s has no column %s, which the query gives (%s)", j.cfg.Table, c.Name, c.Type))
		}
	}
	return bad
}
