package report

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"weir/minibatch"
)

// Rows that somebody adds to the destination after the query was checked are neither lost nor taken for the interval's.
func TestRowsThatArriveMeanwhileSurvive(t *testing.T) {
	s := newSite(t)
	c := Config{Query: byDay, Table: "bank.daily", Mode: "replace", IntervalColumn: "day"}
	_, err := s.run(c, dayOf(0))
	s.ok(err)
	// The query reads its own destination, so that its files are planned when the job is made.
	c.Query = "SELECT day, n + (SELECT 0 * count(*) FROM bank.daily) AS n FROM (" + byDay + ")"
	j, err := s.new(c, dayOf(1))
	s.ok(err)
	other := Config{Query: byDay, Table: "bank.daily", Mode: "append"}
	o, err := s.new(other, dayOf(2))
	s.ok(err)
	o.name = "another"
	_, err = o.Run(t.Context(), nil)
	s.ok(err)
	_, err = j.Run(t.Context(), nil)
	s.ok(err)
	s.want("SELECT day::VARCHAR, n FROM bank.daily ORDER BY 1", "2026-11-20 10; 2026-11-21 10; 2026-11-22 10")
}

// A query that forgets the interval would put its rows of other days beside those that are there.
func TestARowOutsideTheIntervalIsRefused(t *testing.T) {
	s := newSite(t)
	c := Config{Query: "SELECT ts::DATE AS day, count(*) AS n FROM bank.pay GROUP BY ALL", Table: "bank.daily", Mode: "replace", IntervalColumn: "day"}
	for range 2 {
		_, err := s.run(c, dayOf(1))
		if err == nil || !strings.Contains(err.Error(), "2 of 3 rows of the result lie outside the data interval 2026-11-21 to 2026-11-22") {
			t.Errorf("got %v", err)
		}
	}
	s.want("SELECT count(*) FROM bank.daily", "0")
	if left := s.files("daily"); len(left) != 0 {
		t.Errorf("files of the refused result are left: %v", left)
	}
	c.Query = "SELECT CASE WHEN n = 10 THEN NULL ELSE day END AS day, n FROM (" + byDay + ")"
	if _, err := s.run(c, dayOf(1)); err == nil || !strings.Contains(err.Error(), "1 of 1 rows") {
		t.Errorf("a row without a day: got %v", err)
	}
}

// files are the data files of a table in bank, committed or not.
func (s *site) files(table string) []string {
	s.t.Helper()
	dir := filepath.Join(s.dir, "warehouse", "bank.db", table, "data")
	deep, err := filepath.Glob(filepath.Join(dir, "*", "*"))
	s.ok(err)
	flat, err := filepath.Glob(filepath.Join(dir, "*.parquet"))
	s.ok(err)
	return append(deep, flat...)
}

func TestOnlyFilesOfTheIntervalAreRewritten(t *testing.T) {
	s := newSite(t)
	c := Config{Query: "SELECT id, ts FROM bank.pay WHERE ts >= $interval_start AND ts < $interval_end", Table: "bank.copy", Mode: "replace", IntervalColumn: "ts"}
	halves := minibatch.Interval{Start: day0.Add(12 * time.Hour), End: day0.Add(36 * time.Hour)}
	whole := minibatch.Interval{Start: day0, End: day0.AddDate(0, 0, 3)}
	planned := func() map[string]bool {
		tbl, err := s.lake.Table(t.Context(), "bank.copy")
		s.ok(err)
		p, err := tbl.Plan(t.Context())
		s.ok(err)
		out := map[string]bool{}
		for _, f := range p.Files {
			out[f.Path] = true
		}
		return out
	}
	for d := range 3 {
		_, err := s.run(c, dayOf(d))
		s.ok(err)
	}
	before := planned()
	_, err := s.run(c, dayOf(1)) // one whole file
	s.ok(err)
	after, kept := planned(), 0
	for f := range after {
		if before[f] {
			kept++
		}
	}
	if len(before) != 3 || len(after) != 3 || kept != 2 {
		t.Errorf("%d files, then %d of which %d were kept; want 3, 3 and 2", len(before), len(after), kept)
	}
	s.want("SELECT count(*), count(DISTINCT id) FROM bank.copy", "30 30")
	s.pay(0, 24) // hours 0 to 23 of the first day, again: 12 of them in the interval, beside 0 of the old ones
	r, err := s.run(c, halves)
	s.ok(err)
	if r.RowsOut != 22 {
		t.Errorf("rows out %d, want 12 + 10", r.RowsOut)
	}
	s.want("SELECT count(*) FROM bank.copy", "42")
	_, err = s.run(c, whole)
	s.ok(err)
	s.want("SELECT count(*) FROM bank.copy", "54")
	if n := len(planned()); n != 1 {
		t.Errorf("%d files, want one that replaces all", n)
	}
}
