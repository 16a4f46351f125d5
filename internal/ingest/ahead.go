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
// cursor. They stay refused, whatever one would say of them by now, for else they were in the table as well. A position alone does not tell
// a record: that of a topic which was made again may be another one.
type ahead struct {
	next    map[int32]int64 // the quarantine's cursor
	refused map[quarantine.Position][]earlier
}

// earlier is a record that an earlier try has refused; row has neither key nor value.
type earlier struct {
	row quarantine.Row
	sum quarantine.Sum
}

func (a ahead) of(p quarantine.Position, key, value []byte) (quarantine.Row, bool) {
	there := a.refused[p]
	if len(there) == 0 {
		return quarantine.Row{}, false
	}
	sum := quarantine.SumOf(key, value)
	for _, e := range there {
		if e.sum == sum {
			return e.row, true
		}
	}
	return quarantine.Row{}, false
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
		return ahead{}, rolledBack(err)
	}
	had, err := topic.StoredOffsets(p.Cursor)
	if err != nil {
		return ahead{}, err
	}
	at, err := topic.ToOffsets(table)
	if err != nil {
		return ahead{}, err
	}
	if !s.owns(had) { // of the topic before it was made again
		return ahead{}, nil
	}
	out := ahead{next: had.Next}
	beyond := false
	for part, next := range had.Next {
		beyond = beyond || next > at.Next[part]
	}
	if !beyond {
		return out, nil
	}
	out.refused = map[quarantine.Position][]earlier{}
	err = quarantine.Each(ctx, s.lake, s.table.Name(), func(r quarantine.Row) bool {
		if r.Topic == had.Topic && r.Offset >= at.Next[r.Partition] && r.Offset < had.Next[r.Partition] {
			e := earlier{quarantine.Row{Reason: r.Reason, Error: r.Error, SchemaID: r.SchemaID}, quarantine.SumOf(r.Key, r.Value)}
			out.refused[r.Position()] = append(out.refused[r.Position()], e)
		}
		return true
	})
	return out, err
}
