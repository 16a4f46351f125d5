package etl

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/config"
	"weir/internal/engine"
	"weir/internal/engine/duckdb"
	"weir/internal/lake"
	"weir/minibatch"
)

// site is an installation with a directory for deliveries.
type site struct {
	t    *testing.T
	dir  string
	lake *lake.Lake
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	var err error
	s.lake, err = lake.Open(t.Context(), lake.Config{Catalog: filepath.Join(s.dir, "catalog.db"), Warehouse: filepath.Join(s.dir, "warehouse")})
	s.ok(err)
	t.Cleanup(func() { s.ok(s.lake.Close()) })
	s.ok(os.Mkdir(filepath.Join(s.dir, "in"), 0o755))
	return s
}

func (s *site) ok(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) file(name, text string) {
	s.t.Helper()
	b := []byte(text)
	if strings.HasSuffix(name, ".gz") {
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		_, err := w.Write(b)
		s.ok(errors.Join(err, w.Close()))
		b = z.Bytes()
	}
	s.ok(os.WriteFile(filepath.Join(s.dir, "in", name), b, 0o600))
}

func (s *site) config(yaml string) Config {
	s.t.Helper()
	var c Config
	s.ok(config.Decode("job.yaml", []byte(yaml), &c))
	return c
}

func (s *site) new(c Config, day string) (*Job, error) {
	return New(s.t.Context(), "orders", c, Run{ID: "run", Day: day}, Parts{
		Lake: s.lake, Engine: duckdb.New(duckdb.Options{MemoryMB: 128, TempDir: filepath.Join(s.dir, "tmp")}), Type: duckdb.ToArrow, Dir: s.dir, File: "jobs/orders.yaml", Temp: filepath.Join(s.dir, "tmp"),
	})
}

func (s *site) run(c Config, day string) (minibatch.Report, error) {
	s.t.Helper()
	j, err := s.new(c, day)
	if err != nil {
		return minibatch.Report{}, err
	}
	return j.Run(s.t.Context(), nil)
}

// sql asks the tables; rows are joined by "; " and their values by blanks.
func (s *site) sql(query string) string {
	s.t.Helper()
	e := duckdb.New(duckdb.Options{MemoryMB: 128})
	names, err := e.References(s.t.Context(), query)
	s.ok(err)
	var tables []engine.Table
	for _, n := range names {
		tbl, err := s.lake.Table(s.t.Context(), n)
		s.ok(err)
		p, err := tbl.Plan(s.t.Context())
		s.ok(err)
		in := engine.Table{Name: n}
		for _, f := range p.Files {
			in.Files = append(in.Files, f.Path)
		}
		for _, c := range p.Columns {
			in.Columns = append(in.Columns, engine.Column(c))
		}
		tables = append(tables, in)
	}
	r, err := e.Query(s.t.Context(), query, tables, 0, nil)
	s.ok(err)
	var rows []string
	for _, row := range r.Rows {
		var values []string
		for _, v := range row {
			values = append(values, fmt.Sprint(v))
		}
		rows = append(rows, strings.Join(values, " "))
	}
	return strings.Join(rows, "; ")
}

func (s *site) want(query, want string) {
	s.t.Helper()
	if got := s.sql(query); got != want {
		s.t.Errorf("%s\ngot  %s\nwant %s", query, got, want)
	}
}

const orders = `
files: {dir: in, pattern: "orders_{date}*.csv"}
columns:
  - {name: id, type: bigint, required: true}
  - {name: customer, type: string}
  - {name: amount, type: "decimal(10,2)"}
  - {name: at, type: timestamp}
table: sales.orders
`

const (
	append1  = orders + "mode: append\n"
	replace1 = orders + "mode: replace\n"
	head     = "id,customer,amount,at\n"
	all      = "SELECT id, customer, amount, business_date::VARCHAR, _line FROM sales.orders ORDER BY business_date, id"
)

