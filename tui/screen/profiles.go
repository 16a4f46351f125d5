package screen

import (
	"fmt"
	"slices"
	"time"

	"weir/internal/control"
	"weir/tui/canvas"
	"weir/tui/style"
)

// Profiles lists the load profiles with the question that each answers, edits one with its preview beside it, and starts runs. What
// is right and what a profile means is the server's business: the screen holds a text and shows what the server says of it.
type Profiles struct {
	list   []control.ProfileInfo
	shown  []int // of list, those that the filter leaves
	filter Filter
	name   string // the selected one
	failed string // why there is no list

	asked  time.Time // when the list was asked for last
	asking bool

	drafts   map[string]*draft                  // what was opened, also while the list is shown
	open     *draft                             // the one in the editor; nil: the list
	previews map[string]*control.ProfilePreview // of the list, by hash
	waits    string                             // hash of the preview that was asked for
	opening  string                             // the profile that is being read
	launches []control.Launch
	split    bool // problems and the difference have panels of their own
}

// Name as in the title line.
func (pf *Profiles) Name() string { return "Profiles" }

// Lasting: files need no server.
func (pf *Profiles) Lasting() bool { return true }

// Apply takes what was started.
func (pf *Profiles) Apply(s *control.Snapshot) { pf.launches = s.Launches }

// Unsaved names the profiles that would be lost.
func (pf *Profiles) Unsaved() string {
	n, name := 0, ""
	for _, d := range pf.drafts {
		if d.dirty() {
			n++
			name = d.File
		}
	}
	if n > 1 {
		return many(n, "profile")
	}
	return name
}

// Selected is the profile that a run would be of.
func (pf *Profiles) Selected() string {
	if pf.open != nil {
		return pf.open.Name
	}
	return pf.name
}

const (
	listEvery = 3 * time.Second
	listDead  = 15 * time.Second // an answer that has not come by then does not come
)

// Ask wants the list every few seconds, and the preview of the selected profile.
func (pf *Profiles) Ask(s State) Intent {
	if !s.Offers(control.VerbProfiles) {
		return Intent{}
	}
	if age := s.Now.Sub(pf.asked); age < listEvery && pf.list != nil || pf.asking && age < listDead {
		return pf.look()
	}
	pf.asked, pf.asking = s.Now, true
	got := new([]control.ProfileInfo)
	return Intent{Verb: control.VerbProfiles, Quiet: true, Into: got, Then: func(err error) Intent {
		pf.asking = false
		if err != nil {
			pf.failed = err.Error()
			return Intent{}
		}
		pf.failed, pf.list = "", *got
		pf.pick()
		if i := pf.stale(); i.Verb != "" {
			return i
		}
		return pf.look()
	}}
}

// pick applies the filter and keeps the selected profile selected.
func (pf *Profiles) pick() {
	pf.shown = pf.shown[:0]
	for i, p := range pf.list {
		if pf.filter.Match(p.Name, p.Question, p.File) {
			pf.shown = append(pf.shown, i)
		}
	}
	if pf.at() < 0 {
		pf.name = ""
		if len(pf.shown) > 0 {
			pf.name = pf.list[pf.shown[0]].Name
		}
	}
}

func (pf *Profiles) at() int {
	return slices.IndexFunc(pf.shown, func(i int) bool { return pf.list[i].Name == pf.name })
}

func (pf *Profiles) selected() *control.ProfileInfo {
	if i := pf.at(); i >= 0 {
		return &pf.list[pf.shown[i]]
	}
	return nil
}

// Filter leaves some lines of the list, or some fields of the editor.
func (pf *Profiles) Filter(f Filter) {
	pf.filter = f
	if pf.open != nil {
		pf.open.filter = f
		pf.open.rows()
		return
	}
	pf.pick()
}

// look asks for the preview of the selected profile, unless it is known.
func (pf *Profiles) look() Intent {
	p := pf.selected()
	if pf.open != nil || p == nil || p.Problem != nil || pf.previews[p.Hash] != nil || pf.waits != "" {
		return Intent{}
	}
	pf.waits = p.Hash
	got := new(control.ProfilePreview)
	return Intent{Verb: control.VerbProfilePreview, Args: map[string]any{"name": p.Name}, Quiet: true, Into: got, Then: func(err error) Intent {
		was := pf.waits
		pf.waits = ""
		if err != nil {
			got.Error = err.Error()
		}
		if pf.previews == nil {
			pf.previews = map[string]*control.ProfilePreview{}
		}
		pf.previews[was] = got
		return pf.look() // the cursor may have moved on
	}}
}

