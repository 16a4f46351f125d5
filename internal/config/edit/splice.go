package edit

import "strings"

// insert adds `key: value` to a section or an element to a list, behind the last one.
func (n *Node) insert(text, raw string, element bool) string {
	lead := ""
	if element {
		lead = "- "
	}
	k := len(n.Children)
	switch {
	case n.Kind == Value && n.null: // the section has a name and nothing else
		by := strings.Repeat(" ", n.keyCol+1)
		return splice(text, n.start, n.end, "\n"+by+lead+indent(raw, by))
	case n.own && k == 0:
		return splice(text, n.start+1, n.end-1, oneLine(raw))
	case n.own:
		last := n.Children[k-1]
		return splice(text, last.end, last.end, ", "+oneLine(raw))
	case k == 0:
		return text
	}
	by := strings.Repeat(" ", n.Children[0].keyCol-1)
	if element {
		raw = indent(raw, "  ")
	}
	at, before := lineEnd(text, n.Children[k-1].end), "\n"
	return splice(text, at, at, before+by+lead+indent(raw, by))
}

// oneLine is raw within { } or [ ]; a block cannot stand there, so it is left for the check that follows.
func oneLine(raw string) string { return strings.TrimSpace(raw) }

func lineStart(text string, at int) int { return strings.LastIndexByte(text[:at], '\n') + 1 }

func lineEnd(text string, at int) int {
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(text)
}

// without is the text without the node.
func (n *Node) without(text string) (string, bool) {
	p := n.parent
	switch {
	case p == nil || p.fixed:
		return "", false
	case n.flow:
		return n.outOfFlow(text), true
	case len(p.Children) == 1:
		if p.parent == nil {
			return "", false // the last key of the whole
		}
		empty := " {}"
		if p.Kind == List {
			empty = " []"
		}
		from := lineStart(text, n.from)
		if strings.TrimSpace(text[from:n.from]) != "" || p.parent.Kind == List {
			return "", false // - only: key
		}
		// The lines of the element go; its parent's line tells that nothing is left.
		head := keyEnd(text, p)
		return text[:head] + empty + text[head:lineStart(text, n.from)] + text[min(lineEnd(text, n.end)+1, len(text)):], true
	case strings.TrimSpace(text[lineStart(text, n.from):n.from]) != "":
		next := p.after(n) // - first: key, then others
		if next == nil {
			return "", false
		}
		return splice(text, n.from, next.from, ""), true
	}
	from, to := lineStart(text, n.from), lineEnd(text, n.end)
	if to < len(text) {
		to++
	}
	return splice(text, from, to, ""), true
}

// keyEnd is behind the colon of a section's key.
func keyEnd(text string, p *Node) int {
	i := strings.IndexByte(text[p.from:], ':')
	return p.from + i + 1
}

func (n *Node) after(child *Node) *Node {
	for i, c := range n.Children {
		if c == child && i+1 < len(n.Children) {
			return n.Children[i+1]
		}
	}
	return nil
}

// outOfFlow takes it away with the comma behind it, or the one before.
func (n *Node) outOfFlow(text string) string {
	p := n.parent
	if next := p.after(n); next != nil {
		return splice(text, n.from, next.from, "")
	}
	if k := len(p.Children); k > 1 {
		return splice(text, p.Children[k-2].end, n.end, "")
	}
	return splice(text, n.from, n.end, "")
}
