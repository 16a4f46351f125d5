//go:build real

package real

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"weir/internal/lake"
	"weir/test/real/parts"
)

// A table is compacted by us between and after changes of its columns; Spark reads the same values. Then Spark compacts it, expires all
// but its newest snapshot, and rolls it back under us: the job goes on where it was, and the rollback is told.
func TestSparkAndWeirLookAfterOneTable(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	l, err := lake.Open(ctx, lake.Config{Catalog: filepath.Join(dir, "catalog.db"), Warehouse: filepath.Join(dir, "warehouse")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	str := func(name string) arrow.Field {
		return arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
	}
	tbl, err := l.Ensure(ctx, "bank.t", arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int32, Nullable: true}, str("note"),
		{Name: "at", Type: arrow.StructOf(arrow.Field{Name: "part", Type: arrow.PrimitiveTypes.Int32, Nullable: true}), Nullable: true},
	}, nil), lake.Options{Partition: []string{"bucket(2, id)"}, Sort: []string{"note desc"}})
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	commit := func(s *lake.Shape) {
		t.Helper()
		b := array.NewRecordBuilder(memory.DefaultAllocator, s.Schema())
		defer b.Release()
		for id := at; id < at+50; id++ {
			for i, f := range s.Schema().Fields() {
				switch fb := b.Field(i).(type) {
				case *array.Int32Builder:
					fb.Append(int32(id))
				case *array.Int64Builder:
					fb.Append(int64(id))
				case *array.StringBuilder:
					if id%3 == 0 {
						fb.AppendNull()
					} else {
						fb.Append(fmt.Sprint(f.Name, " ü", id))
					}
				default:
					fb.AppendNull()
				}
			}
		}
		files, err := tbl.WriteShape(ctx, s, func(yield func(arrow.RecordBatch, error) bool) { yield(b.NewRecordBatch(), nil) })
		if err != nil {
			t.Fatal(err)
		}
		c := lake.Commit{Job: "a", ID: fmt.Sprint(at), To: json.RawMessage(fmt.Sprint(at + 50)), Add: files}
		if at > 0 {
			c.From = json.RawMessage(fmt.Sprint(at))
		}
		if _, err := tbl.Commit(ctx, c); err != nil {
			t.Fatal(err)
		}
		at += 50
	}
	compact := func() {
		t.Helper()
		if r, err := tbl.Compact(ctx, lake.Compaction{Least: 2}); err != nil || r.Written != 2 {
			t.Fatalf("%+v, %v; want a file for either partition", r, err)
		}
	}
	narrow, err := tbl.Shape()
	if err != nil {
		t.Fatal(err)
	}
	commit(narrow)
	commit(narrow)
	compact()
	wide, err := tbl.Widen(arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, str("branch")}, nil))
	if err != nil {
		t.Fatal(err)
	}
	commit(wide)
	commit(wide)
	compact()
	if err := tbl.Mark(ctx, "reader", 1); err != nil {
		t.Fatal(err)
	}

	env := parts.SparkCatalog("jdbc:sqlite:"+filepath.Join(dir, "catalog.db"), filepath.Join(dir, "warehouse"))
	sums := "select count(*) n, sum(id) s, count(distinct id) d, count(branch) b, sum(if(note = concat('note ü', id), 1, 0)) notes, sum(if(branch = concat('branch ü', id), 1, 0)) branches, count(at) parts from weir.bank.t"
	out := parts.SparkSubmit(t, "sql.py", env, sums, "select count(*) files from weir.bank.t.files",
		"call weir.system.rewrite_data_files(table => 'bank.t', options => map('rewrite-all', 'true'))",
		"call weir.system.expire_snapshots(table => 'bank.t', older_than => timestamp '2100-01-01 00:00:00', retain_last => 1)", sums)
	t.Log(out)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	// 200 ids from 0; of each 50, those that 3 divides have no text.
	notes, branches := 0, 0
	for id := range 200 {
		if id%3 > 0 {
			notes++
			if id >= 100 {
				branches++
			}
		}
	}
	want := fmt.Sprintf(`{"n":200,"s":19900,"d":200,"b":%d,"notes":%d,"branches":%d,"parts":0}`, branches, notes, branches)
	if lines[0] != want || lines[len(lines)-1] != want {
		t.Errorf("Spark read %s, and after its own compaction %s; want %s", lines[0], lines[len(lines)-1], want)
	}
	if lines[1] != `{"files":2}` {
		t.Errorf("Spark sees %s, want 2 files", lines[1])
	}
	p, err := tbl.Position(ctx, "a")
	if err != nil || string(p.Cursor) != "200" {
		t.Fatalf("after Spark's compaction and expiry: %+v, %v", p, err)
	}
	before := tbl.Snapshots()
	if wide, err = tbl.Shape(); err != nil {
		t.Fatal(err)
	}
	commit(wide)
	compact()
	back := before[len(before)-1].ID
	out = parts.SparkSubmit(t, "sql.py", env, "select count(*) n, count(distinct id) d, sum(id) s from weir.bank.t", fmt.Sprintf("call weir.system.rollback_to_snapshot('bank.t', %d)", back))
	if !strings.HasPrefix(out, `{"n":250,"d":250,"s":31125}`) {
		t.Errorf("Spark read %s", out)
	}
	var rolled *lake.RolledBackError
	if _, err := tbl.Position(ctx, "a"); !errors.As(err, &rolled) {
		t.Errorf("got %v, want that Spark has rolled the table back", err)
	}
}
