package lake

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

var eager = Compaction{Least: 2}

func appendMany(t *testing.T, tbl *Table, from, to int64) {
	t.Helper()
	for ; from < to; from++ {
		if _, err := appendRows(t, tbl, "a", from*10, from*10+10); err != nil {
			t.Fatal(err)
		}
	}
}

func planOf(t *testing.T, tbl *Table) Plan {
	t.Helper()
	p, err := tbl.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func compact(t *testing.T, tbl *Table, c Compaction) Compacted {
	t.Helper()
	r, err := tbl.Compact(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCompactionChangesFilesAndNothingElse(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	appendMany(t, tbl, 0, 12)
	before, err := tbl.Position(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	rows := inOrder(t, tbl)
	props := headOf(tbl).Properties()
	plan := compact(t, tbl, Compaction{Least: 2, DryRun: true})
	if n := len(planOf(t, tbl).Files); n != 12 || plan.Rewritten != 12 || plan.Snapshots != 0 {
		t.Fatalf("a dry run: %+v, and %d files", plan, n)
	}
	r := compact(t, tbl, eager)
	if r.Rewritten != 12 || r.Written != 1 || r.Rows != 120 || r.To >= r.From || r.Snapshots != 1 {
		t.Errorf("got %+v", r)
	}
	if after, err := tbl.Position(t.Context(), "a"); err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("position %+v, %v; before %+v", after, err, before)
	}
	if got := inOrder(t, tbl); !slices.Equal(got, rows) {
		t.Errorf("rows %v, before %v", got, rows)
	}
	if p := planOf(t, tbl); len(p.Files) != 1 || p.Files[0].Seq != 12 {
		t.Errorf("files %+v; want one, with the number 12 of the last that it holds", p.Files)
	}
	s := headOf(tbl).CurrentSnapshot()
	if s.Summary.Operation != table.OpReplace || s.Summary.Properties[summaryJob] != "" {
		t.Errorf("the snapshot is %+v; want a replace of no job", s.Summary)
	}
	if got := headOf(tbl).Properties(); fmt.Sprint(got) != fmt.Sprint(props) {
		t.Errorf("properties %v, before %v", got, props)
	}
	if again := compact(t, tbl, eager); again.Snapshots != 0 {
		t.Errorf("a second one had work: %+v", again)
	}
	appendMany(t, tbl, 12, 13) // the job goes on as if nothing had been
	wantIDs(t, tbl, 130)
}

// inOrder lists the ids as the files have them, file after file in the order of their commits.
func inOrder(t *testing.T, tbl *Table) []int64 {
	t.Helper()
	p := planOf(t, tbl)
	slices.SortFunc(p.Files, func(a, b PlannedFile) int { return int(a.Seq - b.Seq) })
	var all []int64
	for c, err := range tbl.Scan(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c.Batch.Column(0).(*array.Int64).Int64Values()...)
	}
	return all
}

func TestCompactionTakesWhatIsWorthIt(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	appendMany(t, tbl, 0, 7)
	if r := compact(t, tbl, Compaction{}); r.Snapshots != 0 || r.Left != 7 {
		t.Errorf("seven files of one partition: %+v; want none touched", r)
	}
	if r := compact(t, tbl, Compaction{Least: 2, Settled: time.Hour}); r.Snapshots != 0 || r.Left != 7 {
		t.Errorf("files of this hour: %+v; want none touched", r)
	}
	size := planOf(t, tbl).Files[0].Bytes
	if r := compact(t, tbl, Compaction{Least: 2, Target: size}); r.Snapshots != 0 || r.Left != 0 {
		t.Errorf("files that are as big as they should be: %+v", r)
	}
	r := compact(t, tbl, Compaction{Least: 2, Target: 4 * size}) // three or four make one
	if r.Snapshots != 1 || r.Written < 2 {
		t.Errorf("files of a quarter: %+v; want a few files", r)
	}
	wantIDs(t, tbl, 70)
	// A big file is not written anew for the sake of a few small ones.
	if _, err := appendRows(t, tbl, "a", 70, 50000); err != nil {
		t.Fatal(err)
	}
	for from := int64(50000); from < 50060; from += 10 {
		if _, err := appendRows(t, tbl, "a", from, from+10); err != nil {
			t.Fatal(err)
		}
	}
	r = compact(t, tbl, Compaction{Least: 2})
	if r.Rewritten < 6 || r.Rows >= 50000 || r.Left != 1 {
		t.Errorf("a big file and small ones: %+v; want the big one left", r)
	}
	wantIDs(t, tbl, 50060)
}

func TestCompactionKeepsPartitionsAndMarksApart(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	appendMany(t, tbl, 0, 4)
	if err := tbl.Mark(t.Context(), "report", 4); err != nil {
		t.Fatal(err)
	}
	appendMany(t, tbl, 4, 9)
	if r := compact(t, tbl, eager); r.Written != 2 || r.Snapshots != 2 {
		t.Fatalf("got %+v; want a file for either side of the mark", r)
	}
	var seqs []int64
	for _, f := range planOf(t, tbl).Files {
		seqs = append(seqs, f.Seq)
		if want := map[int64]int64{4: 40, 9: 50}[f.Seq]; f.Rows != want {
			t.Errorf("the file of number %d has %d rows, want %d", f.Seq, f.Rows, want)
		}
	}
	if slices.Sort(seqs); !slices.Equal(seqs, []int64{4, 9}) {
		t.Errorf("numbers %v, want 4 and 9", seqs)
	}
	wantIDs(t, tbl, 90)

	l := open(t, t.TempDir())
	parts := ensure(t, l)
	tx := headOf(parts).NewTransaction()
	spec := tx.UpdateSpec(true).AddField("id", iceberg.BucketTransform{NumBuckets: 3}, "b")
	if err := spec.Commit(); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	parts = ensure(t, l)
	appendMany(t, parts, 0, 5)
	if n := len(planOf(t, parts).Files); n != 15 {
		t.Fatalf("%d files before", n)
	}
	if r := compact(t, parts, eager); r.Rewritten != 15 || r.Written != 3 {
		t.Errorf("got %+v; want a file for each of three partitions", r)
	}
	wantIDs(t, parts, 50)
}

func TestACompactedTableKeepsItsPartitionsAndItsOrder(t *testing.T) {
	l := open(t, t.TempDir())
	r := rand.New(rand.NewPCG(1, 2))
	for i, o := range []Options{{Partition: []string{"bucket(7, id)", "country"}}, {Sort: []string{"booked_at desc", "id"}}, {Partition: []string{"day"}, Sort: []string{"id"}}} {
		tbl, err := l.Ensure(t.Context(), fmt.Sprint("bank.t", i), layoutSchema, o)
		if err != nil {
			t.Fatal(err)
		}
		var rows []row
		for n := range 4 {
			for range 40 {
				rows = append(rows, randomRow(r, int64(len(rows))-100))
			}
			files, err := tbl.Write(t.Context(), batchesOf(tbl.Schema(), rows[40*n:], 7))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tbl.Commit(t.Context(), Commit{Job: "j", ID: fmt.Sprint(n), From: cursorOrNone(n), To: cursor(int64(n + 1)), Add: files}); err != nil {
				t.Fatal(err)
			}
		}
		before := len(planOf(t, tbl).Files)
		got := compact(t, tbl, eager)
		after := map[string]int{}
		for _, f := range planOf(t, tbl).Files {
			after[partitionKey(entry{df: f.data})]++
		}
		for p, n := range after {
			if n != 1 {
				t.Errorf("%v: %d files of partition %s", o, n, p)
			}
		}
		if got.Rewritten == 0 || len(planOf(t, tbl).Files) >= before {
			t.Errorf("%v: %+v", o, got)
		}
		checkLayout(t, tbl, o, rows)
	}
}

func cursorOrNone(n int) json.RawMessage {
	if n == 0 {
		return nil
	}
	return cursor(int64(n))
}

func TestACompactedTableHasItsLaterColumns(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	appendMany(t, tbl, 0, 3)
	shape := widen(t, tbl, column("branch", arrow.BinaryTypes.String))
	files, err := tbl.WriteShape(t.Context(), shape, func(yield func(arrow.RecordBatch, error) bool) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, shape.Schema())
		defer b.Release()
		b.Field(0).(*array.Int64Builder).Append(30)
		b.Field(1).AppendNull()
		b.Field(2).AppendNull()
		b.Field(3).(*array.StringBuilder).Append("north")
		yield(b.NewRecordBatch(), nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tbl.Commit(t.Context(), Commit{Job: "w", ID: "w", To: cursor(31), Add: files}); err != nil {
		t.Fatal(err)
	}
	if r := compact(t, tbl, eager); r.Rewritten != 4 || r.Written != 1 {
		t.Fatalf("got %+v", r)
	}
	wantIDs(t, tbl, 31)
	for c, err := range tbl.Scan(t.Context(), planOf(t, tbl)) {
		if err != nil {
			t.Fatal(err)
		}
		col := c.Batch.Column(c.Batch.Schema().FieldIndices("branch")[0])
		if got := int64(col.Len() - col.NullN()); got != 1 {
			t.Errorf("%d rows have the later column, want 1", got)
		}
	}
}

// Somebody appends between the reading and the swap: the same new files go into the new head. Somebody takes a file away: nothing
// changes, and the new files are gone again.
func TestCompactionMeetsOtherCommits(t *testing.T) {
	home := t.TempDir()
	l := open(t, home)
	tbl, other := ensure(t, l), ensure(t, open(t, home))
	appendMany(t, tbl, 0, 4)
	meanwhile(l, func() { appendMany(t, other, 4, 5) })
	if r := compact(t, tbl, eager); r.Rewritten != 4 || r.Snapshots != 1 {
		t.Errorf("got %+v", r)
	}
	wantIDs(t, tbl, 50)
	if n := len(planOf(t, tbl).Files); n != 2 {
		t.Errorf("%d files, want the compacted one and the one that came meanwhile", n)
	}

	appendMany(t, other, 5, 8)
	stored := dataNames(t, home)
	meanwhile(l, func() {
		p := planOf(t, other)
		if _, err := other.Commit(t.Context(), Commit{Job: "b", ID: "del", To: cursor(1), Remove: []File{p.Files[0].File}}); err != nil {
			t.Error(err)
		}
	})
	if _, err := tbl.Compact(t.Context(), eager); !errors.Is(err, errGone) {
		t.Errorf("got %v, want that a file has gone", err)
	}
	if got := dataNames(t, home); !slices.Equal(got, stored) {
		t.Errorf("files %v, before %v", got, stored)
	}
}

func dataNames(t *testing.T, home string) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(home, "warehouse", "bank.db", "rows", "data", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// late is a catalog before whose next swap something happens.
type late struct {
	catalogIO
	do func()
}

func meanwhile(l *Lake, do func()) { l.cat = &late{l.cat, do} }

func (c *late) CommitTable(ctx context.Context, id table.Identifier, r []table.Requirement, u []table.Update) (table.Metadata, string, error) {
	if do := c.do; do != nil {
		c.do = nil
		do()
	}
	return c.catalogIO.CommitTable(ctx, id, r, u)
}

func TestCompactionAppliedButTheAnswerWasLost(t *testing.T) {
	for at := 1; at < 7; at++ {
		t.Run(fmt.Sprintf("step %d", at), func(t *testing.T) {
			l := open(t, t.TempDir())
			tbl := ensure(t, l)
			appendMany(t, tbl, 0, 4)
			l.cat = &liar{catalogIO: l.cat, at: at}
			_, err := tbl.Compact(t.Context(), eager)
			if at > 1 && err != nil { // the first step only reads
				t.Error(err)
			}
			wantIDs(t, tbl, 40)
			if n := len(planOf(t, tbl).Files); err == nil && n != 1 {
				t.Errorf("%d files", n)
			}
			replaces := 0
			for _, s := range tbl.Snapshots() {
				if s.Summary["operation"] == "replace" {
					replaces++
				}
			}
			if replaces > 1 {
				t.Errorf("it was done %d times", replaces)
			}
		})
	}
}

// The process dies at each step of a compaction; the table stays whole, and the next one ends the work.
func TestCompactionDiesAtEveryStep(t *testing.T) {
	work := func(t *testing.T, l *Lake) error {
		tbl, err := l.Table(t.Context(), "bank.rows")
		if err != nil {
			return err
		}
		_, err = tbl.Compact(t.Context(), eager)
		return err
	}
	prepare := func(t *testing.T) string {
		home := t.TempDir()
		appendMany(t, ensure(t, open(t, home)), 0, 4)
		return home
	}
	l := open(t, prepare(t))
	count := &liar{catalogIO: l.cat}
	l.cat = count
	if err := work(t, l); err != nil {
		t.Fatal(err)
	}
	if count.steps < 5 {
		t.Fatalf("only %d steps", count.steps)
	}
	for step := 1; step <= count.steps; step++ {
		t.Run(fmt.Sprintf("dies at step %d", step), func(t *testing.T) {
			home := prepare(t)
			l := open(t, home)
			l.cat = &liar{catalogIO: l.cat, at: step, fatal: true}
			dead := make(chan bool)
			go func() {
				defer close(dead)
				_ = work(t, l)
				t.Error("it lived on")
			}()
			<-dead
			next := open(t, home)
			wantIDs(t, ensure(t, next), 40)
			if err := work(t, next); err != nil {
				t.Fatal(err)
			}
			tbl := ensure(t, next)
			wantIDs(t, tbl, 40)
			if p, err := tbl.Position(t.Context(), "a"); err != nil || string(p.Cursor) != "40" {
				t.Errorf("position %+v, %v", p, err)
			}
			if n := len(planOf(t, tbl).Files); n != 1 {
				t.Errorf("%d files", n)
			}
			appendMany(t, tbl, 4, 5)
		})
	}
}

// What was replaced stays for queries that run: many commits later its snapshot and its files are still there.
func TestReplacedFilesOutliveExpiry(t *testing.T) {
	home := t.TempDir()
	l := open(t, home)
	tbl := ensure(t, l)
	appendMany(t, tbl, 0, 4)
	old := planOf(t, tbl)
	compact(t, tbl, eager)
	appendMany(t, tbl, 4, 90)
	if n := len(tbl.Snapshots()); n > 45 {
		t.Fatalf("%d snapshots: nothing was expired", n)
	}
	for _, f := range old.Files {
		if _, err := os.Stat(f.Path); err != nil {
			t.Errorf("a replaced file is gone too early: %v", err)
		}
	}
	tag := ""
	for name := range headOf(tbl).Metadata().Refs() {
		if strings.HasPrefix(name, replacedTag) {
			tag = name
		}
	}
	if tag == "" {
		t.Fatal("no tag keeps it")
	}
}

func TestATableThatForbidsExpiryGoesOn(t *testing.T) {
	tbl, err := open(t, t.TempDir()).Ensure(t.Context(), "bank.rows", testSchema, Options{Properties: map[string]string{"gc.enabled": "false"}})
	if err != nil {
		t.Fatal(err)
	}
	for n := range int64(52) {
		if _, err := appendRows(t, tbl, "a", n, n+1); err != nil {
			t.Fatalf("commit %d: %v", n, err)
		}
	}
	if n := len(headOf(tbl).Metadata().Snapshots()); n != 52 {
		t.Errorf("%d snapshots, want all", n)
	}
}

// The table's location has another name than its files were written under.
func TestAFileWithTwoNamesIsNoOrphan(t *testing.T) {
	home := t.TempDir()
	l := open(t, home)
	tbl := ensure(t, l)
	if _, err := appendRows(t, tbl, "a", 0, 10); err != nil {
		t.Fatal(err)
	}
	alias := filepath.Join(t.TempDir(), "alias")
	if err := os.Symlink(home, alias); err != nil {
		t.Fatal(err)
	}
	if _, _, err := l.cat.CommitTable(t.Context(), tbl.id, nil, []table.Update{table.NewSetLocationUpdate(strings.Replace(headOf(tbl).Location(), home, alias, 1))}); err != nil {
		t.Fatal(err)
	}
	if err := tbl.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	if found, err := tbl.Orphans(t.Context(), -1); err != nil || len(found) > 0 {
		t.Errorf("got %+v, %v; want none", found, err)
	}
}
