// Package enginetest is what every engine has to pass. Call [Run] from a test of the engine.
//
// The queries are the SQL that engines share, so that the suite also holds them against each other: the same job file gives
// the same table on any of them.
package enginetest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"weir/internal/engine"
)

// Config says which engine.
type Config struct {
	// Open gives an engine; it is closed, if it needs that, by the test's Cleanup.
	Open func(testing.TB) engine.Engine
	// Type is the type of a table's column for the engine's name of a result's type.
	Type func(string) (arrow.DataType, error)
}

// ServerConfig says which server.
type ServerConfig struct {
	Open func(testing.TB) engine.Server
	Type func(string) (arrow.DataType, error)
	// Load makes tables in the shared catalog hold the rows of their files and nothing else, and gives them back with their snapshots.
	Load func(testing.TB, []engine.Table) []engine.Table
}

// RunServer runs what of the suite applies to a server: it finds the files of its tables by itself, and writes none for us.
func RunServer(t *testing.T, c ServerConfig) {
	e := c.Open(t)
	for name, f := range map[string]func(*suite){
		"results have the values and types of the table": (*suite).results,
		"null is no value":                         (*suite).nulls,
		"a table without files has its columns":    (*suite).empty,
		"describe gives names and types":           (*suite).describe,
		"references are tables, not names of WITH": (*suite).references,
		"only one SELECT is taken":                 (*suite).oneSelect,
		"arguments are bound":                      (*suite).arguments,
		"a mistake is one line with its place":     (*suite).mistakes,
		"no other file is read":                    (*suite).walls,
		"a cancelled query ends within a second":   (*suite).cancel,
	} {
		t.Run(name, func(t *testing.T) {
			f(&suite{T: t, engine: e, kind: c.Type, dir: t.TempDir(), load: c.Load})
		})
	}
}

// References runs the part of the suite that needs no server.
func References(t *testing.T, e engine.Querier) {
	s := &suite{T: t, engine: e}
	s.references()
}

// Run runs the suite.
func Run(t *testing.T, c Config) {
	for name, f := range map[string]func(*suite){
		"results have the values and types of the table": (*suite).results,
		"null is no value":                                (*suite).nulls,
		"a table without files has its columns":           (*suite).empty,
		"renamed and added columns are found by field id": (*suite).evolution,
		"the path column tells a row's file":              (*suite).paths,
		"describe gives names and types":                  (*suite).describe,
		"references are tables, not names of WITH":        (*suite).references,
		"only one SELECT is taken":                        (*suite).oneSelect,
		"arguments are bound":                             (*suite).arguments,
		"a mistake is one line with its place":            (*suite).mistakes,
		"no other file is read":                           (*suite).walls,
		"a cancelled query ends within a second":          (*suite).cancel,
		"a copy holds the rows of the query":              (*suite).copies,
		"a copy of nothing makes no file":                 (*suite).copiesNothing,
		"a copy that fails leaves nothing":                (*suite).copyFails,
		"calls at the same time do not mix":               (*suite).concurrent,
	} {
		t.Run(name, func(t *testing.T) {
			e := c.Open(t)
			f(&suite{T: t, engine: e, copier: e, kind: c.Type, dir: t.TempDir()})
		})
	}
}

type suite struct {
	*testing.T
	engine engine.Querier
	copier engine.Engine // nil for a server
	kind   func(string) (arrow.DataType, error)
	dir    string
	load   func(testing.TB, []engine.Table) []engine.Table // of a server
}

// known makes tables known to the engine.
func (s *suite) known(tables []engine.Table) []engine.Table {
	if s.load == nil {
		return tables
	}
	return s.load(s.T, tables)
}

func (s *suite) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// ask wants these rows of a query.
func (s *suite) ask(query string, tables []engine.Table, args map[string]any, want ...[]any) {
	s.Helper()
	r, err := s.engine.Query(s.Context(), query, tables, 0, args)
	if err != nil {
		s.Errorf("%s: %v", query, err)
		return
	}
	if diff := cmp.Diff(want, r.Rows); diff != "" {
		s.Errorf("%s (-want +got)\n%s", query, diff)
	}
}

var day = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

