package mail

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"mime"
	"strings"
	"unicode"

	gomail "github.com/wneessen/go-mail"

	"weir/internal/notify/channel"
)

// limits in bytes: servers commonly refuse 10 MB, readers far less.
const (
	maxSubject = 200
	maxText    = 64 << 10
)

func (m *mailer) letter(p channel.Post) (*gomail.Msg, error) {
	msg := gomail.NewMsg()
	// An address that cannot be read is the channel's fault, though notify check has seen them all.
	if err := errors.Join(msg.From(m.From), msg.To(m.To...)); err != nil {
		return nil, &channel.Failure{Class: channel.Blocked, Code: "bad_address", Err: err}
	}
	domain := "weir.invalid"
	if _, after, ok := strings.Cut(strings.Trim(m.From, " >"), "@"); ok {
		domain = strings.Trim(after, "> ")
	}
	msg.SetMessageIDWithValue(id("post", p.ID) + "@" + domain)
	thread := "<" + id("key", p.Message.Key) + "@" + domain + ">"
	msg.SetGenHeader(gomail.HeaderInReplyTo, thread)
	msg.SetGenHeader(gomail.HeaderReferences, thread)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office answers, please
	msg.SetGenHeader("X-Weir-Event", line(p.Message.EventID, maxSubject))
	msg.SetUserAgent("weir-notify")
	msg.SetGenHeader("Content-Language", p.Message.Lang())
	msg.SetDate()
	msg.SetGenHeader(gomail.HeaderSubject, coded(Subject(p.Message)))
	if s := p.Message.Severity; !p.Message.Outcome.State.Good() && (s == "high" || s == "critical") {
		msg.SetImportance(gomail.ImportanceHigh)
	}
	msg.SetBodyString(gomail.TypeTextPlain, text(p.Message))
	if !p.Plain {
		page, err := HTML(p.Message)
		if err != nil {
			return nil, &channel.Failure{Class: channel.Refused, Code: "template", Err: err}
		}
		msg.AddAlternativeString(gomail.TypeTextHTML, page)
	}
	return msg, nil
}

// id is the same for the same name, on any machine.
func id(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + "\n" + name))
	return "weir." + hex.EncodeToString(sum[:16])
}

// Subject has the state in brackets: mail programs leave them out when they compare subjects to form a thread (RFC 5256).
func Subject(m channel.Message) string {
	return line("["+strings.NewReplacer("[", "(", "]", ")").Replace(m.Word)+"] "+m.Subject, maxSubject)
}

// coded writes a subject for a header, the word in brackets by itself: as one long coded word the library would put it all on
// the second line, and readers see a blank in front.
func coded(subject string) string {
	word, rest, _ := strings.Cut(subject, "] ")
	word += "]"
	enc := func(s string) string { return mime.QEncoding.Encode("utf-8", s) }
	if enc(word) != word && enc(rest) != rest {
		word += " " // blanks between two coded words do not count
	}
	return enc(word) + " " + enc(rest)
}

// line is s in one line.
func line(s string, n int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	return cut(strings.Join(strings.Fields(s), " "), n)
}

func text(m channel.Message) string { return cut(strings.ToValidUTF8(m.Text(), ""), maxText) }

// cut shortens to n bytes without tearing a character.
func cut(s string, n int) string {
	if len(s) > n {
		s = strings.ToValidUTF8(s[:n-len("…")], "") + "…"
	}
	return s
}

// page escapes all that it shows. Its colours carry no meaning of their own: the words do.
var page = template.Must(template.New("mail").Parse(`<!DOCTYPE html>
<html lang="{{.Lang}}"><head><meta charset="utf-8"><title>{{.Subject}}</title></head>
<body style="font-family: sans-serif; font-size: 15px; line-height: 1.45; color: #1a1a1a; background: #ffffff;">
<h1 style="font-size: 18px; margin: 0 0 8px 0;">{{.First}}</h1>
{{range .Lines}}<p style="margin: 4px 0;">{{.}}</p>
{{end}}{{with .Why}}<p style="margin: 4px 0;"><b>{{$.Label.Why}}</b> {{.}}</p>
{{end}}{{with .Rows}}<p style="margin: 4px 0;">{{.}}</p>
{{end}}<p style="margin: 10px 0 4px 0;"><b>{{.Label.Todo}}</b> {{.Todo}}</p>
{{with .Ask}}<p style="margin: 4px 0;">{{$.Label.Ask}} {{.}}</p>
{{end}}{{range .Links}}<p style="margin: 4px 0;"><a href="{{.URL}}">{{.Text}}</a></p>
{{end}}<p style="margin: 12px 0 0 0; font-size: 12px; color: #595959;">{{.Footer}}</p>
</body></html>
`))

// HTML is the message as a page, without any picture, and with no link but those of units.yaml: what an error's text says is
// shown, never followed.
func HTML(m channel.Message) (string, error) {
	const free = 8 << 10
	lines := make([]string, 0, len(m.Lines))
	for i, total := 0, 0; i < len(m.Lines); i++ {
		if total += len(m.Lines[i]); total > maxText {
			lines = append(lines, fmt.Sprintf("… +%d", len(m.Lines)-i))
			break
		}
		lines = append(lines, cut(m.Lines[i], free))
	}
	var b bytes.Buffer
	err := page.Execute(&b, map[string]any{
		"Lang": m.Lang(), "Label": m.Labels(), "Subject": Subject(m), "First": cut(m.First(), free), "Lines": lines, "Why": cut(m.Why, free), "Rows": cut(m.Rows, free), "Todo": cut(m.Todo, free),
		"Ask": cut(m.Ask, free), "Links": m.Links, "Footer": cut(m.Footer, free),
	})
	return b.String(), err
}

// Preview gives what a mailbox would get.
func Preview(p channel.Post) string {
	out := "Subject: " + Subject(p.Message) + "\n\n" + text(p.Message)
	if page, err := HTML(p.Message); err == nil {
		out += "\n-- as a page --\n" + page
	}
	return out
}
