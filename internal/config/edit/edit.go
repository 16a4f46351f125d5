// Package edit changes single values of a YAML text and leaves everything else as it stands: comments, order, quotes, blank lines.
//
// Start with [Parse] to see what a text holds; [Set], [Add], [Put] and [Remove] give a new text.
//
// # Promises
//
// A change touches the value that was named and nothing else: the new text is read again and compared, and a change that would
// move anything else is refused. What cannot be changed in place (a text over several lines, an anchor) is refused as well.
package edit

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
)

// ErrPlace means that the text has nothing at the path.
var ErrPlace = errors.New("there is nothing")

// ErrShape means that this place cannot be changed from outside: only in the text itself.
var ErrShape = errors.New("it can only be changed in the text")

// Set gives the value at path another text; the key is added where its section has none.
func Set(text, path, value string) (string, error) {
	if strings.ContainsAny(value, "\r\n") {
		return "", fmt.Errorf("%s: a value has one line", path)
	}
	root, err := Parse(text)
	if err != nil {
		return "", err
	}
	n := root.Find(path)
	switch {
	case n == nil:
		out, err := Put(text, path, root.scalarFor(path, value))
		if err != nil {
			return "", err
		}
		return proved(root, out, path, func(all map[string]string) { delete(all, parentOf(path)); all[path] = value })
	case n.Kind != Value || n.fixed:
		return "", fmt.Errorf("%s: %w", path, ErrShape)
	}
	raw := scalar(value, n.flow, first(text[n.start:n.end]))
	if n.start == n.end { // a key without a value
		raw = " " + raw
	}
	return proved(root, splice(text, n.start, n.end, raw), path, func(all map[string]string) { all[path] = value })
}

// Put adds a key with raw YAML: a value, {a: b}, or lines of a block that begin with a line end.
func Put(text, path, raw string) (string, error) {
	root, err := Parse(text)
	if err != nil {
		return "", err
	}
	if root.Find(path) != nil {
		return "", fmt.Errorf("%s is there already", path)
	}
	parent, key := cut(path)
	s := root.Find(parent)
	switch {
	case s == nil && parent != "":
		return "", fmt.Errorf("%s: %w: add %s first", path, ErrPlace, parent)
	case s == nil || strings.HasPrefix(key, "["):
		return "", fmt.Errorf("%s: %w", path, ErrPlace)
	case s.fixed || s.Kind == List || s.Kind == Value && !s.null || s.inFlow() && strings.Contains(raw, "\n"):
		return "", fmt.Errorf("%s: %w", path, ErrShape)
	}
	raw = keyText(key) + ":" + gap(raw) + raw
	out, err := proved(root, s.insert(text, raw, false), path, nil)
	if err != nil {
		return "", err
	}
	if after, err := Parse(out); err != nil || after.Find(path) == nil {
		return "", fmt.Errorf("%s: %w", path, ErrShape)
	}
	return out, nil
}

func parentOf(path string) string { p, _ := cut(path); return p }

// scalarFor writes a value for a key that is to come.
func (n *Node) scalarFor(path, value string) string {
	p := n.Find(parentOf(path))
	return scalar(value, p != nil && p.inFlow(), 0)
}

// inFlow reports that what is added to it stands within { } or [ ].
func (n *Node) inFlow() bool { return n.flow || n.own }

// Add gives a list one more element: a copy of its last one, or raw where it is empty. A name within it is made another one.
func Add(text, path, raw string) (string, error) {
	root, err := Parse(text)
	if err != nil {
		return "", err
	}
	n := root.Find(path)
	if n == nil {
		return "", fmt.Errorf("%s: %w", path, ErrPlace)
	}
	if n.Kind != List || n.fixed {
		return "", fmt.Errorf("%s: %w", path, ErrShape)
	}
	if k := len(n.Children); k > 0 {
		last := n.Children[k-1]
		if last.fixed {
			return "", fmt.Errorf("%s: %w", path, ErrShape)
		}
		raw = dedent(text[last.start:last.end], last.Col-1)
	}
	if n.inFlow() && strings.Contains(raw, "\n") {
		return "", fmt.Errorf("%s: %w", path, ErrShape)
	}
	out, err := proved(root, n.insert(text, raw, true), "", nil)
	if err != nil {
		return "", err
	}
	at := fmt.Sprintf("%s[%d].name", path, len(n.Children))
	if after, err := Parse(out); err == nil && after.Find(at) != nil && len(n.Children) > 0 {
		return Set(out, at, another(after.Find(path), after.Find(at).Text))
	}
	return out, nil
}

