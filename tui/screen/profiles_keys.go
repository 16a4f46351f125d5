package screen

import (
	"errors"
	"fmt"
	"strings"

	"weir/internal/control"
)

// keys of the editor.
func (d *draft) keys(pf *Profiles) []Key {
	if d.mode == modeDry {
		return d.dryKeys()
	}
	text := "Y YAML"
	if d.mode == modeText {
		text = "Y fields"
	}
	all := []Key{
		{Press: []string{"up", "k"}, Label: "↑ k", Help: "line above", Do: func() Intent { return d.move(-1) }},
		{Press: []string{"down", "j"}, Label: "↓ j", Help: "line below", Do: func() Intent { return d.move(1) }},
		{Press: []string{"pgup"}, Label: "pgup", Help: "ten lines up", Do: func() Intent { return d.move(-10) }},
		{Press: []string{"pgdown"}, Label: "pgdn", Help: "ten lines down", Do: func() Intent { return d.move(10) }},
	}
	if d.mode == modeText {
		all = append(all,
			Key{Press: []string{"enter"}, Label: "⏎", Hint: "⏎ edit", Help: "edit the line of the text", Verb: control.VerbProfileEdit, Do: d.editLine},
			Key{Press: []string{"o"}, Label: "o", Hint: "o add", Help: "a new line below", Verb: control.VerbProfileEdit, Do: d.addLine},
			Key{Press: []string{"x", "delete"}, Label: "x", Hint: "x remove", Help: "take the line away", Verb: control.VerbProfileEdit, Do: d.removeLine},
		)
	} else {
		all = append(all,
			Key{Press: []string{"enter"}, Label: "⏎", Hint: "⏎ edit", Help: "edit the value in its place; fold and unfold a section", Verb: control.VerbProfileEdit, Do: d.edit},
			Key{Press: []string{"left", "h"}, Label: "← h", Help: "fold the section, or go to the one around", Do: d.fold},
			Key{Press: []string{"right", "l"}, Label: "→ l", Help: "unfold the section", Do: d.unfold},
			Key{Press: []string{"a"}, Label: "a", Hint: "a add", Help: "add a key, a stage, a threshold …", Verb: control.VerbProfileEdit, Do: d.add},
			Key{Press: []string{"x", "delete"}, Label: "x", Help: "take the field or element away", Verb: control.VerbProfileEdit, Do: d.remove},
		)
	}
	return append(all,
		Key{Press: []string{"u"}, Label: "u", Hint: "u undo", Help: "undo the last change", Verb: control.VerbProfileEdit, Do: func() Intent { return d.back(&d.undo, &d.redo, "nothing to undo") }},
		Key{Press: []string{"U"}, Label: "U", Help: "do again what was undone", Verb: control.VerbProfileEdit, Do: func() Intent { return d.back(&d.redo, &d.undo, "nothing was undone") }},
		Key{Press: []string{"f"}, Label: "f", Hint: "f fix", Help: "go to the next problem", Do: d.fix},
		Key{Press: []string{"ctrl+s"}, Label: "ctrl+s", Hint: "ctrl+s save", Help: "save; a profile that comes with weir is saved as a copy in profiles/", Verb: control.VerbProfileSave, Do: func() Intent { return d.save(pf) }},
		Key{Press: []string{"w"}, Label: "w", Help: "save under another name", Verb: control.VerbProfileSave, Do: func() Intent { return d.saveAs(pf, "") }},
		Key{Press: []string{"ctrl+r"}, Label: "ctrl+r", Hint: "ctrl+r dry", Help: "dry run: what a run would send, with sample records", Verb: control.VerbProfilePreview, Do: d.dry},
		Key{Press: []string{"Y"}, Label: "Y", Hint: text, Help: "the text of the profile, and back to its fields", Do: d.toggle},
		Key{Press: []string{"esc"}, Label: "esc", Hint: "esc back", Help: "back to the list; what is not saved stays open", Do: func() Intent {
			if d.mode == modeText && d.Fields != nil {
				return d.toggle()
			}
			pf.open = nil
			pf.pick()
			return pf.look()
		}},
	)
}

