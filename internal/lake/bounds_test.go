package lake

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	pq "github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// pairs is a table whose files have two rows in each row group.
func pairs(t *testing.T, o Options) *Table {
	t.Helper()
	o.Properties = map[string]string{table.ParquetRowGroupLimitKey: "2"}
	tbl, err := open(t, t.TempDir()).Ensure(t.Context(), "bank.rows", testSchema, o)
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

// inTurn yields a batch for each of some notes.
func inTurn(s *arrow.Schema, of ...map[int64]string) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for _, m := range of {
			for b, err := range notes(s, m) {
				if !yield(b, err) {
					return
				}
			}
		}
	}
}

// byEngine writes a file in the table's DataDir with the general writer.
func byEngine(t *testing.T, tbl *Table, p *pq.WriterProperties, of ...map[int64]string) (path string) {
	t.Helper()
	path = filepath.Join(tbl.DataDir(), "by-engine.parquet")
	if err := os.MkdirAll(tbl.DataDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(tbl.Schema(), out, p, pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	for b := range inTurn(tbl.Schema(), of...) {
		if err := w.Write(b); err != nil { // each into a row group of its own
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// planned is how many files a reader of the rows with one value has to read.
func planned(t *testing.T, tbl *Table, where iceberg.BooleanExpression) int {
	t.Helper()
	tasks, err := headOf(tbl).Scan(table.WithRowFilter(where)).PlanFiles(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

func noteIs(s string) iceberg.BooleanExpression {
	return iceberg.EqualTo(iceberg.Reference("note"), s)
}

// A value that is too long for the statistics of its row group hides no row of that group, whoever has written the file.
func TestLongValuesHideNoRow(t *testing.T) {
	first := map[int64]string{1: "m", 2: "n"}
	for name, second := range map[string]map[int64]string{
		"greatest": {3: "zebra", 4: strings.Repeat("z", 5000)},
		"least":    {3: strings.Repeat("a", 5000), 4: "b"},
		"both":     {3: strings.Repeat("a", 5000), 4: strings.Repeat("z", 5000)},
		"empty":    {3: "", 4: strings.Repeat("z", 5000)},
	} {
		for way, made := range map[string]func(*testing.T) *Table{
			"written": func(t *testing.T) *Table {
				tbl := pairs(t, Options{})
				files, err := tbl.Write(t.Context(), inTurn(tbl.Schema(), first, second))
				return added(t, tbl, files, err)
			},
			"sorted": func(t *testing.T) *Table {
				tbl := pairs(t, Options{Sort: []string{"id"}})
				files, err := tbl.Write(t.Context(), inTurn(tbl.Schema(), first, second))
				return added(t, tbl, files, err)
			},
			"compacted": func(t *testing.T) *Table {
				tbl := pairs(t, Options{})
				files, err := tbl.Write(t.Context(), inTurn(tbl.Schema(), first))
				if err != nil {
					t.Fatal(err)
				}
				more, err := tbl.Write(t.Context(), inTurn(tbl.Schema(), second))
				added(t, tbl, append(files, more...), err)
				if r := compact(t, tbl, eager); r.Written != 1 {
					t.Fatalf("the compaction has made %+v", r)
				}
				return tbl
			},
			"imported": func(t *testing.T) *Table {
				tbl := pairs(t, Options{})
				files, err := tbl.Import(t.Context(), []string{byEngine(t, tbl, pq.NewWriterProperties(), first, second)})
				return added(t, tbl, files, err)
			},
			"adopted": func(t *testing.T) *Table {
				tbl := pairs(t, Options{})
				st, err := tbl.Staging(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				files, err := st.Import(t.Context(), []string{byEngine(t, st, pq.NewWriterProperties(), first, second)})
				added(t, st, files, err)
				files, err = tbl.Adopt(t.Context(), st)
				return added(t, tbl, files, err)
			},
		} {
			t.Run(name+" "+way, func(t *testing.T) {
				tbl := made(t)
				all := maps.Clone(first)
				maps.Copy(all, second)
				if got := held(t, tbl); !maps.Equal(got, all) {
					t.Errorf("the table holds %d rows, or others", len(got))
				}
				for id, note := range all {
					if n := planned(t, tbl, noteIs(note)); n != 1 {
						t.Errorf("a reader of row %d by its note of %d bytes reads %d files, want 1", id, len(note), n)
					}
				}
				if n := planned(t, tbl, iceberg.EqualTo(iceberg.Reference("id"), int64(99))); n != 0 {
					t.Errorf("a reader of an id that is not there reads %d files: the column's bounds are gone", n)
				}
				if n := planned(t, tbl, noteIs("{")); way == "written" && n != 0 {
					t.Errorf("a reader of a note past the greatest reads %d files: the column's bounds are gone", n)
				}
			})
		}
	}
}

func added(t *testing.T, tbl *Table, files []File, err error) *Table {
	t.Helper()
	if err == nil {
		_, err = tbl.Commit(t.Context(), Commit{Job: "j", ID: "1", To: cursor(1), Add: files})
	}
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

// A key beside a long one is found, and its old row goes.
func TestKeysBesideALongOneAreThereOnce(t *testing.T) {
	tbl := pairs(t, Options{Key: []string{"note"}})
	k, err := tbl.Keyed([]string{"note"})
	if err != nil {
		t.Fatal(err)
	}
	for n, parts := range [][]map[int64]string{{{1: "m", 2: "n"}, {3: "zebra", 4: strings.Repeat("z", 5000)}}, {{9: "zebra"}}} {
		files, err := tbl.Write(t.Context(), inTurn(tbl.Schema(), parts...))
		if err != nil {
			t.Fatal(err)
		}
		keys := map[string]struct{}{}
		for b := range inTurn(tbl.Schema(), parts...) {
			key := KeysOf(b, []string{"note"})
			for row := range int(b.NumRows()) {
				text, _ := key(row)
				keys[text] = struct{}{}
			}
		}
		c := Commit{Job: "j", ID: fmt.Sprint(n), Add: files, Advance: func(json.RawMessage) (json.RawMessage, error) { return cursor(int64(n)), nil }}
		if _, err := k.Commit(t.Context(), c, keys); err != nil {
			t.Fatal(err)
		}
	}
	want := map[int64]string{1: "m", 2: "n", 4: strings.Repeat("z", 5000), 9: "zebra"}
	if got := held(t, tbl); !maps.Equal(got, want) {
		t.Errorf("the table holds the ids %v, want %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
	}
}

// A file that loses bounds stays in its partition, with all else that the table knows of it.
func TestFilesWithoutBoundsStayInTheirPartition(t *testing.T) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
		{Name: "price", Type: &arrow.Decimal128Type{Precision: 9, Scale: 2}, Nullable: true},
		{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	tbl, err := open(t, t.TempDir()).Ensure(t.Context(), "bank.days", schema, Options{Partition: []string{"day", "price"}, Properties: map[string]string{table.ParquetRowGroupLimitKey: "2"}})
	if err != nil {
		t.Fatal(err)
	}
	rows := func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, tbl.Schema())
		defer b.Release()
		for _, day := range []arrow.Date32{20000, 20001} {
			for _, note := range []string{"m", "n", "zebra", strings.Repeat("z", 5000)} {
				b.Field(0).(*array.Date32Builder).Append(day)
				if err := b.Field(1).AppendValueFromString("1.25"); err != nil {
					t.Fatal(err)
				}
				b.Field(2).(*array.StringBuilder).Append(note)
			}
		}
		yield(b.NewRecordBatch(), nil)
	}
	files, err := tbl.Write(t.Context(), rows)
	added(t, tbl, files, err)
	if len(files) != 2 {
		t.Fatalf("%d files of two days", len(files))
	}
	for day, want := range map[int32]int{20000: 1, 20001: 1, 20002: 0} {
		of := iceberg.EqualTo(iceberg.Reference("day"), iceberg.Date(day))
		if n := planned(t, tbl, iceberg.NewAnd(of, noteIs("zebra"))); n != want {
			t.Errorf("a reader of day %d reads %d files, want %d", day, n, want)
		}
	}
	for _, f := range planOf(t, tbl).Files {
		d := f.data
		if len(d.Partition()) != 2 || len(d.SplitOffsets()) != 2 || d.ValueCounts()[3] != 4 || d.NullValueCounts()[3] != 0 || d.ColumnSizes()[3] == 0 || d.Count() != 4 {
			t.Errorf("of %s: partition %v, row groups at %v, values %v, bytes %v", f.Path, d.Partition(), d.SplitOffsets(), d.ValueCounts(), d.ColumnSizes())
		}
	}
}

// A partition is what the statistics say; where they are silent, the file is refused rather than put among the nulls.
func TestFilesOfAnUnknownPartitionAreRefused(t *testing.T) {
	tbl := pairs(t, Options{Partition: []string{"truncate(1, note)"}})
	_, err := tbl.Import(t.Context(), []string{byEngine(t, tbl, pq.NewWriterProperties(), map[int64]string{1: strings.Repeat("z", 5000)})})
	want := "its statistics do not tell the least and the greatest value of column note, by which the table is partitioned"
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("got %v, want …%s", err, want)
	}
	_, err = tbl.Import(t.Context(), []string{byEngine(t, tbl, pq.NewWriterProperties(pq.WithStats(false)), map[int64]string{1: "za"})})
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("without statistics: got %v, want …%s", err, want)
	}
	if files, err := tbl.Import(t.Context(), []string{byEngine(t, tbl, pq.NewWriterProperties(), map[int64]string{1: "za", 2: "zb"}, map[int64]string{3: "zc"})}); err != nil || len(files) != 1 {
		t.Errorf("a file that tells its partition: %v", err)
	}
}
