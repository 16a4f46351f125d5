package config

import (
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// plain takes anchors and tags off a node.
func plain(n ast.Node) ast.Node {
	for {
		switch x := n.(type) {
		case *ast.AnchorNode:
			n = x.Value
		case *ast.TagNode:
			n = x.Value
		default:
			return n
		}
	}
}

func mapping(n ast.Node) ([]*ast.MappingValueNode, bool) {
	switch n := n.(type) {
	case *ast.MappingNode:
		return n.Values, true
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{n}, true
	}
	return nil, false
}

func keyText(k ast.MapKeyNode) string {
	if s, ok := k.(*ast.StringNode); ok {
		return s.Value
	}
	return strings.TrimSpace(k.String())
}

func isScalar(n ast.Node) bool {
	_, ok := n.(ast.ScalarNode)
	return ok
}

// text is the scalar as it is written, expanded. ok is false for a node that is no scalar, or one whose expansion failed.
func (d *decoder) text(n ast.Node) (s string, ok bool) {
	switch x := n.(type) {
	case *ast.StringNode:
		s = x.Value
	case *ast.LiteralNode:
		s = x.Value.Value
	case ast.ScalarNode:
		s = x.GetToken().Value
	default:
		return "", false
	}
	return d.expand(n, s)
}

var reference = regexp.MustCompile(`\$?\$\{[^}]*\}?`)

var variable = regexp.MustCompile(`^[A-Za-z_]\w*$`)

// expand replaces ${NAME}, ${NAME:-default}, ${env:NAME} and ${file:PATH}; $${ stands for ${.
func (d *decoder) expand(n ast.Node, s string) (string, bool) {
	if d.getenv == nil || !strings.Contains(s, "${") {
		return s, true
	}
	ok := true
	out := reference.ReplaceAllStringFunc(s, func(ref string) string {
		if strings.HasPrefix(ref, "$$") {
			return ref[1:]
		}
		inner := strings.TrimSuffix(ref[2:], "}")
		if strings.Contains(inner, "${") {
			d.complain(n, "expected no reference within a reference, got %s", ref)
			ok = false
			return ""
		}
		name, other, defaults := strings.Cut(strings.TrimPrefix(inner, "env:"), ":-")
		if v, set := d.getenv(name); defaults && variable.MatchString(name) && strings.HasSuffix(ref, "}") {
			if set && v != "" { // as in a shell: an empty one counts as none
				return v
			}
			return other
		}
		kind, name, found := strings.Cut(inner, ":")
		if !found && variable.MatchString(kind) {
			kind, name, found = "env", kind, true
		}
		switch {
		case !found || name == "" || !strings.HasSuffix(ref, "}"):
		case kind == "env":
			v, set := d.getenv(name)
			if !set {
				d.complain(n, "the environment has no variable %s; set it, or write ${%s:-DEFAULT}", name, name)
				ok = false
			}
			return v
		case kind == "file":
			b, err := d.readFile(name)
			if err != nil {
				d.complain(n, "%v", err)
				ok = false
			}
			return strings.TrimRight(string(b), "\r\n")
		}
		d.complain(n, "expected ${env:NAME}, ${NAME:-default} or ${file:PATH} (write $${ for the text ${), got %s", ref)
		ok = false
		return ""
	})
	return out, ok
}

// anything is what a key of any type gets.
func (d *decoder) anything(n ast.Node) any {
	n = plain(n)
	if pairs, ok := mapping(n); ok {
		m := make(map[string]any, len(pairs))
		for _, p := range pairs {
			m[keyText(p.Key)] = d.anything(p.Value)
		}
		return m
	}
	switch x := n.(type) {
	case *ast.SequenceNode:
		l := make([]any, len(x.Values))
		for i, v := range x.Values {
			l[i] = d.anything(v)
		}
		return l
	case *ast.BoolNode:
		return x.Value
	case *ast.NullNode:
		return nil
	case *ast.IntegerNode:
		if i, err := strconv.Atoi(strings.ReplaceAll(x.GetToken().Value, "_", "")); err == nil {
			return i
		}
	case *ast.FloatNode:
		return x.Value
	}
	s, _ := d.text(n)
	return s
}

func join(path, key string) string {
	if path == "" || key == "" {
		return path + key
	}
	return path + "." + key
}

var listIndex = regexp.MustCompile(`^\[\d+\]`)

// find follows a path as far as it leads.
func find(n ast.Node, path string) ast.Node {
	for path != "" {
		next, rest := child(plain(n), path)
		if next == nil {
			return n
		}
		n, path = next, strings.TrimPrefix(rest, ".")
	}
	return n
}

func child(n ast.Node, path string) (next ast.Node, rest string) {
	if index := listIndex.FindString(path); index != "" {
		i, err := strconv.Atoi(strings.Trim(index, "[]"))
		if s, ok := n.(*ast.SequenceNode); ok && err == nil && i < len(s.Values) {
			return s.Values[i], path[len(index):]
		}
		return nil, ""
	}
	pairs, _ := mapping(n)
	best := -1
	for _, p := range pairs { // a key may have dots of its own: the longest that fits is meant
		key := keyText(p.Key)
		if len(key) <= best || !strings.HasPrefix(path, key) || len(path) > len(key) && path[len(key)] != '.' && path[len(key)] != '[' {
			continue
		}
		best, rest = len(key), path[len(key):]
		if next = p.Value; next == nil || next.Type() == ast.NullType {
			next = p.Key
		}
	}
	return next, rest
}

// shape says in words what a node is.
func shape(n ast.Node) string {
	switch x := n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a section with keys"
	case ast.ScalarNode:
		s := x.GetToken().Value
		if len(s) > 40 {
			s = s[:40] + "…"
		}
		return fmt.Sprintf("%q", s)
	}
	return "something else"
}

// describe says in words what a key wants.
func describe(t reflect.Type) string {
	if v, ok := reflect.New(t).Interface().(interface{ Expected() string }); ok {
		return v.Expected()
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "a word or a text"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "a whole number from 0 up"
	}
	return "a whole number"
}

// suggest names the key that was probably meant.
func suggest(got string, known []string) string {
	best := Nearest(got, known)
	if best == "" {
		return "; known are " + strings.Join(known, ", ")
	}
	return fmt.Sprintf("; did you mean %q?", best)
}

// Nearest is the candidate closest to a misspelt word; empty if none is close.
func Nearest(got string, known []string) string {
	best, at := "", len(got)/3+1
	for _, k := range known {
		if n := distance(strings.ToLower(got), strings.ToLower(k)); n <= at {
			best, at = k, n-1
		}
	}
	return best
}

// distance is Damerau's, restricted: how many letters must change, go, come or swap places.
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	d := make([][]int, len(x)+1)
	for i := range d {
		d[i] = make([]int, len(y)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(x); i++ {
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, d[i-1][j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(x)][len(y)]
}