func (pf *Profiles) move(by int) Intent {
	if n := len(pf.shown); n > 0 {
		pf.name = pf.list[pf.shown[min(max(pf.at()+by, 0), n-1)]].Name
	}
	return pf.look()
}

// Keys of the list, or of the editor.
func (pf *Profiles) Keys() []Key {
	if pf.open != nil {
		return pf.open.keys(pf)
	}
	end := ""
	if pf.going() > 0 {
		end = "D end"
	}
	return []Key{
		{Press: []string{"up", "k"}, Label: "↑ k", Help: "profile above", Do: func() Intent { return pf.move(-1) }},
		{Press: []string{"down", "j"}, Label: "↓ j", Hint: "↑↓ move", Help: "profile below", Do: func() Intent { return pf.move(1) }},
		{Press: []string{"enter"}, Label: "⏎", Hint: "⏎ edit", Help: "open the profile: edit it, look at its text", Verb: control.VerbProfileRead, Do: pf.edit},
		{Press: []string{"D"}, Label: "D", Hint: end, Help: "end what was started by hand and still runs: it keeps its results", Verb: control.VerbLaunchStop, Do: pf.stop},
	}
}

// stop asks which launch is meant, unless there is one only.
func (pf *Profiles) stop() Intent {
	var going []control.Launch
	for _, l := range pf.launches {
		if l.State == control.Running {
			going = append(going, l)
		}
	}
	end := func(l control.Launch) Intent {
		return Intent{Verb: control.VerbLaunchStop, Args: map[string]string{"id": l.ID}, Confirm: fmt.Sprintf("end the %s of %s? It keeps its results.", l.Kind, l.Profile)}
	}
	switch len(going) {
	case 0:
		return Intent{Say: "nothing that was started by hand still runs", Bad: true}
	case 1:
		return end(going[0])
	}
	p := &Pick{Name: "End which?", Chosen: func(i int) Intent { return end(going[i]) }}
	for _, l := range going {
		p.Items = append(p.Items, Item{Label: l.Kind, Text: l.Profile + "  " + l.Last})
	}
	return Intent{Dialog: p}
}

// edit opens the selected profile: as it was left, or else as it lies on the disk.
func (pf *Profiles) edit() Intent {
	p := pf.selected()
	if p == nil {
		return Intent{Unknown: true}
	}
	if d := pf.drafts[p.Name]; d != nil && d.dirty() {
		pf.show(d)
		return d.look()
	}
	return pf.read(p.Name)
}

// read takes a profile from the disk into the editor.
func (pf *Profiles) read(name string) Intent {
	got := new(control.Profile)
	pf.opening = name
	return Intent{Verb: control.VerbProfileRead, Args: map[string]string{"name": name}, Quiet: true, Into: got, Then: func(err error) Intent {
		pf.opening = ""
		if err != nil {
			return Intent{Say: err.Error(), Bad: true}
		}
		d := newDraft(got)
		if was := pf.drafts[name]; was != nil {
			d.take(was)
		}
		pf.keep(d)
		pf.show(d)
		return d.look()
	}}
}

func (pf *Profiles) keep(d *draft) {
	if pf.drafts == nil {
		pf.drafts = map[string]*draft{}
	}
	pf.drafts[d.Name] = d
}

func (pf *Profiles) show(d *draft) {
	pf.open = d
	d.filter = Filter{}
	d.rows()
}

// stale finds out whether the file of the open draft has changed on the disk: an unchanged draft follows it, a changed one tells.
func (pf *Profiles) stale() Intent {
	d := pf.open
	if d == nil {
		return Intent{}
	}
	i := slices.IndexFunc(pf.list, func(p control.ProfileInfo) bool { return p.Name == d.Name })
	if i < 0 {
		d.moved = !d.Shipped && d.Hash != ""
		return Intent{}
	}
	p := pf.list[i]
	d.moved = p.File != "" && p.Hash != d.Hash
	if d.moved && !d.dirty() && d.input == nil {
		return pf.read(d.Name)
	}
	return Intent{}
}

// Typing: a value is being typed in its place.
func (pf *Profiles) Typing() bool { return pf.open != nil && pf.open.input != nil }

// Type gives a key to the value that is typed.
func (pf *Profiles) Type(p Press) Intent { return pf.open.press(p) }

