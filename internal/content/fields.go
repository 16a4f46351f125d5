package content

import (
	"encoding/binary"
	"math"
	"time"

	"github.com/hamba/avro/v2"
)

// draw is the state of one message while it is written.
type draw struct {
	rng
	seed, n    uint64
	intended   int64 // when the message is due, µs since 1970
	at         int64 // bank: booked_at, that value_date follows
	keyAt, end int   // where the key field's encoding lies in the buffer
	lean       bool  // the size is small: as few bytes as the schema allows
	loose      bool  // but for some fields, because no filler fits exactly
	chosen     uint8 // pools whose entity is drawn
	entities   [mostPools]uint64
}

// tight reports that a field must be as short as it can.
func (d *draw) tight() bool { return d.lean && !(d.loose && d.next()&7 == 0) }

// mostPools of one topic's messages.
const mostPools = 8

// An op appends the encoding of one field, drawn from the message's stream. It allocates nothing.
type op func(b []byte, d *draw) []byte

// A step is an op and how many bytes it appends: the least that is possible, the most in lean mode, the most otherwise.
type step struct {
	write             op
	least, lean, most int
}

// plain is a step that does not care for lean mode.
func plain(least, most int, write op) step { return step{write, least, most, most} }

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
	return plain(len(b), len(b), func(dst []byte, _ *draw) []byte { return append(dst, b...) })
}

// longs draws from least … least+span-1; a span of 0 is all of int64.
func longs(least int64, span uint64) step {
	if span == 0 {
		return plain(1, 10, func(b []byte, d *draw) []byte { return appendLong(b, int64(d.next())) })
	}
	top := least + int64(span-1)
	low := 1
	if least > 0 {
		low = longWidth(least)
	} else if top < 0 {
		low = longWidth(top)
	}
	return plain(low, max(longWidth(least), longWidth(top)), func(b []byte, d *draw) []byte { return appendLong(b, least+int64(d.below(span))) })
}

var (
	booleans = plain(1, 1, func(b []byte, d *draw) []byte { return append(b, byte(d.next()>>63)) })
	ints     = longs(math.MinInt32, 1<<32)
	floats   = plain(4, 4, func(b []byte, d *draw) []byte { return appendFloat(b, float32(d.next()>>40)/(1<<10)) })
	doubles  = plain(8, 8, func(b []byte, d *draw) []byte { return appendDouble(b, float64(d.next()>>11)/(1<<33)) })
	anyLongs = longs(0, 1<<48)
	uuids    = plain(37, 37, func(b []byte, d *draw) []byte { return appendUUID(b, d.next(), label62(d.seed, d.n)) })
)

// texts draws strings of 8 to 23 lower-case letters.
var texts = step{func(b []byte, d *draw) []byte {
	if d.tight() {
		return append(b, 0)
	}
	word := d.next()
	n := 8 + int(word&15)
	return letters(append(b, byte(2*n)), n, d)
}, 1, 1, 24}

// letters appends n of them.
func letters(b []byte, n int, d *draw) []byte {
	var word uint64
	for i := range n {
		if i%12 == 0 {
			word = d.next()
		}
		b = append(b, 'a'+byte((word&31)*26>>5))
		word >>= 5
	}
	return b
}

// textsOf draws strings of lengths in between.
func textsOf(l Lengths) step {
	return step{func(b []byte, d *draw) []byte {
		n := l.draw(d)
		return letters(appendLong(b, int64(n)), n, d)
	}, l.bytes(l.Min), l.bytes(l.Min), l.bytes(l.Max)}
}

func (l Lengths) bytes(n int) int { return longWidth(int64(n)) + n }

func (l Lengths) draw(d *draw) int {
	if d.tight() {
		return l.Min
	}
	return l.Min + int(d.below(uint64(l.Max-l.Min+1)))
}

