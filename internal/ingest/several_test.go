package ingest

import (
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"weir/internal/lake"
	"weir/minibatch"
)

// Workers on other partitions share the table and its quarantine: neither stops the other, and each record is in one of them once.
func TestWorkersShareTheQuarantine(t *testing.T) {
	s := newSite(t)
	const n = 600
	for from := int64(0); from < n; from += 60 {
		s.sendNumbers(from, from+60)
		for p := range int32(3) {
			s.send(&kgo.Record{Partition: p, Value: fmt.Append(nil, "bad ", p, " ", from)})
		}
	}
	var g errgroup.Group
	var refused [2]int64
	for i, partitions := range [][]int32{{0}, {1, 2}} {
		j := s.job(Config{Commit: Commit{Rows: 15}, Quarantine: Quarantine{MaxShare: 1}})
		j.Only(partitions)
		g.Go(func() error {
			r, err := j.Run(t.Context(), minibatch.Drain, nil)
			refused[i] = r.Quarantined
			return err
		})
	}
	s.ok(g.Wait())
	s.wantNumbers(n)
	seen := map[string]int{}
	s.scan("shop.orders__quarantine", func(c lake.Chunk) {
		for i, f := range c.Batch.Schema().Fields() {
			if f.Name != "value" {
				continue
			}
			col := c.Batch.Column(i).(*array.Binary)
			for k := range col.Len() {
				seen[string(col.Value(k))]++
			}
		}
	})
	for v, times := range seen {
		if times != 1 {
			t.Errorf("%q is in quarantine %d times", v, times)
		}
	}
	if len(seen) != 30 || refused[0]+refused[1] != 30 {
		t.Errorf("%d records in quarantine, the workers say %v", len(seen), refused)
	}
}
