package tui

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"weir/internal/control"
	"weir/tui/style"
)

func seen(m *model) string {
	m.content = ""
	return ansi.Strip(m.View().Content)
}

func bw() *style.Theme { return style.Make(style.Braille, false) }

// last arguments of a verb.
func (s *shelf) last(verb string) map[string]any {
	for i := len(s.asked) - 1; i >= 0; i-- {
		if s.asked[i] == verb {
			return s.args[i]
		}
	}
	return nil
}

// atTarget has the editor open, with the cursor on the target of the first stage.
var atTarget = keysOf(opened, down(3, "right"), down(3))

func TestTypingTriggersNoKeys(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 120, 40, keysOf(atTarget, []string{"enter", "ctrl+u"})...)
	press(m, "type:q1?:/zRupS y") // each of them is a key
	if m.quit || m.active != 5 || m.zoom || m.frozen != nil || m.top() != nil || m.filtering {
		t.Errorf("a key was taken for more than a letter: %+v", m)
	}
	if v := seen(m); !strings.Contains(v, "q1?:/zRupS y") || !strings.Contains(v, `"q1?:/zRupS y" is no rate`) {
		t.Errorf("typed text, or what is wrong with it, is not shown:\n%s", v)
	}
	press(m, "enter") // not accepted
	if d := m.unsaved(); d != "" {
		t.Errorf("%s was changed to what is no rate", d)
	}
	settle(m, tea.PasteMsg{Content: "\x1b[2J1k\n/s"})
	if v := seen(m); strings.Contains(v, "\x1b") || !strings.Contains(v, "1k /s") {
		t.Errorf("a paste: %s", v)
	}
	press(m, "esc")
	if v := seen(m); !strings.Contains(v, "40k/s") || m.unsaved() != "" {
		t.Error("esc did not leave it as it was")
	}
}

func TestEditUndoRedo(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 120, 40, keysOf(atTarget, []string{"enter", "ctrl+u", "type:7k/s", "enter"})...)
	if v := seen(m); !strings.Contains(v, "● unsaved") || !strings.Contains(v, "peak 7k") && !strings.Contains(v, "peak 40k") {
		t.Errorf("not changed:\n%s", v)
	}
	if a := s.last(control.VerbProfilePreview); !strings.Contains(fmt.Sprint(a["text"]), "target: 7k/s} ") && !strings.Contains(fmt.Sprint(a["text"]), "duration: 10m, target: 7k/s}") {
		t.Error("the preview is of an earlier text")
	}
	press(m, "x") // and the field away
	if v := seen(m); strings.Contains(v, "7k/s") || !strings.Contains(v, "2 steps to undo") {
		t.Errorf("not removed:\n%s", v)
	}
	press(m, "u", "u")
	if m.unsaved() != "" || !strings.Contains(seen(m), "40k/s") {
		t.Error("undo does not lead back to the file")
	}
	press(m, "u")
	if !strings.Contains(seen(m), "nothing to undo") {
		t.Error("undo of nothing says nothing")
	}
	press(m, "U")
	if !strings.Contains(seen(m), "7k/s") {
		t.Error("redo does not lead forth again")
	}
}

func TestAddAndRemoveElements(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 120, 40, keysOf(opened, down(2), []string{"a"})...)
	v := seen(m)
	if !strings.Contains(v, "rate.stages[2]") {
		t.Errorf("the new stage is not selected:\n%s", v)
	}
	press(m, "ctrl+s")
	if !strings.Contains(s.files["nightly-soak"], "    - {name: hold-2, duration: 90m, target: 40k/s} # the night\n") && !strings.Contains(s.files["nightly-soak"], "    - {name: hold-2, duration: 90m, target: 40k/s}\n") {
		t.Errorf("saved\n%s", s.files["nightly-soak"])
	}
	if !strings.Contains(s.files["nightly-soak"], "# a target is reached at the end of its stage") {
		t.Error("a comment was lost")
	}
	press(m, "x", "ctrl+s")
	if s.files["nightly-soak"] != soak {
		t.Errorf("saved\n%s", s.files["nightly-soak"])
	}
	press(m, "up", "up", "up", "up", "a", "down", "enter", "ctrl+u", "type:42", "enter") // seed, of the whole
	if v := seen(m); !strings.Contains(v, "seed       42") {
		t.Errorf("the seed was not added:\n%s", v)
	}
	press(m, "a", "down", "down", "enter", "down", "enter") // on_saturation has options
	if v := seen(m); !strings.Contains(v, "drop") {
		t.Errorf("the option was not set:\n%s", v)
	}
}

