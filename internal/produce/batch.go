package produce

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Batch is records of one partition, of one lane.
type Batch struct {
	Topic     int // index in [Config.Topics]
	Partition int32
	Tag       Tag
	Notes     []Note // one for each record, in their order: its offset is that of the batch and its place here
	Bytes     int64  // of values

	buf      []byte // header and records
	first    int64  // ms since 1970, of the first record
	last     int64
	opened   time.Duration // when the first record came
	deadline time.Time
	identity
	place  int64 // among those of its partition
	again  error // why it has to leave again; nil: it waits for its answer
	unsure bool  // an earlier try may have arrived
}

// A Tag is what the records of a batch have in common for the one who sends them; a record with another tag begins another batch.
type Tag struct {
	Lane, Stream, Stage int32
	Timed               bool
}

// A Note is what is kept of a record until its answer.
type Note struct {
	At  time.Duration
	Seq uint64
}

const (
	headerSize = 61
	crcAt      = 17 // the checksum covers what follows it
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (b *Batch) reset(topic int, partition int32, tag Tag, at time.Duration, ms int64) {
	if b.buf == nil {
		b.buf = make([]byte, headerSize, small)
	}
	*b = Batch{Topic: topic, Partition: partition, Tag: tag, Notes: b.Notes[:0], buf: b.buf[:headerSize], first: ms, last: ms, opened: at, identity: noIdentity}
}

// room makes room for n bytes: a little at first, then for a whole batch.
func (b *Batch) room(n, batch int) {
	have := len(b.buf)
	if have+n <= cap(b.buf) {
		return
	}
	size := max(have+n, batch)
	if have+n <= small {
		size = small
	}
	b.buf = append(make([]byte, 0, size), b.buf...)
	if cap(b.Notes) > 0 && size > small {
		b.Notes = slices.Grow(b.Notes, len(b.Notes)*(size-have)/have)
	}
}

// small is the memory that a batch begins with.
const small = 16 << 10

// sizeOf is how many bytes a record takes here, without its length.
func (b *Batch) sizeOf(ms int64, key, value, headers []byte) int {
	return 1 + varintSize(ms-b.first) + varintSize(int64(len(b.Notes))) + lengthOf(key) + lengthOf(value) + len(headers) // 1: attributes
}

// add appends a record of that size; headers are encoded already.
func (b *Batch) add(size int, ms int64, key, value, headers []byte, note Note) {
	n := len(b.Notes)
	b.Notes = append(b.Notes, note)
	b.Bytes += int64(len(value))
	b.last = max(b.last, ms)
	buf := binary.AppendVarint(b.buf, int64(size))
	buf = append(buf, 0)
	buf = binary.AppendVarint(buf, ms-b.first)
	buf = binary.AppendVarint(buf, int64(n))
	buf = appendBytes(buf, key)
	buf = appendBytes(buf, value)
	b.buf = append(buf, headers...)
}

// AppendHeader appends a record's header; before the first one stands their number, by [AppendCount].
func AppendHeader(b []byte, key string, value []byte) []byte {
	b = binary.AppendVarint(b, int64(len(key)))
	b = append(b, key...)
	return appendBytes(b, value)
}

// AppendCount appends the number of headers.
func AppendCount(b []byte, n int) []byte { return binary.AppendVarint(b, int64(n)) }

// appendBytes appends a length and its bytes; nil has the length -1.
func appendBytes(b, v []byte) []byte {
	if v == nil {
		return append(b, 1)
	}
	return append(binary.AppendVarint(b, int64(len(v))), v...)
}

// lengthOf is what appendBytes appends.
func lengthOf(v []byte) int {
	if v == nil {
		return 1
	}
	return lengthed(len(v))
}

// lengthed is the size of n bytes with their length before them.
func lengthed(n int) int { return varintSize(int64(n)) + n }

func varintSize(v int64) int {
	n, u := 1, uint64(v<<1)^uint64(v>>63)
	for ; u >= 0x80; u >>= 7 {
		n++
	}
	return n
}

// compress puts the compressed records in the place of the records.
func (b *Batch) compress(c kgo.Compressor) {
	var codec kgo.CompressionCodecType
	if c != nil {
		var out bytes.Buffer
		var less []byte
		if less, codec = c.Compress(&out, b.buf[headerSize:]); codec != kgo.CodecNone && len(less) < len(b.buf)-headerSize {
			b.buf = append(b.buf[:headerSize], less...)
		} else {
			codec = kgo.CodecNone
		}
	}
	binary.BigEndian.PutUint16(b.buf[21:], uint16(codec))
}

// finish writes the header, all but producer id, sequence and checksum.
func (b *Batch) finish() {
	h := b.buf
	binary.BigEndian.PutUint64(h, 0) // base offset: the broker's to say
	binary.BigEndian.PutUint32(h[8:], uint32(len(b.buf)-12))
	binary.BigEndian.PutUint32(h[12:], 1<<32-1) // no leader epoch
	h[16] = 2                                   // format
	binary.BigEndian.PutUint32(h[23:], uint32(len(b.Notes)-1))
	binary.BigEndian.PutUint64(h[27:], uint64(b.first))
	binary.BigEndian.PutUint64(h[35:], uint64(b.last))
	binary.BigEndian.PutUint32(h[57:], uint32(len(b.Notes)))
}

// sign gives the batch its place in the producer's sequence.
func (b *Batch) sign(as identity) {
	b.identity = as
	h := b.buf
	binary.BigEndian.PutUint64(h[43:], uint64(as.id))
	binary.BigEndian.PutUint16(h[51:], uint16(as.epoch))
	binary.BigEndian.PutUint32(h[53:], uint32(as.next))
	binary.BigEndian.PutUint32(h[crcAt:], crc32.Checksum(h[crcAt+4:], castagnoli))
}
