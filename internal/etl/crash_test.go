package etl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"path/filepath"
	"runtime"
	"testing"

	"weir/internal/engine"
	"weir/internal/engine/duckdb"
	"weir/internal/lake"
	"weir/minibatch"
)

// steps counts the calls to the outside, each before and after its effect, and ends the process at one of them.
type steps struct{ n, at int }

func (s *steps) step() {
	s.n++
	if s.n == s.at { // a dead process makes no further call
		runtime.Goexit()
	}
}

// dying is the sink of a process that dies.
type dying struct {
	sink
	*steps
}

func (d dying) Position(ctx context.Context, job string) (minibatch.Cursor, error) {
	d.step()
	return d.sink.Position(ctx, job)
}

func (d dying) Stage(ctx context.Context, p minibatch.Part, in iter.Seq2[chunk, error]) (minibatch.Staged, error) {
	d.step()
	out, err := d.sink.Stage(ctx, p, in)
	d.step()
	return out, err
}

func (d dying) Commit(ctx context.Context, b minibatch.Batch, parts []minibatch.Staged) (minibatch.Receipt, error) {
	d.step()
	var lines int64
	for _, p := range parts {
		lines += p.Quarantined
	}
	if lines > 0 { // between the quarantine's commit and the table's
		var x part
		if err := json.Unmarshal(b.Parts[0].Spec, &x); err != nil {
			return minibatch.Receipt{}, err
		}
		for _, p := range parts {
			if err := d.j.quarantine(ctx, b, p.Value.(staged).refused); err != nil {
				return minibatch.Receipt{}, err
			}
		}
		d.step()
	}
	rc, err := d.sink.Commit(ctx, b, parts)
	d.step()
	return rc, err
}

// dyingEngine is an engine whose process dies around its calls.
type dyingEngine struct {
	engine.Engine
	*steps
}

func (e dyingEngine) Copy(ctx context.Context, query string, tables []engine.Table, dir string, columns []engine.Column, args map[string]any) ([]string, int64, error) {
	e.step()
	files, n, err := e.Engine.Copy(ctx, query, tables, dir, columns, args)
	e.step()
	return files, n, err
}

// Wherever the process dies: each line is in the table or in the quarantine once, and a date is there whole or not at all.
func TestDiesAtEveryStep(t *testing.T) {
	for _, mode := range []string{append1, replace1} {
		total := 0
		for at := 0; at == 0 || at <= total; at++ {
			s := newSite(t)
			for day := 20; day < 22; day++ {
				s.file(fmt.Sprintf("orders_2026-11-%d.csv", day), head+fmt.Sprintf("%d,a,1,\nx,b,2,\n%d,c,3,\n", day, day+100))
			}
			c := s.config(mode)
			run := func(st *steps) (err error) {
				done := make(chan struct{})
				err = errors.New("died")
				go func() {
					defer close(done)
					p := Parts{
						Lake: s.again(), Engine: dyingEngine{duckdb.New(duckdb.Options{MemoryMB: 128, TempDir: filepath.Join(s.dir, "tmp")}), st}, Type: duckdb.ToArrow, Dir: s.dir,
						File: "jobs/orders.yaml", Temp: filepath.Join(s.dir, "tmp"),
					}
					j, e := New(context.Background(), "orders", c, Run{ID: "run"}, p)
					if e != nil {
						err = e
						return
					}
					d := j.declare(dying{sink{j}, st}, nil)
					d.Limits.Parallel = 1
					_, err = minibatch.Run(context.Background(), d, minibatch.Drain)
				}()
				<-done
				return err
			}
			whole := func() {
				t.Helper()
				if got := s.sql("SELECT count(*) FROM (SELECT business_date, count(*) AS n FROM sales.orders GROUP BY 1 HAVING n <> 2)"); got != "0" {
					t.Errorf("step %d: a date is half there", at)
				}
			}
			st := &steps{at: at}
			err := run(st)
			if at == 0 {
				s.ok(err)
				total = st.n
				if total < 10 {
					t.Fatalf("only %d steps", total)
				}
			} else if err == nil {
				t.Fatalf("step %d of %d did not die", at, total)
			}
			whole()
			s.ok(run(&steps{}))
			whole()
			s.want("SELECT id FROM sales.orders ORDER BY id", "20; 21; 120; 121")
			s.want("SELECT file, line FROM sales.orders__quarantine ORDER BY 1, 2", "orders_2026-11-20.csv 3; orders_2026-11-21.csv 3")
			if t.Failed() {
				t.Fatalf("died at step %d of %d, mode %s", at, total, c.Mode)
			}
		}
		t.Logf("%d steps", total)
	}
}

// again opens the lake as a new process would.
func (s *site) again() *lake.Lake {
	l, err := lake.Open(context.Background(), lake.Config{Catalog: filepath.Join(s.dir, "catalog.db"), Warehouse: filepath.Join(s.dir, "warehouse")})
	if err != nil {
		s.t.Error(err)
		runtime.Goexit()
	}
	s.t.Cleanup(func() { _ = l.Close() })
	return l
}
