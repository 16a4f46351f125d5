package produce

import (
	"math/rand/v2"
	"testing"
)

// A batch as it is sent, header and all, is never larger than the set size, but for a single record that is; and it is full before
// another one begins.
func TestABatchIsAsLargeAsItMayBe(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		var all []*Batch
		p := unsent(1, func(c *Config) { c.Batch = 200 + r.IntN(3000) })
		l := p.Lane(0)
		for range 300 {
			var key, value []byte
			if r.IntN(2) == 0 {
				key = make([]byte, r.IntN(80))
			}
			if r.IntN(10) > 0 {
				value = make([]byte, r.IntN(200))
			}
			if r.IntN(40) == 0 {
				value = make([]byte, 16_000)
			}
			headers := AppendCount(nil, 1)
			headers = AppendHeader(headers, "h", make([]byte, r.IntN(70)))
			l.Add(t.Context(), 0, 0, 0, r.Int64N(1e6), key, value, headers, Tag{}, 0)
		}
		l.Seal()
		all = p.partitions[0][0].queue
		for i, b := range all {
			if len(b.Notes) > 1 && len(b.buf) > p.Batch {
				t.Fatalf("seed %d: a batch of %d bytes; want %d at most", seed, len(b.buf), p.Batch)
			}
			if i+1 < len(all) && len(b.buf)+firstSize(all[i+1])+8 < p.Batch { // a place and a time take more or less than in the next one
				t.Fatalf("seed %d: a batch of %d bytes is let go before a record of %d; it may have %d", seed, len(b.buf), firstSize(all[i+1]), p.Batch)
			}
		}
	}
}

// firstSize is how many bytes a batch's first record takes.
func firstSize(b *Batch) int {
	size, n, shift := 0, 0, 0
	for _, c := range b.buf[headerSize:] {
		size |= int(c&0x7f) << shift
		n, shift = n+1, shift+7
		if c < 0x80 {
			break
		}
	}
	return n + size/2 // zigzag
}