func TestADayIsLoadedOnceByItsContent(t *testing.T) {
	for _, mode := range []string{append1, replace1} {
		s := newSite(t)
		c := s.config(mode)
		s.file("orders_2026-11-20.csv", head+"1,Ann,10.50,2026-11-20 08:00:00\n2,Bob,,2026-11-20T09:00:00\n")
		s.file("orders_2026-11-21.csv", head+"3,\"C, D\",7,2026-11-21\n")
		r, err := s.run(c, "")
		s.ok(err)
		if r.Batches != 2 || r.RowsIn != 3 || r.RowsOut != 3 {
			t.Errorf("got %+v", r)
		}
		want := "1 Ann 10.50 2026-11-20 2; 2 Bob <nil> 2026-11-20 3; 3 C, D 7.00 2026-11-21 2"
		s.want(all, want)
		s.file("orders_2026-11-20_again.csv", "x") // not read: the day below is another
		s.ok(os.Remove(filepath.Join(s.dir, "in", "orders_2026-11-20_again.csv")))
		s.ok(os.Rename(filepath.Join(s.dir, "in", "orders_2026-11-21.csv"), filepath.Join(s.dir, "in", "orders_2026-11-21_v2.csv")))
		for _, day := range []string{"", "2026-11-20"} {
			r, err = s.run(c, day)
			s.ok(err)
			if r.Batches != 0 {
				t.Errorf("the same content was loaded again: %+v", r)
			}
		}
		s.want(all, want)
	}
}

func TestACorrectedDelivery(t *testing.T) {
	s := newSite(t)
	first, corrected := head+"1,Ann,10.50,\n2,Bob,1,\n", head+"1,Ann,99.00,\n"
	s.file("orders_2026-11-20.csv", first)
	s.file("orders_2026-11-21.csv", head+"3,Cy,7,\n")
	c := s.config(replace1)
	_, err := s.run(c, "")
	s.ok(err)
	s.file("orders_2026-11-20.csv", corrected)
	r, err := s.run(c, "")
	s.ok(err)
	if r.Batches != 1 || r.RowsOut != 1 {
		t.Errorf("got %+v", r)
	}
	s.want("SELECT id, amount FROM sales.orders ORDER BY id", "1 99.00; 3 7.00")
	s.file("orders_2026-11-20.csv", first) // back again
	_, err = s.run(c, "2026-11-20")
	s.ok(err)
	s.want("SELECT id, amount FROM sales.orders ORDER BY id", "1 10.50; 2 1.00; 3 7.00")

	s = newSite(t)
	s.file("orders_2026-11-20.csv", first)
	c = s.config(append1)
	_, err = s.run(c, "")
	s.ok(err)
	s.file("orders_2026-11-20.csv", corrected)
	if _, err := s.run(c, ""); err == nil || !strings.Contains(err.Error(), "the files of 2026-11-20 are others than those that were loaded") {
		t.Errorf("got %v", err)
	}
	s.want("SELECT count(*) FROM sales.orders", "2")
}

// A file of the table that holds rows of two dates loses only those of the delivery.
func TestRowsOfOtherDatesInTheSameFileStay(t *testing.T) {
	s := newSite(t)
	c := s.config(replace1)
	for day := 20; day < 23; day++ {
		s.file(fmt.Sprintf("orders_2026-11-%d.csv", day), head+fmt.Sprintf("%d,x,1,\n%d,y,1,\n", day, day+100))
	}
	_, err := s.run(c, "")
	s.ok(err)
	s.compact()
	s.file("orders_2026-11-21.csv", head+"7,new,1,\n")
	_, err = s.run(c, "")
	s.ok(err)
	s.want("SELECT id FROM sales.orders ORDER BY id", "7; 20; 22; 120; 122")
}

// compact puts all rows into one file, as a foreign job would.
func (s *site) compact() {
	s.t.Helper()
	tbl, err := s.lake.Table(s.t.Context(), "sales.orders")
	s.ok(err)
	p, err := tbl.Plan(s.t.Context())
	s.ok(err)
	in := engine.Table{Name: "sales.orders"}
	for _, f := range p.Files {
		in.Files = append(in.Files, f.Path)
	}
	for _, c := range p.Columns {
		in.Columns = append(in.Columns, engine.Column(c))
	}
	files, _, err := duckdb.New(duckdb.Options{}).Copy(s.t.Context(), "SELECT * FROM sales.orders", []engine.Table{in}, tbl.DataDir(), in.Columns, nil)
	s.ok(err)
	add, err := tbl.Import(s.t.Context(), files)
	s.ok(err)
	_, err = tbl.Commit(s.t.Context(), lake.Commit{Job: "compaction", ID: "c1", To: []byte("1"), ReplaceAll: true, Add: add})
	s.ok(err)
}

