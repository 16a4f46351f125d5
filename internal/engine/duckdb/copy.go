package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/oklog/ulid/v2"

	"weir/internal/engine"
)

// Copy runs a query and writes its result as Parquet files into a new folder below dir, which become the caller's. The columns,
// found by name, say as which type and field id each is written. An ORDER BY of the query is the order in the files. No rows
// make no files; an error leaves none.
func (e *Engine) Copy(ctx context.Context, query string, tables []engine.Table, dir string, columns []engine.Column, args map[string]any) (files []string, rows int64, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, 0, err
	}
	out := filepath.Join(dir, "q-"+ulid.Make().String())
	err = e.with(ctx, query, tables, out, args, func(s *session, p parsed, named []any) error {
		before, after := wrap(columns, out)
		written, err := s.QueryContext(ctx, before+p.body+after, named...)
		if err != nil {
			return explain(ctx, err, p.body, len(before))
		}
		defer written.Close()
		r, err := collect(ctx, written, 0)
		for _, w := range r.Rows { // file name, rows, …
			n, ok := w[1].(uint64)
			if !ok {
				return fmt.Errorf("duckdb: COPY reports %v", w)
			}
			files, rows = append(files, fmt.Sprint(w[0])), rows+int64(n)
		}
		return err
	})
	if err == nil && rows > 0 {
		err = synced(append(files[:len(files):len(files)], out, dir, filepath.Dir(dir)))
	}
	if err != nil || rows == 0 {
		return nil, 0, errors.Join(err, os.RemoveAll(out))
	}
	return files, rows, nil
}

// wrap gives what stands before and behind the query in a COPY of it.
func wrap(columns []engine.Column, out string) (before, after string) {
	casts, ids := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		casts[i] = fmt.Sprintf("%s::%s AS %s", engine.Ident(c.Name), c.Type, engine.Ident(c.Name))
		ids[i] = fmt.Sprintf("%s: %d", engine.Ident(c.Name), c.ID)
	}
	return "COPY (SELECT " + strings.Join(casts, ", ") + " FROM (\n",
		fmt.Sprintf("\n)) TO %s (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880, FILE_SIZE_BYTES '256MB', WRITE_EMPTY_FILE false, RETURN_STATS true, FIELD_IDS {%s})",
			engine.Literal(out), strings.Join(ids, ", "))
}

// synced returns once files and folders are on the disk.
func synced(names []string) error {
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
