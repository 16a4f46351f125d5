package show

import (
	"os"
	"path/filepath"
	"testing"

	"weir/internal/control"
	"weir/internal/load"
)

// Tomorrow's screens still tell the last search and the last comparison.
func TestWhatWasFoundIsKept(t *testing.T) {
	home := t.TempDir()
	var s control.Snapshot
	if err := Kept(home, &s); err != nil || s.Search != nil || s.Comparison != nil {
		t.Fatalf("of a new home: %+v, %v", s, err)
	}
	if err := KeepSearch(home, &control.Search{ID: "s", State: control.Done, Verdict: "capacity", Capacity: 740_000, Trials: []control.Trial{{Rate: 740_000}}}); err != nil {
		t.Fatal(err)
	}
	if err := KeepComparison(home, &control.Comparison{ID: "c", State: control.Done, Verdict: "unchanged"}); err != nil {
		t.Fatal(err)
	}
	if err := Kept(home, &s); err != nil || s.Search.Capacity != 740_000 || len(s.Search.Trials) != 1 || s.Comparison.Verdict != "unchanged" {
		t.Errorf("got %+v, %+v, %v", s.Search, s.Comparison, err)
	}
	if runs, err := load.Runs(home); err != nil || len(runs) > 0 {
		t.Errorf("they are taken for runs: %v, %v", runs, err)
	}
	if err := KeepSearch(home, &control.Search{State: control.Running}); err != nil {
		t.Fatal(err)
	}
	s = control.Snapshot{}
	if err := Kept(home, &s); err != nil || s.Search != nil {
		t.Errorf("a search that nobody makes is shown as going on: %+v, %v", s.Search, err)
	}
	if err := os.WriteFile(filepath.Join(home, "load", lastSearch), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Kept(home, &s); err == nil {
		t.Error("a broken file is not told")
	}
}
