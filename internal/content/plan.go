package content

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hamba/avro/v2"
)

// plan is a schema compiled to the steps that write one record. The filler, if there is one, lies between before and after.
type plan struct {
	before, after     []op
	filler            *filler
	least, lean, most int // bytes of the record without the filler
	unique            bool
	key               keyKind
	keyField          step // the key as one entity has it
	foreign           step // a key of another stream that stands in no field
}

type keyKind int

const (
	noKey keyKind = iota
	textKey
	numberKey
)

// compiler walks a schema once.
type compiler struct {
	spec   *Spec
	preset map[string]step // of the built-in, by path
	used   map[string]bool // settings of fields that have found theirs
	label  string          // path of the field that carries the message's number
	pad    string          // path of the filler
	depth  int
	budget int
	pools  []string
	chosen []*chooser
	from   *Generator // whose keys these are
	plan   plan
	open   []string // names of the records that are being compiled
}

// errDeep means that a recursive type has reached its bound here: a union, a list or a map above it ends the recursion.
var errDeep = errors.New("too deep")

// mostSteps bounds a plan; a type that contains itself in many ways gets a smaller depth.
const mostSteps = 20_000

func compilePlan(spec *Spec, preset map[string]step, s avro.Schema) (*plan, error) {
	depth := spec.Depth
	if depth == 0 {
		depth = 2
	}
	var from *Generator
	if spec.From != nil {
		var err error
		if from, err = NewGenerator(*spec.From); err != nil {
			return nil, fmt.Errorf("key.from: %w", err)
		}
	}
	for ; ; depth-- {
		c := &compiler{spec: spec, preset: preset, used: map[string]bool{}, depth: depth, budget: mostSteps, from: from}
		err := c.compile(s)
		if c.budget < 0 && depth > 0 {
			continue
		}
		if errors.Is(err, errDeep) {
			err = fmt.Errorf("value.schema: type %s contains itself without an end", nameOf(s))
		}
		if err != nil {
			return nil, err
		}
		return &c.plan, nil
	}
}

func (c *compiler) compile(s avro.Schema) error {
	root, _ := deref(s).(*avro.RecordSchema)
	if err := c.paths(root); err != nil {
		return err
	}
	c.label = c.chooseLabel(root)
	if c.pad == "" && (c.spec.Size.Given() || c.spec.Faults.Largest() > 0) && root != nil {
		c.pad = c.choosePad("", root)
	}
	var err error
	if root != nil {
		err = c.record("", root)
	} else {
		err = c.field("", s)
	}
	if err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(c.spec.Fields)) {
		if !c.used[path] {
			return fmt.Errorf("value.fields.%s: the schema has no such field%s", path, suggest(path, c.known(s)))
		}
	}
	if c.from != nil && c.spec.Key == "" && c.from.plan.keyField.write != nil {
		c.plan.foreign, c.plan.key = c.keyed(step{}), c.from.plan.key
	}
	return nil
}

// paths checks the settings that name a field.
func (c *compiler) paths(r *avro.RecordSchema) error {
	if c.from != nil && c.from.c.Keys == 0 {
		return fmt.Errorf("key.from: that stream's key has no cardinality: nothing bounds what could be joined")
	}
	for _, f := range []struct {
		setting, path, want string
		serves              func(avro.Schema) bool
	}{
		{"size.pad", c.spec.Pad, "a string, bytes or a list", func(s avro.Schema) bool { text, list := growsBy(s); return text || list }},
		{"key.field", c.spec.Key, "a string, int or long", serve(avro.String, avro.Int, avro.Long)},
		{"event_time.field", c.spec.Event.Field, "a timestamp, a date or a long", func(s avro.Schema) bool { return timeUnit(unNull(s)) != 0 }},
	} {
		if f.path == "" {
			continue
		}
		if r == nil {
			return fmt.Errorf("%s: the schema is no record, it has no fields", f.setting)
		}
		s, err := find(f.setting, f.path, r)
		if err != nil {
			return err
		}
		if !f.serves(s) {
			return fmt.Errorf("%s: field %s is a %s, which cannot serve here: want %s", f.setting, f.path, describe(s), f.want)
		}
	}
	c.pad = c.spec.Pad
	switch {
	case c.pad != "" && c.pad == c.spec.Key:
		return fmt.Errorf("key.field: %s is the filler, it cannot be the key as well", c.pad)
	case c.spec.Event.Field != "" && c.special(c.spec.Event.Field):
		return fmt.Errorf("value.fields.%s: event_time gives this field its value", c.spec.Event.Field)
	case c.spec.Event.Field != "" && c.spec.Event.Field == c.spec.Key:
		return fmt.Errorf("event_time.field: %s is the key", c.spec.Key)
	}
	return nil
}

