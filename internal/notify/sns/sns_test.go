package sns

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/notify/channeltest"
)

const key = "very-secret-aws-key"

func open(t *testing.T, topic, format string) (*fake.SNS, channel.Channel) {
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAFAKE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", key)
	t.Setenv("AWS_CONFIG_FILE", "/dev/null")
	server := fake.NewSNS()
	t.Cleanup(server.Close)
	return server, New(Config{Topic: topic, Format: format, Endpoint: server.URL()})
}

func TestConformance(t *testing.T) {
	for _, topic := range []string{"arn:aws:sns:eu-central-1:111122223333:fin-mail", "arn:aws:sns:eu-central-1:111122223333:fin.fifo"} {
		t.Run(topic[strings.LastIndex(topic, ":")+1:], func(t *testing.T) {
			channeltest.Run(t, channeltest.Config{
				Secrets: []string{key, "AKIAFAKE"},
				Open: func(t *testing.T) channeltest.Far {
					server, ch := open(t, topic, CloudEvents)
					return channeltest.Far{Channel: ch, Fault: func(f fake.Fault) { server.Next(f) }, NoAuth: server.Deny,
						Arrived: func() (ids []string) {
							for _, m := range server.Messages() {
								ids = append(ids, m.Attributes["event_id"])
							}
							return ids
						}}
				},
			})
		})
	}
}

func TestFIFODropsARepeatButNotTheRecovery(t *testing.T) {
	server, ch := open(t, "arn:aws:sns:eu-central-1:111122223333:fin.fifo", CloudEvents)
	failed, recovered := channeltest.Post("failed"), channeltest.Post("recovered")
	for _, p := range []channel.Post{failed, failed, recovered} {
		if _, err := ch.Send(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	got := server.Messages()
	if len(got) != 2 || got[0].Dedup == got[1].Dedup || got[0].Group != got[1].Group {
		t.Errorf("want two messages of one group, got %+v", got)
	}
	if r := ch.(channel.Repeater); !r.Repeatable(3*time.Minute) || r.Repeatable(5*time.Minute) {
		t.Error("SNS forgets the deduplication id after five minutes")
	}
}

func TestCloudEvent(t *testing.T) {
	server, ch := open(t, "arn:aws:sns:eu-central-1:111122223333:fin", CloudEvents)
	p := channeltest.Post("7f3a")
	p.Message.Outcome.Interval.Start = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	p.Message.Outcome.RowsIn, p.Message.Outcome.Attempt = 4182331, 3
	p.Message.Outcome.Cause.Text = strings.Repeat("é", 300_000)
	if _, err := ch.Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	m := server.Messages()[0]
	var e map[string]any
	if err := json.Unmarshal([]byte(m.Body), &e); err != nil {
		t.Fatal(err)
	}
	for k, want := range map[string]any{"specversion": "1.0", "id": "7f3a", "type": "io.weir.job.failed.v1", "subject": p.Message.Key, "datacontenttype": "application/json"} {
		if e[k] != want {
			t.Errorf("%s is %v, want %v", k, e[k], want)
		}
	}
	d := e["data"].(map[string]any)
	if d["business_date"] != "2026-11-20" || d["usable"] != false || d["rows"].(map[string]any)["in"] != 4182331.0 {
		t.Errorf("data: %v", d)
	}
	if len(m.Attributes) > 9 || m.Attributes["state"] != "failed" || m.Attributes["usable"] != "false" || m.Attributes["business_date"] != "2026-11-20" {
		t.Errorf("attributes: %v", m.Attributes)
	}
}

func TestTextForMail(t *testing.T) {
	server, ch := open(t, "arn:aws:sns:eu-central-1:111122223333:fin-mail", Text)
	p := channeltest.Post("a")
	p.Message.Subject = "Tägliche Umsätze\nfor Fri 20 Nov 2026 " + strings.Repeat("x", 100)
	if _, err := ch.Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	m := server.Messages()[0]
	if len(m.Subject) > 100 || !strings.HasPrefix(m.Subject, "FAILED Tgliche Umstzefor") {
		t.Errorf("subject %q", m.Subject)
	}
	if !strings.HasPrefix(m.Body, "✖ FAILED  T") || !strings.Contains(m.Body, "What to do: wait") {
		t.Errorf("body %q", m.Body)
	}
}
