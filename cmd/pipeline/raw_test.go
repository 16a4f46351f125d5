package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/hamba/avro/v2/ocf"

	"weir/internal/kafka"
)

// rawJob is streamJob with a raw landing zone.
func rawJob(t *testing.T) (job, dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "raw")
	return streamJob + "  raw: {location: " + dir + "}\n", dir
}

// rawOnce reads all raw files: each position of the topic is in exactly one.
func (y *yard) rawOnce(dir string) {
	y.t.Helper()
	type at struct {
		Partition int32 `avro:"partition"`
		Offset    int64 `avro:"offset"`
	}
	seen := map[at]int{}
	files, err := filepath.Glob(filepath.Join(dir, "*", "bank.transactions-*.avro"))
	y.ok(err)
	for _, f := range files {
		data, err := os.ReadFile(f)
		y.ok(err)
		d, err := ocf.NewDecoder(bytes.NewReader(data))
		y.ok(err)
		for d.HasNext() {
			var m at
			y.ok(d.Decode(&m))
			seen[m]++
		}
		y.ok(d.Error())
	}
	cl, err := kafka.Connect(y.kafka)
	y.ok(err)
	defer cl.Close()
	ends, err := kafka.Ends(y.t.Context(), cl, "bank.transactions")
	y.ok(err)
	var total int64
	for p, end := range ends {
		total += end
		for o := range end {
			if n := seen[at{p, o}]; n != 1 {
				y.t.Fatalf("partition %d offset %d is %d times in the raw files", p, o, n)
			}
		}
	}
	if int64(len(seen)) != total {
		y.t.Errorf("%d messages in the raw files, %d in the topic", len(seen), total)
	}
	y.t.Logf("%d messages in %d raw files", total, len(files))
}
