package desk

import (
	"fmt"
	"slices"
	"strings"

	"weir/internal/cli"
	"weir/internal/config"
	"weir/internal/config/edit"
	"weir/internal/control"
)

// fields are the places of a profile with what the schema says of them; nil if the text is no YAML.
func fields(text string) []control.ProfileField {
	root, err := edit.Parse(text)
	if err != nil {
		return nil
	}
	s := profileSchema()
	top := control.ProfileField{Kind: string(edit.Section), Line: 1, Col: 1, Help: "a load profile: when messages are sent, what they hold, and what is demanded of the system", Adds: additions(s, root)}
	all := []control.ProfileField{top}
	var walk func(n *edit.Node, s *schema, depth int)
	walk = func(n *edit.Node, s *schema, depth int) {
		for _, c := range n.Children {
			cs := s.child(c.Key)
			f := control.ProfileField{
				Path: c.Path, Key: c.Key, Depth: depth, Kind: string(c.Kind), Value: c.Text, Line: c.Line, Col: c.Col,
				Help: cs.help(), Required: s.requires(c.Key), Fixed: c.Fixed(),
			}
			if cs != nil {
				f.Expected, f.Options = cs.expected(), cs.options()
			}
			if cs.refused() {
				f.Help = "this version does not do it"
			}
			if c.Kind != edit.Value {
				f.Value, f.Adds = summary(c), additions(cs, c)
				if n.Kind == edit.List {
					f.Value = elementText(c)
				}
			} else if c.Empty() && cs.kind() != "value" {
				f.Kind, f.Adds = cs.kind(), additions(cs, c)
			}
			all = append(all, f)
			walk(c, cs, depth+1)
		}
	}
	walk(root, s, 0)
	return all
}

// additions are the keys that a section does not have yet, in the schema's order; of a list, one more element.
func additions(s *schema, n *edit.Node) []control.ProfileAddition {
	if s == nil || n.Fixed() {
		return nil
	}
	if s.kind() == "list" {
		path := n.Path + "[]"
		items := s.target().Items
		return []control.ProfileAddition{{Path: path, Kind: items.kind(), Help: items.help(), Expected: items.expected(), Options: items.options(), Start: items.start(path)}}
	}
	sec := s.section()
	if sec == nil {
		return nil
	}
	var all []control.ProfileAddition
	for _, key := range sec.Order {
		c := sec.Properties[key]
		if c.refused() || slices.ContainsFunc(n.Children, func(x *edit.Node) bool { return x.Key == key }) {
			continue
		}
		path := key
		if n.Path != "" {
			path = n.Path + "." + key
		}
		all = append(all, control.ProfileAddition{Path: path, Key: key, Kind: c.kind(), Help: c.help(), Expected: c.expected(), Options: c.options(), Start: c.start(path)})
	}
	return all
}

// summary is a section or list in one line.
func summary(n *edit.Node) string {
	var parts []string
	for _, c := range n.Children {
		switch {
		case n.Kind == edit.List && c.Kind != edit.Value:
			parts = append(parts, elementText(c))
		case n.Kind == edit.List:
			parts = append(parts, c.Text)
		case c.Kind == edit.Value:
			parts = append(parts, c.Key+" "+c.Text)
		default:
			parts = append(parts, c.Key+" "+summary(c))
		}
		if len(parts) > 12 {
			break
		}
	}
	return strings.Join(parts, ", ")
}

func elementText(n *edit.Node) string {
	var words []string
	for _, c := range n.Children {
		if c.Kind == edit.Value {
			words = append(words, c.Text)
		}
	}
	return strings.Join(words, " ")
}

// Edit are the arguments of profile.edit.
type Edit struct {
	Name  string `json:"name"`
	Text  string `json:"text"`
	Op    string `json:"op"` // set, add (an element), put (a key, raw), remove; empty: only look
	Path  string `json:"path"`
	Value string `json:"value"`
}

// Edit changes a text and tells what it holds then. Nothing is written.
func (d *Desk) Edit(a Edit) (*control.Profile, error) {
	if err := checkName(a.Name); err != nil {
		return nil, err
	}
	if len(a.Text) > largest {
		return nil, fmt.Errorf("%s: a profile has at most %d KiB", d.file(a.Name), largest>>10)
	}
	text, at, err := a.Text, a.Path, error(nil)
	if _, bad := edit.Parse(text); bad != nil && a.Op != "" {
		if _, placed := parse(d.file(a.Name), text); placed != nil {
			bad = placed
		}
		return nil, &cli.Error{Err: bad, Hint: "mend the text first"}
	}
	switch a.Op {
	case "":
	case "set":
		text, err = edit.Set(text, a.Path, a.Value)
	case "put":
		text, err = edit.Put(text, a.Path, a.Value)
		if err != nil && strings.HasPrefix(a.Value, "\n") { // no room for a block within { }
			text, err = edit.Put(a.Text, a.Path, "["+strings.TrimPrefix(strings.TrimSpace(a.Value), "- ")+"]")
		}
	case "add":
		text, err = edit.Add(text, a.Path, a.Value)
	case "remove":
		text, err = edit.Remove(text, a.Path)
	default:
		err = fmt.Errorf("op: expected set, put, add or remove, got %q", a.Op)
	}
	if err != nil {
		return nil, err
	}
	p := d.profile(a.Name, text)
	switch a.Op {
	case "add":
		if n := len(elements(p.Fields, a.Path)); n > 0 {
			at = fmt.Sprintf("%s[%d]", a.Path, n-1)
		}
		p.At = at
	case "set", "put":
		p.At, p.Edited = at, d.about(p, at)
	}
	return p, nil
}

func elements(all []control.ProfileField, list string) (out []control.ProfileField) {
	for _, f := range all {
		if parent, ok := strings.CutPrefix(f.Path, list+"["); ok && strings.HasSuffix(parent, "]") && strings.Count(parent, "]") == 1 && !strings.Contains(parent, ".") {
			out = append(out, f)
		}
	}
	return out
}

// about is the complaint about one place of a text; nil if that place is good.
func (d *Desk) about(p *control.Profile, path string) *control.Problem {
	at := config.Place(p.File, []byte(p.Text), path, "")
	for i, bad := range p.Problems {
		if bad.Line == at.Line && bad.Col == at.Col {
			return &p.Problems[i]
		}
	}
	return nil
}
