package content

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/hamba/avro/v2"
)

// HeaderSize is the Confluent header before every record: a zero byte and the schema id.
const HeaderSize = 5

// A Generator makes the records of one stream. Message n is always the same bytes. It never changes: use one Writer for each
// goroutine.
type Generator struct {
	given  Spec // as asked for
	c      Spec // with the defaults
	schema avro.Schema
	plan   *plan
	size   sizer
	keys   *chooser // of keys that stand in no field
}

// NewGenerator compiles the schema. Its errors begin with the profile's setting that is wrong.
func NewGenerator(c Spec) (*Generator, error) {
	g := &Generator{given: c}
	var preset map[string]step
	if c.Schema == "" {
		c.Schema, preset = bankSchema, bankFields
		if c.Pad == "" {
			c.Pad = "reference"
		}
		if c.Key == "" && c.From == nil && c.Choice.Distribution != "none" {
			c.Key = "account_id"
		}
		if c.Keys == 0 && c.Key == "account_id" && c.From == nil {
			c.Keys = bankKeys
		}
	}
	s, err := parseSchema(c.Schema)
	if err != nil {
		return nil, err
	}
	g.c, g.schema = c, s
	if g.plan, err = compilePlan(&g.c, preset, s); err != nil {
		return nil, err
	}
	switch from := c.From; {
	case c.Choice.Distribution == "none":
		g.plan.key, g.plan.foreign = noKey, step{}
	case c.Key == "" && from != nil && from.Key == "" && from.Schema != "":
		g.keys = newChooser(from.Keys, c.Choice)
	case c.Key == "" && c.Keys > 0 && from == nil:
		g.keys = newChooser(c.Keys, c.Choice)
	}
	return g, g.compileSize()
}

func (g *Generator) compileSize() error {
	if !g.c.Size.Given() {
		return nil
	}
	if g.plan.filler == nil {
		return fmt.Errorf("size.pad: the schema has no string, bytes or list that is free to grow to a size")
	}
	if why := g.c.Size.Invalid(); why != "" {
		return fmt.Errorf("size: %s", why)
	}
	g.size = g.c.Size.sizer(g.Floor())
	least, most := g.size.bounds()
	if floor := g.Floor(); least < floor {
		return fmt.Errorf("size: %d B cannot be reached with this schema: its smallest value that can be promised has %d B", least, floor)
	}
	if most > maxValue {
		return fmt.Errorf("size: %d B is more than a message may have (%d B)", most, maxValue)
	}
	if c, ok := g.size.(constantSize); ok && !g.reachable(int(c)) {
		return fmt.Errorf("size: %d B cannot be reached with this schema: the length of %s takes a byte more just there; %d B and %d B can", c, g.plan.filler.path, c-1, c+1)
	}
	return nil
}

// maxValue keeps every length within an int32, as Kafka has it.
const maxValue = 1 << 30

// reachable reports that a size can be met. Where all but the filler has a fixed width, sizes at which the filler's length takes
// a byte more are left out.
func (g *Generator) reachable(size int) bool {
	f := g.plan.filler
	if g.plan.least != g.plan.most || f.items != nil {
		return true
	}
	_, exact := fillerFor(size - HeaderSize - g.plan.most)
	return exact
}

// Schema is the Avro schema as it is registered.
func (g *Generator) Schema() string { return g.c.Schema }

// Unique reports that no two messages of a run can be equal; a schema without a free string or long field cannot promise it.
func (g *Generator) Unique() bool { return g.plan.unique }

// Floor is the smallest size of a whole value that can be promised: an empty filler still has its length.
func (g *Generator) Floor() int {
	n := HeaderSize + g.plan.lean
	if f := g.plan.filler; f != nil {
		n += f.floor()
	}
	return n
}

// Grows reports which field grows to the size; empty if none does.
func (g *Generator) Grows() string {
	if g.plan.filler == nil {
		return ""
	}
	return g.plan.filler.path
}

// Writer makes a writer.
func (g *Generator) Writer() *Writer { return &Writer{g: g} }

// A Writer writes records, one goroutine at a time.
type Writer struct {
	g    *Generator
	d    draw
	key  []byte
	tail []byte // room for a list that grows
}

// tries bounds how often a record is drawn again whose remaining space no filler fits: 65 bytes are neither a filler of 63
// bytes with a length of one nor one of 64 with a length of two.
const tries = 1024

// Append appends the record of message n, without the Confluent header, and returns the extended buffer.
func (w *Writer) Append(b []byte, n uint64) []byte { return w.AppendAt(b, n, 0) }

