package content

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// A Stream is what one topic gets of a run.
type Stream struct {
	Name   string  `json:"name,omitempty"`
	Weight float64 `json:"weight,omitempty"`
	Spec   Spec    `json:"spec"`
}

// A Mix makes the messages of a run: several streams, one after the other as their weights want it, with faults. It never
// changes after its schema ids are set.
type Mix struct {
	seed    uint64
	streams []Stream
	gens    []*Generator
	faults  []faultPlan
	ids     []uint32
	later   []*Generator // of the schema that comes in the middle of the run; nil: there is none
	laterID []uint32
	from    []uint64 // the first message with it
	which   weighted
}

// NewMix compiles the streams. Its errors begin with the setting that is wrong; of several streams, with mix[i].
func NewMix(seed uint64, streams []Stream) (*Mix, error) {
	m := &Mix{seed: seed, streams: streams, ids: make([]uint32, len(streams)), later: make([]*Generator, len(streams)), laterID: make([]uint32, len(streams)), from: make([]uint64, len(streams))}
	var weights []float64
	for i, s := range streams {
		s.Spec.Seed = seed
		g, err := NewGenerator(s.Spec)
		if err == nil {
			err = g.checkFaults()
		}
		if e := s.Spec.Evolve; err == nil && e != nil {
			m.from[i] = e.From
			if m.later[i], err = s.Spec.evolved(); err != nil {
				err = fmt.Errorf("value.evolve: %w", err)
			}
		}
		if err != nil {
			if len(streams) > 1 {
				err = fmt.Errorf("mix[%d].%w", i, err)
			}
			return nil, err
		}
		m.gens, m.faults = append(m.gens, g), append(m.faults, s.Spec.Faults.plan(seed))
		weights = append(weights, s.Weight)
	}
	if len(streams) > 1 {
		m.which = newWeighted(weights)
	}
	return m, nil
}

// evolved is the generator of the later schema.
func (s Spec) evolved() (*Generator, error) {
	fields := maps.Clone(s.Fields)
	if fields == nil {
		fields = map[string]Field{}
	}
	maps.Copy(fields, s.Evolve.Fields)
	s.Schema, s.Fields, s.Evolve = s.Evolve.Schema, fields, nil
	g, err := NewGenerator(s)
	if err != nil {
		return nil, err
	}
	return g, g.checkFaults()
}

func (g *Generator) checkFaults() error {
	if why := g.c.Faults.Invalid(); why != "" {
		return fmt.Errorf("faults.%s", why)
	}
	largest := g.c.Faults.Largest()
	switch {
	case largest == 0:
	case g.plan.filler == nil:
		return fmt.Errorf("faults.poison.kinds: oversize: the schema has no string, bytes or list that is free to grow")
	case largest < g.Floor():
		return fmt.Errorf("faults.poison.oversize: %d B cannot be reached: the smallest value has %d B", largest, g.Floor())
	}
	return nil
}

// Generator of a stream.
func (m *Mix) Generator(stream int) *Generator { return m.gens[stream] }

// Streams is how many there are.
func (m *Mix) Streams() int { return len(m.gens) }

// SetSchemaID is the registry's id of a stream's schema; it stands in every header. It must not be called while writers write.
func (m *Mix) SetSchemaID(stream, id int) { m.ids[stream] = uint32(id) }

// Later is the generator of the schema that a stream gets in the middle of the run; nil if it keeps its first.
func (m *Mix) Later(stream int) *Generator { return m.later[stream] }

// SetLaterID is SetSchemaID for the later schema.
func (m *Mix) SetLaterID(stream, id int) { m.laterID[stream] = uint32(id) }

// Evolved reports that the bytes of message n of a stream are written with its later schema.
func (m *Mix) Evolved(stream int, n uint64) bool {
	return m.later[stream] != nil && n >= m.from[stream]
}

// Plain reports that all messages go to one topic and nothing is wrong with any.
func (m *Mix) Plain() bool { return len(m.gens) == 1 && m.faults[0].shuffle == 0 }

// Shuffles reports that some messages are sent out of order.
func (m *Mix) Shuffles() bool {
	return slices.ContainsFunc(m.faults, func(f faultPlan) bool { return f.shuffle > f.poison })
}

// Of is the stream that message n belongs to.
func (m *Mix) Of(n uint64) int {
	if m.which == nil {
		return 0
	}
	r := streamOf(m.seed, n, mixStream)
	return m.which.draw(r.next())
}

// A duplicate repeats a message that is a multiple of stride older: one that the same sender has sent, with 1, 2, 3, 4, 6 or 8
// of them.
const (
	stride  = 24
	strides = 8
)

// Fate is what is wrong with message n, and the number whose bytes it has: its own, or of a duplicate an earlier one's.
func (m *Mix) Fate(n uint64) (Fault, uint64) {
	i := m.Of(n)
	f := m.faults[i].draw(n)
	if f != Duplicate {
		return f, n
	}
	for step := uint64(1); step <= strides && n >= step*stride; step++ {
		if before := n - step*stride; m.Of(before) == i && m.faults[i].draw(before) == Healthy {
			return Duplicate, before
		}
	}
	return Healthy, n
}

// MeanSize is that of some values, in bytes, 1 at least.
func (m *Mix) MeanSize() int {
	const some = 200
	w, sum := m.Writer(), 0
	var buf []byte
	for n := range uint64(some) {
		fault, of := m.Fate(n)
		buf = w.Append(buf[:0], n, of, fault, 0).Value
		sum += len(buf)
	}
	return max(1, sum/some)
}

// Writer makes a writer.
func (m *Mix) Writer() *MixWriter {
	w := &MixWriter{m: m}
	for i, g := range m.gens {
		w.all, w.later = append(w.all, g.Writer()), append(w.later, nil)
		if m.later[i] != nil {
			w.later[i] = m.later[i].Writer()
		}
	}
	return w
}

// A Message is what Append has made.
type Message struct {
	Stream int
	Fault  Fault
	Value  []byte // header and record, behind what the buffer held before; nil for a tombstone
	Key    []byte // valid until the next message; nil if messages have none
}

// A MixWriter writes messages, one goroutine at a time.
type MixWriter struct {
	m     *Mix
	all   []*Writer
	later []*Writer
}

// of is the writer of a stream's message, and the id of its schema.
func (w *MixWriter) of(stream int, n uint64) (*Writer, uint32) {
	if w.m.Evolved(stream, n) {
		return w.later[stream], w.m.laterID[stream]
	}
	return w.all[stream], w.m.ids[stream]
}

// Append appends message n, whose bytes are those of number of ([Mix.Fate] gives both), due at µs since 1970.
func (w *MixWriter) Append(b []byte, n, of uint64, f Fault, due int64) Message {
	i := w.m.Of(n)
	out, id := w.of(i, of)
	start := len(b)
	b = binary.BigEndian.AppendUint32(append(b, 0), id)
	b = w.record(out, b, of, f, due)
	key := out.Key(b)
	if f == NullValue {
		return Message{i, f, nil, key}
	}
	return Message{i, f, out.damage(b, start, f), key}
}

// Datum appends the record of message n as it must be in the table.
func (w *MixWriter) Datum(b []byte, n uint64, due int64) []byte {
	f, of := w.m.Fate(n)
	out, _ := w.of(w.m.Of(n), of)
	return w.record(out, b, of, f, due)
}

func (w *MixWriter) record(out *Writer, b []byte, n uint64, f Fault, due int64) []byte {
	if f == Oversize {
		return out.sized(b, n, due, out.g.c.Faults.Poison.oversize()-HeaderSize)
	}
	return out.AppendAt(b, n, due)
}
