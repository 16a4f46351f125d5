package tui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"weir/internal/control"
	"weir/tui/style"
)

var outboxVerbs = []string{
	control.VerbNotifyTrace, control.VerbNotifyRedrive, control.VerbNotifyDrop, control.VerbNotifySilence, control.VerbNotifyUnsilence, control.VerbNotifyTest, control.VerbNotifyDoctor,
}

// desk answers for the outbox of the pictures, and keeps what it was asked.
type desk struct {
	still
	of    *control.Notify
	asked []string
	fail  error
}

func (d *desk) Do(_ context.Context, verb string, args, result any) error {
	b, err := json.Marshal(args)
	if err != nil {
		return err
	}
	d.asked = append(d.asked, verb+" "+string(b))
	if d.fail != nil {
		return d.fail
	}
	var a struct{ ID int64 }
	if err := json.Unmarshal(b, &a); err != nil {
		return err
	}
	var out any = "done"
	switch verb {
	case control.VerbNotifyTrace:
		i := slices.IndexFunc(d.of.Messages, func(m control.Message) bool { return m.ID == a.ID })
		if i < 0 {
			return fmt.Errorf("there is no delivery %d", a.ID)
		}
		out = traceOf(d.of.Messages[i])
	case control.VerbNotifySilence:
		out = control.Silence{ID: 4, Owner: "anna", Until: at.Add(4 * time.Hour)}
	case control.VerbNotifyDoctor:
		out = []control.ChannelFinding{{State: control.OK, Check: "fallback", Text: "platform"}, {Channel: "rsk-alerts", State: control.Bad, Check: "member", Text: "not_in_channel", Fix: "invite the app to the channel"}}
	}
	if b, err = json.Marshal(out); err != nil {
		return err
	}
	return json.Unmarshal(b, result)
}

func traceOf(m control.Message) control.Trace {
	m.Text = m.Title + "\nNothing was published; yesterday's figures are still shown.\nWhat to do: do not use these figures yet; another message follows when it is mended.\nAsk: @data-ledger\n" + m.Job + " · run r-1 · Europe/Berlin\n"
	t := control.Trace{
		Message: m, Event: "7f3a9c02d1b84e55a0c9f61b2d3e4fe1", Key: m.Unit + "/" + m.Job + "/" + m.Date, Revision: 2, Accepted: m.Created,
		Routes:   []string{`routes[0]: matched: unit = "` + m.Unit + `"`, "routes[0].routes[1]: matched: severity >= \"high\"", "routes[0].routes[1]: sent to " + m.Channel},
		Whole:    "event 7f3a9c02d1b84e55a0c9f61b2d3e4fe1: " + m.Outcome + " of " + m.Job + "\n  accepted 2026-11-20 14:38:11.000 CET, on the disk\nroutes\n  routes[0]: matched\nchannel platform: not told: no route names it\n",
		Previews: []control.Preview{{As: "text", Text: m.Text}, {As: "slack", Text: "{\n  \"blocks\": []\n}\n"}},
	}
	if m.State == "dead" {
		t.Tries = []control.Try{{At: m.Created, Text: "publish: again, Throttling (HTTP 400): Rate exceeded, 12 ms"}, {At: m.Created.Add(time.Second), Text: "publish: refused, InvalidParameter (HTTP 400): Invalid parameter: Message too long, 31 ms"}}
		t.Fix = "mend what the channel refuses, then redrive it; or drop it with a reason"
	}
	return t
}

// atOutbox is a model that shows the outbox, at a size, after some keys.
func atOutbox(t testing.TB, d *desk, theme *style.Theme, w, h int, keys ...string) *model {
	t.Helper()
	sn := demo()
	if d.of == nil {
		d.of = sn.Notify
	}
	sn.Notify = d.of
	sn.Verbs = append(append([]string{}, sn.Verbs...), outboxVerbs...)
	m := newModel(t.Context(), d, theme, Options{})
	m.now = at
	settle(m, tea.WindowSizeMsg{Width: w, Height: h}, live(sn))
	settle(m, key("5"))
	press(m, keys...)
	return m
}

