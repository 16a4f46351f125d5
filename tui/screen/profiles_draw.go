package screen

import (
	"cmp"
	"fmt"
	"strings"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/figure"
	"weir/tui/style"
)

func (pf *Profiles) drawList(c *canvas.Canvas, s State, focused bool) {
	title := "Profiles"
	if len(pf.shown) < len(pf.list) {
		title += fmt.Sprintf(" (%d of %d)", len(pf.shown), len(pf.list))
	}
	in := c.Box(title, focused)
	w, h := in.Size()
	switch {
	case len(pf.list) > 0 && len(pf.shown) == 0:
		in.At(0, 0).Put(style.Dim, "no profile has that")
		return
	case len(pf.list) == 0:
		pf.drawEmpty(in, s)
		return
	}
	name := 2
	for _, p := range pf.list {
		name = max(name, min(canvas.Width(p.Name), 24))
	}
	const where = 8
	in.At(2, 0).Put(style.Dim, "PROFILE").To(2+name+2).Put(style.Dim, "FROM").To(2+name+2+where).Fit(style.Dim, "QUESTION", 0)
	first := max(0, pf.at()-(h-1)+1)
	for y := 1; y < h && first+y-1 < len(pf.shown); y++ {
		p := pf.list[pf.shown[first+y-1]]
		sign, role := " ", style.Plain
		if d := pf.drafts[p.Name]; d != nil && d.dirty() {
			sign, role = in.Theme.Unsaved, style.Warn
		}
		if p.Problem != nil {
			sign, role = in.Theme.Bad, style.Bad
		}
		title := style.Strong
		if p.Name == pf.name {
			title = style.Chosen
		}
		from := "weir"
		if p.File != "" {
			from = "project"
		}
		line := in.At(0, y).Put(role, sign).To(2).Put(title, in.Fit(p.Name, name)).To(2+name+2).Put(style.Dim, from).To(2 + name + 2 + where)
		if p.Problem != nil {
			line.Fit(style.Warn, placed(*p.Problem), 0)
			continue
		}
		line.Fit(style.Plain, p.Question, 0)
	}
	if rest := len(pf.shown) - first - (h - 1); rest > 0 {
		in.Right(w, h-1, style.Dim, fmt.Sprintf(" %s %d more", in.Theme.More, rest))
	}
}

// placed is a problem with its line and column.
func placed(p control.Problem) string {
	if p.Line == 0 {
		return p.Message
	}
	return fmt.Sprintf("%d:%d: %s", p.Line, p.Col, p.Message)
}

func (pf *Profiles) drawEmpty(in *canvas.Canvas, s State) {
	w, h := in.Size()
	text, role := "reading "+in.Theme.Ellipsis, style.Dim
	switch {
	case pf.failed != "":
		text, role = pf.failed, style.Warn
	case !s.Offers(control.VerbProfiles):
		text = "the program that serves this home does not offer profiles; `pipeline tui` in the project's directory does"
	}
	for y, line := range in.Wrap(text, w, h) {
		in.Text(0, y, role, line)
	}
}

func (pf *Profiles) briefList(p *canvas.Pen, s State) {
	switch x := pf.selected(); {
	case pf.open != nil:
		p.Fit(style.Plain, "editing "+pf.open.File, 0)
	case x != nil:
		p.Fit(style.Plain, fmt.Sprintf("%s: %s", x.Name, x.Question), 0)
	default:
		p.Fit(style.Dim, "no profiles", 0)
	}
}

// current is the preview to be shown, the hash or text that it should be of, and whether it is of an earlier text.
func (pf *Profiles) current() (v *control.ProfilePreview, old, waits bool) {
	if d := pf.open; d != nil {
		return d.preview, d.shows != d.Text, d.waits
	}
	if p := pf.selected(); p != nil {
		return pf.previews[p.Hash], false, pf.waits != ""
	}
	return nil, false, false
}

func (pf *Profiles) briefPreview(p *canvas.Pen, s State) {
	v, _, _ := pf.current()
	if v == nil || v.Error != "" {
		p.Fit(style.Dim, "no preview", 0)
		return
	}
	p.Fit(style.Plain, volumeText(v), 0)
}

func (pf *Profiles) briefFields(p *canvas.Pen, s State) {
	if d := pf.open; d != nil {
		if f := d.field(); f != nil {
			p.Fit(style.Plain, f.Path+" "+f.Value, 0)
		}
	}
}

func (pf *Profiles) briefLaunches(p *canvas.Pen, s State) {
	if len(pf.launches) > 0 {
		l := pf.launches[0]
		p.Fit(style.Plain, fmt.Sprintf("%s of %s %s: %s", l.Kind, l.Profile, l.State, l.Last), 0)
	}
}

