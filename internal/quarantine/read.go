package quarantine

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/oklog/ulid/v2"

	"weir/internal/stamp"
)

// Rows reads a batch of a quarantine table; columns that it lacks, as a table of refused lines does, stay empty. The rows keep nothing
// of the batch's memory.
func Rows(rec arrow.RecordBatch) []Row {
	rows := make([]Row, rec.NumRows())
	each := func(name string, set func(r *Row, col arrow.Array, i int)) {
		if at := rec.Schema().FieldIndices(name); len(at) == 1 {
			fill(rows, rec.Column(at[0]), set)
		}
	}
	each("reason", func(r *Row, c arrow.Array, i int) { r.Reason = Reason(text(c, i)) })
	each("error", func(r *Row, c arrow.Array, i int) { r.Error = text(c, i) })
	each("schema_id", func(r *Row, c arrow.Array, i int) { r.SchemaID = int32(number(c, i)) })
	each("key", func(r *Row, c arrow.Array, i int) { r.Key = raw(c, i) })
	each("value", func(r *Row, c arrow.Array, i int) { r.Value = raw(c, i) })
	each("headers", func(r *Row, c arrow.Array, i int) { r.Headers = readHeaders(c, i) })
	each("quarantined_at", func(r *Row, c arrow.Array, i int) { r.At = instant(c, i) })
	each("attempt", func(r *Row, c arrow.Array, i int) { r.Attempt = int32(number(c, i)) })
	each("last_tried", func(r *Row, c arrow.Array, i int) { r.LastTried = instant(c, i) })
	child := func(column, name string, set func(r *Row, col arrow.Array, i int)) {
		each(column, func(r *Row, c arrow.Array, i int) {
			s, ok := c.(*array.Struct)
			if !ok {
				return
			}
			if k, ok := s.DataType().(*arrow.StructType).FieldIdx(name); ok && s.Field(k).IsValid(i) {
				set(r, s.Field(k), i)
			}
		})
	}
	child(Kafka.Name, "topic", func(r *Row, c arrow.Array, i int) { r.Topic = text(c, i) })
	child(Kafka.Name, "partition", func(r *Row, c arrow.Array, i int) { r.Partition = int32(number(c, i)) })
	child(Kafka.Name, "offset", func(r *Row, c arrow.Array, i int) { r.Offset = number(c, i) })
	child(Kafka.Name, "timestamp", func(r *Row, c arrow.Array, i int) { r.Timestamp = instant(c, i) })
	child(Load.Name, "run", func(r *Row, c arrow.Array, i int) {
		id, err := ulid.ParseStrict(text(c, i))
		r.Stamp.Run, r.Stamped = id, err == nil
	})
	child(Load.Name, "shard", func(r *Row, c arrow.Array, i int) { r.Stamp.Shard = int32(number(c, i)) })
	child(Load.Name, "seq", func(r *Row, c arrow.Array, i int) { r.Stamp.Seq = number(c, i) })
	child(Load.Name, "intended", func(r *Row, c arrow.Array, i int) { r.Stamp.Intended = instant(c, i).UnixMicro() })
	for i := range rows {
		if !rows[i].Stamped {
			rows[i].Stamp = stamp.Stamp{}
		}
	}
	return rows
}

func fill(rows []Row, c arrow.Array, set func(*Row, arrow.Array, int)) {
	for i := range rows {
		if c.IsValid(i) {
			set(&rows[i], c, i)
		}
	}
}

func text(c arrow.Array, i int) string {
	if s, ok := c.(*array.String); ok {
		return string([]byte(s.Value(i)))
	}
	return ""
}

func number(c arrow.Array, i int) int64 {
	switch n := c.(type) {
	case *array.Int32:
		return int64(n.Value(i))
	case *array.Int64:
		return n.Value(i)
	}
	return 0
}

func raw(c arrow.Array, i int) []byte {
	if b, ok := c.(*array.Binary); ok {
		return append([]byte{}, b.Value(i)...)
	}
	return nil
}

func instant(c arrow.Array, i int) time.Time {
	if t, ok := c.(*array.Timestamp); ok {
		return time.UnixMicro(int64(t.Value(i))).UTC()
	}
	return time.Time{}
}

func readHeaders(c arrow.Array, i int) (all []Header) {
	m, ok := c.(*array.Map)
	if !ok {
		return nil
	}
	from, to := m.ValueOffsets(i)
	keys, values := m.Keys(), m.Items()
	for k := int(from); k < int(to); k++ {
		h := Header{Key: text(keys, k)}
		if values.IsValid(k) {
			h.Value = raw(values, k)
		}
		all = append(all, h)
	}
	return all
}
