package avro

import (
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A column holds the values of one column that have been decoded so far. Arrow's builders cannot take a value back; these
// can: truncate undoes what a broken datum has left behind.
type column interface {
	null()
	truncate(rows int)
	flush() *array.Data // hands the buffers over and starts anew
}

// nulls are the rows that are null, ascending.
type nulls []int32

func (n *nulls) truncate(rows int) {
	for len(*n) > 0 && int((*n)[len(*n)-1]) >= rows {
		*n = (*n)[:len(*n)-1]
	}
}

// bitmap is nil where nothing is null.
func (n *nulls) bitmap(rows int) (*memory.Buffer, int) {
	count := len(*n)
	if count == 0 {
		return nil, 0
	}
	bits := make([]byte, bitutil.BytesForBits(int64(rows)))
	for i := range bits {
		bits[i] = 0xff
	}
	for _, row := range *n {
		bitutil.ClearBit(bits, int(row))
	}
	*n = (*n)[:0]
	return memory.NewBufferBytes(bits), count
}

type number interface {
	int32 | int64 | float32 | float64 | decimal128.Num
}

// numbers is a column of fixed width.
type numbers[T number] struct {
	dt    arrow.DataType
	vals  []T
	nulls nulls
	bytes func([]T) []byte
}

func (c *numbers[T]) add(v T) { c.vals = append(c.vals, v) }

func (c *numbers[T]) null() {
	var zero T
	c.nulls = append(c.nulls, int32(len(c.vals)))
	c.vals = append(c.vals, zero)
}

func (c *numbers[T]) truncate(rows int) {
	if len(c.vals) > rows {
		c.vals = c.vals[:rows]
		c.nulls.truncate(rows)
	}
}

func (c *numbers[T]) flush() *array.Data {
	n := len(c.vals)
	bits, count := c.nulls.bitmap(n)
	d := array.NewData(c.dt, n, []*memory.Buffer{bits, memory.NewBufferBytes(c.bytes(c.vals))}, nil, count, 0)
	c.vals = make([]T, 0, n)
	return d
}

type booleans struct {
	vals  []bool
	nulls nulls
}

func (c *booleans) add(v bool) { c.vals = append(c.vals, v) }
func (c *booleans) null() {
	c.nulls, c.vals = append(c.nulls, int32(len(c.vals))), append(c.vals, false)
}
func (c *booleans) truncate(rows int) {
	if len(c.vals) > rows {
		c.vals = c.vals[:rows]
		c.nulls.truncate(rows)
	}
}

func (c *booleans) flush() *array.Data {
	n := len(c.vals)
	bits := make([]byte, bitutil.BytesForBits(int64(n)))
	for i, v := range c.vals {
		if v {
			bitutil.SetBit(bits, i)
		}
	}
	valid, count := c.nulls.bitmap(n)
	c.vals = c.vals[:0]
	return array.NewData(arrow.FixedWidthTypes.Boolean, n, []*memory.Buffer{valid, memory.NewBufferBytes(bits)}, nil, count, 0)
}

// texts is a column of strings or bytes.
type texts struct {
	dt      arrow.DataType
	offsets []int32 // one more than rows
	data    []byte
	nulls   nulls
}

// add fails where Arrow's offsets end. A batch of wire bytes gets there by enums only: one byte stands for a long symbol.
func (c *texts) add(b []byte) error {
	if len(c.data)+len(b) > math.MaxInt32 {
		return errFull
	}
	c.data = append(c.data, b...)
	c.offsets = append(c.offsets, int32(len(c.data)))
	return nil
}

func (c *texts) rows() int { return len(c.offsets) - 1 }
func (c *texts) null() {
	c.nulls = append(c.nulls, int32(c.rows()))
	c.offsets = append(c.offsets, int32(len(c.data)))
}

func (c *texts) truncate(rows int) {
	if c.rows() > rows {
		c.offsets = c.offsets[:rows+1]
		c.data = c.data[:c.offsets[rows]]
		c.nulls.truncate(rows)
	}
}

func (c *texts) flush() *array.Data {
	n, length := c.rows(), len(c.data)
	bits, count := c.nulls.bitmap(n)
	d := array.NewData(c.dt, n, []*memory.Buffer{bits, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.offsets)), memory.NewBufferBytes(c.data)}, nil, count, 0)
	c.offsets = append(make([]int32, 0, n+1), 0)
	c.data = make([]byte, 0, length+length/16)
	return d
}

// fixeds is a column of byte strings of one length.
type fixeds struct {
	dt    *arrow.FixedSizeBinaryType
	n     int
	data  []byte
	nulls nulls
}

func (c *fixeds) add(b []byte) { c.data, c.n = append(c.data, b...), c.n+1 }
func (c *fixeds) null() {
	c.nulls = append(c.nulls, int32(c.n))
	c.data, c.n = append(c.data, make([]byte, c.dt.ByteWidth)...), c.n+1
}

