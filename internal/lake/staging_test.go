package lake

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/oklog/ulid/v2"
)

// What somebody else commits to the staging table becomes visible in the destination with our commit, and with no other.
func TestFilesOfAStagingTableAreTakenOver(t *testing.T) {
	home := t.TempDir()
	l := open(t, home)
	tbl := ensure(t, l)
	st, err := tbl.Staging(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := st.Commit(t.Context(), Commit{Job: "elsewhere", ID: "e", To: []byte("1"), Add: write(t, st, 0, 10)}); err != nil {
		t.Fatal(err)
	}
	files, err := tbl.Adopt(t.Context(), st)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := tbl.Plan(t.Context()); err != nil || len(p.Files) != 0 {
		t.Errorf("before the commit: %v, %v", p.Files, err)
	}
	if err := st.Unstage(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	if _, err := tbl.Commit(t.Context(), Commit{Job: "report", ID: "r", To: []byte("1"), Add: files}); err != nil {
		t.Fatal(err)
	}
	p, err := tbl.Plan(t.Context())
	if err != nil || len(p.Files) != 1 || p.Files[0].Rows != 10 || !strings.HasPrefix(p.Files[0].Path, tbl.DataDir()) {
		t.Fatalf("got %+v, %v", p.Files, err)
	}
	n := 0
	for c, err := range tbl.Scan(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		n += int(c.Batch.NumRows())
	}
	if n != 10 {
		t.Errorf("%d rows can be read", n)
	}
	if _, err := os.Stat(filepath.Join(home, "warehouse", "bank.db", strings.TrimPrefix(st.Name(), "bank."))); !os.IsNotExist(err) {
		t.Errorf("the staging table's folder is left: %v", err)
	}
}

// A run that died leaves its staging table: the next one drops it, but none that may still be in use.
func TestStagingTablesOfDeadRunsAreDropped(t *testing.T) {
	l := open(t, t.TempDir())
	tbl := ensure(t, l)
	at := func(ago time.Duration) string {
		id := ulid.MustNew(ulid.Timestamp(time.Now().Add(-ago)), ulid.DefaultEntropy())
		name := tbl.Name() + stagingMark + strings.ToLower(id.String())
		if _, err := l.Ensure(t.Context(), name, testSchema, Options{}); err != nil {
			t.Fatal(err)
		}
		return name
	}
	old, young := at(stagingLife+time.Hour), at(time.Hour)
	dead, err := l.Table(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	left := write(t, dead, 0, 3)
	if _, err := dead.Commit(t.Context(), Commit{Job: "elsewhere", ID: "e", To: []byte("1"), Add: left}); err != nil {
		t.Fatal(err)
	}
	st, err := tbl.Staging(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	names, err := l.Tables(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(names, " "), strings.Join([]string{tbl.Name(), young, st.Name()}, " "); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
	if _, err := os.Stat(left[0].Path); err != nil {
		t.Errorf("a file of it, which may have been committed just before the run died: %v", err)
	}
	if err := tbl.Unstage(t.Context(), true); err == nil {
		t.Error("a table that is none of staging was dropped")
	}
}

func TestStagingKeepsTheNumbersOfColumns(t *testing.T) {
	l := open(t, t.TempDir())
	tbl := ensure(t, l)
	st, err := tbl.Staging(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !sameColumns(st, tbl) {
		t.Errorf("staging has %v, the table %v", st.Schema(), tbl.Schema())
	}
	other, err := l.Ensure(t.Context(), "bank.other", arrow.NewSchema(testSchema.Fields()[1:], nil), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if sameColumns(other, tbl) {
		t.Error("tables with other columns count as the same")
	}
}
