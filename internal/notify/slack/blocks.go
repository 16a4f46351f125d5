package slack

import (
	"regexp"
	"strings"
	"unicode/utf8"

	slackgo "github.com/slack-go/slack"

	"weir/internal/notify/channel"
)

// Slack's limits in characters.
const (
	maxHeader  = 150
	maxSection = 3000
	maxText    = 4000
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
		return cut(escape(m.Text()), maxText), nil
	}
	text := cut(escape(m.Short()), maxText-100)
	if p.Mention != "" {
		text += " " + mention(p.Mention)
	}
	blocks := []slackgo.Block{slackgo.NewHeaderBlock(slackgo.NewTextBlockObject(slackgo.PlainTextType, cut(m.First(), maxHeader), false, false))}
	section := func(lines ...string) {
		if s := strings.Join(lines, "\n"); s != "" {
			blocks = append(blocks, slackgo.NewSectionBlock(mrkdwn(cut(s, maxSection)), nil, nil))
		}
	}
	var body []string
	for _, l := range m.Lines {
		body = append(body, escape(l))
	}
	if m.Why != "" {
		body = append(body, "*Why:* "+escape(m.Why))
	}
	if m.Rows != "" {
		body = append(body, escape(m.Rows))
	}
	section(body...)
	do := []string{"*What to do:* " + escape(m.Todo)}
	if m.Ask != "" {
		do = append(do, "Ask: "+mention(m.Ask))
	}
	if p.Mention != "" {
		do = append(do, mention(p.Mention))
	}
	section(do...)
	blocks = append(blocks, slackgo.NewContextBlock("", mrkdwn(cut(escape(m.Footer), maxSection))))
	return text, blocks
}

// mrkdwn is verbatim: Slack must not turn a bare address or #word of an error text into a link.
func mrkdwn(s string) *slackgo.TextBlockObject {
	return slackgo.NewTextBlockObject(slackgo.MarkdownType, s, false, true)
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// escape keeps text from being read as markup: Slack acts on <!channel> and <http://…|text> only with real angle brackets.
func escape(s string) string { return escaper.Replace(s) }

var id = regexp.MustCompile(`^[SUW][A-Z0-9]{6,}$`)

// mention writes who is pinged: an id of a user (U…) or a group (S…), @here or @channel; a plain name pings nobody.
func mention(who string) string {
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

// cut shortens to n characters, without tearing a rune or an escape.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)[:n-1]
	if i := strings.LastIndexByte(string(r), '&'); i >= 0 && !strings.Contains(string(r)[i:], ";") {
		return string(r)[:i] + "…"
	}
	return string(r) + "…"
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
