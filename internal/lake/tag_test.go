package lake

import (
	"context"
	"errors"
	"testing"

	"github.com/apache/iceberg-go/table"
)

// byAnother puts a snapshot without a cursor on the head.
func byAnother(t *testing.T, tbl *Table) *table.Table {
	t.Helper()
	if err := tbl.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	tx := headOf(tbl).NewTransaction()
	if err := tx.AddFiles(t.Context(), nil, nil, true); err != nil {
		t.Fatal(err)
	}
	done, err := tx.Commit(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func rollBack(t *testing.T, tbl *Table, to int64) {
	t.Helper()
	if err := tbl.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	tx := headOf(tbl).NewTransaction()
	if err := tx.RollbackToSnapshot(to); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// All snapshots of the job that the rollback left have been expired: only the sequence numbers tell it.
func TestARollbackToAForeignSnapshotIsSeen(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	if _, err := appendRows(t, tbl, "a", 0, 10); err != nil {
		t.Fatal(err)
	}
	byAnother(t, tbl)
	foreign := byAnother(t, tbl)
	if _, err := appendRows(t, tbl, "a", 10, 20); err != nil {
		t.Fatal(err)
	}
	rollBack(t, tbl, foreign.CurrentSnapshot().SnapshotID)
	if err := tbl.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	tx := headOf(tbl).NewTransaction()
	err := errors.Join(tx.SetProperties(map[string]string{table.MinSnapshotsToKeepKey: "1", table.MaxSnapshotAgeMsKey: "0"}),
		tx.ExpireSnapshots(table.WithOlderThan(0), table.WithRetainLast(1)))
	if err == nil {
		_, err = tx.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	var rolled *RolledBackError
	if p, err := tbl.Position(t.Context(), "a"); !errors.As(err, &rolled) {
		t.Fatalf("got %+v, %v; want a rollback", p, err)
	}
}

// tardy takes one swap, says that it failed, and makes it when it is asked to.
type tardy struct {
	catalogIO
	armed bool
	swap  func() error
}

func (c *tardy) CommitTable(ctx context.Context, id table.Identifier, r []table.Requirement, u []table.Update) (table.Metadata, string, error) {
	if !c.armed {
		return c.catalogIO.CommitTable(ctx, id, r, u)
	}
	c.armed = false
	c.swap = func() error {
		_, _, err := c.catalogIO.CommitTable(context.WithoutCancel(ctx), id, r, u)
		return err
	}
	return nil, "", errLost
}

// The head has again the id that the late swap expects, because of a rollback; the job's tag has not.
func TestALateSwapDoesNotHideARollback(t *testing.T) {
	home := t.TempDir()
	tbl := ensure(t, open(t, home))
	first, err := appendRows(t, tbl, "a", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	slow := open(t, home)
	late := &tardy{catalogIO: slow.cat, armed: true}
	slow.cat = late
	if _, err := appendRows(t, ensure(t, slow), "a", 10, 20); err != nil { // its second try lands
		t.Fatal(err)
	}
	rollBack(t, tbl, first.Snapshot)
	if err := late.swap(); err == nil {
		t.Error("the late swap landed on a table that was rolled back")
	}
	var rolled *RolledBackError
	if p, err := tbl.Position(t.Context(), "a"); !errors.As(err, &rolled) {
		t.Fatalf("got %+v, %v; want a rollback", p, err)
	}
}

// Somebody rolls the table back while the job runs: its next commit must not go on as if nothing had been.
func TestACommitSeesARollback(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	first, err := appendRows(t, tbl, "a", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := appendRows(t, tbl, "a", 10, 20); err != nil {
		t.Fatal(err)
	}
	rollBack(t, tbl, first.Snapshot)
	var rolled *RolledBackError
	if _, err := appendRows(t, tbl, "a", 20, 30); !errors.As(err, &rolled) {
		t.Fatalf("got %v, want a rollback", err)
	}
}

func TestAnOlderRunIsFenced(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	commit := func(id string, epoch, from int64) error {
		c := Commit{Job: "a", ID: id, Epoch: epoch, From: cursor(from), To: cursor(from + 1)}
		if from == 0 {
			c.From = nil
		}
		_, err := tbl.Commit(t.Context(), c)
		return err
	}
	if err := errors.Join(commit("1", 1, 0), commit("2", 2, 1), commit("3", 2, 2)); err != nil {
		t.Fatal(err)
	}
	if err := commit("4", 1, 3); !errors.Is(err, ErrFenced) || !errors.Is(err, ErrMoved) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
	if p, err := tbl.Position(t.Context(), "a"); err != nil || p.Seq != 3 || p.Epoch != 2 {
		t.Errorf("got %+v, %v", p, err)
	}
}

// A person sets the job back: the batch that is then made once more is the same one, and it is no repetition of the first.
func TestABatchIsMadeOnceMoreAfterADecision(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	if _, err := appendRows(t, tbl, "a", 0, 10); err != nil {
		t.Fatal(err)
	}
	if _, err := tbl.Decide(t.Context(), "a", cursor(10), cursor(0), nil); err != nil {
		t.Fatal(err)
	}
	c := Commit{Job: "a", ID: "a-0-10", From: cursor(0), To: cursor(10), Add: write(t, tbl, 10, 20)}
	if rc, err := tbl.Commit(t.Context(), c); err != nil || rc.Already {
		t.Fatalf("got %+v, %v; want a commit of its own", rc, err)
	}
	wantIDs(t, tbl, 20)
}
