// Package stamp is the identity that loadgen gives to each message and that the proof reads back from the table.
//
// It travels in one Kafka header, [Key], so that any value schema can be used:
//
//	offset  size  field
//	0       1     version, 1
//	1       16    run, a ULID
//	17      4     shard, big endian
//	21      8     seq, big endian: 0, 1, 2 … within (run, shard)
//	29      8     intended send time, microseconds since 1970, big endian
//
// A message without the header, or with a header of another version or length, has no stamp: that is no error.
package stamp

import (
	"encoding/binary"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Key is the name of the Kafka header.
const Key = "weir"

// Size is the length of an encoded stamp in bytes.
const Size = 37

const version = 1

// A Stamp says which message of which run this is and when it was due.
type Stamp struct {
	Run      ulid.ULID
	Shard    int32
	Seq      int64
	Intended int64 // microseconds since 1970-01-01 UTC
}

// Append appends the encoded stamp to b.
func (s Stamp) Append(b []byte) []byte {
	b = append(b, version)
	b = append(b, s.Run[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(s.Shard))
	b = binary.BigEndian.AppendUint64(b, uint64(s.Seq))
	return binary.BigEndian.AppendUint64(b, uint64(s.Intended))
}

// Parse reads a header value; ok is false where it holds no stamp.
func Parse(b []byte) (s Stamp, ok bool) {
	if len(b) != Size || b[0] != version {
		return Stamp{}, false
	}
	copy(s.Run[:], b[1:17])
	s.Shard = int32(binary.BigEndian.Uint32(b[17:]))
	s.Seq = int64(binary.BigEndian.Uint64(b[21:]))
	s.Intended = int64(binary.BigEndian.Uint64(b[29:]))
	return s, true
}

// Of is the stamp of a record; ok is false where it has none.
func Of(r *kgo.Record) (s Stamp, ok bool) {
	for i := range r.Headers {
		if r.Headers[i].Key == Key {
			return Parse(r.Headers[i].Value)
		}
	}
	return Stamp{}, false
}

// Due is the intended send time.
func (s Stamp) Due() time.Time { return time.UnixMicro(s.Intended).UTC() }
