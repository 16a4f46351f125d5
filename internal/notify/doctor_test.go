package notify

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/notify/mail"
)

// clinic is one channel of each kind with its far side.
type clinic struct {
	slack *fake.Slack
	hook  *fake.SlackHook
	sns   *fake.SNS
	api   *fake.Webhook
	smtp  *fake.SMTP
	s     *Service
}

func newClinic(t *testing.T, change func(c *clinic, u *Units)) *clinic {
	t.Helper()
	for k, v := range map[string]string{"AWS_ACCESS_KEY_ID": "AKIAFAKE", "AWS_SECRET_ACCESS_KEY": "fake", "AWS_CONFIG_FILE": "/dev/null"} {
		t.Setenv(k, v)
	}
	ca := fake.NewAuthority(t)
	cert := ca.IssueFrom(t, time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour), "127.0.0.1")
	c := &clinic{slack: fake.NewSlack("xoxb-very-secret"), hook: fake.NewSlackHook("/very-secret"), sns: fake.NewSNS(), api: fake.NewWebhook(true),
		smtp: fake.NewSMTP(t, "weir", "very-secret", &cert, false)}
	t.Cleanup(func() { c.slack.Close(); c.hook.Close(); c.sns.Close(); c.api.Close() })
	c.slack.Grant("chat:write,channels:history,channels:read")
	c.sns.Subscribe(2, 0)
	u := units(t, fmt.Sprintf(`
version: 1
channels:
  app:   {slack: {channel: C0FINDAILY, token: env:TOKEN, url: %q}}
  plain: {slack_webhook: {url: env:HOOK}, on_unknown: hold}
  topic: {sns: {topic: arn:aws:sns:eu-central-1:111122223333:fin, endpoint: %q}}
  api:   {webhook: {url: "%s/in?key=very-secret", secret: env:SECRET, receiver_dedups: true}}
  file:  {console: {path: sub/notifications.txt}}
default: [app]
fallback: [file]
`, c.slack.URL(), c.sns.URL(), c.api.URL()))
	if change != nil {
		change(c, &u)
	}
	env := map[string]string{"TOKEN": "xoxb-very-secret", "HOOK": c.hook.URL() + "/very-secret", "SECRET": "whsec_dmVyeS1zZWNyZXQ="}
	post := mail.New(mail.Config{Server: c.smtp.Addr(), User: "weir", Password: func() (string, error) { return "very-secret", nil },
		From: "weir@bank.example", To: []string{"fin@bank.example"}, Trust: &tls.Config{RootCAs: ca.Pool()}})
	var err error
	if c.s, err = Open(t.Context(), outbox(t), u, Options{Getenv: func(k string) string { return env[k] }, Extra: map[string]channel.Channel{"post": post}}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, c.s) })
	return c
}

