package report

import (
	"fmt"
	"strings"
	"testing"

	"weir/internal/config"
	"weir/internal/lake"
	"weir/minibatch"
)

var log = Config{Query: "SELECT id, country FROM bank.pay", Table: "bank.log", Mode: "append", Incremental: Incremental{All: true}}

// made runs a job and gives it back, for what it says of itself.
func (s *site) made(c Config) *Job {
	s.t.Helper()
	j, err := s.new(c, minibatch.Interval{})
	s.ok(err)
	_, err = j.Run(s.t.Context(), nil)
	s.ok(err)
	return j
}

func TestAnIncrementalRunSeesOnlyNewRows(t *testing.T) {
	s := newSite(t)
	if j := s.made(log); j.Whole() != "" || j.RowsIn() != 30 {
		t.Errorf("first run: whole %q, rows in %d", j.Whole(), j.RowsIn())
	}
	s.want("SELECT count(*) FROM bank.log", "30")
	s.pay(3, 7)
	s.pay(4, 2)
	if j := s.made(log); j.Whole() != "" || j.RowsIn() != 9 {
		t.Errorf("second run: whole %q, rows in %d", j.Whole(), j.RowsIn())
	}
	s.want("SELECT count(*), count(DISTINCT id) FROM bank.log", "39 39")
	before := s.snapshot("bank.log")
	if s.made(log); s.snapshot("bank.log") != before {
		t.Error("a run with nothing new made a snapshot")
	}
	s.want("SELECT count(*) FROM bank.log", "39")
}

func (s *site) snapshot(table string) int64 {
	s.t.Helper()
	t, err := s.lake.Table(s.t.Context(), table)
	s.ok(err)
	p, err := t.Plan(s.t.Context())
	s.ok(err)
	return p.Snapshot
}

// A run that was planned with the same cursor as another one must not append the same rows once more.
func TestTwoIncrementalRunsAtOnceAppendOnce(t *testing.T) {
	s := newSite(t)
	s.made(log)
	s.pay(3, 7)
	slow, err := s.new(log, minibatch.Interval{})
	s.ok(err)
	at, err := sink{slow}.Position(t.Context(), slow.name)
	s.ok(err)
	b, err := source{slow}.Plan(t.Context(), at, minibatch.Limits{})
	s.ok(err)
	b.Job = slow.name
	s.made(log)
	staged, err := sink{slow}.Stage(t.Context(), minibatch.Part{}, source{slow}.Open(t.Context(), minibatch.Part{}))
	s.ok(err)
	if _, err := (sink{slow}).Commit(t.Context(), b, []minibatch.Staged{staged}); err == nil || !strings.Contains(err.Error(), "moved the cursor") {
		t.Errorf("got %v", err)
	}
	s.want("SELECT count(*), count(DISTINCT id) FROM bank.log", "37 37")
}

// The usual running total: what was there, and what is new.
func TestAnIncrementalTotalReadsItself(t *testing.T) {
	s := newSite(t)
	c := Config{
		Query: "SELECT country, sum(n)::BIGINT AS n FROM (SELECT country, n FROM bank.totals UNION ALL SELECT country, 1 FROM bank.pay) GROUP BY country",
		Table: "bank.totals", Mode: "replace", Incremental: Incremental{All: true},
	}
	_, err := s.run(Config{Query: "SELECT country, count(*) AS n FROM bank.pay WHERE false GROUP BY 1", Table: "bank.totals", Mode: "replace"}, minibatch.Interval{})
	s.ok(err) // makes the table; a query cannot read what is not there
	s.made(c)
	s.want("SELECT country, n FROM bank.totals ORDER BY 1", "DE 15; FR 15")
	s.pay(3, 4)
	s.made(c)
	s.want("SELECT country, n FROM bank.totals ORDER BY 1", "DE 17; FR 17")
	s.rewrite("bank.pay", 1)
	j := s.made(c)
	if !strings.Contains(j.Whole(), "table bank.pay was rewritten: of 34 rows that the last run had seen 30 are left") {
		t.Errorf("whole: %q", j.Whole())
	}
	s.want("SELECT sum(n)::BIGINT FROM bank.totals", fmt.Sprint(s.ask("SELECT count(*) FROM bank.pay")))
}

// rewrite takes a file away from a table, as a deletion or a compaction by somebody else does.
func (s *site) rewrite(table string, files int) {
	s.t.Helper()
	t, err := s.lake.Table(s.t.Context(), table)
	s.ok(err)
	p, err := t.Plan(s.t.Context())
	s.ok(err)
	var gone []lake.File
	for _, f := range p.Files[:files] {
		gone = append(gone, f.File)
	}
	s.runs++
	_, err = t.Commit(s.t.Context(), lake.Commit{Job: fmt.Sprint("other", s.runs), ID: fmt.Sprint("o", s.runs), To: []byte("1"), Remove: gone})
	s.ok(err)
}

