package report

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/cli"
	"weir/internal/engine"
	"weir/internal/lake"
	"weir/minibatch"
)

// result is the sink's share of minibatch.Staged.
type result struct {
	add, remove []lake.File
	replaceAll  bool
}

// stage writes the result's rows where nobody sees them yet, and finds out which files they take the place of.
func (j *Job) stage(ctx context.Context, query string, r *result) (rows int64, err error) {
	p, err := j.table.Plan(ctx)
	if err == nil && j.cfg.IntervalColumn != "" { // the rows of other intervals will be read
		p, err = j.parts.Lake.Local(ctx, p)
	}
	if err != nil {
		return 0, err
	}
	dest := Input(p)
	files, rows, err := j.result(ctx, query, dest.Columns, r)
	if err != nil {
		return 0, err
	}
	r.replaceAll = j.cfg.Mode == "replace" && j.cfg.IntervalColumn == "" || j.whole != ""
	if j.cfg.IntervalColumn != "" {
		if err := j.within(ctx, dest, files, rows); err != nil {
			return 0, err
		}
	}
	if err := j.check(ctx, engine.Table{Name: resultTable, Files: files, Columns: dest.Columns}, rows); err != nil {
		return 0, err
	}
	if j.cfg.IntervalColumn == "" {
		return rows, nil
	}
	return rows, j.survivors(ctx, p, dest, r)
}

// result runs the query where it is to run; r takes over its files.
func (j *Job) result(ctx context.Context, query string, columns []engine.Column, r *result) (files []string, rows int64, err error) {
	if j.parts.Server != nil {
		return j.land(ctx, query, r)
	}
	return j.copy(ctx, query, j.inputs, columns, r)
}

// copy runs a query into files of the destination, which r takes over.
func (j *Job) copy(ctx context.Context, query string, tables []engine.Table, columns []engine.Column, r *result) (files []string, rows int64, err error) {
	files, rows, err = j.parts.Engine.Copy(ctx, query, tables, j.table.DataDir(), columns, j.args)
	if err != nil {
		return nil, 0, j.failed(ctx, err)
	}
	add, err := j.table.Import(ctx, files)
	if err != nil {
		for _, f := range files {
			err = errors.Join(err, os.Remove(f))
		}
		if len(files) > 0 {
			_ = os.Remove(filepath.Dir(files[0]))
		}
		return nil, 0, err
	}
	r.add = append(r.add, add...)
	return files, rows, nil
}

// inside is true of the rows of the run's interval, and outside of all others: also where the column is null.
func (j *Job) inside() string {
	c := engine.Ident(j.cfg.IntervalColumn)
	return fmt.Sprintf("%s >= $interval_start AND %s < $interval_end", c, c)
}

func (j *Job) outside() string { return "(" + j.inside() + ") IS NOT TRUE" }

// within refuses a result with rows outside of the interval: they would stand beside those that are there already, once more
// with each run.
func (j *Job) within(ctx context.Context, dest engine.Table, files []string, rows int64) error {
	if len(files) == 0 {
		return nil
	}
	written := engine.Table{Name: "report.result", Files: files, Columns: dest.Columns}
	got, err := j.parts.Engine.Query(ctx, "SELECT count(*) FROM report.result WHERE "+j.outside(), []engine.Table{written}, 1, j.args)
	if err != nil {
		return j.failed(ctx, err)
	}
	n, ok := got.Rows[0][0].(int64)
	if !ok {
		return fmt.Errorf("the engine counts %v", got.Rows[0][0])
	}
	if n == 0 {
		return nil
	}
	i := j.run.Interval
	return minibatch.Fatal(cli.Usage(
		fmt.Errorf("job %s: %d of %d rows of the result lie outside the data interval %s to %s, by interval_column %s; nothing was written", j.name, n, rows, short(i.Start), short(i.End), j.cfg.IntervalColumn),
		fmt.Sprintf("let the query keep to it: WHERE … >= $interval_start AND … < $interval_end, and %s is never null", j.cfg.IntervalColumn)))
}

func short(t time.Time) string {
	return strings.TrimSuffix(t.UTC().Format(time.RFC3339), "T00:00:00Z")
}

// survivors copies the rows that stay from files that hold rows of the interval, and marks those files for removal. Both come
// from one plan: a file that arrives after it is in neither.
func (j *Job) survivors(ctx context.Context, p lake.Plan, dest engine.Table, r *result) error {
	if len(p.Files) == 0 {
		return nil
	}
	dest.PathColumn = pathColumn(dest.Columns)
	path, table := engine.Ident(dest.PathColumn), engine.TableIdent(dest.Name)
	got, err := j.parts.Engine.Query(ctx, "SELECT DISTINCT "+path+" FROM "+table+" WHERE "+j.inside(), []engine.Table{dest}, 0, j.args)
	if err != nil {
		return j.failed(ctx, err)
	}
	touched := map[string]bool{}
	for _, row := range got.Rows {
		touched[fmt.Sprint(row[0])] = true
	}
	dest.Files, dest.PathColumn = nil, ""
	for _, f := range p.Files {
		if touched[f.Path] {
			dest.Files, r.remove = append(dest.Files, f.Path), append(r.remove, f.File)
		}
	}
	if len(r.remove) != len(touched) { // an engine that spells paths in its own way must not make rows double
		return minibatch.Fatal(fmt.Errorf("the engine names %d files with rows of the interval, of which %d are the table's", len(touched), len(r.remove)))
	}
	if len(r.remove) == 0 {
		return nil
	}
	_, _, err = j.copy(ctx, "SELECT * FROM "+table+" WHERE "+j.outside(), []engine.Table{dest}, dest.Columns, r)
	return err
}

// pathColumn is a name that no column has.
func pathColumn(columns []engine.Column) string {
	name := "_path"
	for i := 0; i < len(columns); i++ {
		if strings.EqualFold(columns[i].Name, name) {
			name, i = "_"+name, -1
		}
	}
	return name
}

// failed makes an engine's error one of the job's. The embedded engine's errors are of the query, the data or the machine:
// none passes by itself. (Full disks are told by the sink.)
func (j *Job) failed(ctx context.Context, err error) error {
	var s *engine.SQLError
	switch {
	case ctx.Err() != nil:
		return err
	case errors.As(err, &s):
		return j.placed(err)
	case errors.Is(err, engine.ErrMemory):
		return minibatch.Fatal(&cli.Error{Err: fmt.Errorf("%s: %w", j.source(), err), Hint: "give the report more (`memory: 2GiB`), or let its query sort and join less at once"})
	case errors.Is(err, engine.ErrLost):
		return fmt.Errorf("%s: %w", j.source(), err) // worth another try
	}
	return minibatch.Fatal(fmt.Errorf("%s: %w", j.source(), err))
}
