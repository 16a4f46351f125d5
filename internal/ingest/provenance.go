package ingest

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/quarantine"
	"weir/internal/stamp"
)

// provenance builds the columns that say where each row comes from: _kafka, and _load where the table has it.
type provenance struct {
	kafka, load *array.StructBuilder // load is nil where the table does not keep it

	topic            *array.StringBuilder
	partition        *array.Int32Builder
	offset, sequence *array.Int64Builder
	time, intended   *array.TimestampBuilder
	run              *array.StringBuilder
	shard            *array.Int32Builder

	lastRun  ulid.ULID
	lastText string
}

func newProvenance(s *arrow.Schema) *provenance {
	p := &provenance{}
	if i := s.FieldIndices(quarantine.Kafka.Name); len(i) == 1 {
		p.kafka = array.NewStructBuilder(memory.DefaultAllocator, s.Field(i[0]).Type.(*arrow.StructType))
		p.topic = p.kafka.FieldBuilder(0).(*array.StringBuilder)
		p.partition = p.kafka.FieldBuilder(1).(*array.Int32Builder)
		p.offset = p.kafka.FieldBuilder(2).(*array.Int64Builder)
		p.time = p.kafka.FieldBuilder(3).(*array.TimestampBuilder)
	}
	if i := s.FieldIndices(quarantine.Load.Name); len(i) == 1 {
		p.load = array.NewStructBuilder(memory.DefaultAllocator, s.Field(i[0]).Type.(*arrow.StructType))
		p.run = p.load.FieldBuilder(0).(*array.StringBuilder)
		p.shard = p.load.FieldBuilder(1).(*array.Int32Builder)
		p.sequence = p.load.FieldBuilder(2).(*array.Int64Builder)
		p.intended = p.load.FieldBuilder(3).(*array.TimestampBuilder)
	}
	return p
}

func (p *provenance) append(r *kgo.Record) {
	p.kafka.Append(true)
	p.topic.Append(r.Topic)
	p.partition.Append(r.Partition)
	p.offset.Append(r.Offset)
	p.time.Append(arrow.Timestamp(r.Timestamp.UnixMicro()))
	if p.load == nil {
		return
	}
	s, ok := stamp.Of(r)
	if !ok {
		p.load.AppendNull()
		return
	}
	if s.Run != p.lastRun || p.lastText == "" {
		p.lastRun, p.lastText = s.Run, s.Run.String()
	}
	p.load.Append(true)
	p.run.Append(p.lastText)
	p.shard.Append(s.Shard)
	p.sequence.Append(s.Seq)
	p.intended.Append(arrow.Timestamp(s.Intended))
}

// columns hands out what has been appended, by column name.
func (p *provenance) columns() map[string]arrow.Array {
	cols := map[string]arrow.Array{quarantine.Kafka.Name: p.kafka.NewArray()}
	if p.load != nil {
		cols[quarantine.Load.Name] = p.load.NewArray()
	}
	return cols
}
