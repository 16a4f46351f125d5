// Package etl loads daily CSV and TSV files into tables: found by name, typed, transformed by SQL expressions, each business
// date whole or not at all.
//
// Start with [New] and [Job.Run]; a [Config] is the `etl` section of a job file.
//
// # Promises
//
// A date's rows and the cursor, which names the content of its files, are one commit: whatever dies, a date is in the table
// whole or as it was, and the same content is loaded once. A line that is no record, whose value is not of its column's type,
// or on which an expression fails goes with file, line, column, reason and its text to the table's quarantine; it never takes
// the next line with it. Each line that is read is written, quarantined or filtered by `where`. Memory does not follow the
// size of files.
package etl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/engine"
	"weir/internal/lake"
	"weir/minibatch"
)

// Columns that etl adds: the business date, and where a row comes from.
const (
	dateColumn = "business_date"
	fileColumn = "_source_file"
	lineColumn = "_line"
)

// Parts are what an etl job is connected to.
type Parts struct {
	Lake   *lake.Lake
	Engine engine.Engine
	Type   func(engineType string) (arrow.DataType, error) // of a table's column, for a column of the engine's result
	Dir    string                                          // of the job file
	File   string                                          // the job file, for complaints
	Temp   string                                          // directory for what is on its way
}

// A Run is what one execution stands for.
type Run struct {
	ID       string
	Interval minibatch.Interval
	Day      string // 2026-11-20, if the run is for one business date; otherwise all that is not loaded yet
}

// A Job is a load whose expressions have been checked, and whose destination exists.
type Job struct {
	name    string
	cfg     Config
	run     Run
	parts   Parts
	dir     string
	pattern pattern
	raw     *arrow.Schema // of typed lines, before the expressions
	input   engine.Table  // the same, for the engine; without files
	out     []engine.Column
	table   *lake.Table
}

// New checks the job's expressions and makes its destination where there is none. No file has been looked at then.
func New(ctx context.Context, name string, c Config, r Run, p Parts) (*Job, error) {
	j, err := prepare(name, c, p)
	if err != nil {
		return nil, err
	}
	j.run = r
	if !j.pattern.dated {
		j.run.Day = ""
	}
	bad, err := j.check(ctx)
	if err != nil {
		return nil, err
	}
	if len(bad) > 0 {
		errs := make([]error, len(bad))
		for i, b := range bad {
			errs[i] = j.placed(b.Path, b.Message)
		}
		return nil, cli.Usage(errors.Join(errs...), "")
	}
	if _, err := os.Stat(j.dir); errors.Is(err, fs.ErrNotExist) {
		return nil, cli.Usage(j.placed("files.dir", "there is no directory "+j.dir), "make it, or mend files.dir: it is relative to the job file")
	}
	return j, j.destination(ctx)
}

// Check finds mistakes in the expressions without files or tables.
func Check(ctx context.Context, name string, c Config, p Parts) ([]config.Invalid, error) {
	j, err := prepare(name, c, p)
	if err != nil {
		return nil, err
	}
	return j.check(ctx)
}

func prepare(name string, c Config, p Parts) (*Job, error) {
	j := &Job{name: name, cfg: c, parts: p, dir: c.Files.Dir}
	if !filepath.IsAbs(j.dir) {
		j.dir = filepath.Join(p.Dir, j.dir)
	}
	var err error
	if j.pattern, err = newPattern(c.Files.Pattern); err != nil {
		return nil, err
	}
	fields := make([]arrow.Field, 0, len(c.Columns)+2)
	add := func(name, sql string, t arrow.DataType) {
		id := len(fields) + 1
		fields = append(fields, arrow.Field{Name: name, Type: t, Nullable: true, Metadata: arrow.NewMetadata([]string{"PARQUET:field_id"}, []string{fmt.Sprint(id)})})
		j.input.Columns = append(j.input.Columns, engine.Column{ID: id, Name: name, Type: sql})
	}
	for _, col := range c.Columns {
		t, err := col.arrow()
		if err != nil {
			return nil, err
		}
		add(col.Name, col.sql(), t)
	}
	add(fileColumn, "VARCHAR", arrow.BinaryTypes.String)
	add(lineColumn, "BIGINT", arrow.PrimitiveTypes.Int64)
	j.raw, j.input.Name = arrow.NewSchema(fields, nil), "etl.input"
	return j, nil
}

// Table is where the rows go.
func (j *Job) Table() *lake.Table { return j.table }

func (j *Job) wanted(day string) bool { return j.run.Day == "" || day == j.run.Day }

