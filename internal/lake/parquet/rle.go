package parquet

import (
	"encoding/binary"
)

// appendHybrid encodes values of a bit width up to 32 in Parquet's mix of runs and bit-packed groups of eight.
func appendHybrid[T byte | uint32](b []byte, values []T, width int) []byte {
	const worth = 16 // a shorter run is not worth ending the groups for
	literals := 0    // where the groups began that are not written yet; a multiple of eight before i
	for i := 0; i < len(values); {
		n := runAt(values, i)
		if n < worth {
			i = min(i+8, len(values))
			continue
		}
		b = appendGroups(b, values[literals:i], width)
		b = binary.AppendUvarint(b, uint64(n)<<1)
		v := uint32(values[i])
		for range (width + 7) / 8 {
			b, v = append(b, byte(v)), v>>8
		}
		i += n
		literals = i
	}
	return appendGroups(b, values[literals:], width)
}

// runAt is how often the value at i comes in a row.
func runAt[T byte | uint32](values []T, i int) int {
	v, n := values[i], i+1
	for n < len(values) && values[n] == v {
		n++
	}
	return n - i
}

// appendGroups packs values, the first into the lowest bits; the last group is filled up with zeros.
func appendGroups[T byte | uint32](b []byte, values []T, width int) []byte {
	if len(values) == 0 {
		return b
	}
	groups := (len(values) + 7) / 8
	b = binary.AppendUvarint(b, uint64(groups)<<1|1)
	var bits uint64
	have := 0
	for _, v := range values {
		bits |= uint64(v) << have
		for have += width; have >= 8; have -= 8 {
			b, bits = append(b, byte(bits)), bits>>8
		}
	}
	for left := groups*8*width - len(values)*width + have; left > 0; left -= 8 {
		b, bits = append(b, byte(bits)), bits>>8
	}
	return b
}
