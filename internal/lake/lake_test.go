package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go/table"
)

var testSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "at", Type: arrow.StructOf(arrow.Field{Name: "part", Type: arrow.PrimitiveTypes.Int32, Nullable: true}), Nullable: true},
}, nil)

func open(t *testing.T, home string) *Lake {
	t.Helper()
	l, err := Open(t.Context(), Config{Catalog: filepath.Join(home, "catalog.db"), Warehouse: filepath.Join(home, "warehouse")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func ensure(t *testing.T, l *Lake) *Table {
	t.Helper()
	tbl, err := l.Ensure(t.Context(), "bank.rows", testSchema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

func headOf(t *Table) *table.Table {
	head, _ := t.current()
	return head
}

// rowsOf yields one batch with the ids [from, to).
func rowsOf(s *arrow.Schema, from, to int64) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, s)
		defer b.Release()
		for id := from; id < to; id++ {
			b.Field(0).(*array.Int64Builder).Append(id)
			b.Field(1).(*array.StringBuilder).Append(fmt.Sprint("row ", id))
			st := b.Field(2).(*array.StructBuilder)
			st.Append(true)
			st.FieldBuilder(0).(*array.Int32Builder).Append(int32(id % 3))
		}
		yield(b.NewRecordBatch(), nil)
	}
}

func write(t *testing.T, tbl *Table, from, to int64) []File {
	t.Helper()
	files, err := tbl.Write(t.Context(), rowsOf(tbl.Schema(), from, to))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func cursor(n int64) json.RawMessage { return json.RawMessage(fmt.Sprint(n)) }

// appendRows is one batch of a job: rows [from, to), and the cursor goes from one to the other.
func appendRows(t *testing.T, tbl *Table, job string, from, to int64) (Receipt, error) {
	t.Helper()
	c := Commit{Job: job, ID: fmt.Sprintf("%s-%d-%d", job, from, to), To: cursor(to), Add: write(t, tbl, from, to)}
	if from > 0 {
		c.From = cursor(from)
	}
	return tbl.Commit(t.Context(), c)
}

func ids(t *testing.T, tbl *Table) []int64 {
	t.Helper()
	p, err := tbl.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var all []int64
	for c, err := range tbl.Scan(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c.Batch.Column(0).(*array.Int64).Int64Values()...)
	}
	slices.Sort(all)
	return all
}

func wantIDs(t *testing.T, tbl *Table, n int64) {
	t.Helper()
	got := ids(t, tbl)
	for i, id := range got {
		if id != int64(i) {
			t.Fatalf("row %d has id %d: lost or doubled; all: %v", i, id, got)
		}
	}
	if int64(len(got)) != n {
		t.Fatalf("got %d rows, want %d", len(got), n)
	}
}

func TestRowsAndCursorComeTogether(t *testing.T) {
	home := t.TempDir()
	tbl := ensure(t, open(t, home))
	for i := range int64(5) {
		if _, err := appendRows(t, tbl, "a", i*10, i*10+10); err != nil {
			t.Fatal(err)
		}
	}
	again := ensure(t, open(t, home)) // another process
	p, err := again.Position(t.Context(), "a")
	if err != nil || string(p.Cursor) != "50" || p.Seq != 5 {
		t.Fatalf("position: got %+v, %v; want cursor 50, seq 5", p, err)
	}
	wantIDs(t, again, 50)
}

func TestACommitThatStartsElsewhereIsRefused(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	if _, err := appendRows(t, tbl, "a", 0, 10); err != nil {
		t.Fatal(err)
	}
	late := write(t, tbl, 0, 7)
	_, err := tbl.Commit(t.Context(), Commit{Job: "a", ID: "late", To: cursor(7), Add: late})
	if !errors.Is(err, ErrMoved) {
		t.Fatalf("got %v, want ErrMoved", err)
	}
	wantIDs(t, tbl, 10)
}

func TestARepeatedCommitAddsNothing(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	for range 3 {
		rc, err := tbl.Commit(t.Context(), Commit{Job: "a", ID: "one", To: cursor(10), Add: write(t, tbl, 0, 10)})
		if err != nil {
			t.Fatal(err)
		}
		if p, _ := tbl.Position(t.Context(), "a"); p.Seq != 1 || rc.Snapshot == 0 {
			t.Fatalf("after a repeat: %+v, receipt %+v", p, rc)
		}
	}
	wantIDs(t, tbl, 10)
}

func TestACursorMovesWithoutRows(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	before := headOf(tbl).CurrentSnapshot()
	if _, err := tbl.Commit(t.Context(), Commit{Job: "a", ID: "empty", To: cursor(3)}); err != nil {
		t.Fatal(err)
	}
	if after := headOf(tbl).CurrentSnapshot(); after == nil || before != nil {
		t.Fatal("a commit without rows must move the head: other workers' commits are held against it")
	}
	if p, err := tbl.Position(t.Context(), "a"); err != nil || string(p.Cursor) != "3" {
		t.Fatalf("got %+v, %v", p, err)
	}
}

// Two jobs append to one table, side by side from two "processes": every commit finds a moved head, none is lost.
func TestTwoJobsShareATable(t *testing.T) {
	home := t.TempDir()
	ensure(t, open(t, home))
	var wg sync.WaitGroup
	for _, job := range []string{"a", "b"} {
		tbl := ensure(t, open(t, home))
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range int64(8) {
				base := i * 20
				if job == "b" {
					base += 10
				}
				c := Commit{Job: job, ID: fmt.Sprint(job, i), To: cursor(i + 1), Add: write(t, tbl, base, base+10)}
				if i > 0 {
					c.From = cursor(i)
				}
				if _, err := tbl.Commit(t.Context(), c); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	wantIDs(t, ensure(t, open(t, home)), 160)
}

// Ten workers commit the same work: one wins each round, the others are refused or find it done.
func TestTenWorkersOnTheSameWork(t *testing.T) {
	home := t.TempDir()
	ensure(t, open(t, home))
	var wg sync.WaitGroup
	for w := range 10 {
		tbl := ensure(t, open(t, home))
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range int64(3) {
				c := Commit{Job: "a", ID: fmt.Sprintf("w%d-%d", w, i), To: cursor(i*5 + 5), Add: write(t, tbl, i*5, i*5+5)}
				if i > 0 {
					c.From = cursor(i * 5)
				}
				if _, err := tbl.Commit(t.Context(), c); err != nil && !errors.Is(err, ErrMoved) {
					t.Error(err)
				}
			}
		}()
	}
	wg.Wait()
	wantIDs(t, ensure(t, open(t, home)), 15)
}

func TestReplace(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	for i := range int64(3) {
		if _, err := appendRows(t, tbl, "a", i*10, i*10+10); err != nil {
			t.Fatal(err)
		}
	}
	p, err := tbl.Plan(t.Context())
	if err != nil || len(p.Files) != 3 {
		t.Fatalf("%d files, %v", len(p.Files), err)
	}
	if _, err := tbl.Commit(t.Context(), Commit{Job: "r", ID: "r1", To: cursor(1), ReplaceAll: true, Add: write(t, tbl, 0, 4)}); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, tbl, 4)
	_, err = tbl.Commit(t.Context(), Commit{Job: "r", ID: "r2", From: cursor(1), To: cursor(2), Remove: []File{p.Files[0].File}})
	if !errors.Is(err, errGone) {
		t.Fatalf("replacing a file that has gone: got %v", err)
	}
	if _, err := tbl.Commit(t.Context(), Commit{Job: "r", ID: "r3", From: cursor(1), To: cursor(2), ReplaceAll: true}); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, tbl, 0)
}

func TestRollbackIsToldExpiryIsNot(t *testing.T) {
	ctx := t.Context()
	tbl := ensure(t, open(t, t.TempDir()))
	for i := range int64(4) {
		if _, err := appendRows(t, tbl, "a", i*10, i*10+10); err != nil {
			t.Fatal(err)
		}
	}
	// A foreign job compacts, twice: its snapshots have no cursor. Then ours are expired, but for the one that the job's tag holds.
	byAnother(t, tbl)
	tx := byAnother(t, tbl).NewTransaction()
	if err := tx.ExpireSnapshots(table.WithOlderThan(0), table.WithRetainLast(1)); err != nil {
		t.Fatal(err)
	}
	// The table's own retention would keep 20: take it away as a foreign maintenance job might.
	if err := tx.SetProperties(map[string]string{table.MinSnapshotsToKeepKey: "1", table.MaxSnapshotAgeMsKey: "0"}); err != nil {
		t.Fatal(err)
	}
	foreign, err := tx.Commit(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(foreign.Metadata().Snapshots()); n != 2 {
		t.Fatalf("%d snapshots left, want the newest foreign one and the tag's", n)
	}
	if p, err := tbl.Position(ctx, "a"); err != nil || string(p.Cursor) != "40" {
		t.Fatalf("after expiry: %+v, %v; want cursor 40", p, err)
	}

	other, err := tbl.lake.Ensure(ctx, "bank.other", testSchema, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var first int64
	for i := range int64(3) {
		rc, err := appendRows(t, other, "a", i*10, i*10+10)
		if err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			first = rc.Snapshot
		}
	}
	tx = headOf(other).NewTransaction()
	if err := tx.RollbackToSnapshot(first); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	var rolled *RolledBackError
	if _, err := other.Position(ctx, "a"); !errors.As(err, &rolled) || string(rolled.Property.Cursor) != "30" || string(rolled.Snapshot.Cursor) != "10" {
		t.Fatalf("after a rollback: %v; want both values, 30 and 10", err)
	}
}

func TestHistoryStaysSmall(t *testing.T) {
	l := open(t, t.TempDir())
	tbl, err := l.Ensure(t.Context(), "bank.small", testSchema, Options{Properties: map[string]string{
		table.MaxSnapshotAgeMsKey: "0", table.MinSnapshotsToKeepKey: "5", "weir.expire-every-snapshots": "10",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for i := range int64(40) {
		if _, err := appendRows(t, tbl, "a", i, i+1); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(tbl.Snapshots()); n > 10 {
		t.Errorf("%d snapshots are kept, want at most 10", n)
	}
	meta, err := filepath.Glob(filepath.Join(filepath.Dir(tbl.DataDir()), "metadata", "*"))
	if err != nil || len(meta) > 90 {
		t.Errorf("%d metadata files, %v", len(meta), err)
	}
	wantIDs(t, tbl, 40)
}

func TestAFailedWriteLeavesNoFile(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	boom := errors.New("boom")
	_, err := tbl.Write(t.Context(), func(yield func(arrow.RecordBatch, error) bool) {
		for b := range rowsOf(tbl.Schema(), 0, 10) {
			if !yield(b, nil) {
				return
			}
		}
		yield(nil, boom)
	})
	if !errors.Is(err, boom) {
		t.Fatalf("got %v, want boom", err)
	}
	left, _ := filepath.Glob(filepath.Join(tbl.DataDir(), "*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestATableThatCannotTakeTheRows(t *testing.T) {
	l := open(t, t.TempDir())
	ensure(t, l)
	for want, f := range map[string]arrow.Field{
		"table bank.rows has no column fee (int32)":                      {Name: "fee", Type: arrow.PrimitiveTypes.Int32},
		"column note of table bank.rows is utf8, but the data are int64": {Name: "note", Type: arrow.PrimitiveTypes.Int64},
	} {
		_, err := l.Ensure(t.Context(), "bank.rows", arrow.NewSchema([]arrow.Field{f}, nil), Options{})
		var s *SchemaError
		if !errors.As(err, &s) || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestAHomeThatIsNotWritable(t *testing.T) {
	if os.Getuid() == 0 { // root may write anywhere, but not below a file
		f := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(f, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(context.Background(), Config{Catalog: filepath.Join(f, "catalog.db"), Warehouse: filepath.Join(f, "w")}); err == nil {
			t.Error("no error")
		}
		return
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(context.Background(), Config{Catalog: filepath.Join(dir, "catalog.db"), Warehouse: filepath.Join(dir, "w")}); !Operator(err) {
		t.Errorf("got %v, want an error for the operator", err)
	}
}

func TestAHumanResolvesARollback(t *testing.T) {
	for keep, want := range map[bool]string{true: "30", false: "10"} {
		ctx := t.Context()
		tbl := ensure(t, open(t, t.TempDir()))
		var first int64
		for i := range int64(3) {
			rc, err := appendRows(t, tbl, "a", i*10, i*10+10)
			if err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				first = rc.Snapshot
			}
		}
		if _, err := tbl.Resolve(ctx, "a", keep, func(_, _ json.RawMessage) map[string]string { return nil }); err == nil {
			t.Error("there was nothing to resolve")
		}
		tx := headOf(tbl).NewTransaction()
		if err := tx.RollbackToSnapshot(first); err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Commit(ctx); err != nil {
			t.Fatal(err)
		}
		p, err := tbl.Resolve(ctx, "a", keep, func(_, _ json.RawMessage) map[string]string { return nil })
		if err != nil || string(p.Cursor) != want {
			t.Errorf("keep %v: got %+v, %v; want cursor %s", keep, p, err, want)
		}
		wantIDs(t, tbl, 10)
	}
}

// Spark refuses to write from a table that has a column of such a name.
func TestColumnsThatIcebergReservesAreRefused(t *testing.T) {
	l := open(t, t.TempDir())
	_, err := l.Ensure(t.Context(), "bank.x", arrow.NewSchema([]arrow.Field{{Name: "_File", Type: arrow.BinaryTypes.String, Nullable: true}}, nil), Options{})
	if err == nil || !strings.Contains(err.Error(), "column _File has a name that Iceberg reserves") {
		t.Errorf("got %v", err)
	}
}
