package etl

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"weir/minibatch"
)

// loaded is the value of the cursor: which content each business date has in the table.
type loaded struct {
	Days map[string]string `json:"days"` // date -> digest of its delivery; the newest keepDays of them
}

// keepDays bounds the cursor, which stands in the table's metadata twice. An older day that comes again is loaded again
// where that replaces it, and refused where it would be added.
const keepDays = 120

const (
	cursorKind    = "files"
	cursorVersion = 1
)

func toLoaded(c minibatch.Cursor) (loaded, error) {
	l := loaded{Days: map[string]string{}}
	if c.IsZero() {
		return l, nil
	}
	if c.Kind != cursorKind || c.Version != cursorVersion {
		return l, minibatch.Fatal(fmt.Errorf("the table's cursor is of kind %s version %d, this program reads %s version %d: another kind of job of the same name writes there",
			c.Kind, c.Version, cursorKind, cursorVersion))
	}
	return l, json.Unmarshal(c.Value, &l)
}

func (l loaded) with(d delivery) loaded {
	days := maps.Clone(l.Days)
	days[d.Day] = d.digest()
	for _, old := range slices.Sorted(maps.Keys(days)) {
		if len(days) <= keepDays {
			break
		}
		delete(days, old)
	}
	return loaded{Days: days}
}

// forgotten reports whether a day may have been loaded so long ago that the cursor no longer knows.
func (l loaded) forgotten(day string) bool {
	return len(l.Days) >= keepDays && day < slices.Min(slices.Collect(maps.Keys(l.Days)))
}

func (l loaded) cursor() minibatch.Cursor {
	v, err := json.Marshal(l) // maps are written in the order of their keys
	if err != nil {
		panic(err)
	}
	return minibatch.Cursor{Kind: cursorKind, Version: cursorVersion, Value: v}
}

func fromTable(raw json.RawMessage) (c minibatch.Cursor, err error) {
	if len(raw) > 0 {
		err = json.Unmarshal(raw, &c)
	}
	return c, err
}
