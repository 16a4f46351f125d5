package table_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"weir/internal/lake"
	"weir/minibatch"
	"weir/minibatch/minibatchtest"
	"weir/minibatch/table"
)

type row struct {
	ID    int64
	Note  *string
	Ratio float64
	Day   table.Date
	At    time.Time
	Raw   []byte
	Ok    bool
	Small int32 `table:"small_one"`
	skip  string
}

func open(t *testing.T, dir string) *table.Lake {
	t.Helper()
	l, err := table.Open(context.Background(), table.Home(dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func number(n int) minibatch.Cursor {
	return minibatch.Cursor{Kind: "number", Version: 1, Value: fmt.Append(nil, n)}
}

// add commits the rows [from, to).
func add(t *testing.T, l *table.Lake, name string, from, to int) {
	t.Helper()
	dst, err := table.Append[row](t.Context(), l, name)
	if err != nil {
		t.Fatal(err)
	}
	st, err := dst.Stage(t.Context(), minibatch.Part{}, func(yield func(row, error) bool) {
		for i := from; i < to; i++ {
			note := fmt.Sprint("note ", i)
			r := row{ID: int64(i), Note: &note, Ratio: float64(i) / 4, Day: table.MakeDate(2026, 11, 20), At: time.Unix(int64(i), 5000).UTC(), Raw: []byte{byte(i)}, Ok: i%2 == 0, Small: int32(i), skip: "x"}
			if i%3 == 0 {
				r.Note = nil
			}
			if !yield(r, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	b := minibatch.Batch{Job: "add", To: number(to)}
	if from > 0 {
		b.From = number(from)
	}
	if _, err := dst.Commit(t.Context(), b, []minibatch.Staged{st}); err != nil {
		t.Fatal(err)
	}
}

func TestRowsComeBackAsTheyWere(t *testing.T) {
	l := open(t, t.TempDir())
	add(t, l, "a.rows", 0, 5)
	n := 0
	for r, err := range table.Read[row](t.Context(), l, "a.rows") {
		if err != nil {
			t.Fatal(err)
		}
		if r.ID != int64(n) || (r.Note == nil) != (n%3 == 0) || r.Ratio != float64(n)/4 || r.Day.Format(time.DateOnly) != "2026-11-20" || !r.At.Equal(time.Unix(int64(n), 5000)) || r.Raw[0] != byte(n) || r.Ok != (n%2 == 0) || r.Small != int32(n) || r.skip != "" {
			t.Errorf("row %d: %+v", n, r)
		}
		n++
	}
	type some struct{ ID int64 }
	for _, err := range table.Read[some](t.Context(), l, "a.rows") {
		if err != nil {
			t.Fatal(err)
		}
	}
	type wrong struct{ ID string }
	for _, err := range table.Read[wrong](t.Context(), l, "a.rows") {
		if err == nil || !strings.Contains(err.Error(), "table a.rows: column id is int64, not utf8") {
			t.Errorf("got %v", err)
		}
	}
	type bad struct{ C chan int }
	if _, err := table.Append[bad](t.Context(), l, "a.bad"); err == nil || !strings.Contains(err.Error(), "field C of table_test.bad: a column cannot be chan int") {
		t.Errorf("got %v", err)
	}
}

type total struct{ ID, Doubled int64 }

func double(_ context.Context, _ minibatch.Part, in iter.Seq2[row, error], emit minibatch.Emit[total]) error {
	for r, err := range in {
		if err == nil {
			err = emit(total{r.ID, 2 * r.ID})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func job(t *testing.T, l *table.Lake) minibatch.Job[row, total] {
	t.Helper()
	dst, err := table.Append[total](context.Background(), l, "a.totals")
	if err != nil {
		t.Fatal(err)
	}
	return minibatch.Job[row, total]{Name: "double", Source: table.Added[row](l, "a.rows"), Transform: double, Sink: dst, OneToOne: true, Limits: minibatch.Limits{Rows: 6}}
}

// What a table gets goes into another one exactly once, whatever breaks, and only what is new.
func TestFromTableToTableExactlyOnce(t *testing.T) {
	minibatchtest.Crash(t, func() minibatchtest.Trial[row, total] {
		dir := t.TempDir()
		l := open(t, dir)
		for i := range 4 {
			add(t, l, "a.rows", i*4, i*4+4)
		}
		return minibatchtest.Trial[row, total]{
			Job: func() minibatch.Job[row, total] { return job(t, open(t, dir)) },
			Rows: func() (out []string) {
				for r, err := range table.Read[total](context.Background(), open(t, dir), "a.totals") {
					if err != nil {
						t.Fatal(err)
					}
					out = append(out, fmt.Sprint(r))
				}
				return out
			},
		}
	})
	dir := t.TempDir()
	l := open(t, dir)
	for i := range 3 {
		add(t, l, "a.rows", i*2, i*2+2)
		r, err := minibatch.Run(t.Context(), job(t, l), minibatch.Drain)
		if err != nil || r.RowsIn != 2 {
			t.Errorf("round %d: %+v, %v", i, r, err)
		}
	}
	add(t, l, "a.rows", 6, 8)
	compact(t, dir, "a.rows") // what was read, beside what was not
	add(t, l, "a.rows", 8, 10)
	compact(t, dir, "a.rows")
	if r, err := minibatch.Run(t.Context(), job(t, l), minibatch.Drain); err != nil || r.RowsIn != 4 {
		t.Errorf("after compactions: %+v, %v; want the 4 new rows", r, err)
	}
}

func compact(t *testing.T, dir, name string) {
	t.Helper()
	c := table.Home(dir)
	l, err := lake.Open(t.Context(), lake.Config{Catalog: c.Catalog, Warehouse: c.Warehouse})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tbl, err := l.Table(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := tbl.Compact(t.Context(), lake.Compaction{Least: 2}); err != nil || r.Snapshots == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
}