// labels gives a string that no other message of the run has; numbers does the same for a long.
var (
	labels = plain(14, 14, func(b []byte, d *draw) []byte {
		b = append(b, 26) // length 13
		v := label62(d.seed, d.n)
		for range 13 {
			b = append(b, "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[v&31])
			v >>= 5
		}
		return b
	})
	numbers = plain(1, 9, func(b []byte, d *draw) []byte { return appendLong(b, int64(label62(d.seed, d.n))) })
)

// raw draws n random bytes.
func raw(n int) step {
	return plain(n, n, func(b []byte, d *draw) []byte { return random(b, n, d) })
}

func random(b []byte, n int, d *draw) []byte {
	for range n / 8 {
		b = appendTwos(b, int64(d.next()), 8)
	}
	if n%8 > 0 {
		b = appendTwos(b, int64(d.next()), n%8)
	}
	return b
}

// blobs draws 8 to 23 random bytes.
var blobs = step{func(b []byte, d *draw) []byte {
	if d.tight() {
		return append(b, 0)
	}
	n := 8 + int(d.below(16))
	return random(append(b, byte(2*n)), n, d)
}, 1, 1, 24}

// blobsOf draws bytes of lengths in between.
func blobsOf(l Lengths) step {
	return step{func(b []byte, d *draw) []byte {
		n := l.draw(d)
		return random(appendLong(b, int64(n)), n, d)
	}, l.bytes(l.Min), l.bytes(l.Min), l.bytes(l.Max)}
}

// decimals draws unscaled values of at most 9 digits with either sign; width 0 means bytes, else a fixed of that size.
func decimals(precision, width int) step {
	limit := uint64(math.Pow10(min(precision, 9)))
	if width > 0 {
		limit = min(limit, 1<<(8*min(width, 7)-1))
	}
	one := func(d *draw) int64 { return int64(d.below(2*limit-1)) - int64(limit-1) }
	if width > 0 {
		return plain(width, width, func(b []byte, d *draw) []byte { return appendTwos(b, one(d), width) })
	}
	return plain(2, 1+twosWidth(int64(limit)), func(b []byte, d *draw) []byte { return appendUnscaled(b, one(d)) })
}

func appendUnscaled(b []byte, v int64) []byte {
	w := twosWidth(v)
	return appendTwos(append(b, byte(2*w)), v, w)
}

// durations are months, days and milliseconds, each four bytes, little endian.
var durations = plain(12, 12, func(b []byte, d *draw) []byte {
	word := d.next()
	b = binary.LittleEndian.AppendUint32(b, uint32(word%12))
	b = binary.LittleEndian.AppendUint32(b, uint32(word>>8%28))
	return binary.LittleEndian.AppendUint32(b, uint32(below(d.next(), daySeconds*1000)))
})

func enums(symbols int) step { return longs(0, uint64(symbols)) }

// oneOf draws a word of a list.
func oneOf(words []string) step {
	least, most := math.MaxInt, 0
	for _, w := range words {
		n := longWidth(int64(len(w))) + len(w)
		least, most = min(least, n), max(most, n)
	}
	return plain(least, most, func(b []byte, d *draw) []byte { return appendString(b, words[d.below(uint64(len(words)))]) })
}

// optional writes null with the given share; null is branch nullAt of the union.
func optional(inner step, nullAt int, share float64) step {
	none, some := byte(2*nullAt), byte(2*(1-nullAt))
	line := border(share)
	s := step{func(b []byte, d *draw) []byte {
		if d.next() < line || share > 0 && d.tight() {
			return append(b, none)
		}
		return inner.write(append(b, some), d)
	}, 1, 1, 1 + inner.most}
	if share == 0 {
		s.least, s.lean = 1+inner.least, 1+inner.lean
	}
	return s
}

// arrays writes a number of items in one block.
func arrays(item step, l Lengths) step {
	return step{func(b []byte, d *draw) []byte {
		n := l.draw(d)
		if n == 0 {
			return append(b, 0)
		}
		b = appendLong(b, int64(n))
		for range n {
			b = item.write(b, d)
		}
		return append(b, 0)
	}, block(l.Min, item.least), block(l.Min, item.lean), block(l.Max, item.most)}
}

// block is the size of an array of n items.
func block(n, item int) int {
	if n == 0 {
		return 1
	}
	return longWidth(int64(n)) + n*item + 1
}

// maps writes entries whose keys differ in the first letters.
func mapsOf(value step, l Lengths) step {
	const key = 6
	return step{func(b []byte, d *draw) []byte {
		n := l.draw(d)
		if n == 0 {
			return append(b, 0)
		}
		b = appendLong(b, int64(n))
		for i := range n {
			word := d.next()
			if l.Max <= 26 {
				b = append(b, 8, 'a'+byte(i))
			} else {
				b = append(b, 10, 'a'+byte(i/26), 'a'+byte(i%26))
			}
			b = append(b, 'a'+byte(word%26), 'a'+byte(word>>8%26), 'a'+byte(word>>16%26))
			b = value.write(b, d)
		}
		return append(b, 0)
	}, block(l.Min, key-1+value.least), block(l.Min, key+value.lean), block(l.Max, key+value.most)}
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
