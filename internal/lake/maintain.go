package lake

import (
	"context"
	"errors"
	"fmt"
	iofs "io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// What every new table has. Iceberg's own defaults keep every manifest and every metadata file for ever, so that a table
// with a commit each 10 s grows slower by the hour.
var defaults = map[string]string{
	table.PropertyFormatVersion:               "2",
	table.ParquetCompressionKey:               "zstd",
	table.ParquetCompressionLevelKey:          "1",
	table.ParquetRowGroupLimitKey:             "122880",
	table.ParquetDictSizeBytesKey:             strconv.Itoa(64 << 10), // a nearly unique column leaves its dictionary soon
	table.ManifestMergeEnabledKey:             "true",
	table.ManifestMinMergeCountKey:            "20",
	table.MetadataDeleteAfterCommitEnabledKey: "true",
	table.MetadataPreviousVersionsMaxKey:      "20",
	table.MinSnapshotsToKeepKey:               "20",
	table.MaxSnapshotAgeMsKey:                 strconv.FormatInt(time.Hour.Milliseconds(), 10),
	table.WriteDeleteModeKey:                  table.WriteModeCopyOnWrite,
	"weir.expire-every-snapshots":             "50",
}

// expire drops old snapshots in the same metadata swap as the rows, each time that enough have come together: those past their age, and
// where commits are many whatever is beyond twice the number that is kept, so that metadata and the time of a commit stay the same
// after ten commits and after a million. Files that were taken out of the table less than an hour ago stay for the queries that read
// them: those of our compactions have a tag; where others took some out, only age counts. So it does where several jobs write: one of
// them may be away while the others commit, and must find the snapshots by which it sees a rollback.
func expire(tx *table.Transaction, tbl *table.Table) error {
	every := tbl.Properties().GetInt("weir.expire-every-snapshots", 50)
	most := 2 * tbl.Properties().GetInt(table.MinSnapshotsToKeepKey, 20)
	n := len(tbl.Metadata().Snapshots())
	switch {
	case every <= 0, !tbl.Properties().GetBool("gc.enabled", true): // whoever forbids it looks after the table
		return nil
	case n >= most && jobs(tbl) == 1 && !tookOut(tbl, time.Now().Add(-replacedLife)):
		return tx.ExpireSnapshots(table.WithOlderThan(time.Since(keptSince(tbl, most/2))))
	case n >= every:
		return tx.ExpireSnapshots()
	}
	return nil
}

// jobs counts the jobs that have committed to the table.
func jobs(tbl *table.Table) (n int) {
	for k := range tbl.Properties() {
		if strings.HasPrefix(k, cursorProperty("")) {
			n++
		}
	}
	return n
}

// tookOut reports whether somebody has taken files out of the table since then, other than by Compact.
func tookOut(tbl *table.Table, since time.Time) bool {
	return slices.ContainsFunc(tbl.Metadata().Snapshots(), func(s table.Snapshot) bool {
		return s.TimestampMs > since.UnixMilli() && s.Summary != nil && s.Summary.Operation != table.OpAppend && s.Summary.Properties[summaryMaintain] == ""
	})
}

// keptSince is when the oldest of the newest n snapshots of the table was made.
func keptSince(tbl *table.Table, n int) time.Time {
	var at time.Time
	for s := range line(tbl) {
		if n--; n < 0 {
			break
		}
		at = time.UnixMilli(s.TimestampMs)
	}
	return at
}

// Expired is what Expire did.
type Expired struct {
	Snapshots int `json:"snapshots"` // that went
	Kept      int `json:"kept"`
}

// Expire drops the snapshots that are neither among the newest keep, nor younger than age, nor under a tag or branch; then it deletes
// the files that no other snapshot needs. Zero means what the table's properties say.
func (t *Table) Expire(ctx context.Context, keep int, age time.Duration, dry bool) (Expired, error) {
	lock := t.lake.lock(t.name)
	lock.Lock()
	defer lock.Unlock()
	var last error
	for try := 1; try <= swaps; try++ {
		tbl, err := t.load(ctx)
		if err != nil {
			return Expired{}, err
		}
		var opts []table.ExpireSnapshotsOpt
		if keep > 0 {
			opts = append(opts, table.WithRetainLast(keep))
		}
		if age > 0 {
			opts = append(opts, table.WithOlderThan(age))
		}
		tx := tbl.NewTransaction()
		if err := tx.ExpireSnapshots(opts...); err != nil {
			return Expired{}, fmt.Errorf("expire snapshots of table %s: %w", t.name, err)
		}
		staged, err := tx.StagedTable()
		if err != nil {
			return Expired{}, err
		}
		had, left := len(tbl.Metadata().Snapshots()), len(staged.Metadata().Snapshots())
		if dry || had == left {
			return Expired{had - left, left}, nil
		}
		if _, last = tx.Commit(ctx); last == nil || errors.Is(last, iofs.ErrNotExist) { // somebody else has deleted a file
			return Expired{had - left, left}, t.Refresh(ctx)
		}
		if !pause(ctx, try) {
			break
		}
	}
	return Expired{}, fmt.Errorf("expire snapshots of table %s: %w", t.name, last)
}

// Stats are what a table's newest snapshot holds and what its metadata weigh.
type Stats struct {
	Rows      int64 `json:"rows"`
	Files     int   `json:"files"`
	Bytes     int64 `json:"bytes"`
	Manifests int   `json:"manifests"`
	Snapshots int   `json:"snapshots"`
	Metadata  int64 `json:"metadata_bytes"` // of the file that each commit writes anew
}

// Stats reads them from the table as it was at the last Refresh.
func (t *Table) Stats(context.Context) (Stats, error) {
	tbl, fsys := t.current()
	s := Stats{Snapshots: len(tbl.Metadata().Snapshots())}
	f, err := fsys.Open(tbl.MetadataLocation())
	if err != nil {
		return s, fmt.Errorf("table %s: %w", t.name, err)
	}
	info, err := f.Stat()
	if err := errors.Join(err, f.Close()); err != nil {
		return s, fmt.Errorf("table %s: %w", t.name, err)
	}
	s.Metadata = info.Size()
	head := tbl.CurrentSnapshot()
	if head == nil {
		return s, nil
	}
	manifests, err := head.Manifests(fsys)
	if err != nil {
		return s, fmt.Errorf("table %s: %w", t.name, err)
	}
	s.Manifests = len(manifests)
	for _, m := range manifests {
		for e, err := range m.Entries(fsys, true) {
			if err != nil {
				return s, fmt.Errorf("table %s: %w", t.name, err)
			}
			if df := e.DataFile(); df.ContentType() == iceberg.EntryContentData {
				s.Rows, s.Files, s.Bytes = s.Rows+df.Count(), s.Files+1, s.Bytes+df.FileSizeBytes()
			}
		}
	}
	return s, nil
}
