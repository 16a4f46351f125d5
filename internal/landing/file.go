package landing

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Schema of the files. Key, value and headers are the message's own bytes: an Avro value has its header of magic byte and schema id.
const Schema = `{"type":"record","name":"Message","namespace":"weir.raw","fields":[` +
	`{"name":"partition","type":"int"},{"name":"offset","type":"long"},` +
	`{"name":"timestamp","type":{"type":"long","logicalType":"timestamp-millis"}},` +
	`{"name":"key","type":["null","bytes"]},{"name":"value","type":["null","bytes"]},` +
	`{"name":"headers","type":{"type":"array","items":{"type":"record","name":"Header","fields":[` +
	`{"name":"key","type":"string"},{"name":"value","type":["null","bytes"]}]}}}]}`

// Message is what a topic gave.
type Message struct {
	Offset     int64
	Time       time.Time
	Key, Value []byte // nil: null
	Headers    []Header
}

// Header is one of a message's.
type Header struct {
	Key   string
	Value []byte
}

const blockBytes = 1 << 20 // before compression

// File is a file that is being filled. It is kept in memory, compressed, until Close.
type File struct {
	zone  *Zone
	span  Span
	sync  [16]byte
	enc   *zstd.Encoder
	out   []byte
	block []byte
	rows  int64
}

// File begins the file of a span.
func (z *Zone) File(s Span) (*File, error) {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return nil, err
	}
	f := &File{zone: z, span: s, enc: enc}
	digest := sha256.Sum256(fmt.Appendf(nil, "%s-%d-%d-%d", z.topic, s.Partition, s.From, s.To)) // not by chance: the same span, the same bytes
	copy(f.sync[:], digest[:])
	f.out = append(f.out, "Obj\x01"...)
	f.out = binary.AppendVarint(f.out, 2) // Avro's long is a zigzag varint, as Go's
	for _, kv := range [][2]string{{"avro.codec", "zstandard"}, {"avro.schema", Schema}} {
		f.out = appendBytes(appendBytes(f.out, kv[0]), kv[1])
	}
	f.out = append(append(f.out, 0), f.sync[:]...)
	return f, nil
}

func appendBytes[B string | []byte](to []byte, b B) []byte {
	return append(binary.AppendVarint(to, int64(len(b))), b...)
}

func appendMaybe(to, b []byte) []byte {
	if b == nil {
		return append(to, 0)
	}
	return appendBytes(append(to, 2), b)
}

// Append adds a message.
func (f *File) Append(m Message) {
	b := binary.AppendVarint(f.block, int64(f.span.Partition))
	b = binary.AppendVarint(b, m.Offset)
	b = binary.AppendVarint(b, m.Time.UnixMilli())
	b = appendMaybe(appendMaybe(b, m.Key), m.Value)
	if len(m.Headers) > 0 {
		b = binary.AppendVarint(b, int64(len(m.Headers)))
		for _, h := range m.Headers {
			b = appendMaybe(appendBytes(b, h.Key), h.Value)
		}
	}
	f.block, f.rows = append(b, 0), f.rows+1
	if len(f.block) >= blockBytes {
		f.flush()
	}
}

func (f *File) flush() {
	if f.rows == 0 {
		return
	}
	f.out = binary.AppendVarint(f.out, f.rows)
	f.out = append(appendBytes(f.out, f.enc.EncodeAll(f.block, nil)), f.sync[:]...)
	f.block, f.rows = f.block[:0], 0
}

// Close puts the file into the zone; once it returns nil the file is durable.
func (f *File) Close() error {
	f.flush()
	return f.zone.put(f.span, f.out)
}