func TestSaveIsRefusedWhereTheFileHasChanged(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 120, 40, keysOf(atTarget, []string{"enter", "ctrl+u", "type:7k/s", "enter"})...)
	s.files["nightly-soak"] += "# somebody else\n"
	press(m, "ctrl+s")
	if v := seen(m); !strings.Contains(v, "has changed on disk since it was read") || !strings.Contains(v, "open it again") {
		t.Errorf("no word of it:\n%s", v)
	}
	m.now = m.now.Add(listEvery)
	carry(m, m.ask())
	if v := seen(m); !strings.Contains(v, "changed on disk") || !strings.Contains(v, "7k/s") {
		t.Errorf("the status does not tell, or the edit was lost:\n%s", v)
	}
	press(m, "u") // unchanged again: it follows the file
	m.now = m.now.Add(2 * listEvery)
	carry(m, m.ask())
	if v := seen(m); strings.Contains(v, "changed on disk") || !strings.Contains(v, "saved") {
		t.Errorf("an unchanged profile does not follow its file:\n%s", v)
	}
}

const listEvery = 4 * time.Second

func TestAProblemKeepsFromSavingAndIsFoundByItsPlace(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 120, 40, keysOf(opened, []string{"Y", "down", "enter", "ctrl+u", "type:volum: 3", "enter"})...)
	if v := seen(m); !strings.Contains(v, `8:1: unknown key "volum"; did you mean "volume"?`) {
		t.Errorf("the problem is not shown with its place:\n%s", v)
	}
	press(m, "ctrl+s")
	if v := seen(m); !strings.Contains(v, "not saved: profiles/nightly-soak.yaml:8:1: unknown key") || s.files["nightly-soak"] != soak {
		t.Errorf("saved, or without saying why not:\n%s", v)
	}
	press(m, "R")
	if s.last(control.VerbLoadStart) != nil || !strings.Contains(seen(m), "not saved") {
		t.Error("a profile with a problem was started")
	}
	press(m, "up", "up", "f")
	if d := seen(m); !strings.Contains(d, "line 8") {
		t.Errorf("f does not lead to the problem:\n%s", d)
	}
}

func TestAShippedProfileIsSavedAsACopy(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 120, 40, "down", "down", "enter", "ctrl+s", "ctrl+u", "type:My", "enter")
	if v := seen(m); !strings.Contains(v, "want lower-case letters") || s.last(control.VerbProfileSave) != nil {
		t.Errorf("a name that is none was taken:\n%s", v)
	}
	press(m, "ctrl+u", "type:nightly-soak", "enter")
	if v := seen(m); !strings.Contains(v, "nothing was written") || s.files["nightly-soak"] != soak {
		t.Errorf("another profile was written over, or the form does not say why not:\n%s", v)
	}
	press(m, "ctrl+u", "type:mine", "enter")
	if a := s.last(control.VerbProfileSave); a["name"] != "mine" || a["hash"] != "" || a["rename"] != true || s.files["mine"] == "" {
		t.Errorf("asked for %v", a)
	}
	if v := seen(m); !strings.Contains(v, "profiles/mine.yaml   saved") || m.top() != nil {
		t.Errorf("the copy is not open:\n%s", v)
	}
}

func TestRunSavesFirstAndGoesToLoad(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 120, 40, keysOf(atTarget, []string{"enter", "ctrl+u", "type:7k/s", "enter", "R"})...)
	if v := seen(m); !strings.Contains(v, "profiles/nightly-soak.yaml is not saved: save it, and go on?") {
		t.Fatalf("not asked:\n%s", v)
	}
	press(m, "n")
	if s.last(control.VerbProfileSave) != nil || s.last(control.VerbLoadStart) != nil {
		t.Error("done although the answer was no")
	}
	press(m, "R", "y")
	if s.files["nightly-soak"] == soak || s.last(control.VerbLoadStart) != nil {
		t.Error("not saved, or started without a question")
	}
	if v := seen(m); !strings.Contains(v, "run nightly-soak") {
		t.Errorf("not asked:\n%s", v)
	}
	press(m, "y")
	if a := s.last(control.VerbLoadStart); len(a) != 1 || a["profile"] != "nightly-soak" {
		t.Errorf("started with %v", a)
	}
	if v := seen(m); m.screens[m.active].Name() != "Load" || !strings.Contains(v, "started as process 4711") {
		t.Errorf("not on Load, or without a word:\n%s", v)
	}
	s.refuse[control.VerbLoadStart] = &control.Error{Message: "load.start: nothing serves the embedded broker", Hint: "start it with pipeline run JOB"}
	press(m, "R", "y")
	if v := seen(m); !strings.Contains(v, "not started: load.start: nothing serves the embedded broker (start it with pipeline run JOB)") {
		t.Errorf("a refused start does not say what to do:\n%s", v)
	}
}

