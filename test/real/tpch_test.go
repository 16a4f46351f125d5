//go:build real

package real

import (
	"database/sql"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/internal/engine"
	"weir/internal/engine/duckdb"
	"weir/internal/lake"
	"weir/internal/report"
	"weir/test/real/parts"
)

// The eight tables of TPC-H, as a job file names the types.
var tpchTables = map[string]string{
	"region":   "r_regionkey bigint, r_name string, r_comment string",
	"nation":   "n_nationkey bigint, n_name string, n_regionkey bigint, n_comment string",
	"supplier": "s_suppkey bigint, s_name string, s_address string, s_nationkey bigint, s_phone string, s_acctbal decimal(15;2), s_comment string",
	"part":     "p_partkey bigint, p_name string, p_mfgr string, p_brand string, p_type string, p_size int, p_container string, p_retailprice decimal(15;2), p_comment string",
	"partsupp": "ps_partkey bigint, ps_suppkey bigint, ps_availqty int, ps_supplycost decimal(15;2), ps_comment string",
	"customer": "c_custkey bigint, c_name string, c_address string, c_nationkey bigint, c_phone string, c_acctbal decimal(15;2), c_mktsegment string, c_comment string",
	"orders":   "o_orderkey bigint, o_custkey bigint, o_orderstatus string, o_totalprice decimal(15;2), o_orderdate date, o_orderpriority string, o_clerk string, o_shippriority int, o_comment string",
	"lineitem": "l_orderkey bigint, l_partkey bigint, l_suppkey bigint, l_linenumber int, l_quantity decimal(15;2), l_extendedprice decimal(15;2), l_discount decimal(15;2), l_tax decimal(15;2), " +
		"l_returnflag string, l_linestatus string, l_shipdate date, l_commitdate date, l_receiptdate date, l_shipinstruct string, l_shipmode string, l_comment string",
}

// column is a name and a type of tpchTables.
func tpchColumns(table string) (cols [][2]string) {
	for _, c := range strings.Split(tpchTables[table], ", ") {
		name, kind, _ := strings.Cut(c, " ")
		cols = append(cols, [2]string{name, strings.ReplaceAll(kind, ";", ",")})
	}
	return cols
}

// TPC-H at scale 0.1: the CSV files come into tables by etl jobs; each of the 22 queries is one file, and two report jobs over it,
// one for each engine. Both destinations must hold what DuckDB gives straight from the files.
func TestTPCH(t *testing.T) {
	files := parts.TPCH(t, "0.1")
	b := newBench(t, "127.0.0.1:1", "http://127.0.0.1:1") // Kafka is not asked
	catalog, warehouse := filepath.Join(b.home(), "catalog.db"), filepath.Join(b.home(), "warehouse")
	began := time.Now()
	for table := range tpchTables {
		b.write("jobs/"+table+".yaml", tpchLoad(table, files))
		if r := b.job(table, 0); r.Rejected != 0 || r.RowsOut == 0 {
			t.Fatalf("%s: %+v", table, r)
		}
	}
	t.Logf("eight tables loaded in %v", time.Since(began).Round(time.Millisecond))
	b.sameAsTSV(files)
	address := parts.SparkThrift(t, "jdbc:sqlite:"+catalog, warehouse, "NOSASL")
	b.write("weir.yaml", fmt.Sprintf("apiVersion: weir/v1\nkind: Weir\nhive: {address: %q, auth: NOSASL}\n", address))
	l, err := lake.Open(t.Context(), lake.Config{Catalog: catalog, Warehouse: warehouse})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	direct := straight(t, files)
	spent := map[string]time.Duration{}
	for n := 1; n <= 22; n++ {
		q := fmt.Sprintf("q%02d", n)
		text, err := os.ReadFile(filepath.Join("tpch", q+".sql"))
		if err != nil {
			t.Fatal(err)
		}
		b.write("jobs/"+q+".sql", string(text))
		want := asked(t, direct, string(text))
		if len(want) == 0 {
			t.Fatalf("%s gives no rows: it proves nothing", q)
		}
		for _, engine := range []string{"duckdb", "hive"} {
			b.write("jobs/"+q+"_"+engine+".yaml", fmt.Sprintf(
				"apiVersion: weir/v1\nkind: Job\nname: %s_%s\nreport: {sql: %s.sql, table: tpch.%s_%s, mode: replace, engine: %s}\n", q, engine, q, q, engine, engine))
			start := time.Now()
			r := b.job(q+"_"+engine, 0)
			spent[engine] += time.Since(start)
			if r.RowsOut != int64(len(want)) {
				t.Errorf("%s on %s: %d rows out, want %d", q, engine, r.RowsOut, len(want))
			}
			if why := different(held(t, l, "tpch."+q+"_"+engine), want); why != "" {
				t.Errorf("%s on %s: %s", q, engine, why)
			}
		}
	}
	t.Logf("22 queries as jobs: duckdb %v, Spark Thrift Server %v (each with the start of its process)", spent["duckdb"].Round(time.Millisecond), spent["hive"].Round(time.Millisecond))
	altered := [][]string{{"1.00", "a"}, {"2", "b"}} // the comparison notices what it should
	if different(altered, [][]string{{"2.0000001", "b"}, {"1", "a"}}) != "" || different(altered, [][]string{{"1", "a"}, {"2.001", "b"}}) == "" || different(altered, [][]string{{"1", "b"}, {"2", "a"}}) == "" {
		t.Error("rows are compared wrongly")
	}
	left, err := l.Tables(t.Context())
	if err != nil || len(left) < 8+44 || slices.ContainsFunc(left, func(n string) bool { return strings.Contains(n, "staging") }) {
		t.Errorf("tables %v, %v", left, err)
	}
}

