package load

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"sort"
)

// ackSet knows which seqs of a shard have an outcome. Acknowledgements come out of order, as partitions do, but not far: what
// is kept is one bit for each seq behind the first one without an outcome.
type ackSet struct {
	low    uint64   // every seq below has an outcome
	ring   []uint64 // bit seq%(64*len): has an outcome; len is a power of two
	top    uint64   // every seq from here on has none
	failed ranges   // outcome: not known to be in the topic
}

func (a *ackSet) acked(seq uint64) {
	if seq-a.low >= uint64(len(a.ring))*64 {
		a.grow(seq)
	}
	a.ring[seq/64%uint64(len(a.ring))] |= 1 << (seq % 64)
	a.top = max(a.top, seq+1)
	for a.low < a.top {
		i := a.low / 64 % uint64(len(a.ring))
		n := uint64(bits.TrailingZeros64(^(a.ring[i] >> (a.low % 64))))
		if n = min(n, 64-a.low%64); n == 0 {
			return
		}
		mask := uint64(1)<<n - 1
		if n == 64 {
			mask = ^uint64(0)
		}
		a.ring[i] &^= mask << (a.low % 64)
		a.low += n
	}
}

func (a *ackSet) fail(seq uint64) {
	a.failed.add(seq)
	a.acked(seq)
}

func (a *ackSet) grow(seq uint64) {
	size := max(16, len(a.ring))
	for uint64(size)*64 <= seq-a.low {
		size *= 2
	}
	ring := make([]uint64, size)
	for s := a.low; s < a.top; s++ {
		if a.has(s) {
			ring[s/64%uint64(size)] |= 1 << (s % 64)
		}
	}
	a.ring = ring
}

func (a *ackSet) has(seq uint64) bool {
	return a.ring[seq/64%uint64(len(a.ring))]>>(seq%64)&1 != 0
}

// settled reports that seq has an outcome.
func (a *ackSet) settled(seq uint64) bool { return seq < a.low || seq < a.top && a.has(seq) }

// above packs the bits from low on: bit i of the text is seq low+i.
func (a *ackSet) above() string {
	if a.low == a.top {
		return ""
	}
	words := make([]uint64, (a.top-a.low+63)/64)
	for s := a.low; s < a.top; s++ {
		if a.has(s) {
			words[(s-a.low)/64] |= 1 << ((s - a.low) % 64)
		}
	}
	b := make([]byte, 0, 8*len(words))
	for _, w := range words {
		b = binary.LittleEndian.AppendUint64(b, w)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func unpackAbove(text string) ([]uint64, error) {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(b)%8 != 0 {
		return nil, fmt.Errorf("acked_above: not a bit set")
	}
	words := make([]uint64, len(b)/8)
	for i := range words {
		words[i] = binary.LittleEndian.Uint64(b[8*i:])
	}
	return words, nil
}

// ranges is a sorted set of seqs: from (inclusive), to (exclusive).
type ranges [][2]uint64

func (r *ranges) add(seq uint64) {
	all := *r
	i := sort.Search(len(all), func(i int) bool { return all[i][1] >= seq })
	switch {
	case i == len(all) || seq+1 < all[i][0]:
		all = slices.Insert(all, i, [2]uint64{seq, seq + 1})
	case seq+1 == all[i][0]:
		all[i][0] = seq
	case seq == all[i][1]:
		all[i][1]++
		if i+1 < len(all) && all[i+1][0] == all[i][1] {
			all[i][1] = all[i+1][1]
			all = slices.Delete(all, i+1, i+2)
		}
	}
	*r = all
}

func (r ranges) has(seq uint64) bool {
	i := sort.Search(len(r), func(i int) bool { return r[i][1] > seq })
	return i < len(r) && r[i][0] <= seq
}
