package ingest

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/kafka"
	"weir/internal/lake"
	"weir/internal/quarantine"
	"weir/internal/telemetry"
	"weir/minibatch"
)

const paymentSchema = `{"type":"record","name":"Payment","fields":[
	{"name":"id","type":"long"},
	{"name":"account","type":"string"},
	{"name":"counterparty","type":"string"},
	{"name":"cents","type":"long"},
	{"name":"booked","type":{"type":"long","logicalType":"timestamp-micros"}},
	{"name":"country","type":{"type":"enum","name":"Country","symbols":["DE","FR","US","PL"]}},
	{"name":"note","type":["null","string"]},
	{"name":"tags","type":{"type":"array","items":"string"}},
	{"name":"reference","type":"string"}]}`

type payment struct {
	ID           int64     `avro:"id"`
	Account      string    `avro:"account"`
	Counterparty string    `avro:"counterparty"`
	Cents        int64     `avro:"cents"`
	Booked       time.Time `avro:"booked"`
	Country      string    `avro:"country"`
	Note         *string   `avro:"note"`
	Tags         []string  `avro:"tags"`
	Reference    string    `avro:"reference"`
}

const benchRows = 200_000

// fill puts distinct payments of about 260 bytes on the topic.
func (s *site) fill(schema avro.Schema, id int) {
	note := "card present"
	for i := range int64(benchRows) {
		p := payment{ID: i, Account: fmt.Sprintf("DE%020d", i*7919%99991), Counterparty: fmt.Sprintf("FR%020d", i*104729), Cents: i * 31 % 1_000_000,
			Booked: time.UnixMicro(1_700_000_000_000_000 + i*977), Country: []string{"DE", "FR", "US", "PL"}[i%4], Tags: []string{"pos", "retail"},
			Reference: fmt.Sprintf("%032x%032x %s", i*1_000_003, i*999_983, strings.Repeat("x", 60+int(i%50)))}
		if i%2 == 0 {
			p.Note = &note
		}
		datum, err := avro.Marshal(schema, p)
		s.ok(err)
		s.cl.Produce(s.t.Context(), &kgo.Record{Topic: "orders", Partition: int32(i % 3), Value: framed(id, datum)}, nil)
	}
	s.ok(s.cl.Flush(s.t.Context()))
}

// BenchmarkKafkaToIceberg brings a topic into a table, and does the same in the usual way beside it: hamba into a map (ours takes any
// schema too), Arrow builders, the same Parquet writer, one commit. Both read the same broker in this process, whose work counts for both.
func BenchmarkKafkaToIceberg(b *testing.B) {
	s := newSite(b)
	schema := avro.MustParse(paymentSchema)
	id, err := s.reg.Register(b.Context(), "payments-value", paymentSchema)
	s.ok(err)
	s.fill(schema, id)
	var mine, theirs, myCPU, theirCPU time.Duration
	for n := 0; b.Loop(); n++ {
		t0, c0 := time.Now(), telemetry.CPU()
		j, err := New(b.Context(), fmt.Sprint("job", n), Config{Topic: "orders", Table: fmt.Sprint("bench.ours", n), Start: "earliest", Format: Format{Subject: "payments-value"},
			Commit: Commit{Rows: 100_000}}, Parts{Kafka: s.kafka, Schemas: s.reg, Lake: s.lake})
		s.ok(err)
		r, err := j.Run(b.Context(), minibatch.Drain, nil)
		s.ok(err)
		j.Close()
		if r.RowsOut != benchRows {
			b.Fatalf("%d rows", r.RowsOut)
		}
		t1, c1 := time.Now(), telemetry.CPU()
		s.usual(schema, fmt.Sprint("bench.usual", n))
		mine, theirs = mine+t1.Sub(t0), theirs+time.Since(t1)
		myCPU, theirCPU = myCPU+c1-c0, theirCPU+telemetry.CPU()-c1
	}
	rows := float64(benchRows * b.N)
	b.ReportMetric(rows/mine.Seconds(), "rows/s")
	b.ReportMetric(rows/myCPU.Seconds(), "rows/s/core")
	b.ReportMetric(float64(myCPU.Microseconds())/rows, "cpu-us/row")
	b.ReportMetric(float64(theirCPU.Microseconds())/rows, "hamba-cpu-us/row")
	b.ReportMetric(theirCPU.Seconds()/myCPU.Seconds(), "x-cpu-hamba")
	b.ReportMetric(theirs.Seconds()/mine.Seconds(), "x-wall-hamba")
	b.ReportMetric(0, "ns/op")
}

