package lake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/oklog/ulid/v2"
)

// Compaction says what Compact does. The zero value is what a table of a stream needs.
type Compaction struct {
	Target  int64         // bytes of a file that is made; 0: 128 MiB
	Small   float64       // files below this share of Target are put together; 0: a half
	Least   int           // small files of a partition from which on it is worth the work; 0: 8
	Most    int64         // bytes that one call reads at most, so that it ends; 0: 4 GiB
	Settled time.Duration // files that came less than this ago stay for the next time: readers that follow the table have read the rest
	DryRun  bool          // only say what would be done
}

// Compacted is what Compact did, or with DryRun would do.
type Compacted struct {
	Rewritten int   `json:"rewritten"`  // files that went
	Written   int   `json:"written"`    // files that came
	Rows      int64 `json:"rows"`       // in them
	From      int64 `json:"from_bytes"` // of the files that went
	To        int64 `json:"to_bytes"`   // of those that came
	Left      int   `json:"left"`       // small files that stay: too few, too new, or of an old partitioning
	Snapshots int   `json:"snapshots"`  // that it made
}

const (
	swaps         = 6 // tries of one that did not land
	defaultTarget = 128 << 20
	// replacedLife is how long files stay that were replaced: a query that was planned before ends well if it takes no longer.
	replacedLife    = time.Hour
	replacedTag     = "weir.replaced-" // of the snapshot that a compaction replaced
	summaryMaintain = "weir.maintain"  // id of a commit of maintenance, which is no job's
)

func (c Compaction) withDefaults() Compaction {
	c.Target, c.Small = cmp.Or(c.Target, defaultTarget), cmp.Or(c.Small, 0.5)
	c.Least, c.Most = cmp.Or(c.Least, 8), cmp.Or(c.Most, 4<<30)
	return c
}

// Compact puts small files together and changes no row: the table's jobs and their cursors do not notice. Files of different
// partitions, and those on different sides of what a reader has read (Mark), stay apart. Rows keep their order; where the table has
// a sort order, it holds within each row group.
//
// A row group's worth of rows is in memory. The new files are written first, then one swap takes them for the old ones: if the table
// has moved meanwhile, the same files go into its newest state; if an old file has gone, nothing is changed and the error says so.
// The old files go with their snapshots, an hour later at the earliest.
func (t *Table) Compact(ctx context.Context, c Compaction) (Compacted, error) {
	c = c.withDefaults()
	tbl, err := t.load(ctx)
	if err != nil {
		return Compacted{}, err
	}
	_, fs := t.current()
	entries, err := dataFiles(tbl, fs)
	if err != nil {
		return Compacted{}, fmt.Errorf("compact table %s: %w", t.name, err)
	}
	spans, left := c.spans(tbl, entries, time.Now())
	done := Compacted{Left: left}
	for _, s := range spans {
		if c.DryRun {
			done.count(s, nil)
			continue
		}
		files, err := t.rewrite(ctx, tbl, s, c.Target)
		if err != nil {
			return done, fmt.Errorf("compact table %s: %w", t.name, err)
		}
		if err := t.replace(ctx, s, files); err != nil {
			return done, fmt.Errorf("compact table %s: %w", t.name, err)
		}
		done.count(s, files)
		done.Snapshots++
	}
	return done, nil
}

func (d *Compacted) count(s span, files []File) {
	for _, e := range s.files() {
		d.Rewritten, d.Rows, d.From = d.Rewritten+1, d.Rows+e.df.Count(), d.From+e.df.FileSizeBytes()
	}
	for _, f := range files {
		d.Written, d.To = d.Written+1, d.To+f.Bytes
	}
}

// rewrite writes the rows of a span anew. On an error no new file is left.
func (t *Table) rewrite(ctx context.Context, tbl *table.Table, s span, target int64) ([]File, error) {
	schema, err := table.SchemaToArrowSchema(tbl.Schema(), nil, true, false)
	if err != nil {
		return nil, err
	}
	var files []File
	for _, g := range s.groups {
		made, err := t.stream(ctx, tbl, schema, grouped(t.rowsOf(ctx, tbl, g), schema, tbl), table.WithTargetFileSize(target))
		if err != nil {
			return nil, errors.Join(err, t.Drop(files))
		}
		files = append(files, made...)
	}
	var before, after int64
	for _, e := range s.files() {
		before += e.df.Count()
	}
	for _, f := range files {
		after += f.Rows
	}
	if before != after {
		return nil, errors.Join(fmt.Errorf("%d rows were read of files that say they have %d", after, before), t.Drop(files))
	}
	return files, nil
}

