package screen

import (
	"fmt"
	"slices"
	"strings"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/style"
)

// The ways to look at an open profile.
const (
	modeFields = ""
	modeText   = "text"
	modeDry    = "dry"
)

// A draft is an open profile: its text as it is now, what the server says of it, and the way back.
type draft struct {
	control.Profile
	saved string // the text on the disk; empty: there is none
	moved bool   // the file has changed on the disk meanwhile

	undo, redo []step
	mode       string
	filter     Filter

	lines  []fieldLine
	folded map[string]bool
	path   string // the selected field
	top    int

	line    int // the selected line of the text, from 0
	textTop int
	dryTop  int

	input   *Input           // what is typed: a field's value, or a line of the text
	raw     bool             // a line of the text
	typed   *control.Profile // what the text would be with it
	typedAs string           // of which value that is told
	bad     string           // what is wrong with it
	enter   bool             // it is to be taken as soon as the server has told what it thinks of it
	serial  int

	preview *control.ProfilePreview
	shows   string // the text that the preview is of
	waits   bool   // one was asked for
	diff    []diffLine
	trouble int // the problem that was gone to last
}

// A step is a text to go back to, with the place where it was left.
type step struct{ text, path string }

// fieldLine is a line of the tree.
type fieldLine struct {
	control.ProfileField
	label  string
	folded bool
	inner  bool // it can be folded
}

func newDraft(p *control.Profile) *draft {
	d := &draft{Profile: *p, folded: map[string]bool{}}
	if !p.Shipped {
		d.saved = p.Text
	}
	for _, f := range p.Fields { // elements begin as one line each: twenty stages are a list first
		if strings.HasPrefix(f.Key, "[") && f.Kind != "value" {
			d.folded[f.Path] = true
		}
	}
	for _, path := range []string{"rate", "name"} { // what one opens a profile for
		if d.path == "" && d.of(path) != nil {
			d.path = path
		}
	}
	d.rows()
	if p.Fields == nil {
		d.mode = modeText
	}
	return d
}

// take keeps the place in a profile that is opened again.
func (d *draft) take(was *draft) {
	d.folded, d.path, d.undo, d.redo = was.folded, was.path, was.undo, was.redo
	if n := len(was.undo); n == 0 && was.Text != d.Text {
		d.undo = nil
	}
	d.rows()
}

func (d *draft) dirty() bool {
	if d.Shipped {
		return len(d.undo) > 0
	}
	return d.Text != d.saved
}

// rows makes the lines of the tree: without what is folded, and with a filter without what does not match.
func (d *draft) rows() {
	d.lines = d.lines[:0]
	hidden := ""
	for _, f := range d.Fields {
		if f.Path == "" || hidden != "" && (strings.HasPrefix(f.Path, hidden+".") || strings.HasPrefix(f.Path, hidden+"[")) {
			continue
		}
		l := fieldLine{ProfileField: f, label: f.Key, inner: f.Kind != "value", folded: d.folded[f.Path]}
		if strings.HasPrefix(f.Key, "[") {
			l.label = "-"
		}
		if d.filter.Text != "" {
			if !d.filter.Match(f.Path, f.Value, f.Help) {
				continue
			}
			l.folded = false
		} else if l.folded {
			hidden = f.Path
		} else {
			hidden = ""
		}
		d.lines = append(d.lines, l)
	}
	if d.at() < 0 && len(d.lines) > 0 {
		d.path = d.near()
	}
}

// near is the shown line that contains the selected field, or the first.
func (d *draft) near() string {
	best := d.lines[0].Path
	for _, l := range d.lines {
		if strings.HasPrefix(d.path, l.Path+".") || strings.HasPrefix(d.path, l.Path+"[") {
			best = l.Path
		}
	}
	return best
}

func (d *draft) at() int {
	return slices.IndexFunc(d.lines, func(l fieldLine) bool { return l.Path == d.path })
}

func (d *draft) field() *fieldLine {
	if i := d.at(); i >= 0 {
		return &d.lines[i]
	}
	return nil
}

// of is a field by its path, shown or not; "" is the whole.
func (d *draft) of(path string) *control.ProfileField {
	for i := range d.Fields {
		if d.Fields[i].Path == path {
			return &d.Fields[i]
		}
	}
	return nil
}

func parentOf(path string) string {
	if strings.HasSuffix(path, "]") {
		return path[:max(strings.LastIndexByte(path, '['), 0)]
	}
	return path[:max(strings.LastIndexByte(path, '.'), 0)]
}

// reveal unfolds what hides a field, and selects it.
func (d *draft) reveal(path string) {
	d.path = path
	for p := parentOf(path); p != ""; p = parentOf(p) {
		delete(d.folded, p)
	}
	d.rows()
}

// adopt takes a changed text.
func (d *draft) adopt(p *control.Profile) Intent {
	if p.Text == d.Text {
		return Intent{}
	}
	d.undo, d.redo = append(d.undo, step{d.Text, d.path}), nil
	d.become(p)
	if p.At != "" {
		d.reveal(p.At)
	}
	return d.look()
}

func (d *draft) become(p *control.Profile) {
	d.Text, d.Fields, d.Problems = p.Text, p.Fields, p.Problems
	d.diff = difference(d.saved, d.Text)
	d.trouble = 0
	if p.Fields == nil {
		d.mode = modeText
	}
	d.rows()
}

// ask lets the server change the text; nothing is written.
func (d *draft) ask(op, path, value string) Intent {
	got := new(control.Profile)
	return Intent{Verb: control.VerbProfileEdit, Args: d.args(op, path, value), Quiet: true, Into: got, Then: func(err error) Intent {
		if err != nil {
			return Intent{Say: err.Error(), Bad: true}
		}
		return d.adopt(got)
	}}
}

