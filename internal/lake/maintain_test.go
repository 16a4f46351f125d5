package lake

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// With maintenance on, what each commit reads and writes stays the same, however many commits a table has had. BenchmarkCommit does the
// same for five thousand.
func TestMetadataStayFlat(t *testing.T) {
	const commits, round = 130, 20
	tbl := ensure(t, open(t, t.TempDir()))
	most := func(from, to int64) (s Stats) {
		for i := from; i < to; i++ {
			appendMany(t, tbl, i, i+1)
			if i%round == round-1 {
				compact(t, tbl, Compaction{})
			}
			got, err := tbl.Stats(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			s.Metadata, s.Manifests, s.Snapshots, s.Files = max(s.Metadata, got.Metadata), max(s.Manifests, got.Manifests), max(s.Snapshots, got.Snapshots), max(s.Files, got.Files)
		}
		return s
	}
	early := most(0, 60)
	most(60, commits-60)
	late := most(commits-60, commits)
	t.Logf("early %+v, late %+v", early, late)
	for what, v := range map[string][2]int64{
		"bytes of metadata": {early.Metadata, late.Metadata}, "manifests": {int64(early.Manifests), int64(late.Manifests)},
		"snapshots": {int64(early.Snapshots), int64(late.Snapshots)}, "data files": {int64(early.Files), int64(late.Files)},
	} {
		if 2*v[1] > 3*v[0] {
			t.Errorf("%s: %d in the first sixty commits, %d in the last", what, v[0], v[1])
		}
	}
	wantIDs(t, tbl, commits*10)
}

func TestExpiryDeletesWhatNoSnapshotNeeds(t *testing.T) {
	home := t.TempDir()
	tbl := ensure(t, open(t, home))
	appendMany(t, tbl, 0, 6)
	old := planOf(t, tbl)
	p, from := old.Files[0].File, (old.Files[0].Seq-1)*10
	if _, err := tbl.Commit(t.Context(), Commit{Job: "a", ID: "del", From: cursor(60), To: cursor(60), Remove: []File{p}, Add: write(t, tbl, from, from+10)}); err != nil {
		t.Fatal(err)
	}
	if r, err := tbl.Expire(t.Context(), 1, time.Millisecond, true); err != nil || r.Snapshots != 6 || len(tbl.Snapshots()) != 7 {
		t.Fatalf("a dry run: %+v, %v, %d snapshots", r, err, len(tbl.Snapshots()))
	}
	if r, err := tbl.Expire(t.Context(), 0, 0, false); err != nil || r.Snapshots != 0 {
		t.Errorf("by the table's own properties: %+v, %v", r, err)
	}
	if r, err := tbl.Expire(t.Context(), 1, time.Millisecond, false); err != nil || r.Snapshots != 6 || r.Kept != 1 {
		t.Errorf("got %+v, %v", r, err)
	}
	if _, err := os.Stat(p.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", p.Path, err)
	}
	wantIDs(t, tbl, 60)
	if at, err := tbl.Position(t.Context(), "a"); err != nil || string(at.Cursor) != "60" {
		t.Errorf("position %+v, %v", at, err)
	}
}

// A table of two jobs keeps its snapshots for an hour: one of the jobs may be away.
func TestSnapshotsOfTwoJobsStayForAnHour(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	if _, err := tbl.Commit(t.Context(), Commit{Job: "b", ID: "b1", To: cursor(1)}); err != nil {
		t.Fatal(err)
	}
	appendMany(t, tbl, 0, 60)
	if n := len(tbl.Snapshots()); n != 61 {
		t.Errorf("%d snapshots, want all 61", n)
	}
}

// Rows that others take out of a table stay readable for an hour, however fast the commits come.
func TestFilesThatOthersTookOutStayForAnHour(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	appendMany(t, tbl, 0, 2)
	gone := planOf(t, tbl).Files[0].File
	if _, err := tbl.Commit(t.Context(), Commit{Job: "a", ID: "del", From: cursor(20), To: cursor(20), Remove: []File{gone}}); err != nil {
		t.Fatal(err)
	}
	appendMany(t, tbl, 2, 60)
	if _, err := os.Stat(gone.Path); err != nil {
		t.Error(err)
	}
}

// BenchmarkCommit prints how long a commit takes in the first ten, and in the rounds that end with 360, 1,800 and 5,040 commits (a
// round is an hour of commits each 10 s, with a compaction at its end):
//
//	go test -run - -bench BenchmarkCommit -benchtime 1x -timeout 20m ./internal/lake
func BenchmarkCommit(b *testing.B) {
	const round, commits = 360, 14 * 360
	for b.Loop() {
		l, err := Open(b.Context(), Config{Catalog: filepath.Join(b.TempDir(), "c.db"), Warehouse: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		tbl, err := l.Ensure(b.Context(), "bank.rows", testSchema, Options{})
		if err != nil {
			b.Fatal(err)
		}
		var took time.Duration
		for i := range int64(commits) {
			files, err := tbl.Write(b.Context(), rowsOf(tbl.Schema(), i, i+1))
			if err != nil {
				b.Fatal(err)
			}
			c := Commit{Job: "a", ID: fmt.Sprint(i), To: cursor(i + 1), Add: files}
			if i > 0 {
				c.From = cursor(i)
			}
			t0 := time.Now()
			if _, err := tbl.Commit(b.Context(), c); err != nil {
				b.Fatal(err)
			}
			took += time.Since(t0)
			switch n := i + 1; {
			case n == 10:
				b.ReportMetric(took.Seconds()*100, "ms/commit@10")
			case n%round == 0:
				if n == round || n == 5*round || n == commits {
					b.ReportMetric(took.Seconds()*1000/round, fmt.Sprintf("ms/commit@%d", n))
				}
				took = 0
				if _, err := tbl.Compact(b.Context(), Compaction{}); err != nil {
					b.Fatal(err)
				}
			}
		}
		s, err := tbl.Stats(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(s.Metadata), "metadata-bytes@5040")
		if err := l.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
