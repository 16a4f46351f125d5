package lake

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
)

var layoutSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "country", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "booked_at", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
	{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	{Name: "owner", Type: arrow.StructOf(arrow.Field{Name: "no", Type: arrow.PrimitiveTypes.Int32, Nullable: true}), Nullable: true},
	{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String), Nullable: true},
	{Name: "attrs", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64), Nullable: true},
}, nil)

// A row of layoutSchema; nil is null.
type row struct {
	id        int64
	country   *string
	booked    *int64 // µs
	day       *int32
	owner     *int32
	ownerNull bool
}

func randomRow(r *rand.Rand, id int64) row {
	w := row{id: id, ownerNull: r.IntN(10) == 0}
	if r.IntN(8) > 0 {
		s := []string{"", "DE", "dé/ß=ü", "null", "CH", strings.Repeat("x", 40)}[r.IntN(6)]
		w.country = &s
	}
	if r.IntN(8) > 0 {
		us := r.Int64N(int64(20*24*time.Hour/time.Microsecond)) - int64(10*24*time.Hour/time.Microsecond) // around 1970
		w.booked = &us
	}
	if r.IntN(8) > 0 {
		d := r.Int32N(800) - 400
		w.day = &d
	}
	if !w.ownerNull && r.IntN(4) > 0 {
		n := r.Int32N(100) - 50
		w.owner = &n
	}
	return w
}

func batchOf(s *arrow.Schema, rows []row) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	for _, r := range rows {
		b.Field(0).(*array.Int64Builder).Append(r.id)
		if r.country == nil {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append(*r.country)
		}
		if r.booked == nil {
			b.Field(2).AppendNull()
		} else {
			b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(*r.booked))
		}
		if r.day == nil {
			b.Field(3).AppendNull()
		} else {
			b.Field(3).(*array.Date32Builder).Append(arrow.Date32(*r.day))
		}
		st := b.Field(4).(*array.StructBuilder)
		st.Append(!r.ownerNull)
		if r.owner == nil && !r.ownerNull {
			st.FieldBuilder(0).AppendNull()
		} else if r.owner != nil {
			st.FieldBuilder(0).(*array.Int32Builder).Append(*r.owner)
		}
		l := b.Field(5).(*array.ListBuilder)
		m := b.Field(6).(*array.MapBuilder)
		l.Append(true)
		m.Append(true)
		for i := range r.id % 3 {
			l.ValueBuilder().(*array.StringBuilder).Append(fmt.Sprint(r.id, i))
			m.KeyBuilder().(*array.StringBuilder).Append(fmt.Sprint(i))
			m.ItemBuilder().(*array.Int64Builder).Append(r.id)
		}
	}
	return b.NewRecordBatch()
}

func batchesOf(s *arrow.Schema, rows []row, each int) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for some := range slices.Chunk(rows, each) {
			if !yield(batchOf(s, some), nil) {
				return
			}
		}
	}
}

// partitionOf is the value that a row has for a partition expression, worked out anew: days and hours count down from 1970.
func partitionOf(t *testing.T, text string, r row) string {
	t.Helper()
	floor := func(n, by int64) string {
		q := n / by
		if n%by < 0 {
			q--
		}
		return fmt.Sprint(q)
	}
	null := func(isNull bool, then func() string) string {
		if isNull {
			return "null"
		}
		return then()
	}
	hash := func(n int32, l iceberg.Literal) string {
		v := iceberg.BucketTransform{NumBuckets: int(n)}.Apply(iceberg.Optional[iceberg.Literal]{Valid: true, Val: l})
		return fmt.Sprint(v.Val.Any())
	}
	switch text {
	case "country":
		return null(r.country == nil, func() string { return *r.country })
	case "truncate(2, country)":
		return null(r.country == nil, func() string { c := []rune(*r.country); return string(c[:min(2, len(c))]) })
	case "truncate(10, id)":
		return fmt.Sprint(r.id - ((r.id%10)+10)%10)
	case "bucket(7, id)":
		return hash(7, iceberg.NewLiteral(r.id))
	case "bucket(3, country)":
		return null(r.country == nil, func() string { return hash(3, iceberg.NewLiteral(*r.country)) })
	case "owner.no":
		return null(r.owner == nil, func() string { return fmt.Sprint(*r.owner) })
	case "day":
		return null(r.day == nil, func() string { return fmt.Sprint(*r.day) })
	case "hour(booked_at)":
		return null(r.booked == nil, func() string { return floor(*r.booked, 3600e6) })
	case "day(booked_at)":
		return null(r.booked == nil, func() string { return floor(*r.booked, 86400e6) })
	case "month(booked_at)":
		return null(r.booked == nil, func() string {
			at := time.UnixMicro(*r.booked).UTC()
			return fmt.Sprint((at.Year()-1970)*12 + int(at.Month()) - 1)
		})
	case "year(day)":
		return null(r.day == nil, func() string { return fmt.Sprint(time.Unix(int64(*r.day)*86400, 0).UTC().Year() - 1970) })
	}
	t.Fatal(text)
	return ""
}

