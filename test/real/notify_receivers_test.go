//go:build real

package real

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/notify/channeltest"
	"weir/internal/notify/mail"
	"weir/internal/notify/webhook"
	"weir/test/real/parts"
)

// taken is what receivers.py tells.
type taken struct {
	Hooks []map[string]any
	Mails []struct {
		To                      []string
		TLS                     bool
		Subject, ID, References string
		Defects                 []string
		Body                    map[string]string
	}
}

// What we sign, others can verify; what we mail, others can read: through programs that know nothing of weir.
func TestSignedPostsAndMailsAreUnderstoodByOthers(t *testing.T) {
	ca := fake.NewAuthority(t)
	cert := ca.Local(t)
	for k, v := range map[string]string{"CERT": cert.Cert, "KEY": cert.Key, "SECRET": "whsec_dmVyeS1zZWNyZXQta2V5", "PASSWORD": "very-secret"} {
		t.Setenv("WEIR_RECEIVERS_"+k, v)
	}
	url, smtp := parts.Receivers(t)
	text := func(s string) func() (string, error) { return func() (string, error) { return s, nil } }
	hook := webhook.New(webhook.Config{URL: url + "/hook", Secret: text("whsec_b2xk whsec_dmVyeS1zZWNyZXQta2V5")}) // an old one beside it
	stranger := webhook.New(webhook.Config{URL: url + "/hook", Secret: text("whsec_b2xk")})
	post := func(password string) channel.Channel {
		return mail.New(mail.Config{Server: smtp, User: "weir", Password: text(password), From: "weir <weir@bank.example>", To: []string{"fin@bank.example", "Data <data@bank.example>"},
			Trust: &tls.Config{RootCAs: ca.Pool()}})
	}
	failed, recovered := channeltest.Post("a"), channeltest.Post("b")
	failed.Message.Subject, recovered.Message.Subject = "Tägliche Umsätze "+strings.Repeat("für Köln ", 12), "Tägliche Umsätze "+strings.Repeat("für Köln ", 12)
	recovered.Message.Word, recovered.Message.Language = "RECOVERED", "de"
	for _, c := range []channel.Channel{hook, post("very-secret")} {
		for _, f := range c.(channel.Examiner).Examine(t.Context()) {
			if f.Level == channel.Bad {
				t.Errorf("%+v", f)
			}
		}
		for _, p := range []channel.Post{failed, recovered} {
			if _, err := c.Send(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}
	}
	for what, c := range map[string]channel.Channel{"a wrong secret": stranger, "a wrong password": post("other")} {
		_, err := c.Send(t.Context(), failed)
		if f := channel.Classify(err); f.Class != channel.Blocked {
			t.Errorf("%s: %v", what, err)
		}
	}
	resp, err := http.Get(url + "/taken")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var got taken
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if len(got.Hooks) != 2 || got.Hooks[0]["id"] != "a" || got.Hooks[1]["type"] != "io.weir.job.failed.v1" {
		t.Errorf("posts: %v", got.Hooks)
	}
	if len(got.Mails) != 2 {
		t.Fatalf("%d mails", len(got.Mails))
	}
	m := got.Mails[0]
	if want := strings.TrimSpace("[FAILED] " + failed.Message.Subject); m.Subject != want || !m.TLS || len(m.Defects) > 0 || !slices.Equal(m.To, []string{"fin@bank.example", "data@bank.example"}) {
		t.Errorf("%+v", m)
	}
	if !strings.HasPrefix(m.Body["text/plain"], "✖ FAILED  Tägliche Umsätze") || !strings.Contains(m.Body["text/html"], "&lt;!channel&gt;") {
		t.Errorf("body %v", m.Body)
	}
	if n := got.Mails[1]; n.References != m.References || n.ID == m.ID || !strings.Contains(n.Body["text/html"], "Was zu tun ist:") {
		t.Errorf("%+v", n)
	}
}
