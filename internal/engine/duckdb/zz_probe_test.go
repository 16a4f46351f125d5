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
			fmt.Printf("!! %s\n   %T %v\n", q, err, err)
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
	ex("SELECT 1")
	fmt.Println("open", time.Since(t0))
	d := t.TempDir()
	out := filepath.Join(d, "o")
	os.Mkdir(out, 0o755)
	os.Mkdir(filepath.Join(d, "tmp"), 0o755)
	os.WriteFile(filepath.Join(d, "secret.txt"), []byte("secret"), 0o600)
	os.WriteFile(filepath.Join(d, "tmp", "secret.txt"), []byte("secret"), 0o600)
	ex("COPY (SELECT i AS a, 'x'||i AS b FROM range($n::BIGINT) t(i)) TO '"+out+"/p.parquet' (FORMAT parquet, FIELD_IDS {a: 1, b: 2})", sql.Named("n", 10))
	ex("COPY (SELECT i AS a, 'x'||i AS b FROM range(10) t(i)) TO '" + out + "/p.parquet' (FORMAT parquet, FIELD_IDS {a: 1, b: 2})")
	ex("COPY (SELECT i AS a, 'x'||i AS b FROM range(10) t(i)) TO '" + out + "/q.parquet' (FORMAT parquet, FIELD_IDS {a: 1, b: 2}, RETURN_FILES true)")
	ex("COPY (SELECT i AS a, 'x'||i AS b FROM range(10) t(i)) TO '" + out + "/dir' (FORMAT parquet, FIELD_IDS {a: 1, b: 2}, RETURN_STATS true, FILE_SIZE_BYTES '1MB', FILENAME_PATTERN 'zz_{i}')")
	ex("COPY (SELECT i AS a FROM range(0) t(i)) TO '" + out + "/dir2' (FORMAT parquet, FIELD_IDS {a: 1}, RETURN_STATS true, FILE_SIZE_BYTES '1MB', WRITE_EMPTY_FILE false)")
	rp := "read_parquet(['" + out + "/p.parquet'], schema = MAP {1: {name: 'aa', type: 'BIGINT', default_value: NULL}, 3: {name: 'new', type: 'VARCHAR', default_value: NULL}})"
	ex("SELECT * FROM " + rp)
	ex("SELECT *, filename FROM " + rp)
	ex("SELECT * FROM read_parquet(['" + out + "/p.parquet'], filename='_f', schema = MAP {1: {name: 'aa', type: 'BIGINT', default_value: NULL}, 3: {name: 'new', type: 'VARCHAR', default_value: NULL}})")
	ex("SELECT NULL AS x, [1,2] AS l, {'a':1} AS s, MAP{1:2} AS m, INTERVAL 1 DAY i, '1'::BIT b, 'a'::ENUM('a','b') e, uuid() u, '{}'::JSON j, TIME '10:00' t, 1::HUGEINT h, now() n, 5::UHUGEINT uh")
	ex("DESCRIBE SELECT NULL AS x, [1,2] AS l, 'a'::ENUM('a','b') e, $1 AS f; -- end", 1)
	ex("DESCRIBE SELECT current_date AS x, $n AS f; -- end", sql.Named("n", time.Now()))
	ex("SET errors_as_json = true")
	ex("SELECT a,\n  amuont FROM (SELECT 1 AS amount)")
	ex("SELECT äö, amuont FROM (SELECT 1 AS amount)")
	ex("SELECT * FROM foo.bar")
	ex("SELECT CAST('x'||i AS INT) FROM range(3) t(i)")
	ex("SELECT sum(a, b)")
	ex("SELEC a, b")
	ex("SELECT 1 + error('boom')")
	ex("SET errors_as_json = false")
	ex("ATTACH ':memory:' AS bank")
	ex("CREATE SCHEMA bank.eu")
	ex("CREATE VIEW bank.eu.pay AS SELECT 1 AS one")
	ex("SELECT * FROM bank.eu.pay")
	ex("CREATE SCHEMA memory")
	ex("CREATE VIEW memory.memory.pay AS SELECT 1 AS one")
	ex("SELECT * FROM memory.pay")
	ex("SELECT current_database()")
	ex("SET temp_directory='" + d + "/tmp'")
	ex("SET allowed_paths=['" + out + "/p.parquet']")
	ex("SET allowed_directories=['" + out + "/new/']")
	ex("SET enable_external_access=false")
	ex("SET lock_configuration=true")
	ex("SELECT * FROM read_text('" + d + "/secret.txt')")
	ex("SELECT * FROM read_text('" + d + "/tmp/secret.txt')")
	ex("SELECT * FROM '" + out + "/q.parquet'")
	ex("SELECT * FROM " + rp)
	ex("SELECT * FROM glob('/etc/*')")
	ex("SELECT getenv('HOME')")
	ex("COPY (SELECT 1 AS a) TO '" + out + "/new/' (FORMAT parquet, FILE_SIZE_BYTES '1MB', RETURN_STATS true)")
	ex("COPY (SELECT 1 AS a) TO '" + out + "/new' (FORMAT parquet, FILE_SIZE_BYTES '1MB', RETURN_STATS true)")
	ex("SELECT current_setting('allowed_directories'), current_setting('allowed_paths')")
	ex("SELECT $n AS a", sql.Named("n", time.Now()))
	ex("SELECT * FROM duckdb_secrets()")
	c, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	t0 = time.Now()
	_, err := db.QueryContext(c, "SELECT sum(a.range*b.range) FROM range(1000000) a, range(1000000) b")
	fmt.Println(time.Since(t0), err)
	t0 = time.Now()
	for range 10 {
		db, _ := sql.Open("duckdb", "")
		db.Exec("SELECT 1")
		db.Close()
	}
	fmt.Println("open+close", time.Since(t0)/10)
	ex("COPY (SELECT i AS a FROM range(3000000) t(i) ORDER BY hash(i)) TO '" + out + "/new/' (FORMAT parquet, FILE_SIZE_BYTES '10MB', OVERWRITE_OR_IGNORE true)")
}
