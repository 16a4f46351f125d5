package parquet

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// booleans are bits in a page; they get no dictionary.
type booleans struct {
	n               int // bits in the page
	isTrue, isFalse bool
}

func (c *booleans) reset() { *c = booleans{} }

func (c *booleans) plain(b []byte, a arrow.Array, at []int32, from, n int) []byte {
	if len(b) == 0 {
		c.n = 0 // of a new page
	}
	all := a.(*array.Boolean)
	for k := range n {
		i := from + k
		if at != nil {
			i = int(at[k])
		}
		if c.n%8 == 0 {
			b = append(b, 0)
		}
		if all.Value(i) {
			b[len(b)-1] |= 1 << (c.n % 8)
			c.isTrue = true
		} else {
			c.isFalse = true
		}
		c.n++
	}
	return b
}

func (c *booleans) number(to []uint32, _ arrow.Array, _ []int32, _, _ int) []uint32 { return to }
func (c *booleans) differ(_ arrow.Array, _ []int32, _, n int) int                   { return n }
func (c *booleans) dictionary() ([]byte, int)                                       { return nil, 0 }

func (c *booleans) exact() (least, greatest bool) { return true, true }

func (c *booleans) limits() (least, greatest []byte) {
	if !c.isTrue && !c.isFalse {
		return nil, nil
	}
	bit := func(b bool) []byte {
		if b {
			return []byte{1}
		}
		return []byte{0}
	}
	return bit(!c.isFalse), bit(c.isTrue)
}
