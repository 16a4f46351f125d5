package results

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// An Entry is what a history or a baseline keeps of a run: the few numbers that are compared.
type Entry struct {
	Run         string             `json:"run"`
	At          time.Time          `json:"at"`
	Profile     string             `json:"profile"`
	Key         string             `json:"key"` // of the fingerprint: only equal ones are compared
	Fingerprint Fingerprint        `json:"fingerprint"`
	Values      map[string]float64 `json:"values"`
}

// EntryOf is a run's entry; a run whose figures say nothing has none.
func EntryOf(r *Result) (Entry, error) {
	if why := r.Usable(); why != "" {
		return Entry{}, fmt.Errorf("run %s can be compared with nothing: %s", r.Run, why)
	}
	return Entry{r.Run, r.Started, r.Summary.Profile, r.Fingerprint.Key(), r.Fingerprint, r.Values()}, nil
}

// ParseLog reads entries, one JSON object a line, in the order of their time. name stands in errors.
func ParseLog(name string, b []byte) ([]Entry, error) {
	var all []Entry
	for i, l := range bytes.Split(b, []byte("\n")) {
		if len(bytes.TrimSpace(l)) == 0 {
			continue
		}
		var e Entry
		err := json.Unmarshal(l, &e)
		if err == nil && e.Run == "" {
			err = errors.New("it names no run")
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%d: expected an entry that loadgen has written: %w", name, i+1, err)
		}
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return a.At.Compare(b.At) })
	return all, nil
}

// Lines are entries as they stand in a file.
func Lines(all []Entry) ([]byte, error) {
	var b []byte
	for _, e := range all {
		line, err := json.Marshal(e)
		if err != nil {
			return nil, err
		}
		b = append(append(b, line...), '\n')
	}
	return b, nil
}

// Missing are the entries of runs that are not there yet, each once.
func Missing(there, add []Entry) []Entry {
	seen := map[string]bool{}
	for _, e := range there {
		seen[e.Run] = true
	}
	var out []Entry
	for _, e := range add {
		if !seen[e.Run] {
			seen[e.Run], out = true, append(out, e)
		}
	}
	return out
}

// ReadLog reads a file of entries. A file that is not there is empty.
func ReadLog(path string) ([]Entry, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return ParseLog(path, b)
}

// AppendLog adds entries to a file; a run that is there already is not added again. It returns how many were new.
func AppendLog(path string, add ...Entry) (int, error) {
	old, err := ReadLog(path)
	if err != nil {
		return 0, err
	}
	fresh := Missing(old, add)
	b, err := Lines(fresh)
	if err != nil || len(fresh) == 0 {
		return 0, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return 0, err
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644) //nolint:gosec // figures that go into a repository
	if err != nil {
		return 0, err
	}
	_, err = f.Write(b) // one write: two jobs that append do not mix their lines
	return len(fresh), errors.Join(err, f.Close())
}

// WriteLog replaces a file of entries.
func WriteLog(path string, all []Entry) error {
	b, err := Lines(all)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return writeWhole(path, b)
}