func (s *suite) results() {
	pay := s.pay()
	s.ask("SELECT * FROM bank.pay WHERE id = 1", pay, nil,
		[]any{int64(1), "DE", "1.50", day.Add(90 * time.Minute), day, true, 0.5, int32(7), "it's; -- a \"note\""})
	s.ask("SELECT country, count(*) AS n, sum(amount) AS total FROM bank.pay GROUP BY country ORDER BY country NULLS LAST", pay, nil,
		[]any{"DE", int64(2), "4.00"}, []any{"FR", int64(1), "-0.01"}, []any{nil, int64(1), nil})
	r, err := s.engine.Query(s.Context(), "SELECT id FROM bank.pay ORDER BY id", pay, 2, nil)
	s.ok(err)
	if len(r.Rows) != 2 || !r.More || r.Columns[0].Name != "id" {
		s.Errorf("limit 2 of 4 rows: got %+v", r)
	}
	if r, err = s.engine.Query(s.Context(), "SELECT id FROM bank.pay", pay, 4, nil); err != nil || len(r.Rows) != 4 || r.More {
		s.Errorf("limit 4 of 4 rows: got %+v, %v", r, err)
	}
}

func (s *suite) nulls() {
	pay := s.pay()
	s.ask("SELECT * FROM bank.pay WHERE id = 4", pay, nil, []any{int64(4), nil, nil, nil, nil, nil, nil, nil, nil})
	s.ask("SELECT count(*), count(note), count(CASE WHEN note = '' THEN 1 END) FROM bank.pay", pay, nil, []any{int64(4), int64(3), int64(1)})
	s.ask("SELECT id FROM bank.pay WHERE country <> 'FR' ORDER BY id", pay, nil, []any{int64(1)}, []any{int64(3)})
}

func (s *suite) empty() {
	none := s.pay()
	none[0].Files = nil
	none = s.known(none)
	s.ask("SELECT count(*), sum(amount) FROM bank.pay", none, nil, []any{int64(0), nil})
	s.ask("SELECT * FROM bank.pay", none, nil)
	got, err := s.engine.Describe(s.Context(), "SELECT * FROM bank.pay", none, nil)
	s.ok(err)
	if s.copier == nil { // the table has one state at a time
		return
	}
	full, err := s.engine.Describe(s.Context(), "SELECT * FROM bank.pay", s.pay(), nil)
	s.ok(err)
	if diff := cmp.Diff(full, got); diff != "" {
		s.Errorf("columns without files (-with files +without)\n%s", diff)
	}
}

func (s *suite) evolution() {
	str, num := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64
	old := s.write("old", schema(field(1, "id", num), field(2, "land", str)), `[{"id": 1, "land": "DE"}]`)
	now := s.write("new", schema(field(2, "country", str), field(3, "land", num), field(1, "id", num)), `[{"id": 2, "country": "FR", "land": 33}]`)
	t := engine.Table{Name: "bank.pay", Files: []string{old, now}, Columns: []engine.Column{
		{ID: 1, Name: "id", Type: "BIGINT"}, {ID: 2, Name: "country", Type: "VARCHAR"}, {ID: 3, Name: "land", Type: "BIGINT"}, {ID: 4, Name: "later", Type: "DOUBLE"}}}
	s.ask("SELECT * FROM bank.pay ORDER BY id", []engine.Table{t}, nil, []any{int64(1), "DE", nil, nil}, []any{int64(2), "FR", int64(33), nil})
	s.ask("SELECT country, land FROM bank.pay WHERE id = 1", []engine.Table{t}, nil, []any{"DE", nil})
}

func (s *suite) paths() {
	t := s.pay()[0]
	second := s.write("second", paySchema, `[{"id": 9}]`)
	t.Files, t.PathColumn = append(t.Files, second), "_path"
	s.ask("SELECT _path, count(*) FROM bank.pay WHERE id > 3 GROUP BY _path ORDER BY count(*), _path", []engine.Table{t}, nil,
		[]any{t.Files[0], int64(1)}, []any{second, int64(1)})
	t.Files = nil
	s.ask("SELECT _path FROM bank.pay", []engine.Table{t}, nil)
}

func (s *suite) describe() {
	cols, err := s.engine.Describe(s.Context(), `SELECT p.*, CAST(sum(id) OVER () AS DECIMAL(38,0)) AS "a sum", 'x' AS x FROM bank.pay p WHERE ts < $at`, s.pay(), map[string]any{"at": day})
	s.ok(err)
	want := append(paySchema.Fields(), arrow.Field{Name: "a sum", Type: &arrow.Decimal128Type{Precision: 38}}, arrow.Field{Name: "x", Type: arrow.BinaryTypes.String})
	if len(cols) != len(want) {
		s.Fatalf("got %v, want %d columns", cols, len(want))
	}
	for i, c := range cols {
		got, err := s.kind(c.Type)
		if err != nil || c.Name != want[i].Name || !arrow.TypeEqual(got, want[i].Type) {
			s.Errorf("column %d: got %s %s (%v, %v), want %s %s", i, c.Name, c.Type, got, err, want[i].Name, want[i].Type)
		}
	}
}

