package lake

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/iceberg-go/table"
)

// allOld makes every file of the home a day old.
func allOld(t *testing.T, home string) {
	t.Helper()
	at := time.Now().Add(-24 * time.Hour)
	err := filepath.WalkDir(filepath.Join(home, "warehouse"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chtimes(path, at, at)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func orphansOf(t *testing.T, tbl *Table, age time.Duration) []string {
	t.Helper()
	found, err := tbl.Orphans(t.Context(), age)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, o := range found {
		if o.Bytes == 0 {
			t.Errorf("%s has no size", o.Path)
		}
		names = append(names, filepath.Base(o.Path))
	}
	slices.Sort(names)
	return names
}

func TestOrphansAreWhatNothingRefersTo(t *testing.T) {
	home := t.TempDir()
	l := open(t, home)
	tbl := ensure(t, l)
	appendMany(t, tbl, 0, 6)
	compact(t, tbl, eager) // what it replaced is of a snapshot that is still there
	appendMany(t, tbl, 6, 8)
	branch := headOf(tbl).CurrentSnapshot().SnapshotID
	_, _, err := l.cat.CommitTable(t.Context(), tbl.id, nil, []table.Update{table.NewSetSnapshotRefUpdate("audit", branch, table.BranchRef, 0, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	if err := tbl.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	tx := headOf(tbl).NewTransaction() // rows that only the branch has
	if err := tx.RollbackToSnapshot(*headOf(tbl).CurrentSnapshot().ParentSnapshotID); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	st, err := tbl.Staging(t.Context()) // its files lie among the table's
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Commit(t.Context(), Commit{Job: "s", ID: "s", To: cursor(1), Add: write(t, st, 0, 3)}); err != nil {
		t.Fatal(err)
	}
	lost := write(t, tbl, 900, 910) // a batch that died
	meta := filepath.Join(filepath.Dir(filepath.Dir(lost[0].Path)), "metadata")
	for name, where := range map[string]string{"lost-m0.avro": meta, "00099-x.metadata.json": meta, "notes.txt": meta, "version-hint.text": meta, "README.parquet.md": filepath.Dir(lost[0].Path)} {
		if err := os.WriteFile(filepath.Join(where, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got := orphansOf(t, tbl, time.Hour); len(got) != 0 {
		t.Errorf("files of this minute: %v", got)
	}
	allOld(t, home)
	fresh := write(t, tbl, 910, 920) // a batch that is not committed yet
	want := []string{"00099-x.metadata.json", filepath.Base(lost[0].Path), "lost-m0.avro"}
	slices.Sort(want)
	got := slices.DeleteFunc(orphansOf(t, tbl, time.Hour), func(n string) bool {
		// the metadata file of each swap that was made here past iceberg-go
		return strings.HasSuffix(n, ".metadata.json") && !strings.HasPrefix(n, "00099")
	})
	if !slices.Equal(got, want) {
		t.Fatalf("orphans %v, want %v", got, want)
	}
	found, err := tbl.Orphans(t.Context(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second cleaner has nothing to do
		if err := tbl.RemoveOrphans(t.Context(), found); err != nil {
			t.Fatal(err)
		}
	}
	if got := orphansOf(t, tbl, time.Hour); len(got) != 0 {
		t.Errorf("left: %v", got)
	}
	_, fs := tbl.current()
	for _, s := range headOf(tbl).Metadata().Snapshots() { // every snapshot of every ref is whole
		manifests, err := s.Manifests(fs)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range manifests {
			for e, err := range m.Entries(fs, true) {
				if err != nil {
					t.Fatal(err)
				}
				if _, err := os.Stat(fileOf(e.DataFile()).Path); err != nil {
					t.Error(err)
				}
			}
		}
	}
	if _, err := tbl.Commit(t.Context(), Commit{Job: "b", ID: "fresh", To: cursor(1), Add: fresh}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(meta, "notes.txt")); err != nil {
		t.Error(err)
	}
}

func TestFilesThatBelongToOthersAsWellAreNoOrphans(t *testing.T) {
	tbl := ensure(t, open(t, t.TempDir()))
	tx := headOf(tbl).NewTransaction()
	if err := tx.SetProperties(map[string]string{"gc.enabled": "false"}); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	write(t, tbl, 0, 1)
	if _, err := tbl.Orphans(t.Context(), -time.Second); err == nil || !strings.Contains(err.Error(), "gc.enabled") {
		t.Errorf("got %v", err)
	}
}

// A file that is committed between the listing and the reading of the table is no orphan: the listing comes first.
func TestAFileThatIsCommittedMeanwhileIsNoOrphan(t *testing.T) {
	home := t.TempDir()
	l := open(t, home)
	tbl, other := ensure(t, l), ensure(t, open(t, home))
	files := write(t, other, 0, 10)
	allOld(t, home)
	l.cat = &onLoad{l.cat, func() {
		if _, err := other.Commit(t.Context(), Commit{Job: "a", ID: "x", To: cursor(10), Add: files}); err != nil {
			t.Error(err)
		}
	}}
	found, err := tbl.Orphans(t.Context(), time.Hour)
	if err != nil || len(found) != 0 {
		t.Errorf("got %v, %v", found, err)
	}
	wantIDs(t, tbl, 10)
}

// onLoad is a catalog before whose next reading something happens.
type onLoad struct {
	catalogIO
	do func()
}

func (c *onLoad) LoadTable(ctx context.Context, id table.Identifier) (*table.Table, error) {
	if do := c.do; do != nil {
		c.do = nil
		do()
	}
	return c.catalogIO.LoadTable(ctx, id)
}
