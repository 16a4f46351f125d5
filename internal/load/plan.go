package load

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hamba/avro/v2"
)

// plan is a schema compiled to the steps that write one record. The filler, if there is one, lies between before and after.
type plan struct {
	before, after []op
	filler        bool
	most          int // bytes of the record without the filler and its length
	unique        bool
	key           keyKind
}

type keyKind int

const (
	noKey keyKind = iota
	textKey
	numberKey
)

// compiler walks a schema once.
type compiler struct {
	fields map[string]step // by path: what is not drawn by its type
	filler string          // path
	key    string          // path
	keys   uint64          // how many different keys; 0: no bound
	plan   plan
	open   []string // names of the records that are being compiled
}

func (c *compiler) compile(s avro.Schema) (*plan, error) {
	r, ok := deref(s).(*avro.RecordSchema)
	if !ok {
		return nil, fmt.Errorf("value.schema: the schema is a %s; only a record has columns", s.Type())
	}
	if c.filler != "" {
		if err := c.check("size.pad", c.filler, r, avro.String, avro.Bytes); err != nil {
			return nil, err
		}
	}
	if c.key != "" {
		if err := c.check("key.field", c.key, r, avro.String, avro.Int, avro.Long); err != nil {
			return nil, err
		}
		if c.key == c.filler {
			return nil, fmt.Errorf("key.field: %s is the filler, it cannot be the key as well", c.key)
		}
	}
	if err := c.record("", r); err != nil {
		return nil, err
	}
	return &c.plan, nil
}

// check finds a field by its path through records.
func (c *compiler) check(setting, path string, r *avro.RecordSchema, want ...avro.Type) error {
	for rest := path; ; {
		name, more, deeper := strings.Cut(rest, ".")
		i := slices.IndexFunc(r.Fields(), func(f *avro.Field) bool { return f.Name() == name })
		if i < 0 {
			return fmt.Errorf("%s: the schema has no field %s (fields: %s)", setting, path, fieldNames(r))
		}
		t := deref(r.Fields()[i].Type())
		if !deeper {
			if !slices.Contains(want, t.Type()) || decimalOf(t) != nil {
				return fmt.Errorf("%s: field %s is a %s, which cannot serve here", setting, path, describe(t))
			}
			return nil
		}
		sub, ok := t.(*avro.RecordSchema)
		if !ok {
			return fmt.Errorf("%s: %s: %s is a %s, not a record", setting, path, name, describe(t))
		}
		r, rest = sub, more
	}
}

// record appends the steps of a record's fields: a record has no encoding of its own.
func (c *compiler) record(path string, r *avro.RecordSchema) error {
	if slices.Contains(c.open, r.FullName()) {
		return fmt.Errorf("value.schema: field %s: the recursive type %s is not supported in this version", path, r.FullName())
	}
	c.open = append(c.open, r.FullName())
	defer func() { c.open = c.open[:len(c.open)-1] }()
	for _, f := range r.Fields() {
		if err := c.field(join(path, f.Name()), f.Type()); err != nil {
			return err
		}
	}
	return nil
}

func (c *compiler) field(path string, s avro.Schema) error {
	s = deref(s)
	if path == c.filler {
		c.plan.filler = true
		return nil
	}
	if r, ok := s.(*avro.RecordSchema); ok && c.fields[path].write == nil {
		return c.record(path, r)
	}
	st, ok := c.fields[path]
	if !ok {
		var err error
		if st, err = c.value(path, s); err != nil {
			return err
		}
		if l, ok := c.label(path, s); ok {
			st = l
		}
	}
	if path == c.key {
		c.plan.key = numberKey
		if s.Type() == avro.String {
			c.plan.key = textKey
		}
		st = keyed(st, c.keys)
	}
	c.plan.most += st.most
	if c.plan.filler {
		c.plan.after = append(c.plan.after, st.write)
	} else {
		c.plan.before = append(c.plan.before, st.write)
	}
	return nil
}

// label makes one field carry the message's number, so that no two records of a run are equal.
func (c *compiler) label(path string, s avro.Schema) (step, bool) {
	if c.plan.unique || path == c.key && c.keys > 0 {
		return step{}, false
	}
	l := logicalOf(s)
	switch {
	case s.Type() == avro.String && l == avro.UUID:
		c.plan.unique = true
		return uuids, true
	case s.Type() == avro.String && l == "":
		c.plan.unique = true
		return labels, true
	case s.Type() == avro.Long && l == "":
		c.plan.unique = true
		return numbers, true
	}
	return step{}, false
}

// keyed notes where the key lies and, where their number is bounded, draws the field from the key's own stream: one entity
// looks the same in every message.
func keyed(inner step, keys uint64) step {
	return step{func(b []byte, d *draw) []byte {
		d.keyAt = len(b)
		if keys == 0 {
			b = inner.write(b, d)
		} else {
			entity, stream, n := d.below(keys), d.rng, d.n
			d.rng, d.n = streamOf(d.seed, entity, contentStream^1), entity
			b = inner.write(b, d)
			d.rng, d.n = stream, n
		}
		d.end = len(b)
		return b
	}, inner.most}
}

func (c *compiler) value(path string, s avro.Schema) (step, error) {
	s = deref(s)
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
		return raw(t.Size()), nil
	case *avro.EnumSchema:
		return enums(len(t.Symbols())), nil
	case *avro.ArraySchema:
		item, err := c.value(path+"[]", t.Items())
		return arrays(item, 0, 3), err
	case *avro.MapSchema:
		item, err := c.value(path+"{}", t.Values())
		return maps(item), err
	case *avro.UnionSchema:
		return c.union(path, t)
	case *avro.RecordSchema:
		return c.nested(path, t)
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

func (c *compiler) union(path string, u *avro.UnionSchema) (step, error) {
	types := u.Types()
	if len(types) == 1 {
		inner, err := c.value(path, types[0])
		return step{func(b []byte, d *draw) []byte { return inner.write(append(b, 0), d) }, 1 + inner.most}, err
	}
	if len(types) != 2 || !u.Nullable() {
		return step{}, fmt.Errorf("value.schema: field %s: a union of %s is not supported in this version; unions of null and one type are", path, describe(u))
	}
	nullAt, typeAt := u.Indices()
	inner, err := c.value(path, types[typeAt])
	return optional(inner, nullAt, 0.1), err
}

// nested is a record inside an array, a map or a union: one step of several.
func (c *compiler) nested(path string, r *avro.RecordSchema) (step, error) {
	if slices.Contains(c.open, r.FullName()) {
		return step{}, fmt.Errorf("value.schema: field %s: the recursive type %s is not supported in this version", path, r.FullName())
	}
	c.open = append(c.open, r.FullName())
	defer func() { c.open = c.open[:len(c.open)-1] }()
	var all []op
	most := 0
	for _, f := range r.Fields() {
		st, err := c.value(join(path, f.Name()), f.Type())
		if err != nil {
			return step{}, err
		}
		all, most = append(all, st.write), most+st.most
	}
	return step{func(b []byte, d *draw) []byte {
		for _, w := range all {
			b = w(b, d)
		}
		return b
	}, most}, nil
}