func (d *draft) dryKeys() []Key {
	scroll := func(by int) func() Intent {
		return func() Intent { d.dryTop = max(d.dryTop+by, 0); return Intent{} }
	}
	return []Key{
		{Press: []string{"up", "k"}, Label: "↑ k", Help: "line up", Do: scroll(-1)},
		{Press: []string{"down", "j"}, Label: "↓ j", Hint: "↑↓ scroll", Help: "line down", Do: scroll(1)},
		{Press: []string{"pgup"}, Label: "pgup", Help: "ten lines up", Do: scroll(-10)},
		{Press: []string{"pgdown"}, Label: "pgdn", Help: "ten lines down", Do: scroll(10)},
		{Press: []string{"esc", "ctrl+r"}, Label: "esc", Hint: "esc back", Help: "back to the editor", Do: func() Intent { d.mode = modeFields; return Intent{} }},
	}
}

func (d *draft) move(by int) Intent {
	if d.mode == modeText {
		d.line = min(max(d.line+by, 0), strings.Count(d.Text, "\n"))
		return Intent{}
	}
	if n := len(d.lines); n > 0 {
		d.path = d.lines[min(max(d.at()+by, 0), n-1)].Path
	}
	return Intent{}
}

func (d *draft) fold() Intent {
	f := d.field()
	switch {
	case f == nil:
	case f.inner && !f.folded:
		d.folded[f.Path] = true
		d.rows()
	case parentOf(f.Path) != "":
		d.path = parentOf(f.Path)
	}
	return Intent{}
}

func (d *draft) unfold() Intent {
	if f := d.field(); f != nil && f.inner {
		delete(d.folded, f.Path)
		d.rows()
	}
	return Intent{}
}

// edit types a value in its place, picks one of those that there are, or folds a section.
func (d *draft) edit() Intent {
	f := d.field()
	switch {
	case f == nil:
		return Intent{Unknown: true}
	case f.inner && len(f.Adds) > 0 && f.Value == "":
		return d.add()
	case f.inner:
		if f.folded {
			return d.unfold()
		}
		return d.fold()
	case f.Fixed:
		return Intent{Say: f.Path + " can only be changed in the text: Y shows it", Bad: true}
	case len(f.Options) > 0:
		path := f.Path
		return d.choose(f.Path, f.Options, f.Value, func(v string) Intent { return d.ask("set", path, v) })
	}
	d.begin(f.Value)
	return Intent{}
}

func (d *draft) choose(name string, options []string, now string, do func(string) Intent) Intent {
	p := &Pick{Name: name, Chosen: func(i int) Intent { return do(options[i]) }}
	at := 0
	for i, o := range options {
		note := ""
		if o == now {
			note, at = "now", i
		}
		p.Items = append(p.Items, Item{Text: o, Note: note})
	}
	p.At(at)
	return Intent{Dialog: p}
}

// add offers what the section around the selected field can still have; of a list one more element.
func (d *draft) add() Intent {
	path := d.path
	var of *control.ProfileField
	for {
		if of = d.of(path); of != nil && of.Kind != "value" || path == "" {
			break
		}
		path = parentOf(path)
	}
	for of != nil && len(of.Adds) == 0 && path != "" { // it has all that there is: the one around it
		path = parentOf(path)
		of = d.of(path)
	}
	if of == nil || len(of.Adds) == 0 {
		return Intent{Say: "there is nothing that could be added here", Bad: true}
	}
	if of.Kind == "list" {
		return d.ask("add", of.Path, of.Adds[0].Start)
	}
	adds := of.Adds
	name := "Add to " + of.Path
	if of.Path == "" {
		name = "Add to the profile"
	}
	p := &Pick{Name: name, Empty: "no key has that", Chosen: func(i int) Intent { return d.addKey(adds[i]) }}
	for _, a := range adds {
		help := a.Help
		if help == "" {
			help = a.Expected
		}
		p.Items = append(p.Items, Item{Label: a.Key, Text: help})
	}
	return Intent{Dialog: p}
}