// text shows the findings, one in a line.
func (c *clinic) text(t *testing.T, names ...string) string {
	t.Helper()
	found, err := c.s.Doctor(t.Context(), names...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, d := range found {
		for _, f := range d.Findings {
			fmt.Fprintf(&b, "%s %s %s: %s", d.Channel, f.Level, f.Check, f.Text)
			if f.Fix != "" {
				b.WriteString(" -> " + f.Fix)
			}
			b.WriteString("\n")
			if f.Level != channel.Good && f.Level != channel.Note && f.Fix == "" {
				t.Errorf("a finding without a fix: %+v", f)
			}
		}
	}
	if s := b.String(); strings.Contains(s, "very-secret") || strings.Contains(s, "dmVyeS") {
		t.Errorf("a secret is shown:\n%s", s)
	}
	return b.String()
}

func TestDoctorOfAHealthyHouse(t *testing.T) {
	c := newClinic(t, nil)
	got := c.text(t)
	if bad := regexp.MustCompile(`(?m)^\S* (warn|bad) .*`).FindString(got); bad != "" {
		t.Errorf("all is well, but the doctor says %s", bad)
	}
	for _, want := range []string{
		" ok fallback: file", "app ok token: is weir of fake", "app ok member: the app is in #fin-daily (C0FINDAILY)", "app ok scopes: chat:write, channels:history, channels:read",
		"app ok look-up: a message of unknown result is looked up in the channel's history", "app ok clock: agrees with ours",
		"plain note look-up: nobody can tell whether a message has arrived; so after an unknown result it is held until somebody redrives it",
		"topic ok topic: is there", "topic ok subscribers: 2 confirmed", "topic ok clock: agrees", "api ok secret: posts are signed", "api ok address: the receiver answers (HEAD: HTTP 204)",
		"api ok look-up: a message of unknown result is sent again, and its readers drop the second", "post ok login: logged in as weir", "post ok encryption: the certificate is good until",
		"post note look-up: nobody can tell whether a message has arrived; so after an unknown result bad news is sent again, perhaps twice, and good news is held",
		"file ok file: ",
	} {
		if !strings.Contains(got, want) {
			t.Errorf("missing %q in\n%s", want, got)
		}
	}
	if n := len(c.slack.Messages()) + len(c.hook.Messages()) + len(c.sns.Messages()) + len(c.api.Taken()) + len(c.smtp.Taken()); n != 0 {
		t.Errorf("the doctor has posted %d messages", n)
	}
	if _, err := c.s.Doctor(t.Context(), "topik"); err == nil || !strings.Contains(err.Error(), `did you mean "topic"?`) {
		t.Errorf("%v", err)
	}
}

func TestDoctorFindsWhatIsWrongAndSaysWhatToDo(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*clinic)
		ask    string
		want   string
	}{
		"revoked token":      {func(c *clinic) { c.slack.SetToken("other") }, "app", "app bad token: invalid_auth -> put a valid token where units.yaml points to\napp note look-up: could not be examined"},
		"not in the channel": {func(c *clinic) { c.slack.Room(false, false, false) }, "app", "app bad member: the app is not in #fin-daily -> invite the app: write /invite @APP in #fin-daily"},
		"archived":           {func(c *clinic) { c.slack.Room(true, false, true) }, "app", "app bad member: #fin-daily is archived -> name a channel that exists"},
		"may not write":      {func(c *clinic) { c.slack.Grant("channels:history,channels:read") }, "app", "app bad scopes: channels:history, channels:read -> give the app the scope chat:write and install it again"},
		"may not look": {func(c *clinic) { c.slack.Grant("chat:write,channels:read") }, "app",
			"app warn look-up: the app may not read the channel's history; so after an unknown result bad news is sent again, perhaps twice, and good news is held (on_unknown is not set) -> give the app the scope channels:history and install it again"},
		"a private channel": {func(c *clinic) { c.slack.Room(true, true, false) }, "app", "app warn look-up: the app may not read the channel's history; so after an unknown result bad news is sent again, perhaps twice, and good news is held (on_unknown is not set) -> give the app the scope groups:history"},
		"may not see":       {func(c *clinic) { c.slack.Grant("chat:write,groups:history") }, "app", "app note member: cannot be seen: the app may not look at channels -> give the app the scopes channels:read and groups:read"},
		"clock, a bit":      {func(c *clinic) { c.slack.Skew = -90 * time.Second }, "app", "app warn clock: this machine is 1m"},
		"clock, much":       {func(c *clinic) { c.api.Skew = 10*time.Minute + 30*time.Second }, "api", "api bad clock: this machine is 10m"},
		"denied topic":      {func(c *clinic) { c.sns.Deny(true) }, "topic", "topic warn topic: AuthorizationError (HTTP 403)"},
		"nobody reads":      {func(c *clinic) { c.sns.Subscribe(0, 1) }, "topic", "topic warn subscribers: nobody reads this topic; 1 have not confirmed yet -> let them follow the link"},
		"receiver refuses":  {func(c *clinic) { c.api.Answer(http.StatusForbidden, "") }, "api", "api bad address: the receiver answers (HEAD: HTTP 403) -> check the token that the receiver wants"},
		"receiver is gone":  {func(c *clinic) { c.api.Close() }, "api", "-> see whether this machine reaches that address"},
		"password":          {func(c *clinic) { c.smtp.SetPassword("other") }, "post", "post bad login: smtp_535"},
		"file in the way":   {func(c *clinic) { blockFile(t, c) }, "file", "file bad file: not_writable: not a directory -> make the file's directory writable"},
	} {
		t.Run(name, func(t *testing.T) {
			k := newClinic(t, nil)
			c.change(k)
			if got := k.text(t, c.ask); !strings.Contains(got, c.want) {
				t.Errorf("missing %q in\n%s", c.want, got)
			}
		})
	}
}

func blockFile(t *testing.T, c *clinic) {
	if err := os.WriteFile(filepath.Join(c.s.opt.Home, "sub"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDoctorLooksAtTheFallback(t *testing.T) {
	none := newClinic(t, func(_ *clinic, u *Units) { u.Fallback = nil })
	if got := none.text(t); !strings.Contains(got, " warn fallback: there is none: nobody is told when a channel is blocked") {
		t.Errorf("got\n%s", got)
	}
	same := newClinic(t, func(_ *clinic, u *Units) {
		u.Channels["platform"] = u.Channels["app"]
		u.Fallback = []string{"platform"}
	})
	if got := same.text(t); !strings.Contains(got, " note fallback: platform: with the same token as a channel that it stands in for -> add a fallback of another kind") {
		t.Errorf("got\n%s", got)
	}
}
