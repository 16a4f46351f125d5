package report

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"weir/internal/engine"
	"weir/internal/engine/duckdb"
	"weir/internal/lake"
	"weir/minibatch"
)

// elsewhere is a server that shares the catalog: it finds the tables by itself, and commits to the one that it is told to fill.
type elsewhere struct {
	engine.Engine
	s    *site
	fail error  // of the next Insert, after it has written
	into string // that was filled last
}

func (e *elsewhere) found(tables []engine.Table) []engine.Table {
	var out []engine.Table
	for _, t := range tables {
		p := e.s.plan(t.Name)
		if p.Snapshot != t.Snapshot {
			e.s.t.Errorf("table %s is meant at snapshot %d, and stands at %d", t.Name, t.Snapshot, p.Snapshot)
		}
		out = append(out, Input(p))
	}
	return out
}

func (e *elsewhere) Describe(ctx context.Context, query string, tables []engine.Table, args map[string]any) ([]engine.Column, error) {
	return e.Engine.Describe(ctx, query, e.found(tables), args)
}

func (e *elsewhere) Insert(ctx context.Context, query string, tables []engine.Table, into string, columns []engine.Column, args map[string]any) error {
	e.into = into
	t, err := e.s.lake.Table(ctx, into)
	if err != nil {
		return err
	}
	files, _, err := e.Copy(ctx, query, e.found(tables), t.DataDir(), columns, args)
	if err != nil {
		return err
	}
	add, err := t.Import(ctx, files)
	if err != nil {
		return err
	}
	if _, err := t.Commit(ctx, lake.Commit{Job: "elsewhere", ID: into, To: []byte("1"), Add: add}); err != nil {
		return err
	}
	err, e.fail = e.fail, nil
	return err
}

func (s *site) elsewhere(c Config, i minibatch.Interval) (*Job, *elsewhere) {
	s.t.Helper()
	s.runs++
	local := duckdb.New(duckdb.Options{MemoryMB: 256, TempDir: filepath.Join(s.dir, "tmp")})
	e := &elsewhere{Engine: local, s: s}
	j, err := New(s.t.Context(), "totals", c, Run{ID: fmt.Sprint("run", s.runs), Interval: i}, Parts{
		Lake: s.lake, Engine: local, Type: duckdb.ToArrow, Dir: s.dir, Server: e, ServerType: duckdb.ToArrow,
	})
	s.ok(err)
	return j, e
}

func (s *site) noStaging() {
	s.t.Helper()
	names, err := s.lake.Tables(s.t.Context())
	s.ok(err)
	for _, n := range names {
		if strings.Contains(n, "staging") {
			s.t.Errorf("table %s is left", n)
		}
	}
}

func TestAServersResultLandsInOneCommit(t *testing.T) {
	s := newSite(t)
	c := Config{Query: byCountry, Table: "bank.totals", Mode: "replace", Engine: "hive", Checks: Checks{Unique: []Key{{"country"}}, Rows: RowCount{Min: count(2)}}}
	for range 2 {
		j, _ := s.elsewhere(c, minibatch.Interval{})
		r, err := j.Run(t.Context(), nil)
		s.ok(err)
		if r.RowsOut != 2 {
			t.Errorf("got %+v", r)
		}
		s.want("SELECT country, n, total::VARCHAR FROM bank.totals ORDER BY 1", "DE 15 22.50; FR 15 22.50")
		s.noStaging()
	}
	tbl, err := s.lake.Table(t.Context(), "bank.totals")
	s.ok(err)
	if n := len(tbl.Snapshots()); n != 2 {
		t.Errorf("%d snapshots for two runs", n)
	}
	c.Checks.Rows = RowCount{Max: count(1)}
	j, _ := s.elsewhere(c, minibatch.Interval{})
	if _, err := j.Run(t.Context(), nil); !errors.Is(err, ErrCheck) {
		t.Errorf("got %v", err)
	}
	s.want("SELECT count(*) FROM bank.totals", "2")
	s.noStaging()
}

func TestAServersIntervalsKeepTheOthers(t *testing.T) {
	s := newSite(t)
	c := Config{Query: byDay, Table: "bank.daily", Mode: "replace", IntervalColumn: "day", Engine: "hive"}
	for _, d := range []int{0, 1, 2, 1} {
		j, _ := s.elsewhere(c, dayOf(d))
		_, err := j.Run(t.Context(), nil)
		s.ok(err)
	}
	s.want("SELECT day::VARCHAR, n FROM bank.daily ORDER BY 1", "2026-11-20 10; 2026-11-21 10; 2026-11-22 10")
	log := Config{Query: byDay, Table: "bank.log", Mode: "append", Engine: "hive"}
	for _, d := range []int{0, 2, 0} {
		j, _ := s.elsewhere(log, dayOf(d))
		_, err := j.Run(t.Context(), nil)
		s.ok(err)
	}
	s.want("SELECT count(*) FROM bank.log", "2")
}

// The connection breaks after the server has written everything: the next try appends it once.
func TestALostServerIsTriedAgainAndAppendsOnce(t *testing.T) {
	s := newSite(t)
	j, e := s.elsewhere(Config{Query: byDay, Table: "bank.log", Mode: "append", Engine: "hive"}, dayOf(0))
	e.fail = fmt.Errorf("hive: %w: EOF", engine.ErrLost)
	r, err := j.Run(t.Context(), nil)
	s.ok(err)
	if r.Retries != 1 || r.RowsOut != 1 {
		t.Errorf("got %+v", r)
	}
	s.want("SELECT count(*) FROM bank.log", "1")
	s.noStaging()
	j, e = s.elsewhere(Config{Query: byDay, Table: "bank.log", Mode: "append", Engine: "hive"}, dayOf(1))
	e.fail = &engine.SQLError{Message: "no", Data: true}
	if _, err := j.Run(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "no") {
		t.Errorf("got %v", err)
	}
	s.want("SELECT count(*) FROM bank.log", "1")
	s.noStaging()
}

func TestEnginesInAFile(t *testing.T) {
	s := newSite(t)
	for _, x := range []struct {
		c    Config
		want string
	}{
		{Config{Engine: "spark"}, `expected duckdb or hive, got "spark"`},
		{Config{Engine: "duckdb", Connection: "big"}, "expected only with engine hive"},
		{Config{Engine: "hive", Incremental: Incremental{All: true}}, "expected without engine hive"},
	} {
		x.c.Query, x.c.Table, x.c.Mode = byCountry, "bank.totals", "replace"
		bad := x.c.Validate()
		if len(bad) != 1 || !strings.Contains(bad[0].Message, x.want) {
			s.t.Errorf("got %v, want %s", bad, x.want)
		}
	}
}
