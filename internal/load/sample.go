package load

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"github.com/hamba/avro/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/content"
)

// A Sample is one message as a person reads it.
type Sample struct {
	Number uint64          `json:"number"`
	Stream string          `json:"stream,omitempty"` // of a mix
	Fault  content.Fault   `json:"fault,omitempty"`
	Key    string          `json:"key,omitempty"`
	Bytes  int             `json:"bytes"`
	Record json.RawMessage `json:"record,omitempty"` // decoded by another implementation than the one that made it
	Hex    string          `json:"hex"`              // the whole value; the schema id is not known yet
}

// Preview is what a run would do, without a server.
type Preview struct {
	Profile    string        `json:"profile"`
	Topic      string        `json:"topic"`
	Messages   int64         `json:"messages"` // 0: not known beforehand
	Duration   time.Duration `json:"duration_ns"`
	Warmup     time.Duration `json:"warmup_ns,omitempty"`
	Bytes      int64         `json:"bytes"`
	Size       Quantiles     `json:"size_bytes"`
	NsRecord   float64       `json:"ns_per_record"` // of making one, on this machine now
	Keys       int           `json:"keys"`          // different ones among the sampled
	Share      float64       `json:"hottest_share"` // of the partition that gets most, by the key
	Partitions int           `json:"partitions"`
	Parts      []PartPreview `json:"parts"`
	Stages     []Stage       `json:"stages,omitempty"`
	Unit       string        `json:"unit"`            // of the stages' rates: messages/s or bytes/s
	Curve      Planned       `json:"-"`               // nil: acknowledgements decide
	Asked      string        `json:"asked,omitempty"` // brokers that the warnings are of, too
	Warnings   []string      `json:"warnings,omitempty"`
	Samples    []Sample      `json:"samples"`
}

// A PartPreview is one topic of a run; a profile without a mix has one.
type PartPreview struct {
	Name       string                  `json:"name,omitempty"`
	Topic      string                  `json:"topic"`
	Of         float64                 `json:"of_messages"` // share of the sampled messages
	Size       Quantiles               `json:"size_bytes"`
	Grows      string                  `json:"grows,omitempty"` // the field that grows to the size
	Keys       int                     `json:"keys"`
	Share      float64                 `json:"hottest_share"`
	Shares     []float64               `json:"partition_shares,omitempty"` // by the key, in the order of the partitions
	Partitions int                     `json:"partitions"`
	Faults     map[content.Fault]int64 `json:"faults,omitempty"` // among the sampled
}

// sampled messages decide a preview's sizes and keys.
const sampled = 20_000

// NewPreview says what a run of the profile would do. Schemas of the registry must have been resolved.
func NewPreview(p *Profile, samples int) (Preview, error) {
	mix, err := p.Compile()
	if err != nil {
		return Preview{}, err
	}
	v := Preview{Profile: p.Name, Topic: p.topics(), Warmup: time.Duration(p.Warmup)}
	v.measure(p, mix)
	if err := v.plan(p); err != nil {
		return Preview{}, err
	}
	v.advise(p)
	if v.Samples, err = takeSamples(p, mix, samples); err != nil {
		return Preview{}, err
	}
	for i := range mix.Streams() {
		if !mix.Generator(i).Unique() {
			v.Warnings = append(v.Warnings, "topic "+v.Parts[i].Topic+": the schema has no free string or long field: two messages may be equal")
		}
	}
	return v, nil
}

// takeSamples takes the first messages of each stream.
func takeSamples(p *Profile, mix *content.Mix, samples int) ([]Sample, error) {
	schemas := map[*content.Generator]avro.Schema{}
	for i := range mix.Streams() {
		for _, g := range []*content.Generator{mix.Generator(i), mix.Later(i)} {
			if g == nil {
				continue
			}
			s, err := avro.ParseWithCache(g.Schema(), "", &avro.SchemaCache{})
			if err != nil {
				return nil, fmt.Errorf("value.schema: %w", err)
			}
			schemas[g] = s
		}
	}
	w, taken, parts := mix.Writer(), make([]int, mix.Streams()), p.parts()
	var all []Sample
	for n := uint64(0); n < sampled && len(all) < samples*mix.Streams(); n++ {
		i := mix.Of(n)
		if taken[i] == samples {
			continue
		}
		taken[i]++
		fault, of := mix.Fate(n)
		m := w.Append(nil, n, of, fault, time.Now().UnixMicro())
		s := Sample{Number: n, Stream: parts[i].Name, Fault: fault, Key: string(m.Key), Bytes: len(m.Value), Hex: hex.EncodeToString(m.Value)}
		if !fault.Refused() {
			var err error
			g := mix.Generator(i)
			if mix.Evolved(i, of) {
				g = mix.Later(i)
			}
			if s.Record, err = decoded(schemas[g], m.Value[content.HeaderSize:]); err != nil {
				return nil, fmt.Errorf("sample %d: %w", n, err)
			}
		}
		all = append(all, s)
	}
	return all, nil
}

