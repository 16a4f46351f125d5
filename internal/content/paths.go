package content

import (
	"strings"

	"github.com/hamba/avro/v2"
)

// known lists the paths that a schema has, for suggestions.
func (c *compiler) known(s avro.Schema) (all []string) {
	open := map[string]bool{}
	var walk func(path string, s avro.Schema)
	walk = func(path string, s avro.Schema) {
		s = deref(s)
		if path != "" {
			all = append(all, path)
		}
		switch t := s.(type) {
		case *avro.RecordSchema:
			if open[t.FullName()] || len(all) > 2000 {
				return
			}
			open[t.FullName()] = true
			defer delete(open, t.FullName())
			for _, f := range t.Fields() {
				walk(join(path, f.Name()), f.Type())
			}
		case *avro.ArraySchema:
			walk(path+"[]", t.Items())
		case *avro.MapSchema:
			walk(path+"{}", t.Values())
		case *avro.UnionSchema:
			for _, b := range t.Types() {
				if k := deref(b).Type(); k == avro.Record || k == avro.Array || k == avro.Map {
					walk(path, b)
				}
			}
		}
	}
	walk("", s)
	return all
}

func lastName(path string) string {
	path = path[strings.LastIndexByte(path, '.')+1:]
	return strings.TrimRight(path, "[]{}")
}

// chooseLabel finds the field that carries the message's number, so that no two records of a run are equal: an id rather than
// a text that a fake would fill better.
func (c *compiler) chooseLabel(root *avro.RecordSchema) string {
	if root == nil {
		return ""
	}
	best, path := 0, ""
	var walk func(at string, r *avro.RecordSchema, depth int)
	walk = func(at string, r *avro.RecordSchema, depth int) {
		for _, f := range r.Fields() {
			p, s := join(at, f.Name()), deref(f.Type())
			if sub, ok := s.(*avro.RecordSchema); ok && depth < 8 && !c.special(p) && c.preset[p].write == nil {
				walk(p, sub, depth+1)
				continue
			}
			if rank := c.labelRank(p, s); rank > best {
				best, path = rank, p
			}
		}
	}
	walk("", root, 0)
	return path
}

func (c *compiler) labelRank(path string, s avro.Schema) int {
	if c.special(path) || c.preset[path].write != nil || path == c.pad || path == c.spec.Event.Field || path == c.spec.Key && (c.spec.Keys > 0 || c.from != nil) {
		return 0
	}
	free := logicalOf(s) == "" && decimalOf(s) == nil
	switch {
	case s.Type() == avro.String && logicalOf(s) == avro.UUID:
		return 5
	case s.Type() == avro.String && free && isID(lastName(path)):
		return 4
	case s.Type() == avro.String && free:
		if _, known := guess(path, s); !known {
			return 3
		}
		return 1
	case s.Type() == avro.Long && free:
		return 2
	}
	return 0
}

func isID(name string) bool {
	low := strings.ToLower(name)
	return low == "id" || low == "key" || low == "uuid" || low == "guid" || strings.HasSuffix(low, "_id") || strings.HasSuffix(name, "Id") || strings.HasSuffix(name, "ID")
}

// choosePad finds the field that grows to the size: free text first, then bytes, then a list of texts.
func (c *compiler) choosePad(at string, root *avro.RecordSchema) string {
	best, path := 0, ""
	var walk func(at string, r *avro.RecordSchema, depth int)
	walk = func(at string, r *avro.RecordSchema, depth int) {
		for _, f := range r.Fields() {
			p, s := join(at, f.Name()), deref(f.Type())
			if sub, ok := s.(*avro.RecordSchema); ok && depth < 8 {
				walk(p, sub, depth+1)
				continue
			}
			if c.special(p) || c.preset[p].write != nil || p == c.spec.Key || p == c.spec.Event.Field || p == c.label {
				continue
			}
			if rank := padRank(p, s); rank > best {
				best, path = rank, p
			}
		}
	}
	walk(at, root, 0)
	if path == "" && c.label != "" && c.label != c.spec.Key { // the only text: it grows, and is no label any more
		if s, err := find("", c.label, root); err == nil && isText(s) {
			path, c.label = c.label, ""
		}
	}
	return path
}

func padRank(path string, s avro.Schema) int {
	text, list := growsBy(s)
	_, fake := guess(path, s)
	switch {
	case text && s.Type() == avro.String && !fake && !isID(lastName(path)):
		return 5
	case text && s.Type() == avro.Bytes:
		return 4
	case list:
		return 3
	case text && !isID(lastName(path)):
		return 2
	case text:
		return 1
	}
	return 0
}
