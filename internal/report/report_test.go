package report

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"weir/internal/engine/duckdb"
	"weir/internal/lake"
	"weir/minibatch"
)

var paySchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "country", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "amount", Type: &arrow.Decimal128Type{Precision: 18, Scale: 2}, Nullable: true},
	{Name: "ts", Type: &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}, Nullable: true},
}, nil)

type site struct {
	t    *testing.T
	dir  string
	lake *lake.Lake
	runs int

	memory int  // MB of the engine, 256 if it is 0
	noTemp bool // what does not fit fails
}

var day0 = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

// newSite has a table bank.pay: for each of three days, ten payments of 1.50, in two countries.
func newSite(t *testing.T) *site {
	t.Helper()
	t.Parallel() // each has a home of its own
	return makeSite(t)
}

func makeSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	var err error
	s.lake, err = lake.Open(t.Context(), lake.Config{Catalog: filepath.Join(s.dir, "catalog.db"), Warehouse: filepath.Join(s.dir, "warehouse")})
	s.ok(err)
	t.Cleanup(func() { s.lake.Close() })
	for d := range 3 {
		s.pay(d, 10)
	}
	return s
}

func (s *site) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) pay(day, n int) {
	s.t.Helper()
	tbl, err := s.lake.Ensure(s.t.Context(), "bank.pay", paySchema, lake.Options{})
	s.ok(err)
	b := array.NewRecordBuilder(memory.DefaultAllocator, tbl.Schema())
	defer b.Release()
	for i := range n {
		b.Field(0).(*array.Int64Builder).Append(int64(day*100 + i))
		b.Field(1).(*array.StringBuilder).Append([]string{"DE", "FR"}[i%2])
		b.Field(2).(*array.Decimal128Builder).Append(decimal128.FromI64(150))
		b.Field(3).(*array.TimestampBuilder).Append(arrow.Timestamp(day0.AddDate(0, 0, day).Add(time.Duration(i) * time.Hour).UnixMicro()))
	}
	files, err := tbl.Write(s.t.Context(), func(yield func(arrow.RecordBatch, error) bool) { yield(b.NewRecordBatch(), nil) })
	s.ok(err)
	s.runs++
	_, err = tbl.Commit(s.t.Context(), lake.Commit{Job: fmt.Sprint("pay", s.runs), ID: fmt.Sprint("p", s.runs), To: []byte("1"), Add: files})
	s.ok(err)
}

func dayOf(d int) minibatch.Interval {
	return minibatch.Interval{Start: day0.AddDate(0, 0, d), End: day0.AddDate(0, 0, d+1)}
}

func (s *site) new(c Config, i minibatch.Interval) (*Job, error) {
	s.runs++
	o := duckdb.Options{MemoryMB: max(s.memory, 64), TempDir: filepath.Join(s.dir, "tmp")}
	if s.memory == 0 {
		o.MemoryMB = 256
	}
	if s.noTemp {
		o.TempDir = ""
	}
	return New(s.t.Context(), "totals", c, Run{ID: fmt.Sprint("run", s.runs), Interval: i}, Parts{Lake: s.lake, Engine: duckdb.New(o), Type: duckdb.ToArrow, Dir: s.dir})
}

func (s *site) run(c Config, i minibatch.Interval) (minibatch.Report, error) {
	s.t.Helper()
	j, err := s.new(c, i)
	if err != nil {
		return minibatch.Report{}, err
	}
	return j.Run(s.t.Context(), nil)
}

// ask gives a query's rows, one line each.
func (s *site) ask(query string) string {
	s.t.Helper()
	e := duckdb.New(duckdb.Options{})
	j := &Job{parts: Parts{Lake: s.lake, Engine: e}, query: query, sources: map[string]int64{}}
	s.ok(j.resolve(s.t.Context()))
	r, err := e.Query(s.t.Context(), query, j.inputs, 0, nil)
	s.ok(err)
	var out []string
	for _, row := range r.Rows {
		out = append(out, strings.TrimSpace(fmt.Sprintln(row...)))
	}
	return strings.Join(out, "; ")
}

func (s *site) want(query, want string) {
	s.t.Helper()
	if got := s.ask(query); got != want {
		s.t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
	}
}

const byCountry = "SELECT country, count(*) AS n, sum(amount) AS total FROM bank.pay GROUP BY country"

