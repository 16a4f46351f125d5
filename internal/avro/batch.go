package avro

import (
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// A Batch collects decoded data in columns. Several plans may append to one batch. It is for one goroutine.
type Batch struct {
	target *arrow.Schema
	cols   []column
	rows   int
	bytes  int
	last   *Plan // whose target has been compared
	wire   wire  // here, because as a variable it would be an allocation for each datum
}

// NewBatch makes an empty batch for columns of a schema, such as that of a table: its field ids and names stay in the arrays.
func NewBatch(target *arrow.Schema) (*Batch, error) {
	b := &Batch{target: target}
	for _, f := range target.Fields() {
		c, err := newColumn(f.Type)
		if err != nil {
			return nil, inField(f.Name, err)
		}
		b.cols = append(b.cols, c)
	}
	return b, nil
}

// Len is the number of data in the batch.
func (b *Batch) Len() int { return b.rows }

// Bytes is the length of the data in the batch, as they were on the wire.
func (b *Batch) Bytes() int { return b.bytes }

// Append decodes one datum. On an error, an *Error, the batch is as it was before. It panics if the plan was compiled for
// other columns: values would land in the wrong ones.
func (b *Batch) Append(p *Plan, datum []byte) error {
	if p != b.last {
		if p.target != b.target && !p.target.Equal(b.target) {
			panic("avro: the plan was compiled for columns other than the batch's")
		}
		b.last = p
	}
	w := &b.wire
	w.buf, w.pos = datum, 0
	err := p.root.into(w, b.cols)
	if err == nil && w.pos < len(w.buf) {
		err = errTrailing
	}
	if err != nil {
		for _, c := range b.cols {
			c.truncate(b.rows)
		}
		return placed(err, w.pos)
	}
	b.rows++
	b.bytes += len(datum)
	return nil
}

func placed(err error, offset int) error {
	var f *fieldError
	if errors.As(err, &f) {
		return &Error{Field: f.path, Offset: offset, Err: f.err}
	}
	return &Error{Offset: offset, Err: err}
}

// Flush hands out one array for each column, which the caller releases, and empties the batch.
func (b *Batch) Flush() []arrow.Array {
	out := make([]arrow.Array, len(b.cols))
	for i, c := range b.cols {
		d := c.flush()
		out[i] = array.MakeFromData(d)
		d.Release()
	}
	b.rows, b.bytes = 0, 0
	return out
}