// drawLaunches lists what was started by hand, with the last thing that each has said.
func (pf *Profiles) drawLaunches(c *canvas.Canvas, s State, focused bool) {
	in := c.Box("Started by hand", focused)
	_, h := in.Size()
	for y, l := range pf.launches {
		if y >= h {
			return
		}
		symbol, word, role := mark(in.Theme, l.State)
		in.At(0, y).Put(role, symbol+" "+word).To(7).Put(style.Plain, " "+l.Kind).To(16).Put(style.Strong, in.Fit(l.Profile, 16)).To(33).Put(style.Dim, fmt.Sprintf("%8s", figure.Ago(s.Now, l.At))).
			To(43).Fit(style.Plain, l.Last, 0)
	}
	if len(pf.launches) == 0 {
		in.At(0, 0).Put(style.Dim, "nothing yet")
	}
}

// drawFields is the tree of an open profile; the selected value is typed where it stands.
func (pf *Profiles) drawFields(c *canvas.Canvas, s State, focused bool) {
	d := pf.open
	if d == nil {
		return
	}
	title := "Fields"
	if d.filter.Text != "" {
		title += fmt.Sprintf(" (%d of %d)", len(d.lines), max(len(d.Fields)-1, 0))
	}
	in := c.Box(title, focused)
	w, h := in.Size()
	if len(d.lines) == 0 {
		word := "no field has that"
		if d.Fields == nil {
			word = "the text is no YAML; Y shows it"
		}
		in.At(0, 0).Fit(style.Dim, word, 0)
		return
	}
	at := max(d.at(), 0)
	d.top = max(min(d.top, at), at-h+1, 0)
	d.top = min(d.top, max(len(d.lines)-h, 0))
	for y := 0; y < h && d.top+y < len(d.lines); y++ {
		d.drawField(in.Sub(0, y, w, 1), &d.lines[d.top+y])
	}
	if rest := len(d.lines) - d.top - h; rest > 0 {
		in.Right(w, h-1, style.Dim, fmt.Sprintf(" %s %d more", in.Theme.More, rest))
	}
}

// problem of a field: one that stands at its place; of a folded one also within.
func (d *draft) problem(f *fieldLine) *control.Problem {
	for i, p := range d.Problems {
		if p.Line == f.Line && p.Col == f.Col {
			return &d.Problems[i]
		}
	}
	if !f.folded || len(d.Problems) == 0 {
		return nil
	}
	for _, in := range d.Fields {
		if strings.HasPrefix(in.Path, f.Path+".") || strings.HasPrefix(in.Path, f.Path+"[") {
			if p := d.problem(&fieldLine{ProfileField: in}); p != nil {
				return p
			}
		}
	}
	return nil
}

func (d *draft) drawField(row *canvas.Canvas, f *fieldLine) {
	w := row.Width()
	t := row.Theme
	chosen := f.Path == d.path
	sign, role := " ", style.Plain
	switch {
	case d.problem(f) != nil:
		sign, role = t.Bad, style.Bad
	case chosen:
		sign, role = t.Run, style.Accent
	}
	fold := " "
	if f.inner {
		if fold = t.Open; f.folded {
			fold = t.Folded
		}
	}
	x := 2 + 2*f.Depth
	row.At(0, 0).Put(role, sign)
	name := style.Plain
	if f.inner {
		name = style.Strong
	}
	if chosen {
		name = style.Chosen
	}
	p := row.At(min(x, w-8), 0).Put(style.Dim, fold+" ").Put(name, f.label)
	value := x + 2 + 11
	if f.label == "-" {
		value = x + 4
	}
	p.To(min(value, max(w-10, p.X()+1)))
	if p.X() == x+2+canvas.Width(f.label) {
		p.Put(style.Plain, " ")
	}
	switch {
	case chosen && d.input != nil && !d.raw:
		d.input.Draw(row, p.X(), 0, w-p.X(), style.Accent, true)
	case f.inner && !f.folded:
		if f.Value == "" {
			p.Fit(style.Dim, "empty", 0)
		}
	case f.inner:
		p.Fit(style.Dim, f.Value, 0)
	case d.problem(f) != nil:
		p.Fit(style.Warn, f.Value, 0)
	default:
		p.Fit(style.Plain, f.Value, 0)
	}
}

