package laketest

import (
	"fmt"
	"testing"
	"time"

	"weir/internal/lake"
)

// Small files become one, what died is cleaned away, old snapshots go: the rows and the cursor stay as they were.
func (s *suite) maintained(t *testing.T) {
	tbl := s.table(t, s.open(t), "maintained")
	for i := range int64(4) {
		if _, err := appendRows(t, tbl, "a", i*10, i*10+10); err != nil {
			t.Fatal(err)
		}
	}
	before, err := tbl.Position(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if r, err := tbl.Compact(t.Context(), lake.Compaction{Least: 2}); err != nil || r.Rewritten != 4 || r.Written != 1 {
		t.Fatalf("compaction: %+v, %v", r, err)
	}
	s.want(t, "maintained", 40)
	lost := write(t, tbl, 90, 91)
	if found, err := tbl.Orphans(t.Context(), time.Hour); err != nil || len(found) != 0 {
		t.Errorf("orphans of an hour: %v, %v", found, err)
	}
	found, err := tbl.Orphans(t.Context(), -time.Minute) // a storage's clock may be another
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, o := range found {
		for _, f := range lost {
			if lake.SameFile(o.Path, f.Path) {
				seen++
			}
		}
	}
	if seen != 1 {
		t.Errorf("the file of a batch that died is not among %v", found)
	}
	if err := tbl.RemoveOrphans(t.Context(), found); err != nil {
		t.Fatal(err)
	}
	if found, err := tbl.Orphans(t.Context(), -time.Minute); err != nil || len(found) != 0 {
		t.Errorf("orphans are left: %v, %v", found, err)
	}
	s.want(t, "maintained", 40)
	if r, err := tbl.Expire(t.Context(), 1, time.Millisecond, false); err != nil || r.Snapshots != 3 {
		t.Errorf("expiry: %+v, %v; want that the head stays, and the snapshot that was compacted", r, err)
	}
	after, err := s.table(t, s.open(t), "maintained").Position(t.Context(), "a")
	if err != nil || fmt.Sprint(after) != fmt.Sprint(before) {
		t.Errorf("position %+v, %v; before %+v", after, err, before)
	}
	if _, err := appendRows(t, tbl, "a", 40, 50); err != nil {
		t.Fatal(err)
	}
	s.want(t, "maintained", 50)
}
