package content

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Avro's binary encoding, appended to a slice.

// appendLong writes an int or long: zigzag, 7 bits a byte.
func appendLong(b []byte, v int64) []byte {
	return binary.AppendUvarint(b, uint64(v)<<1^uint64(v>>63))
}

// longWidth is the number of bytes that appendLong takes.
func longWidth(v int64) int {
	z := uint64(v)<<1 ^ uint64(v>>63)
	return (bits.Len64(z|1) + 6) / 7
}

func appendString(b []byte, s string) []byte { return append(appendLong(b, int64(len(s))), s...) }

func appendDouble(b []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
}

func appendFloat(b []byte, v float32) []byte {
	return binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
}

// twosWidth is the number of bytes of the shortest two's complement form.
func twosWidth(v int64) int {
	if v < 0 {
		v = ^v
	}
	return bits.Len64(uint64(v))/8 + 1
}

// appendTwos writes the low width bytes of v, big endian.
func appendTwos(b []byte, v int64, width int) []byte {
	for ; width > 8; width-- {
		b = append(b, byte(v>>63))
	}
	for i := width - 1; i >= 0; i-- {
		b = append(b, byte(v>>(8*i)))
	}
	return b
}

const (
	digitPairs = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899"
	hexDigits  = "0123456789abcdef"
)

// appendDigits writes v with exactly width decimal digits, width even; v must have no more.
func appendDigits(b []byte, v uint64, width int) []byte {
	at := len(b)
	b = append(b, digitPairs[:width]...)
	if width == 10 { // in pieces that do not wait for each other
		to := b[at : at+10]
		hi := v / 100_000_000
		v -= 100_000_000 * hi
		mid := v / 10_000
		low := v - 10_000*mid
		putPair(to[0:2], hi)
		putPair(to[2:4], mid/100)
		putPair(to[4:6], mid%100)
		putPair(to[6:8], low/100)
		putPair(to[8:10], low%100)
		return b
	}
	for i := at + width - 2; i >= at; i -= 2 {
		q := v / 100
		p := 2 * (v - 100*q)
		b[i], b[i+1] = digitPairs[p], digitPairs[p+1]
		v = q
	}
	return b
}

func putPair(to []byte, v uint64) { copy(to, digitPairs[2*v:2*v+2]) }

// hexPairs are 00 to ff.
var hexPairs = func() (all [512]byte) {
	for i := range 256 {
		all[2*i], all[2*i+1] = hexDigits[i>>4], hexDigits[i&15]
	}
	return all
}()

// putHex writes the lowest bytes of v, as many as to has room for.
func putHex(to []byte, v uint64) {
	for i := len(to) - 2; i >= 0; i -= 2 {
		p := 2 * (v & 255)
		to[i], to[i+1] = hexPairs[p], hexPairs[p+1]
		v >>= 8
	}
}

// appendHex writes the lowest digits of v, an even number of them and 16 at most.
func appendHex(b []byte, v uint64, digits int) []byte {
	at := len(b)
	b = append(b, digitPairs[:digits]...)
	putHex(b[at:], v)
	return b
}

// appendUUID writes a version 4 UUID as a string. The 62 free bits of its second half are given, so that unique ones stay so.
func appendUUID(b []byte, first, free62 uint64) []byte {
	first = first&^0xf000 | 0x4000
	second := free62&(1<<62-1) | 1<<63
	at := len(b) + 1
	b = append(b, "\x4800000000-0000-0000-0000-000000000000"...) // length 36
	to := b[at : at+36]
	putHex(to[:8], first>>32)
	putHex(to[9:13], first>>16)
	putHex(to[14:18], first)
	putHex(to[19:23], second>>48)
	putHex(to[24:36], second)
	return b
}
