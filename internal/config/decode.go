package config

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// decoder walks the syntax tree and the Go value side by side. goccy's own decoder stops at the first error and speaks of Go
// types; people want all of them, in words.
type decoder struct {
	options
	file     string
	problems Problems
	root     ast.Node
	origin   map[*token.Token]*layer // of nodes that stand in another text than the file
	said     map[Problem]bool        // places that have a complaint: what Validate says there as well is left out
	misread  int                     // values that could not be read
	wrong    map[string]bool         // paths that hold one: what Validate says of them may only follow from it
}

func (d *decoder) decodeRoot(root ast.Node, v any) {
	d.root = root
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Pointer || rv.IsNil() {
		panic("config: Decode needs a pointer to a struct")
	}
	d.value(root, rv.Elem(), "")
}

func (d *decoder) result() error {
	if len(d.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(d.problems, func(a, b Problem) int {
		if a.File != b.File {
			return d.order(a.File) - d.order(b.File)
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Col - b.Col
	})
	return d.problems
}

// order is that of the texts: flags, the file, what lies below it.
func (d *decoder) order(file string) int {
	if file == d.file {
		return 0
	}
	return 1 + slices.IndexFunc(d.below, func(l Layer) bool { return l.Name == file })*2
}

func (d *decoder) complain(n ast.Node, format string, args ...any) {
	p := d.place(n)
	d.note(p)
	p.Message = fmt.Sprintf(format, args...)
	d.problems = append(d.problems, p)
	d.misread++
}

func (d *decoder) note(at Problem) {
	if d.said == nil {
		d.said = map[Problem]bool{}
	}
	d.said[at] = true
}

// place is a problem without its message.
func (d *decoder) place(n ast.Node) Problem {
	p := Problem{File: d.file, Line: 1, Col: 1}
	if n == nil {
		return p
	}
	t := standsAt(n)
	if t != nil && t.Position != nil {
		p.Line, p.Col = t.Position.Line, t.Position.Column
	}
	switch l := d.origin[t]; {
	case l != nil && l.flag:
		p = Problem{File: l.name}
	case l != nil:
		p.File = l.name
	}
	return p
}

// standsAt is the token that tells where a node is.
func standsAt(n ast.Node) *token.Token {
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		n = m.Values[0].Key // the token of a mapping is the colon of its first key
	}
	if v, ok := n.(*ast.MappingValueNode); ok {
		n = v.Key
	}
	return n.GetToken()
}

// value decodes n into v, which stands at path.
func (d *decoder) value(n ast.Node, v reflect.Value, path string) {
	before := d.misread
	d.decode(n, v, path)
	if d.misread > before {
		d.mistaken(path)
	}
}

func (d *decoder) mistaken(path string) {
	if d.wrong == nil {
		d.wrong = map[string]bool{}
	}
	d.wrong[path] = true
}

func (d *decoder) decode(n ast.Node, v reflect.Value, path string) {
	n = plain(n)
	if n == nil || n.Type() == ast.NullType {
		return // `key:` without a value is the same as no key
	}
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			v.Set(reflect.New(v.Type().Elem()))
		}
		d.value(n, v.Elem(), path)
		return
	}
	if done := d.custom(n, v, path); done {
		d.validate(v, path)
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
		d.validate(v, path)
	case reflect.Slice:
		d.list(n, v, path)
	case reflect.Map:
		d.dictionary(n, v, path)
	case reflect.Interface:
		if x := d.anything(n); x != nil {
			v.Set(reflect.ValueOf(x))
		}
	default:
		d.scalar(n, v)
	}
}

// custom lets a type decode itself: from the node, from text, or with the help of a function that decodes.
func (d *decoder) custom(n ast.Node, v reflect.Value, path string) bool {
	var err error
	sub := &decoder{} // of the last try
	switch u := v.Addr().Interface().(type) {
	case interface{ UnmarshalYAML(ast.Node) error }:
		err = u.UnmarshalYAML(n)
	case interface{ UnmarshalYAML([]byte) error }:
		err = u.UnmarshalYAML([]byte(n.String()))
	case interface{ UnmarshalYAML(func(any) error) error }:
		err = u.UnmarshalYAML(func(into any) error {
			sub = &decoder{options: d.options, file: d.file, root: d.root, origin: d.origin}
			sub.value(n, reflect.ValueOf(into).Elem(), path)
			return sub.result()
		})
	case encoding.TextUnmarshaler:
		text, ok := d.text(n)
		if !ok {
			if isScalar(n) { // the expansion has complained
				return true
			}
			err = fmt.Errorf("expected %s, got %s", describe(v.Type()), shape(n))
			break
		}
		if err = u.UnmarshalText([]byte(text)); err != nil && expanded(n, text) {
			err = fmt.Errorf("expected %s; what %s stands for is none", describe(v.Type()), n.GetToken().Value)
		}
	default:
		return false
	}
	var several Problems
	if errors.As(err, &several) {
		d.problems = append(d.problems, several...)
		d.misread += sub.misread
		for path := range sub.wrong {
			d.mistaken(path)
		}
	} else if err != nil {
		d.complain(n, "%s", err.Error())
	}
	return true
}

