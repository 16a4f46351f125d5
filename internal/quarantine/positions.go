package quarantine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"
)

// A Position is where a record stood in Kafka: its name, as long as the topic is not made again.
type Position struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Position of the row's record.
func (r Row) Position() Position { return Position{r.Topic, r.Partition, r.Offset} }

// A Record is a position and what stood there: where a topic was made again, or lost its tail, two records have one position.
type Record struct {
	Position
	Sum Sum `json:"sum"`
}

// A Sum tells the bytes of records apart.
type Sum [sha256.Size]byte

// MarshalText gives it in hex.
func (s Sum) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(s[:])), nil }

// UnmarshalText reads what MarshalText wrote.
func (s *Sum) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	copy(s[:], b)
	return err
}

// SumOf a record's key and value; none is as an empty one.
func SumOf(key, value []byte) Sum {
	return sha256.Sum256(append(binary.BigEndian.AppendUint64(nil, uint64(len(key))), append(key[:len(key):len(key)], value...)...))
}

// Record that the row is of.
func (r Row) Record() Record { return Record{r.Position(), SumOf(r.Key, r.Value)} }

// Positions is a set of them. As JSON each partition is one list of stretches: how far behind the end of the one before, and how
// long; a stretch alone takes some four bytes.
type Positions map[Position]bool

type stretches struct {
	Topic     string  `json:"t"`
	Partition int32   `json:"p"`
	Gaps      []int64 `json:"o"` // gap, length, gap, length, …; the first gap is an offset
}

// MarshalJSON gives the same text for the same set.
func (p Positions) MarshalJSON() ([]byte, error) {
	all := make([]Position, 0, len(p))
	for x := range p {
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b Position) int {
		if c := strings.Compare(a.Topic, b.Topic); c != 0 {
			return c
		}
		if a.Partition != b.Partition {
			return int(a.Partition) - int(b.Partition)
		}
		return int(max(-1, min(1, a.Offset-b.Offset)))
	})
	out := []stretches{}
	var end int64
	for i, x := range all {
		if i == 0 || x.Topic != all[i-1].Topic || x.Partition != all[i-1].Partition {
			out, end = append(out, stretches{Topic: x.Topic, Partition: x.Partition}), 0
		}
		s := &out[len(out)-1]
		if n := len(s.Gaps); n > 0 && x.Offset == end {
			s.Gaps[n-1]++
		} else {
			s.Gaps = append(s.Gaps, x.Offset-end, 1)
		}
		end = x.Offset + 1
	}
	return json.Marshal(out)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Positions) UnmarshalJSON(b []byte) error {
	var in []stretches
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	*p = Positions{}
	for _, s := range in {
		var at int64
		for i := 0; i+1 < len(s.Gaps); i += 2 {
			at += s.Gaps[i]
			for range s.Gaps[i+1] {
				(*p)[Position{s.Topic, s.Partition, at}] = true
				at++
			}
		}
	}
	return nil
}
