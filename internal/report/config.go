// Package report makes a table from a SQL query over other tables, for a data interval, atomically.
//
// [New] makes a minibatch job of a [Config]; the query runs on an [Engine] over the files of the tables' present snapshots, and
// its result becomes part of the destination in one commit: in place of all rows, in place of the interval's rows, or behind
// the others. A query that fails leaves the destination as it was; an interval is appended once.
package report

import (
	"fmt"
	"regexp"

	"weir/internal/config"
)

// Config is the `report` section of a job file.
type Config struct {
	SQL            string      `yaml:"sql,omitempty" jsonschema:"description=file with the query; its path is relative to the job file"`
	Query          string      `yaml:"query,omitempty" jsonschema:"description=the query itself in place of a file"`
	Table          string      `yaml:"table" jsonschema:"required,description=destination table with its namespace: bank.daily_totals"`
	Mode           string      `yaml:"mode" jsonschema:"required,enum=replace,enum=append,description=what becomes of the rows that are there"`
	Memory         config.Size `yaml:"memory,omitempty" jsonschema:"description=what the engine may use for the query, such as 2GiB; the rest goes to temporary files; default 256MiB"`
	IntervalColumn string      `yaml:"interval_column,omitempty" jsonschema:"description=with mode replace: only rows whose value lies in the run's data interval are replaced"`
	Engine         string      `yaml:"engine,omitempty" jsonschema:"enum=duckdb,enum=hive,description=what runs the query: duckdb in this process (default) or hive: a server of HiveServer2's protocol such as the Spark Thrift Server which shares the catalog"`
	Connection     string      `yaml:"connection,omitempty" jsonschema:"description=with engine hive: one of hive.connections in weir.yaml; left out: the one that hive: itself describes"`
	Incremental    Incremental `yaml:"incremental,omitempty" jsonschema:"description=true or a list of tables: of them the query sees only the rows that came since the last run; where rows were taken away or rewritten the table is made anew from all"`
	Checks         Checks      `yaml:"checks,omitempty" jsonschema:"description=what must hold of the result; if it does not then nothing is published and the run fails"`
}

// minMemory is what a small query with a group needs in the embedded engine.
const minMemory = 64 << 20

// MemoryMB is what the engine may use, as the job says or else 256 MiB, in the megabytes that DuckDB counts in.
func (c Config) MemoryMB() int {
	if c.Memory == 0 {
		c.Memory = 256 << 20
	}
	return int(c.Memory / 1e6)
}

var (
	tableName  = regexp.MustCompile(`^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+$`)
	columnName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// Validate names every field that is missing or wrong.
func (c Config) Validate() []config.Invalid {
	var bad []config.Invalid
	say := func(path, format string, args ...any) {
		bad = append(bad, config.Invalid{Path: path, Message: fmt.Sprintf(format, args...)})
	}
	if (c.SQL == "") == (c.Query == "") {
		say("", "expected one of sql: (a file) and query: (the text)")
	}
	if !tableName.MatchString(c.Table) {
		say("table", "expected a name with its namespace in lower case, such as bank.daily_totals, got %q", c.Table)
	}
	switch c.Mode {
	case "replace":
	case "append":
		if c.IntervalColumn != "" {
			say("interval_column", "expected only with mode replace: append leaves the rows that are there")
		}
	default:
		say("mode", "expected replace or append, got %q", c.Mode)
	}
	if c.Memory != 0 && c.Memory < minMemory {
		say("memory", "expected at least %v, got %v: the engine does not start with less", config.Size(minMemory), c.Memory)
	}
	if c.IntervalColumn != "" && !columnName.MatchString(c.IntervalColumn) {
		say("interval_column", "expected the name of a column of the result, got %q", c.IntervalColumn)
	}
	switch c.Engine {
	case "", "duckdb":
		if c.Connection != "" {
			say("connection", "expected only with engine hive: duckdb runs in this process")
		}
	case "hive":
		if c.Incremental.On() {
			say("incremental", "expected without engine hive: a server reads tables by itself and always whole; use $interval_start and $interval_end")
		}
		if c.Memory != 0 {
			say("memory", "expected without engine hive: its server has settings of its own")
		}
	default:
		say("engine", "expected duckdb or hive, got %q", c.Engine)
	}
	if c.Incremental.On() && c.IntervalColumn != "" {
		say("incremental", "expected without interval_column: an interval is made from all rows of its time")
	}
	return append(bad, c.Checks.validate("checks")...)
}
