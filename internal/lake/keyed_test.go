package lake

import (
	"encoding/json"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// notes yields one batch of ids with their notes.
func notes(s *arrow.Schema, of map[int64]string) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, s)
		defer b.Release()
		for _, id := range slices.Sorted(maps.Keys(of)) {
			b.Field(0).(*array.Int64Builder).Append(id)
			b.Field(1).(*array.StringBuilder).Append(of[id])
			for i := 2; i < len(b.Fields()); i++ {
				b.Field(i).AppendNull()
			}
		}
		yield(b.NewRecordBatch(), nil)
	}
}

// held are the notes that a table holds; it fails where a key is there twice.
func held(t *testing.T, tbl *Table) map[int64]string {
	t.Helper()
	p, err := tbl.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[int64]string{}
	for c, err := range tbl.Scan(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(c.Batch.NumRows()) {
			id := c.Batch.Column(0).(*array.Int64).Value(i)
			if _, twice := out[id]; twice {
				t.Errorf("key %d is there twice", id)
			}
			out[id] = c.Batch.Column(1).(*array.String).Value(i)
		}
	}
	return out
}

func keysFor(ids iter.Seq[int64]) map[string]struct{} {
	b := array.NewInt64Builder(memory.DefaultAllocator)
	for id := range ids {
		b.Append(id)
	}
	rec := array.NewRecordBatch(arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}, nil), []arrow.Array{b.NewArray()}, -1)
	key, out := KeysOf(rec, []string{"id"}), map[string]struct{}{}
	for i := range int(rec.NumRows()) {
		k, _ := key(i)
		out[k] = struct{}{}
	}
	return out
}

// Whatever is written, deleted, compacted beside and tried again after a restart: the table holds what a map would.
func TestAKeyedTableIsAMap(t *testing.T) {
	for seed, o := range []Options{{}, {Partition: []string{"bucket(3, id)"}}, {Sort: []string{"note"}}, {Partition: []string{"truncate(1, note)"}, Sort: []string{"id desc"}}} {
		home := t.TempDir()
		l, beside := open(t, home), open(t, home)
		o.Key = []string{"id"}
		tbl, err := l.Ensure(t.Context(), "bank.rows", testSchema, o)
		if err != nil {
			t.Fatal(err)
		}
		other, err := beside.Table(t.Context(), "bank.rows")
		if err != nil {
			t.Fatal(err)
		}
		k, err := tbl.Keyed([]string{"id"})
		if err != nil {
			t.Fatal(err)
		}
		r, model := rand.New(rand.NewPCG(uint64(seed), 1)), map[int64]string{}
		for step := range int64(16) {
			puts, gone := map[int64]string{}, map[int64]string{}
			for range r.IntN(12) {
				puts[r.Int64N(60)-20] = fmt.Sprintf("%c%d", 'a'+r.IntN(4), step)
			}
			for range r.IntN(4) {
				if id := r.Int64N(60) - 20; puts[id] == "" {
					gone[id] = "x"
				}
			}
			files := []File(nil)
			if len(puts) > 0 {
				if files, err = tbl.Write(t.Context(), notes(tbl.Schema(), puts)); err != nil {
					t.Fatal(err)
				}
			}
			all := maps.Clone(puts)
			maps.Copy(all, gone)
			disturb := r.IntN(4) == 0
			c := Commit{Job: "j", ID: fmt.Sprint("j", step), Add: files, Advance: func(json.RawMessage) (json.RawMessage, error) {
				if disturb { // between the plan of this commit and its swap
					disturb = false
					compact(t, other, Compaction{Least: 1})
				}
				return cursor(step), nil
			}}
			if _, err := k.Commit(t.Context(), c, keysFor(maps.Keys(all))); err != nil {
				t.Fatalf("%v step %d: %v", o, step, err)
			}
			if r.IntN(5) == 0 { // its answer was lost: another process tries it again
				if k, err = tbl.Keyed([]string{"id"}); err != nil {
					t.Fatal(err)
				}
				if rc, err := k.Commit(t.Context(), c, keysFor(maps.Keys(all))); err != nil || !rc.Already {
					t.Fatalf("again: %+v, %v", rc, err)
				}
			}
			maps.Copy(model, puts)
			for id := range gone {
				delete(model, id)
			}
			if got := held(t, tbl); !maps.Equal(got, model) {
				t.Fatalf("%v: after step %d the table holds %v, want %v", o, step, got, model)
			}
		}
		checkNoStrays(t, tbl)
	}
}

