package lake

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// A Shape is the columns that files are written for: those that the table has, or those that it gets with the first commit of such
// files. It never changes.
type Shape struct {
	schema *arrow.Schema
	tbl    *table.Table      // with these columns, whether the catalog has them yet or not
	base   int               // schema id of the table that wanted leads on from
	wanted []*iceberg.Schema // what is still to be united with the table's columns, in this order
}

// Schema is that of the batches; its fields carry the Iceberg field ids.
func (s *Shape) Schema() *arrow.Schema { return s.schema }

func shapeOf(tbl *table.Table) (*Shape, error) {
	s, err := table.SchemaToArrowSchema(tbl.Schema(), nil, true, false)
	return &Shape{schema: s, tbl: tbl, base: tbl.Schema().ID}, err
}

// Shape is the newest one: the table's, with what Widen has added since.
func (t *Table) Shape() (*Shape, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.newest()
}

// newest: t.mu is held.
func (t *Table) newest() (*Shape, error) {
	if t.wider != nil {
		return t.wider, nil
	}
	return shapeOf(t.tbl)
}

// Widen is the newest shape with a schema's columns besides: what is missing, at any depth, is added as optional; int becomes long,
// float double, a decimal gets more digits where the schema has that. What is narrower in the schema stays as it is. Every other
// difference is an error. Nothing is written: the table has the columns with the first commit of files of this shape.
func (t *Table) Widen(want *arrow.Schema) (*Shape, error) {
	if err := nameable(want); err != nil {
		return nil, fmt.Errorf("table %s: %w", t.name, err)
	}
	wanted, err := table.ArrowSchemaToIcebergWithFreshIDs(want, true)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t.name, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old, err := t.newest()
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t.name, err)
	}
	tx := old.tbl.NewTransaction()
	if err := unite(tx, wanted); err != nil {
		return nil, fmt.Errorf("table %s cannot take the columns of the data: %w", t.name, err)
	}
	staged, err := tx.StagedTable()
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t.name, err)
	}
	if staged.Schema().Equals(old.tbl.Schema()) {
		return old, nil
	}
	s, err := shapeOf(staged.Table)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", t.name, err)
	}
	s.base, s.wanted = old.base, append(slices.Clone(old.wanted), wanted)
	t.wider = s
	return s, nil
}

func unite(tx *table.Transaction, with *iceberg.Schema) error {
	return tx.UpdateSchema(true, false).UnionByNameWith(with).Commit()
}

// errShape means that files were written for columns which the table can no longer get: another writer has given it others.
// The same rows, written anew, fit.
var errShape = errors.New("its columns have changed meanwhile, in another way than these files have them")

// reshape gives the table the columns of the files, in the transaction that adds them. iceberg-go takes one change of the schema in a
// transaction: where a batch has met several new schemas, those before the last come in swaps of their own just before, and a crash
// in between leaves columns without rows, which the next try finds there.
func (t *Table) reshape(ctx context.Context, tbl *table.Table, add []File) (*table.Transaction, error) {
	last := &Shape{}
	for _, f := range add {
		if f.shape != nil && len(f.shape.wanted) > len(last.wanted) {
			last = f.shape
		}
	}
	if fits(tbl.Schema(), add) {
		return tbl.NewTransaction(), nil
	}
	for i, w := range last.wanted {
		tx := tbl.NewTransaction()
		if err := unite(tx, w); err != nil {
			return nil, t.anew(err)
		}
		staged, err := tx.StagedTable()
		if err != nil {
			return nil, err
		}
		switch {
		case i == len(last.wanted)-1 && fits(staged.Schema(), add):
			return tx, nil
		case i == len(last.wanted)-1 || staged.Schema().Equals(tbl.Schema()):
			continue
		}
		if tbl, err = tx.Commit(ctx); err != nil {
			return nil, err
		}
	}
	return nil, t.anew(nil) // another writer's columns have taken these numbers
}

// fits reports that all files can be read as files of a schema. Each of them counts: one may have been written for columns of which the
// newest shape knows nothing.
func fits(s *iceberg.Schema, add []File) bool {
	return !slices.ContainsFunc(add, func(f File) bool { return f.shape != nil && !holds(s, f.shape.tbl.Schema()) })
}

// anew is errShape; what is written from now on is written for the columns that the table has.
func (t *Table) anew(why error) error {
	t.mu.Lock()
	t.wider = nil
	t.mu.Unlock()
	if why != nil {
		return fmt.Errorf("%w (%w)", errShape, why)
	}
	return errShape
}

// holds reports that files with the columns of some can be read as files of all.
func holds(all, some *iceberg.Schema) bool {
	want, err := iceberg.IndexByID(some)
	if err != nil {
		return false
	}
	for id, f := range want {
		g, ok := all.FindFieldByID(id)
		name, _ := all.FindColumnName(id)
		wanted, _ := some.FindColumnName(id)
		if !ok || name != wanted {
			return false
		}
		if _, primitive := f.Type.(iceberg.PrimitiveType); primitive && !g.Type.Equals(f.Type) {
			if _, err := iceberg.PromoteType(f.Type, g.Type); err != nil {
				return false
			}
		}
	}
	return true
}

// settled forgets the wider shape once the table has its columns, and when the table has got others. t.mu is held.
func (t *Table) settled(tbl *table.Table) {
	if t.wider != nil && (tbl.Schema().ID != t.wider.base || holds(tbl.Schema(), t.wider.tbl.Schema())) {
		t.wider = nil
	}
}
