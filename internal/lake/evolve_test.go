package lake

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func column(name string, t arrow.DataType) *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{{Name: name, Type: t, Nullable: true}}, nil)
}

func widen(t *testing.T, tbl *Table, want *arrow.Schema) *Shape {
	t.Helper()
	s, err := tbl.Widen(want)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// one row of a shape: its id, everything else null.
func one(s *Shape, id int64) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, s.Schema())
		defer b.Release()
		for i := range b.Fields() {
			if ids, ok := b.Field(i).(*array.Int64Builder); ok && s.Schema().Field(i).Name == "id" {
				ids.Append(id)
				continue
			}
			b.Field(i).AppendNull()
		}
		yield(b.NewRecordBatch(), nil)
	}
}

func commitShape(t *testing.T, tbl *Table, job string, s *Shape, id int64) error {
	t.Helper()
	files, err := tbl.WriteShape(t.Context(), s, one(s, id))
	if err != nil {
		t.Fatal(err)
	}
	p, err := tbl.Position(t.Context(), job)
	if err != nil {
		t.Fatal(err)
	}
	_, err = tbl.Commit(t.Context(), Commit{Job: job, ID: fmt.Sprint(job, id), From: p.Cursor, To: cursor(id + 1), Add: files})
	return err
}

func names(s *arrow.Schema) string {
	var all []string
	for _, f := range s.Fields() {
		all = append(all, f.Name+" "+f.Type.String())
	}
	return strings.Join(all, ", ")
}