func TestFormsOfCompareAndSearch(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 120, 40, "down", "C", "type:./a run x; y", "tab", "type:./b q", "tab", "type:99", "enter")
	if s.last(control.VerbCompareStart) != nil || !strings.Contains(seen(m), "want 1 to 12") {
		t.Error("99 pairs were taken")
	}
	press(m, "ctrl+u", "type:6", "enter")
	if a := s.last(control.VerbCompareStart); a["profile"] != "nightly-soak" || a["baseline"] != "./a run x; y" || a["candidate"] != "./b q" || a["pairs"] != 6.0 {
		t.Errorf("compared with %v", a)
	}
	if m.top() != nil {
		t.Error("the form is still open")
	}
	s.refuse[control.VerbSearchStart] = errors.New("search.start: slo: unknown limit speed")
	press(m, "F", "ctrl+u", "type:speed>3", "enter")
	if v := seen(m); !strings.Contains(v, "slo: unknown limit speed") || m.top() == nil {
		t.Errorf("a refused search leaves its form:\n%s", v)
	}
	delete(s.refuse, control.VerbSearchStart)
	press(m, "ctrl+u", "type:lost=0", "enter")
	if a := s.last(control.VerbSearchStart); a["slo"] != "lost=0" || a["from"] != "1k/s" || a["to"] != "" || a["max_time"] != "30m" || a["profile"] != "nightly-soak" {
		t.Errorf("searched with %v", a)
	}
}

func TestLeavingWithUnsavedWorkAsks(t *testing.T) {
	m := onShelf(t, newShelf(), bw(), 80, 24, keysOf(atTarget, []string{"enter", "ctrl+u", "type:7k/s", "enter"})...)
	if _, cmd := m.Update(key("q")); quits(cmd) || !strings.Contains(seen(m), "is not saved: leave, and lose it?") {
		t.Fatalf("left without a question:\n%s", seen(m))
	}
	press(m, "n")
	press(m, "esc", "enter") // to the list, and back: the draft is still there
	if v := seen(m); !strings.Contains(v, "7k/s") || !strings.Contains(v, "unsaved") {
		t.Errorf("the edit was lost on the list:\n%s", v)
	}
	m.Update(key("ctrl+c"))
	if _, cmd := m.Update(key("ctrl+c")); !quits(cmd) {
		t.Error("ctrl+c twice does not leave")
	}
}

func TestPaletteRunsAnyActionOfAnyScreen(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 120, 40, "1", ":")
	all := seen(m)
	for _, want := range []string{"All actions", "> "} {
		if !strings.Contains(all, want) {
			t.Errorf("the palette lacks %q:\n%s", want, all)
		}
	}
	press(m, "type:rate 5% up", "enter")
	if m.screens[m.active].Name() != "Load" || !slices.Contains(s.asked, "load.rate") || m.top() != nil {
		t.Errorf("on %s, asked %v", m.screens[m.active].Name(), s.asked)
	}
	press(m, ":", "type:zzzz")
	if !strings.Contains(seen(m), "no action has that in its name") {
		t.Error("a palette without lines says nothing")
	}
	press(m, "esc", "esc")
	if m.top() != nil {
		t.Error("esc does not close it")
	}
	sn := demo()
	sn.Verbs = nil
	settle(m, live(sn))
	press(m, ":", "type:pause the load", "enter")
	if v := seen(m); !strings.Contains(v, "does not offer load.pause") {
		t.Errorf("an action that is not offered does not say why:\n%s", v)
	}
}

func TestHelpIsSearchedAndRuns(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 80, 24, "2", "?", "/", "type:25% down", "enter")
	if a := s.last("load.rate"); a == nil || m.top() != nil {
		t.Errorf("asked %v", s.asked)
	}
	press(m, "?", "q")
	if m.top() != nil || m.quit {
		t.Error("q does not close the help, or leaves")
	}
}

