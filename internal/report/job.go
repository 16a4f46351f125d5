package report

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/engine"
	"weir/internal/lake"
	"weir/minibatch"
)

// Parts are what a report job is connected to.
type Parts struct {
	Lake   *lake.Lake
	Engine engine.Engine                                   // runs the query, unless there is a server; checks and splits files
	Type   func(engineType string) (arrow.DataType, error) // of a table's column, for a column of the engine's result
	Dir    string                                          // of the job file
	File   string                                          // the job file, for complaints; empty: it has none

	Server     engine.Server // if the query runs elsewhere
	ServerType func(engineType string) (arrow.DataType, error)
}

// asked runs the query.
func (p Parts) asked() engine.Querier {
	if p.Server != nil {
		return p.Server
	}
	return p.Engine
}

// resultType is the type of a table's column for one of the query's result.
func (p Parts) resultType(t string) (arrow.DataType, error) {
	if p.Server != nil {
		return p.ServerType(t)
	}
	return p.Type(t)
}

// A Run is what one execution stands for.
type Run struct {
	ID       string
	Interval minibatch.Interval
}

// A Job is a report whose query has been checked against its tables, and whose destination exists.
type Job struct {
	name    string
	cfg     Config
	run     Run
	parts   Parts
	file    string // for places in complaints
	query   string
	args    map[string]any
	sources map[string]int64 // snapshots
	rowsIn  int64
	inputs  []engine.Table
	plans   map[string]lake.Plan // of the sources, as New saw them
	checks  []check
	table   *lake.Table
	whole   string // why an incremental run reads all that there is, and makes the table from nothing
}

// New checks the query against the tables as they are now, and makes the destination where there is none.
func New(ctx context.Context, name string, c Config, r Run, p Parts) (*Job, error) {
	j := &Job{name: name, cfg: c, run: r, parts: p, args: map[string]any{"run_id": r.ID}, sources: map[string]int64{}}
	if !r.Interval.IsZero() {
		j.args["interval_start"], j.args["interval_end"] = r.Interval.Start.UTC(), r.Interval.End.UTC()
	}
	if c.IntervalColumn != "" && r.Interval.IsZero() {
		return nil, cli.Usage(fmt.Errorf("job %s replaces the rows of a data interval, and none was given", name), fmt.Sprintf("`pipeline run %s --for 2026-11-20`", name))
	}
	if err := j.read(); err != nil {
		return nil, err
	}
	if err := j.resolve(ctx); err != nil {
		return nil, err
	}
	if err := j.incremental(); err != nil {
		return nil, err
	}
	return j, j.destination(ctx)
}

// Text gives the query of a config and the file that it stands in, which is empty for an inline one.
func (c Config) Text(dir string) (query, file string, err error) {
	if c.SQL == "" {
		return c.Query, "", nil
	}
	file = filepath.Join(dir, c.SQL)
	b, err := os.ReadFile(file)
	return string(b), file, err
}

func (j *Job) read() (err error) {
	if j.query, j.file, err = j.cfg.Text(j.parts.Dir); err != nil {
		return cli.Usage(fmt.Errorf("job %s: %w", j.name, err), "")
	}
	return nil
}

// resolve finds the tables of the query.
func (j *Job) resolve(ctx context.Context) error {
	names, err := j.parts.asked().References(ctx, j.query)
	if err != nil {
		return j.failed(ctx, err)
	}
	j.plans = map[string]lake.Plan{}
	for _, n := range names {
		p, err := j.plan(ctx, n, j.parts.Server == nil)
		if errors.Is(err, lake.ErrNoTable) {
			return j.unknown(ctx, j.query, n)
		}
		if err != nil {
			return err
		}
		j.sources[n], j.plans[n] = p.Snapshot, p
		for _, f := range p.Files {
			j.rowsIn += f.Rows
		}
		j.inputs = append(j.inputs, Input(p))
	}
	return nil
}

// plan is a table as it is now, with local files if somebody here will read them.
func (j *Job) plan(ctx context.Context, name string, local bool) (lake.Plan, error) {
	t, err := j.parts.Lake.Table(ctx, name)
	if err != nil && !strings.Contains(name, ".") {
		return lake.Plan{}, fmt.Errorf("table %s: %w", name, lake.ErrNoTable)
	}
	if err != nil {
		return lake.Plan{}, err
	}
	p, err := t.Plan(ctx)
	if err != nil || !local {
		return p, err
	}
	return j.parts.Lake.Local(ctx, p)
}