// sameAsTSV loads the same rows from files with tabs: both tables of each pair must be equal.
func (b *bench) sameAsTSV(files string) {
	b.t.Helper()
	dir := b.t.TempDir()
	for table := range tpchTables {
		retype(b.t, filepath.Join(files, table+".csv"), filepath.Join(dir, table+".tsv"))
		job := strings.NewReplacer("name: "+table+"\n", "name: "+table+"_tsv\n", files, dir, table+".csv", table+".tsv", "table: tpch.", "table: tpch_tsv.", "  mode: replace\n", "  mode: replace\n  format: {delimiter: tab}\n")
		b.write("jobs/"+table+"_tsv.yaml", job.Replace(tpchLoad(table, files)))
		if r := b.job(table+"_tsv", 0); r.Rejected != 0 || r.RowsOut == 0 {
			b.t.Fatalf("%s_tsv: %+v", table, r)
		}
		var names []string
		for _, c := range tpchColumns(table) {
			names = append(names, c[0])
		}
		cols := strings.Join(names, ", ")
		query := fmt.Sprintf("SELECT (SELECT count(*) FROM (SELECT %[1]s FROM tpch.%[2]s EXCEPT ALL SELECT %[1]s FROM tpch_tsv.%[2]s)) + (SELECT count(*) FROM (SELECT %[1]s FROM tpch_tsv.%[2]s EXCEPT ALL SELECT %[1]s FROM tpch.%[2]s)) AS n", cols, table)
		var got struct{ Rows [][]float64 }
		c, out, errs := b.start("pipeline", "sql", query, "--json")
		b.finish(c, out, errs, &got, 0)
		if got.Rows[0][0] != 0 {
			b.t.Errorf("%s: %v rows differ between CSV and TSV", table, got.Rows[0][0])
		}
	}
}

// retype writes a CSV file with tabs.
func retype(t testing.TB, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		t.Fatal(err)
	}
	w := csv.NewWriter(out)
	w.Comma = '\t'
	for r := csv.NewReader(in); ; {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	if err := errors.Join(w.Error(), out.Close()); err != nil {
		t.Fatal(err)
	}
}

// job runs a job to its end.
func (b *bench) job(name string, exit int) (r struct {
	State    string
	RowsOut  int64 `json:"rows_out"`
	Rejected int64
}) {
	b.t.Helper()
	c, out, errs := b.start("pipeline", "run", name, "--json")
	b.finish(c, out, errs, &r, exit)
	return r
}

