package lake

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// A span is what one swap replaces: files that no reader's mark divides. The new ones get the highest number of the old, so that who
// has read up to a mark still tells old rows from new ones.
type span struct {
	groups [][]entry // each becomes one file, or a few
	seq    int64
}

func (s span) files() []entry { return slices.Concat(s.groups...) }

func (s span) asFiles() []File {
	var all []File
	for _, e := range s.files() {
		all = append(all, fileOf(e.df))
	}
	return all
}

// spans plans a compaction; left counts small files that stay.
func (c Compaction) spans(tbl *table.Table, entries []entry, now time.Time) (all []span, left int) {
	marks, current := slices.Sorted(maps.Values(readMarks(tbl))), int32(tbl.Metadata().DefaultPartitionSpec())
	type key struct {
		mark      int
		partition string
	}
	small := map[key][]entry{}
	for _, e := range entries {
		if float64(e.df.FileSizeBytes()) >= c.Small*float64(c.Target) {
			continue
		}
		s := tbl.SnapshotByID(e.snapshot)
		if e.df.SpecID() != current || s != nil && now.Sub(time.UnixMilli(s.TimestampMs)) < c.Settled {
			left++
			continue
		}
		at, _ := slices.BinarySearch(marks, e.seq) // files up to a mark, and those beyond it
		k := key{at, partitionKey(e)}
		small[k] = append(small[k], e)
	}
	budget := c.Most
	spans := map[int]span{}
	for _, k := range slices.SortedFunc(maps.Keys(small), func(a, b key) int {
		return cmp.Or(a.mark-b.mark, strings.Compare(a.partition, b.partition))
	}) {
		groups, rest := c.groups(small[k], &budget)
		left += rest
		if len(groups) == 0 {
			continue
		}
		s := spans[k.mark]
		s.groups = append(s.groups, groups...)
		for _, e := range s.files() {
			s.seq = max(s.seq, e.seq)
		}
		spans[k.mark] = s
	}
	for _, mark := range slices.Sorted(maps.Keys(spans)) {
		all = append(all, spans[mark])
	}
	return all, left
}

// groups packs the small files of a partition, in the order of their commits. A file that is bigger than all that would come to it
// waits: so each row is written anew a few times in its life, not once an hour.
func (c Compaction) groups(files []entry, budget *int64) (groups [][]entry, left int) {
	slices.SortStableFunc(files, func(a, b entry) int { return cmp.Compare(a.seq, b.seq) })
	var open []entry
	var sum int64
	closing := func(full bool) {
		if !full {
			for len(open) > 0 && 2*biggest(open) > sum && len(open)-1 >= c.Least {
				i := slices.IndexFunc(open, func(e entry) bool { return e.df.FileSizeBytes() == biggest(open) })
				sum -= open[i].df.FileSizeBytes()
				open = slices.Delete(open, i, i+1)
				left++
			}
		}
		if len(open) < c.Least || sum > *budget {
			left += len(open)
		} else {
			*budget -= sum
			groups = append(groups, open)
		}
		open, sum = nil, 0
	}
	for _, e := range files {
		if sum+e.df.FileSizeBytes() > c.Target && len(open) > 0 {
			closing(true)
		}
		open, sum = append(open, e), sum+e.df.FileSizeBytes()
	}
	closing(false)
	return groups, left
}

func biggest(files []entry) int64 {
	var n int64
	for _, e := range files {
		n = max(n, e.df.FileSizeBytes())
	}
	return n
}

func partitionKey(e entry) string {
	var b strings.Builder
	values := e.df.Partition()
	for _, id := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&b, "%d=%v/", id, values[id])
	}
	return b.String()
}

// grouped joins batches up to a row group where the table has a sort order: the writer sorts each batch that it gets.
func grouped(rows iter.Seq2[arrow.RecordBatch, error], schema *arrow.Schema, tbl *table.Table) iter.Seq2[arrow.RecordBatch, error] {
	if order := tbl.SortOrder(); order.IsUnsorted() {
		return rows
	}
	limit := int64(tbl.Properties().GetInt(table.ParquetRowGroupLimitKey, 122880))
	return gathered(rows, schema, func(n, bytes int64, next arrow.RecordBatch) bool {
		return n+next.NumRows() > limit || bytes > arrangeBytes
	})
}

const markPrefix = "weir.read."

// readMarks are how far readers have come that follow the table: numbers of commits (PlannedFile.Seq).
func readMarks(tbl *table.Table) map[string]int64 {
	marks := map[string]int64{}
	for k, v := range tbl.Properties() {
		if reader, ok := strings.CutPrefix(k, markPrefix); ok {
			if seq, err := strconv.ParseInt(v, 10, 64); err == nil {
				marks[reader] = seq
			}
		}
	}
	return marks
}

// Mark notes that a reader has read the rows up to a number of a commit (PlannedFile.Seq). A compaction leaves files on either side of
// it apart, so that the reader can tell next time what is new. Rows are neither kept nor locked by it.
func (t *Table) Mark(ctx context.Context, reader string, seq int64) error {
	tbl, err := t.load(ctx)
	if err != nil {
		return err
	}
	if had, ok := readMarks(tbl)[reader]; ok && had == seq {
		return nil
	}
	return t.set(ctx, iceberg.Properties{markPrefix + reader: strconv.FormatInt(seq, 10)})
}