func TestExpressions(t *testing.T) {
	s := newSite(t)
	c := s.config(`
files: {dir: in, pattern: "orders_{date:%Y%m%d}.tsv.gz"}
format: {delimiter: tab, encoding: latin-1, "null": ["", "-"]}
columns:
  - {name: id, type: int, source: Order No}
  - {name: who, type: string, source: Kundenname}
  - {name: price, type: "decimal(12,2)", format: "1.234,56"}
  - {name: n, type: int}
  - {name: day, type: date, format: "%d.%m.%Y"}
select:
  - {name: order_id, sql: id}
  - {name: customer, sql: "upper(trim(who))"}
  - {name: unit_price, sql: "(price / n)::DECIMAL(12,4)"}
  - {name: pieces, sql: "CASE WHEN n = 13 THEN who::INT ELSE n END -- comment"}
  - {name: age, sql: "business_date - day"}
where: n > 0 AND order_id_is_odd(id)
table: sales.orders
mode: replace
`)
	s.file("orders_20261120.tsv.gz", "Order No\tKundenname\tprice\tn\tday\textra\n1\t J\xfcrgen \t1.234,50\t2\t19.11.2026\tx\n2\tBo\t-\t1\t20.11.2026\tx\n3\tCy\t5,00\t13\t20.11.2026\tx\n4\tDi\t5,00\t0\t20.11.2026\tx\n5\tEd\t12,5x\t1\t20.11.2026\tx\n")
	_, err := s.new(c, "")
	if err == nil || !strings.Contains(err.Error(), "jobs/orders.yaml: where: ") || !strings.Contains(err.Error(), "order_id_is_odd") {
		t.Errorf("an unknown function: got %v", err)
	}
	c.Where = "n > 0"
	r, err := s.run(c, "")
	s.ok(err)
	if r.RowsIn != 5 || r.RowsOut != 2 || r.Quarantined != 2 || r.Filtered != 1 {
		t.Errorf("got %+v", r)
	}
	s.want("SELECT order_id, customer, unit_price, pieces, age, business_date::VARCHAR FROM sales.orders ORDER BY 1", "1 JÜRGEN 617.2500 2 1 2026-11-20; 2 BO <nil> 1 0 2026-11-20")
	s.want(`SELECT reason, line, "column", error, decode(raw) FROM sales.orders__quarantine ORDER BY line`,
		"expression 4 pieces pieces: Could not convert string 'Cy' to INT32 when casting from source column who 3\tCy\t5,00\t13\t20.11.2026\tx; value 6 price price \"12,5x\": is no decimal(12,2) 5\tEd\t12,5x\t1\t20.11.2026\tx")
}

func TestFilesWithoutADate(t *testing.T) {
	s := newSite(t)
	c := s.config("files: {dir: in, pattern: \"*.csv\"}\nformat: {header: false, delimiter: \"|\", quote: none}\ncolumns: [{name: a, type: int}, {name: b, type: string}]\ntable: sales.ref\nmode: replace\n")
	s.file("one.csv", "1|x\n2|\"y\n")
	s.file("two.csv", "3|z\n")
	_, err := s.run(c, "2026-11-20")
	s.ok(err)
	s.want("SELECT a, b FROM sales.ref ORDER BY a", "1 x; 2 \"y; 3 z")
	s.file("two.csv", "4|z\n")
	_, err = s.run(c, "")
	s.ok(err)
	s.want("SELECT a FROM sales.ref ORDER BY a", "1; 2; 4")
}

