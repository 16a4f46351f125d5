//go:build real

package real

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	_ "github.com/duckdb/duckdb-go/v2"

	"weir/internal/lake"
	"weir/internal/lake/parquet/parquettest"
	"weir/test/real/parts"
)

// Two tables get the same batches: one by our writer of Parquet files, one by arrow-go's. Spark and DuckDB find the same rows in both, of
// every type and nesting, with few and many different values, with and without nulls, in pages with and without a dictionary.
func TestSparkAndDuckDBReadOurParquet(t *testing.T) {
	dir := t.TempDir()
	l, err := lake.Open(t.Context(), lake.Config{Catalog: filepath.Join(dir, "catalog.db"), Warehouse: filepath.Join(dir, "warehouse")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var fields []arrow.Field
	for _, f := range parquettest.Everything.Fields() {
		if f.Name != "time" { // Spark has no such type
			fields = append(fields, f)
		}
	}
	open := func(name string) *lake.Table {
		tbl, err := l.Ensure(t.Context(), name, arrow.NewSchema(fields, nil), lake.Options{})
		if err != nil {
			t.Fatal(err)
		}
		return tbl
	}
	ours, theirs := open("bank.ours"), open("bank.theirs")
	commit := func(tbl *lake.Table, files []lake.File, err error) {
		if err == nil {
			_, err = tbl.Commit(t.Context(), lake.Commit{Job: "test", ID: tbl.Name(), To: []byte("1"), Add: files})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var batches []arrow.RecordBatch
	rows := 0
	for i, kinds := range []int{1, 50, 5000, 1_000_000} {
		for j, nulls := range []float64{0, 0.1, 1} {
			b := parquettest.Batch(rand.New(rand.NewPCG(uint64(i), uint64(j))), ours.Schema(), 6000, kinds, nulls)
			batches, rows = append(batches, b), rows+int(b.NumRows())
		}
	}
	files, err := ours.Write(t.Context(), func(yield func(arrow.RecordBatch, error) bool) {
		for _, b := range batches {
			b.Retain()
			if !yield(b, nil) {
				return
			}
		}
	})
	commit(ours, files, err)
	general := filepath.Join(theirs.DataDir(), "general.parquet")
	if err := os.MkdirAll(theirs.DataDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(general)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(theirs.Schema(), out, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	added, err := theirs.Import(t.Context(), []string{general})
	commit(theirs, added, err)

	want := fmt.Sprint(rows, " rows, 0 only in one, 0 only in the other")
	if got := inDuckDB(t, files[0].Path, general); got != want {
		t.Errorf("DuckDB: %s, want %s", got, want)
	}
	env := parts.SparkCatalog("jdbc:sqlite:"+filepath.Join(dir, "catalog.db"), filepath.Join(dir, "warehouse"))
	row := "select to_json(struct(*)) r from weir.bank."
	answer := parts.SparkSubmit(t, "sql.py", env, fmt.Sprintf(`select concat((select count(*) from weir.bank.ours), ' rows, ', (select count(*) from (%sours except all %stheirs)), ' only in one, ',
		(select count(*) from (%stheirs except all %sours)), ' only in the other') as said`, row, row, row, row),
		// With a filter it asks the statistics: there is a greatest value, and it is in a row group that they let through.
		"select count(*) > 0 found from weir.bank.ours where long >= (select max(long) from weir.bank.theirs) and text >= ''")
	if !strings.Contains(answer, want) || !strings.Contains(answer, `"found":true`) {
		t.Errorf("Spark: %s, want %s and found", answer, want)
	}
}

func inDuckDB(t *testing.T, one, other string) string {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var said string
	row := "select to_json(x) r from read_parquet('%s') x"
	q := fmt.Sprintf("select concat((select count(*) from read_parquet('%[1]s')), ' rows, ', (select count(*) from (%[3]s except all %[4]s)), ' only in one, ', (select count(*) from (%[4]s except all %[3]s)), ' only in the other')",
		one, other, fmt.Sprintf(row, one), fmt.Sprintf(row, other))
	if err := db.QueryRow(q).Scan(&said); err != nil {
		t.Fatal(err)
	}
	return said
}