// field is a key that a struct knows.
type field struct {
	name     string
	index    []int
	required bool
	about    string
}

func fieldsOf(t reflect.Type) []field {
	var all []field
	for i := range t.NumField() {
		f := t.Field(i)
		name, opts, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || name == "-":
		case f.Anonymous || opts == "inline":
			for _, in := range fieldsOf(f.Type) {
				in.index = append([]int{i}, in.index...)
				all = append(all, in)
			}
		default:
			if name == "" {
				name = strings.ToLower(f.Name)
			}
			x := field{name: name, index: []int{i}}
			for _, w := range strings.Split(f.Tag.Get("jsonschema"), ",") {
				if w == "required" {
					x.required = true
				}
				if about, ok := strings.CutPrefix(w, "description="); ok {
					x.about = about
				}
			}
			all = append(all, x)
		}
	}
	return all
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string) {
	pairs, ok := mapping(n)
	if !ok {
		d.complain(n, "expected a section with keys, got %s", shape(n))
		return
	}
	fields := fieldsOf(v.Type())
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.name
	}
	seen := map[string]bool{}
	for _, p := range pairs {
		key := keyText(p.Key)
		i := slices.Index(names, key)
		switch {
		case i < 0:
			d.complain(p.Key, "unknown key %q%s", key, suggest(key, names))
		case seen[key]:
			d.complain(p.Key, "key %q stands here a second time", key)
		default:
			d.value(p.Value, v.FieldByIndex(fields[i].index), join(path, key))
		}
		seen[key] = true
	}
	for _, f := range fields {
		if f.required && !seen[f.name] {
			about := ""
			if f.about != "" {
				about = ": " + f.about
			}
			d.complain(n, "missing key %q%s", f.name, about)
			d.missing(join(path, f.name))
		}
	}
}

// missing keeps Validate from saying the same again.
func (d *decoder) missing(path string) {
	d.note(d.place(find(d.root, path)))
}

func (d *decoder) list(n ast.Node, v reflect.Value, path string) {
	s, ok := n.(*ast.SequenceNode)
	if !ok {
		d.complain(n, "expected a list (lines that begin with `- `), got %s", shape(n))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(s.Values), len(s.Values))
	for i, item := range s.Values {
		d.value(item, out.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(out)
}

func (d *decoder) dictionary(n ast.Node, v reflect.Value, path string) {
	pairs, ok := mapping(n)
	if !ok {
		d.complain(n, "expected a section with keys, got %s", shape(n))
		return
	}
	out := reflect.MakeMapWithSize(v.Type(), len(pairs))
	for _, p := range pairs {
		key := reflect.ValueOf(keyText(p.Key)).Convert(v.Type().Key())
		if out.MapIndex(key).IsValid() {
			d.complain(p.Key, "key %q stands here a second time", key)
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(p.Value, item, join(path, keyText(p.Key)))
		out.SetMapIndex(key, item)
	}
	v.Set(out)
}

func (d *decoder) scalar(n ast.Node, v reflect.Value) {
	text, ok := d.text(n)
	if !ok {
		if !isScalar(n) {
			d.complain(n, "expected %s, got %s", describe(v.Type()), shape(n))
		}
		return
	}
	var err error
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		var b bool
		if b, err = strconv.ParseBool(text); err == nil {
			v.SetBool(b)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var i int64
		if i, err = strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, v.Type().Bits()); err == nil {
			v.SetInt(i)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var u uint64
		if u, err = strconv.ParseUint(strings.ReplaceAll(text, "_", ""), 10, v.Type().Bits()); err == nil {
			v.SetUint(u)
		}
	case reflect.Float32, reflect.Float64:
		var f float64
		if f, err = strconv.ParseFloat(text, v.Type().Bits()); err == nil {
			v.SetFloat(f)
		}
	default:
		panic("config: no key can have type " + v.Type().String())
	}
	if err != nil && expanded(n, text) { // it may be a secret in the wrong place
		d.complain(n, "expected %s; what %s stands for is none", describe(v.Type()), n.GetToken().Value)
	} else if err != nil {
		d.complain(n, "expected %s, got %q", describe(v.Type()), text)
	}
}

// expanded reports that the text is not what stands in the file.
func expanded(n ast.Node, text string) bool {
	raw := n.GetToken().Value
	return raw != text && strings.Contains(raw, "${")
}

// validate asks a struct what is wrong with it and gives each complaint its place.
func (d *decoder) validate(v reflect.Value, path string) {
	w, ok := v.Addr().Interface().(Validator)
	if !ok {
		return
	}
	for _, bad := range w.Validate() {
		n := find(d.root, join(path, bad.Path))
		at := d.place(n)
		if d.said[at] || d.wrong[join(path, bad.Path)] {
			continue
		}
		before := len(d.said)
		d.complain(n, "%s", bad.Message)
		d.misread--
		if len(d.said) > before { // two complaints of Validate about one place are both told
			delete(d.said, at)
		}
	}
}
