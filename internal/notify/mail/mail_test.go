package mail

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"strings"
	"testing"

	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/notify/channeltest"
)

const password = "very-secret-password"

func open(t *testing.T, change func(*Config)) (*fake.SMTP, channel.Channel) {
	t.Helper()
	ca := fake.NewAuthority(t)
	cert := ca.Local(t)
	c := Config{From: "weir <weir@bank.example>", To: []string{"fin@bank.example", "Data Payments <data@bank.example>"}, User: "weir",
		Password: func() (string, error) { return password, nil }, Trust: &tls.Config{RootCAs: ca.Pool()}}
	if change != nil {
		change(&c)
	}
	server := fake.NewSMTP(t, c.User, password, &cert, c.Security == TLS)
	c.Server = server.Addr()
	return server, New(c)
}

func TestConformance(t *testing.T) {
	for _, security := range []string{StartTLS, TLS} {
		t.Run(security, func(t *testing.T) {
			channeltest.Run(t, channeltest.Config{
				Secrets: []string{password}, Undecidable: true, Mute: true,
				Open: func(t *testing.T) channeltest.Far {
					server, ch := open(t, func(c *Config) { c.Security = security })
					return channeltest.Far{Channel: ch, Fault: func(f fake.Fault) { server.Next(f) },
						NoAuth: func(refuse bool) {
							server.SetPassword(password)
							if refuse {
								server.SetPassword("other")
							}
						},
						Arrived: func() (ids []string) {
							for _, m := range server.Taken() {
								ids = append(ids, read(t, m).Header.Get("X-Weir-Event"))
							}
							return ids
						}}
				},
			})
		})
	}
}

func read(t *testing.T, m fake.Mail) *mail.Message {
	t.Helper()
	msg, err := mail.ReadMessage(strings.NewReader(m.Text))
	if err != nil {
		t.Fatal(err)
	}
	return msg
}

// parts reads text and page as a mail program does.
func parts(t *testing.T, m fake.Mail) (out map[string]string) {
	t.Helper()
	msg := read(t, m)
	kind, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	out = map[string]string{}
	decode := func(r io.Reader) string {
		b, err := io.ReadAll(quotedprintable.NewReader(r))
		if err != nil {
			t.Fatal(err)
		}
		return string(bytes.ReplaceAll(b, []byte("\r\n"), []byte("\n")))
	}
	if kind != "multipart/alternative" {
		out[kind] = decode(msg.Body)
		return out
	}
	for r := multipart.NewReader(msg.Body, params["boundary"]); ; {
		p, err := r.NextRawPart()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(p.Header.Get("Content-Type"), ";")
		out[kind] = decode(p)
	}
}

func TestTextAndPageWithEverythingEscaped(t *testing.T) {
	server, ch := open(t, nil)
	p := channeltest.Post("a")
	p.Message.Why = `<script>alert(1)</script> <a href="http://evil.example">your bank</a> & "more"`
	p.Message.Todo, p.Message.Subject = "<img src=x>", "Umsätze\r\nBcc: everybody@bank.example"
	if _, err := ch.Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	m := server.Taken()[0]
	got := parts(t, m)
	if page := got["text/html"]; strings.Contains(page, "<script") || strings.Contains(page, "<a ") || strings.Contains(page, "<img") || !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Errorf("page:\n%s", page)
	}
	if text := got["text/plain"]; !strings.HasPrefix(text, "✖ FAILED  Umsätze") || !strings.Contains(text, "What to do: <img src=x>") {
		t.Errorf("text:\n%s", text)
	}
	h := read(t, m).Header
	subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
	if err != nil || subject != "[FAILED] Umsätze Bcc: everybody@bank.example" || h.Get("Bcc") != "" {
		t.Errorf("subject %q, %v; Bcc %q", subject, err, h.Get("Bcc"))
	}
	if fmt.Sprint(m.To) != "[fin@bank.example data@bank.example]" || m.From != "weir@bank.example" || !m.Encrypted || m.User != "weir" {
		t.Errorf("%+v", m)
	}
	if h.Get("Auto-Submitted") != "auto-generated" || h.Get("Importance") != "high" {
		t.Errorf("headers %v", h)
	}
}

