package slack

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"

	slackgo "github.com/slack-go/slack"

	"weir/internal/notify/channel"
)

// Slack's limits, in units of UTF-16: a character beyond the first 65,536, like most emoji, counts twice somewhere on the way.
// Of a text it takes 40,000 and asks for 4,000.
const (
	maxHeader  = 150
	maxSection = 3000
	maxText    = 4000
	maxLine    = 700 // ours: no line pushes the next one out of its section, least of all a mention
)

// content gives the message's blocks and its top-level text. Both always: an update with text alone removes the blocks, and
// screen readers and lock screens read the text.
func content(p channel.Post) []slackgo.MsgOption {
	text, blocks := render(p)
	opts := []slackgo.MsgOption{slackgo.MsgOptionText(text, false), slackgo.MsgOptionDisableLinkUnfurl(), slackgo.MsgOptionDisableMediaUnfurl()}
	if blocks != nil {
		opts = append(opts, slackgo.MsgOptionBlocks(blocks...))
	}
	return opts
}

func render(p channel.Post) (string, []slackgo.Block) {
	m := p.Message
	if p.Plain {
		return cut(escape(m.Text()), maxText-utf16Len(more(p))-1) + more(p), nil
	}
	label := m.Labels()
	text := cut(escape(m.Short()), maxText-300)
	if p.Mention != "" {
		text += " " + mention(p.Mention)
	}
	blocks := []slackgo.Block{slackgo.NewHeaderBlock(slackgo.NewTextBlockObject(slackgo.PlainTextType, cut(inert.Replace(clean(m.First())), maxHeader), false, false))}
	section := func(lines ...string) {
		if s := strings.Join(lines, "\n"); s != "" {
			blocks = append(blocks, slackgo.NewSectionBlock(mrkdwn(cut(s, maxSection)), nil, nil))
		}
	}
	var body []string
	for _, l := range m.Lines {
		body = append(body, cut(escape(l), maxLine))
	}
	if m.Why != "" {
		body = append(body, "*"+label.Why+"* "+cut(escape(m.Why), maxLine))
	}
	if m.Rows != "" {
		body = append(body, cut(escape(m.Rows), maxLine))
	}
	for _, part := range pages(body) {
		section(part)
	}
	do := []string{"*" + label.Todo + "* " + cut(escape(m.Todo), 2*maxLine)}
	if m.Ask != "" {
		do = append(do, label.Ask+" "+cut(asked(m.Ask), maxLine))
	}
	if p.Mention != "" {
		do = append(do, mention(p.Mention))
	}
	section(do...)
	section(strings.Join(links(m), " · "))
	var small []slackgo.MixedElement
	for _, s := range []string{m.Footer, strings.TrimSpace(more(p))} {
		if s = cut(escape(s), maxSection); s != "" {
			small = append(small, mrkdwn(s))
		}
	}
	if len(small) > 0 {
		blocks = append(blocks, slackgo.NewContextBlock("", small...))
	}
	return text, blocks
}

// links come from units.yaml: no error's text can forge one. One that is too long to be whole is left out.
func links(m channel.Message) (all []string) {
	for _, l := range m.Links {
		if url := escape(l.URL); utf16Len(url) <= maxLine && !strings.ContainsAny(l.URL, "<>|\n ") {
			all = append(all, "<"+url+"|"+escape(l.Text)+">")
		}
	}
	return all
}

// maxPages are the sections that the lines of a message may fill: a digest of a big unit has many.
const maxPages = 8

// pages packs lines into as few sections as they need; what does not fit any more is counted.
func pages(lines []string) []string {
	var out []string
	page, size := []string(nil), 0
	for i, l := range lines {
		n := utf16Len(l) + 1
		if size+n > maxSection-40 && len(page) > 0 { // room for the last line
			if len(out) == maxPages-1 {
				return append(out, strings.Join(page, "\n")+fmt.Sprintf("\n… +%d", len(lines)-i))
			}
			out, page, size = append(out, strings.Join(page, "\n")), nil, 0
		}
		page, size = append(page, l), size+n
	}
	return append(out, strings.Join(page, "\n"))
}

// more is what a message adds that begins anew, after somebody has deleted the first one or it can no longer be changed.
func more(p channel.Post) string {
	if !p.Continues {
		return ""
	}
	return "\n↪ " + p.Message.Labels().Continues
}

// mrkdwn is verbatim: Slack must not turn a bare address or #word of an error text into a link.
func mrkdwn(s string) *slackgo.TextBlockObject {
	return slackgo.NewTextBlockObject(slackgo.MarkdownType, s, false, true)
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape keeps text from being read as markup: Slack acts on <!channel> and <http://…|text> only with real angle brackets.
func escape(s string) string { return escaper.Replace(clean(s)) }

// inert is for plain text, where Slack documents no markup and no escapes: without angle brackets there can be neither.
var inert = strings.NewReplacer("<", "‹", ">", "›")

// clean drops what is not seen and changes what is: control characters, and those that turn the direction of writing, by
// which an error's text could make its readers see another one. Right-to-left letters themselves stay.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsControl(r):
			return ' '
		case r == '\u061c', r >= '\u200e' && r <= '\u200f', r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\ufeff', r == '\u200b', r == '\u2060':
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))
}

func utf16Len(s string) (n int) {
	for _, r := range s {
		n += utf16.RuneLen(r)
	}
	return n
}

var id = regexp.MustCompile(`^[SUW][A-Z0-9]{6,}$`)

// mention writes who is pinged: ids of users (U…) or groups (S…), @here or @channel; a plain name pings nobody.
func mention(who string) string {
	if some := strings.Fields(who); len(some) > 1 {
		for i, w := range some {
			some[i] = mention(w)
		}
		return strings.Join(some, " ")
	}
	switch name := strings.TrimPrefix(who, "@"); {
	case name == "here" || name == "channel" || name == "everyone":
		return "<!" + name + ">"
	case id.MatchString(name) && name[0] == 'S':
		return "<!subteam^" + name + ">"
	case id.MatchString(name):
		return "<@" + name + ">"
	}
	return escape(who)
}

// asked writes whom to ask: names of users and groups are shown for their ids, but a line that stands in every message must
// not wake a whole channel.
func asked(who string) string {
	words := strings.Fields(who)
	for i, w := range words {
		if id.MatchString(strings.TrimPrefix(w, "@")) {
			words[i] = mention(w)
		} else {
			words[i] = escape(w)
		}
	}
	return strings.Join(words, " ")
}

// cut shortens to n units, without tearing a character or an escape.
func cut(s string, n int) string {
	if utf16Len(s) <= n {
		return s
	}
	units := 1 // the mark
	for i, r := range s {
		if units += utf16.RuneLen(r); units > n {
			s = s[:i]
			break
		}
	}
	if i := strings.LastIndexByte(s, '&'); i >= 0 && !strings.Contains(s[i:], ";") {
		s = s[:i]
	}
	return s + "…"
}

// Payload is the message as Slack takes it: text and blocks.
func Payload(p channel.Post) any {
	text, blocks := render(p)
	out := map[string]any{"text": text}
	if blocks != nil {
		out["blocks"] = blocks
	}
	return out
}
