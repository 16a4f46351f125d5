package lake

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"iter"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// A Keyed commits to a table that holds one row for each key. Old rows go by copy-on-write: the files that have them are written anew
// without them, in the commit that adds the new ones, so that every reader sees plain data files. Not for concurrent use.
type Keyed struct {
	t       *Table
	columns []string
	seed    maphash.Seed
	hashes  map[string][]uint64 // of the keys of a file, sorted; by its path
	held    int                 // hashes in all

	Read, Rewritten int64 // bytes so far: of files whose keys were read, of files that were written anew
}

// maxHashes bounds what is remembered of files: 64 MiB. Keys of further files are read at each commit.
const maxHashes = 8 << 20

// Keyed is the table as one that has a row for each value of some columns.
func (t *Table) Keyed(columns []string) (*Keyed, error) {
	tbl, _ := t.current()
	if err := keyColumns(tbl.Schema(), columns); err != nil {
		return nil, err
	}
	return &Keyed{t: t, columns: columns, seed: maphash.MakeSeed(), hashes: map[string][]uint64{}}, nil
}

func keyColumns(s *iceberg.Schema, columns []string) error {
	if len(columns) == 0 {
		return &LayoutError{"key", "expected the columns that tell rows apart"}
	}
	for i, c := range columns {
		at := fmt.Sprintf("key[%d]", i)
		f, err := columnFor(s, term{column: c, transform: iceberg.IdentityTransform{}, at: at})
		if err != nil {
			return err
		}
		switch f.Type.(type) {
		case iceberg.Float32Type, iceberg.Float64Type:
			return &LayoutError{at, fmt.Sprintf("column %s is %s: such numbers cannot be told apart for certain", c, f.Type)}
		}
		if !slices.ContainsFunc(s.Fields(), func(top iceberg.NestedField) bool { return top.ID == f.ID }) {
			return &LayoutError{at, fmt.Sprintf("column %s lies within another one: a key is made of columns of the table itself", c)}
		}
	}
	return nil
}

// mayAdd refuses rows that could double a key of a table with one row for each. Rows that only move, as in compaction, may.
func (t *Table) mayAdd(tbl *table.Table, c Commit) error {
	if key := tbl.Properties()[keyProperty]; key != "" && !c.keyed && len(c.Add) > 0 && len(c.Remove) == 0 {
		return t.onlyUpsert(key)
	}
	return nil
}

// Commit is Table.Commit, which also removes every older row that has one of the keys. Files of the table that hold none of them are
// left alone.
func (k *Keyed) Commit(ctx context.Context, c Commit, keys map[string]struct{}) (Receipt, error) {
	hashes := make([]uint64, 0, len(keys))
	for key := range keys {
		hashes = append(hashes, maphash.String(k.seed, key))
	}
	slices.Sort(hashes)
	for {
		hit, seen, err := k.hit(ctx, keys, hashes)
		if err != nil {
			return Receipt{}, fmt.Errorf("find old rows in table %s: %w", k.t.name, err)
		}
		full := c
		full.keyed, full.seen = true, seen
		left, err := k.without(ctx, hit, keys)
		if err != nil {
			return Receipt{}, fmt.Errorf("replace old rows of table %s: %w", k.t.name, err)
		}
		full.Add = append(slices.Clone(c.Add), left...)
		for _, f := range hit {
			full.Remove = append(full.Remove, f.File)
		}
		rc, err := k.t.Commit(ctx, full)
		switch {
		case errors.Is(err, errGone) && !errors.Is(err, ErrUnknown) && ctx.Err() == nil: // compacted meanwhile: the rows lie in other files now
			if err := k.t.Drop(left); err != nil {
				return Receipt{}, err
			}
			continue
		case !errors.Is(err, ErrUnknown) && (errors.Is(err, ErrMoved) || errors.Is(err, errGone) || errors.Is(err, errShape)) || err == nil && rc.Already:
			return rc, errors.Join(err, k.t.Drop(left)) // they are in no commit: an earlier one had its own
		case err == nil:
			for _, f := range left {
				k.Rewritten += f.Bytes
			}
		}
		return rc, err
	}
}