func serve(want ...avro.Type) func(avro.Schema) bool {
	return func(s avro.Schema) bool { return slices.Contains(want, s.Type()) && decimalOf(s) == nil }
}

// find finds a field by its path through records.
func find(setting, path string, r *avro.RecordSchema) (avro.Schema, error) {
	for rest := path; ; {
		name, more, deeper := strings.Cut(rest, ".")
		i := slices.IndexFunc(r.Fields(), func(f *avro.Field) bool { return f.Name() == name })
		if i < 0 {
			return nil, fmt.Errorf("%s: the schema has no field %s (fields: %s)", setting, path, fieldNames(r))
		}
		t := deref(r.Fields()[i].Type())
		if !deeper {
			return t, nil
		}
		sub, ok := t.(*avro.RecordSchema)
		if !ok {
			return nil, fmt.Errorf("%s: %s: %s is a %s, not a record", setting, path, name, describe(t))
		}
		r, rest = sub, more
	}
}

// enter opens a record; its error says that the depth is reached.
func (c *compiler) enter(r *avro.RecordSchema) error {
	inside := 0
	for _, name := range c.open {
		if name == r.FullName() {
			inside++
		}
	}
	if inside > c.depth {
		return errDeep
	}
	c.open = append(c.open, r.FullName())
	return nil
}

func (c *compiler) leave() { c.open = c.open[:len(c.open)-1] }