// Input is a planned table for an engine.
func Input(p lake.Plan) engine.Table {
	t := engine.Table{Name: p.Table, Snapshot: p.Snapshot, Columns: engineColumns(p.Columns)}
	for _, f := range p.Files {
		t.Files = append(t.Files, f.Path)
	}
	return t
}

func engineColumns(columns []lake.Column) []engine.Column {
	out := make([]engine.Column, len(columns))
	for i, c := range columns {
		out[i] = engine.Column(c)
	}
	return out
}

func (j *Job) unknown(ctx context.Context, query, name string) error {
	known, err := j.parts.Lake.Tables(ctx)
	if err != nil {
		return err
	}
	hint := "the catalog has no tables yet"
	if len(known) > 0 {
		hint = "known tables: " + strings.Join(known, ", ")
		if n := config.Nearest(name, known); n != "" {
			hint = fmt.Sprintf("did you mean %q? %s", n, hint)
		}
	}
	err = fmt.Errorf("there is no table %s", name)
	if line, col := find(query, name); line > 0 {
		err = &engine.SQLError{Line: line, Col: col, Message: err.Error()}
	}
	return cli.Usage(j.placed(err), hint)
}

// find looks for a table's name where the query reads it: as a word of its own, and not in a comment.
func find(query, table string) (line, col int) {
	word := regexp.MustCompile(`(?i)(^|[^\w."])("?` + strings.ReplaceAll(regexp.QuoteMeta(table), `\.`, `"?\s*\.\s*"?`) + `"?)($|[^\w.])`)
	for i, l := range strings.Split(query, "\n") {
		code, _, _ := strings.Cut(l, "--")
		if m := word.FindStringSubmatchIndex(code); m != nil {
			return i + 1, utf8.RuneCountInString(l[:m[4]]) + 1
		}
	}
	return 0, 0
}

// source is what a complaint about the query names.
func (j *Job) source() string {
	if j.file == "" {
		return "query of job " + j.name
	}
	return j.file
}

// placed puts the file before a place in the query.
func (j *Job) placed(err error) error {
	var s *engine.SQLError
	switch {
	case !errors.As(err, &s):
		return err
	case s.Line == 0:
		return minibatch.Fatal(fmt.Errorf("%s: %w", j.source(), s))
	}
	if data, err := os.ReadFile(j.parts.File); err == nil && j.file == "" {
		return minibatch.Fatal(said{config.Place(j.parts.File, data, "report.query", s.Error()), s})
	}
	return minibatch.Fatal(fmt.Errorf("%s:%w", j.source(), s))
}

// said is an engine's complaint with its place.
type said struct {
	error
	complaint error
}

func (s said) Unwrap() error { return s.complaint }

// RowsIn is how many rows the query is given: all of its tables, or with incremental what is new of them once the run has begun.
func (j *Job) RowsIn() int64 { return j.rowsIn }

// Sources are the tables that the query reads, with their snapshots.
func (j *Job) Sources() map[string]int64 { return j.sources }

// Whole says why an incremental run made its table anew from all that there is; it is empty if it did not.
func (j *Job) Whole() string { return j.whole }

// Table is the job's destination.
func (j *Job) Table() *lake.Table { return j.table }

// Run runs the query and commits its result.
func (j *Job) Run(ctx context.Context, observe func(minibatch.Event)) (minibatch.Report, error) {
	return minibatch.Run(ctx, j.declare(sink{j}, observe), minibatch.Once)
}

func (j *Job) declare(to minibatch.Sink[string], observe func(minibatch.Event)) minibatch.Job[string, string] {
	return minibatch.Job[string, string]{
		Name: j.name, Source: source{j}, Sink: to, Observer: observe,
		Transform: func(_ context.Context, _ minibatch.Part, in iter.Seq2[string, error], emit minibatch.Emit[string]) error {
			for query, err := range in {
				if err == nil {
					err = emit(query)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
}
