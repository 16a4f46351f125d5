package parquet

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
)

// view is how the bytes of an array's values lie.
type view struct {
	offsets  []int32 // nil: all have the width
	data     []byte
	width    int
	decimals []decimal128.Num // then data is where the digits of one of them are put, big endian
}

// at is a value, until the next call.
func (v *view) at(i int) []byte {
	if v.offsets != nil {
		return v.data[v.offsets[i]:v.offsets[i+1]]
	}
	if v.decimals != nil {
		binary.BigEndian.PutUint64(v.data, uint64(v.decimals[i].HighBits()))
		binary.BigEndian.PutUint64(v.data[8:], v.decimals[i].LowBits())
		return v.data[16-v.width:]
	}
	return v.data[i*v.width : (i+1)*v.width]
}

// strings are values of bytes: of differing length, or of one width.
type strings struct {
	of         func(arrow.Array) view
	dict       texts
	signed     bool // two's complements of one width, big endian
	text       bool // UTF-8
	least, top []byte
	low, high  uint64 // how least and top begin; only where both have eight bytes
	any        bool
}

func (c *strings) reset() {
	c.dict.page, c.dict.ends = c.dict.page[:0], c.dict.ends[:0]
	clear(c.dict.table)
	c.any, c.low, c.high = false, 0, 0
}

// see looks at the first eight bytes first: with them nearly every value is done.
func (c *strings) see(v []byte) {
	if len(v) >= 8 && !c.signed {
		if p := binary.BigEndian.Uint64(v); p > c.low && p < c.high {
			return
		}
	}
	switch {
	case !c.any:
		c.least, c.top, c.any = append(c.least[:0], v...), append(c.top[:0], v...), true
	case c.less(v, c.least):
		c.least = append(c.least[:0], v...)
	case c.less(c.top, v):
		c.top = append(c.top[:0], v...)
	default:
		return
	}
	c.low, c.high = math.MaxUint64, 0
	if len(c.least) >= 8 && len(c.top) >= 8 {
		c.low, c.high = binary.BigEndian.Uint64(c.least), binary.BigEndian.Uint64(c.top)
	}
}

func (c *strings) less(a, b []byte) bool {
	if c.signed && int8(a[0]) != int8(b[0]) {
		return int8(a[0]) < int8(b[0])
	}
	return bytes.Compare(a, b) < 0
}

func (c *strings) plain(b []byte, a arrow.Array, at []int32, from, n int) []byte {
	v := c.of(a)
	if at == nil && v.offsets != nil {
		b = slices.Grow(b, 4*n+int(v.offsets[from+n]-v.offsets[from]))
	}
	for k := range n {
		i := from + k
		if at != nil {
			i = int(at[k])
		}
		value := v.at(i)
		c.see(value)
		if c.dict.width == 0 {
			b = appendLength(b, len(value))
		}
		b = append(b, value...)
	}
	return b
}

func (c *strings) number(to []uint32, a arrow.Array, at []int32, from, n int) []uint32 {
	v := c.of(a)
	for k := range n {
		i := from + k
		if at != nil {
			i = int(at[k])
		}
		value := v.at(i)
		nr, fresh := c.dict.number(value)
		if fresh {
			c.see(value)
		}
		to = append(to, nr)
	}
	return to
}

func (c *strings) differ(a arrow.Array, at []int32, from, n int) int {
	v, seen := c.of(a), texts{width: c.dict.width}
	for k := range n {
		i := from + k
		if at != nil {
			i = int(at[k])
		}
		seen.number(v.at(i))
	}
	return len(seen.ends)
}

func (c *strings) dictionary() ([]byte, int) { return c.dict.page, len(c.dict.ends) }

// limits cuts what is longer than other writers keep. They hold every value all the same; where no short ones do, there are none.
func (c *strings) limits() (least, greatest []byte) {
	if !c.any {
		return nil, nil
	}
	least, greatest = c.least, c.top
	leastIs, greatestIs := c.exact()
	if c.dict.width > 0 && !(leastIs && greatestIs) { // cut, they would have another width
		return nil, nil
	}
	if !leastIs {
		least = c.cut(least)
	}
	if !greatestIs {
		if greatest = c.above(c.cut(greatest)); greatest == nil {
			return nil, nil
		}
	}
	return append([]byte{}, least...), append([]byte{}, greatest...)
}

func (c *strings) exact() (least, greatest bool) {
	return !c.any || len(c.least) <= longest, !c.any || len(c.top) <= longest
}

// longest is how long a limit may be, bytes.
const longest = 4096

// cut is how a value begins; texts end with a whole code point.
func (c *strings) cut(v []byte) []byte {
	n := longest
	for c.text && n > 0 && !utf8.RuneStart(v[n]) {
		n--
	}
	return v[:n]
}

// above is greater than everything that begins with p; nil: nothing is. It may be longer than p by the bytes of a code point.
func (c *strings) above(p []byte) []byte {
	for len(p) > 0 {
		last, n := rune(p[len(p)-1]), 1
		if c.text {
			last, n = utf8.DecodeLastRune(p)
		}
		p = p[:len(p)-n]
		switch {
		case !c.text && last < math.MaxUint8:
			return append(slices.Clone(p), byte(last)+1)
		case !c.text, last == utf8.MaxRune, last == utf8.RuneError && n == 1: // one before it can grow
		case last == 0xd7ff: // surrogates are no code points of a text
			return append(slices.Clone(p), "\ue000"...)
		default:
			return utf8.AppendRune(slices.Clone(p), last+1)
		}
	}
	return nil
}
