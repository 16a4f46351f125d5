package parquet

import (
	"hash/maphash"
	"math/bits"
)

// sampled is how many of a row group's first values decide whether the column gets a dictionary.
const sampled = 2048

// A dictionary numbers the different values of a column chunk. Their bytes are kept as the dictionary page holds them.
type dictionary[K comparable] struct {
	index map[K]uint32
	last  K
	at    uint32 // number of last; only while index is not empty
}

func newDictionary[K comparable]() *dictionary[K] { return &dictionary[K]{index: map[K]uint32{}} }

// number finds a value's number; fresh says that it had none before.
func (d *dictionary[K]) number(v K) (n uint32, fresh bool) {
	if v == d.last && len(d.index) > 0 {
		return d.at, false
	}
	n, ok := d.index[v]
	if !ok {
		n = uint32(len(d.index))
		d.index[v] = n
	}
	d.last, d.at = v, n
	return n, !ok
}

// texts is a dictionary of byte strings: a table with open addressing over the dictionary page itself, because a Go map would need a
// string of its own for each value and take twice the time to find it.
type texts struct {
	page  []byte   // values with their length before them, or without where all have one width
	ends  []uint32 // of each value, in page
	width int      // 0: lengths differ
	table []uint32 // number+1 of a value; a power of two long
}

var seed = maphash.MakeSeed()

func (d *texts) value(n uint32) []byte {
	from := uint32(0)
	if n > 0 {
		from = d.ends[n-1]
	}
	if d.width == 0 {
		from += 4
	}
	return d.page[from:d.ends[n]]
}

func (d *texts) number(v []byte) (n uint32, fresh bool) {
	if len(d.ends)*2 >= len(d.table) {
		d.grow()
	}
	mask := uint64(len(d.table) - 1)
	for h := maphash.Bytes(seed, v) & mask; ; h = (h + 1) & mask {
		at := d.table[h]
		if at == 0 {
			d.table[h] = uint32(len(d.ends)) + 1
			if d.width == 0 {
				d.page = appendLength(d.page, len(v))
			}
			d.page = append(d.page, v...)
			d.ends = append(d.ends, uint32(len(d.page)))
			return uint32(len(d.ends)) - 1, true
		}
		if string(d.value(at-1)) == string(v) {
			return at - 1, false
		}
	}
}

func (d *texts) grow() {
	d.table = make([]uint32, max(256, 2*len(d.table)))
	mask := uint64(len(d.table) - 1)
	for n := range d.ends {
		h := maphash.Bytes(seed, d.value(uint32(n))) & mask
		for d.table[h] != 0 {
			h = (h + 1) & mask
		}
		d.table[h] = uint32(n) + 1
	}
}

// pays says whether a dictionary pays for a column of which a sample had so many different values. Copying a value and compressing it
// costs more than finding its number, and so few repetitions are enough; values that hardly repeat would only fill the dictionary.
func pays(different, of int) bool { return different*5 <= of*4 }

// widthOf is the width of the numbers of a dictionary, bits. Some readers take no width of 0.
func widthOf(entries int) int { return max(1, bits.Len(uint(entries-1))) }