func TestFiltersOfTheLists(t *testing.T) {
	m := onShelf(t, newShelf(), bw(), 120, 40, "3", "/", "type:orders")
	if v := seen(m); strings.Contains(v, "▶ trades") || !strings.Contains(v, "orders") || strings.Contains(v, " invoices ") {
		t.Errorf("not filtered while it is typed:\n%s", v)
	}
	press(m, "enter")
	if v := seen(m); !strings.Contains(v, "filter: orders") {
		t.Errorf("the filter is not shown:\n%s", v)
	}
	press(m, "esc")
	if v := seen(m); strings.Contains(v, "filter:") || !strings.Contains(v, "trades") {
		t.Errorf("esc does not clear the filter:\n%s", v)
	}
	press(m, "1", "/", "type:!LAG", "enter")
	if v := seen(m); !strings.Contains(v, "Needs attention (2 of 3)") || strings.Contains(v, "! LAG") {
		t.Errorf("an inverse filter:\n%s", v)
	}
	press(m, "4", "/", "type:-f dlytt", "enter")
	if v := seen(m); !strings.Contains(v, "daily_totals") || strings.Contains(v, "✖ orders") {
		t.Errorf("a fuzzy filter:\n%s", v)
	}
	press(m, "/", "ctrl+u", "type:[", "enter") // no regular expression: taken as it stands
	if v := seen(m); !strings.Contains(v, "no run has that") {
		t.Errorf("a broken expression:\n%s", v)
	}
	press(m, "1")
	if v := seen(m); !strings.Contains(v, "filter: !LAG") {
		t.Error("a screen has lost its filter")
	}
}

func TestTimeWindow(t *testing.T) {
	m := onShelf(t, newShelf(), bw(), 120, 40, "3")
	whole := seen(m)
	press(m, "[", "[", "[")
	if v := seen(m); !strings.Contains(v, "last 15m") && !strings.Contains(v, "last 5m") || m.state().Window == 0 {
		t.Errorf("no window:\n%s", v)
	}
	press(m, "[", "[", "[", "[")
	if m.state().Window != time.Minute {
		t.Errorf("the shortest window is %v", m.state().Window)
	}
	m.toast = ""
	if v := seen(m); v == whole {
		t.Error("the curves are the same in a window of a minute")
	}
	press(m, "]", "]", "]", "]", "]", "]", "]")
	if m.state().Window != 0 {
		t.Error("no way back to all there is")
	}
}

// TestProfilesOutliveTheServer: files need none; what is still offered can be done, and the screen is not grey.
func TestProfilesOutliveTheServer(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, style.Make(style.Braille, true), 120, 40, opened...)
	m.now = at.Add(42 * time.Second)
	settle(m, updateMsg{control.Update{Snapshot: demo(), Heard: at, Err: errors.New("the process has ended"), RetryAt: m.now.Add(time.Second), Own: shelfVerbs}, m.now})
	if !m.dead() || m.stale() {
		t.Error("the profiles are taken for figures that are no longer true")
	}
	n := len(s.asked)
	press(m, "a", "esc", "down", "enter", "ctrl+u", "type:1k/s", "enter")
	if len(s.asked) == n || !strings.Contains(seen(m), "unsaved") {
		t.Error("a profile cannot be edited while no server is there")
	}
	press(m, "1")
	if !m.stale() {
		t.Error("the Overview of a dead server is not grey")
	}
}

func TestWithoutTheVerbsTheScreenSaysSo(t *testing.T) {
	m := fresh(t, bw(), demo(), 80, 24)
	feed(m, key("6"))
	if v := seen(m); !strings.Contains(v, "does not offer profiles") {
		t.Errorf("got\n%s", v)
	}
	feed(m, key("R"))
	if v := seen(m); !strings.Contains(v, "R does nothing here") {
		t.Errorf("got\n%s", v)
	}
}