// Columns come to the table with the first rows that have them, not before, and files of before stay readable.
func TestColumnsComeWithTheirRows(t *testing.T) {
	l := open(t, t.TempDir())
	tbl := ensure(t, l)
	if _, err := appendRows(t, tbl, "job", 0, 5); err != nil {
		t.Fatal(err)
	}
	before := headOf(tbl).Schema().ID
	s := widen(t, tbl, arrow.NewSchema([]arrow.Field{
		{Name: "fee", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "at", Type: arrow.StructOf(arrow.Field{Name: "part", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, arrow.Field{Name: "leader", Type: arrow.BinaryTypes.String, Nullable: true}), Nullable: true},
	}, nil))
	if again := widen(t, tbl, column("fee", arrow.PrimitiveTypes.Float32)); again != s { // narrower: it is there already
		t.Errorf("a second shape: %s", names(again.Schema()))
	}
	if err := tbl.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := headOf(tbl).Schema(); got.ID != before || len(tbl.Schema().FieldIndices("fee")) > 0 {
		t.Errorf("the table has them without a row: %s", names(tbl.Schema()))
	}
	if err := commitShape(t, tbl, "job", s, 5); err != nil {
		t.Fatal(err)
	}
	other, err := l.Table(t.Context(), "bank.rows")
	if err != nil {
		t.Fatal(err)
	}
	const want = "id int64, note utf8, at struct<part: int64, leader: utf8>, fee float64"
	strip := func(s string) string { return strings.ReplaceAll(s, " nullable", "") }
	if got := strip(names(other.Schema())); got != want {
		t.Errorf("the table has %s, want %s", got, want)
	}
	if n := len(headOf(other).Metadata().Snapshots()); n != 2 {
		t.Errorf("%d snapshots for two commits", n)
	}
	if next, err := other.Shape(); err != nil || next.wanted != nil {
		t.Errorf("still wanted: %+v, %v", next, err)
	}
	wantIDs(t, other, 6)
	if got := ids(t, tbl); !slices.Equal(got, []int64{0, 1, 2, 3, 4, 5}) {
		t.Errorf("ids %v", got)
	}
}

// Two writers that do not know of each other: the same columns in the same order are one, others have to be written anew, and nothing
// of theirs is half there.
func TestTwoWritersWidenATable(t *testing.T) {
	home := t.TempDir()
	l := open(t, home)
	a := ensure(t, l)
	if _, err := appendRows(t, a, "seed", 0, 1); err != nil {
		t.Fatal(err)
	}
	b, err := open(t, home).Table(t.Context(), "bank.rows")
	if err != nil {
		t.Fatal(err)
	}
	fee, tax := column("fee", arrow.PrimitiveTypes.Float64), column("tax", arrow.BinaryTypes.String)
	sa, sb := widen(t, a, fee), widen(t, b, fee)
	if err := commitShape(t, a, "a", sa, 1); err != nil {
		t.Fatal(err)
	}
	if err := commitShape(t, b, "b", sb, 2); err != nil {
		t.Fatalf("the same column of another writer: %v", err)
	}
	sa, sb = widen(t, a, column("one", arrow.BinaryTypes.String)), widen(t, b, tax)
	if err := commitShape(t, a, "a", sa, 3); err != nil {
		t.Fatal(err)
	}
	err = commitShape(t, b, "b", sb, 4)
	if !errors.Is(err, errShape) {
		t.Fatalf("a column with the number of another one: %v", err)
	}
	if len(b.Schema().FieldIndices("tax")) > 0 {
		t.Errorf("its column is there without its rows: %s", names(b.Schema()))
	}
	if err := commitShape(t, b, "b", widen(t, b, tax), 4); err != nil {
		t.Fatalf("written anew: %v", err)
	}
	wantIDs(t, b, 5)
	if got := names(b.Schema()); !strings.HasSuffix(got, "fee float64, one utf8, tax utf8") {
		t.Errorf("columns %s", got)
	}
	// A writer that knows nothing of all that goes on with the columns that it knows.
	old, err := l.Table(t.Context(), "bank.rows")
	if err != nil {
		t.Fatal(err)
	}
	s, err := old.Shape()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := commitShape(t, a, "a", widen(t, a, column("last", arrow.BinaryTypes.String)), 5); err != nil {
		t.Fatal(err)
	}
	if err := commitShape(t, old, "old", s, 6); err != nil {
		t.Errorf("files with fewer columns: %v", err)
	}
	wantIDs(t, old, 7)
}

// Files of one batch that were written for columns of different writers: whichever is the widest, none of them may come to stand under
// another column.
func TestNoFileComesUnderAnotherColumn(t *testing.T) {
	home := t.TempDir()
	l := open(t, home)
	a := ensure(t, l)
	if _, err := appendRows(t, a, "seed", 0, 1); err != nil {
		t.Fatal(err)
	}
	mine := widen(t, a, column("mine", arrow.BinaryTypes.String))
	first, err := a.WriteShape(t.Context(), mine, one(mine, 1))
	if err != nil {
		t.Fatal(err)
	}
	b, err := open(t, home).Table(t.Context(), "bank.rows")
	if err != nil {
		t.Fatal(err)
	}
	if err := commitShape(t, b, "b", widen(t, b, column("theirs", arrow.BinaryTypes.String)), 1); err != nil {
		t.Fatal(err)
	}
	if err := a.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	more := widen(t, a, column("more", arrow.BinaryTypes.String))
	second, err := a.WriteShape(t.Context(), more, one(more, 2))
	if err != nil {
		t.Fatal(err)
	}
	for _, add := range [][]File{append(slices.Clone(first), second...), append(slices.Clone(second), first...), first} {
		if _, err := a.Commit(t.Context(), Commit{Job: "a", ID: "a1", To: cursor(3), Add: add}); !errors.Is(err, errShape) {
			t.Fatalf("taken: %v", err)
		}
	}
	if err := commitShape(t, a, "a", widen(t, a, column("mine", arrow.BinaryTypes.String)), 2); err != nil {
		t.Fatalf("written anew: %v", err)
	}
	if got := names(a.Schema()); !strings.HasSuffix(got, "theirs utf8, mine utf8") {
		t.Errorf("columns %s", got)
	}
}

func TestWhatCannotBeWidened(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	for _, want := range []*arrow.Schema{
		column("id", arrow.BinaryTypes.String), column("note", arrow.ListOf(arrow.BinaryTypes.String)), column("at", arrow.PrimitiveTypes.Int64), column("_file", arrow.BinaryTypes.String),
	} {
		s, err := tbl.Widen(want)
		if err == nil {
			t.Errorf("%s is taken: %s", names(want), names(s.Schema()))
			continue
		}
		if !strings.Contains(err.Error(), "bank.rows") || !strings.Contains(err.Error(), want.Field(0).Name) {
			t.Errorf("%s: %v names neither table nor column", names(want), err)
		}
	}
	if s, err := tbl.Shape(); err != nil || s.wanted != nil {
		t.Errorf("something is wanted: %+v, %v", s, err)
	}
}
