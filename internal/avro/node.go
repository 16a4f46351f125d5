package avro

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

type fieldNode struct {
	name string
	node node
	to   int // index of its column; -1: none
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
		var c column
		if f.to >= 0 {
			c = cols[f.to]
		}
		if err := f.node.decode(w, c); err != nil {
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
		return noSymbol(i, len(n))
	}
	return c.(*texts).add(n[i])
}

func noSymbol(i int32, of int) error { return fmt.Errorf("symbol %d of an enum of %d", i, of) }

type fixedNode int

func (n fixedNode) least() int { return int(n) }

func (n fixedNode) decode(w *wire, c column) error {
	b, err := w.take(int64(n))
	if err == nil {
		c.(*fixeds).add(b)
	}
	return err
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