// TestNotify are the pictures of the Notify screen at three sizes, with and without colour.
func TestNotify(t *testing.T) {
	for _, tc := range []struct {
		name string
		of   *control.Notify
		keys []string
	}{
		{name: "dead"},
		{name: "held", keys: []string{"down", "down", "down"}},
		{name: "today", keys: []string{"o"}},
		{name: "channels", keys: []string{"o", "o"}},
		{name: "filter", keys: []string{"/", "type:fin"}},
		{name: "explain", keys: []string{"e"}},
		{name: "preview", keys: []string{"v", "tab"}},
		{name: "redrive", keys: []string{"R"}},
		{name: "drop", keys: []string{"D", "type:told by telephone"}},
		{name: "silence", keys: []string{"s"}},
		{name: "end-a-silence", keys: []string{"S"}},
		{name: "test", keys: []string{"T"}},
		{name: "doctor", keys: []string{"d"}},
		{name: "nobody-sends", of: &control.Notify{At: at, Waiting: 3, OldestWait: 900, Messages: []control.Message{{ID: 1, State: "ready", Title: "✅ READY  Invoices: usable", Job: "invoices", Unit: "FIN", Channel: "fin-daily", Created: at.Add(-15 * time.Minute)}}}},
		{name: "empty", of: &control.Notify{At: at, Sender: "process 1"}},
		{name: "unreadable", of: &control.Notify{At: at.Add(-time.Minute), Error: "outbox: /srv/weir/prod/outbox.db: file was made by a newer weir"}},
	} {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {160, 50}} {
			for _, color := range []bool{true, false} {
				if color && tc.name != "dead" && tc.name != "channels" {
					continue
				}
				mode := "nocolor"
				if color {
					mode = "color"
				}
				name := fmt.Sprintf("notify-%s-%dx%d-%s", tc.name, size[0], size[1], mode)
				t.Run(name, func(t *testing.T) {
					m := atOutbox(t, &desk{of: tc.of}, style.Make(style.Braille, color), size[0], size[1], tc.keys...)
					content := m.View().Content
					fits(t, content, size[0], size[1])
					if strings.Contains(content, "cannot draw") {
						t.Errorf("a panic was caught:\n%s", ansi.Strip(content))
					}
					if !color {
						content = ansi.Strip(content)
					}
					golden(t, name, content)
				})
			}
		}
	}
}

func plainText(m *model) string { return ansi.Strip(m.View().Content) }

// TestWhatWaitsForAPersonComesFirst, and what is done about it is asked for once and by its number.
func TestWhatWaitsForAPersonComesFirst(t *testing.T) {
	d := &desk{}
	m := atOutbox(t, d, style.Make(style.Braille, false), 120, 40)
	lines := strings.Split(plainText(m), "\n")
	var order []string
	for _, l := range lines {
		for _, w := range []string{"DEAD", "unknown ", "blocked ", "held ", "sending", "sent  "} {
			if strings.HasPrefix(strings.TrimLeft(l, "│ ✖!◌▶✔"), w) {
				order = append(order, strings.TrimSpace(w))
			}
		}
	}
	if want := []string{"DEAD", "unknown", "blocked", "sending", "held", "sent", "sent", "sent"}; !slices.Equal(order[:min(len(order), len(want))], want) {
		t.Errorf("order %v, want %v", order, want)
	}
	asked := func(want string) {
		t.Helper()
		if !slices.Contains(d.asked, want) {
			t.Errorf("%s was not asked; asked: %v", want, d.asked)
		}
	}
	press(m, "R", "n")
	if slices.ContainsFunc(d.asked, func(s string) bool { return strings.HasPrefix(s, control.VerbNotifyRedrive) }) {
		t.Errorf("redriven although the answer was no: %v", d.asked)
	}
	press(m, "R", "y")
	asked(`notify.redrive {"id":123}`)
	press(m, "up", "up", "up", "up", "up", "up", "up", "up", "up", "D", "type:told by telephone", "enter")
	asked(`notify.drop {"id":123,"reason":"told by telephone"}`)
	press(m, "s", "tab", "tab", "type:migration", "enter")
	if i := len(d.asked) - 1; i < 0 || !slices.ContainsFunc(d.asked, func(s string) bool {
		return strings.HasPrefix(s, control.VerbNotifySilence) && strings.Contains(s, "migration")
	}) {
		t.Errorf("no silence was asked for: %v", d.asked)
	}
	press(m, "S", "enter")
	asked(`notify.unsilence {"id":3}`)
	press(m, "T", "enter", "y")
	if !slices.ContainsFunc(d.asked, func(s string) bool { return strings.HasPrefix(s, control.VerbNotifyTest+" {\"channel\":\"") }) {
		t.Errorf("no test was asked for: %v", d.asked)
	}
}

// TestOnlyTheStuckCanBeChanged: R and D on a message that was sent ask for nothing, and never start a load run.
func TestOnlyTheStuckCanBeChanged(t *testing.T) {
	d := &desk{}
	m := atOutbox(t, d, style.Make(style.Braille, false), 80, 24, "pgdown", "R")
	if got := plainText(m); !strings.Contains(got, "only what is dead, held or expired can be tried again") {
		t.Errorf("R on what was sent:\n%s", got)
	}
	press(m, "D")
	if got := plainText(m); !strings.Contains(got, "only what is dead, held or expired can be dropped") {
		t.Errorf("D on what was sent:\n%s", got)
	}
	// A server without an outbox, but with load runs: R is this screen's key all the same.
	sn := demo()
	sn.Verbs = []string{control.VerbLoadStart}
	settle(m, live(sn))
	press(m, "R")
	if got := plainText(m); strings.Contains(got, "run ") && strings.Contains(got, "y/n") || !strings.Contains(got, "not now") {
		t.Errorf("R without the verb:\n%s", got)
	}
}

