package notify

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/config"
	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

const allKinds = `
version: 1
defaults: { env: prod-emr }
channels:
  app:   { slack: { channel: C0FINDAILY, token: env:SLACK_TOKEN } }
  plain: { slack_webhook: { url: env:HOOK }, on_unknown: hold }
  topic: { sns: { topic: arn:aws:sns:eu-central-1:111122223333:fin-chat, format: aws-chat } }
  post:  { mail: { server: smtp.bank.example:587, user: weir, password: file:/run/secrets/smtp, from: weir <weir@bank.example>, to: [fin@bank.example] } }
  api:   { webhook: { url: https://api.bank.example/in?key=very-secret, secret: env:HOOK_SECRET, receiver_dedups: true } }
default: [app]
`

func TestMistakesInChannelsHaveTheirPlace(t *testing.T) {
	if err := config.Decode("units.yaml", []byte(allKinds), &Units{}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string][3]string{ // what, by what, complaint
		"address of a hook itself": {"env:HOOK }", "https://hooks.slack.com/services/very-secret }", `units.yaml:6:34: must say where the secret is, not the secret itself`},
		"format of a topic":        {"format: aws-chat", "format: awschat", `units.yaml:7:82: "awschat" is unknown; write one of cloudevents, text, aws-chat; did you mean "aws-chat"?`},
		"server without a port":    {"smtp.bank.example:587", "smtp.bank.example", `8:28: "smtp.bank.example" is no server; write host:port`},
		"no such security":         {"user: weir", "security: starttsl, user: weir", `"starttsl" is unknown; write one of starttls, tls, none; did you mean "starttls"?`},
		"a password itself":        {"file:/run/secrets/smtp", "very-secret", `must say where the secret is`},
		"nobody logs in":           {"user: weir, ", "", `is missing: who logs in with the password`},
		"sender":                   {"from: weir <weir@bank.example>", "from: weir", `"weir" is no mail address`},
		"nobody gets it":           {"[fin@bank.example]", "[]", `is missing: at least one mail address`},
		"recipient":                {"[fin@bank.example]", "[fin@bank.example, data]", `"data" is no mail address`},
		"address to post to":       {"https://api.bank.example", "api.bank.example", `9:28: is no address to post to`},
		"a signing key itself":     {"secret: env:HOOK_SECRET", "secret: very-secret", `must say where the secret is`},
		"unsigned":                 {"secret: env:HOOK_SECRET, ", "", `missing key "secret"`},
		"on_unknown":               {"on_unknown: hold", "on_unknown: wait", `"wait" is unknown; write resend or hold`},
		"a negative retry":         {"on_unknown: hold", "retry: { tries: -1 }", `must not be negative`},
		"two kinds":                {"app:   { slack: { channel: C0FINDAILY, token: env:SLACK_TOKEN } }", "app: { slack_webhook: { url: env:HOOK }, slack: { channel: C0FINDAILY, token: env:SLACK_TOKEN } }", `exactly one of`},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(allKinds, c[0], c[1], 1)
			if text == allKinds {
				t.Fatal("nothing was changed")
			}
			err := config.Decode("units.yaml", []byte(text), &Units{})
			if err == nil || !strings.Contains(err.Error(), c[2]) {
				t.Errorf("got  %v\nwant %s", err, c[2])
			}
			if err != nil && strings.Contains(err.Error(), "very-secret") {
				t.Errorf("the secret is in the error: %v", err)
			}
		})
	}
}

func TestEveryKindIsOpened(t *testing.T) {
	s, err := Open(t.Context(), outbox(t), units(t, allKinds), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	for name := range s.units.Channels {
		if _, err := s.channel(name); err != nil {
			t.Error(err)
		}
	}
	if _, _, r := powers(s.channels["api"]); r == nil {
		t.Error("receiver_dedups is not passed on")
	}
	if s.pace["plain"] != time.Second {
		t.Errorf("pace %v", s.pace["plain"])
	}
}

func TestOnUnknownOfAChannelIsStrongerThanTheDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := errors.New("connection lost")
		daily := &flat{answer: []error{lost}}
		u := units(t, strings.Replace(twoChannels, "daily: {console: {path: stdout}}", "daily: {console: {path: stdout}, on_unknown: hold}", 1))
		u.Defaults.OnUnknown = resend
		s, err := Open(t.Context(), outbox(t), u, Options{Extra: map[string]channel.Channel{"daily": daily, "platform": &flat{}}})
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, s)
		accepted(t, s, settlements(outcome.Failed, nil))
		drain(t, s, time.Minute)
		st, err := s.Status(t.Context(), 1)
		if err != nil || st.Held != 1 || len(daily.calls) != 1 {
			t.Errorf("%+v, %v; %d calls", st, err, len(daily.calls))
		}
	})
}

// A signed post leaves the outbox as units.yaml says, and its address is nowhere in what people see.
func TestAWebhookFromTheOutbox(t *testing.T) {
	server := fake.NewWebhook(true)
	defer server.Close()
	server.Next(fake.AcceptCut) // lost, and harmless here: sent again, and dropped there
	text := strings.Replace(allKinds, "https://api.bank.example", server.URL(), 1)
	u := units(t, strings.Replace(text, "default: [app]", "default: [api]", 1))
	s, err := Open(t.Context(), outbox(t), u, Options{Getenv: func(string) string { return "whsec_c2VjcmV0" }, FirstWait: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	id := accepted(t, s, settlements(outcome.Ready, nil))[0]
	ctx, stop := context.WithTimeout(t.Context(), 10*time.Second)
	defer stop()
	if err := s.Drain(ctx); err != nil {
		t.Fatal(err)
	}
	got := server.Taken()
	if len(got) != 1 || got[0].Header.Get("webhook-id") != id+".root" || !strings.Contains(string(got[0].Body), `"source":"/weir/prod-emr"`) {
		t.Errorf("taken %+v", got)
	}
	x, err := s.Explain(t.Context(), id)
	if err != nil || strings.Contains(x.Text(), "very-secret") || !strings.Contains(x.Text(), "sent") {
		t.Errorf("%v\n%s", err, x.Text())
	}
}

func TestRetryOfAChannelIsStrongerThanTheDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refuse := make([]error, 40)
		for i := range refuse {
			refuse[i] = &channel.Failure{Class: channel.Again, Code: "busy"}
		}
		daily, platform := &flat{answer: refuse}, &flat{}
		u := units(t, strings.Replace(twoChannels, "daily: {console: {path: stdout}}", "daily: {console: {path: stdout}, retry: {tries: 3}}", 1))
		u.Defaults.Retry.Tries = 20
		s, err := Open(t.Context(), outbox(t), u, Options{Extra: map[string]channel.Channel{"daily": daily, "platform": platform}})
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, s)
		accepted(t, s, settlements(outcome.Failed, nil))
		drain(t, s, time.Hour)
		if len(daily.calls) != 3 || told(platform) != "NOT DELIVERED" {
			t.Errorf("%d calls, the fallback was told %q", len(daily.calls), told(platform))
		}
	})
}
