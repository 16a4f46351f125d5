package parquet

import (
	"math"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
)

type fixed interface {
	int32 | int64 | float32 | float64
}

// numbers are values of four or eight bytes, which lie in Arrow's buffers as PLAIN wants them.
type numbers[T fixed] struct {
	of       func(arrow.Array) []T
	floats   bool // they get no dictionary: some of them differ and are equal, others the other way round
	dict     *dictionary[T]
	page     []byte
	min, max T
	any      bool
}

func (c *numbers[T]) reset() { c.dict, c.page, c.any = newDictionary[T](), c.page[:0], false }

// see is for the limits. What is not a number is none, as the format asks; zeros are told apart in limits.
func (c *numbers[T]) see(v T) {
	if v != v { //nolint:gocritic,staticcheck // not a number
		return
	}
	if !c.any {
		c.min, c.max, c.any = v, v, true
		return
	}
	c.min, c.max = min(c.min, v), max(c.max, v)
}

func bytesOf[T fixed](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(v))), len(v)*int(unsafe.Sizeof(v[0]))) // little endian, as all machines are that this is built for
}

func (c *numbers[T]) plain(b []byte, a arrow.Array, at []int32, from, n int) []byte {
	all := c.of(a)
	if at == nil {
		all = all[from : from+n]
		for _, v := range all {
			c.see(v)
		}
		return append(b, bytesOf(all)...)
	}
	for _, i := range at {
		c.see(all[i])
		b = append(b, bytesOf(all[i:i+1])...)
	}
	return b
}

func (c *numbers[T]) number(to []uint32, a arrow.Array, at []int32, from, n int) []uint32 {
	all := c.of(a)
	for k := range n {
		i := from + k
		if at != nil {
			i = int(at[k])
		}
		v, fresh := c.dict.number(all[i])
		if fresh {
			c.see(all[i])
			c.page = append(c.page, bytesOf(all[i:i+1])...)
		}
		to = append(to, v)
	}
	return to
}

func (c *numbers[T]) differ(a arrow.Array, at []int32, from, n int) int {
	if c.floats {
		return n
	}
	all, seen := c.of(a), make(map[T]struct{}, n)
	for k := range n {
		i := from + k
		if at != nil {
			i = int(at[k])
		}
		seen[all[i]] = struct{}{}
	}
	return len(seen)
}

func (c *numbers[T]) dictionary() ([]byte, int) {
	return c.page, len(c.page) / int(unsafe.Sizeof(c.min))
}

func (c *numbers[T]) limits() (least, greatest []byte) {
	if !c.any {
		return nil, nil
	}
	lo, hi := c.min, c.max
	switch p := any(&lo).(type) { // -0 and 0 are equal: the limits must hold both
	case *float32:
		if *p == 0 {
			*p = float32(math.Copysign(0, -1))
		}
	case *float64:
		if *p == 0 {
			*p = math.Copysign(0, -1)
		}
	}
	if hi == 0 {
		hi = 0
	}
	return slices.Clone(bytesOf([]T{lo})), slices.Clone(bytesOf([]T{hi}))
}

func (c *numbers[T]) exact() (least, greatest bool) { return true, true }

// raw is the array's buffer of values.
func raw[T fixed](a arrow.Array) []T {
	d := a.Data()
	b := bytesIn(d, 1)
	if len(b) == 0 {
		return nil
	}
	var v T
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(v)))[d.Offset() : d.Offset()+d.Len()]
}
