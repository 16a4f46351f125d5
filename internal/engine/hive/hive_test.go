package hive

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"weir/internal/cli"
	"weir/internal/engine"
	"weir/internal/engine/enginetest"
)

func newEngine(t *testing.T, o Options) *Engine {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTablesAreFoundWithoutAServer(t *testing.T) {
	e := newEngine(t, Options{Address: "127.0.0.1:1"})
	enginetest.References(t, e)
	for query, want := range map[string]string{
		"SELECT extract(year FROM o.d), substring(c.x FROM 2), trim(BOTH ' ' FROM c.y) FROM a.o, b.c WHERE o.k = c.k": "a.o b.c",
		"SELECT * FROM (a.x JOIN b.y USING (k, l)), c.z LEFT JOIN LATERAL (SELECT * FROM d.w) ON true":                "a.x b.y c.z d.w",
		"SELECT * FROM a.x LATERAL VIEW explode(l) t AS p, q":                                                         "a.x",
		"SELECT * FROM range(10), a.x": "a.x",
		"SELECT 'it\\'s FROM b.no', \"FROM c.no\", `FROM d.no`, r'\\' FROM a.x /* FROM e.no /* */ FROM f.no */": "a.x",
		"WITH t(a, b) AS (SELECT 1, 2 FROM a.x), u AS (SELECT * FROM t, b.y) SELECT * FROM u ORDER BY 1, 2":     "a.x b.y",
		"SELECT * FROM a.\"b c\".d UNION ALL (SELECT 1 FROM e.f GROUP BY 1, 2)":                                 "a.b c.d e.f",
		"FROM a.x SELECT y": "a.x",
		"SELECT (SELECT max(v) FROM a.x), count(DISTINCT y) FILTER (WHERE z IN (SELECT q FROM b.y)) FROM VALUES (1), (2)": "a.x b.y",
	} {
		got, err := e.References(t.Context(), query)
		if err != nil || strings.Join(got, " ") != want {
			t.Errorf("%s\ngot %v, %v; want %s", query, got, err, want)
		}
	}
}

// What a user puts into an argument stays a value, whatever it holds.
func TestArgumentsBecomeLiterals(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	for _, x := range []struct {
		value any
		want  string
	}{
		{nil, "NULL"}, {true, "TRUE"}, {7, "7L"}, {int64(-1 << 63), "(-9223372036854775807L - 1L)"}, {0.5, "CAST('0.5' AS DOUBLE)"},
		{"it's; -- a \"note\"", `'it\'s; -- a "note"'`}, {`\' OR 1=1 --`, `'\\\' OR 1=1 --'`}, {"$at", "'$at'"}, {[]byte{0, 0xff}, "X'00FF'"},
		{time.Date(2026, 11, 20, 1, 30, 0, 5000, berlin), "TIMESTAMP '2026-11-20 00:30:00.000005+00:00'"},
	} {
		got, err := literal(x.value)
		if err != nil || got != x.want {
			t.Errorf("%v: got %s, %v; want %s", x.value, got, err, x.want)
		}
		if tokens := lex(got); strings.HasPrefix(got, "'") && len(tokens) != 1 {
			t.Errorf("%v is not one text: %v", x.value, tokens)
		}
	}
	if _, err := literal(struct{}{}); err == nil {
		t.Error("a struct has a literal")
	}
}

func TestAQueryInTheServersWords(t *testing.T) {
	e := newEngine(t, Options{Address: "127.0.0.1:1"})
	q, err := parse("SELECT '$a', p.x -- $a\nFROM bank.pay p, weir.bank.\"o k\" WHERE y = $a AND z > $b;")
	if err != nil {
		t.Fatal(err)
	}
	r, err := q.render(e, []engine.Table{{Name: "bank.pay", Snapshot: 42}, {Name: "bank.o k"}}, map[string]any{"a": "x'y", "b": 1})
	if err != nil {
		t.Fatal(err)
	}
	want := "SELECT '$a', p.x -- $a\nFROM \"weir\".\"bank\".\"pay\" VERSION AS OF 42 p, \"weir\".\"bank\".\"o k\" WHERE y = 'x\\'y' AND z > 1L"
	if r.text != want {
		t.Errorf("got  %s\nwant %s", r.text, want)
	}
	for _, word := range []string{"p.x", "p, ", "WHERE", "z >"} { // places lead back
		if got := r.place(strings.Index(r.text, word)); got != strings.Index(q.body, word) {
			t.Errorf("%s: got %d, want %d", word, got, strings.Index(q.body, word))
		}
	}
	if got := r.place(strings.Index(r.text, "VERSION")); got != strings.Index(q.body, "bank.pay") {
		t.Errorf("within a name: got %d", got)
	}
	_, err = q.render(e, []engine.Table{{Name: "bank.pay"}, {Name: "bank.o k"}}, map[string]any{"b": 1})
	if err == nil || err.Error() != "2:44: there is no parameter $a; known are $b" {
		t.Errorf("got %v", err)
	}
	if _, err = q.render(e, nil, nil); err == nil || err.Error() != "2:6: there is no table bank.pay" {
		t.Errorf("got %v", err)
	}
}

func TestErrorsAreOneLineWithTheirPlace(t *testing.T) {
	e := newEngine(t, Options{Address: "127.0.0.1:1"})
	q, err := parse("SELECT id,\n  sum(amuont) FROM bank.pay")
	if err != nil {
		t.Fatal(err)
	}
	r, err := q.render(e, []engine.Table{{Name: "bank.pay"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const before = "SELECT * FROM (\n"
	for message, want := range map[string]string{
		"org.apache.hive.service.cli.HiveSQLException:Error running query: [UNRESOLVED_COLUMN.WITH_SUGGESTION] org.apache.spark.sql.AnalysisException: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column or function parameter with name `amuont` cannot be resolved. Did you mean one of the following? [`amount`, `id`].; line 3 pos 6;\n'Aggregate": "2:7: [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column or function parameter with name `amuont` cannot be resolved (candidates: amount, id)",
		"org.apache.spark.SparkArithmeticException: [DIVIDE_BY_ZERO] Division by zero. Use `try_divide`. SQLSTATE: 22012\n== SQL (line 3, position 7) ==\nid / 0\n\tat org.apache.spark":                                                                                                                                                          "[DIVIDE_BY_ZERO] Division by zero. Use `try_divide`",
		"java.lang.IllegalStateException: boom\n\tat a.b.C": "hive: boom",
	} {
		got := explain(message, before, r)
		if got.Error() != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		var s *engine.SQLError
		if errors.As(got, &s) && s.Data != strings.Contains(message, "DIVIDE") {
			t.Errorf("%s: data %v", want, s.Data)
		}
	}
}

func TestTypesOfTheServer(t *testing.T) {
	for _, duck := range []string{"BOOLEAN", "INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR", "BLOB", "DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE", "DECIMAL(18,2)"} {
		spark, err := sparkType(duck)
		if err != nil {
			t.Error(err)
		}
		if _, err := ToArrow(strings.ToLower(spark)); err != nil {
			t.Errorf("%s is %s: %v", duck, spark, err)
		}
	}
	if _, err := sparkType("TIME"); err == nil {
		t.Error("Spark has a type TIME")
	}
	if _, err := ToArrow("array<int>"); err == nil || !strings.Contains(err.Error(), "cast it, for example to STRING") {
		t.Errorf("got %v", err)
	}
	for kind, want := range map[string]string{"timestamp": "2026-01-02 03:04:05.123456 +0000 UTC", "timestamp_ntz": "2026-01-02 03:04:05 +0000 UTC", "date": "2026-01-02 00:00:00 +0000 UTC"} {
		in := map[string]string{"timestamp": "2026-01-02 03:04:05.123456", "timestamp_ntz": "2026-01-02 03:04:05", "date": "2026-01-02"}[kind]
		got, err := parseText(kind, in)
		if at, ok := got.(time.Time); err != nil || !ok || at.String() != want {
			t.Errorf("%s: got %v, %v", kind, got, err)
		}
	}
}

// A server that is not there, that ends the talk, or that never answers: one line that says what to do, within seconds.
func TestAServerThatCannotBeTalkedTo(t *testing.T) {
	deaf, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	rude, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer rude.Close()
	go func() {
		for {
			c, err := rude.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	for _, x := range []struct{ name, address, auth, want, hint string }{
		{"nobody", "127.0.0.1:1", Plain, "nothing listens there", "weir.yaml"},
		{"rude", rude.Addr().String(), NoSASL, "(EOF); it was greeted with auth NOSASL", "NONE (SASL PLAIN) or NOSASL"},
		{"deaf", deaf.Addr().String(), Plain, "(EOF); it was greeted with auth NONE", "NONE (SASL PLAIN) or NOSASL"},
	} {
		e := newEngine(t, Options{Address: x.address, Auth: x.auth, Dial: 300 * time.Millisecond})
		_, err := e.Query(t.Context(), "SELECT 1 AS a", nil, 0, nil)
		var c *cli.Error
		if err == nil || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "\n") || !errors.As(err, &c) || !strings.Contains(c.Hint, x.hint) {
			t.Errorf("%s: got %v", x.name, err)
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	began := time.Now()
	if _, err := newEngine(t, Options{Address: deaf.Addr().String(), Auth: NoSASL}).Query(ctx, "SELECT 1 AS a", nil, 0, nil); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
		t.Errorf("got %v after %v", err, time.Since(began))
	}
	for _, o := range []Options{{Address: "here"}, {Address: "a:1", Auth: "KERBEROS"}} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}
