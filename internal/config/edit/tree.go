package edit

import (
	"errors"
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Kind of a Node.
type Kind string

// What a place of a text is.
const (
	Value   Kind = "value"
	Section Kind = "section"
	List    Kind = "list"
)

// A Node is a place of a text.
type Node struct {
	Path string // rate.stages[1].target; empty for the whole
	Key  string // target, or [1]
	Kind Kind
	Text string // of a Value, as it is read
	// Line and Col of the value, from 1, in characters; of a section those of its first key.
	Line, Col int
	Children  []*Node

	keyLine, keyCol int  // where the key or the dash stands
	flow            bool // it stands within { } or [ ]
	own             bool // it is { } or [ ] itself
	fixed           bool // an anchor, an alias, a tag, or lines of text
	null            bool
	start, end      int // of the value in the text, in bytes
	from            int // of the key or the dash
	parent          *Node
}

// Parse reads a text of one document whose top is a section.
func Parse(text string) (*Node, error) {
	f, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return nil, err
	}
	var body ast.Node
	for _, d := range f.Docs {
		if d.Body == nil || d.Body.Type() == ast.CommentType {
			continue
		}
		if body != nil {
			return nil, errors.New("it has several documents")
		}
		body = d.Body
	}
	if body == nil {
		return nil, errors.New("it is empty")
	}
	r := reader{text: text}
	r.index()
	n, err := r.node(body, "", "", false)
	if err != nil {
		return nil, err
	}
	if n.Kind != Section {
		return nil, errors.New("it is no section with keys")
	}
	odd := n.start < 0 || n.end < n.start || n.end > len(text)
	n.Walk(func(c *Node) { // a place outside of the text would cut something else
		odd = odd || c.from < 0 || c.start < c.from || c.end < c.start || c.end > c.parent.end || c.from < c.parent.start && !c.parent.fixed
	})
	if odd {
		return nil, errOdd
	}
	return n, nil
}

// Fixed reports that it can only be changed in the text itself: an anchor, an alias, a tag, a text over several lines.
func (n *Node) Fixed() bool { return n.fixed }

// Empty reports that it is a key without a value.
func (n *Node) Empty() bool { return n.null && n.start == n.end }

// Find is the node at a path; nil if there is none.
func (n *Node) Find(path string) *Node {
	if n.Path == path {
		return n
	}
	for _, c := range n.Children {
		if c.Path == path || strings.HasPrefix(path, c.Path+".") || strings.HasPrefix(path, c.Path+"[") {
			if found := c.Find(path); found != nil {
				return found
			}
		}
	}
	return nil
}

// Walk visits the nodes below n in the order of the text.
func (n *Node) Walk(visit func(*Node)) {
	for _, c := range n.Children {
		visit(c)
		c.Walk(visit)
	}
}