// another name that no element of the list has.
func another(list *Node, name string) string {
	taken := map[string]bool{}
	for _, e := range list.Children {
		for _, c := range e.Children {
			if c.Key == "name" {
				taken[c.Text] = true
			}
		}
	}
	base := name
	if i := strings.LastIndexByte(name, '-'); i > 0 && strings.Trim(name[i+1:], "0123456789") == "" {
		base = name[:i]
	}
	for i := 2; ; i++ {
		if n := fmt.Sprintf("%s-%d", base, i); !taken[n] {
			return n
		}
	}
}

// Remove takes a key or an element of a list away.
func Remove(text, path string) (string, error) {
	root, err := Parse(text)
	if err != nil {
		return "", err
	}
	n := root.Find(path)
	if n == nil || n == root {
		return "", fmt.Errorf("%s: %w", path, ErrPlace)
	}
	out, ok := n.without(text)
	if !ok {
		return "", fmt.Errorf("%s: %w", path, ErrShape)
	}
	after, err := Parse(out)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, ErrShape)
	}
	// The elements behind it move up: what is left is the same values, without those of the element.
	want, got := count(root.leaves()), count(after.leaves())
	for v, k := range count(n.leaves()) {
		if want[v] -= k; want[v] == 0 {
			delete(want, v)
		}
	}
	if !maps.Equal(want, got) {
		return "", fmt.Errorf("%s: %w", path, ErrShape)
	}
	return out, nil
}

// proved compares the texts: all values are as before, but for what change does to them. A path outside of change may only come anew.
func proved(before *Node, text, path string, change func(map[string]string)) (string, error) {
	after, err := Parse(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", path, ErrShape)
	}
	want, got := before.leaves(), after.leaves()
	if change != nil {
		change(want)
		if !maps.Equal(want, got) {
			return "", fmt.Errorf("%s: %w", path, ErrShape)
		}
		return text, nil
	}
	for p, v := range want {
		if got[p] != v && !(v == "" && p == parentOf(path)) {
			return "", fmt.Errorf("%s: %w", p, ErrShape)
		}
	}
	return text, nil
}

func count(leaves map[string]string) map[string]int {
	n := map[string]int{}
	for path, v := range leaves {
		_, key := cut(path)
		if strings.HasPrefix(key, "[") {
			key = "[]"
		}
		n[key+"="+v]++
	}
	return n
}

func splice(text string, from, to int, with string) string { return text[:from] + with + text[to:] }

func first(s string) byte {
	if s == "" {
		return 0
	}
	return s[0]
}

func gap(raw string) string {
	if strings.HasPrefix(raw, "\n") {
		return ""
	}
	return " "
}

// cut splits a path into its parent and its last step: a key, or [3].
func cut(path string) (parent, key string) {
	if i := strings.LastIndexByte(path, '['); i >= 0 && strings.HasSuffix(path, "]") && strings.Trim(path[i+1:len(path)-1], "0123456789") == "" {
		return path[:i], path[i:]
	}
	i := strings.LastIndexByte(path, '.')
	if i < 0 {
		return "", path
	}
	return path[:i], path[i+1:]
}

// dedent takes n blanks off all lines but the first.
func dedent(s string, n int) string {
	lines := strings.Split(s, "\n")
	for i := 1; i < len(lines); i++ {
		blanks := len(lines[i]) - len(strings.TrimLeft(lines[i], " "))
		lines[i] = lines[i][min(n, blanks):]
	}
	return strings.Join(lines, "\n")
}

func indent(s string, by string) string { return strings.ReplaceAll(s, "\n", "\n"+by) }

// scalar writes a value so that YAML reads the same text again: as the old one was quoted, or with quotes only where it needs them.
func scalar(value string, flow bool, old byte) string {
	switch {
	case old == '\'':
		return "'" + strings.ReplaceAll(value, "'", "''") + "'"
	case old == '"':
		return quoted(value)
	}
	probe := "k: " + value + "\n"
	if flow {
		probe = "{k: " + value + ", l: 1}\n"
	}
	n, err := Parse(probe)
	if err == nil && len(n.Children) == 1+btoi(flow) && value != "" {
		if k := n.Children[0]; k.Kind == Value && !k.fixed && k.Text == value && !k.null && probe[k.start] == value[0] && value[0] != '"' && value[0] != '\'' {
			return value
		}
	}
	return quoted(value)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// quoted is a JSON string: YAML reads it the same way.
func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can always be encoded
	return strings.TrimSuffix(b.String(), "\n")
}

func keyText(key string) string {
	if s := scalar(key, true, 0); !strings.ContainsAny(s, ":#") {
		return s
	}
	return quoted(key)
}