var expressions = []string{"country", "truncate(2, country)", "truncate(10, id)", "bucket(7, id)", "bucket(3, country)", "owner.no", "day",
	"hour(booked_at)", "day(booked_at)", "month(booked_at)", "year(day)"}

// Whatever the rows and the layout: each row is in the file of its partition, once, in the order of its file.
func TestEachRowIsInItsPartition(t *testing.T) {
	defer func(n int64) { arrangeBytes = n }(arrangeBytes)
	l := open(t, t.TempDir())
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 7))
		arrangeBytes = []int64{1, 5_000, 64 << 20}[r.IntN(3)] // a piece for each batch, a few, one for all
		var o Options
		for _, i := range r.Perm(len(expressions))[:seed%4] {
			if !redundant(append(slices.Clone(o.Partition), expressions[i])) {
				o.Partition = append(o.Partition, expressions[i])
			}
		}
		o.Sort = [][]string{nil, {"id"}, {"booked_at desc", "id"}, {"country", "day desc"}}[r.IntN(4)]
		name := fmt.Sprintf("bank.t%d", seed)
		tbl, err := l.Ensure(t.Context(), name, layoutSchema, o)
		if err != nil {
			t.Fatalf("%v: %v", o, err)
		}
		if p, s := tbl.Layout(); !slices.Equal(p, o.Partition) || !slices.Equal(s, o.Sort) {
			t.Errorf("the table says it is laid out %v %v, not %v", p, s, o)
		}
		rows := make([]row, 1+r.IntN(120))
		for i := range rows {
			rows[i] = randomRow(r, int64(i)-100)
		}
		mixed := slices.Clone(rows)
		r.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
		files, err := tbl.Write(t.Context(), batchesOf(tbl.Schema(), mixed, 1+r.IntN(60)))
		if err != nil {
			t.Fatalf("%v: %v", o, err)
		}
		if _, err := tbl.Commit(t.Context(), Commit{Job: "j", ID: name, To: cursor(1), Add: files}); err != nil {
			t.Fatalf("%v: %v", o, err)
		}
		checkLayout(t, tbl, o, rows)
	}
}

// redundant are two parts of the same time, which Iceberg refuses.
func redundant(parts []string) bool {
	n := 0
	for _, p := range parts {
		if strings.HasSuffix(p, "(booked_at)") {
			n++
		}
	}
	return n > 1
}

func checkLayout(t *testing.T, tbl *Table, o Options, rows []row) {
	t.Helper()
	p, err := tbl.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	spec := headOf(tbl).Spec()
	seen := map[int64]int{}
	for _, f := range p.Files {
		var want []string
		for _, field := range spec.Fields() {
			want = append(want, value(f.data.Partition()[field.FieldID]))
		}
		var last *row
		for c, err := range tbl.Scan(t.Context(), Plan{Files: []PlannedFile{f}}) {
			if err != nil {
				t.Fatal(err)
			}
			for i := range int(c.Batch.NumRows()) {
				id := c.Batch.Column(0).(*array.Int64).Value(i)
				r := rows[id+100]
				seen[id]++
				var got []string
				for _, e := range o.Partition {
					got = append(got, partitionOf(t, e, r))
				}
				if !slices.Equal(got, want) {
					t.Errorf("%v: row %d with %v is in the file of %v", o, id, got, want)
				}
				if last != nil && after(o.Sort, *last, r) {
					t.Errorf("%v: row %d stands before row %d", o, last.id, id)
				}
				last = &r
				if tags := c.Batch.Column(5).(*array.List); len(rows) > 0 && int(id%3) != 0 && id > 0 {
					if from, to := tags.ValueOffsets(i); to-from != id%3 {
						t.Errorf("row %d has %d tags", id, to-from)
					}
				}
			}
		}
	}
	if len(seen) != len(rows) {
		t.Errorf("%v: %d rows of %d are there", o, len(seen), len(rows))
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%v: row %d is there %d times", o, id, n)
		}
	}
}

