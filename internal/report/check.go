package report

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/engine"
	"weir/internal/lake"
	"weir/minibatch"
)

// ErrCheck means that the result breaks a check of the job. Nothing was published.
var ErrCheck = errors.New("the result breaks a check")

const (
	resultTable = "main.result" // what a check reads is called result
	examples    = 5
	exampleSize = 200 // characters of a row
)

// check is one question to the result.
type check struct {
	name     string
	bad      string // gives the number of bad rows
	examples string // gives some of them; empty if they cannot be told
	what     string // is counted
	lines    int    // of ours before the user's text
	tables   []engine.Table
}

var selects = regexp.MustCompile(`(?i)^(\s|--[^\n]*\n)*(SELECT|WITH)\b`)

// prepareChecks asks the engine whether the checks can be asked at all.
func (j *Job) prepareChecks(ctx context.Context, columns []engine.Column) error {
	if err := j.checkColumns(columns); err != nil {
		return err
	}
	j.checks = j.cfg.Checks.questions()
	for i := range j.checks {
		c := &j.checks[i]
		if err := j.readBy(ctx, c); err != nil {
			return err
		}
		tables := append([]engine.Table{{Name: resultTable, Columns: columns}}, c.tables...)
		got, err := j.parts.Engine.Describe(ctx, c.bad, tables, j.args)
		if err != nil {
			return j.mistaken(ctx, c, err)
		}
		if len(got) != 1 {
			return cli.Usage(fmt.Errorf("job %s: check %s gives %d columns: expected one number, how many rows are bad", j.name, c.name, len(got)), "write SELECT count(*) FROM result WHERE …, or the condition alone")
		}
	}
	return nil
}

func (j *Job) checkColumns(columns []engine.Column) error {
	var known []string
	for _, c := range columns {
		known = append(known, c.Name)
	}
	asked := slices.Clone(j.cfg.Checks.NotNull)
	for _, k := range j.cfg.Checks.Unique {
		asked = append(asked, k...)
	}
	for _, a := range asked {
		if slices.Contains(known, a) {
			continue
		}
		hint := "it has " + strings.Join(known, ", ")
		if n := config.Nearest(a, known); n != "" {
			hint = fmt.Sprintf("did you mean %q? %s", n, hint)
		}
		return cli.Usage(fmt.Errorf("job %s: checks name a column %s, which the result does not have", j.name, a), hint)
	}
	return nil
}

// questions are the checks as queries, in an order that stays.
func (c Checks) questions() []check {
	var all []check
	for _, col := range c.NotNull {
		where := " FROM result WHERE " + engine.Ident(col) + " IS NULL"
		all = append(all, check{name: "not_null " + col, bad: "SELECT count(*)" + where, examples: "SELECT *" + where, what: "rows"})
	}
	for _, k := range c.Unique {
		cols := make([]string, len(k))
		for i, col := range k {
			cols[i] = engine.Ident(col)
		}
		list := strings.Join(cols, ", ")
		twice := "SELECT " + list + ", count(*) AS times FROM result WHERE " + strings.Join(cols, " IS NOT NULL AND ") + " IS NOT NULL GROUP BY " + list + " HAVING count(*) > 1"
		all = append(all, check{name: "unique " + k.String(), bad: "SELECT count(*) FROM (" + twice + ")", examples: twice + " ORDER BY times DESC", what: "keys"})
	}
	for _, name := range slices.Sorted(maps.Keys(c.SQL)) {
		q := check{name: name, bad: c.SQL[name], what: "rows"}
		if !selects.MatchString(q.bad) {
			where := " FROM result WHERE (\n" + c.SQL[name] + "\n)"
			q.bad, q.examples, q.lines = "SELECT count(*)"+where, "SELECT *"+where, 1
		}
		all = append(all, q)
	}
	return all
}