func TestReplacePutsTheResultInPlaceOfTheOld(t *testing.T) {
	s := newSite(t)
	s.ok(os.WriteFile(filepath.Join(s.dir, "by.sql"), []byte(byCountry+";\n"), 0o600))
	c := Config{SQL: "by.sql", Table: "bank.totals", Mode: "replace"}
	for range 2 {
		r, err := s.run(c, minibatch.Interval{})
		s.ok(err)
		if r.RowsOut != 2 {
			t.Errorf("got %+v", r)
		}
		s.want("SELECT country, n, total::VARCHAR FROM bank.totals ORDER BY 1", "DE 15 22.50; FR 15 22.50")
	}
	s.pay(3, 10)
	_, err := s.run(c, minibatch.Interval{})
	s.ok(err)
	s.want("SELECT country, n FROM bank.totals ORDER BY 1", "DE 20; FR 20")
}

const byDay = "SELECT ts::DATE AS day, count(*) AS n FROM bank.pay WHERE ts >= $interval_start AND ts < $interval_end GROUP BY ALL"

func TestReplaceOfAnIntervalKeepsTheOthers(t *testing.T) {
	s := newSite(t)
	c := Config{Query: byDay, Table: "bank.daily", Mode: "replace", IntervalColumn: "day"}
	for d := range 3 {
		_, err := s.run(c, dayOf(d))
		s.ok(err)
	}
	s.pay(1, 5)
	r, err := s.run(c, dayOf(1))
	s.ok(err)
	if r.RowsOut != 1 {
		t.Errorf("rows out %d, want the one of the interval", r.RowsOut)
	}
	s.want("SELECT day::VARCHAR, n FROM bank.daily ORDER BY 1", "2026-11-20 10; 2026-11-21 15; 2026-11-22 10")
	if _, err := s.run(c, minibatch.Interval{}); err == nil || !strings.Contains(err.Error(), "replaces the rows of a data interval, and none was given") {
		t.Errorf("without an interval: %v", err)
	}
}

func TestAnIntervalIsAppendedOnce(t *testing.T) {
	s := newSite(t)
	c := Config{Query: byDay, Table: "bank.log", Mode: "append"}
	for _, d := range []int{0, 2, 0, 1, 2} {
		_, err := s.run(c, dayOf(d))
		s.ok(err)
	}
	s.want("SELECT day::VARCHAR, n FROM bank.log ORDER BY 1", "2026-11-20 10; 2026-11-21 10; 2026-11-22 10")
	half := minibatch.Interval{Start: day0.Add(12 * time.Hour), End: day0.AddDate(0, 0, 9)}
	if _, err := s.run(c, half); err == nil || !strings.Contains(err.Error(), "was appended before") {
		t.Errorf("an interval that overlaps: %v", err)
	}
}

// A run dies between the copy and the commit: nothing of it is seen, and the same run can be made again.
func TestADeadRunLeavesNoRows(t *testing.T) {
	s := newSite(t)
	c := Config{Query: byCountry, Table: "bank.totals", Mode: "replace"}
	j, err := s.new(c, minibatch.Interval{})
	s.ok(err)
	_, err = sink{j}.Stage(t.Context(), minibatch.Part{}, source{j}.Open(t.Context(), minibatch.Part{}))
	s.ok(err)
	s.want("SELECT count(*) FROM bank.totals", "0")
	_, err = s.run(c, minibatch.Interval{})
	s.ok(err)
	s.want("SELECT count(*) FROM bank.totals", "2")
}

func TestAQueryThatFailsLeavesTheTable(t *testing.T) {
	s := newSite(t)
	c := Config{Query: byCountry, Table: "bank.totals", Mode: "replace"}
	_, err := s.run(c, minibatch.Interval{})
	s.ok(err)
	c.Query = "SELECT country, count(*) AS n, sum(CASE WHEN id = 5 THEN error('boom')::DECIMAL(18,2) ELSE amount END) AS total FROM bank.pay GROUP BY country"
	if _, err := s.run(c, minibatch.Interval{}); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Errorf("got %v", err)
	}
	s.want("SELECT count(*) FROM bank.totals", "2")
	if left := s.files("totals"); len(left) != 1 {
		t.Errorf("files %v, want the one of the first run", left)
	}
}

func TestATableThatReadsItself(t *testing.T) {
	s := newSite(t)
	_, err := s.run(Config{Query: byDay, Table: "bank.daily", Mode: "append"}, dayOf(0))
	s.ok(err)
	_, err = s.run(Config{Query: "SELECT day, n + 1 AS n FROM bank.daily", Table: "bank.daily", Mode: "replace", IntervalColumn: "day"}, dayOf(0))
	s.ok(err)
	s.want("SELECT n FROM bank.daily", "11")
}
