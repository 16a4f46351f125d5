package avro

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

type fieldNode struct {
	name string
	node node
	to   int // index of its column
}

type recordNode struct {
	fields  []fieldNode
	missing []int // columns that the writer does not have
	min     int
}

func (n *recordNode) least() int { return n.min }

func (n *recordNode) into(w *wire, cols []column) error {
	for i := range n.fields {
		f := &n.fields[i]
		if err := f.node.decode(w, cols[f.to]); err != nil {
			return inField(f.name, err)
		}
	}
	for _, i := range n.missing {
		cols[i].null()
	}
	return nil
}

func (n *recordNode) decode(w *wire, c column) error {
	s := c.(*structs)
	if err := n.into(w, s.children); err != nil {
		return err
	}
	s.n++
	return nil
}

// unionNode is [null, T], [T, null] or [T]; null is its branch or -1.
type unionNode struct {
	inner    node
	null     int32
	branches int32
}

func (n unionNode) least() int { return 1 }

func (n unionNode) decode(w *wire, c column) error {
	b, err := w.int()
	switch {
	case err != nil:
		return err
	case b < 0 || b >= n.branches:
		return fmt.Errorf("branch %d of a union of %d", b, n.branches)
	case b == n.null:
		c.null()
		return nil
	}
	return n.inner.decode(w, c)
}

type arrayNode struct{ item node }

func (n arrayNode) least() int { return 1 }

func (n arrayNode) decode(w *wire, c column) error {
	l := c.(*lists)
	for {
		count, err := w.block(n.item.least())
		if err != nil {
			return err
		}
		if count == 0 {
			l.close()
			return nil
		}
		for range count {
			if err := n.item.decode(w, l.child); err != nil {
				return inField("element", err)
			}
			l.items++
		}
	}
}

type mapNode struct{ value node }

func (n mapNode) least() int { return 1 }

func (n mapNode) decode(w *wire, c column) error {
	l := c.(*lists)
	entry := l.child.(*structs)
	keys := entry.children[0].(*texts)
	for {
		count, err := w.block(1 + n.value.least())
		if err != nil {
			return err
		}
		if count == 0 {
			l.close()
			return nil
		}
		for range count {
			if err := (stringNode{}).decode(w, keys); err != nil {
				return inField("key", err)
			}
			if err := n.value.decode(w, entry.children[1]); err != nil {
				return inField("value", err)
			}
			entry.n++
			l.items++
		}
	}
}

type enumNode [][]byte

func (n enumNode) least() int { return 1 }

func (n enumNode) decode(w *wire, c column) error {
	i, err := w.int()
	if err != nil {
		return err
	}
	if i < 0 || int(i) >= len(n) {
		return fmt.Errorf("symbol %d of an enum of %d", i, len(n))
	}
	return c.(*texts).add(n[i])
}

type fixedNode int

func (n fixedNode) least() int { return int(n) }

func (n fixedNode) decode(w *wire, c column) error {
	b, err := w.take(int64(n))
	if err == nil {
		c.(*fixeds).add(b)
	}
	return err
}

// decimalNode is a two's complement number, big endian: of size bytes, or with a length before it where size is -1.
type decimalNode struct {
	size      int
	precision int32
}

func (n decimalNode) least() int { return max(1, n.size) }

func (n decimalNode) decode(w *wire, c column) (err error) {
	var b []byte
	if n.size >= 0 {
		b, err = w.take(int64(n.size))
	} else {
		b, err = w.bytes()
	}
	if err != nil {
		return err
	}
	v, ok := toDecimal(b)
	if !ok || v.Abs().GreaterEqual(tenTo[n.precision]) {
		return errDigits
	}
	c.(*numbers[decimal128.Num]).add(v)
	return nil
}

func toDecimal(b []byte) (decimal128.Num, bool) {
	if len(b) == 0 {
		return decimal128.Num{}, true
	}
	sign := byte(0)
	if b[0]&0x80 != 0 {
		sign = 0xff
	}
	for len(b) > 16 { // leading bytes that only repeat the sign
		if b[0] != sign || (b[1]^sign)&0x80 != 0 {
			return decimal128.Num{}, false
		}
		b = b[1:]
	}
	hi, lo := uint64(int64(int8(sign))), uint64(int64(int8(sign)))
	for _, x := range b {
		hi = hi<<8 | lo>>56
		lo = lo<<8 | uint64(x)
	}
	v := decimal128.New(int64(hi), lo)
	return v, int64(hi) != math.MinInt64 || lo != 0 // its absolute value does not exist
}

type boolNode struct{}

func (boolNode) least() int { return 1 }

func (boolNode) decode(w *wire, c column) error {
	b, err := w.take(1)
	if err != nil {
		return errShort
	}
	if b[0] > 1 {
		return errBool
	}
	c.(*booleans).add(b[0] == 1)
	return nil
}

type intNode struct{}

func (intNode) least() int { return 1 }

func (intNode) decode(w *wire, c column) error {
	v, err := w.int()
	if err == nil {
		c.(*numbers[int32]).add(v)
	}
	return err
}

// intAsLongNode is an int for a wider column; the number is what it is multiplied with: 1000 for milliseconds.
type intAsLongNode int64

func (intAsLongNode) least() int { return 1 }

func (n intAsLongNode) decode(w *wire, c column) error {
	v, err := w.int()
	if err == nil {
		c.(*numbers[int64]).add(int64(v) * int64(n))
	}
	return err
}

// longNode is a long; the number is as above.
type longNode int64

func (longNode) least() int { return 1 }

func (n longNode) decode(w *wire, c column) error {
	v, err := w.long()
	if err != nil {
		return err
	}
	if n != 1 {
		if v > math.MaxInt64/int64(n) || v < math.MinInt64/int64(n) {
			return errTime
		}
		v *= int64(n)
	}
	c.(*numbers[int64]).add(v)
	return nil
}

type floatNode struct{}

func (floatNode) least() int { return 4 }

func (floatNode) decode(w *wire, c column) error {
	b, err := w.take(4)
	if err != nil {
		return errShort
	}
	c.(*numbers[float32]).add(math.Float32frombits(binary.LittleEndian.Uint32(b)))
	return nil
}

type floatAsDoubleNode struct{}

func (floatAsDoubleNode) least() int { return 4 }

func (floatAsDoubleNode) decode(w *wire, c column) error {
	b, err := w.take(4)
	if err != nil {
		return errShort
	}
	c.(*numbers[float64]).add(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))))
	return nil
}

type doubleNode struct{}

func (doubleNode) least() int { return 8 }

func (doubleNode) decode(w *wire, c column) error {
	b, err := w.take(8)
	if err != nil {
		return errShort
	}
	c.(*numbers[float64]).add(math.Float64frombits(binary.LittleEndian.Uint64(b)))
	return nil
}

type bytesNode struct{}

func (bytesNode) least() int { return 1 }

func (bytesNode) decode(w *wire, c column) error {
	b, err := w.bytes()
	if err != nil {
		return err
	}
	return c.(*texts).add(b)
}

type stringNode struct{}

func (stringNode) least() int { return 1 }

func (stringNode) decode(w *wire, c column) error {
	b, err := w.bytes()
	if err != nil {
		return err
	}
	if !utf8.Valid(b) { // one such text would make the whole file unreadable for other engines
		return errUTF8
	}
	return c.(*texts).add(b)
}
