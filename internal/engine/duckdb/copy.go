package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/oklog/ulid/v2"

	"weir/internal/engine"
)

// Copy runs a query and writes its result as Parquet files below dir, which become the caller's. The columns, in their order,
// say under which name, type and field id each column of the result is written. No rows make no files; an error leaves none.
func (e *Engine) Copy(ctx context.Context, query string, tables []engine.Table, dir string, columns []engine.Column, args map[string]any) (files []string, rows int64, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, 0, err
	}
	out := filepath.Join(dir, "q-"+ulid.Make().String())
	defer func() {
		if err != nil || rows == 0 {
			err = errors.Join(err, os.RemoveAll(out))
		}
	}()
	db, err := e.open(ctx, tables, dir)
	if err != nil {
		return nil, 0, err
	}
	defer db.Close()
	named, err := e.named(ctx, query, args)
	if err != nil {
		return nil, 0, err
	}
	casts, ids := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		casts[i] = fmt.Sprintf("%s::%s AS %s", engine.Ident(c.Name), c.Type, engine.Ident(c.Name))
		ids[i] = fmt.Sprintf("%s: %d", engine.Ident(c.Name), c.ID)
	}
	// The query first, into a table: a COPY takes no parameters.
	if _, err = db.ExecContext(ctx, "CREATE TEMP TABLE result AS SELECT "+strings.Join(casts, ", ")+" FROM (\n"+trim(query)+"\n)", named...); err != nil {
		err = explain(err)
		var s *engine.SQLError
		if errors.As(err, &s) && s.Line > 1 {
			s.Line--
		}
		return nil, 0, err
	}
	if err = db.QueryRowContext(ctx, "SELECT count(*) FROM result").Scan(&rows); err != nil || rows == 0 {
		return nil, 0, explain(err)
	}
	copyTo := fmt.Sprintf("COPY result TO %s (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, ROW_GROUP_SIZE 122880, FILE_SIZE_BYTES '256MB', FIELD_IDS {%s})",
		engine.Literal(out), strings.Join(ids, ", "))
	if _, err = db.ExecContext(ctx, copyTo); err != nil {
		return nil, 0, explain(err)
	}
	files, err = synced(out)
	return files, rows, err
}

// synced lists the files of a directory once all of them are on the disk.
func synced(dir string) ([]string, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	if err != nil {
		return nil, err
	}
	for _, name := range append(files, dir, filepath.Dir(dir)) {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return nil, err
		}
	}
	return files, nil
}

var micros = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}

// ToArrow says which type a table's column gets for a column of a result.
func ToArrow(duck string) (arrow.DataType, error) {
	switch duck {
	case "BOOLEAN":
		return arrow.FixedWidthTypes.Boolean, nil
	case "TINYINT", "SMALLINT", "INTEGER", "UTINYINT", "USMALLINT":
		return arrow.PrimitiveTypes.Int32, nil
	case "BIGINT", "UINTEGER":
		return arrow.PrimitiveTypes.Int64, nil
	case "HUGEINT", "UBIGINT", "UHUGEINT": // sum(BIGINT) among them
		return &arrow.Decimal128Type{Precision: 38}, nil
	case "FLOAT":
		return arrow.PrimitiveTypes.Float32, nil
	case "DOUBLE":
		return arrow.PrimitiveTypes.Float64, nil
	case "VARCHAR", "ENUM", "JSON":
		return arrow.BinaryTypes.String, nil
	case "BLOB":
		return arrow.BinaryTypes.Binary, nil
	case "DATE":
		return arrow.FixedWidthTypes.Date32, nil
	case "TIME":
		return arrow.FixedWidthTypes.Time64us, nil
	case "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS":
		return &arrow.TimestampType{Unit: arrow.Microsecond}, nil
	case "TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE":
		return micros, nil
	case "UUID":
		return arrow.BinaryTypes.String, nil
	}
	var p, s int32
	if n, err := fmt.Sscanf(duck, "DECIMAL(%d,%d)", &p, &s); n == 2 && err == nil {
		return &arrow.Decimal128Type{Precision: p, Scale: s}, nil
	}
	if strings.HasPrefix(duck, "ENUM(") {
		return arrow.BinaryTypes.String, nil
	}
	return nil, fmt.Errorf("a result of type %s has no place in a table in this version: cast it, for example to VARCHAR", duck)
}
