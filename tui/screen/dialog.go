package screen

import (
	"cmp"
	"slices"

	"weir/tui/canvas"
	"weir/tui/style"
)

// A Dialog stands over the screen and has all keys to itself, ctrl+c excepted. Esc closes it.
type Dialog interface {
	Title() string
	// Size that it would like, without its frame.
	Size() (w, h int)
	Draw(c *canvas.Canvas)
	// Press gives what a key means; Intent.Close closes the dialog.
	Press(Press) Intent
	// Hint is the last line of the terminal meanwhile.
	Hint() string
}

// An Item is a line to pick.
type Item struct {
	Label string // short, at the left
	Text  string
	Note  string // at the right
	Off   string // why it cannot be picked at the moment; empty: it can
}

// A Pick is a list of which one line is picked: the palette, the help, what can be added.
type Pick struct {
	Name   string
	Items  []Item
	Chosen func(i int) Intent // index into Items
	// Typing: what is typed looks for lines; else / begins that.
	Typing bool
	Empty  string // what stands there when no line is left

	typed  Input
	cursor int
	top    int
	shown  []int
	before string
}

// Title of the frame.
func (d *Pick) Title() string { return d.Name }

// Size of all lines.
func (d *Pick) Size() (w, h int) {
	w = 40
	for _, i := range d.Items {
		w = max(w, d.labelWidth()+canvas.Width(i.Text)+max(canvas.Width(i.Note)+1, moreWidth)+2)
	}
	return w, len(d.Items) + 1
}

// Hint tells the keys.
func (d *Pick) Hint() string {
	if d.Typing {
		return "type to find  ↑↓ move  ⏎ do it  esc close"
	}
	return "↑↓ move  ⏎ do it  / find  esc close"
}

func (d *Pick) labelWidth() int {
	w := 0
	for _, i := range d.Items {
		w = max(w, canvas.Width(i.Label))
	}
	return min(w, 24)
}

// moreWidth is the room of the word that there is more.
const moreWidth = 9