func (c *fixeds) truncate(rows int) {
	if c.n > rows {
		c.n, c.data = rows, c.data[:rows*c.dt.ByteWidth]
		c.nulls.truncate(rows)
	}
}

func (c *fixeds) flush() *array.Data {
	n := c.n
	bits, count := c.nulls.bitmap(n)
	d := array.NewData(c.dt, n, []*memory.Buffer{bits, memory.NewBufferBytes(c.data)}, nil, count, 0)
	c.n, c.data = 0, make([]byte, 0, len(c.data))
	return d
}

// structs is a column of records; its children have as many rows as it has.
type structs struct {
	dt       *arrow.StructType
	n        int
	nulls    nulls
	children []column
}

func (c *structs) null() {
	c.nulls = append(c.nulls, int32(c.n))
	c.n++
	for _, ch := range c.children {
		ch.null()
	}
}

func (c *structs) truncate(rows int) {
	if c.n > rows {
		c.n = rows
		c.nulls.truncate(rows)
	}
	for _, ch := range c.children { // also when the record itself was not finished
		ch.truncate(rows)
	}
}

func (c *structs) flush() *array.Data {
	n := c.n
	bits, count := c.nulls.bitmap(n)
	kids := make([]arrow.ArrayData, len(c.children))
	for i, ch := range c.children {
		kids[i] = ch.flush()
	}
	c.n = 0
	return array.NewData(c.dt, n, []*memory.Buffer{bits}, kids, count, 0)
}

// lists is a column of arrays, or of maps: then its child is a struct of key and value.
type lists struct {
	dt      arrow.DataType
	offsets []int32
	nulls   nulls
	items   int // in child, those of finished lists and of the one that is being read
	child   column
}

func (c *lists) rows() int { return len(c.offsets) - 1 }
func (c *lists) close()    { c.offsets = append(c.offsets, int32(c.items)) }

func (c *lists) null() {
	c.nulls = append(c.nulls, int32(c.rows()))
	c.close()
}

func (c *lists) truncate(rows int) {
	if c.rows() > rows {
		c.offsets = c.offsets[:rows+1]
		c.nulls.truncate(rows)
	}
	c.items = int(c.offsets[len(c.offsets)-1])
	c.child.truncate(c.items)
}

func (c *lists) flush() *array.Data {
	n := c.rows()
	bits, count := c.nulls.bitmap(n)
	d := array.NewData(c.dt, n, []*memory.Buffer{bits, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(c.offsets))}, []arrow.ArrayData{c.child.flush()}, count, 0)
	c.offsets, c.items = append(make([]int32, 0, n+1), 0), 0
	return d
}

func newColumn(dt arrow.DataType) (column, error) {
	switch dt := dt.(type) {
	case *arrow.BooleanType:
		return &booleans{}, nil
	case *arrow.Int32Type, *arrow.Date32Type:
		return &numbers[int32]{dt: dt, bytes: arrow.Int32Traits.CastToBytes}, nil
	case *arrow.Int64Type, *arrow.Time64Type, *arrow.TimestampType:
		return &numbers[int64]{dt: dt, bytes: arrow.Int64Traits.CastToBytes}, nil
	case *arrow.Float32Type:
		return &numbers[float32]{dt: dt, bytes: arrow.Float32Traits.CastToBytes}, nil
	case *arrow.Float64Type:
		return &numbers[float64]{dt: dt, bytes: arrow.Float64Traits.CastToBytes}, nil
	case *arrow.Decimal128Type:
		return &numbers[decimal128.Num]{dt: dt, bytes: arrow.Decimal128Traits.CastToBytes}, nil
	case *arrow.StringType, *arrow.BinaryType:
		return &texts{dt: dt, offsets: []int32{0}}, nil
	case *arrow.FixedSizeBinaryType:
		return &fixeds{dt: dt}, nil
	case *arrow.StructType:
		c := &structs{dt: dt}
		for _, f := range dt.Fields() {
			ch, err := newColumn(f.Type)
			if err != nil {
				return nil, inField(f.Name, err)
			}
			c.children = append(c.children, ch)
		}
		return c, nil
	case *arrow.ListType:
		ch, err := newColumn(dt.Elem())
		if err != nil {
			return nil, inField("element", err)
		}
		return &lists{dt: dt, offsets: []int32{0}, child: ch}, nil
	case *arrow.MapType:
		ch, err := newColumn(dt.Elem())
		if err != nil {
			return nil, inField("entry", err)
		}
		return &lists{dt: dt, offsets: []int32{0}, child: ch}, nil
	}
	return nil, fmt.Errorf("no Avro type lands in a column of type %s", dt)
}