func (s *suite) references() {
	for query, want := range map[string]string{
		"SELECT 1": "",
		"SELECT * FROM bank.pay p JOIN bank.country c ON p.country = c.code":                                      "bank.country bank.pay",
		"WITH pay AS (SELECT * FROM bank.pay) SELECT * FROM PAY, pay q":                                           "bank.pay",
		"SELECT 'from bank.no' FROM bank.pay -- bank.comment\nUNION ALL SELECT country FROM bank.pay;":            "bank.pay",
		"SELECT * FROM (SELECT * FROM a.b WHERE EXISTS (SELECT 1 FROM c.d)) WHERE id IN (SELECT id FROM e.f)":     "a.b c.d e.f",
		"SELECT count(*) FROM weir.bank.pay":                                                                      "bank.pay",
		"SELECT * FROM loose":                                                                                     "loose",
		"WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n, bank.pay WHERE i < 3) SELECT * FROM n": "bank.pay",
	} {
		got, err := s.engine.References(s.Context(), query)
		if err != nil || strings.Join(got, " ") != want {
			s.Errorf("%s\ngot %v, %v; want %s", query, got, err, want)
		}
	}
}

func (s *suite) oneSelect() {
	pay := s.pay()
	for _, query := range []string{
		"", "-- nothing", "SELECT 1; SELECT 2", "DELETE FROM bank.pay", "CREATE TABLE x AS SELECT 1", "INSERT INTO bank.pay SELECT * FROM bank.pay", "SET threads = 1",
		"COPY (SELECT 1) TO '" + s.dir + "/x'", "SELECT 1; DROP TABLE bank.pay",
	} {
		_, e1 := s.engine.References(s.Context(), query)
		_, e2 := s.engine.Query(s.Context(), query, pay, 0, nil)
		_, e3 := s.engine.Describe(s.Context(), query, pay, nil)
		e4 := e3
		if s.copier != nil {
			_, _, e4 = s.copier.Copy(s.Context(), query, pay, s.dir, nil, nil)
		}
		for _, err := range []error{e1, e2, e3, e4} {
			var sql *engine.SQLError
			if !errors.As(err, &sql) || !strings.Contains(err.Error(), "expected one SELECT") {
				s.Errorf("%q: got %v", query, err)
			}
		}
	}
	for _, query := range []string{"SELECT ';' AS a;", "SELECT ';' AS a; -- the end; really", "/* ; */ SELECT ';' AS a -- ;\n;\n"} {
		s.ask(query, nil, nil, []any{";"})
		if cols, err := s.engine.Describe(s.Context(), query, nil, nil); err != nil || len(cols) != 1 || cols[0].Name != "a" {
			s.Errorf("describe %q: %v, %v", query, cols, err)
		}
		if s.copier == nil {
			continue
		}
		_, n, err := s.copier.Copy(s.Context(), query, nil, filepath.Join(s.dir, "copy"), []engine.Column{{ID: 1, Name: "a", Type: "VARCHAR"}}, nil)
		if err != nil || n != 1 {
			s.Errorf("copy %q: %d rows, %v", query, n, err)
		}
	}
}

func (s *suite) arguments() {
	pay := s.pay()
	args := map[string]any{"at": day.Add(90 * time.Minute), "note": `it's; -- a "note"`, "more": 1}
	s.ask("SELECT id FROM bank.pay WHERE ts = $at AND note = $note AND note <> '$note'", pay, args, []any{int64(1)})
	s.ask("SELECT id FROM bank.pay WHERE note = $note", pay, map[string]any{"note": "' OR '1' = '1"})
	_, err := s.engine.Query(s.Context(), "SELECT id\nFROM bank.pay WHERE id = $other", pay, 0, args)
	if err == nil || !strings.Contains(err.Error(), "2:26: there is no parameter $other; known are $at, $more, $note") {
		s.Errorf("got %v", err)
	}
}

