package load

import (
	"encoding/binary"
	"fmt"
	"strconv"

	"github.com/hamba/avro/v2"
)

// HeaderSize is the Confluent header before every record: a zero byte and the schema id.
const HeaderSize = 5

// Content says what the messages of a run hold. Zero fields mean the documented default.
type Content struct {
	Seed   uint64
	Schema string // Avro JSON; empty: the built-in bank transaction
	Pad    string // path of the string or bytes field that fills a record up to its size; default for the built-in: reference
	Key    string // path of the field that is the message's key; default for the built-in: account_id; else none
	Keys   uint64 // number of different keys; default for the built-in 100,000, else unbounded
	Size   Size   // of the whole value; nil: whatever the schema gives
}

// A Generator makes the records of a run. Message n is always the same bytes. It never changes: use one Writer for each goroutine.
type Generator struct {
	given  Content // as asked for
	c      Content // with the defaults
	schema avro.Schema
	plan   *plan
}

// NewGenerator compiles the schema. Its errors name the profile's setting that is wrong.
func NewGenerator(c Content) (*Generator, error) {
	given := c
	var fields map[string]step
	if c.Schema == "" {
		c.Schema, fields = bankSchema, bankFields
		if c.Pad == "" {
			c.Pad = "reference"
		}
		if c.Key == "" {
			c.Key = "account_id"
		}
		if c.Keys == 0 && c.Key == "account_id" {
			c.Keys = bankKeys
		}
	}
	s, err := parseSchema(c.Schema)
	if err != nil {
		return nil, err
	}
	p, err := (&compiler{fields: fields, filler: c.Pad, key: c.Key, keys: c.Keys}).compile(s)
	if err != nil {
		return nil, err
	}
	g := &Generator{given: given, c: c, schema: s, plan: p}
	if c.Size == nil {
		return g, nil
	}
	if !p.filler {
		return nil, fmt.Errorf("size.pad: name a string field of the schema that may be filled up to the size")
	}
	least, most := c.Size.Bounds()
	if floor := g.Floor(); least < floor {
		return nil, fmt.Errorf("size: %d B cannot be reached with this schema: a value takes up to %d B before the filler %s", least, floor, c.Pad)
	}
	if most > maxValue {
		return nil, fmt.Errorf("size: %d B is more than a message may have (%d B)", most, maxValue)
	}
	return g, nil
}

// maxValue keeps every length within an int32, as Kafka has it.
const maxValue = 1 << 30

// Schema is the Avro schema as it is registered.
func (g *Generator) Schema() string { return g.c.Schema }

// Unique reports that no two messages of a run can be equal; a schema without a free string or long field cannot promise it.
func (g *Generator) Unique() bool { return g.plan.unique }

// Floor is the smallest size of a whole value that can be promised: an empty filler still has its length.
func (g *Generator) Floor() int { return HeaderSize + g.plan.most + 1 }

// Writer makes a writer.
func (g *Generator) Writer() *Writer { return &Writer{g: g} }

// A Writer writes records, one goroutine at a time.
type Writer struct {
	g   *Generator
	d   draw
	key []byte
}

// tries bounds how often a record is drawn again whose remaining space no filler fits: 65 bytes are neither a filler of 63
// bytes with a length of one nor one of 64 with a length of two.
const tries = 64

// Append appends the record of message n, without the Confluent header, and returns the extended buffer.
func (w *Writer) Append(b []byte, n uint64) []byte {
	var size int
	if w.g.c.Size != nil {
		s := streamOf(w.g.c.Seed, n, sizeStream)
		size = w.g.c.Size.Draw(s.next(), s.next()) - HeaderSize
	}
	start := len(b)
	for try := uint64(0); ; try++ {
		w.d = draw{rng: streamOf(w.g.c.Seed, n, contentStream+try<<32), seed: w.g.c.Seed, n: n}
		out, exact := w.once(b[:start], size)
		if exact || try == tries {
			return out
		}
	}
}

// once draws the record; it is not exact where the filler's length jumps by a byte just at the wanted size.
func (w *Writer) once(b []byte, size int) ([]byte, bool) {
	start, p, d := len(b), w.g.plan, &w.d
	for _, write := range p.before {
		b = write(b, d)
	}
	if !p.filler {
		return b, true
	}
	gap := len(b)
	for _, write := range p.after {
		b = write(b, d)
	}
	n := 75 + int(d.below(57)) // the size that "schema" gives: a filler of 75 to 131 characters
	exact := true
	if size > 0 {
		n, exact = fillerFor(size - (len(b) - start))
	}
	width := longWidth(int64(n))
	if d.keyAt >= gap && d.end > 0 {
		d.keyAt, d.end = d.keyAt+width+n, d.end+width+n
	}
	return fill(b, gap, n, width, d.next()), exact
}

// fillerFor solves length + width of the length = space.
func fillerFor(space int) (n int, exact bool) {
	for width := 1; width <= 5; width++ {
		if n := space - width; n >= 0 && longWidth(int64(n)) == width {
			return n, true
		}
	}
	return max(0, space-longWidth(int64(space))), false
}

// fill inserts a filler of n bytes at gap and moves what lies behind.
func fill(b []byte, gap, n, width int, word uint64) []byte {
	tail := len(b) - gap
	b = grow(b, width+n)
	copy(b[gap+width+n:], b[gap:gap+tail])
	appendLong(b[:gap], int64(n))
	for at := b[gap+width : gap+width+n]; len(at) > 0; {
		from := word % uint64(len(prose)/2)
		at = at[copy(at, prose[from:]):]
		word = mix(word)
	}
	return b
}

// grow lengthens b by n bytes of any content.
func grow(b []byte, n int) []byte {
	if need := len(b) + n; need > cap(b) {
		b = append(make([]byte, 0, need+need/4), b...)
	}
	return b[:len(b)+n]
}

// prose is what fillers are cut from: random words, so that a compressor finds as little as in a real text of names.
var prose = func() []byte {
	r := rng{0x70726f7365}
	b := make([]byte, 0, 64<<10)
	for len(b) < 64<<10 {
		for range 3 + r.below(8) {
			b = append(b, 'a'+byte(r.below(26)))
		}
		b = append(b, ' ')
	}
	return b[:64<<10]
}()

// Key is the key of the record in b that Append wrote last; nil if messages have none. It is valid until the next call.
func (w *Writer) Key(b []byte) []byte {
	field := b[w.d.keyAt:w.d.end]
	switch w.g.plan.key {
	case textKey:
		_, width := binary.Uvarint(field)
		return field[width:]
	case numberKey:
		z, _ := binary.Uvarint(field)
		w.key = strconv.AppendInt(w.key[:0], int64(z>>1)^-int64(z&1), 10)
		return w.key
	}
	return nil
}
