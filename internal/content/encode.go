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
	for i := at + width - 2; i >= at; i -= 2 {
		q := v / 100
		p := 2 * (v - 100*q)
		b[i], b[i+1] = digitPairs[p], digitPairs[p+1]
		v = q
	}
	return b
}

func appendHex(b []byte, v uint64, digits int) []byte {
	for i := digits - 1; i >= 0; i-- {
		b = append(b, hexDigits[v>>(4*i)&15])
	}
	return b
}

// appendUUID writes a version 4 UUID as a string. The 62 free bits of its second half are given, so that unique ones stay so.
func appendUUID(b []byte, first, free62 uint64) []byte {
	first = first&^0xf000 | 0x4000
	second := free62&(1<<62-1) | 1<<63
	b = append(b, 72) // length 36
	b = append(appendHex(b, first>>32, 8), '-')
	b = append(appendHex(b, first>>16, 4), '-')
	b = append(appendHex(b, first, 4), '-')
	b = append(appendHex(b, second>>48, 4), '-')
	return appendHex(b, second, 12)
}
