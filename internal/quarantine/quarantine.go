// Package quarantine keeps what a job refused: the bytes, the position and the reason of each record, in a table beside the
// destination, committed with the same care as the rows.
//
// A job collects [Row]s, writes [Batch] into the table named [Table] and commits it before the destination, so that a crash
// between the two leaves rows here that the next try recognises by their position.
package quarantine

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"weir/internal/stamp"
)

// Suffix of a quarantine table's name: bank.transactions keeps what it refused in bank.transactions__quarantine.
const Suffix = "__quarantine"

// Table is the quarantine of a destination.
func Table(destination string) string { return destination + Suffix }

// Reason says in one word why a record was refused; programs may decide by it.
type Reason string

// The reasons that ingest has.
const (
	NotFramed     Reason = "not_framed"     // no Confluent header
	UnknownSchema Reason = "unknown_schema" // the registry does not know the id
	Misfit        Reason = "misfit"         // the schema does not fit the table, and the job says that such messages are refused
	Undecodable   Reason = "undecodable"    // the bytes do not fit their schema
	NoValue       Reason = "no_value"       // a tombstone, where the table keeps every message
)

// A Row is one refused record.
type Row struct {
	Reason    Reason
	Error     string // one line for people
	SchemaID  int32
	Topic     string
	Partition int32
	Offset    int64
	Timestamp time.Time
	Key       []byte
	Value     []byte
	Headers   []Header
	Stamp     stamp.Stamp
	Stamped   bool
	At        time.Time // of the refusal
}

// Bytes that the row keeps.
func (r Row) Bytes() int64 { return int64(len(r.Key) + len(r.Value) + len(r.Error)) }

// A Header of the Kafka record.
type Header struct {
	Key   string
	Value []byte
}

var micros = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}

func field(name string, t arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: t, Nullable: true}
}

// Kafka and Load are the provenance columns of every ingested row and of every refused one.
var (
	Kafka = field("_kafka", arrow.StructOf(
		field("topic", arrow.BinaryTypes.String), field("partition", arrow.PrimitiveTypes.Int32),
		field("offset", arrow.PrimitiveTypes.Int64), field("timestamp", micros)))
	Load = field("_load", arrow.StructOf(
		field("run", arrow.BinaryTypes.String), field("shard", arrow.PrimitiveTypes.Int32),
		field("seq", arrow.PrimitiveTypes.Int64), field("intended", micros)))
)

// Schema of a quarantine table.
var Schema = arrow.NewSchema([]arrow.Field{
	field("reason", arrow.BinaryTypes.String),
	field("error", arrow.BinaryTypes.String),
	field("schema_id", arrow.PrimitiveTypes.Int32),
	field("key", arrow.BinaryTypes.Binary),
	field("value", arrow.BinaryTypes.Binary),
	field("headers", arrow.MapOf(arrow.BinaryTypes.String, arrow.BinaryTypes.Binary)),
	Kafka,
	Load,
	field("quarantined_at", micros),
}, nil)

// Batch makes an Arrow batch of rows, in the schema of the table as it was made.
func Batch(s *arrow.Schema, rows []Row) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	for _, r := range rows {
		b.Field(0).(*array.StringBuilder).Append(string(r.Reason))
		b.Field(1).(*array.StringBuilder).Append(r.Error)
		b.Field(2).(*array.Int32Builder).Append(r.SchemaID)
		b.Field(3).(*array.BinaryBuilder).Append(r.Key)
		b.Field(4).(*array.BinaryBuilder).Append(r.Value)
		headers(b.Field(5).(*array.MapBuilder), r.Headers)
		k := b.Field(6).(*array.StructBuilder)
		k.Append(true)
		k.FieldBuilder(0).(*array.StringBuilder).Append(r.Topic)
		k.FieldBuilder(1).(*array.Int32Builder).Append(r.Partition)
		k.FieldBuilder(2).(*array.Int64Builder).Append(r.Offset)
		k.FieldBuilder(3).(*array.TimestampBuilder).Append(arrow.Timestamp(r.Timestamp.UnixMicro()))
		load(b.Field(7).(*array.StructBuilder), r)
		b.Field(8).(*array.TimestampBuilder).Append(arrow.Timestamp(r.At.UnixMicro()))
	}
	return b.NewRecordBatch()
}

func headers(m *array.MapBuilder, hs []Header) {
	m.Append(true)
	for _, h := range hs {
		m.KeyBuilder().(*array.StringBuilder).Append(h.Key)
		m.ItemBuilder().(*array.BinaryBuilder).Append(h.Value)
	}
}

func load(b *array.StructBuilder, r Row) {
	if !r.Stamped {
		b.AppendNull()
		return
	}
	b.Append(true)
	b.FieldBuilder(0).(*array.StringBuilder).Append(r.Stamp.Run.String())
	b.FieldBuilder(1).(*array.Int32Builder).Append(r.Stamp.Shard)
	b.FieldBuilder(2).(*array.Int64Builder).Append(r.Stamp.Seq)
	b.FieldBuilder(3).(*array.TimestampBuilder).Append(arrow.Timestamp(r.Stamp.Intended))
}