func (d *draft) addKey(a control.ProfileAddition) Intent {
	switch {
	case a.Kind != "value":
		return d.ask("put", a.Path, a.Start)
	case len(a.Options) > 0:
		return d.choose(a.Path, a.Options, "", func(v string) Intent { return d.ask("set", a.Path, v) })
	}
	f := &Form{Name: "Add " + a.Path, Verb: "add", About: a.Help, Entries: []Entry{{Name: a.Key, Help: a.Expected, Input: NewInput(a.Start)}}}
	serial := 0
	set := func(value string, then func(*control.Profile, error) Intent) Intent {
		serial++
		mine, got := serial, new(control.Profile)
		return Intent{Verb: control.VerbProfileEdit, Args: d.args("set", a.Path, value), Quiet: true, Into: got, Then: func(err error) Intent {
			if mine != serial {
				return Intent{}
			}
			if err == nil && got.Edited != nil {
				err = errors.New(got.Edited.Message)
			}
			return then(got, err)
		}}
	}
	f.Typed = func(f *Form, value string) Intent {
		return set(value, func(_ *control.Profile, err error) Intent {
			if f.Entries[0].Bad = ""; err != nil {
				f.Entries[0].Bad = err.Error()
			}
			return Intent{}
		})
	}
	f.Do = func(values []string) Intent {
		return set(values[0], func(p *control.Profile, err error) Intent {
			if err != nil {
				return f.Refused(err)
			}
			out := d.adopt(p)
			out.Close = true
			return out
		})
	}
	return Intent{Dialog: f}
}

func (d *draft) remove() Intent {
	f := d.field()
	if f == nil {
		return Intent{Unknown: true}
	}
	next := d.at()
	out := d.ask("remove", f.Path, "")
	then := out.Then
	out.Then = func(err error) Intent {
		i := then(err)
		if err == nil && len(d.lines) > 0 {
			d.path = d.lines[min(next, len(d.lines)-1)].Path
		}
		return i
	}
	return out
}

// fix goes to the next problem: to its field, or where the text is no YAML to its line.
func (d *draft) fix() Intent {
	if len(d.Problems) == 0 {
		if v := d.preview; v != nil && len(v.Warnings) > 0 {
			w := v.Warnings[d.trouble%len(v.Warnings)]
			d.trouble++
			return Intent{Say: w, Bad: true}
		}
		return Intent{Say: "no problems"}
	}
	p := d.Problems[d.trouble%len(d.Problems)]
	d.trouble++
	d.line = max(p.Line-1, 0)
	if d.mode != modeText {
		best := ""
		for _, f := range d.Fields { // the field at this place, or the last one that begins before
			if f.Path != "" && (f.Line < p.Line || f.Line == p.Line && f.Col <= p.Col) {
				best = f.Path
			}
		}
		if best != "" {
			d.reveal(best)
		}
	}
	return Intent{Say: fmt.Sprintf("%d:%d: %s", p.Line, p.Col, p.Message), Bad: true}
}

func (d *draft) toggle() Intent {
	if d.mode == modeText {
		if d.Fields == nil {
			return Intent{Say: "the text is no YAML: mend it here first", Bad: true}
		}
		d.mode = modeFields
		return Intent{}
	}
	d.mode = modeText
	if f := d.field(); f != nil {
		d.line = f.Line - 1
	}
	return Intent{}
}

func (d *draft) dry() Intent {
	d.mode, d.dryTop = modeDry, 0
	return d.look()
}

func (d *draft) editLine() Intent {
	lines := strings.Split(d.Text, "\n")
	if d.line >= len(lines) {
		return Intent{Unknown: true}
	}
	d.begin(lines[d.line])
	d.raw = true
	return Intent{}
}

// reread lets the server look at a text that was changed by lines.
func (d *draft) reread(text string, line int) Intent {
	got := new(control.Profile)
	args := d.args("", "", "")
	args["text"] = text
	return Intent{Verb: control.VerbProfileEdit, Args: args, Quiet: true, Into: got, Then: func(err error) Intent {
		if err != nil {
			return Intent{Say: err.Error(), Bad: true}
		}
		out := d.adopt(got)
		d.line = min(max(line, 0), strings.Count(d.Text, "\n"))
		return out
	}}
}

