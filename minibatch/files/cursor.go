package files

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"time"

	"weir/internal/storage"
	"weir/minibatch"
)

const (
	cursorKind    = "files"
	cursorVersion = 2 // 1 is the daily files of an etl job
)

// position is the cursor's value.
type position struct {
	Taken marks  `json:"taken"` // whole files, in the order in which they were taken
	In    *piece `json:"in,omitempty"`
}

// piece is a file of which only the beginning has been taken.
type piece struct {
	Mark   mark   `json:"mark"`
	Name   string `json:"name"`
	Offset int64  `json:"offset"` // of the first byte that has not been taken
}

// mark knows a file in 18 bytes: 8 of its content, 6 of its name, 4 of its size and time, which spare a look at the content.
type mark [18]byte

func sum(parts ...any) []byte {
	h := sha256.New()
	_ = json.NewEncoder(h).Encode(parts)
	return h.Sum(nil)
}

func markOf(e storage.Entry, content string) (m mark) {
	copy(m[:8], sum(content, e.Size))
	copy(m[8:14], sum(e.Name))
	copy(m[14:], stamp(e))
	return m
}

func stamp(e storage.Entry) []byte {
	return sum(e.Size, e.Time.UTC().Format(time.RFC3339Nano), e.Tag)[:4]
}

func (m mark) name() string  { return string(m[8:14]) }
func (m mark) stamp() string { return string(m[14:]) }

// id is what makes two files the same.
func (m mark) id(byName bool) string {
	if byName {
		return string(m[:14])
	}
	return string(m[:8])
}

func (m mark) MarshalJSON() ([]byte, error)  { return json.Marshal(m[:]) }
func (m *mark) UnmarshalJSON(b []byte) error { return unpack(b, func(got mark) { *m = got }) }

// marks are one text in the cursor, not a list: there are thousands of them.
type marks []mark

func (m marks) MarshalJSON() ([]byte, error) {
	var b []byte
	for _, x := range m {
		b = append(b, x[:]...)
	}
	return json.Marshal(b)
}

func (m *marks) UnmarshalJSON(b []byte) error {
	return unpack(b, func(x mark) { *m = append(*m, x) })
}

func unpack(b []byte, each func(mark)) error {
	var raw []byte
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	if len(raw)%len(mark{}) != 0 {
		return fmt.Errorf("%d bytes of marks", len(raw))
	}
	for ; len(raw) > 0; raw = raw[len(mark{}):] {
		each(mark(raw))
	}
	return nil
}

func toPosition(c minibatch.Cursor) (p position, err error) {
	if c.IsZero() {
		return p, nil
	}
	if c.Kind != cursorKind || c.Version != cursorVersion {
		return p, minibatch.Fatal(fmt.Errorf("the cursor is of kind %s version %d, this program reads %s version %d: another kind of job of the same name writes there",
			c.Kind, c.Version, cursorKind, cursorVersion))
	}
	if err := json.Unmarshal(c.Value, &p); err != nil {
		return p, minibatch.Fatal(fmt.Errorf("the cursor cannot be read: %w", err))
	}
	return p, nil
}

func (p position) cursor() (minibatch.Cursor, error) {
	v, err := json.Marshal(p)
	return minibatch.Cursor{Kind: cursorKind, Version: cursorVersion, Value: v}, err
}
