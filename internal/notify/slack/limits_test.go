package slack

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/notify/channeltest"
)

// textObject, block: docs.slack.dev/reference/block-kit, as far as weir uses it.
type textObject struct {
	Type, Text string
	Verbatim   bool
}

type block struct {
	Type     string
	Text     *textObject
	Fields   []textObject
	Elements []textObject
}

// violations are what Slack would refuse or cut, by its documentation. Lengths are counted the strict way, in UTF-16.
func violations(text string, raw json.RawMessage) (bad []string) {
	no := func(format string, args ...any) { bad = append(bad, fmt.Sprintf(format, args...)) }
	within := func(what, s string, most int) {
		if n := utf16Len(s); n < 1 || n > most {
			no("%s has %d characters, 1 to %d are taken", what, n, most)
		}
	}
	within("text", text, 40_000)
	if raw == nil {
		return bad
	}
	var blocks []block
	if err := json.Unmarshal(raw, &blocks); err != nil {
		no("blocks: %v", err)
	}
	if len(blocks) > 50 {
		no("%d blocks, 50 are taken", len(blocks))
	}
	for i, b := range blocks {
		at := fmt.Sprintf("blocks[%d] (%s)", i, b.Type)
		switch b.Type {
		case "header":
			if b.Text == nil || b.Text.Type != "plain_text" {
				no("%s: its text must be plain_text", at)
				continue
			}
			within(at, b.Text.Text, 150)
		case "section":
			if b.Text == nil && len(b.Fields) == 0 {
				no("%s: neither text nor fields", at)
			}
			if b.Text != nil {
				within(at, b.Text.Text, 3000)
			}
			if len(b.Fields) > 10 {
				no("%s: %d fields, 10 are taken", at, len(b.Fields))
			}
			for _, f := range b.Fields {
				within(at+" field", f.Text, 2000)
			}
		case "context":
			if n := len(b.Elements); n < 1 || n > 10 {
				no("%s: %d elements, 1 to 10 are taken", at, n)
			}
			for _, e := range b.Elements {
				within(at, e.Text, 3000)
			}
		default:
			no("%s: weir does not know this block", at)
		}
	}
	return bad
}

// nasty are texts that a job, a file name or a person can bring.
var nasty = map[string]string{
	"nothing":         "",
	"a megabyte":      strings.Repeat("ORA-00942: table or view does not exist\n\tat com.bank.Loader(Loader.java:117) ", 13_000),
	"mention":         "@channel @here <!channel> <!here> <!everyone> <@U0BOSS00> <!subteam^S0BOARD0|the board>",
	"forged link":     "<http://evil.example|https://intranet.bank.example> [x](http://evil.example) &lt;!channel&gt;",
	"escapes only":    strings.Repeat("&<>", 5_000),
	"emoji":           strings.Repeat("👩‍👩‍👧‍👦🏳️‍🌈🇩🇪", 400),
	"right to left":   "שגיאה: הקובץ חסר \u202egnp.exe\u202c \u2067العمود مفقود\u2069 \u200f!",
	"control":         "bell \a null \x00 escape \x1b[31mred\x1b[0m \r\n\v",
	"no text":         "\xff\xfe\xc3(",
	"markup":          "*bold* _italic_ ~gone~ `code` ```block``` > quote\n# head\n• list",
	"combining":       strings.Repeat("Z\u0351\u036b\u0343\u036a\u0302\u036b", 800),
	"one long word":   strings.Repeat("x", 200_000),
	"cut in a escape": strings.Repeat("x", 2_985) + strings.Repeat("&", 20),
	"json":            `"}],"channel":"C0OTHER","text":"forged`,
}