// check asks the engine for the type of each expression.
func (j *Job) check(ctx context.Context) (bad []config.Invalid, err error) {
	describe := func(path, sql string) (engine.Column, error) {
		cols, err := j.parts.Engine.Describe(ctx, "SELECT TRY({'v': ("+sql+"\n)}).v AS x FROM ("+j.dated("2026-11-20")+")", []engine.Table{j.input}, nil)
		var s *engine.SQLError
		if errors.As(err, &s) {
			why := s.Message + hint(s.Hint)
			if strings.Contains(why, "volatile function") { // in an engine's words: TRY cannot be used with it
				why = "it calls a function whose value changes from call to call, such as random() or uuid()"
			}
			bad = append(bad, config.Invalid{Path: path, Message: why})
			return engine.Column{}, nil
		}
		if err == nil && len(cols) != 1 {
			bad = append(bad, config.Invalid{Path: path, Message: fmt.Sprintf("expected one expression, got %d", len(cols))})
		}
		if err != nil || len(cols) != 1 {
			return engine.Column{}, err
		}
		return cols[0], nil
	}
	for i, s := range j.selected() {
		c, err := describe(fmt.Sprintf("select[%d].sql", i), s.SQL)
		if err != nil {
			return nil, err
		}
		j.out = append(j.out, engine.Column{Name: s.Name, Type: c.Type})
	}
	if j.cfg.Where != "" {
		c, err := describe("where", j.cfg.Where)
		if err != nil {
			return nil, err
		}
		if c.Type != "" && c.Type != "BOOLEAN" {
			bad = append(bad, config.Invalid{Path: "where", Message: "expected a condition, got a " + c.Type})
		}
	}
	if j.pattern.dated {
		j.out = append(j.out, engine.Column{Name: dateColumn, Type: "DATE"})
	}
	j.out = append(j.out, engine.Column{Name: fileColumn, Type: "VARCHAR"}, engine.Column{Name: lineColumn, Type: "BIGINT"})
	return bad, nil
}

func hint(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}

func (j *Job) source() string {
	if j.parts.File != "" {
		return j.parts.File
	}
	return "job " + j.name
}

// placed says what is wrong with a value of the job file.
func (j *Job) placed(path, message string) error {
	data, err := os.ReadFile(j.parts.File)
	if err != nil { // there is none, or it is gone
		return fmt.Errorf("%s: %s: %s", j.source(), path, message)
	}
	return config.Place(j.parts.File, data, "etl."+path, message)
}

// selected are the columns of the table with their expressions.
func (j *Job) selected() []Select {
	if len(j.cfg.Select) > 0 {
		return j.cfg.Select
	}
	all := make([]Select, len(j.cfg.Columns))
	for i, c := range j.cfg.Columns {
		all[i] = Select{Name: c.Name, SQL: engine.Ident(c.Name)}
	}
	return all
}

// dated adds the business date to the input.
func (j *Job) dated(day string) string {
	from := "SELECT *, NULL::DATE AS " + dateColumn + " FROM etl.input"
	if day != "" {
		from = "SELECT *, DATE " + engine.Literal(day) + " AS " + dateColumn + " FROM etl.input"
	}
	return from
}

// destination opens the table, or makes it.
func (j *Job) destination(ctx context.Context) error {
	fields := make([]arrow.Field, len(j.out))
	for i, c := range j.out {
		t, err := j.parts.Type(c.Type)
		if err != nil {
			return cli.Usage(fmt.Errorf("%s: column %s: %w", j.source(), c.Name, err), "")
		}
		fields[i] = arrow.Field{Name: c.Name, Type: t, Nullable: true}
	}
	var err error
	j.table, err = j.parts.Lake.Ensure(ctx, j.cfg.Table, arrow.NewSchema(fields, nil), lake.Options{})
	var s *lake.SchemaError
	if errors.As(err, &s) {
		return cli.Usage(fmt.Errorf("%s: %w", j.source(), err), "change the columns, or give the job a new table")
	}
	if err != nil {
		return err
	}
	p, err := j.table.Plan(ctx)
	if err != nil {
		return err
	}
	ids := map[string]engine.Column{}
	for _, c := range p.Columns {
		ids[c.Name] = engine.Column(c)
	}
	for i, c := range j.out {
		j.out[i] = ids[c.Name]
		delete(ids, c.Name)
	}
	for _, c := range p.Columns {
		if _, left := ids[c.Name]; left { // Iceberg's new columns of others: empty in our rows
			j.out = append(j.out, engine.Column(c))
		}
	}
	return nil
}

// Run loads what is there: the wanted business date, or each that is not loaded yet.
func (j *Job) Run(ctx context.Context, observe func(minibatch.Event)) (minibatch.Report, error) {
	return minibatch.Run(ctx, j.declare(sink{j}, observe), minibatch.Drain)
}

func (j *Job) declare(to minibatch.Sink[chunk], observe func(minibatch.Event)) minibatch.Job[chunk, chunk] {
	return minibatch.Job[chunk, chunk]{
		Name: j.name, Source: source{j}, Transform: pass, Sink: to, Observer: observe, OneToOne: true,
		Skip:  minibatch.Skip{MaxRows: int64(j.cfg.Quarantine.MaxRows), MaxShare: float64(j.cfg.Quarantine.MaxShare)},
		Retry: minibatch.Retry{For: time.Minute},
	}
}

func pass(_ context.Context, _ minibatch.Part, in iter.Seq2[chunk, error], emit minibatch.Emit[chunk]) error {
	for c, err := range in {
		if err == nil {
			err = emit(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// scratch is a directory for one file's rows. Its name has the process, so that what a dead one left can be told and swept.
func (j *Job) scratch() (string, error) {
	dir := j.parts.Temp
	if dir == "" {
		dir = os.TempDir()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	sweep(dir)
	return os.MkdirTemp(dir, fmt.Sprintf("etl-%d-*", os.Getpid()))
}