// AppendAt is Append for content that depends on when the message is due, in µs since 1970; 0 is a fixed time.
func (w *Writer) AppendAt(b []byte, n uint64, due int64) []byte {
	var size int
	if w.g.size != nil {
		s := streamOf(w.g.c.Seed, n, sizeStream)
		size = w.g.size.draw(s.next(), s.next()) - HeaderSize
	}
	return w.sized(b, n, due, size)
}

// sized appends a record of so many bytes; 0: whatever the data gives.
func (w *Writer) sized(b []byte, n uint64, due int64, size int) []byte {
	if due == 0 {
		due = weekMicros
	}
	if size > 0 && !w.g.reachable(size+HeaderSize) {
		size--
	}
	start, lean := len(b), false
	for try := uint64(0); ; try++ {
		w.d = draw{rng: streamOf(w.g.c.Seed, n, contentStream+try<<32), seed: w.g.c.Seed, n: n, intended: due, lean: lean, loose: try > 4}
		out, exact := w.once(b[:start], size)
		if exact || try == tries {
			return out
		}
		lean = lean || try > 0 && len(out)-start > size
		b = out
	}
}

// once draws the record; it is not exact where the filler's length jumps by a byte just at the wanted size, or where the rest is
// too long already.
func (w *Writer) once(b []byte, size int) ([]byte, bool) {
	start, p, d := len(b), w.g.plan, &w.d
	for _, write := range p.before {
		b = write(b, d)
	}
	if p.filler == nil {
		return b, true
	}
	gap := len(b)
	for _, write := range p.after {
		b = write(b, d)
	}
	space := 0
	if size > 0 {
		space = size - (len(b) - start)
	}
	if p.filler.items != nil {
		if size == 0 {
			w.tail = p.filler.items.few.write(w.tail[:0], d)
			return w.insert(b, gap, w.tail), true
		}
		var exact bool
		w.tail, exact = p.filler.items.write(w.tail[:0], d, space)
		return w.insert(b, gap, w.tail), exact
	}
	n, exact := 75+int(d.below(57)), true // the size that "schema" gives: a filler of 75 to 131 characters
	if size > 0 {
		n, exact = fillerFor(space)
	}
	width := longWidth(int64(n))
	if d.keyAt >= gap && d.end > 0 {
		d.keyAt, d.end = d.keyAt+width+n, d.end+width+n
	}
	return fill(b, gap, n, width, d.next()), exact
}

// insert puts what has grown into its gap.
func (w *Writer) insert(b []byte, gap int, grown []byte) []byte {
	if w.d.keyAt >= gap && w.d.end > 0 {
		w.d.keyAt, w.d.end = w.d.keyAt+len(grown), w.d.end+len(grown)
	}
	tail := len(b) - gap
	b = grow(b, len(grown))
	copy(b[gap+len(grown):], b[gap:gap+tail])
	copy(b[gap:], grown)
	return b
}

// Key is the key of the record in b that Append wrote last; nil if messages have none. It is valid until the next call.
func (w *Writer) Key(b []byte) []byte {
	if w.g.keys != nil {
		d := draw{rng: streamOf(w.g.c.Seed, w.d.n, keyStream), seed: w.g.c.Seed, n: w.d.n}
		w.key = strconv.AppendUint(append(w.key[:0], "key-"...), w.g.keys.draw(&d), 10)
		return w.key
	}
	kind := w.g.plan.key
	if w.g.plan.foreign.write != nil {
		d := draw{rng: streamOf(w.g.c.Seed, w.d.n, keyStream), seed: w.g.c.Seed, n: w.d.n}
		w.tail = w.g.plan.foreign.write(w.tail[:0], &d)
		w.key = appendKey(w.key[:0], w.tail[d.keyAt:d.end], kind)
		return w.key
	}
	switch kind {
	case textKey:
		_, width := binary.Uvarint(b[w.d.keyAt:w.d.end])
		return b[w.d.keyAt+width : w.d.end]
	case numberKey:
		w.key = appendKey(w.key[:0], b[w.d.keyAt:w.d.end], kind)
		return w.key
	}
	return nil
}

// appendKey appends the key as Kafka carries it: a string's bytes, or a number's digits.
func appendKey(b, field []byte, kind keyKind) []byte {
	z, width := binary.Uvarint(field)
	if kind == numberKey {
		return strconv.AppendInt(b, int64(z>>1)^-int64(z&1), 10)
	}
	return append(b, field[width:]...)
}
