package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// A Layer is a text below the one that is decoded.
type Layer struct {
	Name string // stands in complaints
	Data []byte
}

// layer is where a node comes from, if not from the file that is decoded.
type layer struct {
	name string
	flag bool // it has no lines
}

// setting is a value that a flag gives.
type setting struct{ name, path, value string }

// Under lays texts below the decoded one, the nearest first: they hold where it says nothing. Sections are merged key by key, lists
// and values replaced, and `key:` without a value takes away what lies below. whole may be nil; it reports that the section at a
// path, which has these keys, replaces the one below as a list would. A complaint names the text and the line where the value stands.
func Under(whole func(path string, keys []string) bool, below ...Layer) Option {
	return func(o *options) { o.whole, o.below = whole, append(o.below, below...) }
}

// Set puts a value, written in YAML, at a path such as rate.stages[1].target or value.fields["a.b"], above all layers. name stands in
// complaints: the flag as it was given.
func Set(name, path, value string) Option {
	return func(o *options) { o.settings = append(o.settings, setting{name, path, value}) }
}

// Lookup gives the text of a key of a file, as decoding would, and its place for complaints; ok is false where there is none.
func Lookup(name string, data []byte, key string, opt ...Option) (text string, at Problem, ok bool, err error) {
	d := newDecoder(name, opt)
	root, parsed := d.tree(data)
	if !parsed {
		return "", at, false, d.result()
	}
	pairs, _ := mapping(root)
	i := keyAt(pairs, key)
	if i < 0 {
		return "", at, false, nil
	}
	n := plain(pairs[i].Value)
	if n == nil || n.Type() == ast.NullType || !isScalar(n) {
		return "", at, false, nil
	}
	text, ok = d.text(n)
	return text, d.place(n), ok, d.result()
}

// Flat writes a file and what lies below it as one, without expanding references.
func Flat(name string, data []byte, opt ...Option) ([]byte, error) {
	d := newDecoder(name, append(opt, WithoutExpansion()))
	root, ok := d.tree(data)
	if !ok {
		return nil, d.result()
	}
	return yaml.MarshalWithOptions(d.ordered(root), yaml.Flow(false), yaml.IndentSequence(true))
}

// ordered is a node as goccy writes it with its keys in their order.
func (d *decoder) ordered(n ast.Node) any {
	n = plain(n)
	if pairs, ok := mapping(n); ok {
		var all yaml.MapSlice
		for _, p := range pairs {
			if v := plain(p.Value); v != nil && v.Type() != ast.NullType {
				all = append(all, yaml.MapItem{Key: keyText(p.Key), Value: d.ordered(v)})
			}
		}
		return all
	}
	if s, ok := n.(*ast.SequenceNode); ok {
		all := make([]any, len(s.Values))
		for i, v := range s.Values {
			all[i] = d.ordered(v)
		}
		return all
	}
	return d.anything(n)
}

// tree parses the file and puts the layers together.
func (d *decoder) tree(data []byte) (ast.Node, bool) {
	root, ok := d.parse(data)
	if !ok {
		return nil, false
	}
	for _, l := range d.below {
		under := &decoder{options: d.options, file: l.Name}
		n, ok := under.parse(l.Data)
		if !ok {
			d.problems = append(d.problems, under.problems...)
			return nil, false
		}
		d.mark(n, &layer{name: l.Name})
		root = d.merge(root, n, "")
	}
	for _, s := range d.settings {
		root = d.set(root, s)
	}
	return root, len(d.problems) == 0
}

// mark notes where the nodes of a tree come from.
func (d *decoder) mark(n ast.Node, l *layer) {
	if d.origin == nil {
		d.origin = map[*token.Token]*layer{}
	}
	ast.Walk(marker{d.origin, l}, n)
}

type marker struct {
	origin map[*token.Token]*layer
	layer  *layer
}

func (m marker) Visit(n ast.Node) ast.Visitor {
	if n != nil {
		m.origin[n.GetToken()] = m.layer
	}
	return m
}

func (d *decoder) merge(upper, lower ast.Node, path string) ast.Node {
	above, ok := mapping(plain(upper))
	beneath, both := mapping(plain(lower))
	if !ok || !both || d.whole != nil && d.whole(path, keysOf(above)) {
		return upper
	}
	var out []*ast.MappingValueNode
	for _, p := range above {
		if i := keyAt(beneath, keyText(p.Key)); i >= 0 {
			p = pair(p.Key, d.merge(p.Value, beneath[i].Value, join(path, keyText(p.Key))))
		}
		out = append(out, p)
	}
	for _, p := range beneath {
		if keyAt(above, keyText(p.Key)) < 0 {
			out = append(out, p)
		}
	}
	return section(upper.GetToken(), out)
}

func keysOf(pairs []*ast.MappingValueNode) []string {
	all := make([]string, len(pairs))
	for i, p := range pairs {
		all[i] = keyText(p.Key)
	}
	return all
}