// drawHelp says what the selected field is, how it is written, and what is wrong with it.
func (pf *Profiles) drawHelp(c *canvas.Canvas, s State, focused bool) {
	d := pf.open
	if d == nil {
		return
	}
	if d.mode == modeText {
		d.helpLine(c, focused)
		return
	}
	f := d.field()
	if f == nil {
		c.Box("Help", focused)
		return
	}
	in := c.Box(f.Path, focused)
	w, h := in.Size()
	y := 0
	write := func(role style.Role, text string, most int) {
		for _, line := range in.Wrap(text, w, min(most, h-y)) {
			in.Text(0, y, role, line)
			y++
		}
	}
	switch bad := d.problem(f); {
	case d.input != nil && d.bad != "":
		write(style.Warn, in.Theme.Bad+" "+d.bad, 2)
	case bad != nil && d.input == nil:
		write(style.Warn, in.Theme.Bad+" "+placed(*bad), 3)
	}
	help := helpOf(f)
	if len(f.Options) > 0 {
		help = strings.TrimPrefix(help+"; one of "+strings.Join(f.Options, ", "), "a text; ")
	}
	write(style.Plain, help, max(h-y-1, 1))
	if y < h {
		from := fmt.Sprintf("%s:%d:%d", d.File, f.Line, f.Col)
		if f.Required {
			from += "   it must be there"
		}
		if f.Fixed {
			from += "   changed in the text only"
		}
		in.At(0, y).Fit(style.Dim, from, 0)
	}
}

// helpOf is what the schema says of a field, with how its value is written.
func helpOf(f *fieldLine) string {
	text := f.Help
	if f.Expected != "" {
		if text != "" {
			text += ": "
		}
		text += f.Expected
	}
	if text == "" {
		switch f.Kind {
		case "list":
			text = "a list: a adds an element"
		case "section":
			text = "a section: a adds what it can still have"
		default:
			text = "a text"
		}
	}
	return text
}

func (d *draft) helpLine(c *canvas.Canvas, focused bool) {
	in := c.Box(fmt.Sprintf("line %d", d.line+1), focused)
	w, h := in.Size()
	text, role := "the text as it will be saved; ⏎ edits the line, o adds one below, x takes it away", style.Dim
	if d.input != nil && d.bad != "" {
		text, role = in.Theme.Warn+" "+d.bad, style.Warn
	} else if i := d.problemAt(d.line + 1); i != nil {
		text, role = in.Theme.Bad+" "+placed(*i), style.Warn
	} else if len(d.Problems) > 0 {
		text, role = in.Theme.Bad+" "+placed(d.Problems[0]), style.Warn
	}
	if in.Theme.Level == style.ASCII {
		text = strings.ReplaceAll(text, "⏎", "enter")
	}
	for y, line := range in.Wrap(text, w, h) {
		in.Text(0, y, role, line)
	}
}

func (d *draft) problemAt(line int) *control.Problem {
	for i, p := range d.Problems {
		if p.Line == line {
			return &d.Problems[i]
		}
	}
	return nil
}

// drawText is the YAML, with numbers, problems and the selected line.
func (pf *Profiles) drawText(c *canvas.Canvas, s State, focused bool) {
	d := pf.open
	if d == nil {
		return
	}
	in := c.Box("YAML  "+d.File, focused)
	w, h := in.Size()
	lines := strings.Split(d.Text, "\n")
	at := d.line
	if d.mode != modeText { // beside the fields: the line of the selected one
		if f := d.field(); f != nil {
			at = f.Line - 1
		}
	}
	top := min(max(d.textTop, at-h+1, 0), at)
	if d.mode != modeText {
		top = min(max(at-h/2, 0), max(len(lines)-h, 0))
	}
	d.textTop = top
	for y := 0; y < h && top+y < len(lines); y++ {
		n := top + y
		row := in.Sub(0, y, w, 1)
		number, role := style.Dim, style.Plain
		sign := " "
		if d.problemAt(n+1) != nil {
			sign, number = in.Theme.Bad, style.Bad
		}
		if strings.HasPrefix(strings.TrimSpace(lines[n]), "#") {
			role = style.Dim
		}
		if n == at {
			number = style.Chosen
		}
		row.At(0, 0).Put(number, fmt.Sprintf("%s%3d ", sign, n+1))
		if n == at && d.input != nil && d.raw {
			d.input.Draw(row, 5, 0, w-5, style.Accent, true)
			continue
		}
		row.At(5, 0).Fit(role, lines[n], 0)
	}
}

// drawDiff is what saving will change.
func (pf *Profiles) drawDiff(c *canvas.Canvas, s State, focused bool) {
	in := c.Box("Difference to the saved file", focused)
	if d := pf.open; d != nil {
		d.drawChanges(in)
	}
}