func TestSubjectsAreReadAsTheyWereMeant(t *testing.T) {
	for _, word := range []string{"FAILED", "READY WITH WARNING", "VERSPÄTET"} {
		for _, what := range []string{"Daily settlements for Fri 20 Nov 2026", "Tägliche Umsätze für " + strings.Repeat("Köln ", 20) + "am 20.11.", "a]] b", "[x] y"} {
			server, ch := open(t, nil)
			p := channeltest.Post("a")
			p.Message.Word, p.Message.Subject = word, what
			if _, err := ch.Send(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			raw := server.Taken()[0].Text
			if got, err := new(mime.WordDecoder).DecodeHeader(read(t, server.Taken()[0]).Header.Get("Subject")); err != nil || got != "["+word+"] "+what {
				t.Errorf("%q, %v", got, err)
			}
			if strings.Contains(raw, "Subject:\r\n") || strings.Contains(raw, "Subject:\n") || !strings.Contains(raw, "Subject: ") {
				t.Errorf("the first line of the subject is empty:\n%.300s", raw)
			}
		}
	}
}

func TestMailsOfOneJobAndDateFormAThread(t *testing.T) {
	server, ch := open(t, nil)
	other := channeltest.Post("c")
	other.Message.Key = "FIN/gl_report/2026-11-20"
	for _, p := range []channel.Post{channeltest.Post("a"), channeltest.Post("b"), other, channeltest.Post("a")} {
		if _, err := ch.Send(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	var id, refs []string
	for _, m := range server.Taken() {
		h := read(t, m).Header
		if h.Get("References") != h.Get("In-Reply-To") {
			t.Errorf("headers %v", h)
		}
		id, refs = append(id, h.Get("Message-ID")), append(refs, h.Get("References"))
	}
	if refs[0] != refs[1] || refs[0] == refs[2] || !strings.HasSuffix(refs[0], "@bank.example>") {
		t.Errorf("threads %v", refs)
	}
	if id[0] == id[1] || id[0] != id[3] || !strings.HasPrefix(id[0], "<weir.") {
		t.Errorf("ids %v: the same post has the same, another another", id)
	}
}

func TestWhatTheServerSaysDecides(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  int
		class channel.Class
	}{
		{"greylisted address", 450, channel.Again},
		{"unknown address", 550, channel.Blocked},
	} {
		server, ch := open(t, nil)
		server.Reject("fin@bank.example", c.code)
		_, err := ch.Send(t.Context(), channeltest.Post("a"))
		if f := channel.Classify(err); f.Class != c.class || f.Code != fmt.Sprintf("smtp_%d", c.code) {
			t.Errorf("%s: %+v", c.name, f)
		}
		if len(server.Taken()) != 0 {
			t.Errorf("%s: taken", c.name)
		}
	}
}

func TestNothingLeavesUnencrypted(t *testing.T) {
	server := fake.NewSMTP(t, "weir", password, nil, false) // cannot STARTTLS
	_, err := New(Config{Server: server.Addr(), From: "weir@bank.example", To: []string{"fin@bank.example"}, User: "weir",
		Password: func() (string, error) { return password, nil }}).Send(t.Context(), channeltest.Post("a"))
	if f := channel.Classify(err); f.Class != channel.Blocked || f.Code != "no_starttls" || len(server.Taken()) != 0 {
		t.Errorf("%v, taken %v", err, server.Taken())
	}
	// A certificate of an authority that is not ours.
	other, ch := open(t, func(c *Config) { c.Trust = nil })
	_, err = ch.Send(t.Context(), channeltest.Post("a"))
	if f := channel.Classify(err); f.Class != channel.Blocked || f.Code != "bad_certificate" || len(other.Taken()) != 0 {
		t.Errorf("%v", err)
	}
}

func TestARelayOnThisMachine(t *testing.T) {
	server, ch := open(t, func(c *Config) { c.User, c.Security = "", None })
	p := channeltest.Post("a")
	p.Plain = true
	if _, err := ch.Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	got := parts(t, server.Taken()[0])
	if len(got) != 1 || !strings.HasPrefix(got["text/plain"], "✖ FAILED") {
		t.Errorf("%v", got)
	}
	if f := channel.Classify(dialFailed(fmt.Errorf("SMTP AUTH failed: %w", os.ErrDeadlineExceeded))); f.Class != channel.Again || f.Code != "timeout" {
		t.Errorf("a server that is slow at the login: %+v", f)
	}
	nobody := New(Config{Server: "127.0.0.1:1", Security: None, From: "a@b.example", To: []string{"c@d.example"}})
	_, err := nobody.Send(t.Context(), p)
	if f := channel.Classify(err); f.Class != channel.Again || f.Code != "unreachable" {
		t.Errorf("%v", err)
	}
}

func TestAMailStaysSmall(t *testing.T) {
	server, ch := open(t, nil)
	p := channeltest.Post("a")
	long := strings.Repeat("ORA-00942 ", 1000)
	p.Message.Why, p.Message.Todo, p.Message.Footer = strings.Repeat(long, 100), strings.Repeat(long, 100), strings.Repeat(long, 100)
	for range 1000 {
		p.Message.Lines = append(p.Message.Lines, long)
	}
	if _, err := ch.Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	m := server.Taken()[0]
	if got := parts(t, m); len(m.Text) > 400<<10 || !strings.Contains(got["text/html"], "… &#43;994") {
		t.Errorf("%d bytes", len(m.Text))
	}
}

func TestAMailInGermanSaysSo(t *testing.T) {
	server, ch := open(t, nil)
	p := channeltest.Post("a")
	p.Message.Language = "de"
	if _, err := ch.Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	m := server.Taken()[0]
	got := parts(t, m)
	if !strings.Contains(got["text/html"], `<html lang="de">`) || !strings.Contains(got["text/html"], "<b>Was zu tun ist:</b> wait") || !strings.Contains(got["text/plain"], "Was zu tun ist: wait") {
		t.Errorf("%v", got)
	}
	if lang := read(t, m).Header.Get("Content-Language"); lang != "de" {
		t.Errorf("Content-Language %q", lang)
	}
}