// checkNoStrays: each data file belongs to a snapshot that is left.
func checkNoStrays(t *testing.T, tbl *Table) {
	t.Helper()
	known := map[string]bool{}
	head := headOf(tbl)
	_, fs := tbl.current()
	for _, s := range head.Metadata().Snapshots() {
		manifests, err := s.Manifests(fs)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range manifests {
			for e, err := range m.Entries(fs, false) {
				if err != nil {
					t.Fatal(err)
				}
				known[fileOf(e.DataFile()).Path] = true
			}
		}
	}
	err := filepath.WalkDir(tbl.DataDir(), func(path string, d os.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".parquet") && !known[path] {
			t.Errorf("%s belongs to no snapshot", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Nobody else adds rows to a table with one row for each key.
func TestOnlyAKeyedAddsToAKeyedTable(t *testing.T) {
	l := open(t, t.TempDir())
	tbl, err := l.Ensure(t.Context(), "bank.rows", testSchema, Options{Key: []string{"id"}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = appendRows(t, tbl, "j", 0, 1)
	if err == nil || !strings.Contains(err.Error(), "has one row for each id") || !Operator(err) {
		t.Errorf("an append: %v", err)
	}
	for _, key := range []string{"at", "at.part", "nothing"} {
		if _, err := tbl.Keyed([]string{key}); err == nil {
			t.Errorf("column %s may be a key", key)
		}
	}
}

// Keys that the table does not have, and files whose bounds rule the keys out, cost nothing.
func TestKeysThatAreNowhereCostNoRewrite(t *testing.T) {
	l := open(t, t.TempDir())
	tbl := ensure(t, l)
	k, err := tbl.Keyed([]string{"id"})
	if err != nil {
		t.Fatal(err)
	}
	for i, from := range []int64{0, 1000, 2000} {
		files := write(t, tbl, from, from+100)
		ids := func(yield func(int64) bool) {
			for id := from; id < from+100 && yield(id); id++ {
			}
		}
		if _, err := k.Commit(t.Context(), Commit{Job: "j", ID: fmt.Sprint(i), Advance: func(json.RawMessage) (json.RawMessage, error) { return cursor(from), nil }, Add: files}, keysFor(ids)); err != nil {
			t.Fatal(err)
		}
	}
	if k.Read != 0 || k.Rewritten != 0 {
		t.Errorf("read %d, rewritten %d bytes of files whose bounds rule the keys out", k.Read, k.Rewritten)
	}
	if _, err := k.Commit(t.Context(), Commit{Job: "j", ID: "one", Advance: func(json.RawMessage) (json.RawMessage, error) { return cursor(3), nil }}, keysFor(slices.Values([]int64{1050}))); err != nil {
		t.Fatal(err)
	}
	if k.Read == 0 || k.Rewritten == 0 || len(held(t, tbl)) != 299 {
		t.Errorf("one row was to go: read %d, rewritten %d, %d rows", k.Read, k.Rewritten, len(held(t, tbl)))
	}
}

// Another upsert job commits the key between the plan and the swap: its row is looked at, too.
func TestTwoUpsertJobsLeaveOneRow(t *testing.T) {
	home, keyed := t.TempDir(), Options{Key: []string{"id"}}
	var tables [2]*Table
	var by [2]*Keyed
	for i := range tables {
		var err error
		if tables[i], err = open(t, home).Ensure(t.Context(), "bank.rows", testSchema, keyed); err != nil {
			t.Fatal(err)
		}
		if by[i], err = tables[i].Keyed(keyed.Key); err != nil {
			t.Fatal(err)
		}
	}
	commit := func(i int, job, note string, advance func()) {
		t.Helper()
		row := map[int64]string{1: note}
		files, err := tables[i].Write(t.Context(), notes(tables[i].Schema(), row))
		if err != nil {
			t.Fatal(err)
		}
		_, err = by[i].Commit(t.Context(), Commit{Job: job, ID: job, Add: files, Advance: func(json.RawMessage) (json.RawMessage, error) {
			advance()
			return cursor(1), nil
		}}, keysFor(maps.Keys(row)))
		if err != nil {
			t.Fatal(err)
		}
	}
	between := true
	commit(0, "a", "first", func() {
		if between {
			between = false
			commit(1, "b", "second", func() {})
		}
	})
	if got := held(t, tables[0]); len(got) != 1 || got[1] != "first" {
		t.Errorf("got %v, want the row that was committed last", got)
	}
}

// A file whose rows are all replaced leaves none behind, and neither does a batch without rows.
func TestNoFilesWithoutRows(t *testing.T) {
	for _, o := range []Options{{}, {Sort: []string{"note"}}, {Partition: []string{"bucket(3, id)"}}} {
		o.Key = []string{"id"}
		tbl, err := open(t, t.TempDir()).Ensure(t.Context(), "bank.rows", testSchema, o)
		if err != nil {
			t.Fatal(err)
		}
		if files, err := tbl.Write(t.Context(), notes(tbl.Schema(), nil)); err != nil || len(files) != 0 {
			t.Errorf("%+v: no rows make %d files, %v", o, len(files), err)
		}
		k, err := tbl.Keyed([]string{"id"})
		if err != nil {
			t.Fatal(err)
		}
		upsert := func(n int64, puts map[int64]string, gone ...int64) {
			t.Helper()
			files, err := tbl.Write(t.Context(), notes(tbl.Schema(), puts))
			if err != nil {
				t.Fatal(err)
			}
			c := Commit{Job: "j", ID: fmt.Sprint(n), Add: files, Advance: func(json.RawMessage) (json.RawMessage, error) { return cursor(n), nil }}
			if _, err := k.Commit(t.Context(), c, keysFor(slices.Values(append(gone, slices.Collect(maps.Keys(puts))...)))); err != nil {
				t.Fatal(err)
			}
		}
		for n := range int64(4) {
			upsert(n, map[int64]string{1: fmt.Sprint(n)})
			if files := planOf(t, tbl).Files; len(files) != 1 || files[0].Rows != 1 {
				t.Errorf("%+v: after %d commits of one row %d files", o, n+1, len(files))
			}
		}
		upsert(4, nil, 1)
		if files := planOf(t, tbl).Files; len(files) != 0 {
			t.Errorf("%+v: without a row the table has %d files", o, len(files))
		}
		upsert(5, map[int64]string{1: "again"})
		if got := held(t, tbl); !maps.Equal(got, map[int64]string{1: "again"}) {
			t.Errorf("%+v: got %v", o, got)
		}
	}
}
