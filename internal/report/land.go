package report

import (
	"context"
	"errors"
	"fmt"
	"time"

	"weir/internal/lake"
)

const unstageTime = time.Minute

// land runs the query on a server. It writes into a table of its own beside the destination, whose files then become part of
// the destination in our commit, with the cursor: until then nobody sees them, and a run that dies adds nothing.
func (j *Job) land(ctx context.Context, query string, r *result) (files []string, rows int64, err error) {
	st, err := j.table.Staging(ctx)
	if err != nil {
		return nil, 0, err
	}
	taken := false
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unstageTime)
		defer cancel()
		if e := st.Unstage(ctx, !taken); e != nil {
			err = errors.Join(err, fmt.Errorf("drop table %s: %w", st.Name(), e))
		}
	}()
	p, err := st.Plan(ctx)
	if err != nil {
		return nil, 0, err
	}
	if err := j.parts.Server.Insert(ctx, query, j.inputs, st.Name(), engineColumns(p.Columns), j.args); err != nil {
		return nil, 0, j.failed(ctx, err)
	}
	add, err := j.table.Adopt(ctx, st)
	if err != nil {
		return nil, 0, err
	}
	taken = true
	r.add = append(r.add, add...)
	made := lake.Plan{Table: j.table.Name()}
	for _, f := range add {
		rows += f.Rows
		made.Files = append(made.Files, lake.PlannedFile{File: f})
	}
	if j.cfg.IntervalColumn != "" || len(j.checks) > 0 { // somebody here will read them
		if made, err = j.parts.Lake.Local(ctx, made); err != nil {
			return nil, 0, err
		}
	}
	for _, f := range made.Files {
		files = append(files, f.Path)
	}
	return files, rows, nil
}
