//go:build real

package real

import (
	"encoding/json"
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

var arranged = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "country", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "booked_at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
	{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	{Name: "amount", Type: &arrow.Decimal128Type{Precision: 10, Scale: 2}, Nullable: true},
}, nil)

// arrangedRows has values on both sides of 1970 and of zero, and nulls; step tells versions of a row apart.
func arrangedRows(s *arrow.Schema, ids []int64, step int64) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	for _, id := range ids {
		b.Field(0).(*array.Int64Builder).Append(id)
		if id%7 == 0 {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append([]string{"", "Österreich", "null", "CH/ a=b", "DE"}[(id%5+5)%5])
		}
		if id%11 == 0 {
			b.Field(2).AppendNull()
		} else {
			b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(id*3_700_000_001 + step))
		}
		if id%13 == 0 {
			b.Field(3).AppendNull()
		} else {
			b.Field(3).(*array.Date32Builder).Append(arrow.Date32(id * 3))
		}
		if err := b.Field(4).AppendValueFromString(fmt.Sprintf("%d.25", id)); err != nil {
			panic(err)
		}
	}
	return b.NewRecordBatch()
}

// Spark works out each row's partition by its own functions and finds it in the file of that partition; it reads sorted and upserted
// tables as they were written, and appends to one in our layout.
func TestSparkReadsPartitionedSortedAndUpsertedTables(t *testing.T) {
	dir := t.TempDir()
	uri, warehouse := filepath.Join(dir, "catalog.db"), filepath.Join(dir, "warehouse")
	l, err := lake.Open(t.Context(), lake.Config{Catalog: uri, Warehouse: warehouse})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var all []int64
	for i := range int64(120) {
		all = append(all, i*37%120-60) // in no order
	}
	statements, names := []string{}, []string{}
	ask := func(name, sql string) { statements, names = append(statements, sql), append(names, name) }
	for name, x := range map[string]struct{ partition, own, column string }{
		"years":      {"year(booked_at)", "weir.system.years(booked_at)", "booked_at_year"},
		"months":     {"month(day)", "weir.system.months(day)", "day_month"},
		"days":       {"day(booked_at)", "weir.system.days(booked_at)", "booked_at_day"},
		"hours":      {"hour(booked_at)", "weir.system.hours(booked_at)", "booked_at_hour"},
		"ids":        {"bucket(7, id)", "weir.system.bucket(7, id)", "id_bucket_7"},
		"countries":  {"bucket(3, country)", "weir.system.bucket(3, country)", "country_bucket_3"},
		"times":      {"bucket(5, booked_at)", "weir.system.bucket(5, booked_at)", "booked_at_bucket_5"},
		"amounts":    {"bucket(4, amount)", "weir.system.bucket(4, amount)", "amount_bucket_4"},
		"tens":       {"truncate(10, id)", "weir.system.truncate(10, id)", "id_trunc_10"},
		"letters":    {"truncate(2, country)", "weir.system.truncate(2, country)", "country_trunc_2"},
		"identities": {"country", "country", "country"},
		"dates":      {"day", "day", "day"},
	} {
		commitArranged(t, l, name, lake.Options{Partition: []string{x.partition}, Sort: []string{"day desc", "id"}}, all)
		ask(name, fmt.Sprintf("select count(*) rows, count(distinct id) ids, sum(id) total, count_if(not (_partition.%s <=> %s)) strays from weir.bank.%s", x.column, x.own, name))
	}

	commitArranged(t, l, "several", lake.Options{Partition: []string{"month(booked_at)", "bucket(2, id)"}, Sort: []string{"id desc"}}, all)
	statements = append(statements, "insert into weir.bank.several select 1000 + id, country, booked_at, day, amount from weir.bank.several where id < 0 and booked_at is not null")
	ask("several", "select count(*) rows, count(distinct id) ids, sum(id) total, count_if(not (_partition.id_bucket_2 <=> weir.system.bucket(2, id))) strays from weir.bank.several where id < 100")

	upserted(t, l, all)
	ask("upserted", "select count(*) rows, count(distinct id) ids, sum(id) total, count_if(unix_micros(booked_at) <> id * 3700000001 + if(id % 2 = 0, 2, 1)) strays from weir.bank.upserted")

	out := parts.SparkSubmit(t, "sql.py", parts.SparkCatalog("jdbc:sqlite:"+uri, warehouse), statements...)
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != len(names) {
		t.Fatalf("%d answers to %d questions: %s", len(lines), len(names), out)
	}
	type answer struct{ Rows, Ids, Total, Strays int64 }
	for i, line := range lines {
		var got answer
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		var want answer
		for _, id := range all {
			if names[i] != "upserted" || id >= 0 {
				want.Rows, want.Ids, want.Total = want.Rows+1, want.Ids+1, want.Total+id
			}
		}
		if got != want {
			t.Errorf("%s: Spark says %+v, want %+v", names[i], got, want)
		}
	}
	plan := openTable(t, l, "bank.several")
	if err := plan.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := plan.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rows int64
	for c, err := range plan.Scan(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		rows += c.Batch.NumRows()
	}
	if want := int64(len(all)) + booked(all); rows != want {
		t.Errorf("with Spark's rows there are %d, want %d", rows, want)
	}
}