// readBy finds the tables that a check reads beside the result.
func (j *Job) readBy(ctx context.Context, c *check) error {
	names, err := j.parts.Engine.References(ctx, c.bad)
	if err != nil {
		return j.mistaken(ctx, c, err)
	}
	for _, n := range names {
		if strings.EqualFold(n, "result") {
			continue
		}
		p, err := j.plan(ctx, n, true)
		if errors.Is(err, lake.ErrNoTable) {
			return fmt.Errorf("check %s: %w", c.name, j.unknown(ctx, "", n))
		}
		if err != nil {
			return err
		}
		c.tables = append(c.tables, Input(p))
	}
	return nil
}

// mistaken says which check an engine cannot read, and where in it.
func (j *Job) mistaken(ctx context.Context, c *check, err error) error {
	var s *engine.SQLError
	if ctx.Err() != nil || !errors.As(err, &s) {
		return j.failed(ctx, err)
	}
	at := *s
	if at.Line -= c.lines; at.Line < 1 {
		at.Line, at.Col = 0, 0
	}
	return minibatch.Fatal(fmt.Errorf("job %s: check %s: %w", j.name, c.name, &at))
}

// check holds the result against the checks. All that are broken are told, in one line.
func (j *Job) check(ctx context.Context, result engine.Table, rows int64) error {
	var broken []string
	if r := j.cfg.Checks.Rows; r.Min != nil && rows < int64(*r.Min) {
		broken = append(broken, fmt.Sprintf("rows: %d, expected at least %d", rows, int64(*r.Min)))
	} else if r.Max != nil && rows > int64(*r.Max) {
		broken = append(broken, fmt.Sprintf("rows: %d, expected at most %d", rows, int64(*r.Max)))
	}
	for _, c := range j.checks {
		tables := append([]engine.Table{result}, c.tables...)
		got, err := j.parts.Engine.Query(ctx, c.bad, tables, 2, j.args)
		if err != nil {
			return j.mistaken(ctx, &c, err)
		}
		n, err := number(got)
		if err != nil {
			return minibatch.Fatal(cli.Usage(fmt.Errorf("job %s: check %s: %w", j.name, c.name, err), ""))
		}
		if n == "0" {
			continue
		}
		text := fmt.Sprintf("%s: %s bad %s", c.name, n, c.what)
		if c.examples != "" {
			some, err := j.parts.Engine.Query(ctx, c.examples, tables, examples, j.args)
			if err != nil {
				return j.mistaken(ctx, &c, err)
			}
			text += ", such as " + lines(some)
		}
		broken = append(broken, text)
	}
	if len(broken) == 0 {
		return nil
	}
	return minibatch.Fatal(&cli.Error{
		Err:  fmt.Errorf("%w; nothing was published; %s", ErrCheck, strings.Join(broken, "; ")),
		Hint: "mend the data or the query; the table is as it was",
	})
}

// number is the one value of a check's answer; null, the sum of nothing, is none.
func number(r engine.Result) (string, error) {
	if len(r.Rows) != 1 || r.More {
		return "", fmt.Errorf("gave %d rows or more: expected one number, how many rows are bad", len(r.Rows))
	}
	switch v := r.Rows[0][0].(type) {
	case nil:
		return "0", nil
	case int8, int16, int32, int64, uint8, uint16, uint32, uint64:
		return fmt.Sprint(v), nil
	case string: // an integer past 64 bits: DuckDB's sum
		if strings.Trim(v, "0123456789") == "" && v != "" {
			return v, nil
		}
	}
	return "", fmt.Errorf("gave %v: expected a number, how many rows are bad", r.Rows[0][0])
}

// lines shows rows: {country: DE, total: -1.50}.
func lines(r engine.Result) string {
	out := make([]string, len(r.Rows))
	for i, row := range r.Rows {
		cells := make([]string, len(row))
		for k, v := range row {
			switch x := v.(type) {
			case nil:
				v = "null"
			case time.Time:
				v = short(x)
			}
			cells[k] = fmt.Sprintf("%s: %v", r.Columns[k].Name, v)
		}
		text := []rune(strings.Join(strings.Fields(strings.Join(cells, ", ")), " "))
		if len(text) > exampleSize {
			text = append(text[:exampleSize], '…')
		}
		out[i] = "{" + string(text) + "}"
	}
	return strings.Join(out, " ")
}