func value(v any) string {
	if v == nil {
		return "null"
	}
	if d, ok := v.(iceberg.Date); ok {
		return fmt.Sprint(int32(d))
	}
	return fmt.Sprint(v)
}

// after reports that a comes after b in an order.
func after(by []string, a, b row) bool {
	for _, s := range by {
		name, desc := strings.CutSuffix(s, " desc")
		var c int
		switch name {
		case "id":
			c = compare(&a.id, &b.id)
		case "country":
			c = compare(a.country, b.country)
		case "booked_at":
			c = compare(a.booked, b.booked)
		case "day":
			c = compare(a.day, b.day)
		}
		if desc {
			c = -c
		}
		if c != 0 {
			return c > 0
		}
	}
	return false
}

// compare puts null first.
func compare[T int32 | int64 | string](a, b *T) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	case *a < *b:
		return -1
	case *a > *b:
		return 1
	}
	return 0
}

func TestLayoutsThatATableCannotHave(t *testing.T) {
	l := open(t, t.TempDir())
	for _, c := range []struct {
		o    Options
		path string
		say  string
	}{
		{Options{Partition: []string{"days(booked_at)"}}, "partition[0]", "expected a column"},
		{Options{Partition: []string{"country", "bucket(0, id)"}}, "partition[1]", "bucket(16, c)"},
		{Options{Partition: []string{"bucket(id)"}}, "partition[0]", "bucket(16, c)"},
		{Options{Partition: []string{"day(2, booked_at)"}}, "partition[0]", "expected"},
		{Options{Partition: []string{"day(booked)"}}, "partition[0]", "no column booked; it has id, country, booked_at, day, owner.no"},
		{Options{Partition: []string{"day(country)"}}, "partition[0]", "no day can be taken"},
		{Options{Partition: []string{"tags.element"}}, "partition[0]", "can be taken"},
		{Options{Partition: []string{"owner"}}, "partition[0]", "can be taken"},
		{Options{Partition: []string{"day(booked_at)", "hour(booked_at)"}}, "partition[1]", "the finer"},
		{Options{Sort: []string{"id down"}}, "sort[0]", "with its direction"},
		{Options{Sort: []string{"id", "owner.no"}}, "sort[1]", "lies within"},
		{Options{Sort: []string{"nothing"}}, "sort[0]", "no column nothing"},
	} {
		_, err := l.Ensure(t.Context(), "bank.none", layoutSchema, c.o)
		var bad *LayoutError
		if !errors.As(err, &bad) || bad.Path != c.path || !strings.Contains(bad.Message, c.say) {
			t.Errorf("%v: %v", c.o, err)
		}
	}
}

// A table keeps its layout: a job that says another one is refused, one that says none uses the table's.
func TestATableKeepsItsLayout(t *testing.T) {
	l := open(t, t.TempDir())
	o := Options{Partition: []string{"bucket(16", "id)", "day(booked_at)"}, Sort: []string{"id"}}
	for _, c := range []struct {
		o   Options
		say string
	}{
		{o, ""},
		{Options{}, ""},
		{o, ""},
		{Options{Partition: []string{"hour(booked_at)"}}, "table bank.t exists and has partition [bucket(16, id), day(booked_at)], not [hour(booked_at)]"},
		{Options{Sort: []string{"id desc"}}, "has sort [id], not [id desc]"},
	} {
		_, err := l.Ensure(t.Context(), "bank.t", layoutSchema, c.o)
		if c.say == "" && err != nil || c.say != "" && (err == nil || !strings.Contains(err.Error(), c.say)) {
			t.Errorf("%v: %v", c.o, err)
		}
	}
}

// New columns come to a partitioned and sorted table as to any other, and the rows of before are late data of their partitions.
func TestColumnsComeToAPartitionedTable(t *testing.T) {
	l := open(t, t.TempDir())
	o := Options{Partition: []string{"bucket(4, id)"}, Sort: []string{"id desc"}}
	tbl, err := l.Ensure(t.Context(), "bank.t", column("id", arrow.PrimitiveTypes.Int64), o)
	if err != nil {
		t.Fatal(err)
	}
	for id := range int64(3) {
		s := widen(t, tbl, column(fmt.Sprint("c", id), arrow.BinaryTypes.String))
		if err := commitShape(t, tbl, "job", s, id); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(tbl.Schema()); got != "id int64, c0 utf8, c1 utf8, c2 utf8" {
		t.Errorf("columns: %s", got)
	}
	if got := ids(t, tbl); !slices.Equal(got, []int64{0, 1, 2}) {
		t.Errorf("rows: %v", got)
	}
}
