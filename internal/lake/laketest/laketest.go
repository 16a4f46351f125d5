// Package laketest is what a lake must do on every catalog and every storage: call [Run].
package laketest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"weir/internal/lake"
)

// Run tests a catalog and a storage together, in a namespace that nobody else uses. Cache must be set where the warehouse is remote.
func Run(t *testing.T, c lake.Config, namespace string) {
	t.Helper()
	s := &suite{c, namespace}
	t.Run("a new table", s.create)
	t.Run("rows and cursor come together", s.commits)
	t.Run("a worker that starts elsewhere is refused", s.refused)
	t.Run("writers side by side", s.sideBySide)
	t.Run("one wins", s.oneWins)
	t.Run("replaced", s.replaced)
	t.Run("files of others", s.imported)
	t.Run("dropped files", s.dropped)
	t.Run("maintained", s.maintained)
}

type suite struct {
	cfg       lake.Config
	namespace string
}

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "amount", Type: &arrow.Decimal128Type{Precision: 18, Scale: 2}, Nullable: true},
	{Name: "at", Type: arrow.StructOf(arrow.Field{Name: "part", Type: arrow.PrimitiveTypes.Int32, Nullable: true}), Nullable: true},
}, nil)

func (s *suite) open(t *testing.T) *lake.Lake {
	t.Helper()
	l, err := lake.Open(t.Context(), s.cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func (s *suite) table(t *testing.T, l *lake.Lake, name string) *lake.Table {
	t.Helper()
	tbl, err := l.Ensure(t.Context(), s.namespace+"."+name, schema, lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

func rows(s *arrow.Schema, from, to int64) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, s)
		defer b.Release()
		for id := from; id < to; id++ {
			b.Field(0).(*array.Int64Builder).Append(id)
			if err := b.Field(1).(*array.Decimal128Builder).AppendValueFromString(fmt.Sprintf("%d.25", id)); err != nil {
				yield(nil, err)
				return
			}
			st := b.Field(2).(*array.StructBuilder)
			st.Append(true)
			st.FieldBuilder(0).(*array.Int32Builder).Append(int32(id % 3))
		}
		yield(b.NewRecordBatch(), nil)
	}
}

func write(t *testing.T, tbl *lake.Table, from, to int64) []lake.File {
	t.Helper()
	files, err := tbl.Write(t.Context(), rows(tbl.Schema(), from, to))
	if err != nil {
		t.Error(err)
	}
	return files
}

func cursor(n int64) json.RawMessage {
	if n == 0 {
		return nil
	}
	return json.RawMessage(strconv.FormatInt(n, 10))
}

// append commits the rows [from, to), and the cursor goes from one to the other.
func appendRows(t *testing.T, tbl *lake.Table, job string, from, to int64) (lake.Receipt, error) {
	t.Helper()
	return tbl.Commit(t.Context(), lake.Commit{
		Job: job, ID: fmt.Sprintf("%s-%d-%d", job, from, to), From: cursor(from), To: cursor(to), Add: write(t, tbl, from, to),
	})
}

// want reads the table in a new connection and demands the ids 0 to n-1, each once.
func (s *suite) want(t *testing.T, name string, n int64) {
	t.Helper()
	tbl, err := s.open(t).Table(t.Context(), s.namespace+"."+name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tbl.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []int64
	for c, err := range tbl.Scan(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c.Batch.Column(0).(*array.Int64).Int64Values()...)
	}
	slices.Sort(got)
	for i, id := range got {
		if id != int64(i) {
			t.Fatalf("row %d has id %d: lost or doubled; all: %v", i, id, got)
		}
	}
	if int64(len(got)) != n {
		t.Fatalf("got %d rows, want %d", len(got), n)
	}
}

func (s *suite) create(t *testing.T) {
	l := s.open(t)
	if _, err := l.Table(t.Context(), s.namespace+".nowhere"); !errors.Is(err, lake.ErrNoTable) {
		t.Errorf("got %v, want ErrNoTable", err)
	}
	for range 2 { // the second finds it
		tbl := s.table(t, l, "made")
		if got := tbl.Schema().Field(1).Type; got.String() != "decimal(18, 2)" {
			t.Errorf("amount is %s", got)
		}
		if p, err := tbl.Position(t.Context(), "a"); err != nil || len(p.Cursor) != 0 {
			t.Errorf("a new table is at %+v, %v", p, err)
		}
	}
	names, err := s.open(t).Tables(t.Context())
	if err != nil || !slices.Contains(names, s.namespace+".made") {
		t.Errorf("tables %v, %v", names, err)
	}
}

func (s *suite) commits(t *testing.T) {
	tbl := s.table(t, s.open(t), "rows")
	for i := range int64(4) {
		rc, err := appendRows(t, tbl, "a", i*100, i*100+100)
		if err != nil || rc.Already || rc.Snapshot == 0 {
			t.Fatalf("got %+v, %v", rc, err)
		}
		p, err := s.table(t, s.open(t), "rows").Position(t.Context(), "a") // as another process sees it
		if err != nil || string(p.Cursor) != string(cursor(i*100+100)) || p.Seq != i+1 {
			t.Fatalf("after commit %d: %+v, %v", i, p, err)
		}
	}
	if rc, err := tbl.Commit(t.Context(), lake.Commit{Job: "a", ID: "a-300-400", From: cursor(300), To: cursor(400)}); err != nil || !rc.Already {
		t.Errorf("a repeated commit: got %+v, %v", rc, err)
	}
	s.want(t, "rows", 400)
}

func (s *suite) refused(t *testing.T) {
	tbl := s.table(t, s.open(t), "refused")
	late := s.table(t, s.open(t), "refused")
	if _, err := appendRows(t, tbl, "a", 0, 10); err != nil {
		t.Fatal(err)
	}
	_, err := late.Commit(t.Context(), lake.Commit{Job: "a", ID: "late", To: cursor(10), Add: write(t, late, 0, 10)})
	if !errors.Is(err, lake.ErrMoved) {
		t.Errorf("got %v, want ErrMoved", err)
	}
	s.want(t, "refused", 10)
}

// Every commit finds a head that the other connection has moved; none is lost.
func (s *suite) sideBySide(t *testing.T) {
	s.table(t, s.open(t), "shared")
	const writers, commits = 3, 4
	var all sync.WaitGroup
	for w := range int64(writers) {
		tbl := s.table(t, s.open(t), "shared")
		all.Go(func() {
			for i := range int64(commits) {
				base := (i*writers + w) * 10
				c := lake.Commit{Job: fmt.Sprint("job", w), ID: fmt.Sprint(w, "-", i), From: cursor(i), To: cursor(i + 1), Add: write(t, tbl, base, base+10)}
				for try := 0; ; try++ { // as the runner would: a commit that provably did not land is tried again
					_, err := tbl.Commit(t.Context(), c)
					if err == nil {
						break
					}
					if try == 5 || errors.Is(err, lake.ErrMoved) {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	s.want(t, "shared", writers*commits*10)
}

func (s *suite) oneWins(t *testing.T) {
	s.table(t, s.open(t), "raced")
	var all sync.WaitGroup
	for w := range 3 {
		tbl := s.table(t, s.open(t), "raced")
		all.Go(func() {
			for i := range int64(3) {
				c := lake.Commit{Job: "a", ID: fmt.Sprintf("w%d-%d", w, i), From: cursor(i * 5), To: cursor(i*5 + 5), Add: write(t, tbl, i*5, i*5+5)}
				for try := 0; ; try++ {
					_, err := tbl.Commit(t.Context(), c)
					if err == nil || errors.Is(err, lake.ErrMoved) {
						break
					}
					if try == 5 {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	s.want(t, "raced", 15)
}

func (s *suite) replaced(t *testing.T) {
	tbl := s.table(t, s.open(t), "replaced")
	for i := range int64(2) {
		if _, err := appendRows(t, tbl, "a", i*10, i*10+10); err != nil {
			t.Fatal(err)
		}
	}
	p, err := tbl.Plan(t.Context())
	if err != nil || len(p.Files) != 2 {
		t.Fatalf("%d files, %v", len(p.Files), err)
	}
	for _, f := range p.Files { // one goes and comes back with the same rows
		if f.Rows != 10 {
			t.Errorf("%s: %d rows", f.Path, f.Rows)
		}
	}
	c := lake.Commit{Job: "r", ID: "r1", To: cursor(1), ReplaceAll: true, Add: write(t, tbl, 0, 7)}
	if _, err := tbl.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	s.want(t, "replaced", 7)
}

// Files that an engine wrote become the table's, and the table's files can be had as local ones.
func (s *suite) imported(t *testing.T) {
	l := s.open(t)
	tbl := s.table(t, l, "imported")
	if _, err := appendRows(t, tbl, "a", 0, 10); err != nil {
		t.Fatal(err)
	}
	p, err := tbl.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time from the cache
		if p, err = l.Local(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	theirs := filepath.Join(tbl.DataDir(), "by-engine.parquet")
	if err := copyFile(p.Files[0].Path, theirs); err != nil {
		t.Fatal(err)
	}
	files, err := tbl.Import(t.Context(), []string{theirs})
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 || files[0].Rows != 10 {
		t.Fatalf("got %+v", files)
	}
	if _, err := tbl.Commit(t.Context(), lake.Commit{Job: "r", ID: "r1", To: cursor(1), ReplaceAll: true, Add: files}); err != nil {
		t.Fatal(err)
	}
	s.want(t, "imported", 10)
	left := filepath.Join(tbl.DataDir(), "not-parquet.parquet")
	if err := os.MkdirAll(tbl.DataDir(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(left, []byte("no parquet"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := tbl.Import(t.Context(), []string{left}); err == nil {
		t.Error("a file that is no Parquet was taken")
	}
	if _, err := os.Stat(left); err != nil {
		t.Errorf("a refused file is no longer its owner's: %v", err)
	}
}

func (s *suite) dropped(t *testing.T) {
	tbl := s.table(t, s.open(t), "dropped")
	files := write(t, tbl, 0, 10)
	for range 2 { // dropping again is no error
		if err := tbl.Drop(files); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := appendRows(t, tbl, "a", 0, 10); err != nil {
		t.Fatal(err)
	}
	s.want(t, "dropped", 10)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// Unconfirmed tests that a commit which the catalog took without saying so is found: once in the table, with its files. lie
// makes the catalog do that with the next commit.
func Unconfirmed(t *testing.T, c lake.Config, namespace string, lie func()) {
	t.Helper()
	s := &suite{c, namespace}
	tbl := s.table(t, s.open(t), "unconfirmed")
	if _, err := appendRows(t, tbl, "a", 0, 10); err != nil {
		t.Fatal(err)
	}
	lie()
	rc, err := appendRows(t, tbl, "a", 10, 20)
	if err != nil || rc.Already || rc.Tries != 2 {
		t.Fatalf("got %+v, %v; want a commit that was found at the second look", rc, err)
	}
	if p, err := tbl.Position(t.Context(), "a"); err != nil || p.Seq != 2 {
		t.Errorf("got %+v, %v; want two commits", p, err)
	}
	if _, err := appendRows(t, tbl, "a", 20, 30); err != nil {
		t.Fatal(err)
	}
	s.want(t, "unconfirmed", 30)
}