// TestOutboxErrorsAreTold: what the server refuses stands in the last line and in the form, and the screen goes on.
func TestOutboxErrorsAreTold(t *testing.T) {
	d := &desk{}
	m := atOutbox(t, d, style.Make(style.Braille, false), 120, 40)
	d.fail = &control.Error{Message: "redrive delivery 123: it is neither dead nor held nor expired"}
	press(m, "R", "y")
	if got := plainText(m); !strings.Contains(got, "neither dead nor held") {
		t.Errorf("a refused redrive:\n%s", got)
	}
	d.fail = errors.New("match: unknown word")
	press(m, "s", "tab", "tab", "type:why", "enter")
	if got := plainText(m); !strings.Contains(got, "match: unknown word") {
		t.Errorf("a refused silence:\n%s", got)
	}
}

// TestAttentionLeadsToTheMessage: ⏎ on a dead letter of the Overview selects it.
func TestAttentionLeadsToTheMessage(t *testing.T) {
	d := &desk{}
	m := atOutbox(t, d, style.Make(style.Braille, false), 120, 40)
	sn := demo()
	sn.Verbs = outboxVerbs
	d.of = sn.Notify
	sn.Attention = []control.Attention{{Level: control.Bad, What: "UNKNOWN", Job: "invoices", Since: at, Screen: "Notify", Item: "121"}}
	settle(m, live(sn))
	press(m, "1", "enter")
	if got := plainText(m); !strings.Contains(got, "[5 Notify]") || !strings.Contains(got, "READY Invoices for Thu 19 Nov 2026: usable → fin-daily") {
		t.Errorf("not led there:\n%s", got)
	}
}

// TestOutboxOutlivesTheServer: what this program has read itself is not grey when the pipeline has ended; what a server had told is.
func TestOutboxOutlivesTheServer(t *testing.T) {
	for _, own := range []bool{true, false} {
		m := atOutbox(t, &desk{}, style.Make(style.Braille, true), 80, 24)
		sn := demo()
		sn.Notify.Own = own
		settle(m, updateMsg{control.Update{Snapshot: sn, Heard: at, Own: outboxVerbs}, at.Add(10 * time.Second)})
		if got := m.stale(); got == own {
			t.Errorf("own %v: stale %v", own, got)
		}
	}
}

// TestNotifyResizeStorm: whatever is open, no size breaks the picture, and the selection stays.
func TestNotifyResizeStorm(t *testing.T) {
	for _, keys := range [][]string{nil, {"o"}, {"e"}, {"v"}, {"s"}, {"T"}, {"z"}} {
		m := atOutbox(t, &desk{}, style.Make(style.Braille, false), 80, 24, append([]string{"down"}, keys...)...)
		for _, size := range [][2]int{{300, 100}, {20, 5}, {79, 24}, {120, 12}, {40, 10}, {160, 50}, {1, 1}, {80, 24}} {
			settle(m, tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			content := m.View().Content
			fits(t, content, size[0], size[1])
			if strings.Contains(content, "cannot draw") {
				t.Errorf("%v at %v: a panic was caught:\n%s", keys, size, ansi.Strip(content))
			}
		}
		press(m, "esc", "down", "up") // the message comes back into sight
		if got := plainText(m); !strings.Contains(got, "Invoices") {
			t.Errorf("%v: the selected message is lost:\n%s", keys, got)
		}
	}
}

// TestHostileMessages: titles, reasons and names come from jobs; none of them reaches the terminal as more than text.
func TestHostileMessages(t *testing.T) {
	evil := "a\x1b[31m\u202e\x07b\nc\u200bd"
	of := &control.Notify{At: at, Zone: evil, Sender: evil, Error: "", Channels: []control.Channel{{Name: evil, State: control.Down, Detail: evil, Fix: evil}},
		Messages: []control.Message{{ID: 1, State: "dead", Title: evil, Job: evil, Unit: evil, Channel: evil, Why: evil, Text: evil, Outcome: evil, Date: evil}},
		Expected: []control.Expected{{Job: evil, Unit: evil, State: evil, Why: evil}}, Silences: []control.Silence{{ID: 1, Match: evil, Owner: evil, Reason: evil}}}
	for _, keys := range [][]string{nil, {"o"}, {"o", "o"}, {"e"}, {"v"}, {"S"}, {"T"}, {"R"}} {
		for _, size := range [][2]int{{80, 24}, {120, 40}, {40, 10}} {
			m := atOutbox(t, &desk{of: of}, style.Make(style.Braille, false), size[0], size[1], keys...)
			content := m.View().Content
			fits(t, content, size[0], size[1])
			for _, bad := range []string{"\x1b[31m", "\u202e", "\x07", "\u200b"} {
				if strings.Contains(content, bad) {
					t.Errorf("%v at %v: %q reaches the terminal", keys, size, bad)
				}
			}
		}
	}
}
