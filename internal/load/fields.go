package load

import (
	"math"
	"time"

	"github.com/hamba/avro/v2"
)

// draw is the state of one message while it is written.
type draw struct {
	rng
	seed, n    uint64
	at         int64 // bank: booked_at, that value_date follows
	keyAt, end int   // where the key field's encoding lies in the buffer
}

// An op appends the encoding of one field, drawn from the message's stream. It allocates nothing.
type op func(b []byte, d *draw) []byte

// A step is an op and the most bytes that it can append: sizes below the sum cannot be promised.
type step struct {
	write op
	most  int
}

// Content's clock: times are drawn from a fixed week, because a row must be the same whenever it is recomputed.
var week = time.Date(2026, time.January, 5, 0, 0, 0, 0, time.UTC)

const (
	weekDays   = 7
	daySeconds = 86_400
)

var (
	weekMicros = week.UnixMicro()
	weekDay    = week.Unix() / daySeconds
)

func constant(b []byte) step {
	return step{func(dst []byte, _ *draw) []byte { return append(dst, b...) }, len(b)}
}

// longs draws from least … least+span-1.
func longs(least int64, span uint64) step {
	most := max(longWidth(least), longWidth(least+int64(span)-1))
	return step{func(b []byte, d *draw) []byte { return appendLong(b, least+int64(d.below(span))) }, most}
}

var (
	booleans = step{func(b []byte, d *draw) []byte { return append(b, byte(d.next()>>63)) }, 1}
	ints     = longs(math.MinInt32, 1<<32)
	floats   = step{func(b []byte, d *draw) []byte { return appendFloat(b, float32(d.next()>>40)/(1<<10)) }, 4}
	doubles  = step{func(b []byte, d *draw) []byte { return appendDouble(b, float64(d.next()>>11)/(1<<33)) }, 8}
	anyLongs = longs(0, 1<<48)
	uuids    = step{func(b []byte, d *draw) []byte { return appendUUID(b, d.next(), label62(d.seed, d.n)) }, 37}
)

// texts draws strings of 8 to 23 lower-case letters.
var texts = step{func(b []byte, d *draw) []byte {
	word := d.next()
	n := 8 + int(word&15)
	b = append(b, byte(2*n))
	for i := range n {
		if i%12 == 0 {
			word = d.next()
		}
		b = append(b, 'a'+byte(word&31)*26>>5)
		word >>= 5
	}
	return b
}, 24}

// labels gives a string that no other message of the run has; numbers does the same for a long.
var (
	labels = step{func(b []byte, d *draw) []byte {
		b = append(b, 26) // length 13
		v := label62(d.seed, d.n)
		for range 13 {
			b = append(b, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[v&31])
			v >>= 5
		}
		return b
	}, 14}
	numbers = step{func(b []byte, d *draw) []byte { return appendLong(b, int64(label62(d.seed, d.n))) }, 9}
)

// raw draws n random bytes.
func raw(n int) step {
	return step{func(b []byte, d *draw) []byte {
		for range n / 8 {
			word := d.next()
			b = appendTwos(b, int64(word), 8)
		}
		if n%8 > 0 {
			b = appendTwos(b, int64(d.next()), n%8)
		}
		return b
	}, n}
}

// blobs draws 8 to 23 random bytes.
var blobs = step{func(b []byte, d *draw) []byte {
	n := 8 + int(d.below(16))
	b = append(b, byte(2*n))
	for i := 0; i < n; i += 8 {
		b = appendTwos(b, int64(d.next()), min(8, n-i))
	}
	return b
}, 24}

// decimals draws unscaled values of at most 9 digits with either sign; width 0 means bytes, else a fixed of that size.
func decimals(precision, width int) step {
	limit := uint64(math.Pow10(min(precision, 9)))
	one := func(d *draw) int64 {
		v := int64(d.below(2*limit-1)) - int64(limit-1)
		return v
	}
	if width > 0 {
		return step{func(b []byte, d *draw) []byte { return appendTwos(b, one(d), width) }, width}
	}
	return step{func(b []byte, d *draw) []byte { return appendUnscaled(b, one(d)) }, 1 + twosWidth(int64(limit))}
}

func appendUnscaled(b []byte, v int64) []byte {
	w := twosWidth(v)
	return appendTwos(append(b, byte(2*w)), v, w)
}

func enums(symbols int) step { return longs(0, uint64(symbols)) }

// oneOf draws a word of a list.
func oneOf(words []string) step {
	most := 0
	for _, w := range words {
		most = max(most, longWidth(int64(len(w)))+len(w))
	}
	return step{func(b []byte, d *draw) []byte { return appendString(b, words[d.below(uint64(len(words)))]) }, most}
}

// optional writes null with the given share; null is branch nullAt of the union.
func optional(inner step, nullAt int, share float64) step {
	none, some := byte(2*nullAt), byte(2*(1-nullAt))
	border := uint64(share * math.MaxUint64)
	return step{func(b []byte, d *draw) []byte {
		if d.next() < border {
			return append(b, none)
		}
		return inner.write(append(b, some), d)
	}, 1 + inner.most}
}

// arrays writes least … most items in one block.
func arrays(item step, least, most int) step {
	return step{func(b []byte, d *draw) []byte {
		n := least + int(d.below(uint64(most-least+1)))
		if n == 0 {
			return append(b, 0)
		}
		b = append(b, byte(2*n))
		for range n {
			b = item.write(b, d)
		}
		return append(b, 0)
	}, 2 + most*item.most}
}

// maps writes up to three entries; their keys differ in the first letter.
func maps(value step) step {
	return step{func(b []byte, d *draw) []byte {
		n := int(d.below(4))
		if n == 0 {
			return append(b, 0)
		}
		b = append(b, byte(2*n))
		for i := range n {
			b = append(b, 8, 'a'+byte(i))
			word := d.next()
			b = append(b, 'a'+byte(word%26), 'a'+byte(word>>8%26), 'a'+byte(word>>16%26))
			b = value.write(b, d)
		}
		return append(b, 0)
	}, 2 + 3*(5+value.most)}
}

// logical draws a value of a logical type over int, long or string; ok is false for types that are drawn by their base.
func logical(t avro.LogicalType) (s step, ok bool) {
	switch t {
	case avro.UUID:
		return uuids, true
	case avro.Date:
		return longs(weekDay, weekDays), true
	case avro.TimeMillis:
		return longs(0, daySeconds*1e3), true
	case avro.TimeMicros:
		return longs(0, daySeconds*1e6), true
	case avro.TimestampMillis, avro.LocalTimestampMillis:
		return longs(weekMicros/1e3, weekDays*daySeconds*1e3), true
	case avro.TimestampMicros, avro.LocalTimestampMicros:
		return longs(weekMicros, weekDays*daySeconds*1e6), true
	}
	return step{}, false
}
