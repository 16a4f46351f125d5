package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"weir/minibatch"
)

// done is the value of a report's cursor: what the destination holds, and of which state of its sources.
type done struct {
	Run       string           `json:"run"`                 // the last one
	Sources   map[string]int64 `json:"sources"`             // snapshot of each table that it read
	Intervals []span           `json:"intervals,omitempty"` // appended so far, merged and ascending
	Seen      map[string]seen  `json:"seen,omitempty"`      // of each table that is read incrementally
}

type span struct {
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

const (
	cursorKind    = "report"
	cursorVersion = 1
)

func (d done) cursor() minibatch.Cursor {
	v, err := json.Marshal(d)
	if err != nil { // strings, numbers and times only
		panic(err)
	}
	return minibatch.Cursor{Kind: cursorKind, Version: cursorVersion, Value: v}
}

func toDone(c minibatch.Cursor) (done, error) {
	var d done
	if c.IsZero() {
		return d, nil
	}
	if c.Kind != cursorKind || c.Version != cursorVersion {
		return d, minibatch.Fatal(fmt.Errorf("the table's cursor is of kind %s version %d, this program reads %s version %d: another kind of job of the same name writes there",
			c.Kind, c.Version, cursorKind, cursorVersion))
	}
	return d, json.Unmarshal(c.Value, &d)
}

// has reports whether all of an interval has been appended; overlaps, whether some of it has.
func (d done) has(i span) bool {
	return slices.ContainsFunc(d.Intervals, func(s span) bool { return !i.Start.Before(s.Start) && !i.End.After(s.End) })
}

func (d done) overlaps(i span) bool {
	return slices.ContainsFunc(d.Intervals, func(s span) bool { return i.Start.Before(s.End) && s.Start.Before(i.End) })
}

// with merges an interval into the list, which stays as short as the gaps allow.
func (d done) with(i span) []span {
	all := append(slices.Clone(d.Intervals), i)
	slices.SortFunc(all, func(a, b span) int { return a.Start.Compare(b.Start) })
	out := all[:1]
	for _, s := range all[1:] {
		if last := &out[len(out)-1]; !s.Start.After(last.End) {
			if s.End.After(last.End) {
				last.End = s.End
			}
			continue
		}
		out = append(out, s)
	}
	return out
}
