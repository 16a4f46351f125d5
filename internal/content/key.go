package content

import (
	"fmt"

	"github.com/hamba/avro/v2"
)

// asKey makes a field the message's key.
func (c *compiler) asKey(path string, s avro.Schema, st step) (step, error) {
	kind := numberKey
	if s.Type() == avro.String {
		kind = textKey
	}
	if c.from != nil && c.from.plan.keyField.write == nil {
		return st, fmt.Errorf("key.from: the key of that stream stands in no field, so that %s cannot have its values", path)
	}
	if c.from != nil && c.from.plan.key != kind {
		return st, fmt.Errorf("key.from: the key of that stream is of another type than %s", path)
	}
	if f := c.spec.Fields[path]; f.Pool != "" && c.spec.Keys > 0 {
		return st, fmt.Errorf("key.cardinality: %s belongs to pool %s, whose entities are the keys", path, f.Pool)
	}
	c.plan.key, c.plan.keyField = kind, st
	return c.keyed(st), nil
}

// keyed notes where the key lies and, where their number is bounded, draws the field from the key's own stream: one entity
// looks the same in every message, and in another topic.
func (c *compiler) keyed(inner step) step {
	keys, choice, seed := c.spec.Keys, c.spec.Choice, c.spec.Seed
	if c.from != nil {
		inner, keys, seed = c.from.plan.keyField, c.from.c.Keys, c.from.c.Seed
		if choice == (Choice{}) {
			choice = c.from.c.Choice
		}
	}
	if keys == 0 {
		inner.write = noted(inner.write)
		return inner
	}
	which := newChooser(keys, choice)
	return step{noted(func(b []byte, d *draw) []byte {
		entity := which.draw(d)
		return d.instead(b, inner.write, seed, entity, contentStream^1)
	}), inner.least, inner.most, inner.most}
}

func noted(write op) op {
	return func(b []byte, d *draw) []byte {
		d.keyAt = len(b)
		b = write(b, d)
		d.end = len(b)
		return b
	}
}

// instead writes as if it were entity's turn in another stream, and never shorter: an entity looks the same everywhere.
func (d *draw) instead(b []byte, write op, seed, entity, stream uint64) []byte {
	r, n, s, lean := d.rng, d.n, d.seed, d.lean
	d.rng, d.n, d.seed, d.lean = streamOf(seed, entity, stream), entity, seed, false
	b = write(b, d)
	d.rng, d.n, d.seed, d.lean = r, n, s, lean
	return b
}

// pooled draws a field as an attribute of one entity of a pool: the same in every field, message and topic that names it.
func (c *compiler) pooled(path string, inner step, f *Field) (step, error) {
	p, ok := c.spec.Pools[f.Pool]
	if !ok {
		return step{}, fmt.Errorf("value.fields.%s: pool: there is no pool %s", path, f.Pool)
	}
	if why := p.Invalid(); why != "" {
		return step{}, fmt.Errorf("pools: %s: %s", f.Pool, why)
	}
	i := 0
	for ; i < len(c.pools) && c.pools[i] != f.Pool; i++ {
	}
	if i == mostPools {
		return step{}, fmt.Errorf("value.fields.%s: pool: one topic can have %d pools", path, mostPools)
	}
	if i == len(c.pools) {
		c.pools, c.chosen = append(c.pools, f.Pool), append(c.chosen, newChooser(uint64(p.Entities), p.Choice))
	}
	as := f.As
	if as == "" {
		as = lastName(path)
	}
	which, seed, stream, name := c.chosen[i], c.spec.Seed^hash(f.Pool), hash(as), hash(f.Pool)
	return step{func(b []byte, d *draw) []byte {
		if d.chosen>>i&1 == 0 {
			choice := draw{rng: streamOf(d.seed, d.n, poolStream^name), seed: d.seed, n: d.n}
			d.entities[i] = which.draw(&choice)
			d.chosen |= 1 << i
		}
		return d.instead(b, inner.write, seed, d.entities[i], stream)
	}, inner.least, inner.most, inner.most}, nil
}

// Invalid says what is wrong with a pool; empty: nothing.
func (p *Pool) Invalid() string {
	if p.Entities < 1 {
		return "want 1 or more entities"
	}
	if p.Distribution == "none" {
		return "distribution: none is for keys"
	}
	return p.Choice.Invalid()
}

// Invalid says what is wrong with a choice; empty: nothing.
func (c *Choice) Invalid() string {
	switch {
	case c.Exponent < 0 || c.Exponent > 10:
		return "exponent: want above 0, up to 10"
	case c.Exponent > 0 && c.Distribution != "zipf":
		return "exponent: belongs to distribution: zipf"
	case c.Hot.Share < 0 || c.Hot.Share > 1:
		return "hot.share: want 0% to 100%"
	case c.Hot.Keys < 0 || c.Hot.Keys > 0 && c.Hot.Share == 0:
		return "hot: want a share, and 1 or more keys"
	}
	return ""
}

// hash is FNV-1a, mixed: part of the content's definition.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return mix(h)
}
