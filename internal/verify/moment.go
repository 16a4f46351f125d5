package verify

import (
	"context"
	"fmt"

	"weir/internal/lake"
	"weir/internal/quarantine"
)

// A moment is the table and its quarantine as they were at one time, though records move between them all the while.
type moment struct {
	rows, refused lake.Plan
	moving        quarantine.Positions // in the quarantine, and rows of the table already
}

// moments is how often the two tables are looked at in vain: a look takes milliseconds, and a batch that refuses something, or a
// replay, comes every few seconds.
const moments = 20

// now finds a moment: the quarantine is the same before the table is looked at and after. The last look counts if there is none; it has
// all that ingest refused before the table's cursor moved past it.
func (p *proof) now(ctx context.Context) (m moment, err error) {
	if p.o.Quarantine == nil {
		m.rows, err = p.o.Table.Plan(ctx)
		return m, err
	}
	for try := 0; ; try++ {
		before, err := p.o.Quarantine.Plan(ctx)
		if err != nil {
			return m, fmt.Errorf("quarantine: %w", err)
		}
		_, first, err := p.moves(ctx)
		if err != nil {
			return m, err
		}
		if m.rows, err = p.o.Table.Plan(ctx); err != nil {
			return m, err
		}
		var last int64
		if m.moving, last, err = p.moves(ctx); err != nil {
			return m, err
		}
		if m.refused, err = p.o.Quarantine.Plan(ctx); err != nil {
			return m, fmt.Errorf("quarantine: %w", err)
		}
		if first == last && before.Snapshot == m.refused.Snapshot || try == moments {
			return m, nil
		}
	}
}

func (p *proof) moves(ctx context.Context) (quarantine.Positions, int64, error) {
	if p.o.Moving == nil {
		return nil, 0, nil
	}
	return p.o.Moving(ctx)
}
