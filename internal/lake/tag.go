package lake

import (
	"context"
	"time"

	"github.com/apache/iceberg-go/table"
)

// A job's tag names its last snapshot. It is set in the same swap as the rows, and each swap demands that it is still where the look
// saw it: a rollback gives the head back an id that it has had before, but not the tag (in format 2 the sequence number of a late swap
// is refused besides). It also keeps the snapshot, and with it the
// job's cursor, from being expired by others.
func tagOf(job string) string { return "weir-" + job }

// tagAge ends the tag of a job that is gone, with the files that only it still holds.
const tagAge = 30 * 24 * time.Hour

// tagged is the snapshot that a job's tag names, or 0.
func tagged(tbl *table.Table, job string) int64 {
	for name, ref := range tbl.Metadata().Refs() {
		if name == tagOf(job) {
			return ref.SnapshotID
		}
	}
	return 0
}

// tagging is a catalog that moves a tag with the swap. A transaction of iceberg-go knows branches only.
type tagging struct {
	table.CatalogIO
	tag      string
	was, now int64 // now is 0 for a swap that is not the job's commit
}

func (c *tagging) CommitTable(ctx context.Context, id table.Identifier, reqs []table.Requirement, ups []table.Update) (table.Metadata, string, error) {
	if c.now != 0 {
		was := &c.was
		if c.was == 0 {
			was = nil
		}
		reqs = append(reqs[:len(reqs):len(reqs)], table.AssertRefSnapshotID(c.tag, was))
		ups = append(ups[:len(ups):len(ups)], table.NewSetSnapshotRefUpdate(c.tag, c.now, table.TagRef, tagAge.Milliseconds(), 0, 0))
	}
	return c.CatalogIO.CommitTable(ctx, id, reqs, ups)
}
