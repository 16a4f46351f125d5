package show

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"weir/internal/control"
	"weir/internal/load"
)

// lastSearch and lastComparison are kept in the home as they were shown, so that the next day's screens still tell them.
const (
	lastSearch     = "search.last.json"
	lastComparison = "comparison.last.json"
)

// KeepSearch keeps how a search has ended.
func KeepSearch(home string, s *control.Search) error { return keep(home, lastSearch, s) }

// KeepComparison keeps how a comparison has ended.
func KeepComparison(home string, c *control.Comparison) error { return keep(home, lastComparison, c) }

func keep(home, name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	path := filepath.Join(home, "load", name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return load.WriteDurable(path, append(b, '\n'))
}

// Kept puts the last search and the last comparison of a home into a snapshot.
func Kept(home string, s *control.Snapshot) error {
	var f control.Search
	var c control.Comparison
	if ok, err := kept(home, lastSearch, &f); err != nil {
		return err
	} else if ok && f.Over() {
		s.Search = &f
	}
	if ok, err := kept(home, lastComparison, &c); err != nil {
		return err
	} else if ok && c.Over() {
		s.Comparison = &c
	}
	return nil
}

func kept(home, name string, v any) (bool, error) {
	b, err := os.ReadFile(filepath.Join(home, "load", name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, json.Unmarshal(b, v)
}