// leaves are the values by their path; an empty section or list counts as one.
func (n *Node) leaves() map[string]string {
	all := map[string]string{}
	var walk func(*Node)
	walk = func(n *Node) {
		if n.Kind == Value {
			all[n.Path] = n.Text
			return
		}
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(n)
	return all
}

type reader struct {
	text  string
	lines []int // where each begins
}

func (r *reader) index() {
	r.lines = []int{0}
	for i := range len(r.text) {
		if r.text[i] == '\n' {
			r.lines = append(r.lines, i+1)
		}
	}
}

// offset of a place; columns count characters.
func (r *reader) offset(line, col int) int {
	if line < 1 || line > len(r.lines) {
		return len(r.text)
	}
	at := r.lines[line-1]
	for i := range r.text[at:] {
		if col--; col == 0 {
			return at + i
		}
	}
	return len(r.text)
}

var errOdd = errors.New("a form of YAML that profiles do not need")

func (r *reader) node(n ast.Node, path, key string, flow bool) (*Node, error) {
	out := &Node{Path: path, Key: key, flow: flow}
	switch x := n.(type) {
	case *ast.MappingNode:
		out.own = x.IsFlowStyle
		if err := r.section(out, x.Values, flow || x.IsFlowStyle); err != nil {
			return nil, err
		}
		if x.IsFlowStyle {
			if x.End == nil {
				return nil, errOdd
			}
			out.Line, out.Col = x.Start.Position.Line, x.Start.Position.Column
			out.start, out.end = r.offset(out.Line, out.Col), r.offset(x.End.Position.Line, x.End.Position.Column)+1
		}
	case *ast.MappingValueNode:
		if err := r.section(out, []*ast.MappingValueNode{x}, flow); err != nil {
			return nil, err
		}
	case *ast.SequenceNode:
		if err := r.list(out, x); err != nil {
			return nil, err
		}
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return r.marked(out, n)
	case *ast.NullNode:
		out.Kind, out.null = Value, true
		p := x.GetToken().Position
		out.Line, out.Col = p.Line, p.Column
		if t := x.GetToken().Value; t == "null" || t == "~" || t == "Null" || t == "NULL" {
			out.start = r.offset(p.Line, p.Column)
			if strings.HasPrefix(r.text[out.start:], t) {
				out.end, out.Text = out.start+len(t), t
				return out, nil
			}
		}
		out.start = -1 // the caller knows where the key ends
	case ast.ScalarNode:
		return out, r.scalar(out, x)
	default:
		return nil, errOdd
	}
	return out, nil
}

func (r *reader) section(out *Node, pairs []*ast.MappingValueNode, flow bool) error {
	out.Kind = Section
	for _, p := range pairs {
		if p.Key.IsMergeKey() {
			return errOdd
		}
		key := p.Key.String()
		if s, ok := p.Key.(*ast.StringNode); ok {
			key = s.Value
		}
		path := key
		if out.Path != "" {
			path = out.Path + "." + key
		}
		c, err := r.node(p.Value, path, key, flow)
		if err != nil {
			return err
		}
		at := p.Key.GetToken().Position
		c.keyLine, c.keyCol, c.from, c.parent = at.Line, at.Column, r.offset(at.Line, at.Column), out
		if c.start < 0 { // a key without a value: it goes behind the colon
			colon := p.GetToken().Position
			c.start = r.offset(colon.Line, colon.Column) + 1
			c.end, c.Line, c.Col = c.start, at.Line, at.Column
		}
		out.Children = append(out.Children, c)
	}
	if len(out.Children) > 0 && !out.own {
		first, last := out.Children[0], out.Children[len(out.Children)-1]
		out.Line, out.Col, out.start, out.end = first.keyLine, first.keyCol, first.from, last.end
	}
	return nil
}

func (r *reader) list(out *Node, x *ast.SequenceNode) error {
	out.Kind, out.own = List, x.IsFlowStyle
	for i, v := range x.Values {
		c, err := r.node(v, fmt.Sprintf("%s[%d]", out.Path, i), fmt.Sprintf("[%d]", i), out.flow || x.IsFlowStyle)
		if err != nil {
			return err
		}
		c.parent = out
		if x.IsFlowStyle {
			c.keyLine, c.keyCol, c.from = c.Line, c.Col, c.start
		} else {
			if i >= len(x.Entries) || x.Entries[i].Start == nil {
				return errOdd
			}
			at := x.Entries[i].Start.Position
			c.keyLine, c.keyCol, c.from = at.Line, at.Column, r.offset(at.Line, at.Column)
		}
		if c.start < 0 {
			return errOdd
		}
		out.Children = append(out.Children, c)
	}
	if x.IsFlowStyle {
		if x.End == nil {
			return errOdd
		}
		out.Line, out.Col = x.Start.Position.Line, x.Start.Position.Column
		out.start, out.end = r.offset(out.Line, out.Col), r.offset(x.End.Position.Line, x.End.Position.Column)+1
		return nil
	}
	if len(out.Children) > 0 {
		first, last := out.Children[0], out.Children[len(out.Children)-1]
		out.Line, out.Col, out.start, out.end = first.keyLine, first.keyCol, first.from, last.end
	}
	return nil
}

// marked is a value with an anchor or a tag, or an alias: it is shown, not changed.
func (r *reader) marked(out *Node, n ast.Node) (*Node, error) {
	var in ast.Node
	p := n.GetToken().Position
	switch x := n.(type) {
	case *ast.AnchorNode:
		in = x.Value
	case *ast.TagNode:
		in = x.Value
	case *ast.AliasNode:
		out.Kind, out.fixed, out.Line, out.Col = Value, true, p.Line, p.Column
		out.start = r.offset(p.Line, p.Column)
		out.end = r.plainEnd(out.start, out.flow)
		out.Text = r.text[out.start:out.end]
		return out, nil
	}
	c, err := r.node(in, out.Path, out.Key, out.flow)
	if err != nil {
		return nil, err
	}
	if c.start < 0 {
		return nil, errOdd
	}
	c.fixed, c.start = true, r.offset(p.Line, p.Column)
	c.Walk(func(n *Node) { n.fixed = true })
	return c, nil
}

func (r *reader) scalar(out *Node, n ast.ScalarNode) error {
	t := n.GetToken()
	out.Kind, out.Text, out.Line, out.Col = Value, t.Value, t.Position.Line, t.Position.Column
	out.start = r.offset(out.Line, out.Col)
	if out.start >= len(r.text) {
		return errOdd
	}
	switch r.text[out.start] {
	case '"':
		out.end = r.closing(out.start, '"')
		out.fixed = strings.Contains(r.text[out.start:out.end], "\n")
	case '\'':
		out.end = r.closing(out.start, '\'')
		out.fixed = strings.Contains(r.text[out.start:out.end], "\n")
	case '|', '>':
		l, ok := n.(*ast.LiteralNode)
		if !ok {
			return errOdd
		}
		out.Text, out.fixed, out.end = l.Value.Value, true, r.blockEnd(out.Line)
	default:
		out.end = r.plainEnd(out.start, out.flow)
		out.fixed = r.text[out.start:out.end] != strings.TrimSpace(t.Value)
	}
	return nil
}

// closing is behind the quote that ends a text.
func (r *reader) closing(at int, quote byte) int {
	for i := at + 1; i < len(r.text); i++ {
		switch {
		case quote == '"' && r.text[i] == '\\':
			i++
		case r.text[i] != quote:
		case quote == '\'' && i+1 < len(r.text) && r.text[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return len(r.text)
}

// plainEnd is where a text without quotes ends.
func (r *reader) plainEnd(at int, flow bool) int {
	end := at
	for i := at; i < len(r.text); i++ {
		switch c := r.text[i]; {
		case c == '\n', c == '#' && i > at && (r.text[i-1] == ' ' || r.text[i-1] == '\t'), flow && strings.IndexByte(",]}", c) >= 0:
			return end
		case c != ' ' && c != '\t' && c != '\r':
			end = i + 1
		}
	}
	return end
}

// blockEnd is the end of lines of text that begin below a line.
func (r *reader) blockEnd(line int) int {
	head := r.text[r.lines[line-1]:]
	outer := len(head) - len(strings.TrimLeft(head, " "))
	end := r.lineEnd(line)
	for l := line + 1; l <= len(r.lines); l++ {
		s := r.text[r.lines[l-1]:r.lineEnd(l)]
		switch in := len(s) - len(strings.TrimLeft(s, " ")); {
		case strings.TrimSpace(s) == "":
		case in <= outer:
			return end
		default:
			end = r.lineEnd(l)
		}
	}
	return end
}

func (r *reader) lineEnd(line int) int {
	at := r.lines[line-1]
	if i := strings.IndexByte(r.text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(r.text)
}