func (s *suite) mistakes() {
	pay := s.pay()
	long := strings.Repeat("id + ", 60)
	for query, want := range map[string]string{
		"SELECT id,\n  sum(amuont)\nFROM bank.pay": "2:7: ",
		"SELECT 'ä€😀' AS a, amuont FROM bank.pay":  "1:20: ",
		"SELECT id FROM bank.pays":                 "1:16: ",
		"SELECT " + long + "amuont FROM bank.pay":  "1:308: ",
		"SELECT id\nFROM bank.pay\nWHERE id = = 2": "3:12: ",
		"SELECT nosuch(id) FROM bank.pay":          "1:8: ",
	} {
		_, e1 := s.engine.Query(s.Context(), query, pay, 0, nil)
		_, e2 := s.engine.Describe(s.Context(), query, pay, nil)
		e3 := e2
		if s.copier != nil {
			_, _, e3 = s.copier.Copy(s.Context(), query, pay, s.dir, []engine.Column{{ID: 1, Name: "id", Type: "BIGINT"}}, nil)
		}
		for i, err := range []error{e1, e2, e3} {
			var sql *engine.SQLError
			if !errors.As(err, &sql) || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") || sql.ExitCode() != 2 {
				s.Errorf("%s (call %d)\ngot  %v\nwant %s", query, i, err, want)
			}
		}
	}
	if s.copier != nil { // one parser sees two statements first, the other what is wrong in the second
		_, err := s.engine.References(s.Context(), "SELECT id FROM bank.pay;\nSELECT\n\n x y z FROM")
		if err == nil || !strings.HasPrefix(err.Error(), "4:6: ") {
			s.Errorf("got %v", err)
		}
	}
	_, err := s.engine.Query(s.Context(), "SELECT sum(amuont) FROM bank.pay", pay, 0, nil)
	if err == nil || !strings.Contains(err.Error(), "amount") {
		s.Errorf("the error names no candidate: %v", err)
	}
	_, err = s.engine.Query(s.Context(), "SELECT CAST(country AS INTEGER) FROM bank.pay", pay, 0, nil)
	var sql *engine.SQLError
	if !errors.As(err, &sql) || !sql.Data || sql.ExitCode() != 1 {
		s.Errorf("data that do not fit: got %#v", err)
	}
}

func (s *suite) walls() {
	pay, other := s.pay(), s.write("other", paySchema, `[{"id": 9}]`)
	secret := filepath.Join(s.dir, "secret.txt")
	s.ok(os.WriteFile(secret, []byte("secret"), 0o600))
	for _, from := range []string{"read_parquet('" + other + "')", "read_csv('" + secret + "')", "read_text('" + secret + "')", "'" + other + "'", "glob('" + s.dir + "/*')", "read_text('/etc/hostname')"} {
		r, err := s.engine.Query(s.Context(), "SELECT * FROM "+from, pay, 0, nil)
		if err == nil || strings.Contains(err.Error(), "\n") {
			s.Errorf("%s: got %v, %v", from, r.Rows, err)
		}
	}
}

// endless is a query that takes hours and gives one row.
const endless = "SELECT count(*) AS n FROM bank.pay a, bank.pay b, bank.pay c, bank.pay d, bank.pay e WHERE a.id + b.id * c.id + d.id * e.id = -1"

func (s *suite) cancel() {
	t := s.pay()
	rows := "[" + strings.TrimSuffix(strings.Repeat(`{"id": 1},`, 3000), ",") + "]"
	t[0].Files = []string{s.write("many", paySchema, rows)}
	t = s.known(t)
	calls := map[string]func(context.Context) error{
		"query": func(ctx context.Context) error { _, err := s.engine.Query(ctx, endless, t, 0, nil); return err },
		"copy": func(ctx context.Context) error {
			_, _, err := s.copier.Copy(ctx, endless, t, filepath.Join(s.dir, "out"), []engine.Column{{ID: 1, Name: "n", Type: "BIGINT"}}, nil)
			return err
		},
	}
	if s.copier == nil {
		delete(calls, "copy")
	}
	for name, call := range calls {
		reason := errors.New("the user pressed Ctrl-C")
		ctx, stop := context.WithCancelCause(s.Context())
		var at time.Time
		timer := time.AfterFunc(300*time.Millisecond, func() { at = time.Now(); stop(reason) })
		err := call(ctx)
		if took := time.Since(at); !errors.Is(err, reason) || !errors.Is(err, context.Canceled) || took > time.Second {
			s.Errorf("%s: got %v, %v after the stop", name, err, took)
		}
		timer.Stop()
	}
	s.nothingIn("out")
}
