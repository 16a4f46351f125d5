package lake

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/apache/iceberg-go/table"
)

var errLost = errors.New("connection reset by peer")

// liar stands in front of the catalog. It can apply a commit and lose the answer, refuse it, or be away.
type liar struct {
	catalogIO
	steps int // catalog calls so far, each counted before and after its effect
	at    int // the step that fails; 0 = none
	away  int // loads that fail after it
	fatal bool
}

func (l *liar) step() error {
	l.steps++
	if l.fatal && l.steps == l.at { // a dead process makes no further call
		runtime.Goexit()
	}
	if l.steps == l.at {
		return errLost
	}
	return nil
}

func (l *liar) LoadTable(ctx context.Context, id table.Identifier) (*table.Table, error) {
	if l.away > 0 && l.at > 0 && l.steps >= l.at {
		l.away--
		return nil, errLost
	}
	if err := l.step(); err != nil {
		return nil, err
	}
	return l.catalogIO.LoadTable(ctx, id)
}

func (l *liar) CommitTable(ctx context.Context, id table.Identifier, r []table.Requirement, u []table.Update) (table.Metadata, string, error) {
	if err := l.step(); err != nil {
		return nil, "", err
	}
	m, loc, err := l.catalogIO.CommitTable(ctx, id, r, u)
	if err != nil {
		return nil, "", err
	}
	if err := l.step(); err != nil {
		return nil, "", err
	}
	return m, loc, nil
}

func TestCommitAppliedButTheAnswerWasLost(t *testing.T) {
	for _, away := range []int{0, 3} {
		t.Run(fmt.Sprintf("then the catalog is away for %d calls", away), func(t *testing.T) {
			l := open(t, t.TempDir())
			tbl := ensure(t, l)
			l.cat = &liar{catalogIO: l.cat, at: 3, away: away} // load, before the swap, after the swap
			rc, err := appendRows(t, tbl, "a", 0, 10)
			if err != nil || rc.Already || rc.Tries < 2 {
				t.Fatalf("got %+v, %v; want a commit that was found at a later look", rc, err)
			}
			wantIDs(t, tbl, 10)
			if p, err := tbl.Position(t.Context(), "a"); err != nil || p.Seq != 1 {
				t.Fatalf("got %+v, %v; want one commit", p, err)
			}
		})
	}
}

func TestAnErrorBeforeTheSwapIsTriedAgainWithTheSameFiles(t *testing.T) {
	l := open(t, t.TempDir())
	tbl := ensure(t, l)
	l.cat = &liar{catalogIO: l.cat, at: 2}
	if _, err := appendRows(t, tbl, "a", 0, 10); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, tbl, 10)
}

// The process dies before each of its catalog calls and after each; another one recovers from the table and goes on.
func TestDiesAtEveryStep(t *testing.T) {
	const batches = 3
	work := func(t *testing.T, l *Lake) error {
		tbl, err := l.Ensure(t.Context(), "bank.rows", testSchema, Options{})
		if err != nil {
			return err
		}
		p, err := tbl.Position(t.Context(), "a")
		if err != nil {
			return err
		}
		var at int64
		if p.Cursor != nil {
			if _, err := fmt.Sscan(string(p.Cursor), &at); err != nil {
				return err
			}
		}
		for ; at < batches*10; at += 10 {
			if _, err := appendRows(t, tbl, "a", at, at+10); err != nil {
				return err
			}
		}
		return nil
	}
	count := &liar{}
	clean := open(t, t.TempDir())
	count.catalogIO, clean.cat = clean.cat, count
	if err := work(t, clean); err != nil {
		t.Fatal(err)
	}
	if count.steps < 4*batches {
		t.Fatalf("only %d steps counted", count.steps)
	}
	for step := 1; step <= count.steps; step++ {
		t.Run(fmt.Sprintf("dies at step %d", step), func(t *testing.T) {
			home := t.TempDir()
			l := open(t, home)
			l.cat = &liar{catalogIO: l.cat, at: step, fatal: true}
			dead := make(chan bool)
			go func() {
				defer close(dead)
				_ = work(t, l)
				t.Error("it lived on")
			}()
			<-dead
			next := open(t, home)
			if err := work(t, next); err != nil {
				t.Fatal(err)
			}
			wantIDs(t, ensure(t, next), batches*10)
		})
	}
}
