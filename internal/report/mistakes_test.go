package report

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/minibatch"
)

func exit(err error) int {
	var coded interface{ ExitCode() int }
	var c *cli.Error
	switch {
	case errors.As(err, &c) && c.Exit != 0:
		return c.Exit
	case errors.As(err, &coded):
		return coded.ExitCode()
	}
	return 1
}

// Each mistake is one line with the file and the place, has its exit code, and leaves the destination as it was.
func TestMistakesSayWhere(t *testing.T) {
	s := newSite(t)
	c := Config{SQL: "by.sql", Table: "bank.totals", Mode: "replace"}
	file := filepath.Join(s.dir, c.SQL)
	s.ok(os.WriteFile(file, []byte(byCountry), 0o600))
	_, err := s.run(c, minibatch.Interval{})
	s.ok(err)
	for _, x := range []struct {
		query, want, hint string
		exit              int
	}{
		{"SELECT country,\n  sum(amuont) FROM bank.pay", `:2:7: Referenced column "amuont" not found in FROM clause! (Candidate bindings: "amount"`, "", 2},
		{"SELEC 1", `:1:1: syntax error at or near "SELEC"`, "", 2},
		{"SELECT 1 AS a;\nSELECT 2 AS b", ": expected one SELECT, found 2 statements", "", 2},
		{"DROP TABLE bank.pay", ": expected one SELECT", "", 2},
		{"SELECT * -- of bank.pays\nFROM bank.pays", ":2:6: there is no table bank.pays", `did you mean "bank.pay"?`, 2},
		{"SELECT * FROM pay", ":1:15: there is no table pay", "known tables: bank.pay, bank.totals", 2},
		{"SELECT count(*) AS n FROM read_csv('/etc/passwd')", `:1:27: Cannot access file "/etc/passwd" - file system operations are disabled`, "", 2},
		{"SELECT 1 AS n WHERE $when > 1", ":1:21: there is no parameter $when; known are $run_id", "", 2},
		{"SELECT 1 AS n WHERE $interval_end > now()", ":1:21: there is no parameter $interval_end", "`pipeline run totals --for 2026-11-20`", 2},
		{"SELECT {'a': 1} AS s", ": column s: a result of type STRUCT(a INTEGER) has no place in a table in this version: cast it, for example to VARCHAR", "", 2},
		{"SELECT country, count(*), 1 AS country FROM bank.pay GROUP BY 1", `: column 2 of the result is called "count_star()": give it a name, AS total for example; the result has two columns country`, "", 2},
		{"SELECT country, count(*)::VARCHAR AS n, 1 AS total FROM bank.pay GROUP BY 1", ": column n of table bank.totals is BIGINT, but the query gives VARCHAR; column total of table bank.totals is DECIMAL(38,2), but the query gives INTEGER", "give the report a new table", 2},
		{"SELECT country, count(*) AS m, sum(amount) AS total FROM bank.pay GROUP BY 1", ": the query gives no column n, which table bank.totals has (BIGINT); table bank.totals has no column m, which the query gives (BIGINT)", "", 2},
		{"SELECT country, count(*) AS n, sum(country::INT * amount) AS total FROM bank.pay GROUP BY 1", "Could not convert string", "", 1},
	} {
		s.ok(os.WriteFile(file, []byte(x.query), 0o600))
		_, err := s.run(c, minibatch.Interval{})
		if err == nil || !strings.Contains(err.Error(), file+":") || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "\n") || exit(err) != x.exit {
			t.Errorf("%s\ngot  %v (exit %d)\nwant %s (exit %d)", x.query, err, exit(err), x.want, x.exit)
		}
		var e *cli.Error
		if x.hint != "" && (!errors.As(err, &e) || !strings.Contains(e.Hint, x.hint)) {
			t.Errorf("%s\nhint of %v\nwant %s", x.query, e, x.hint)
		}
	}
	s.want("SELECT country, n FROM bank.totals ORDER BY 1", "DE 15; FR 15")
	if left := s.files("totals"); len(left) != 1 {
		t.Errorf("files %v, want the one of the first run", left)
	}
}

func TestAQueryThatNeedsMoreMemorySaysSo(t *testing.T) {
	s := newSite(t)
	s.memory, s.noTemp = 64, true
	c := Config{Query: "SELECT i.range AS i FROM range(30000000) i ORDER BY hash(i.range)", Table: "bank.big", Mode: "replace"}
	_, err := s.run(c, minibatch.Interval{})
	var e *cli.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "needs more memory than it may have") || strings.Contains(err.Error(), "\n") || !strings.Contains(e.Hint, "memory: 2GiB") {
		t.Errorf("got %v, %+v", err, e)
	}
	s.want("SELECT count(*) FROM bank.big", "0")
}

func TestConfigNamesWhatIsWrong(t *testing.T) {
	for text, want := range map[string]string{
		"query: SELECT 1\ntable: bank.x\nmode: replace\nmemory: 2GiB\n":          "",
		"table: bank.x\nmode: replace\n":                                         "expected one of sql: (a file) and query: (the text)",
		"query: SELECT 1\nsql: a.sql\ntable: bank.x\nmode: replace\n":            "expected one of sql: (a file) and query: (the text)",
		"query: SELECT 1\ntable: totals\nmode: replace\n":                        "job.yaml:2:8: expected a name with its namespace",
		"query: SELECT 1\ntable: bank.x\nmode: merge\n":                          `job.yaml:3:7: expected replace or append, got "merge"`,
		"query: SELECT 1\ntable: bank.x\nmode: append\ninterval_column: day\n":   "job.yaml:4:18: expected only with mode replace",
		"query: SELECT 1\ntable: bank.x\nmode: replace\ninterval_column: a-b\n":  "job.yaml:4:18: expected the name of a column",
		"query: SELECT 1\ntable: bank.x\nmode: replace\nmemory: 1MiB\n":          "job.yaml:4:9: expected at least 64MiB, got 1MiB",
		"query: SELECT 1\ntable: bank.x\nmode: replace\nmemory: lots\n":          "job.yaml:4:9: ",
		"query: SELECT 1\ntable: bank.x\nmode: replace\nchecks: [n > 0]\n":       "job.yaml:4:9: expected a section with keys",
		"query: SELECT 1\ntable: bank.x\nmode: replace\nintervall_column: day\n": `did you mean "interval_column"`,
	} {
		var c Config
		err := config.Decode("job.yaml", []byte(text), &c)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
	if mb := (Config{}).MemoryMB(); mb != 268 {
		t.Errorf("default memory %d MB", mb)
	}
	if mb := (Config{Memory: 2e9}).MemoryMB(); mb != 2000 {
		t.Errorf("2 GB are %d MB", mb)
	}
}