// list are the lines that fit what was typed, the best first.
func (d *Pick) list() []int {
	pattern := d.typed.Value()
	if d.shown != nil && pattern == d.before {
		return d.shown
	}
	d.before = pattern
	d.shown = make([]int, 0, len(d.Items))
	scores := make([]int, len(d.Items))
	for i, it := range d.Items {
		score, ok := fuzzy(pattern, it.Text+" "+it.Label+" "+it.Note)
		if ok {
			scores[i] = score
			d.shown = append(d.shown, i)
		}
	}
	if pattern != "" {
		slices.SortStableFunc(d.shown, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	}
	d.cursor = min(d.cursor, max(len(d.shown)-1, 0))
	return d.shown
}

// At moves to a line of Items.
func (d *Pick) At(i int) { d.cursor = max(slices.Index(d.list(), i), 0) }

// Press moves, looks for lines, picks.
func (d *Pick) Press(p Press) Intent {
	n := len(d.list())
	name := p.Name
	if !d.Typing {
		switch name {
		case "j":
			name = "down"
		case "k":
			name = "up"
		case "q", "?":
			name = "esc"
		case "/":
			d.Typing = true
			return Intent{}
		}
	}
	switch name {
	case "esc":
		if d.Typing && d.typed.Value() != "" {
			d.typed.Set("")
			d.cursor = 0
			return Intent{}
		}
		return Intent{Close: true}
	case "up", "ctrl+p", "shift+tab":
		d.cursor = max(d.cursor-1, 0)
	case "down", "ctrl+n", "tab":
		d.cursor = min(d.cursor+1, max(n-1, 0))
	case "pgup":
		d.cursor = max(d.cursor-10, 0)
	case "pgdown":
		d.cursor = min(d.cursor+10, max(n-1, 0))
	case "enter":
		if d.cursor >= n {
			return Intent{}
		}
		i := d.list()[d.cursor]
		if why := d.Items[i].Off; why != "" {
			return Intent{Say: why, Bad: true}
		}
		out := d.Chosen(i)
		out.Close = true
		return out
	default:
		if d.Typing && d.typed.Press(p) {
			d.cursor, d.top = 0, 0
			d.list()
		}
	}
	return Intent{}
}

// Draw writes what is typed and the lines.
func (d *Pick) Draw(c *canvas.Canvas) {
	w, h := c.Size()
	y := 0
	if d.Typing {
		c.Text(0, 0, style.Accent, "> ")
		d.typed.Draw(c, 2, 0, w-2, style.Strong, true)
		y = 1
	}
	list, room := d.list(), h-y
	if len(list) == 0 {
		c.At(0, y).Fit(style.Dim, cmp.Or(d.Empty, "nothing has that"), 0)
		return
	}
	d.top = max(min(d.top, d.cursor), d.cursor-room+1, 0)
	label := d.labelWidth() + 2
	for k := d.top; k < len(list) && y < h; k++ {
		it := d.Items[list[k]]
		row := c.Sub(0, y, w, 1)
		text, key, note := style.Plain, style.Accent, style.Dim
		if it.Off != "" {
			text, key = style.Dim, style.Dim
		}
		if k == d.cursor {
			text, key, note = style.Chosen, style.Chosen, style.Chosen
			row.Fill(0, 0, w, style.Chosen, " ")
		}
		p := row.At(0, 0)
		if d.labelWidth() > 0 {
			p.Put(key, c.Fit(it.Label, label-2))
			p.To(label)
		}
		tail := canvas.Width(it.Note)
		if p.Room() < tail+10 || y == h-1 && k < len(list)-1 { // there it says that there is more
			tail = 0
		}
		p.Fit(text, it.Text, max(tail+1, moreWidth))
		if tail > 0 {
			row.Right(w, 0, note, it.Note)
		}
		y++
	}
	if rest := len(list) - d.top - room; rest > 0 {
		c.Right(w, h-1, style.Dim, " "+c.Theme.More+" more ")
	}
}

// A Form asks for some texts and does something with them.
type Form struct {
	Name    string
	About   string // what will happen
	Entries []Entry
	Verb    string                             // what is done, in a word: start
	Do      func(values []string) Intent       // what the user wants, once every entry is good
	Typed   func(f *Form, entry string) Intent // after each change; may be nil
	Failed  string                             // why it was not done

	at   int
	busy bool
}

// An Entry is one text of a Form.
type Entry struct {
	Name  string
	Help  string
	Input Input
	Bad   string // what is wrong with it
	// Check says what is wrong with a value; empty: nothing.
	Check func(string) string
}

// Title of the frame.
func (f *Form) Title() string { return f.Name }

// Size of the entries with room for help and errors.
func (f *Form) Size() (w, h int) { return 72, 2*len(f.Entries) + 6 }

// Hint tells the keys.
func (f *Form) Hint() string {
	if len(f.Entries) > 1 {
		return "tab next  ⏎ " + f.Verb + "  esc close"
	}
	return "⏎ " + f.Verb + "  esc close"
}

func (f *Form) values() []string {
	all := make([]string, len(f.Entries))
	for i := range f.Entries {
		all[i] = f.Entries[i].Input.Value()
	}
	return all
}

// Refused shows why it was not done; the form stays open.
func (f *Form) Refused(err error) Intent {
	f.busy, f.Failed = false, err.Error()
	return Intent{}
}

// Press types into the entry, moves between them, and does it at the end.
func (f *Form) Press(p Press) Intent {
	e := &f.Entries[f.at]
	switch p.Name {
	case "esc":
		return Intent{Close: true}
	case "tab", "down":
		f.at = (f.at + 1) % len(f.Entries)
	case "shift+tab", "up":
		f.at = (f.at + len(f.Entries) - 1) % len(f.Entries)
	case "enter":
		if f.busy {
			return Intent{}
		}
		for i := range f.Entries {
			if e := &f.Entries[i]; e.Check != nil {
				e.Bad = e.Check(e.Input.Value())
			}
			if f.Entries[i].Bad != "" {
				f.at = i
				return Intent{}
			}
		}
		f.Failed, f.busy = "", true
		out := f.Do(f.values())
		if out.Close || out.Verb == "" {
			f.busy = false
		}
		return out
	default:
		if !e.Input.Press(p) {
			return Intent{}
		}
		f.Failed = ""
		if e.Check != nil {
			e.Bad = e.Check(e.Input.Value())
		}
		if f.Typed != nil {
			return f.Typed(f, e.Input.Value())
		}
	}
	return Intent{}
}

// Draw writes the entries, each with its help or with what is wrong, and what will happen.
func (f *Form) Draw(c *canvas.Canvas) {
	w, h := c.Size()
	label := 0
	for _, e := range f.Entries {
		label = max(label, canvas.Width(e.Name)+2)
	}
	y := 0
	for i := range f.Entries {
		e := &f.Entries[i]
		name := style.Dim
		if i == f.at {
			name = style.Accent
		}
		c.Text(0, y, name, e.Name)
		e.Input.Draw(c, label, y, w-label, style.Strong, i == f.at)
		y++
		switch {
		case e.Bad != "":
			for _, line := range c.Wrap(e.Bad, w-label, 2) {
				c.At(label, y).Put(style.Warn, line)
				y++
			}
		case h >= 2*len(f.Entries)+2 || i == f.at:
			c.At(label, y).Fit(style.Dim, e.Help, 0)
			y++
		}
	}
	y++
	if f.Failed != "" {
		for _, line := range c.Wrap(c.Theme.Bad+" "+f.Failed, w, 4) {
			c.Text(0, y, style.Warn, line)
			y++
		}
		return
	}
	if f.busy {
		c.Text(0, y, style.Dim, "asking "+c.Theme.Ellipsis)
		return
	}
	for _, line := range c.Wrap(f.About, w, max(h-y, 0)) {
		c.Text(0, y, style.Dim, line)
		y++
	}
}