// booked counts the rows that Spark adds.
func booked(ids []int64) (n int64) {
	for _, id := range ids {
		if id < 0 && id%11 != 0 {
			n++
		}
	}
	return n
}

func openTable(t *testing.T, l *lake.Lake, name string) *lake.Table {
	t.Helper()
	tbl, err := l.Table(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	return tbl
}

func stageArranged(t *testing.T, tbl *lake.Table, ids []int64, step int64) (arrow.RecordBatch, []lake.File) {
	t.Helper()
	b := arrangedRows(tbl.Schema(), ids, step)
	b.Retain()
	files, err := tbl.Write(t.Context(), func(yield func(arrow.RecordBatch, error) bool) { yield(b, nil) })
	if err != nil {
		t.Fatal(err)
	}
	return b, files
}

func commitArranged(t *testing.T, l *lake.Lake, name string, o lake.Options, ids []int64) {
	t.Helper()
	tbl, err := l.Ensure(t.Context(), "bank."+name, arranged, o)
	if err != nil {
		t.Fatal(err)
	}
	_, files := stageArranged(t, tbl, ids, 1)
	if _, err := tbl.Commit(t.Context(), lake.Commit{Job: "j", ID: "1", To: json.RawMessage("1"), Add: files}); err != nil {
		t.Fatal(err)
	}
}

// upserted writes all rows, then the even ones again, then deletes those below zero.
func upserted(t *testing.T, l *lake.Lake, ids []int64) {
	t.Helper()
	tbl, err := l.Ensure(t.Context(), "bank.upserted", arranged, lake.Options{Partition: []string{"bucket(3, id)"}, Sort: []string{"id"}, Key: []string{"id"}})
	if err != nil {
		t.Fatal(err)
	}
	k, err := tbl.Keyed([]string{"id"})
	if err != nil {
		t.Fatal(err)
	}
	for i, of := range []func(int64) bool{func(int64) bool { return true }, func(id int64) bool { return id%2 == 0 }, func(id int64) bool { return id < 0 }} {
		step := i + 1
		var some []int64
		for _, id := range ids {
			if of(id) {
				some = append(some, id)
			}
		}
		b, files := stageArranged(t, tbl, some, int64(step))
		if step == 3 {
			if err := tbl.Drop(files); err != nil {
				t.Fatal(err)
			}
			files = nil
		}
		keys, key := map[string]struct{}{}, lake.KeysOf(b, []string{"id"})
		for row := range some {
			text, _ := key(row)
			keys[text] = struct{}{}
		}
		c := lake.Commit{Job: "j", ID: fmt.Sprint(step), Add: files, Advance: func(json.RawMessage) (json.RawMessage, error) { return json.RawMessage(fmt.Sprint(step)), nil }}
		if _, err := k.Commit(t.Context(), c, keys); err != nil {
			t.Fatal(err)
		}
	}
}
