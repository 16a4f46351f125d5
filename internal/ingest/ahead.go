package ingest

import (
	"context"
	"errors"

	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/internal/topic"
	"weir/minibatch"
)

// ahead is what an earlier try has put into the quarantine before it died, or lost against the table: its records lie beyond the table's
// cursor. They stay refused, whatever one would say of them by now, for else they were in the table as well.
type ahead struct {
	next    map[int32]int64 // the quarantine's cursor
	refused map[quarantine.Position]quarantine.Row
}

// lookAhead reads the quarantine beyond the table's cursor. Nearly always there is nothing, and no row is read.
func (s *sink) lookAhead(ctx context.Context, table minibatch.Cursor) (ahead, error) {
	q, err := s.lake.Table(ctx, quarantine.Table(s.table.Name()))
	if errors.Is(err, lake.ErrNoTable) {
		return ahead{}, nil
	}
	if err != nil {
		return ahead{}, err
	}
	p, err := q.Position(ctx, s.job)
	if err != nil {
		return ahead{}, err
	}
	c, err := topic.Stored(p.Cursor)
	if err != nil {
		return ahead{}, err
	}
	had, err := topic.ToOffsets(c)
	if err != nil {
		return ahead{}, err
	}
	at, err := topic.ToOffsets(table)
	if err != nil {
		return ahead{}, err
	}
	out := ahead{next: had.Next}
	beyond := false
	for part, next := range had.Next {
		beyond = beyond || next > at.Next[part]
	}
	if !beyond || !s.owns(had) {
		return out, nil
	}
	out.refused = map[quarantine.Position]quarantine.Row{}
	err = quarantine.Each(ctx, s.lake, s.table.Name(), func(r quarantine.Row) bool {
		if r.Topic == had.Topic && r.Offset >= at.Next[r.Partition] && r.Offset < had.Next[r.Partition] {
			out.refused[r.Position()] = quarantine.Row{Reason: r.Reason, Error: r.Error, SchemaID: r.SchemaID}
		}
		return true
	})
	return out, err
}
