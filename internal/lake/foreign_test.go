package lake

import (
	"encoding/json"
	"errors"
	"strconv"
	"testing"

	"github.com/apache/iceberg-go"
)

// bySpark commits as Spark does: the cursor stands in the summary, the property stays behind.
func bySpark(t *testing.T, tbl *Table, job, commit, cursor string, seq int64) {
	t.Helper()
	if err := tbl.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	tx := headOf(tbl).NewTransaction()
	err := tx.AddFiles(t.Context(), nil, iceberg.Properties{summaryJob: job, summaryCommit: commit, summaryCursor: cursor, summarySeq: strconv.FormatInt(seq, 10)}, true)
	if err == nil {
		_, err = tx.Commit(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// A job goes from Go to Spark and back: each takes up the other's cursor, and Go's next commit mends the property.
func TestAJobGoesOnWhereSparkStopped(t *testing.T) {
	ctx, tbl := t.Context(), ensure(t, open(t, t.TempDir()))
	if _, err := appendRows(t, tbl, "a", 0, 10); err != nil {
		t.Fatal(err)
	}
	bySpark(t, tbl, "a", "s1", "20", 2)
	bySpark(t, tbl, "a", "s2", "30", 3)
	p, err := tbl.Position(ctx, "a")
	if err != nil || string(p.Cursor) != "30" || p.Commit != "s2" || p.Seq != 3 {
		t.Fatalf("after Spark: %+v, %v; want cursor 30 of s2", p, err)
	}
	late := Commit{Job: "a", ID: "late", From: json.RawMessage("10"), To: json.RawMessage("20")} // from before Spark
	if _, err := tbl.Commit(ctx, late); !errors.Is(err, ErrMoved) {
		t.Errorf("a worker from before Spark's commits: got %v, want ErrMoved", err)
	}
	if _, err := tbl.Commit(ctx, Commit{Job: "a", ID: "g2", From: p.Cursor, To: json.RawMessage("40")}); err != nil {
		t.Fatal(err)
	}
	prop, err := property(headOf(tbl), "a")
	if err != nil || prop.Commit != "g2" || prop.Seq != 4 {
		t.Errorf("the property says %+v, %v; want commit g2, number 4", prop, err)
	}
}

// What Spark commits onto a table that was rolled back does not hide the rollback.
func TestSparkDoesNotHideARollback(t *testing.T) {
	ctx, tbl := t.Context(), ensure(t, open(t, t.TempDir()))
	first, err := appendRows(t, tbl, "a", 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := appendRows(t, tbl, "a", 10, 20); err != nil {
		t.Fatal(err)
	}
	tx := headOf(tbl).NewTransaction()
	if err := tx.RollbackToSnapshot(first.Snapshot); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(ctx); err != nil {
		t.Fatal(err)
	}
	for seq := range int64(3) {
		bySpark(t, tbl, "a", "s"+strconv.FormatInt(seq, 10), "20", seq+2)
		var rolled *RolledBackError
		if _, err := tbl.Position(ctx, "a"); !errors.As(err, &rolled) {
			t.Errorf("after %d commits: got %v, want a rollback", seq+1, err)
		}
	}
}