// usual is the loop for any schema that one writes with the libraries alone, into the same columns: no quarantine, no undo, no cursor.
func (s *site) usual(schema avro.Schema, name string) {
	f := func(n string, t arrow.DataType) arrow.Field { return arrow.Field{Name: n, Type: t, Nullable: true} }
	str := arrow.BinaryTypes.String
	fields := []arrow.Field{f("id", arrow.PrimitiveTypes.Int64), f("account", str), f("counterparty", str),
		f("cents", arrow.PrimitiveTypes.Int64), f("booked", arrow.FixedWidthTypes.Timestamp_us), f("country", str), f("note", str),
		f("tags", arrow.ListOfField(f("element", str))), f("reference", str), quarantine.Kafka, quarantine.Load}
	t, err := s.lake.Ensure(s.t.Context(), name, arrow.NewSchema(fields, nil), lake.Options{})
	s.ok(err)
	cl, err := kafka.Connect(s.kafka, kgo.ConsumeTopics("orders"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	s.ok(err)
	defer cl.Close()
	files, err := t.Write(s.t.Context(), func(yield func(arrow.RecordBatch, error) bool) {
		rb := array.NewRecordBuilder(memory.DefaultAllocator, t.Schema())
		defer rb.Release()
		for n, in := 0, 0; n < benchRows; {
			fs := cl.PollRecords(s.t.Context(), 4096)
			for _, r := range fs.Records() {
				var p map[string]any
				s.ok(avro.Unmarshal(schema, r.Value[5:], &p))
				add(rb, p)
				from(rb, r)
				n++
				if in++; in == batchRows || n == benchRows {
					in = 0
					if !yield(rb.NewRecordBatch(), nil) {
						return
					}
				}
			}
		}
	})
	s.ok(err)
	_, err = t.Commit(s.t.Context(), lake.Commit{Job: "usual", ID: name, To: []byte("1"), Add: files})
	s.ok(err)
}

func add(rb *array.RecordBuilder, p map[string]any) {
	rb.Field(0).(*array.Int64Builder).Append(p["id"].(int64))
	rb.Field(1).(*array.StringBuilder).Append(p["account"].(string))
	rb.Field(2).(*array.StringBuilder).Append(p["counterparty"].(string))
	rb.Field(3).(*array.Int64Builder).Append(p["cents"].(int64))
	rb.Field(4).(*array.TimestampBuilder).Append(arrow.Timestamp(p["booked"].(time.Time).UnixMicro()))
	rb.Field(5).(*array.StringBuilder).Append(p["country"].(string))
	switch note := p["note"].(type) {
	case string:
		rb.Field(6).(*array.StringBuilder).Append(note)
	case map[string]any:
		rb.Field(6).(*array.StringBuilder).Append(note["string"].(string))
	default:
		rb.Field(6).AppendNull()
	}
	l := rb.Field(7).(*array.ListBuilder)
	l.Append(true)
	for _, t := range p["tags"].([]any) {
		l.ValueBuilder().(*array.StringBuilder).Append(t.(string))
	}
	rb.Field(8).(*array.StringBuilder).Append(p["reference"].(string))
}

func from(rb *array.RecordBuilder, r *kgo.Record) {
	k := rb.Field(9).(*array.StructBuilder)
	k.Append(true)
	k.FieldBuilder(0).(*array.StringBuilder).Append(r.Topic)
	k.FieldBuilder(1).(*array.Int32Builder).Append(r.Partition)
	k.FieldBuilder(2).(*array.Int64Builder).Append(r.Offset)
	k.FieldBuilder(3).(*array.TimestampBuilder).Append(arrow.Timestamp(r.Timestamp.UnixMicro()))
	rb.Field(10).AppendNull()
}
