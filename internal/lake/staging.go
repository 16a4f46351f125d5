package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
	"github.com/oklog/ulid/v2"

	"weir/internal/storage"
)

const (
	stagingMark = "__staging_"
	stagingLife = 24 * time.Hour // no run takes longer: what is left after it is of a run that died
)

// Staging makes a table beside this one, with its columns, into which an engine elsewhere writes what Adopt then takes over.
// Its data files come to lie where this table's do. Drop it with Unstage; those of runs that died are dropped here.
func (t *Table) Staging(ctx context.Context) (*Table, error) {
	if err := t.sweep(ctx); err != nil {
		return nil, fmt.Errorf("old staging tables of %s: %w", t.name, err)
	}
	tbl, _ := t.current()
	// A new table's columns are numbered in their order, and the numbers are what connects files and columns.
	all := t.Schema().Fields()
	slices.SortStableFunc(all, func(a, b arrow.Field) int { return fieldID(a) - fieldID(b) })
	schema, err := table.ArrowSchemaToIcebergWithFreshIDs(arrow.NewSchema(all, nil), true)
	if err != nil {
		return nil, fmt.Errorf("stage for table %s: %w", t.name, err)
	}
	props := iceberg.Properties{table.WriteDataPathKey: storage.Join(tbl.Location(), "data")}
	for k, v := range defaults {
		props[k] = v
	}
	name := t.name + stagingMark + strings.ToLower(ulid.Make().String())
	id := strings.Split(name, ".")
	at := strings.LastIndexByte(tbl.Location(), '/') // path.Dir would take a slash from the scheme
	location := storage.Join(tbl.Location()[:max(at, 0)], id[len(id)-1])
	if _, err := t.lake.cat.CreateTable(ctx, id, schema, catalog.WithProperties(props), catalog.WithLocation(location)); err != nil {
		return nil, fmt.Errorf("create table %s: %w", name, err)
	}
	st, err := t.lake.Table(ctx, name)
	if err != nil {
		return nil, err
	}
	if !sameColumns(st, t) {
		return nil, errors.Join(fmt.Errorf("table %s: columns of it were dropped or moved, so that another engine's files do not fit it; make it anew", t.name), st.Unstage(ctx, true))
	}
	return st, nil
}

func fieldID(f arrow.Field) int {
	var n int
	if v, ok := f.Metadata.GetValue(table.ArrowParquetFieldIDKey); ok {
		_, _ = fmt.Sscan(v, &n)
	}
	return n
}

// sameColumns reports that two tables have the same columns under the same numbers, in whatever order.
func sameColumns(a, b *Table) bool {
	x, _ := a.current()
	y, _ := b.current()
	if x.Schema().NumFields() != y.Schema().NumFields() {
		return false
	}
	for _, f := range x.Schema().Fields() {
		g, ok := y.Schema().FindFieldByID(f.ID)
		if !ok || f.Name != g.Name || !f.Type.Equals(g.Type) {
			return false
		}
	}
	return true
}

// Adopt makes the files of a staging table files that this one can commit.
func (t *Table) Adopt(ctx context.Context, st *Table) ([]File, error) {
	from, err := st.load(ctx)
	if err != nil {
		return nil, err
	}
	tbl, to := t.current()
	_, staged := st.current()
	entries, err := dataFiles(from, staged)
	if err != nil {
		return nil, fmt.Errorf("read table %s: %w", st.name, err)
	}
	var files []File
	for _, e := range entries {
		df, err := dataFile(ctx, tbl, to, e.df.FilePath())
		if err != nil {
			return nil, fmt.Errorf("take %s into table %s: %w", path.Base(e.df.FilePath()), t.name, err)
		}
		files = append(files, fileOf(df))
	}
	return files, nil
}

// Unstage drops a staging table; with files also the data files that it holds, which then must not have been committed.
func (t *Table) Unstage(ctx context.Context, files bool) error {
	if !strings.Contains(t.name, stagingMark) {
		return fmt.Errorf("table %s is no staging table", t.name)
	}
	tbl, err := t.load(ctx)
	if errors.Is(err, ErrNoTable) {
		return nil
	}
	if err != nil {
		return err
	}
	_, fsys := t.current()
	names := []string{tbl.MetadataLocation()}
	for m := range tbl.Metadata().PreviousFiles() {
		names = append(names, m.MetadataFile)
	}
	for _, s := range tbl.Metadata().Snapshots() {
		names = append(names, s.ManifestList)
		manifests, err := s.Manifests(fsys)
		if err != nil {
			return err
		}
		for _, m := range manifests {
			names = append(names, m.FilePath())
		}
	}
	if files {
		entries, err := dataFiles(tbl, fsys)
		if err != nil {
			return err
		}
		for _, e := range entries {
			names = append(names, e.df.FilePath())
		}
	}
	if err := t.lake.cat.DropTable(ctx, t.id); err != nil && !errors.Is(err, catalog.ErrNoSuchTable) {
		return fmt.Errorf("drop table %s: %w", t.name, err)
	}
	if err := removeAll(fsys, names); err != nil {
		return err
	}
	if storage.Local(tbl.Location()) { // a folder of its own, which only a local disk has
		for _, dir := range []string{storage.Join(tbl.Location(), "metadata"), tbl.Location()} {
			if err := fsys.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil // Spark's checksum files lie in it
			}
		}
	}
	return nil
}

// sweep drops staging tables that runs have left which died. Their data files stay: one of them may have been committed just
// before.
func (t *Table) sweep(ctx context.Context) error {
	ids, err := t.lake.cat.listTables(ctx, t.id[:len(t.id)-1])
	if err != nil {
		return err
	}
	for _, id := range ids {
		name := strings.Join(id, ".")
		when, ok := strings.CutPrefix(name, t.name+stagingMark)
		u, err := ulid.ParseStrict(strings.ToUpper(when))
		if !ok || err != nil || time.Since(ulid.Time(u.Time())) < stagingLife {
			continue
		}
		old := &Table{lake: t.lake, name: name, id: id}
		if err := old.Unstage(ctx, false); err != nil {
			return err
		}
	}
	return nil
}