func TestMistakesAreOneLineEach(t *testing.T) {
	s := newSite(t)
	s.file("orders_2026-11-20.csv", "id,client,amount,at\n1,a,1,\n")
	s.file("bad_2026-11-20.csv.gz", "x")
	s.ok(os.WriteFile(filepath.Join(s.dir, "in", "cut_2026-11-20.csv.gz"), []byte("\x1f\x8b\x08\x00broken"), 0o600))
	s.ok(os.WriteFile(filepath.Join(s.dir, "in", "no_2026-11-20.csv.gz"), []byte("plain text"), 0o600))
	s.file("utf16_2026-11-20.csv", "\xff\xfei\x00d\x00")
	s.file("empty_2026-11-20.csv", "")
	base := s.config(append1)
	for _, x := range []struct {
		change func(c *Config)
		day    string
		want   string
	}{
		{func(c *Config) { c.Files.Dir = "nowhere" }, "", "jobs/orders.yaml: files.dir: there is no directory "},
		{func(c *Config) {}, "2026-11-19", "no file in "},
		{func(c *Config) {}, "", "orders_2026-11-20.csv:1: the header has no column customer; it has id, client, amount, at"},
		{func(c *Config) { c.Files.Pattern = "cut_{date}.csv.gz" }, "", "cut_2026-11-20.csv.gz: the gzip file is cut or broken"},
		{func(c *Config) { c.Files.Pattern = "no_{date}.csv.gz" }, "", "no_2026-11-20.csv.gz: no gzip"},
		{func(c *Config) { c.Files.Pattern = "utf16_{date}.csv" }, "", "begins like UTF-16"},
		{func(c *Config) { c.Files.Pattern = "empty_{date}.csv" }, "", "the file is empty: expected a header"},
		{func(c *Config) { c.Select = []Select{{"x", "id + nope"}, {"y", "amount +"}} }, "", `jobs/orders.yaml: select[0].sql: Referenced column "nope" not found`},
		{func(c *Config) { c.Select = []Select{{"x", "uuid()"}} }, "", "calls a function whose value changes"},
		{func(c *Config) { c.Where = "amount" }, "", "where: expected a condition, got a DECIMAL(10,2)"},
	} {
		c := base
		x.change(&c)
		_, err := s.run(c, x.day)
		if err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(strings.ReplaceAll(err.Error(), "\njobs/orders.yaml: select[1]", ""), "\n") { // a line for each mistake
			t.Errorf("got  %v\nwant %s", err, x.want)
		}
	}
	s.want("SELECT count(*) FROM sales.orders", "0")
	c := base
	c.Columns[0].Type = "string"
	if _, err := s.run(c, ""); err == nil || !strings.Contains(err.Error(), "column id of table sales.orders is int64, but the data are utf8") {
		t.Errorf("got %v", err)
	}
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		append1: "",
		strings.Replace(append1, "{date}", "{date}{date}", 1):                      `job.yaml:2:27: expected {date} at most once`,
		strings.Replace(append1, "{date}", "{date:%H}", 1):                         "expected a strftime format with year, month and day",
		strings.Replace(append1, "{date}", "{day}", 1):                             "expected {date} or",
		strings.Replace(append1, "bigint", "long", 1):                              `job.yaml:4:22: expected string, int, bigint`,
		strings.Replace(append1, "name: customer", "name: id", 1):                  "there is a column id already",
		strings.Replace(append1, "name: customer", "name: _line", 1):               "_line is a column that etl adds",
		strings.Replace(append1, "mode: append", "mode: merge", 1):                 `expected replace or append, got "merge"`,
		append1 + "format: {delimiter: ab}\n":                                      `expected one character or tab, got "ab"`,
		append1 + "format: {delimiter: \";\", quote: \";\"}\n":                     "expected another character than the delimiter",
		append1 + "format: {encoding: utf8}\n":                                     `expected utf-8 or latin-1, got "utf8"`,
		append1 + "select: [{name: a b, sql: id}]\n":                               "expected a name of letters, digits and _",
		strings.Replace(append1, "type: timestamp", "type: date, format: ddmm", 1): "expected a strftime format such as",
		strings.Replace(append1, "type: string", "type: int, format: \"1;2\"", 1):  "expected one of 1,234.56",
	} {
		var c Config
		err := config.Decode("job.yaml", []byte(text), &c)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
