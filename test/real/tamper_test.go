//go:build real

package real

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"weir/internal/verify"
	"weir/test/real/parts"
)

const tampered = 20_000

// place is where a row of the table came from.
type place struct {
	shard     int32
	seq       int64
	topic     string
	partition int32
	offset    int64
}

func (p place) is(e verify.Evidence) bool {
	return p == place{e.Shard, e.Seq, e.Topic, e.Partition, e.Offset}
}

// readFile is a data file as one batch, and where its rows came from.
func readFile(t *testing.T, path string) (arrow.RecordBatch, []place) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table, err := pqarrow.ReadTable(t.Context(), f, parquet.NewReaderProperties(memory.DefaultAllocator), pqarrow.ArrowReadProperties{}, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Release()
	r := array.NewTableReader(table, table.NumRows())
	defer r.Release()
	r.Next()
	rec := r.RecordBatch()
	rec.Retain()
	column := func(name, field string) arrow.Array {
		s := rec.Column(rec.Schema().FieldIndices(name)[0]).(*array.Struct)
		i, _ := s.DataType().(*arrow.StructType).FieldIdx(field)
		return s.Field(i)
	}
	all := make([]place, rec.NumRows())
	for i := range all {
		all[i] = place{column("_load", "shard").(*array.Int32).Value(i), column("_load", "seq").(*array.Int64).Value(i), column("_kafka", "topic").(*array.String).Value(i),
			column("_kafka", "partition").(*array.Int32).Value(i), column("_kafka", "offset").(*array.Int64).Value(i)}
	}
	return rec, all
}

// writeFile writes batches in place of a data file, with the same columns and field ids.
func writeFile(t *testing.T, path string, batches ...arrow.RecordBatch) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(batches[0].Schema(), f, parquet.NewWriterProperties(), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range batches {
		if err := w.WriteBuffered(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil { // closes f
		t.Fatal(err)
	}
}

// changed is the batch with another text in one row of a column.
func changed(rec arrow.RecordBatch, column string, row int, text string) arrow.RecordBatch {
	i := rec.Schema().FieldIndices(column)[0]
	old := rec.Column(i).(*array.String)
	b := array.NewStringBuilder(memory.DefaultAllocator)
	for j := range old.Len() {
		if j == row {
			b.Append(text)
		} else {
			b.Append(old.Value(j))
		}
	}
	columns := append([]arrow.Array{}, rec.Columns()...)
	columns[i] = b.NewArray()
	return array.NewRecordBatch(rec.Schema(), columns, rec.NumRows())
}

// A load landed in a table by the real programs; then somebody lays hands on the table's files. The proof names each message.
func TestTamperingIsFoundInARealTable(t *testing.T) {
	broker := parts.Kafka(t)
	b := newBench(t, broker.Addr, parts.Registry(t, broker))
	b.write("profiles/main.yaml", fmt.Sprintf("apiVersion: weir/v1\nkind: LoadProfile\nname: main\nrate: {stages: [{target: 10k/s}]}\nvolume: {messages: %d}\ntopic: {name: bank.transactions, partitions: 3}\nkey: {field: account_id, cardinality: 1k}\n", tampered))
	b.write("jobs/transactions.yaml", "apiVersion: weir/v1\nkind: Job\nname: transactions\ningest: {topic: bank.transactions, table: bank.transactions, start: earliest, commit: {rows: 5k, age: 1s}}\n")
	var sum struct{ Run string }
	p, out, errs := b.start("loadgen", "run", "main", "--json")
	b.finish(p, out, errs, &sum, 0, 6)
	p, out, errs = b.start("pipeline", "run", "transactions", "--until-caught-up", "--json")
	b.finish(p, out, errs, &struct{}{}, 0)

	prove := func(codes ...int) (r verify.Result, said string) {
		t.Helper()
		p, out, errs := b.start("loadgen", "verify", sum.Run, "--json")
		b.finish(p, out, errs, &r, codes...)
		return r, errs.String()
	}
	if r, said := prove(0); !r.Good() || r.Rows != tampered {
		t.Fatalf("before anybody touched it: %+v\n%s", r, said)
	}
	files, err := filepath.Glob(filepath.Join(b.home(), "warehouse", "bank*", "transactions*", "data", "*.parquet"))
	if more, e := filepath.Glob(filepath.Join(b.home(), "warehouse", "bank*", "transactions*", "data", "*", "*.parquet")); e == nil {
		files = append(files, more...)
	}
	if err != nil || len(files) < 2 {
		t.Fatalf("data files %v, %v", files, err)
	}
	size := func(path string) int64 {
		i, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return i.Size()
	}
	path := slices.MaxFunc(files, func(a, b string) int { return cmp.Compare(size(a), size(b)) }) // more rows than are named
	whole, rows := readFile(t, path)
	n := len(rows)
	row := n / 3
	victim := rows[row]

	for name, c := range map[string]struct {
		tamper func()
		kind   string
		count  int64
		says   string
	}{
		"a row deleted":    {func() { writeFile(t, path, whole.NewSlice(0, int64(row)), whole.NewSlice(int64(row+1), int64(n))) }, "lost", 1, "acknowledged by the broker and still in the topic"},
		"a row doubled":    {func() { writeFile(t, path, whole, whole.NewSlice(int64(row), int64(row+1))) }, "doubled", 1, "the table has this message more than once"},
		"a column changed": {func() { writeFile(t, path, changed(whole, "counterparty", row, "somebody else")) }, "altered", 1, "counterparty is somebody else, must be "},
		"a file removed":   {func() { _ = os.Remove(path) }, "lost", int64(n), "acknowledged by the broker and still in the topic"},
	} {
		t.Run(name, func(t *testing.T) {
			kept, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := os.WriteFile(path, kept, 0o600); err != nil {
					t.Fatal(err)
				}
			}()
			c.tamper()
			r, said := prove(5)
			t.Logf("%d rows, lost %d, doubled %d, altered %d, gone %v; %v\n%s", r.Rows, r.Lost, r.Doubled, r.Altered, r.Gone, r.Evidence, said)
			counts := map[string]int64{"lost": r.Lost, "doubled": r.Doubled, "altered": r.Altered}
			for kind, got := range counts {
				if kind == c.kind && got != c.count || kind != c.kind && got != 0 {
					t.Errorf("%s %d", kind, got)
				}
			}
			if len(r.Evidence) == 0 || !strings.Contains(r.Evidence[0].Detail, c.says) {
				t.Fatalf("evidence %v, want %q", r.Evidence, c.says)
			}
			if c.count == 1 && (len(r.Evidence) != 1 || !victim.is(r.Evidence[0])) {
				t.Errorf("named %+v, want %+v", r.Evidence, victim)
			}
			if c.count == 1 {
				return
			}
			// All that are named were in the file, and the file is named too.
			for _, e := range r.Evidence {
				found := false
				for _, p := range rows {
					found = found || p.is(e)
				}
				if !found {
					t.Errorf("%v was not in the file", e)
				}
			}
			if len(r.Gone) != 1 || !strings.HasSuffix(r.Gone[0].Path, filepath.Base(path)) || r.Gone[0].Rows != int64(n) || !strings.Contains(said, filepath.Base(path)) {
				t.Errorf("gone %v, want %s with %d rows\n%s", r.Gone, path, n, said)
			}
		})
	}
	if r, said := prove(0); !r.Good() || r.Rows != tampered {
		t.Errorf("after all was put back: %+v\n%s", r, said)
	}
}