func decoded(s avro.Schema, datum []byte) (json.RawMessage, error) {
	var record any
	if err := avro.Unmarshal(s, datum, &record); err != nil {
		return nil, err
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(readable(record)); err != nil {
		return nil, err
	}
	return bytes.TrimSpace(text.Bytes()), nil
}

// counted is what the sampled messages of a stream show.
type counted struct {
	sizes  *hdrhistogram.Histogram
	keys   map[string]bool
	parts  []int
	faults map[content.Fault]int64
	part   kgo.TopicPartitioner
}

func (v *Preview) measure(p *Profile, mix *content.Mix) {
	w, buf := mix.Writer(), make([]byte, 0, 64<<10)
	now := time.Now().UnixMicro()
	make1 := func(n uint64) (content.Message, content.Fault) {
		fault, of := mix.Fate(n)
		m := w.Append(buf[:0], n, of, fault, now)
		if cap(m.Value) > cap(buf) {
			buf = m.Value
		}
		return m, fault
	}
	start, most := time.Now(), uint64(sampled)
	for n := range most {
		if make1(n); n%256 == 255 && time.Since(start) > 2*time.Second { // large messages: fewer of them tell as much
			most = n + 1
			break
		}
	}
	v.NsRecord = float64(time.Since(start).Nanoseconds()) / float64(most)
	all, parts, whole := make([]counted, mix.Streams()), p.parts(), newHistogram()
	for i := range all {
		all[i] = counted{newHistogram(), map[string]bool{}, make([]int, parts[i].Topic.partitions()), map[content.Fault]int64{},
			kgo.StickyKeyPartitioner(nil).ForTopic("")} // murmur2 of the key, as Kafka's own producer
	}
	for n := range most {
		m, fault := make1(n)
		c := &all[m.Stream]
		record(c.sizes, int64(len(m.Value)))
		record(whole, int64(len(m.Value)))
		if fault != content.Healthy {
			c.faults[fault]++
		}
		if m.Key != nil {
			c.keys[string(m.Key)] = true
			c.parts[c.part.Partition(&kgo.Record{Key: m.Key}, len(c.parts))]++
		}
	}
	v.Size, v.Bytes = quantilesOf(whole, 1), int64(whole.Mean())
	for i, c := range all {
		count := float64(max(1, c.sizes.TotalCount()))
		out := PartPreview{Name: parts[i].Name, Topic: parts[i].Topic.Name, Of: count / float64(most), Size: quantilesOf(c.sizes, 1),
			Grows: mix.Generator(i).Grows(), Keys: len(c.keys), Partitions: len(c.parts), Faults: c.faults}
		if out.Keys > 0 {
			out.Share = float64(slices.Max(c.parts)) / count
			for _, n := range c.parts {
				out.Shares = append(out.Shares, round3(float64(n)/count))
			}
		}
		v.Parts = append(v.Parts, out)
		v.Keys, v.Partitions, v.Share = v.Keys+out.Keys, v.Partitions+out.Partitions, max(v.Share, out.Share)
	}
}

func (v *Preview) plan(p *Profile) error {
	mean := v.Bytes
	curve, err := p.Curve(time.Now())
	if err != nil {
		return err
	}
	r := run{Options: Options{Profile: p}, session: &session{shards: 1, lanes: 1, curve: curve, schedule: newSchedule(curve), flat: p.Rate.flat(), bound: bound{uint64(p.Volume.Messages), int64(p.Volume.Bytes), time.Duration(p.Volume.Duration)}}}
	v.Duration, v.Messages, v.Bytes = r.total(0), r.count(0), 0
	if v.Messages == 0 && p.Volume.Bytes > 0 {
		v.Messages = int64(p.Volume.Bytes) / max(1, mean)
	}
	s, planned := curve.(Planned)
	v.Unit = "messages/s"
	if planned {
		v.Stages, v.Curve = s.Stages(), s
		peak := s.Peak()
		if p.Rate.bytes() {
			v.Unit, peak = "bytes/s", peak/float64(max(1, mean))
			if v.Messages == 0 && v.Duration > 0 {
				v.Messages = int64(s.Due(v.Duration)) / max(1, mean)
			}
		}
		if peak*v.NsRecord > 1e9 {
			v.Warnings = append(v.Warnings, fmt.Sprintf("making the messages alone takes more than a core at %.0f/s", peak))
		}
		if peak*float64(defaultLinger)/1e9 > float64(p.inFlight()) {
			v.Warnings = append(v.Warnings, "max_in_flight is less than what one linger collects at the peak: the schedule will lag")
		}
		if p.Volume.Messages > 0 && s.End() != Forever && !p.Rate.bytes() && s.Due(s.End()) < float64(p.Volume.Messages)*0.8 {
			v.Warnings = append(v.Warnings, fmt.Sprintf("the curve ends before the volume is sent: it has %.0f messages", s.Due(s.End())))
		}
	} else if p.Rate.Closed != nil {
		v.Warnings = append(v.Warnings, "closed model: a slower system is asked for less, so latencies say little about one that users push")
	} else {
		v.Warnings = append(v.Warnings, "rate: max: the latencies will be those of the client's own buffer")
	}
	v.Bytes = v.Messages * mean
	for _, part := range v.Parts {
		if part.Share > 2/float64(part.Partitions) {
			v.Warnings = append(v.Warnings, fmt.Sprintf("%.0f %% of the messages of %s go to one partition", 100*part.Share, part.Topic))
		}
	}
	return nil
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