func TestALongDigestFillsSeveralSections(t *testing.T) {
	for n, want := range map[int]string{10: "item 9 ", 150: "item 149 ", 5000: "… +"} {
		server, ch := open(t)
		p := channeltest.Post("a")
		p.Message.Lines = nil
		for i := range n {
			p.Message.Lines = append(p.Message.Lines, fmt.Sprintf("item %d %s", i, strings.Repeat("x", 100)))
		}
		if _, err := ch.Send(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		m := server.Messages()[0]
		check(t, m, false)
		if !strings.Contains(string(m.Blocks), want) {
			t.Errorf("%d lines: the last one is lost", n)
		}
	}
}

var markup = regexp.MustCompile(`<[^>]*>`)

func TestWhateverAJobSaysSlackTakesIt(t *testing.T) {
	for name, text := range nasty {
		for _, form := range []string{"post", "plain", "continued", "reply"} {
			t.Run(name+", "+form, func(t *testing.T) {
				server, ch := open(t)
				root, err := ch.Send(t.Context(), channeltest.Post("root"))
				if err != nil {
					t.Fatal(err)
				}
				p := channeltest.Post("a")
				p.Mention, p.Plain, p.Continues = "S0PAYMENTS", form == "plain", form == "continued"
				m := &p.Message
				m.Subject, m.Verdict, m.Why, m.Rows, m.Todo, m.Ask, m.Footer = text, text, text, text, text, text, text
				m.Lines, m.Reply = []string{text, text}, "✖ "+text
				if form == "reply" {
					_, err = ch.(channel.Editor).Reply(t.Context(), root.Ref, p)
				} else {
					_, err = ch.Send(t.Context(), p)
				}
				if err != nil {
					t.Fatal(err)
				}
				check(t, server.Messages()[1], form != "plain")
			})
		}
	}
}

// check holds what Slack got against its limits, and against what we promise: the only markup is the mention of units.yaml.
func check(t *testing.T, m fake.SlackMessage, mentions bool) {
	t.Helper()
	for _, v := range violations(m.Text, m.Blocks) {
		t.Error(v)
	}
	shown := m.Text
	var blocks []block
	if m.Blocks != nil {
		if err := json.Unmarshal(m.Blocks, &blocks); err != nil {
			t.Fatal(err)
		}
	}
	for _, b := range blocks {
		for _, o := range append(b.Elements, b.Fields...) {
			shown += "\n" + o.Text
		}
		if b.Text != nil {
			if b.Text.Type == "mrkdwn" {
				shown += "\n" + b.Text.Text
			} else if strings.ContainsFunc(b.Text.Text, hidden) || strings.ContainsAny(b.Text.Text, "<>") {
				t.Errorf("unseen characters or angle brackets in %.200q", b.Text.Text)
			}
			if b.Text.Type == "mrkdwn" && !b.Text.Verbatim {
				t.Error("not verbatim: Slack would look for addresses and channels in it")
			}
		}
	}
	for _, found := range markup.FindAllString(shown, -1) {
		if found != "<!subteam^S0PAYMENTS>" || !mentions {
			t.Errorf("markup came through: %.100q", found)
		}
	}
	if want := "<!subteam^S0PAYMENTS>"; mentions && (!strings.Contains(m.Text, want) || blocks != nil && !strings.Contains(strings.TrimPrefix(shown, m.Text), want)) {
		t.Error("the mention of units.yaml is lost")
	}
	if strings.ContainsFunc(shown, hidden) || !utf8.ValidString(shown) {
		t.Errorf("unseen characters in %.200q", shown)
	}
	if torn.MatchString(shown) {
		t.Errorf("an escape is torn in %.200q", torn.FindString(shown))
	}
	if m.Metadata.Payload["id"] != "a" {
		t.Errorf("metadata %v", m.Metadata)
	}
}

// torn finds an ampersand that begins none of Slack's three escapes.
var torn = regexp.MustCompile(`&(?:[^alg]|a[^m]|l[^t]|g[^t]|.?$|am[^p]|amp[^;]|lt[^;]|gt[^;]).{0,10}`)

func hidden(r rune) bool {
	return r != '\n' && unicode.IsControl(r) || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// The check itself finds what Slack refuses.
func TestViolationsAreFound(t *testing.T) {
	long := strings.Repeat("x", 3001)
	for want, raw := range map[string]string{
		"has 151 characters": `[{"type":"header","text":{"type":"plain_text","text":"` + long[:151] + `"}}]`,
		"must be plain_text": `[{"type":"header","text":{"type":"mrkdwn","text":"x"}}]`,
		"has 3001":           `[{"type":"section","text":{"type":"mrkdwn","text":"` + long + `"}}]`,
		"has 0":              `[{"type":"section","text":{"type":"mrkdwn","text":""}}]`,
		"neither text":       `[{"type":"section"}]`,
		"11 fields":          `[{"type":"section","fields":[` + strings.Repeat(`{"type":"mrkdwn","text":"x"},`, 10) + `{"type":"mrkdwn","text":"x"}]}]`,
		"0 elements":         `[{"type":"context","elements":[]}]`,
		"51 blocks":          `[` + strings.Repeat(`{"type":"section","text":{"type":"mrkdwn","text":"x"}},`, 50) + `{"type":"section","text":{"type":"mrkdwn","text":"x"}}]`,
		"does not know":      `[{"type":"actions"}]`,
	} {
		if got := strings.Join(violations("x", json.RawMessage(raw)), "; "); !strings.Contains(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := violations(strings.Repeat("x", 40_001), nil); len(got) != 1 {
		t.Errorf("got %v", got)
	}
}
