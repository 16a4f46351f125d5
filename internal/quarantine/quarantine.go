// Package quarantine keeps what a job refused: the bytes, the position and the reason of each record, in a table beside the
// destination, committed with the same care as the rows.
//
// A job collects [Row]s, writes [Batch] into the table of [Ensure] and commits it before the destination, so that a crash
// between the two leaves rows here that the next try recognises by their position. [Open] is for taking rows out again.
//
// # Promises
//
// A row that leaves is somewhere else once: in the destination (a replay) or in the table of discarded records. Replays and discards
// of one destination are numbered by the destination's cursor, which each moves with a compare-and-set: see [Desk].
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
	NoKey         Reason = "no_key"         // a column of the table's key is null, or cannot be read from a tombstone's key
	NoValue       Reason = "no_value"       // a tombstone, where the table keeps every message
)

// Reasons are all of ingest's.
var Reasons = []Reason{NotFramed, UnknownSchema, Misfit, Undecodable, NoKey, NoValue}

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
	At        time.Time // of the first refusal
	Attempt   int32     // how often it was tried; 0 counts as 1
	LastTried time.Time // zero: never since At
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
	field("attempt", arrow.PrimitiveTypes.Int32), // tables of before 2026-11 get these two with the next row
	field("last_tried", micros),
}, nil)

// Batch makes an Arrow batch of rows, in the schema that Ensure gives.
func Batch(s *arrow.Schema, rows []Row) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, s)
	defer b.Release()
	for _, r := range rows {
		b.Field(0).(*array.StringBuilder).Append(string(r.Reason))
		b.Field(1).(*array.StringBuilder).Append(r.Error)
		b.Field(2).(*array.Int32Builder).Append(r.SchemaID)
		for i, v := range [][]byte{r.Key, r.Value} {
			if c := b.Field(3 + i).(*array.BinaryBuilder); v == nil { // none is not an empty one
				c.AppendNull()
			} else {
				c.Append(v)
			}
		}
		headers(b.Field(5).(*array.MapBuilder), r.Headers)
		kafka(b.Field(6).(*array.StructBuilder), r)
		load(b.Field(7).(*array.StructBuilder), r)
		b.Field(8).(*array.TimestampBuilder).Append(micro(r.At))
		b.Field(9).(*array.Int32Builder).Append(max(1, r.Attempt))
		if tried := b.Field(10).(*array.TimestampBuilder); r.LastTried.IsZero() {
			tried.AppendNull()
		} else {
			tried.Append(micro(r.LastTried))
		}
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

func kafka(k *array.StructBuilder, r Row) {
	k.Append(true)
	k.FieldBuilder(0).(*array.StringBuilder).Append(r.Topic)
	k.FieldBuilder(1).(*array.Int32Builder).Append(r.Partition)
	k.FieldBuilder(2).(*array.Int64Builder).Append(r.Offset)
	k.FieldBuilder(3).(*array.TimestampBuilder).Append(micro(r.Timestamp))
}

func micro(t time.Time) arrow.Timestamp { return arrow.Timestamp(t.UnixMicro()) }