func (d *draft) args(op, path, value string) map[string]string {
	return map[string]string{"name": d.Name, "text": d.Text, "op": op, "path": path, "value": value}
}

// back goes one step back, or forth again.
func (d *draft) back(from, to *[]step, nothing string) Intent {
	n := len(*from)
	if n == 0 {
		return Intent{Say: nothing, Bad: true}
	}
	s := (*from)[n-1]
	got := new(control.Profile)
	args := d.args("", "", "")
	args["text"] = s.text
	return Intent{Verb: control.VerbProfileEdit, Args: args, Quiet: true, Into: got, Then: func(err error) Intent {
		if err != nil {
			return Intent{Say: err.Error(), Bad: true}
		}
		if k := len(*from); k == n {
			*from = (*from)[:n-1]
			*to = append(*to, step{d.Text, d.path})
			d.become(got)
			if d.of(s.path) != nil {
				d.reveal(s.path)
			}
		}
		return d.look()
	}}
}

// look asks for the preview of the text as it is now, one at a time.
func (d *draft) look() Intent {
	if d.waits || d.preview != nil && d.shows == d.Text {
		return Intent{}
	}
	d.waits = true
	text := d.Text
	got := new(control.ProfilePreview)
	return Intent{Verb: control.VerbProfilePreview, Args: map[string]any{"name": d.Name, "text": text, "samples": 3}, Quiet: true, Into: got, Then: func(err error) Intent {
		d.waits = false
		if err != nil {
			got.Error = err.Error()
		}
		d.preview, d.shows = got, text
		return d.look() // it may have changed meanwhile
	}}
}

// begin opens the selected value for typing.
func (d *draft) begin(text string) {
	in := NewInput(text)
	d.input, d.raw, d.bad, d.enter, d.typed, d.typedAs = &in, false, "", false, nil, text
}

func (d *draft) end() { d.input, d.typed, d.bad, d.enter = nil, nil, "", false }

// press is a key while something is typed.
func (d *draft) press(p Press) Intent {
	switch p.Name {
	case "esc":
		d.end()
		return Intent{}
	case "enter":
		return d.accept()
	}
	if !d.input.Press(p) {
		return Intent{}
	}
	d.enter = false
	return d.try()
}

// try asks what the server thinks of what is typed.
func (d *draft) try() Intent {
	value := d.input.Value()
	d.serial++
	serial, got := d.serial, new(control.Profile)
	args := d.args("set", d.path, value)
	if d.raw {
		args = d.args("", "", "")
		args["text"] = d.withLine(value)
	}
	return Intent{Verb: control.VerbProfileEdit, Args: args, Quiet: true, Into: got, Then: func(err error) Intent {
		if serial != d.serial || d.input == nil {
			return Intent{}
		}
		d.typedAs, d.typed, d.bad = value, got, ""
		switch {
		case err != nil:
			d.typed, d.bad = nil, err.Error()
		case got.Edited != nil:
			d.bad = got.Edited.Message
		case d.raw && got.Fields == nil && len(got.Problems) > 0:
			d.bad = got.Problems[0].Message
		}
		if d.enter {
			return d.accept()
		}
		return Intent{}
	}}
}

// accept takes what was typed, if the server finds that the value is one; a line of text is taken as it is.
func (d *draft) accept() Intent {
	value := d.input.Value()
	switch {
	case d.typed == nil && d.typedAs == value && d.bad == "": // nothing was changed
		d.end()
		return Intent{}
	case d.typedAs != value || d.typed == nil && d.bad == "":
		d.enter = true // the answer is still on its way
		return Intent{}
	case d.typed == nil, d.bad != "" && !d.raw:
		d.enter = false
		return Intent{Say: d.bad, Bad: true}
	}
	p := d.typed
	d.end()
	return d.adopt(p)
}

// withLine is the text with another selected line.
func (d *draft) withLine(s string) string {
	lines := strings.Split(d.Text, "\n")
	if d.line < len(lines) {
		lines[d.line] = s
	}
	return strings.Join(lines, "\n")
}

// status is the second line of the terminal: the file, whether it is saved, whether it can run.
func (d *draft) status(p *canvas.Pen) {
	t := p.Theme()
	p.Fit(style.Strong, d.File, p.Room()*2/5)
	p.Put(style.Plain, "   ")
	switch {
	case d.moved && d.dirty():
		p.Put(style.Bad, t.Warn+" changed on disk").Put(style.Plain, "   ")
	case d.Shipped && d.dirty():
		p.Put(style.Warn, t.Unsaved+" a copy, unsaved").Put(style.Plain, "   ")
	case d.Shipped:
		p.Put(style.Dim, "comes with weir").Put(style.Plain, "   ")
	case d.dirty():
		p.Put(style.Warn, t.Unsaved+" unsaved").Put(style.Plain, "   ")
	default:
		p.Put(style.Dim, "saved").Put(style.Plain, "   ")
	}
	if n := len(d.Problems); n > 0 {
		p.Put(style.Bad, t.Bad+" "+many(n, "problem"))
	} else {
		p.Put(style.Good, t.Good).Put(style.Plain, " valid")
	}
	if v := d.preview; v != nil && d.shows == d.Text && len(v.Warnings) > 0 {
		p.Put(style.Plain, "   ").Put(style.Warn, t.Warn+" "+many(len(v.Warnings), "warning"))
	}
	if n := len(d.undo); n > 0 {
		p.Fit(style.Dim, fmt.Sprintf("   %s to undo", many(n, "step")), 0)
	}
}