// hit lists the files of the table's head that hold a row with one of the keys; seen are all that it has looked at.
func (k *Keyed) hit(ctx context.Context, keys map[string]struct{}, hashes []uint64) (hit []PlannedFile, seen map[string]bool, err error) {
	p, err := k.t.Plan(ctx)
	if err != nil || len(keys) == 0 {
		return nil, nil, err
	}
	k.forget(p)
	seen = make(map[string]bool, len(p.Files))
	for _, f := range p.Files {
		seen[f.data.FilePath()] = true
	}
	between := k.bounds(keys)
	for _, f := range p.Files {
		if !between(f) {
			continue
		}
		in, err := k.of(ctx, f)
		if err != nil {
			return nil, nil, err
		}
		if meet(in, hashes) {
			hit = append(hit, f)
		}
	}
	return hit, seen, nil
}

// forget drops what is known of files that the table no longer has.
func (k *Keyed) forget(p Plan) {
	there := map[string]bool{}
	for _, f := range p.Files {
		there[f.Path] = true
	}
	for path, h := range k.hashes {
		if !there[path] {
			k.held -= len(h)
			delete(k.hashes, path)
		}
	}
}

// of are the hashes of the keys of a file.
func (k *Keyed) of(ctx context.Context, f PlannedFile) ([]uint64, error) {
	if h, ok := k.hashes[f.Path]; ok {
		return h, nil
	}
	h := make([]uint64, 0, f.Rows)
	tbl, _ := k.t.current()
	for b, err := range k.t.readFile(ctx, tbl, f, table.WithSelectedFields(k.columns...)) {
		if err != nil {
			return nil, err
		}
		key := KeysOf(b, k.columns)
		for row := range int(b.NumRows()) {
			if text, ok := key(row); ok {
				h = append(h, maphash.String(k.seed, text))
			}
		}
	}
	k.Read += f.Bytes
	slices.Sort(h)
	if h = slices.Compact(h); k.held+len(h) <= maxHashes {
		k.hashes[f.Path], k.held = h, k.held+len(h)
	}
	return h, nil
}

// meet reports that two sorted lists share a value.
func meet(a, b []uint64) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	for _, v := range a {
		i, ok := slices.BinarySearch(b, v)
		if ok {
			return true
		}
		b = b[i:]
	}
	return false
}

// without writes the rows of some files that have none of the keys into new files.
func (k *Keyed) without(ctx context.Context, hit []PlannedFile, keys map[string]struct{}) ([]File, error) {
	if len(hit) == 0 {
		return nil, nil
	}
	return k.t.Write(ctx, func(yield func(arrow.RecordBatch, error) bool) {
		for c, err := range k.t.Scan(ctx, Plan{Files: hit}) {
			var left arrow.RecordBatch
			if err == nil {
				left, err = leave(ctx, c.Batch, KeysOf(c.Batch, k.columns), keys)
			}
			if !yield(left, err) || err != nil {
				return
			}
		}
	})
}

// leave is a batch without the rows that have one of the keys.
func leave(ctx context.Context, b arrow.RecordBatch, key func(int) (string, bool), keys map[string]struct{}) (arrow.RecordBatch, error) {
	var rows []int
	for row := range int(b.NumRows()) {
		text, ok := key(row)
		if _, gone := keys[text]; !ok || !gone {
			rows = append(rows, row)
		}
	}
	return Take(ctx, b, rows)
}

// Take is a batch of some rows of another one, in the given order.
func Take(ctx context.Context, b arrow.RecordBatch, rows []int) (arrow.RecordBatch, error) {
	at := array.NewInt64Builder(compute.GetAllocator(ctx))
	defer at.Release()
	for _, r := range rows {
		at.Append(int64(r))
	}
	list := at.NewArray()
	defer list.Release()
	out, err := compute.Take(ctx, *compute.DefaultTakeOptions(), compute.NewDatumWithoutOwning(b), compute.NewDatumWithoutOwning(list))
	if err != nil {
		return nil, err
	}
	return out.(*compute.RecordDatum).Value, nil
}

// readFile reads one file, in the schema of the table as it is given.
func (t *Table) readFile(ctx context.Context, tbl *table.Table, f PlannedFile, o ...table.ScanOption) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		_, batches, err := tbl.Scan(append(o, table.WithMaxConcurrency(1))...).ReadTasks(ctx, []table.FileScanTask{{File: f.data, Start: 0, Length: f.Bytes}})
		if err != nil {
			yield(nil, fmt.Errorf("read %s of table %s: %w", f.Path, t.name, err))
			return
		}
		for b, err := range batches {
			if err != nil {
				yield(nil, fmt.Errorf("read %s of table %s: %w", f.Path, t.name, err))
				return
			}
			more := yield(b, nil)
			b.Release()
			if !more {
				return
			}
		}
	}
}
