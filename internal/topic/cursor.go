package topic

import (
	"encoding/json"
	"errors"
	"fmt"

	"weir/internal/protocol"
	"weir/minibatch"
)

const (
	cursorKind    = "offsets"
	cursorVersion = 1
)

// Offsets is the value of an ingest cursor: the next position to read of each partition.
type Offsets = protocol.Offsets

// Cursor is how a destination keeps offsets.
func Cursor(o Offsets) minibatch.Cursor {
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

// Advance is the compare-and-set of a batch: see protocol.Advance. It fails with minibatch.ErrMoved.
func Advance(b minibatch.Batch) func(json.RawMessage) (json.RawMessage, error) {
	return func(raw json.RawMessage) (json.RawMessage, error) {
		from, err1 := ToOffsets(b.From)
		to, err2 := ToOffsets(b.To)
		stored, err3 := StoredOffsets(raw)
		if err := errors.Join(err1, err2, err3); err != nil {
			return nil, err
		}
		next, err := protocol.Advance(stored, from, to)
		if err != nil {
			return nil, moved(err)
		}
		return json.Marshal(Cursor(next))
	}
}

// Ours fails with minibatch.ErrMoved if a cursor has another position than before for a partition of a batch. Those of other workers
// may move.
func Ours(before, now json.RawMessage, b minibatch.Batch) error {
	was, err1 := StoredOffsets(before)
	is, err2 := StoredOffsets(now)
	to, err3 := ToOffsets(b.To)
	if err := errors.Join(err1, err2, err3); err != nil {
		return err
	}
	return moved(protocol.Untouched(was, is, to))
}

// Further is the quarantine's new cursor: see protocol.Further.
func Further(stored json.RawMessage, to minibatch.Cursor) (json.RawMessage, error) {
	had, err1 := StoredOffsets(stored)
	next, err2 := ToOffsets(to)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return json.Marshal(Cursor(protocol.Further(had, next)))
}

// StoredOffsets reads a cursor of offsets as a destination keeps it; nothing gives no positions.
func StoredOffsets(raw json.RawMessage) (Offsets, error) {
	c, err := Stored(raw)
	if err != nil {
		return Offsets{}, err
	}
	return ToOffsets(c)
}

// moved is protocol.ErrMoved in the runner's words.
func moved(err error) error {
	if errors.Is(err, protocol.ErrMoved) {
		return fmt.Errorf("%w (%w)", minibatch.ErrMoved, err)
	}
	return err
}
