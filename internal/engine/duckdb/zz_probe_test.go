package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestProbe(t *testing.T) {
	ctx := context.Background()
	t0 := time.Now()
	db, _ := sql.Open("duckdb", "")
	db.SetMaxOpenConns(1)
	ex := func(q string, a ...any) {
		r, err := db.QueryContext(ctx, q, a...)
		if err != nil {
			fmt.Printf("!! %s\n   %T %q\n", q, err, err)
			return
		}
		cols, _ := r.ColumnTypes()
		for _, c := range cols {
			fmt.Print(c.Name(), ":", c.DatabaseTypeName(), " ")
		}
		n := 0
		for r.Next() && n < 5 {
			v := make([]any, len(cols))
			p := make([]any, len(cols))
			for i := range v {
				p[i] = &v[i]
			}
			r.Scan(p...)
			fmt.Printf("%T %v | ", v[0], v)
			n++
		}
		fmt.Println("<-", q, r.Err())
		r.Close()
	}
	d := t.TempDir()
	out := filepath.Join(d, "o")
	os.Mkdir(out, 0o755)
	os.Mkdir(filepath.Join(d, "tmp"), 0o755)
	_ = t0
	ex("ATTACH ':memory:' AS weir")
	ex("USE weir")
	ex("DETACH memory")
	ex("CREATE SCHEMA bank")
	ex("CREATE VIEW bank.pay AS SELECT 1 AS amount")
	ex("SET errors_as_json = true")
	ex("SET memory_limit='100MB'")
	ex("SET temp_directory=''")
	ex("SET preserve_insertion_order=false")
	ex("SET allowed_directories=['" + out + "/q/']")
	ex("SET allowed_paths=['" + out + "/q']")
	ex("SET enable_external_access=false")
	ex("SET lock_configuration=true")
	ex("SELECT * FROM weir.bank.pay")
	ex("SELECT * FROM bank.pai")
	ex("SELECT amuont FROM bank.pay, (SELECT 2 AS amount2, 2 AS amount3)")
	ex("SELECT 'äöüß', amuont FROM bank.pay")
	ex("SELECT sum('a') FROM bank.pay")
	ex("SELECT summe(1)")
	ex("SELECT * FROM range(30000000) t(i) ORDER BY hash(i)")
	ex("SELECT count(distinct i) FROM range(30000000) t(i)")
	ex("SELECT 9223372036854775807 + i FROM range(5) t(i)")
	ex("SELECT error('boom\nsecond') FROM range(5)")
	ex("SELECT CAST('x'||i AS INT) FROM range(3) t(i)")
	ex("SELECT json_serialize_sql('SELECT * FROM a.b.c, d WHERE x = $n AND y = ?; -- foo')")
	ex("COPY (SELECT i AS a FROM range($x::BIGINT) t(i) ORDER BY i % 1000 DESC, i) TO '" + out + "/q' (FORMAT parquet, FILE_SIZE_BYTES '1MB', FIELD_IDS {a: 5}, RETURN_STATS true)", sql.Named("x", 2000000))
	ex("SELECT count(*) FILTER (WHERE p > a %1000), count(*) FROM (SELECT a, lead(a % 1000) OVER (ORDER BY filename, file_row_number) p FROM read_parquet('" + out + "/q/*.parquet', file_row_number=true, filename=true))")
	ex("FROM bank.pay")
	ex("SELECT json_serialize_sql('PIVOT a.b ON x USING sum(y)')")
	ex("SELECT json_serialize_sql('FROM a.b')")
	ex("SELECT json_serialize_sql('VALUES (1)')")
	ex("SELECT json_serialize_sql('SUMMARIZE a.b')")
	ex("SELECT json_serialize_sql('DESCRIBE a.b')")
	ex("SELECT json_serialize_sql('SELECT ''a''; SELEC 1')")
	ex("SELECT json_serialize_sql('')")
	ex("SELECT json_serialize_sql('-- only')")
	ex("SELECT json_serialize_sql('WITH RECURSIVE T AS (SELECT 1 AS a UNION ALL SELECT a+1 FROM t WHERE a < 3) SELECT * FROM t')")
	ex("SELECT json_serialize_sql('WITH weir AS (SELECT 1) SELECT * FROM (WITH x AS (SELECT * FROM weir) SELECT * FROM x) JOIN \"Bank\".\"Pay\" USING (a) WHERE EXISTS (SELECT 1 FROM q.r)')")
}