func TestAnIncrementalLogOfARewrittenTableIsMadeAnew(t *testing.T) {
	s := newSite(t)
	s.made(log)
	s.rewrite("bank.pay", 1)
	s.pay(5, 3)
	if j := s.made(log); !strings.Contains(j.Whole(), "was rewritten") {
		t.Errorf("whole: %q", j.Whole())
	}
	s.want("SELECT count(*), count(DISTINCT id) FROM bank.log", "23 23")
	s.pay(6, 1)
	if j := s.made(log); j.Whole() != "" || j.RowsIn() != 1 {
		t.Errorf("after it: whole %q, rows in %d", j.Whole(), j.RowsIn())
	}
}

// Compactions before and after a run, and one in the middle of what came since: the run sees what is new, once.
func TestACompactionIsNoNews(t *testing.T) {
	s := newSite(t)
	compact := func() {
		t.Helper()
		pay, err := s.lake.Table(t.Context(), "bank.pay")
		s.ok(err)
		r, err := pay.Compact(t.Context(), lake.Compaction{Least: 2})
		s.ok(err)
		if r.Snapshots == 0 {
			t.Fatal("nothing was compacted")
		}
	}
	s.pay(3, 7)
	s.made(log)
	s.pay(4, 2)
	s.pay(5, 4)
	compact() // what was read, and what is new
	if j := s.made(log); j.Whole() != "" || j.RowsIn() != 6 {
		t.Errorf("whole %q, rows in %d; want the 6 new ones", j.Whole(), j.RowsIn())
	}
	compact()
	s.pay(6, 1)
	if j := s.made(log); j.Whole() != "" || j.RowsIn() != 1 {
		t.Errorf("whole %q, rows in %d; want the new one", j.Whole(), j.RowsIn())
	}
	s.want("SELECT count(*), count(DISTINCT id) FROM bank.log", "44 44")
}

// Snapshots of a table that is committed to often expire within hours; a daily run must still know what is new.
func TestExpiredSnapshotsDoNotMakeARunWhole(t *testing.T) {
	s := newSite(t)
	old := seenOf(s.plan("bank.pay"))
	s.pay(3, 1)
	p := s.plan("bank.pay")
	for i := range p.Files {
		p.Files[i].Snapshot = 0 // no snapshot is asked for
	}
	if files, why := old.since(p); why != "" || len(files) != 1 || files[0].Rows != 1 {
		t.Errorf("got %v, %q", files, why)
	}
	old.Table = "another"
	if _, why := old.since(p); !strings.Contains(why, "made again") {
		t.Errorf("got %q", why)
	}
}

func (s *site) plan(table string) lake.Plan {
	s.t.Helper()
	t, err := s.lake.Table(s.t.Context(), table)
	s.ok(err)
	p, err := t.Plan(s.t.Context())
	s.ok(err)
	return p
}

func TestOnlyTheNamedTableIsNarrowed(t *testing.T) {
	s := newSite(t)
	_, err := s.run(Config{Query: "SELECT DISTINCT country FROM bank.pay", Table: "bank.country", Mode: "replace"}, minibatch.Interval{})
	s.ok(err)
	c := log
	c.Query = "SELECT id, c.country FROM bank.pay p JOIN bank.country c USING (country)"
	c.Incremental = Incremental{Tables: []string{"bank.pay"}}
	s.made(c)
	s.pay(3, 2)
	s.made(c)
	s.want("SELECT count(*) FROM bank.log", "32")
	c.Incremental.Tables = []string{"bank.payments"}
	if _, err := s.new(c, minibatch.Interval{}); err == nil || exit(err) != 2 || !strings.Contains(err.Error(), "incremental names table bank.payments, which the query does not read") {
		t.Errorf("got %v", err)
	}
}

func TestIncrementalInAFile(t *testing.T) {
	const head = "table: a.b\nmode: append\nquery: SELECT 1\n"
	for text, want := range map[string]string{
		"incremental: true":       "",
		"incremental: [bank.pay]": "",
		"incremental: sometimes":  "job.yaml:4:14: expected true, or a list of tables that the query reads",
		"incremental: [pay]":      "job.yaml:4:14: expected tables with their namespace, such as bank.transactions, got pay",
		"checks: {unique: [id, [a, b]], rows: {min: 2, max: 1}}": "job.yaml:4:39: expected min up to max, got 2 and 1",
		"checks: {not_nul: [id]}":                                `job.yaml:4:10: unknown key "not_nul"; did you mean "not_null"?`,
		"checks: {not_null: [a b]}":                              `job.yaml:4:21: expected the name of a column of the result, got "a b"`,
	} {
		var c Config
		err := config.Decode("job.yaml", []byte(head+text+"\n"), &c)
		if got := fmt.Sprint(err); want == "" && err != nil || want != "" && got != want {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}