// record appends the steps of a record's fields: a record has no encoding of its own.
func (c *compiler) record(path string, r *avro.RecordSchema) error {
	if err := c.enter(r); err != nil {
		return err
	}
	defer c.leave()
	for _, f := range r.Fields() {
		if err := c.field(join(path, f.Name()), f.Type()); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) field(path string, s avro.Schema) error {
	s = deref(s)
	if path != "" && path == c.pad {
		return c.fill(path, s)
	}
	if r, ok := s.(*avro.RecordSchema); ok && c.preset[path].write == nil && !c.special(path) {
		return c.record(path, r)
	}
	st, err := c.drawn(path, s)
	if err != nil {
		return err
	}
	if path != "" && path == c.spec.Key && c.spec.Choice.Distribution != "none" {
		if st, err = c.asKey(path, s, st); err != nil {
			return err
		}
	}
	c.plan.least, c.plan.lean, c.plan.most = c.plan.least+st.least, c.plan.lean+st.lean, c.plan.most+st.most
	if c.plan.filler != nil {
		c.plan.after = append(c.plan.after, st.write)
	} else {
		c.plan.before = append(c.plan.before, st.write)
	}
	return nil
}

// drawn is the step of a field of the record itself or of a record in it.
func (c *compiler) drawn(path string, s avro.Schema) (step, error) {
	switch {
	case path != "" && path == c.spec.Event.Field:
		return c.spec.Event.step(s)
	case c.special(path):
	case c.preset[path].write != nil:
		return c.preset[path], nil
	case path == c.label:
		c.plan.unique = true
		switch {
		case logicalOf(s) == avro.UUID:
			return uuids, nil
		case s.Type() == avro.String:
			return labels, nil
		}
		return numbers, nil
	}
	return c.value(path, s)
}

func (c *compiler) special(path string) bool { _, ok := c.spec.Fields[path]; return ok }

// fill lets the field at path grow.
func (c *compiler) fill(path string, s avro.Schema) error {
	f := &filler{path: path}
	c.plan.filler = f
	if _, many := growsBy(s); !many {
		return nil
	}
	inner, none := s.(*avro.ArraySchema).Items(), plain(0, 0, func(b []byte, _ *draw) []byte { return b })
	item, err := c.value(path+"[]", inner)
	if err != nil {
		return err
	}
	f.items = &list{item: item, few: arrays(item, Lengths{0, 3}), before: none, after: none}
	if r, ok := deref(inner).(*avro.RecordSchema); ok {
		at := textField(r)
		if f.items.before, err = c.fieldsOf(path+"[]", r, 0, at); err == nil {
			f.items.after, err = c.fieldsOf(path+"[]", r, at+1, len(r.Fields()))
		}
	}
	return err
}

// value is the step of any type.
func (c *compiler) value(path string, s avro.Schema) (step, error) {
	s = deref(s)
	if c.budget--; c.budget < 0 {
		return step{}, errDeep
	}
	if f, ok := c.spec.Fields[path]; ok {
		c.used[path] = true
		return c.configured(path, s, &f)
	}
	if f, ok := guess(path, s); ok && c.preset == nil {
		return f, nil
	}
	return c.typed(path, s, Lengths{0, 3})
}

// typed draws by the type alone; l is the length of lists and maps.
func (c *compiler) typed(path string, s avro.Schema, l Lengths) (step, error) {
	if d := decimalOf(s); d != nil {
		width := 0
		if f, ok := s.(*avro.FixedSchema); ok {
			width = f.Size()
		}
		return decimals(d.Precision(), width), nil
	}
	if st, ok := logical(logicalOf(s)); ok {
		return st, nil
	}
	switch t := s.(type) {
	case *avro.NullSchema:
		return constant(nil), nil
	case *avro.FixedSchema:
		if logicalOf(t) == avro.Duration {
			return durations, nil
		}
		return raw(t.Size()), nil
	case *avro.EnumSchema:
		return enums(len(t.Symbols())), nil
	case *avro.ArraySchema:
		item, err := c.value(path+"[]", t.Items())
		if errors.Is(err, errDeep) && l.Min == 0 {
			return constant([]byte{0}), nil
		}
		return arrays(item, l), err
	case *avro.MapSchema:
		item, err := c.value(path+"{}", t.Values())
		if errors.Is(err, errDeep) && l.Min == 0 {
			return constant([]byte{0}), nil
		}
		return mapsOf(item, l), err
	case *avro.UnionSchema:
		return c.union(path, t, nil, nil)
	case *avro.RecordSchema:
		if err := c.enter(t); err != nil {
			return step{}, err
		}
		defer c.leave()
		return c.fieldsOf(path, t, 0, len(t.Fields()))
	}
	switch s.Type() {
	case avro.Boolean:
		return booleans, nil
	case avro.Int:
		return ints, nil
	case avro.Long:
		return anyLongs, nil
	case avro.Float:
		return floats, nil
	case avro.Double:
		return doubles, nil
	case avro.Bytes:
		return blobs, nil
	case avro.String:
		return texts, nil
	}
	return step{}, fmt.Errorf("value.schema: field %s: type %s is not supported in this version", path, describe(s))
}

// fieldsOf is some fields of a record inside a list, a map or a union: one step of several.
func (c *compiler) fieldsOf(path string, r *avro.RecordSchema, from, to int) (step, error) {
	var all []op
	sum := step{}
	for _, f := range r.Fields()[from:to] {
		st, err := c.value(join(path, f.Name()), f.Type())
		if err != nil {
			return step{}, err
		}
		all = append(all, st.write)
		sum.least, sum.lean, sum.most = sum.least+st.least, sum.lean+st.lean, sum.most+st.most
	}
	sum.write = func(b []byte, d *draw) []byte {
		for _, w := range all {
			b = w(b, d)
		}
		return b
	}
	return sum, nil
}
