package etl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"weir/internal/engine"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/minibatch"
)

// transform runs the expressions over a file of typed rows, into files of the table. A row on which an expression fails is
// refused; filtered are those that `where` leaves out.
//
// TRY gives NULL where an expression fails, and where its value is NULL. Wrapped into a struct the two can be told apart: the
// struct itself is NULL only if the expression failed.
func (j *Job) transform(ctx context.Context, p part, typed string, rows int64, st *staged) (filtered int64, err error) {
	in := j.input
	in.Files = []string{typed}
	tried, good, bad := j.tried(p.Day)
	files, n, err := j.parts.Engine.Copy(ctx, "SELECT "+j.columns()+" FROM ("+tried+") WHERE "+good, []engine.Table{in}, j.table.DataDir(), j.out, nil)
	if err != nil {
		return 0, j.engineError(ctx, err)
	}
	if st.files, err = j.table.Import(ctx, files); err != nil {
		for _, f := range files {
			err = errors.Join(err, os.Remove(f))
		}
		if len(files) > 0 {
			_ = os.Remove(filepath.Dir(files[0]))
		}
		return 0, err
	}
	if n == rows {
		return 0, nil
	}
	failed, err := j.parts.Engine.Query(ctx, "SELECT "+lineColumn+", "+j.firstFailed()+" FROM ("+tried+") WHERE "+bad+" ORDER BY 1", []engine.Table{in}, 0, nil)
	if err != nil {
		return 0, j.engineError(ctx, err)
	}
	late, err := j.late(ctx, p, in, failed)
	if err != nil {
		return 0, err
	}
	st.refused = append(st.refused, late...)
	return rows - n - int64(len(late)), nil
}

// tried is the query with each expression wrapped, and the conditions of rows that are kept and of those that failed.
func (j *Job) tried(day string) (query, good, bad string) {
	var cols, ok, failed []string
	for i, s := range j.selected() {
		name := fmt.Sprintf("__%d", i)
		cols = append(cols, "TRY({'v': ("+s.SQL+"\n)}) AS "+name)
		ok, failed = append(ok, name+" IS NOT NULL"), append(failed, name+" IS NULL")
	}
	bad = strings.Join(failed, " OR ")
	if j.cfg.Where != "" { // a row that is left out may fail as it likes
		cols = append(cols, "TRY({'v': ("+j.cfg.Where+"\n)}) AS __where")
		ok, bad = append(ok, "__where.v"), "__where IS NULL OR __where.v AND ("+bad+")"
	}
	return "SELECT " + strings.Join(append(cols, dateColumn, fileColumn, lineColumn), ", ") + " FROM (" + j.dated(day) + ")",
		strings.Join(ok, " AND "), bad
}

// columns unwraps what the table has; columns of others are empty.
func (j *Job) columns() string {
	at := map[string]string{dateColumn: dateColumn, fileColumn: fileColumn, lineColumn: lineColumn}
	for i, s := range j.selected() {
		at[s.Name] = fmt.Sprintf("__%d.v", i)
	}
	cols := make([]string, len(j.out))
	for i, c := range j.out {
		from := at[c.Name]
		if from == "" {
			from = "NULL"
		}
		cols[i] = from + " AS " + engine.Ident(c.Name)
	}
	return strings.Join(cols, ", ")
}

// firstFailed is the number of the first expression that failed in a row.
func (j *Job) firstFailed() string {
	s := "CASE"
	if j.cfg.Where != "" {
		s += " WHEN __where IS NULL THEN -1"
	}
	for i := range j.selected() {
		s += fmt.Sprintf(" WHEN __%d IS NULL THEN %d", i, i)
	}
	return s + " ELSE -1 END"
}

// explained is for how many rows the engine is asked what exactly went wrong.
const explained = 100

