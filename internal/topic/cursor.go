package topic

import (
	"encoding/json"
	"fmt"
	"maps"

	"weir/minibatch"
)

const (
	cursorKind    = "offsets"
	cursorVersion = 1
)

// Offsets is the value of an ingest cursor: the next position to read of each partition. They are positions, never counts:
// commit markers and compaction leave gaps. A rebuilt cluster or a recreated topic starts again at 0 under another id, and
// its positions mean nothing here.
type Offsets struct {
	Cluster string          `json:"cluster"`
	Topic   string          `json:"topic"`
	TopicID string          `json:"topic_id"`
	Next    map[int32]int64 `json:"next"`
}

func (o Offsets) cursor() minibatch.Cursor {
	v, err := json.Marshal(o)
	if err != nil { // strings and numbers only
		panic(err)
	}
	return minibatch.Cursor{Kind: cursorKind, Version: cursorVersion, Value: v}
}

// ToOffsets reads a cursor; the zero Cursor gives no positions.
func ToOffsets(c minibatch.Cursor) (Offsets, error) {
	var o Offsets
	if c.IsZero() {
		return o, nil
	}
	if c.Kind != cursorKind || c.Version != cursorVersion {
		return o, minibatch.Fatal(fmt.Errorf("the table's cursor is of kind %s version %d, this program reads %s version %d: it was written by another kind of job or a newer version",
			c.Kind, c.Version, cursorKind, cursorVersion))
	}
	if err := json.Unmarshal(c.Value, &o); err != nil {
		return o, minibatch.Fatal(fmt.Errorf("the table's cursor cannot be read: %w", err))
	}
	return o, nil
}

// Stored reads a cursor as a destination keeps it; nothing is the zero Cursor.
func Stored(raw json.RawMessage) (minibatch.Cursor, error) {
	var c minibatch.Cursor
	if len(raw) == 0 {
		return c, nil
	}
	if err := json.Unmarshal(raw, &c); err != nil {
		return c, minibatch.Fatal(fmt.Errorf("the table's cursor cannot be read: %w", err))
	}
	return c, nil
}

// Advance is the compare-and-set of a batch: for each partition that it moves, the table must hold what it starts from.
// Other partitions stay as the table has them, so that workers on other partitions of the topic do not disturb each other.
func Advance(b minibatch.Batch) func(json.RawMessage) (json.RawMessage, error) {
	return func(raw json.RawMessage) (json.RawMessage, error) {
		from, err := ToOffsets(b.From)
		if err != nil {
			return nil, err
		}
		to, err := ToOffsets(b.To)
		if err != nil {
			return nil, err
		}
		c, err := Stored(raw)
		if err != nil {
			return nil, err
		}
		stored, err := ToOffsets(c)
		if err != nil {
			return nil, err
		}
		if stored.TopicID != "" && (stored.TopicID != to.TopicID || stored.Cluster != to.Cluster) {
			return nil, fmt.Errorf("%w: it now belongs to topic %s on cluster %s", minibatch.ErrMoved, stored.TopicID, stored.Cluster)
		}
		next := Offsets{Cluster: to.Cluster, Topic: to.Topic, TopicID: to.TopicID, Next: maps.Clone(stored.Next)}
		if next.Next == nil {
			next.Next = map[int32]int64{}
		}
		for p, n := range to.Next {
			was, had := from.Next[p]
			if had && was == n {
				continue
			}
			if now, has := stored.Next[p]; has != had || now != was {
				return nil, fmt.Errorf("%w: partition %d is at %s, this worker started from %s", minibatch.ErrMoved, p, position(now, has), position(was, had))
			}
			next.Next[p] = n
		}
		return json.Marshal(next.cursor())
	}
}

// Ours fails with minibatch.ErrMoved if a cursor has another position than before for a partition of a batch. Those of other workers
// may move.
func Ours(before, now json.RawMessage, b minibatch.Batch) error {
	var at [2]Offsets
	for i, raw := range []json.RawMessage{before, now} {
		c, err := Stored(raw)
		if err == nil {
			at[i], err = ToOffsets(c)
		}
		if err != nil {
			return err
		}
	}
	to, err := ToOffsets(b.To)
	if err != nil {
		return err
	}
	for p := range to.Next {
		was, had := at[0].Next[p]
		if is, has := at[1].Next[p]; is != was || has != had {
			return fmt.Errorf("%w: partition %d is at %s, this worker started from %s", minibatch.ErrMoved, p, position(is, has), position(was, had))
		}
	}
	return nil
}

// Further is the quarantine's new cursor: it never goes back, also where this batch ends before one that an earlier try
// had already committed there.
func Further(stored json.RawMessage, to minibatch.Cursor) (json.RawMessage, error) {
	c, err := Stored(stored)
	if err != nil {
		return nil, err
	}
	had, err := ToOffsets(c)
	if err != nil {
		return nil, err
	}
	next, err := ToOffsets(to)
	if err != nil {
		return nil, err
	}
	for p, n := range had.Next {
		next.Next[p] = max(n, next.Next[p])
	}
	return json.Marshal(next.cursor())
}

func position(n int64, ok bool) string {
	if !ok {
		return "no position"
	}
	return fmt.Sprint(n)
}
