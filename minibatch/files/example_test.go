package files_test

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"weir/minibatch"
	"weir/minibatch/files"
	"weir/minibatch/table"
)

// A job that takes each CSV file of a directory once, into a table. The record that has no number goes to
// shop.sales__quarantine.
func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := os.WriteFile(filepath.Join(dir, "monday.csv"), []byte("shop,pieces\nnorth,3\nsouth,some\nwest,4\n"), 0o644); err != nil {
		panic(err)
	}

	type sale struct {
		Shop   string
		Pieces int64
	}
	ctx := context.Background()
	src, err := files.From(ctx, dir+"/*.csv", files.CSV[sale]()) // or s3://bucket/in/**/*.csv
	if err != nil {
		panic(err)
	}
	lake, err := table.Open(ctx, table.Home(dir))
	if err != nil {
		panic(err)
	}
	defer func() { _ = lake.Close() }()
	dst, err := table.Append[sale](ctx, lake, "shop.sales")
	if err != nil {
		panic(err)
	}
	job := minibatch.Job[files.Record[sale], sale]{
		Name: "load_sales", Source: src, Sink: dst, OneToOne: true,
		Transform: func(_ context.Context, _ minibatch.Part, in iter.Seq2[files.Record[sale], error], emit minibatch.Emit[sale]) error {
			for r, err := range in {
				if err == nil {
					err = emit(r.Value)
				}
				if err != nil {
					return err
				}
			}
			return nil
		},
	}
	for range 2 { // the second run finds nothing new
		r, err := minibatch.Run(ctx, job, minibatch.Drain)
		fmt.Println(r.RowsIn, "read,", r.RowsOut, "written,", r.Quarantined, "refused", err)
	}
	// Output:
	// 3 read, 2 written, 1 refused <nil>
	// 0 read, 0 written, 0 refused <nil>
}
