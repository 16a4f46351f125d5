package lake

import (
	"path/filepath"
	"testing"
	"time"
)

var hourly = Upkeep{Compact: time.Hour, Expire: time.Hour, Orphans: 24 * time.Hour, Compaction: eager, Keep: 3}

// before makes a table look as if it had been looked after so long ago.
func before(t *testing.T, tbl *Table, ago time.Duration) {
	t.Helper()
	if err := tbl.LookedAfter(t.Context(), time.Now().Add(-ago)); err != nil {
		t.Fatal(err)
	}
}

func TestATableIsLookedAfterWhenItIsTime(t *testing.T) {
	home := t.TempDir()
	tbl, other := ensure(t, open(t, home)), ensure(t, open(t, home))
	appendMany(t, tbl, 0, 6)
	lost := write(t, tbl, 900, 910)
	allOld(t, home)
	if k, err := tbl.Keep(t.Context(), hourly); err != nil || k.Any() {
		t.Fatalf("a new table: %+v, %v", k, err)
	}
	before(t, tbl, 2*time.Hour)
	if k, err := tbl.Keep(t.Context(), Upkeep{}); err != nil || k.Any() {
		t.Errorf("never: %+v, %v", k, err)
	}
	k, err := tbl.Keep(t.Context(), hourly)
	if err != nil || k.Compacted.Rewritten != 6 || len(k.Orphans) != 0 {
		t.Errorf("after two hours: %+v, %v; want a compaction", k, err)
	}
	if got := headOf(tbl).Properties().GetInt("history.expire.min-snapshots-to-keep", 0); got != 3 {
		t.Errorf("%d snapshots are kept, want 3", got)
	}
	appendMany(t, tbl, 6, 9)
	if k, err := other.Keep(t.Context(), hourly); err != nil || k.Any() {
		t.Errorf("another process, right after: %+v, %v; want nothing", k, err)
	}
	before(t, other, 25*time.Hour)
	k, err = tbl.Keep(t.Context(), hourly)
	if err != nil || len(k.Orphans) == 0 {
		t.Errorf("after a day: %+v, %v; want the file of the batch that died to be gone", k, err)
	}
	if left, err := filepath.Glob(lost[0].Path); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
	wantIDs(t, tbl, 90)
	if p, err := tbl.Position(t.Context(), "a"); err != nil || string(p.Cursor) != "90" {
		t.Errorf("position %+v, %v", p, err)
	}
}

// Both begin at once: each row is there once, and nothing is lost.
func TestTwoProcessesLookAfterATableAtOnce(t *testing.T) {
	home := t.TempDir()
	l := open(t, home)
	tbl, other := ensure(t, l), ensure(t, open(t, home))
	appendMany(t, tbl, 0, 6)
	meanwhile(l, func() {
		if _, err := other.Compact(t.Context(), eager); err != nil {
			t.Error(err)
		}
	})
	if _, err := tbl.Compact(t.Context(), eager); err == nil {
		t.Error("both compactions took the same files")
	}
	wantIDs(t, tbl, 60)
	if n := len(dataNames(t, home)); n != 7 {
		t.Errorf("%d data files, want the six old ones and one new", n)
	}
}
