package quarantine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// taken are the records of a move that another one has begun.
func (d *Desk) taken(ctx context.Context, m Move) (map[Record]bool, error) {
	there, err := d.standing(ctx, m.Takes)
	if err != nil {
		return nil, err
	}
	takes := map[Record]bool{}
	for _, x := range m.Sums {
		takes[x] = true
		delete(there, x.Position)
	}
	for at, rows := range there {
		if len(rows) > 1 {
			return nil, twoOf(d.q.Name(), m, rows)
		}
		takes[Record{at, rows[0].Sum}] = true
	}
	return takes, nil
}

func twoOf(table string, m Move, rows []found) error {
	a, b := rows[0], rows[1]
	return fmt.Errorf("quarantine %s: move %d was interrupted and has %s the record at %s partition %d offset %d, but two stand there: the one refused at %s for %s (sum %x), the other at %s for %s (sum %x); nobody knows which, so nothing is cut out",
		table, m.N, m.Kind, a.Topic, a.Partition, a.Offset, a.at.Format(time.RFC3339), a.reason, a.Sum[:4], b.at.Format(time.RFC3339), b.reason, b.Sum[:4])
}

// found is a record of the quarantine as an error names it.
type found struct {
	Record
	reason Reason
	at     time.Time
}

// standing are the different records at some positions.
func (d *Desk) standing(ctx context.Context, at Positions) (map[Position][]found, error) {
	there := map[Position][]found{}
	for r, err := range d.Rows(ctx) {
		if err != nil {
			return nil, err
		}
		p := r.Position()
		if !at[p] {
			continue
		}
		x := r.Record()
		if !slices.ContainsFunc(there[p], func(s found) bool { return s.Record == x }) {
			there[p] = append(there[p], found{x, r.Reason, r.At})
		}
	}
	return there, nil
}

// An errand is what one rewrite has still to do: one row for each record.
type errand struct {
	drop  map[Record]bool
	tried map[Record]Row
	at    Positions // of both
}

func newErrand(drop map[Record]bool, tried map[Record]Row) *errand {
	e := &errand{drop: maps.Clone(drop), tried: maps.Clone(tried), at: Positions{}}
	for x := range drop {
		e.at[x.Position] = true
	}
	for x := range tried {
		e.at[x.Position] = true
	}
	return e
}

// meant reports that something is to be done with a row.
func (e *errand) meant(r Row) bool {
	if !e.at[r.Position()] {
		return false
	}
	_, again := e.tried[r.Record()]
	return again || e.drop[r.Record()]
}

// apply does it; false: the row goes.
func (e *errand) apply(r *Row) (stays bool) {
	if !e.meant(*r) {
		return true
	}
	x := r.Record()
	if e.drop[x] {
		delete(e.drop, x)
		return false
	}
	now := e.tried[x]
	delete(e.tried, x)
	r.Attempt = max(1, r.Attempt) + 1
	r.Reason, r.Error, r.SchemaID, r.LastTried = now.Reason, now.Error, now.SchemaID, now.At
	return true
}
