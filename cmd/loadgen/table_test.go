package main

import (
	"context"
	"iter"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/avro"
	"weir/internal/content"
	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/project"
	"weir/internal/quarantine"
	"weir/internal/stamp"
)

// fill reads n records of a topic.
func fill(t testing.TB, pr *project.Project, topic string, n int) []*kgo.Record {
	t.Helper()
	k, _, err := pr.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kafka.Connect(k, kgo.ConsumeTopics(topic))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var all []*kgo.Record
	for len(all) < n && ctx.Err() == nil {
		all = append(all, cl.PollFetches(ctx).Records()...)
	}
	if len(all) != n {
		t.Fatalf("topic %s: got %d records, want %d", topic, len(all), n)
	}
	return all
}

// write puts records into a table in two commits, as ingest would.
func write(t testing.TB, pr *project.Project, name string, records []*kgo.Record) {
	t.Helper()
	lk, err := lake.Open(t.Context(), pr.Lake())
	if err != nil {
		t.Fatal(err)
	}
	defer lk.Close()
	tbl, schema := ensure(t, lk, name)
	half := len(records) / 2
	for i, part := range [][]*kgo.Record{records[:half], records[half:]} {
		commit(t, tbl, schema, part, i)
	}
}

// ensure makes the table of the built-in record.
func ensure(t testing.TB, lk *lake.Lake, name string) (*lake.Table, *avro.Schema) {
	t.Helper()
	g, err := content.NewGenerator(content.Spec{})
	if err != nil {
		t.Fatal(err)
	}
	schema, err := avro.Parse(g.Schema())
	if err != nil {
		t.Fatal(err)
	}
	values, err := avro.ArrowSchema(schema)
	if err != nil {
		t.Fatal(err)
	}
	tbl, err := lk.Ensure(t.Context(), name, arrow.NewSchema(append(slices.Clone(values.Fields()), quarantine.Kafka, quarantine.Load), nil), lake.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return tbl, schema
}

// commit is batch n of the table's only job.
func commit(t testing.TB, tbl *lake.Table, schema *avro.Schema, records []*kgo.Record, n int) {
	t.Helper()
	files, err := tbl.Write(t.Context(), batches(t, tbl.Schema(), schema, records))
	if err != nil {
		t.Fatal(err)
	}
	c := lake.Commit{Job: "test", ID: strconv.Itoa(n), To: []byte(strconv.Itoa(n)), Add: files}
	if n > 0 {
		c.From = []byte(strconv.Itoa(n - 1))
	}
	if _, err := tbl.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// feed brings a topic's records into the table of its name, without those that it loses, until done.
func feed(t testing.TB, pr *project.Project, topic string, loses func(*kgo.Record) bool, done <-chan struct{}) {
	t.Helper()
	k, _, err := pr.Resolve()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kafka.Connect(k, kgo.ConsumeTopics(topic), kgo.FetchMaxWait(50*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	lk, err := lake.Open(t.Context(), pr.Lake())
	if err != nil {
		t.Fatal(err)
	}
	defer lk.Close()
	tbl, schema := ensure(t, lk, topic)
	for n := 0; ; {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		records := slices.DeleteFunc(cl.PollFetches(ctx).Records(), loses)
		cancel()
		select {
		case <-done:
			return
		default:
		}
		if len(records) > 0 {
			commit(t, tbl, schema, records, n)
			n++
		}
	}
}

func batches(t testing.TB, s *arrow.Schema, writer *avro.Schema, records []*kgo.Record) iter.Seq2[arrow.RecordBatch, error] {
	n := len(s.Fields()) - 2
	values := arrow.NewSchema(s.Fields()[:n], nil)
	b, err := avro.NewBatch(values)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := avro.Compile(writer, values)
	if err != nil {
		t.Fatal(err)
	}
	k := array.NewStructBuilder(memory.DefaultAllocator, s.Field(n).Type.(*arrow.StructType))
	l := array.NewStructBuilder(memory.DefaultAllocator, s.Field(n+1).Type.(*arrow.StructType))
	for _, r := range records {
		_, datum, err := avro.SplitHeader(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Append(plan, datum); err != nil {
			t.Fatal(err)
		}
		st, _ := stamp.Parse(r.Headers[0].Value)
		k.Append(true)
		k.FieldBuilder(0).(*array.StringBuilder).Append(r.Topic)
		k.FieldBuilder(1).(*array.Int32Builder).Append(r.Partition)
		k.FieldBuilder(2).(*array.Int64Builder).Append(r.Offset)
		k.FieldBuilder(3).(*array.TimestampBuilder).Append(arrow.Timestamp(r.Timestamp.UnixMicro()))
		l.Append(true)
		l.FieldBuilder(0).(*array.StringBuilder).Append(st.Run.String())
		l.FieldBuilder(1).(*array.Int32Builder).Append(st.Shard)
		l.FieldBuilder(2).(*array.Int64Builder).Append(st.Seq)
		l.FieldBuilder(3).(*array.TimestampBuilder).Append(arrow.Timestamp(st.Intended))
	}
	rec := array.NewRecordBatch(s, append(b.Flush(), k.NewArray(), l.NewArray()), int64(len(records)))
	return func(yield func(arrow.RecordBatch, error) bool) { yield(rec, nil) }
}
