package ingest

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"weir/internal/config"
	"weir/internal/lake"
	"weir/minibatch"
)

// Compactions in this process and in another one race with the commits of a stream: no row is lost or doubled, and both get on.
func TestCompactionsBesideAStream(t *testing.T) {
	s := newSite(t)
	const n = 600
	s.sendNumbers(0, n)
	j := s.job(Config{Commit: Commit{Rows: 15}})
	other, err := lake.Open(t.Context(), lake.Config{Catalog: filepath.Join(s.home, "catalog.db"), Warehouse: filepath.Join(s.home, "warehouse")})
	s.ok(err)
	defer other.Close()
	done := make(chan bool)
	var g errgroup.Group
	var commits int
	g.Go(func() error {
		defer close(done)
		r, err := j.Run(t.Context(), minibatch.Drain, nil)
		commits = r.Batches
		return err
	})
	var made [2]int
	for i, l := range []*lake.Lake{s.lake, other} {
		tbl, err := l.Table(t.Context(), "shop.orders")
		s.ok(err)
		g.Go(func() error {
			for {
				select {
				case <-done:
					return nil
				default:
				}
				r, err := tbl.Compact(t.Context(), lake.Compaction{Least: 4}) // an error is a file that the other one took
				if err == nil {
					made[i] += r.Snapshots
				}
			}
		})
	}
	s.ok(g.Wait())
	if made[0] == 0 || made[0]+made[1] < 3 || commits < 40 {
		t.Errorf("%v compactions beside %d commits", made, commits)
	}
	s.wantNumbers(n)
	if left := s.job(Config{}); left.Table() != nil {
		r, err := left.Run(t.Context(), minibatch.Drain, nil)
		if err != nil || r.RowsIn != 0 {
			t.Errorf("the cursor moved: %+v, %v", r, err)
		}
	}
}

func TestAJobLooksAfterItsTables(t *testing.T) {
	s := newSite(t)
	var told []string
	tell := func(k lake.Kept, err error) {
		if err != nil {
			t.Error(err)
		}
		told = append(told, k.Table)
	}
	for from := int64(0); from < 40; from += 10 {
		s.sendNumbers(from, from+10)
		s.drain(Config{})
	}
	hour := config.Duration(time.Minute)
	c := Config{Maintain: Maintain{Compact: &hour}}
	j := s.job(c)
	j.Keep(t.Context(), tell)
	if len(told) != 0 {
		t.Errorf("a new table: %v", told)
	}
	tbl, err := s.lake.Table(t.Context(), "shop.orders")
	s.ok(err)
	s.ok(tbl.LookedAfter(t.Context(), time.Now().Add(-25*time.Hour)))
	c.Maintain.Off = true
	s.job(c).Keep(t.Context(), tell)
	if len(told) != 0 {
		t.Errorf("switched off: %v", told)
	}
	c.Maintain.Off = false
	u := c.Maintain.upkeep(0)
	u.Compaction.Settled = 0
	k, err := j.keep(t.Context(), "shop.orders", u)
	if err != nil || k.Compacted.Rewritten < 8 || k.Compacted.Written != 1 {
		t.Errorf("%+v, %v; want a compaction", k, err)
	}
	s.wantNumbers(40)
}

func TestWhatMaintainCannotBe(t *testing.T) {
	short, tiny := config.Duration(10*time.Minute), config.Duration(time.Second)
	c := Config{
		Topic: "a", Table: "a.b", Start: "earliest", Commit: Commit{Age: config.Duration(3 * time.Hour)},
		Maintain: Maintain{Compact: &tiny, Expire: &tiny, Orphans: &short, TargetFile: 5, KeepSnapshots: -1},
	}
	var got []string
	for _, b := range c.Validate() {
		got = append(got, b.Path+": "+b.Message)
	}
	all := strings.Join(got, "\n")
	for _, want := range []string{"maintain.compact: expected at least 1m", "maintain.expire: expected at least 1m", "maintain.orphans: expected at least 6h", "maintain.target_file: expected at least 1MiB", "maintain.keep_snapshots: expected 1 or more"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is not in\n%s", want, all)
		}
	}
	never := config.Duration(0)
	if u := (Maintain{Compact: &never, Orphans: &never}).upkeep(0); u.Compact != 0 || u.Orphans != 0 || u.Expire != time.Hour {
		t.Errorf("got %+v", u)
	}
}