// Status says what is listed, or how the open profile stands.
func (pf *Profiles) Status(p *canvas.Pen, s State) {
	switch {
	case pf.opening != "" && pf.open == nil:
		p.Fit(style.Dim, "opening "+pf.opening+" "+p.Theme().Ellipsis, 0)
	case pf.open != nil:
		pf.open.status(p)
	case !s.Offers(control.VerbProfiles) && pf.list == nil:
		p.Fit(style.Warn, "no profiles here", 0)
	default:
		own := 0
		for _, x := range pf.list {
			if x.File != "" {
				own++
			}
		}
		p.Put(style.Plain, many(len(pf.list), "profile")).Put(style.Dim, fmt.Sprintf("   %d of the project, %d come with weir   ", own, len(pf.list)-own))
		if n := pf.going(); n > 0 {
			p.Put(style.Accent, p.Theme().Run+" ").Fit(style.Plain, fmt.Sprintf("%d started by hand", n), 0)
		}
		if pf.failed != "" {
			p.Fit(style.Warn, p.Theme().Warn+" "+pf.failed, 0)
		}
	}
}

func (pf *Profiles) going() (n int) {
	for _, l := range pf.launches {
		if l.State == control.Running {
			n++
		}
	}
	return n
}

const (
	pfList = iota
	pfPreview
	pfFields
	pfHelp
	pfText
	pfDiff
	pfTrouble
	pfDry
	pfLaunches
)

// Panels of the Profiles screen.
func (pf *Profiles) Panels(State) []Panel {
	return []Panel{
		pfList:     {Name: "Profiles", Draw: pf.drawList, Brief: pf.briefList},
		pfPreview:  {Name: "Preview", Draw: pf.drawPreview, Brief: pf.briefPreview},
		pfFields:   {Name: "Fields", Draw: pf.drawFields, Brief: pf.briefFields},
		pfHelp:     {Name: "Help", Draw: pf.drawHelp, Brief: nothing},
		pfText:     {Name: "YAML", Draw: pf.drawText, Brief: nothing},
		pfDiff:     {Name: "Difference to the saved file", Draw: pf.drawDiff, Brief: nothing},
		pfTrouble:  {Name: "Problems and warnings", Draw: pf.drawTrouble, Brief: nothing},
		pfDry:      {Name: "Dry run", Draw: pf.drawDry, Brief: nothing},
		pfLaunches: {Name: "Started by hand", Draw: pf.drawLaunches, Brief: pf.briefLaunches},
	}
}

func nothing(*canvas.Pen, State) {}

// Place: the list with the preview of the selected one; in the editor fields, preview, help; a wide terminal has the text as well.
func (pf *Profiles) Place(_ State, w, h int) []Placed {
	pf.split = w >= 160 && h >= 30
	if pf.open == nil {
		return pf.placeList(w, h)
	}
	switch pf.open.mode {
	case modeDry:
		return []Placed{{pfDry, 0, 0, w, h}}
	case modeText:
		if w < 160 {
			return []Placed{{pfText, 0, 0, w, h - 4}, {pfHelp, 0, h - 4, w, 4}}
		}
	}
	if w < 120 {
		help := 4
		if h < 16 {
			help = 3
		}
		half := w / 2
		return []Placed{{pfFields, 0, 0, half, h - help}, {pfPreview, half, 0, w - half, h - help}, {pfHelp, 0, h - help, w, help}}
	}
	if !pf.split {
		left, help := 52, 6
		return []Placed{{pfFields, 0, 0, left, h - help}, {pfPreview, left, 0, w - left, h - help}, {pfHelp, 0, h - help, w, help}}
	}
	a, b := w*55/160, w*60/160
	low := max(h/4, 9)
	return []Placed{
		{pfFields, 0, 0, a, h - low}, {pfPreview, a, 0, b, h - low}, {pfText, a + b, 0, w - a - b, h - low},
		{pfHelp, 0, h - low, a, low}, {pfTrouble, a, h - low, b, low}, {pfDiff, a + b, h - low, w - a - b, low},
	}
}

func (pf *Profiles) placeList(w, h int) []Placed {
	launches := 0
	if len(pf.launches) > 0 {
		launches = min(len(pf.launches)+2, h/4)
	}
	if launches < 3 {
		launches = 0
	}
	if w < 120 {
		list := max(h-launches-9, h/3)
		out := []Placed{{pfList, 0, 0, w, list}, {pfPreview, 0, list, w, h - launches - list}}
		if launches > 0 {
			out = append(out, Placed{pfLaunches, 0, h - launches, w, launches})
		}
		return out
	}
	left := w * 9 / 16
	out := []Placed{{pfList, 0, 0, left, h - launches}, {pfPreview, left, 0, w - left, h - launches}}
	if launches > 0 {
		out = append(out, Placed{pfLaunches, 0, h - launches, w, launches})
	}
	return out
}