func keyAt(pairs []*ast.MappingValueNode, key string) int { return slices.Index(keysOf(pairs), key) }

func pair(key ast.MapKeyNode, value ast.Node) *ast.MappingValueNode {
	return &ast.MappingValueNode{BaseNode: &ast.BaseNode{}, Start: key.GetToken(), Key: key, Value: value}
}

func section(start *token.Token, pairs []*ast.MappingValueNode) ast.Node {
	return &ast.MappingNode{BaseNode: &ast.BaseNode{}, Start: start, Values: pairs}
}

// set puts a flag's value into the tree.
func (d *decoder) set(root ast.Node, s setting) ast.Node {
	l := &layer{name: s.name, flag: true}
	say := func(err error) ast.Node {
		d.problems = append(d.problems, Problem{File: l.name, Message: err.Error()})
		return root
	}
	steps, err := parsePath(s.path)
	if err != nil {
		return say(err)
	}
	f, err := parser.ParseBytes([]byte(s.value), 0)
	if err != nil {
		return say(errors.New(syntax(l.name, nil, err).Message + "; put a text with colons or brackets into quotes"))
	}
	value := ast.Node(ast.Null(token.New("null", "null", &token.Position{Line: 1, Column: 1})))
	if len(f.Docs) > 0 && f.Docs[0].Body != nil {
		value = f.Docs[0].Body
	}
	d.mark(value, l)
	next, err := d.put(root, steps, "", value, l)
	if err != nil {
		return say(err)
	}
	return next
}

// A pathStep is a key, or the index of a list where key is empty.
type pathStep struct {
	key   string
	index int
}

var stepForm = regexp.MustCompile(`^(?:\.?([A-Za-z_][\w-]*)|\[(\d{1,6})\]|\["([^"]+)"\])`)

func parsePath(path string) (all []pathStep, err error) {
	for rest := path; rest != ""; {
		m := stepForm.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf(`%q is no path; write keys with dots between, as rate.stages[1].target or value.fields["a.b"]`, path)
		}
		rest = rest[len(m[0]):]
		if m[2] != "" {
			i, _ := strconv.Atoi(m[2])
			all = append(all, pathStep{index: i})
			continue
		}
		all = append(all, pathStep{key: m[1] + m[3]})
	}
	if len(all) == 0 || all[0].key == "" {
		return nil, fmt.Errorf("%q is no path; write keys with dots between, as rate.stages[1].target", path)
	}
	return all, nil
}

// put gives the node that stands at path with the value in it.
func (d *decoder) put(n ast.Node, steps []pathStep, path string, value ast.Node, l *layer) (ast.Node, error) {
	if len(steps) == 0 {
		return value, nil
	}
	n = plain(n)
	if n != nil && n.Type() == ast.NullType {
		n = nil
	}
	at := cmpOr(path, "the file")
	if steps[0].key == "" {
		s, ok := n.(*ast.SequenceNode)
		switch i := steps[0].index; {
		case !ok:
			return nil, fmt.Errorf("%s is no list, so it has no [%d]", at, i)
		case i >= len(s.Values):
			return nil, fmt.Errorf("%s has %d items, the last is [%d]; got [%d]", at, len(s.Values), len(s.Values)-1, i)
		default:
			next, err := d.put(s.Values[i], steps[1:], fmt.Sprintf("%s[%d]", path, i), value, l)
			if err == nil {
				s.Values[i] = next
			}
			return s, err
		}
	}
	pairs, ok := mapping(n)
	if n != nil && !ok {
		return nil, fmt.Errorf("%s is %s, no section with keys", at, shape(n))
	}
	for i := len(steps); i > 0; i-- { // a key may have dots of its own: the longest that fits is meant
		key, all := joined(steps[:i])
		at := keyAt(pairs, key)
		if !all || at < 0 {
			continue
		}
		next, err := d.put(pairs[at].Value, steps[i:], join(path, key), value, l)
		if err != nil {
			return nil, err
		}
		out := slices.Clone(pairs)
		out[at] = pair(pairs[at].Key, next)
		return section(n.GetToken(), out), nil
	}
	if len(steps) > 1 && steps[1].key == "" {
		return nil, fmt.Errorf("%s has no list %s%s", at, steps[0].key, suggest(steps[0].key, keysOf(pairs)))
	}
	next, err := d.put(nil, steps[1:], join(path, steps[0].key), value, l)
	if err != nil {
		return nil, err
	}
	key := token.New(steps[0].key, steps[0].key, &token.Position{Line: 1, Column: 1})
	d.origin[key] = l
	start := key
	if n != nil {
		start = n.GetToken()
	}
	return section(start, append(slices.Clone(pairs), pair(ast.String(key), next))), nil
}

func joined(steps []pathStep) (key string, all bool) {
	names := make([]string, len(steps))
	for i, s := range steps {
		if s.key == "" {
			return "", false
		}
		names[i] = s.key
	}
	return strings.Join(names, "."), true
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
