package enginetest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/go-cmp/cmp"

	"weir/internal/engine"
)

// target has names, order, types and ids of its own.
var target = []engine.Column{
	{ID: 11, Name: "total", Type: "DECIMAL(38,2)"}, {ID: 12, Name: "country", Type: "VARCHAR"}, {ID: 7, Name: "n", Type: "INTEGER"}, {ID: 9, Name: "day", Type: "DATE"},
}

func (s *suite) copies() {
	const query = "SELECT country, count(*) AS n, sum(amount) AS total, max(day) AS day FROM bank.pay WHERE id < $top GROUP BY country ORDER BY n DESC, country"
	args := map[string]any{"top": 100}
	files, rows, err := s.copier.Copy(s.Context(), query, s.pay(), filepath.Join(s.dir, "out"), target, args)
	s.ok(err)
	if rows != 3 || len(files) != 1 || !strings.HasPrefix(files[0], filepath.Join(s.dir, "out")+string(filepath.Separator)) {
		s.Fatalf("got %d rows in %v", rows, files)
	}
	renamed := make([]engine.Column, len(target))
	for i, c := range target { // only the field ids connect files and columns
		c.Name = fmt.Sprint("c", i)
		renamed[i] = c
	}
	out := []engine.Table{{Name: "x.out", Files: files, Columns: renamed}}
	want, err := s.engine.Query(s.Context(), "SELECT CAST(total AS DECIMAL(38,2)), country, CAST(n AS INTEGER), day FROM ("+query+") q ORDER BY n DESC, country", s.pay(), 0, args)
	s.ok(err)
	s.ask("SELECT c0, c1, c2, c3 FROM x.out", out, nil, want.Rows...) // in the query's order
}

func (s *suite) copiesNothing() {
	files, rows, err := s.copier.Copy(s.Context(), "SELECT country, 1 AS n, amount AS total, day FROM bank.pay WHERE id < 0", s.pay(), filepath.Join(s.dir, "out"), target, nil)
	if err != nil || rows != 0 || len(files) != 0 {
		s.Errorf("got %v, %d, %v", files, rows, err)
	}
	s.nothingIn("out")
}

func (s *suite) copyFails() {
	for query, want := range map[string]string{
		"SELECT country, 1 AS n, amount AS total FROM bank.pay":                           "day",
		"SELECT country, 3000000000 AS n, amount AS total, day FROM bank.pay":             "INT32",
		"SELECT country, CAST(note AS INTEGER) AS n, amount AS total, day FROM bank.pay":  "note",
		"SELECT country, id / 0 + CAST(note AS INT) AS n, amount AS total, day FROM x.no": "x.no",
	} {
		_, _, err := s.copier.Copy(s.Context(), query, s.pay(), filepath.Join(s.dir, "out"), target, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			s.Errorf("%s\ngot  %v\nwant %s", query, err, want)
		}
		s.nothingIn("out")
	}
}

func (s *suite) nothingIn(dir string) {
	s.Helper()
	left, err := os.ReadDir(filepath.Join(s.dir, dir))
	if err != nil && !os.IsNotExist(err) || len(left) > 0 {
		s.Errorf("%s holds %v, %v", dir, left, err)
	}
}

func (s *suite) concurrent() {
	var g sync.WaitGroup
	for i := range 8 {
		file := s.write(fmt.Sprint("t", i), paySchema, fmt.Sprintf(`[{"id": %d}, {"id": %d}]`, i, 10*i))
		t := s.pay()
		t[0].Files = []string{file}
		g.Go(func() {
			r, err := s.engine.Query(s.Context(), "SELECT sum(id) FROM bank.pay", t, 0, nil)
			if diff := cmp.Diff([][]any{{fmt.Sprint(11 * i)}}, r.Rows); err != nil || diff != "" {
				s.Errorf("table %d: %v\n%s", i, err, diff)
			}
		})
	}
	g.Wait()
}
