package lake

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// Upkeep is what a table gets while jobs write it. A zero interval means never.
type Upkeep struct {
	Compact, Expire, Orphans time.Duration // how often; Orphans is also how old a file must be to be taken for one
	Compaction               Compaction
	Keep                     int // snapshots; 0: what the table says
}

// Kept is what one round of Upkeep did.
type Kept struct {
	Table     string    `json:"table"`
	Compacted Compacted `json:"compacted"`
	Expired   Expired   `json:"expired"`
	Orphans   []Orphan  `json:"orphans,omitempty"` // that were deleted
}

// Any reports whether there was anything to do.
func (k Kept) Any() bool {
	return k.Compacted.Snapshots > 0 || k.Expired.Snapshots > 0 || len(k.Orphans) > 0
}

// When a table was last looked after stands in its properties, for all processes that write it; a new table counts as looked after.
const lastPrefix = "weir.last."

func lastTimes(now time.Time) map[string]string {
	at := now.UTC().Format(time.RFC3339)
	return map[string]string{lastPrefix + "compact": at, lastPrefix + "expire": at, lastPrefix + "orphans": at}
}

// LookedAfter writes down that a table was looked after at a time.
func (t *Table) LookedAfter(ctx context.Context, at time.Time) error {
	return t.set(ctx, iceberg.Properties(lastTimes(at)))
}

// Keep does what is due. Several processes may do this for one table: the first says so in the table, and should two begin at once, the
// commits of one fail and change nothing.
func (t *Table) Keep(ctx context.Context, u Upkeep) (Kept, error) {
	k := Kept{Table: t.name}
	if err := t.Refresh(ctx); err != nil {
		return k, err
	}
	if tbl, _ := t.current(); !tbl.Properties().GetBool("gc.enabled", true) { // others hold on to its files, and look after them
		u.Orphans, u.Expire = 0, 0
	}
	// Orphans first: what a compaction replaces now is not theirs.
	err := t.due(ctx, "orphans", u.Orphans, func() error {
		found, err := t.Orphans(ctx, max(u.Orphans, ShortestOrphan))
		if err != nil {
			return err
		}
		k.Orphans = found
		return t.RemoveOrphans(ctx, found)
	})
	if err != nil {
		return k, err
	}
	err = t.due(ctx, "compact", u.Compact, func() (err error) {
		k.Compacted, err = t.Compact(ctx, u.Compaction)
		return err
	})
	if err != nil {
		return k, err
	}
	return k, t.due(ctx, "expire", u.Expire, func() (err error) {
		if err := t.keep(ctx, u.Keep); err != nil {
			return err
		}
		k.Expired, err = t.Expire(ctx, 0, 0, false)
		return err
	})
}

// due does a piece of work whose time has come, after it has said so in the table.
func (t *Table) due(ctx context.Context, what string, every time.Duration, do func() error) error {
	tbl, _ := t.current()
	last, err := time.Parse(time.RFC3339, tbl.Properties()[lastPrefix+what])
	if every <= 0 || err == nil && time.Since(last) < every {
		return nil
	}
	if err := t.set(ctx, iceberg.Properties{lastPrefix + what: time.Now().UTC().Format(time.RFC3339)}); err != nil {
		return err
	}
	return do()
}

// keep makes a number of snapshots the least that expiry leaves.
func (t *Table) keep(ctx context.Context, n int) error {
	tbl, _ := t.current()
	if n == 0 || tbl.Properties().GetInt(table.MinSnapshotsToKeepKey, 20) == n {
		return nil
	}
	return t.set(ctx, iceberg.Properties{table.MinSnapshotsToKeepKey: fmt.Sprint(n)})
}

// set sets properties, without a snapshot.
func (t *Table) set(ctx context.Context, props iceberg.Properties) error {
	tbl, err := t.load(ctx)
	if err != nil {
		return err
	}
	tx := tbl.NewTransaction()
	if err := tx.SetProperties(props); err != nil {
		return err
	}
	if _, err := tx.Commit(ctx); err != nil {
		return fmt.Errorf("set properties of table %s: %w", t.name, err)
	}
	return t.Refresh(ctx)
}