func tpchLoad(table, files string) string {
	var cols []string
	for _, c := range tpchColumns(table) {
		cols = append(cols, fmt.Sprintf("{name: %s, type: %q}", c[0], c[1]))
	}
	return fmt.Sprintf("apiVersion: weir/v1\nkind: Job\nname: %s\netl:\n  files: {dir: %q, pattern: %s.csv}\n  table: tpch.%s\n  mode: replace\n  columns: [%s]\n",
		table, files, table, table, strings.Join(cols, ", "))
}

// straight is a DuckDB over the CSV files, without anything of ours.
func straight(t *testing.T, files string) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	db.SetMaxOpenConns(1)
	stmts := []string{"SET TimeZone = 'UTC'", "CREATE SCHEMA tpch"}
	for table := range tpchTables {
		var cols []string
		for _, c := range tpchColumns(table) {
			cols = append(cols, fmt.Sprintf("'%s': '%s'", c[0], strings.ReplaceAll(c[1], "string", "varchar")))
		}
		stmts = append(stmts, fmt.Sprintf("CREATE TABLE tpch.%s AS FROM read_csv('%s', header = true, columns = {%s})", table, filepath.Join(files, table+".csv"), strings.Join(cols, ", ")))
	}
	for _, s := range stmts {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return db
}

func asked(t *testing.T, db *sql.DB, query string) (out [][]string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		vals, ptrs := make([]any, len(names)), make([]any, len(names))
		for i := range vals {
			ptrs[i] = &vals[i]
		}
		if err := rows.Scan(ptrs...); err != nil {
			t.Fatal(err)
		}
		out = append(out, words(vals))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// held gives the rows of a table.
func held(t *testing.T, l *lake.Lake, table string) (out [][]string) {
	t.Helper()
	tbl, err := l.Table(t.Context(), table)
	if err != nil {
		t.Fatal(err)
	}
	p, err := tbl.Plan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r, err := duckdb.New(duckdb.Options{}).Query(t.Context(), "SELECT * FROM "+table, []engine.Table{report.Input(p)}, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		out = append(out, words(row))
	}
	return out
}

func words(row []any) []string {
	out := make([]string, len(row))
	for i, v := range row {
		switch v := v.(type) {
		case nil:
			out[i] = "null"
		case time.Time:
			out[i] = v.UTC().Format(time.DateOnly)
		case interface{ Float64() float64 }: // a decimal of the driver
			out[i] = strconv.FormatFloat(v.Float64(), 'f', -1, 64)
		default:
			out[i] = fmt.Sprint(v)
		}
	}
	return out
}

// different compares rows in any order. Engines give averages and shares with unlike scales, so numbers may differ in the sixth
// digit behind the point.
func different(got, want [][]string) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d rows, want %d", len(got), len(want))
	}
	key := func(r []string) string {
		var k []string
		for _, v := range r {
			if f, err := strconv.ParseFloat(v, 64); err == nil {
				v = strconv.FormatFloat(f, 'f', 2, 64)
			}
			k = append(k, v)
		}
		return strings.Join(k, "\x00")
	}
	byKey := func(a, b []string) int { return strings.Compare(key(a), key(b)) }
	got, want = slices.Clone(got), slices.Clone(want)
	slices.SortFunc(got, byKey)
	slices.SortFunc(want, byKey)
	for i, w := range want {
		if len(got[i]) != len(w) {
			return fmt.Sprintf("%d columns, want %d", len(got[i]), len(w))
		}
		for k := range w {
			a, errA := strconv.ParseFloat(got[i][k], 64)
			b, errB := strconv.ParseFloat(w[k], 64)
			if errA == nil && errB == nil && math.Abs(a-b) <= 1e-6+1e-9*math.Abs(b) || got[i][k] == w[k] {
				continue
			}
			return fmt.Sprintf("row %d is %v, want %v", i, got[i], w)
		}
	}
	return ""
}