// rowsOf reads files one after the other; each batch belongs to the caller.
func (t *Table) rowsOf(ctx context.Context, tbl *table.Table, files []entry) iter.Seq2[arrow.RecordBatch, error] {
	return func(yield func(arrow.RecordBatch, error) bool) {
		for _, e := range files {
			if !t.scanFile(ctx, tbl, PlannedFile{File: fileOf(e.df)}, func(c Chunk, err error) bool {
				if err == nil {
					c.Batch.Retain()
				}
				return yield(c.Batch, err)
			}) {
				return
			}
		}
	}
}

// replace swaps files for others, as Commit does for a job, but moves no cursor. Files of which nobody can know whether they are in
// the table stay where they are; the cleaning of orphans finds them.
func (t *Table) replace(ctx context.Context, s span, files []File) error {
	lock := t.lake.lock(t.name)
	lock.Lock()
	defer lock.Unlock()
	if err := ctx.Err(); err != nil {
		return errors.Join(err, t.Drop(files))
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTime)
	defer cancel()
	id := ulid.Make().String()
	var last error
	var tried int64 // head onto which a swap was tried whose outcome is unknown: once the table has another one, that swap cannot land
	for try := 1; ; try++ {
		tbl, err := t.load(ctx)
		if err == nil {
			var head int64
			if s := tbl.CurrentSnapshot(); s != nil {
				head = s.SnapshotID
			}
			if maintained(tbl, id) {
				return nil
			}
			if try > swaps {
				return last
			}
			var gone bool
			gone, err = t.tryReplace(ctx, tbl, s, files, id)
			switch {
			case err == nil:
				return nil
			case gone && head != tried:
				return errors.Join(err, t.Drop(files))
			case gone:
				return err
			}
			tried = head
		}
		last = err
		if !pause(ctx, try) {
			return errors.Join(last, ctx.Err())
		}
	}
}

// tryReplace makes one attempt; gone says that an old file is no longer there.
func (t *Table) tryReplace(ctx context.Context, tbl *table.Table, s span, files []File, id string) (gone bool, err error) {
	_, fs := t.current()
	old, err := toRemove(tbl, fs, Commit{Remove: s.asFiles()})
	if err != nil {
		return errors.Is(err, errGone), err
	}
	if err := t.keepReplaced(ctx, tbl); err != nil {
		return false, err
	}
	tx := tbl.NewTransaction()
	if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
		return false, err
	}
	rw := tx.NewRewrite(iceberg.Properties{summaryMaintain: id}).DataSequenceNumber(s.seq)
	for _, df := range old {
		rw.DeleteFile(df)
	}
	for _, f := range files {
		rw.AddDataFile(f.data)
	}
	if err := rw.Commit(ctx); err != nil {
		return false, err
	}
	if _, had := tbl.Properties()[table.DefaultNameMappingKey]; !had { // a rewrite sets it; it would not follow later columns
		if err := tx.RemoveProperties([]string{table.DefaultNameMappingKey}); err != nil {
			return false, err
		}
	}
	done, err := tx.Commit(ctx)
	if err != nil {
		return false, err
	}
	t.mu.Lock()
	t.tbl = done
	t.settled(done)
	t.mu.Unlock()
	return false, nil
}

// keepReplaced tags the head, whose files are about to be replaced, so that expiry leaves them for a while.
func (t *Table) keepReplaced(ctx context.Context, tbl *table.Table) error {
	head := tbl.CurrentSnapshot()
	life := time.Since(time.UnixMilli(head.TimestampMs)) + replacedLife // a tag's age is that of its snapshot
	_, _, err := t.lake.cat.CommitTable(ctx, t.id, []table.Requirement{table.AssertTableUUID(tbl.Metadata().TableUUID())},
		[]table.Update{table.NewSetSnapshotRefUpdate(fmt.Sprint(replacedTag, head.SnapshotID), head.SnapshotID, table.TagRef, life.Milliseconds(), 0, 0)})
	return err
}

// maintained looks for a commit of maintenance in all that is left of the table's history, also what was rolled back.
func maintained(tbl *table.Table, id string) bool {
	return slices.ContainsFunc(tbl.Metadata().Snapshots(), func(s table.Snapshot) bool {
		return s.Summary != nil && s.Summary.Properties[summaryMaintain] == id
	})
}
