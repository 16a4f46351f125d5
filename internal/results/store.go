package results

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"weir/internal/load"
)

const suffix = ".result.json"

// Path is where the result of a run lies below the home.
func Path(home, run string) string { return filepath.Join(home, "load", run+suffix) }

// Save stores a result, whole or not at all, and returns its path.
func Save(dir string, r *Result) (string, error) {
	path := filepath.Join(dir, r.Run+suffix)
	b, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("result of run %s: %w", r.Run, err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", fmt.Errorf("result of run %s: %w", r.Run, err)
	}
	return path, writeWhole(path, append(b, '\n'))
}

func writeWhole(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*.tmp") // shards of a run may share a home
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err = errors.Join(err, f.Chmod(0o644), f.Close()); err == nil { // figures, no secrets: CI's next step may run as somebody else
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// List names the runs of a home that have a result, oldest first.
func List(home string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(home, "load"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list results: %w", err)
	}
	var all []string
	for _, e := range entries {
		if run, ok := strings.CutSuffix(e.Name(), suffix); ok {
			all = append(all, run)
		}
	}
	slices.Sort(all) // ULIDs sort by time
	return all, nil
}

// Load reads the result of a run: its id, last, or the path of a file.
func Load(home, run string) (*Result, error) {
	path := run
	switch {
	case run == "last":
		all, err := List(home)
		if err != nil {
			return nil, err
		}
		if len(all) == 0 {
			return nil, fmt.Errorf("%w: there is no result in %s", load.ErrNoRun, filepath.Join(home, "load"))
		}
		path = Path(home, all[len(all)-1])
	case !strings.HasSuffix(run, ".json"):
		if run == "" || filepath.Base(run) != run {
			return nil, fmt.Errorf("%w: %q", load.ErrNoRun, run)
		}
		path = Path(home, run)
	}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no result %s", load.ErrNoRun, path)
	}
	if err != nil {
		return nil, fmt.Errorf("result: %w", err)
	}
	r := &Result{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("result %s: %w", path, err)
	}
	if r.Version != version || r.Run == "" {
		return nil, fmt.Errorf("result %s: version %d is not one that this version can read", path, r.Version)
	}
	return r, nil
}
