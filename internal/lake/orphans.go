package lake

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"time"

	"weir/internal/storage"
)

// ShortestOrphan is the least age at which a file may be taken for an orphan while jobs run: a batch is committed long before its files
// are so old.
const ShortestOrphan = time.Hour

// An Orphan is a file at the table's location that nothing refers to.
type Orphan struct {
	Path  string    `json:"path"`
	Bytes int64     `json:"bytes"`
	At    time.Time `json:"at"` // of its last change
}

// Orphans finds the files of data/ and metadata/ that no snapshot of any branch or tag, no metadata file and no staging table refers
// to, and that are older than an age: what writers left that died, or whose commit lost a race. The storage is listed before the
// table is read, so that a file which is committed meanwhile is known. Only names as Iceberg's writers give them are looked at.
//
// The age is the caller's to choose; below ShortestOrphan the files of a batch that is not committed yet are among them.
func (t *Table) Orphans(ctx context.Context, age time.Duration) ([]Orphan, error) {
	tbl, fsys := t.current()
	root := literally(strings.TrimRight(tbl.Location(), "/"))
	before := time.Now().Add(-age)
	var old []Orphan
	for _, dir := range []string{"/data/**", "/metadata/*"} {
		found, err := fsys.List(ctx, root+dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("orphans of table %s: %w", t.name, err)
		}
		for _, e := range found {
			if e.Time.Before(before) && writersName(e.Name) {
				old = append(old, Orphan{Path: e.Name, Bytes: e.Size, At: e.Time})
			}
		}
	}
	if len(old) == 0 {
		return nil, nil
	}
	known, err := t.referenced(ctx)
	if err != nil {
		return nil, fmt.Errorf("orphans of table %s: %w", t.name, err)
	}
	// The table may name a file by another way than the listing, such as an older name of the cluster or a link: writers put a UUID into
	// the last part of the name.
	bases := map[string]bool{}
	for name := range known {
		bases[path.Base(name)] = true
	}
	var orphans []Orphan
	for _, o := range old {
		if known[oneName(o.Path)] || bases[path.Base(o.Path)] {
			continue
		}
		orphans = append(orphans, o)
	}
	return orphans, nil
}

// RemoveOrphans deletes what Orphans found. It may be repeated, and end anywhere.
func (t *Table) RemoveOrphans(ctx context.Context, found []Orphan) error {
	_, fsys := t.current()
	for _, o := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := removeAll(fsys, []string{o.Path}); err != nil {
			return fmt.Errorf("orphans of table %s: %w", t.name, err)
		}
	}
	return nil
}

// referenced lists every file that the table needs, and those of its staging tables, whose data lie beside its own.
func (t *Table) referenced(ctx context.Context) (map[string]bool, error) {
	known := map[string]bool{}
	if err := t.refersTo(ctx, known); err != nil {
		return nil, err
	}
	ids, err := t.lake.cat.listTables(ctx, t.id[:len(t.id)-1])
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		name := strings.Join(id, ".")
		if !strings.HasPrefix(name, t.name+stagingMark) {
			continue
		}
		staging := &Table{lake: t.lake, name: name, id: id}
		if err := staging.refersTo(ctx, known); err != nil && !errors.Is(err, ErrNoTable) {
			return nil, err
		}
	}
	return known, nil
}

func (t *Table) refersTo(ctx context.Context, known map[string]bool) error {
	tbl, err := t.load(ctx)
	if err != nil {
		return err
	}
	_, fsys := t.current()
	if !tbl.Properties().GetBool("gc.enabled", true) {
		return errors.New("the table's property gc.enabled is false: its files belong to others as well")
	}
	meta := tbl.Metadata()
	known[oneName(tbl.MetadataLocation())] = true
	for m := range meta.PreviousFiles() {
		known[oneName(m.MetadataFile)] = true
	}
	for s := range meta.Statistics() {
		known[oneName(s.StatisticsPath)] = true
	}
	for s := range meta.PartitionStatistics() {
		known[oneName(s.StatisticsPath)] = true
	}
	for _, s := range meta.Snapshots() {
		known[oneName(s.ManifestList)] = true
		manifests, err := s.Manifests(fsys)
		if err != nil {
			return fmt.Errorf("snapshot %d: %w", s.SnapshotID, err)
		}
		for _, m := range manifests {
			if err := ctx.Err(); err != nil {
				return err
			}
			if known[oneName(m.FilePath())] {
				continue
			}
			for e, err := range m.Entries(fsys, true) {
				if err != nil {
					return fmt.Errorf("manifest %s: %w", m.FilePath(), err)
				}
				known[oneName(e.DataFile().FilePath())] = true
				if of := e.DataFile().ReferencedDataFile(); of != nil {
					known[oneName(*of)] = true
				}
			}
			known[oneName(m.FilePath())] = true
		}
	}
	return nil
}

// writersName reports whether a file is named as data and metadata files are: what else somebody keeps there is not ours to delete.
func writersName(name string) bool {
	name = path.Base(name)
	for _, end := range []string{".parquet", ".avro", ".metadata.json", ".metadata.json.gz", ".gz.metadata.json", ".stats", ".puffin"} {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	return false
}

// SameFile reports whether two names are of one file.
func SameFile(a, b string) bool { return oneName(a) == oneName(b) }

// oneName is one name for a file that engines name in several ways: file:/a and /a, s3a://b/c and s3://b/c.
func oneName(name string) string {
	name = storage.Path(name)
	for _, scheme := range []string{"s3a://", "s3n://"} {
		if rest, ok := strings.CutPrefix(name, scheme); ok {
			return "s3://" + rest
		}
	}
	return name
}

// literally makes a pattern of a name that fits only itself.
func literally(name string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(storage.Path(name))
}
