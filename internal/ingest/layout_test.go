package ingest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"

	"weir/internal/lake"
)

// A job that says how its table lies makes it so; batches, late rows and new columns find their place in it.
func TestAPartitionedTable(t *testing.T) {
	s := newSite(t)
	c := Config{Commit: Commit{Rows: 300}, Partition: []string{"truncate(100, id)", "bucket(2, note)"}, Sort: []string{"id desc"}}
	s.sendNumbers(0, 500)
	if r := s.drain(c); r.RowsOut != 500 || r.Batches < 2 {
		t.Errorf("got %+v", r)
	}
	s.sendAs(withFee, fee(-1, 7), fee(-2, 8)) // late, with columns that the table gets now
	s.sendNumbers(500, 600)
	s.drain(Config{}) // the table's own layout
	rows := s.rows()
	if len(rows) != 602 || rows[-1] != 1 || rows[599] != 1 {
		t.Errorf("%d rows", len(rows))
	}
	if got := s.column("fee"); got[-1] != "7" {
		t.Errorf("fee of -1: %s", got[-1])
	}
	perFile := map[string][]int64{}
	s.scan("shop.orders", func(c lake.Chunk) {
		perFile[c.File.Path] = append(perFile[c.File.Path], c.Batch.Column(0).(*array.Int64).Int64Values()...)
	})
	for file, ids := range perFile {
		for _, id := range ids {
			if !strings.Contains(file, fmt.Sprintf("id_trunc_100=%d/", (id+100)/100*100-100)) {
				t.Errorf("order %d is in %s", id, file)
			}
		}
		if !slices.IsSortedFunc(ids, func(a, b int64) int { return int(b - a) }) {
			t.Errorf("%s has %v", file, ids)
		}
	}
	c.Partition, c.Topic, c.Table, c.Start = []string{"id"}, "orders", "shop.orders", "earliest"
	_, err := New(t.Context(), "orders", c, Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake})
	if bad := (*lake.LayoutError)(nil); !errors.As(err, &bad) || bad.Path != "partition" {
		t.Errorf("another layout: %v", err)
	}
}
