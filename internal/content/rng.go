package content

import "math/bits"

// rng is splitmix64: one multiplication chain a draw, one word of state, so that each message has a stream of its own.
// The numbers are part of the content's definition: a change here changes every recomputed row.
type rng struct{ s uint64 }

func (r *rng) next() uint64 {
	r.s += 0x9e3779b97f4a7c15
	return mix(r.s)
}

// below gives 0 … n-1.
func (r *rng) below(n uint64) uint64 { return below(r.next(), n) }

// below scales a random word to 0 … n-1 without a division.
func below(word, n uint64) uint64 {
	hi, _ := bits.Mul64(word, n)
	return hi
}

// mix is a bijection: different words stay different.
func mix(z uint64) uint64 {
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// streams of one message: its content must not depend on how its size is drawn.
const (
	contentStream = 0x636f6e74656e7421
	sizeStream    = 0x73697a65
	keyStream     = 0x6b657973
	faultStream   = 0x6661756c74
	mixStream     = 0x6d6978
	poolStream    = 0x706f6f6c
)

func streamOf(seed, n, stream uint64) rng {
	return rng{mix(seed^stream) + mix(n+0x6a09e667f3bcc909)*0x9e3779b97f4a7c15}
}

// label62 gives each n below 2^62 a number of its own below 2^62 that looks random.
func label62(seed, n uint64) uint64 {
	const mask = 1<<62 - 1
	z := (n ^ seed&mask) & mask
	z = z * 0x9e3779b97f4a7c15 & mask // odd factors, shifts to the right: each step is a bijection on 62 bits
	z ^= z >> 31
	z = z * 0xbf58476d1ce4e5b9 & mask
	return z ^ z>>29
}
