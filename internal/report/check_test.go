package report

import (
	"errors"
	"strings"
	"testing"

	"weir/internal/config"
	"weir/internal/lake"
	"weir/minibatch"
)

func count(n int64) *config.Count { c := config.Count(n); return &c }

// Each broken check is told by its name with some of the rows; the table stays as it was and no file is left.
func TestABrokenCheckPublishesNothing(t *testing.T) {
	s := newSite(t)
	c := Config{Query: byCountry, Table: "bank.totals", Mode: "replace"}
	_, err := s.run(c, minibatch.Interval{})
	s.ok(err)
	for _, x := range []struct {
		query  string
		checks Checks
		want   string
	}{
		{"SELECT NULLIF(country, 'FR') AS country, count(*) AS n, sum(amount) AS total FROM bank.pay GROUP BY 1", Checks{NotNull: []string{"n", "country"}},
			"not_null country: 1 bad rows, such as {country: null, n: 15, total: 22.50}"},
		{"SELECT country, 1::BIGINT AS n, sum(amount) AS total FROM bank.pay GROUP BY id, country", Checks{Unique: []Key{{"country", "total"}}},
			"unique country, total: 2 bad keys, such as {country: "},
		{byCountry, Checks{Rows: RowCount{Min: count(3)}}, "rows: 2, expected at least 3"},
		{byCountry, Checks{Rows: RowCount{Max: count(1)}}, "rows: 2, expected at most 1"},
		{byCountry + " HAVING false", Checks{Rows: RowCount{Min: count(1)}}, "rows: 0, expected at least 1"},
		{byCountry, Checks{SQL: map[string]string{"small": "n > 10 -- too many"}}, "small: 2 bad rows, such as {country: "},
		{byCountry, Checks{SQL: map[string]string{"all_there": "SELECT (SELECT count(*) FROM bank.pay) - sum(n) + 1 FROM result"}}, "all_there: 1 bad rows"},
		{"SELECT id::VARCHAR AS country, id AS n, 1.00::DECIMAL(38,2) AS total FROM bank.pay", Checks{SQL: map[string]string{"b": "n < 300", "a": "n < 0"}, Rows: RowCount{Max: count(1)}},
			"rows: 30, expected at most 1; b: 30 bad rows, such as "},
	} {
		_, err := s.run(Config{Query: x.query, Table: "bank.totals", Mode: "replace", Checks: x.checks}, minibatch.Interval{})
		if !errors.Is(err, ErrCheck) || exit(err) != 1 || !strings.Contains(err.Error(), "nothing was published; ") || !strings.Contains(err.Error(), x.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\ngot  %v (exit %d)\nwant %s", x.query, err, exit(err), x.want)
		}
		if n := strings.Count(err.Error(), "{country"); n > 5 {
			t.Errorf("%d examples", n)
		}
		s.want("SELECT country, n FROM bank.totals ORDER BY 1", "DE 15; FR 15")
		if left := s.files("totals"); len(left) != 1 {
			t.Errorf("files %v, want the one of the first run", left)
		}
	}
}

func TestChecksThatHoldLetTheResultThrough(t *testing.T) {
	s := newSite(t)
	c := Config{Query: byCountry, Table: "bank.totals", Mode: "replace", Checks: Checks{
		NotNull: []string{"country", "n"}, Unique: []Key{{"country"}}, Rows: RowCount{Min: count(2), Max: count(2)},
		SQL: map[string]string{"positive": "total <= 0", "all_there": "SELECT abs((SELECT count(*) FROM bank.pay) - sum(n)) FROM result", "nothing": "SELECT sum(n) FROM result WHERE false"},
	}}
	_, err := s.run(c, minibatch.Interval{})
	s.ok(err)
	s.want("SELECT count(*) FROM bank.totals", "2")
	delete(c.Checks.SQL, "all_there")
	c.Checks.Rows, c.Query = RowCount{Max: count(0)}, c.Query+" HAVING false" // no rows break nothing else
	_, err = s.run(c, minibatch.Interval{})
	s.ok(err)
	s.want("SELECT count(*) FROM bank.totals", "0")
}

// A check that cannot be asked is a mistake in the job: found before anything runs.
func TestAMistakeInACheckIsToldBeforeTheRun(t *testing.T) {
	s := newSite(t)
	for want, checks := range map[string]Checks{
		"checks name a column county, which the result does not have": {NotNull: []string{"county"}},
		"check x: 1:1: Referenced column \"totl\" not found":          {SQL: map[string]string{"x": "totl < 0"}},
		"check x: 2:7: Referenced column \"totl\" not found":          {SQL: map[string]string{"x": "SELECT count(*) FROM result\nWHERE totl < 0"}},
		"check x gives 3 columns: expected one number":                {SQL: map[string]string{"x": "SELECT * FROM result"}},
		"check x: there is no table bank.nosuch":                      {SQL: map[string]string{"x": "SELECT count(*) FROM bank.nosuch"}},
		"check x: 2:1: syntax error at or near":                       {SQL: map[string]string{"x": "n > 1) ; DROP TABLE bank.pay; --"}},
	} {
		_, err := s.new(Config{Query: byCountry, Table: "bank.totals", Mode: "replace", Checks: checks}, minibatch.Interval{})
		if err == nil || !strings.Contains(err.Error(), want) || exit(err) != 2 {
			t.Errorf("got  %v (exit %d)\nwant %s", err, exit(err), want)
		}
		if _, err := s.lake.Table(t.Context(), "bank.totals"); !errors.Is(err, lake.ErrNoTable) {
			t.Errorf("%s: the destination was made: %v", want, err)
		}
	}
}
