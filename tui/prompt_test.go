package tui

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"weir/internal/control"
	"weir/tui/style"
)

// recording remembers calls with their arguments.
type recording struct {
	still
	calls  []string
	result any
}

func (r *recording) Do(_ context.Context, verb string, args, result any) error {
	r.calls = append(r.calls, fmt.Sprint(verb, " ", args))
	if p, ok := result.(*any); ok && r.err == nil {
		*p = r.result
	}
	return r.err
}

// onLoad is the Load screen with a way to press keys whose commands are carried out.
func onLoad(t *testing.T, s *control.Snapshot) (*model, *recording, func(keys ...string)) {
	t.Helper()
	from := &recording{}
	m := newModel(t.Context(), from, style.Make(style.Braille, false), Options{Screen: "load"})
	m.now = at
	feed(m, live(s))
	return m, from, func(keys ...string) {
		for _, k := range keys {
			if _, cmd := m.Update(key(k)); cmd != nil {
				feed(m, cmd())
			}
		}
	}
}

func bottom(m *model) string {
	lines := strings.Split(ansi.Strip(m.View().Content), "\n")
	return lines[len(lines)-1]
}

// What each key sends is what the server's verbs read.
func TestLoadKeysSendTheirArguments(t *testing.T) {
	typed := func(text string) []string { return append(strings.Split(text, ""), "enter") }
	for _, x := range []struct {
		keys []string
		want string
	}{
		{[]string{"space"}, "load.pause <nil>"},
		{[]string{"+"}, "load.rate map[factor:1.05]"},
		{[]string{"-"}, fmt.Sprintf("load.rate map[factor:%v]", 1/1.05)},
		{[]string{"}"}, "load.rate map[factor:1.25]"},
		{[]string{"{"}, "load.rate map[factor:0.8]"},
		{[]string{"="}, "load.rate map[]"},
		{append([]string{"g"}, typed("30k/s")...), "load.rate map[rate:30k/s]"},
		{[]string{"n"}, "load.next <nil>"},
		{append([]string{"m"}, typed("qry 7")...), "load.mark map[text:qry 7]"},
		{[]string{"s", "y"}, "load.stop <nil>"},
		{[]string{"S", "y"}, "load.abort <nil>"},
		{[]string{"Q", "y"}, "load.abort <nil>"},
		{[]string{"x"}, "load.export <nil>"},
		{[]string{"s", "n"}, ""},
		{[]string{"Q", "esc"}, ""},
		{[]string{"g", "3", "esc"}, ""},
		{[]string{"m", "enter"}, ""},
		{[]string{"m", "a", "b", "backspace", "space", "c", "enter"}, "load.mark map[text:a c]"},
		{[]string{"g", "9", "ctrl+u", "1", "k", "/", "s", "enter"}, "load.rate map[rate:1k/s]"},
	} {
		_, from, press := onLoad(t, demo())
		press(x.keys...)
		if got := strings.Join(from.calls, "; "); got != x.want {
			t.Errorf("%v: called %q, want %q", x.keys, got, x.want)
		}
	}
}

func TestPromptShowsWhatIsTyped(t *testing.T) {
	m, from, press := onLoad(t, demo())
	press("m", "q", "2") // keys of the screens are letters here
	if got := bottom(m); !strings.Contains(got, "mark") || !strings.Contains(got, "q2") || !strings.Contains(got, "esc") {
		t.Errorf("the last line is %q", got)
	}
	feed(m, tea.PasteMsg{Content: " broker\x1b[2J 2\nrestarted\u009b"}, live(demo()))
	fits(t, m.View().Content, 80, 24)
	press("enter")
	if got := strings.Join(from.calls, "; "); got != "load.mark map[text:q2 broker[2J 2 restarted]" {
		t.Errorf("called %q", got)
	}
	press("g")
	feed(m, tea.PasteMsg{Content: strings.Repeat("長い", 30)})
	feed(m, tea.WindowSizeMsg{Width: 30, Height: 12})
	fits(t, m.View().Content, 30, 12)
	if got := bottom(m); !strings.Contains(got, "い") {
		t.Errorf("of a long text the end is not seen: %q", got)
	}
	feed(m, tea.PasteMsg{Content: strings.Repeat("x", 1000)})
	if len(m.prompt.in.Value()) > promptLimit {
		t.Errorf("%d characters were taken", len(m.prompt.in.Value()))
	}
}

// Where a file lies is told, and a refusal in full.
func TestVerbsTellTheirResult(t *testing.T) {
	m, from, press := onLoad(t, demo())
	from.result = "/srv/weir/load/x.json"
	press("x")
	if got := bottom(m); !strings.Contains(got, "/srv/weir/load/x.json") {
		t.Errorf("got %q", got)
	}
	from.err = errors.New(`load.rate: "quick" is no rate; write 20k/s`)
	press("g", "q", "enter")
	if got := bottom(m); !strings.Contains(got, "is no rate; write 20k/s") {
		t.Errorf("got %q", got)
	}
}

// A run that is over, or that is but a trial, takes no orders: its keys are not there.
func TestKeysOfARunThatTakesNoOrders(t *testing.T) {
	over, trial, none := done(), demo(), demo()
	trial.Search = searched()
	none.Load = nil
	for name, s := range map[string]*control.Snapshot{"over": over, "a trial": trial, "no run": none} {
		m, from, press := onLoad(t, s)
		press("space")
		if len(from.calls) > 0 || strings.Contains(lastLine(m), "pause") {
			t.Errorf("%s: called %v, keys %q", name, from.calls, lastLine(m))
		}
	}
}
