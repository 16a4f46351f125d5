package lake

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
)

// What partitions cost: rows per second, and how high the heap comes, for 200,000 rows over 1 to 1,000 partitions.
func BenchmarkPartitions(b *testing.B) {
	for _, n := range []int64{0, 1, 30, 1000} {
		b.Run(fmt.Sprintf("partitions=%d", n), func(b *testing.B) {
			l, err := Open(b.Context(), Config{Catalog: b.TempDir() + "/c.db", Warehouse: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			var o Options
			if n > 0 {
				o.Partition = []string{"owner.no"}
			}
			tbl, err := l.Ensure(b.Context(), "bank.t", layoutSchema, o)
			if err != nil {
				b.Fatal(err)
			}
			const rows = 200_000
			top := watchHeap(b.Context())
			for b.Loop() {
				if _, err := tbl.Write(b.Context(), func(yield func(arrow.RecordBatch, error) bool) {
					for from := int64(0); from < rows; from += 8192 {
						some := make([]row, 0, 8192)
						for id := from; id < min(from+8192, rows); id++ {
							no, at, c := int32(id%max(1, n)), id*1000, "DE"
							some = append(some, row{id: id, owner: &no, booked: &at, country: &c})
						}
						if !yield(batchOf(tbl.Schema(), some), nil) {
							return
						}
					}
				}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(top.Load()>>20), "heap-MB")
			b.ReportMetric(float64(rows*b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// watchHeap keeps the highest heap until ctx ends.
func watchHeap(ctx context.Context) *atomic.Uint64 {
	runtime.GC()
	var top atomic.Uint64
	go func() {
		for ctx.Err() == nil {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			top.Store(max(top.Load(), m.HeapInuse))
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return &top
}

// What an upsert of 1,000 keys costs by the size of the table: keys that it has, spread over all of it, and keys that it does not have.
func BenchmarkUpsert(b *testing.B) {
	for _, rows := range []int64{10_000, 100_000, 1_000_000} {
		for _, known := range []bool{true, false} {
			b.Run(fmt.Sprintf("rows=%d/known=%v", rows, known), func(b *testing.B) {
				l, err := Open(b.Context(), Config{Catalog: b.TempDir() + "/c.db", Warehouse: b.TempDir()})
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				tbl, err := l.Ensure(b.Context(), "bank.t", testSchema, Options{Key: []string{"id"}})
				if err != nil {
					b.Fatal(err)
				}
				k, err := tbl.Keyed([]string{"id"})
				if err != nil {
					b.Fatal(err)
				}
				n := 0
				commit := func(of func(yield func(int64) bool)) {
					puts := map[int64]string{}
					for id := range of {
						puts[id] = fmt.Sprint("row ", id, n)
					}
					files, err := tbl.Write(b.Context(), notes(tbl.Schema(), puts))
					if err != nil {
						b.Fatal(err)
					}
					n++
					c := Commit{Job: "j", ID: fmt.Sprint(n), Add: files, Advance: func(json.RawMessage) (json.RawMessage, error) { return cursor(int64(n)), nil }}
					if _, err := k.Commit(b.Context(), c, keysFor(of)); err != nil {
						b.Fatal(err)
					}
				}
				every := func(from, step, to int64) func(func(int64) bool) {
					return func(yield func(int64) bool) {
						for id := from; id < to && yield(id); id += step {
						}
					}
				}
				for from := int64(0); from < rows; from += 100_000 {
					commit(every(2*from, 2, 2*min(from+100_000, rows)))
				}
				k.Read, k.Rewritten = 0, 0
				odd := int64(1)
				if known {
					odd = 0
				}
				for b.Loop() {
					commit(every(odd, 2*rows/1000, 2*rows))
				}
				b.ReportMetric(float64(k.Read)/float64(b.N)/1e6, "read-MB")
				b.ReportMetric(float64(k.Rewritten)/float64(b.N)/1e6, "rewritten-MB")
			})
		}
	}
}