// late makes refused lines of rows on which an expression failed; their texts come from the file once more.
func (j *Job) late(ctx context.Context, p part, in engine.Table, failed engine.Result) ([]quarantine.Line, error) {
	if len(failed.Rows) == 0 {
		return nil, nil
	}
	raw, err := j.texts(p, failed)
	if err != nil {
		return nil, err
	}
	var out []quarantine.Line
	for i, row := range failed.Rows {
		at, _ := row[0].(int64)
		name, sql := "where", j.cfg.Where
		if k, ok := row[1].(int32); ok && k >= 0 {
			name, sql = j.selected()[k].Name, j.selected()[k].SQL
		}
		why := name + ": the expression fails for this line"
		if i < explained {
			_, err := j.parts.Engine.Query(ctx, fmt.Sprintf("SELECT (%s\n) AS x FROM (%s) WHERE %s = %d", sql, j.dated(p.Day), lineColumn, at), []engine.Table{in}, 1, nil)
			var s *engine.SQLError
			if errors.As(err, &s) {
				why = name + ": " + s.Message
			} else if ctx.Err() != nil {
				return nil, err
			}
		}
		out = append(out, quarantine.Line{Reason: "expression", Error: why, File: p.File.Name, Line: at, Column: name, Raw: raw[at], Day: p.Day, SHA256: p.File.SHA256})
	}
	return out, nil
}

// texts reads the lines again that an expression failed on.
func (j *Job) texts(p part, failed engine.Result) (map[int64][]byte, error) {
	want := map[int64][]byte{}
	for _, row := range failed.Rows {
		at, ok := row[0].(int64)
		if !ok {
			return nil, fmt.Errorf("the engine names line %v", row[0])
		}
		want[at] = nil
	}
	in, _, closer, err := open(p.File)
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	s := newScanner(in, j.cfg.Format)
	for left := len(want); left > 0; {
		r, err := s.next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: %w", p.File.Path, errChanged)
		}
		if err != nil {
			return nil, err
		}
		if _, ok := want[r.line]; ok {
			want[r.line] = append([]byte{}, r.raw[:min(len(r.raw), maxRaw)]...)
			left--
		}
	}
	return want, nil
}

// replaced marks the files whose rows a delivery takes the place of. Rows of other dates in them are copied.
func (j *Job) replaced(ctx context.Context, day string, c *lake.Commit) error {
	if j.cfg.Mode != "replace" {
		return nil
	}
	if day == "" {
		c.ReplaceAll = true
		return nil
	}
	p, err := j.table.Plan(ctx)
	if err != nil {
		return err
	}
	date, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return err
	}
	dest := engine.Table{Name: "etl.destination", PathColumn: "_path"}
	for _, col := range p.Columns {
		dest.Columns = append(dest.Columns, engine.Column(col))
		if col.Name == dateColumn {
			p = p.OfDay(col.ID, date)
		}
	}
	if p, err = j.parts.Lake.Local(ctx, p); err != nil || len(p.Files) == 0 {
		return err
	}
	for _, f := range p.Files {
		dest.Files = append(dest.Files, f.Path)
	}
	is := dateColumn + " = DATE " + engine.Literal(day)
	touched, err := j.parts.Engine.Query(ctx, "SELECT _path, count(*) FILTER (WHERE ("+is+") IS NOT TRUE) FROM etl.destination GROUP BY 1 HAVING bool_or("+is+")", []engine.Table{dest}, 0, nil)
	if err != nil {
		return j.engineError(ctx, err)
	}
	others := map[string]int64{}
	for _, row := range touched.Rows {
		n, ok := row[1].(int64)
		if !ok {
			return fmt.Errorf("the engine counts %v", row[1])
		}
		others[fmt.Sprint(row[0])] = n
	}
	dest.Files, dest.PathColumn = nil, ""
	for _, f := range p.Files {
		n, ok := others[f.Path]
		if !ok {
			continue
		}
		c.Remove = append(c.Remove, f.File)
		if n > 0 {
			dest.Files = append(dest.Files, f.Path)
		}
	}
	if len(c.Remove) != len(others) { // an engine that spells paths in its own way must not make rows double
		return minibatch.Fatal(fmt.Errorf("the engine names %d files with rows of %s, of which %d are the table's", len(others), day, len(c.Remove)))
	}
	if len(dest.Files) == 0 {
		return nil
	}
	files, _, err := j.parts.Engine.Copy(ctx, "SELECT * FROM etl.destination WHERE ("+is+") IS NOT TRUE", []engine.Table{dest}, j.table.DataDir(), dest.Columns, nil)
	if err != nil {
		return j.engineError(ctx, err)
	}
	kept, err := j.table.Import(ctx, files)
	c.Add = append(c.Add, kept...)
	return err
}
