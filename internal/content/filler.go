package content

import "github.com/hamba/avro/v2"

// filler is the field that grows to a size: a string or bytes, or a list of things.
type filler struct {
	path  string
	items *list
}

func (f *filler) floor() int {
	if f.items != nil {
		return f.items.floor()
	}
	return 1
}

// list is a list that grows by items; the last one has a string or bytes that takes up what is left.
type list struct {
	item          step // a usual one
	few           step // a list without a size
	before, after step // of the last item, around its filler
}

// itemsBlock keeps a block's count in one byte.
const itemsBlock = 63

// floor is the size of a list of one item with an empty filler.
func (g *list) floor() int { return 3 + g.before.lean + g.after.lean }

// write appends the whole list in exactly space bytes.
func (g *list) write(b []byte, d *draw, space int) ([]byte, bool) {
	start, count := len(b), -1
	reserve := 3 + g.before.most + g.after.most + 2 // what the end takes at most with an empty filler
	for space-(len(b)-start)-reserve > g.item.most+1 {
		if count < 0 || b[count] == 2*itemsBlock {
			count = len(b)
			b = append(b, 0)
		}
		b = g.item.write(b, d)
		b[count] += 2
	}
	b = append(b, 2) // a block of one
	b = g.before.write(b, d)
	gap := len(b)
	b = append(g.after.write(b, d), 0)
	n, exact := fillerFor(space - (len(b) - start))
	return fill(b, gap, n, longWidth(int64(n)), d.next()), exact
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

// growsBy reports how a type can grow: as text, or as a list whose items hold a text; ok is false where it cannot.
func growsBy(s avro.Schema) (text, list bool) {
	switch t := deref(s).(type) {
	case *avro.PrimitiveSchema:
		return isText(t), false
	case *avro.ArraySchema:
		item := deref(t.Items())
		if r, ok := item.(*avro.RecordSchema); ok {
			return false, textField(r) >= 0
		}
		return false, isText(item)
	}
	return false, false
}

func isText(s avro.Schema) bool {
	p, ok := deref(s).(*avro.PrimitiveSchema)
	return ok && (p.Type() == avro.String || p.Type() == avro.Bytes) && logicalOf(p) == "" && decimalOf(p) == nil
}

// textField is the first field of a record that is a free text, or -1.
func textField(r *avro.RecordSchema) int {
	for i, f := range r.Fields() {
		if isText(f.Type()) {
			return i
		}
	}
	return -1
}