func (d *draft) addLine() Intent {
	lines := strings.Split(d.Text, "\n")
	at := min(d.line, len(lines)-1)
	blanks := len(lines[at]) - len(strings.TrimLeft(lines[at], " "))
	lines = append(lines[:at+1:at+1], append([]string{strings.Repeat(" ", blanks)}, lines[at+1:]...)...)
	out := d.reread(strings.Join(lines, "\n"), at+1)
	then := out.Then
	out.Then = func(err error) Intent {
		i := then(err)
		if err == nil {
			d.editLine()
		}
		return i
	}
	return out
}

func (d *draft) removeLine() Intent {
	lines := strings.Split(d.Text, "\n")
	if d.line >= len(lines) || len(lines) < 2 {
		return Intent{Unknown: true}
	}
	return d.reread(strings.Join(append(lines[:d.line:d.line], lines[d.line+1:]...), "\n"), d.line)
}

// save writes the profile, over the file that was read; one that comes with weir becomes one of the project.
func (d *draft) save(pf *Profiles) Intent {
	switch {
	case len(d.Problems) > 0:
		p := d.Problems[0]
		return Intent{Say: fmt.Sprintf("not saved: %s:%d:%d: %s", d.File, p.Line, p.Col, p.Message), Bad: true}
	case d.Shipped:
		return d.saveAs(pf, "")
	case !d.dirty():
		return Intent{Say: "nothing has changed since it was saved"}
	}
	return d.write(pf, d.Name, false, nil)
}

// write saves under a name; then goes on where the caller wants.
func (d *draft) write(pf *Profiles, name string, copied bool, refused func(error) Intent) Intent {
	args := map[string]any{"name": name, "text": d.Text, "hash": d.Hash, "rename": copied && name != d.Name}
	if copied {
		args["hash"] = ""
	}
	got, text := new(control.Profile), d.Text
	return Intent{Verb: control.VerbProfileSave, Args: args, Quiet: true, Into: got, Then: func(err error) Intent {
		if err != nil {
			if refused != nil {
				return refused(err)
			}
			return Intent{Say: err.Error(), Bad: true}
		}
		pf.asked = pf.asked.Add(-listEvery) // the list is to be read again
		if !copied {
			d.saved, d.Hash, d.moved = got.Text, got.Hash, false
			d.diff = difference(d.saved, d.Text)
			return Intent{Say: "saved " + got.File}
		}
		if d.Name != got.Name || d.Shipped {
			delete(pf.drafts, d.Name)
		}
		n := newDraft(got)
		n.folded, n.path, n.mode, n.line = d.folded, d.path, d.mode, d.line
		n.rows()
		if text == got.Text {
			n.preview, n.shows = d.preview, d.shows
		}
		pf.keep(n)
		pf.name = n.Name
		pf.show(n)
		out := n.look()
		out.Say, out.Close = "saved "+got.File, refused != nil
		return out
	}}
}

// saveAs asks for the name of a copy.
func (d *draft) saveAs(pf *Profiles, name string) Intent {
	if len(d.Problems) > 0 {
		p := d.Problems[0]
		return Intent{Say: fmt.Sprintf("not saved: %s:%d:%d: %s", d.File, p.Line, p.Col, p.Message), Bad: true}
	}
	about := "A copy in profiles/ of the project; the profile that comes with weir stays as it is. Under the same name yours is taken from now on."
	if !d.Shipped {
		about = "A copy in profiles/ of the project. The name in the text becomes the same."
	}
	if name == "" {
		name = d.Name
	}
	f := &Form{Name: "Save as", Verb: "save", About: about, Entries: []Entry{{Name: "name", Help: "lower-case letters, digits, - and _; also the name of the file", Input: NewInput(name), Check: goodName}}}
	f.Do = func(v []string) Intent { return d.write(pf, v[0], true, f.Refused) }
	return Intent{Dialog: f}
}

func goodName(s string) string {
	if s == "" || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || strings.Trim(s[:1], "-_") == "" || len(s) > 63 {
		return "want lower-case letters, digits, - and _, at most 63"
	}
	return ""
}