// TestProfilesResizeStorm: whatever is open, no size breaks the picture.
func TestProfilesResizeStorm(t *testing.T) {
	for _, keys := range [][]string{nil, opened, keysOf(atTarget, []string{"enter", "type:xyz"}), keysOf(opened, []string{"Y", "enter"}), keysOf(opened, []string{"ctrl+r"}), {":"}, {"down", "C"}, {"?"}, {"/", "type:s"}} {
		m := onShelf(t, newShelf(), bw(), 300, 100, keys...)
		check := func(w, h int) {
			settle(m, tea.WindowSizeMsg{Width: w, Height: h})
			content := m.View().Content
			fits(t, content, w, h)
			if strings.Contains(content, "cannot draw") {
				t.Fatalf("%v at %dx%d:\n%s", keys, w, h, ansi.Strip(content))
			}
		}
		for i := range 29 {
			check(300-280*i/28, 100-95*i/28)
		}
		for w := range 12 {
			for h := range 7 {
				check(w+1, h+1)
			}
		}
	}
}

// TestHostileProfiles: names, values, help and errors come from files; none of them reaches the terminal as more than text.
func TestHostileProfiles(t *testing.T) {
	evil := []string{"\x1b]0;owned\x07", "\x1b[2J\x1b[H", "\r\n\t", "\u202egnirts", "\x9b31m", "日本語のプロファイル", "👩‍👩‍👧‍👦👩‍👩‍👧‍👦", "e\u0301\u0301\u0301", "\xff\xfe", strings.Repeat("long", 200), "", " "}
	r := rand.New(rand.NewPCG(3, 4))
	text := func() string { return evil[r.IntN(len(evil))] + evil[r.IntN(len(evil))] }
	for range 120 {
		s := newShelf()
		s.twist = func(out any) any {
			switch p := out.(type) {
			case []control.ProfileInfo:
				for i := range p {
					p[i].Question = text()
				}
			case *control.Profile:
				p.File = text()
				for i := range p.Fields {
					f := &p.Fields[i]
					f.Value, f.Help, f.Expected = text(), text(), text()
				}
				p.Problems = []control.Problem{{File: text(), Line: r.IntN(30), Col: r.IntN(30), Message: text()}}
			case *control.ProfilePreview:
				p.Topic, p.Warnings = text(), []string{text(), text()}
				for i := range p.Samples {
					x := &p.Samples[i]
					x.Key, x.Record, x.Hex, x.Fault = text(), text(), text(), text()
				}
				for i := range p.Parts {
					p.Parts[i].Topic = text()
				}
			}
			return out
		}
		w, h := 20+r.IntN(200), 5+r.IntN(60)
		m := onShelf(t, s, style.Make(style.Level(r.IntN(3)), true), w, h)
		for _, k := range []string{"down", "enter", "down", "right", "a", "esc", "enter", "esc", "Y", "Y", "f", "ctrl+r", "esc", ":", "esc", "esc"} {
			press(m, k)
			content := m.View().Content
			fits(t, content, w, h)
			if ours := strings.Count(content, "\x1b["); strings.Count(content, "\x1b") != ours || strings.ContainsAny(content, "\r\x07\u009b") || strings.Contains(content, "\u202e") {
				t.Fatalf("after %s a control character got through: %q", k, content)
			}
			if strings.Contains(content, "cannot draw") {
				t.Fatalf("after %s a panic was caught:\n%s", k, ansi.Strip(content))
			}
		}
	}
}

func TestEndingWhatWasStarted(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 80, 24, "D")
	if v := seen(m); !strings.Contains(v, "end the search of nightly-soak? It keeps its results.") {
		t.Fatalf("not asked:\n%s", v)
	}
	press(m, "y")
	if a := s.last(control.VerbLaunchStop); a["id"] != "01JD7QZ8M4T2AAAAAAAAAAAAAA" {
		t.Errorf("stopped %v", a)
	}
	sn := demo()
	sn.Verbs = shelfVerbs
	settle(m, live(sn))
	press(m, "D")
	if v := seen(m); !strings.Contains(v, "nothing that was started by hand still runs") {
		t.Errorf("got\n%s", v)
	}
}

func TestALongErrorIsShownToItsEnd(t *testing.T) {
	s := newShelf()
	m := onShelf(t, s, bw(), 80, 24, "down")
	s.refuse[control.VerbLoadStart] = &control.Error{Message: "load.start: nothing serves the embedded broker and registry of home /srv/weir/prod", Hint: "start it in another terminal with the same --home: `pipeline run JOB`; or give --brokers and --registry"}
	press(m, "R", "y")
	v := seen(m)
	fits(t, v, 80, 24)
	if !strings.Contains(v, "--registry)") {
		t.Errorf("its end is cut off:\n%s", v)
	}
}