func (d *draft) drawChanges(in *canvas.Canvas) {
	_, h := in.Size()
	switch {
	case d.saved == "":
		in.At(0, 0).Fit(style.Dim, "there is no file yet: saving makes one", 0)
		return
	case len(d.diff) == 0:
		in.At(0, 0).Fit(style.Dim, "none", 0)
		return
	}
	w := in.Width() - 2
	for y, l := range d.diff {
		if y == h-1 && len(d.diff) > h {
			in.At(0, y).Put(style.Dim, fmt.Sprintf("%s %d more lines", in.Theme.More, len(d.diff)-y))
			return
		}
		if y >= h {
			return
		}
		sign, role := "- ", style.Warn
		if l.added {
			sign, role = "+ ", style.Accent
		}
		text := strings.TrimSpace(l.text)
		if canvas.Width(text) > w && l.from > 0 { // what has changed is what one looks for
			text = in.Theme.Ellipsis + text[l.from:]
		}
		in.At(0, y).Put(role, sign).Fit(role, text, 0)
	}
}

// drawTrouble lists problems, then warnings, in full.
func (pf *Profiles) drawTrouble(c *canvas.Canvas, s State, focused bool) {
	in := c.Box("Problems and warnings", focused)
	if d := pf.open; d != nil {
		d.troubles(in, 0, 1<<20)
	}
}

// troubles writes problems and warnings from line y on, each in at most so many lines; it gives the next free line.
func (d *draft) troubles(in *canvas.Canvas, y, each int) int {
	w, h := in.Size()
	write := func(sign, text string) {
		for i, line := range in.Wrap(text, w-2, min(each, h-y)) {
			if i == 0 {
				in.Text(0, y, style.Warn, sign)
			}
			in.Text(2, y, style.Warn, line)
			y++
		}
	}
	for _, p := range d.Problems {
		write(in.Theme.Bad, placed(p))
	}
	if d.preview != nil && d.shows == d.Text {
		if d.preview.Error != "" && len(d.Problems) == 0 {
			write(in.Theme.Bad, d.preview.Error)
		}
		for _, text := range d.preview.Warnings {
			write(in.Theme.Warn, text)
		}
	}
	if y == 0 {
		in.At(0, 0).Put(style.Good, in.Theme.Good).Put(style.Plain, " none")
		y++
	}
	return y
}

// A diffLine is a line that only one of two texts has.
type diffLine struct {
	added bool
	text  string
	from  int // of the text without blanks around: where it begins to differ from the line that it replaces
}

// difference of two texts, by lines.
func difference(old, now string) []diffLine {
	if old == "" || old == now {
		return nil
	}
	a, b := strings.Split(old, "\n"), strings.Split(now, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	// The longest common lines of what is left; profiles have some hundreds of lines at most, larger ones show as a whole.
	if len(a)*len(b) > 1e6 {
		a, b = a[:min(len(a), 500)], b[:min(len(b), 500)]
	}
	best := make([][]int, len(a)+1)
	for i := range best {
		best[i] = make([]int, len(b)+1)
	}
	for i := len(a) - 1; i >= 0; i-- {
		for j := len(b) - 1; j >= 0; j-- {
			if best[i][j] = max(best[i+1][j], best[i][j+1]); a[i] == b[j] {
				best[i][j] = best[i+1][j+1] + 1
			}
		}
	}
	var out []diffLine
	for i, j := 0, 0; i < len(a) || j < len(b); {
		switch {
		case i < len(a) && j < len(b) && a[i] == b[j]:
			i, j = i+1, j+1
		case j == len(b) || i < len(a) && best[i+1][j] >= best[i][j+1]:
			out = append(out, diffLine{text: a[i]})
			i++
		default:
			out = append(out, diffLine{added: true, text: b[j]})
			j++
		}
	}
	pair(out)
	return out
}

// pair finds where lines differ from those that they replace: as many as were taken away stand in their place.
func pair(all []diffLine) {
	for i := 0; i < len(all); {
		gone, came := i, i
		for came < len(all) && !all[came].added {
			came++
		}
		end := came
		for end < len(all) && all[end].added {
			end++
		}
		if came-gone == end-came {
			for k := range came - gone {
				a, b := &all[gone+k], &all[came+k]
				a.from = differ(strings.TrimSpace(a.text), strings.TrimSpace(b.text))
				b.from = a.from
			}
		}
		i = max(end, i+1)
	}
}

// differ is the beginning of the word in which two lines differ first.
func differ(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	// back over the value to its key: {…, target: 10k/s}
	if i := strings.LastIndexAny(a[:n], ",{"); i >= 0 {
		return i + 1
	}
	return 0
}

// volumeText says how much a run sends.
func volumeText(v *control.ProfilePreview) string {
	parts := []string{}
	if v.Messages > 0 {
		parts = append(parts, figure.Short(float64(v.Messages))+" messages", figure.Bytes(float64(v.Bytes)))
	}
	if v.Seconds > 0 {
		parts = append(parts, figure.Roughly(v.Seconds))
	}
	return cmp.Or(strings.Join(parts, ", "), "not known beforehand")
}
