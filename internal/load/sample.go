package load

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"sort"
	"strconv"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A Sample is one message as a person reads it.
type Sample struct {
	Number uint64          `json:"number"`
	Key    string          `json:"key,omitempty"`
	Bytes  int             `json:"bytes"`
	Record json.RawMessage `json:"record"` // decoded by another implementation than the one that made it
	Hex    string          `json:"hex"`    // the whole value; the schema id is not known yet
}

// Preview is what a run would do, without a server.
type Preview struct {
	Profile    string        `json:"profile"`
	Topic      string        `json:"topic"`
	Messages   int64         `json:"messages"` // 0: not known beforehand
	Duration   time.Duration `json:"duration_ns"`
	Bytes      int64         `json:"bytes"`
	Size       Quantiles     `json:"size_bytes"`
	NsRecord   float64       `json:"ns_per_record"` // of making one, on this machine now
	Keys       int           `json:"keys"`          // different ones among the sampled
	Share      float64       `json:"hottest_share"` // of the partition that gets most, by the key
	Partitions int           `json:"partitions"`
	Stages     Stages        `json:"stages,omitempty"`
	Warnings   []string      `json:"warnings,omitempty"`
	Samples    []Sample      `json:"samples"`
}

// sampled messages decide a preview's sizes and keys.
const sampled = 20_000

// NewPreview says what a run of the profile would do.
func NewPreview(p *Profile, samples int) (Preview, error) {
	c, err := p.Content()
	if err != nil {
		return Preview{}, err
	}
	g, err := NewGenerator(c)
	if err != nil {
		return Preview{}, err
	}
	v := Preview{Profile: p.Name, Topic: p.Topic.Name, Partitions: int(p.Topic.Partitions)}
	if v.Partitions == 0 {
		v.Partitions = defaultPartitions
	}
	v.measure(g)
	v.plan(p)
	w := g.Writer()
	schema, err := parseSchema(g.Schema())
	if err != nil {
		return Preview{}, err
	}
	for n := range uint64(samples) {
		b := w.Append(make([]byte, HeaderSize), n)
		var record any
		if err := avro.Unmarshal(schema, b[HeaderSize:], &record); err != nil {
			return Preview{}, fmt.Errorf("sample %d: %w", n, err)
		}
		var text bytes.Buffer
		enc := json.NewEncoder(&text)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(readable(record)); err != nil {
			return Preview{}, fmt.Errorf("sample %d: %w", n, err)
		}
		v.Samples = append(v.Samples, Sample{n, string(w.Key(b)), len(b), bytes.TrimSpace(text.Bytes()), hex.EncodeToString(b)})
	}
	if !g.Unique() {
		v.Warnings = append(v.Warnings, "the schema has no free string or long field: two messages may be equal")
	}
	return v, nil
}

func (v *Preview) measure(g *Generator) {
	w, h := g.Writer(), newHistogram()
	kafkas := kgo.StickyKeyPartitioner(nil).ForTopic("") // murmur2 of the key, as Kafka's own producer
	keys, parts := map[string]bool{}, make([]int, v.Partitions)
	buf := make([]byte, HeaderSize, 64<<10)
	start := time.Now()
	for n := range uint64(sampled) {
		buf = w.Append(buf[:HeaderSize], n)
	}
	v.NsRecord = float64(time.Since(start).Nanoseconds()) / sampled
	for n := range uint64(sampled) {
		buf = w.Append(buf[:HeaderSize], n)
		record(h, int64(len(buf)))
		if k := w.Key(buf); k != nil {
			keys[string(k)] = true
			parts[kafkas.Partition(&kgo.Record{Key: k}, v.Partitions)]++
		}
	}
	v.Size, v.Keys = quantilesOf(h, 1), len(keys)
	v.Bytes = int64(h.Mean())
	if v.Keys > 0 {
		sort.Ints(parts)
		v.Share = float64(parts[len(parts)-1]) / sampled
	}
}

func (v *Preview) plan(p *Profile) {
	mean := v.Bytes
	r := run{session: &session{curve: p.Curve(), bound: bound{uint64(p.Volume.Messages), int64(p.Volume.Bytes), time.Duration(p.Volume.Duration)}}}
	v.Duration, v.Messages, v.Bytes = r.total(), r.count(), 0
	if v.Messages == 0 && p.Volume.Bytes > 0 {
		v.Messages = int64(p.Volume.Bytes) / max(1, mean)
	}
	v.Bytes = v.Messages * mean
	if s, ok := r.curve.(Stages); ok {
		v.Stages = s
		if s.Peak()*v.NsRecord > 1e9 {
			v.Warnings = append(v.Warnings, fmt.Sprintf("making the messages alone takes more than a core at %.0f/s", s.Peak()))
		}
		if s.Peak()*float64(defaultLinger)/1e9 > float64(p.inFlight()) {
			v.Warnings = append(v.Warnings, "max_in_flight is less than what one linger collects at the peak: the schedule will lag")
		}
	} else {
		v.Warnings = append(v.Warnings, "rate: max: the latencies will be those of the client's own buffer")
	}
	if v.Share > 2/float64(v.Partitions) {
		v.Warnings = append(v.Warnings, fmt.Sprintf("%.0f %% of the messages go to one partition", 100*v.Share))
	}
}

// readable turns what the decoder gives into what JSON shows well.
func readable(v any) any {
	switch x := v.(type) {
	case map[string]any:
		if len(x) == 1 { // a union's branch comes wrapped in its type's name
			for k, inner := range x {
				if isTypeName(k) {
					return readable(inner)
				}
			}
		}
		m := make(map[string]any, len(x))
		for k, inner := range x {
			m[k] = readable(inner)
		}
		return m
	case []any:
		all := make([]any, len(x))
		for i, inner := range x {
			all[i] = readable(inner)
		}
		return all
	case *big.Rat:
		f, _ := x.Float64()
		return json.Number(strconv.FormatFloat(f, 'f', -1, 64))
	case []byte:
		return hex.EncodeToString(x)
	case time.Time:
		return x.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		return x.String()
	}
	return v
}

func isTypeName(s string) bool {
	switch s {
	case "bytes.decimal", "string", "bytes", "int", "long", "float", "double", "boolean", "array", "map",
		"int.date", "long.timestamp-micros", "long.timestamp-millis", "string.uuid":
		return true
	}
	return false
}
