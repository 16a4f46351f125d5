package load

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"weir/internal/content"
	"weir/internal/stamp"
)

func (p *Profile) validateParts(c *complaints) {
	for _, name := range slices.Sorted(maps.Keys(p.Pools)) {
		pool := p.Pools[name]
		if why := pool.Invalid(); why != "" {
			c.add("pools."+name, "pool %s: %s", name, why)
		}
	}
	if len(p.Mix) == 0 {
		p.Part.validate(c, p, "")
		if p.Key.From != "" {
			c.add("key.from", "from: there is no mix, so no other part")
		}
		if p.Part.Table != "" {
			c.add("table", "table: belongs to a part of a mix; write verify.destination.table")
		}
		return
	}
	if t := p.Part; t.Topic != (Topic{}) || t.Value.Builtin != "" || t.Value.Schema != (SchemaSpec{}) || t.Key != (Key{}) || t.Size.Distribution != "" {
		c.add("mix", "mix: topic, value, key and size belong to its parts, not beside it%s", p.inherited("topic"))
	}
	if p.Verify.Destination.Table != "" {
		c.add("verify.destination.table", "table: with a mix, each part has its own: mix[].table")
	}
	names, topics, total := map[string]bool{}, map[string]bool{}, 0.0
	for i := range p.Mix {
		m, at := &p.Mix[i], fmt.Sprintf("mix[%d].", i)
		if !nameForm.MatchString(m.Name) {
			c.add(at+"name", "name: %q: want lower-case letters, digits, - and _", m.Name)
		}
		if names[m.Name] {
			c.add(at+"name", "name: %s is there twice", m.Name)
		}
		if topics[m.Topic.Name] && m.Topic.Name != "" {
			c.add(at+"topic.name", "name: another part sends to topic %s as well; give one of them another topic", m.Topic.Name)
		}
		names[m.Name], topics[m.Topic.Name] = true, true
		if !(m.Weight >= 0) || m.Weight > 1e12 {
			c.add(at+"weight", "weight: want 0 or more")
		}
		total += m.Weight
		m.validate(c, p, at)
		p.validateFrom(c, m, at)
	}
	if !(total > 0) {
		c.add("mix", "mix: want one weight above 0")
	}
}

func (p *Profile) validateFrom(c *complaints, m *MixPart, at string) {
	if m.Key.From == "" {
		return
	}
	i := slices.IndexFunc(p.Mix, func(o MixPart) bool { return o.Name == m.Key.From })
	switch {
	case i < 0 || m.Key.From == m.Name:
		c.add(at+"key.from", "from: the mix has no other part %q", m.Key.From)
	case p.Mix[i].Key.From != "":
		c.add(at+"key.from", "from: %s takes its keys from %s: name that one", m.Key.From, p.Mix[i].Key.From)
	case m.Key.Cardinality != 0:
		c.add(at+"key.cardinality", "cardinality: %s decides it", m.Key.From)
	}
}

func (part *Part) validate(c *complaints, p *Profile, at string) {
	if t := part.Topic; t.Name == "" {
		c.add(at+"topic", "topic: want a name, as topic: {name: orders}")
	} else if !topicForm.MatchString(t.Name) || t.Name == "." || t.Name == ".." {
		c.add(at+"topic.name", "name: %q is no topic name: want letters, digits, . _ -", t.Name)
	}
	if part.Topic.Partitions < 0 || part.Topic.Partitions > 10_000 {
		c.add(at+"topic.partitions", "partitions: want 1 to 10,000")
	}
	c.oneOf(at+"topic.create", part.Topic.Create, []string{"if_missing", "never", "recreate"})
	part.Value.validate(c, p, at+"value")
	c.oneOf(at+"key.distribution", part.Key.Distribution, []string{"uniform", "zipf", "sequential", "none"})
	if part.Key.Cardinality < 0 {
		c.add(at+"key.cardinality", "cardinality: want 1 or more")
	}
	if part.Key.Distribution == "none" && (part.Key.Field != "" || part.Key.From != "" || part.Key.Cardinality > 0) {
		c.add(at+"key.distribution", "distribution: none means messages without a key")
	}
	if why := part.Key.Invalid(); why != "" {
		c.add(at+"key", "key: %s", why)
	}
	c.oneOf(at+"size.of", part.Size.Of, []string{"encoded"})
	c.oneOf(at+"size.distribution", part.Size.Distribution, []string{"constant", "uniform", "normal", "lognormal", "pareto", "buckets", "learned", "schema"})
	if why := part.Size.Invalid(); why != "" {
		c.add(at+"size", "size: %s", why)
	}
	for _, h := range sortedHeaders(part.Headers) {
		if h == "" || h == stamp.Key {
			c.add(at+"headers", "headers: %q is not free: the identity of messages travels there; give it another name", h)
		}
	}
	part.validateTimes(c, at)
	if why := part.Faults.Invalid(); why != "" {
		c.add(at+"faults", "faults.%s", why)
	}
}

func (part *Part) validateTimes(c *complaints, at string) {
	e := part.EventTime
	for _, d := range []struct {
		name  string
		delay content.Delay
	}{{"late", e.Late}, {"out_of_order", e.OutOfOrder}} {
		if why := d.delay.Invalid(); why != "" {
			c.add(at+"event_time."+d.name, "%s.%s", d.name, why)
		}
	}
	if e.Field == "" && e != (content.EventTime{}) {
		c.add(at+"event_time", "event_time: want a field, a timestamp of the schema")
	}
}

func (v *Value) validate(c *complaints, p *Profile, at string) {
	c.oneOf(at+".builtin", v.Builtin, []string{content.BankTransaction})
	given := 0
	for _, there := range []bool{v.Builtin != "", v.Schema.File != "", v.Schema.Subject != ""} {
		if there {
			given++
		}
	}
	if given > 1 {
		c.add(at, "value: want one of builtin, schema.file and schema.subject")
	}
	if v.Schema.Version != "" {
		if _, err := strconv.ParseUint(string(v.Schema.Version), 10, 31); err != nil && v.Schema.Version != "latest" {
			c.add(at+".schema.version", "version: want latest or a number, got %q", v.Schema.Version)
		}
		if v.Schema.Subject == "" {
			c.add(at+".schema.version", "version: belongs to a subject")
		}
	}
	if v.Depth < 0 || v.Depth > 20 {
		c.add(at+".depth", "depth: want 1 to 20")
	}
	if e := v.Evolve; e.given() {
		if e.File == "" {
			c.add(at+".evolve", "evolve: want a file with the second schema")
		}
		if e.From < 1 {
			c.add(at+".evolve", "evolve: want from, the number of the first message with the second schema, as 50k")
		}
		v.validateFields(c, p, at+".evolve.fields", e.Fields)
	}
	v.validateFields(c, p, at+".fields", v.Fields)
}

func (v *Value) validateFields(c *complaints, p *Profile, at string, fields map[string]content.Field) {
	for _, path := range slices.Sorted(maps.Keys(fields)) {
		f := fields[path]
		if why := f.Invalid(); why != "" {
			c.add(at+"."+path, "%s: %s", path, why)
		}
		if _, ok := p.Pools[f.Pool]; f.Pool != "" && !ok {
			c.add(at+"."+path+".pool", "pool: there is no pool %q under pools", f.Pool)
		}
	}
}
