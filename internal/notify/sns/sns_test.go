package sns

import (
	"encoding/json"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/notify/channeltest"
	"weir/internal/outcome"
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
	p.Message.Subject = "Tägliche Umsätze,\n café für Fri 20 Nov 2026 " + strings.Repeat("x", 100)
	p.Message.Why = "bell \a and \xff"
	if _, err := ch.Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	m := server.Messages()[0]
	if len(m.Subject) > 100 || !strings.HasPrefix(m.Subject, "FAILED Taegliche Umsaetze, cafe fuer Fri 20 Nov 2026 xx") {
		t.Errorf("subject %q", m.Subject)
	}
	if !strings.HasPrefix(m.Body, "✖ FAILED  T") || !strings.Contains(m.Body, "What to do: wait") || strings.Contains(m.Body, "\a") || !utf8.ValidString(m.Body) {
		t.Errorf("body %q", m.Body)
	}
	p.Message.Word, p.Message.Subject = "失敗", "毎日の決済"
	if got := subject(p.Message); got != "failed settlements_daily" {
		t.Errorf("subject in other letters: %q", got)
	}
}

func TestTheNineAttributes(t *testing.T) {
	p := channeltest.Post("7f3a")
	p.Message.Outcome.Interval.Start = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	server, _ := open(t, "arn:aws:sns:eu-central-1:111122223333:fin", CloudEvents)
	ch := New(Config{Topic: "arn:aws:sns:eu-central-1:111122223333:fin", Endpoint: server.URL(), Env: "prod-emr"})
	if _, err := ch.Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"event_id": "7f3a", "type": "io.weir.job.failed.v1", "unit": "FIN", "job": "settlements_daily", "state": "failed", "severity": "high",
		"env": "prod-emr", "business_date": "2026-11-20", "usable": "false"}
	if got := server.Messages()[0].Attributes; !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

// Whatever a job says about itself, the message leaves, within SNS's limits and as whole JSON.
func TestSizeWithAttributesStaysWithinSNSsLimit(t *testing.T) {
	huge := strings.Repeat("\x01<é&", 100_000)
	for _, format := range Formats() {
		server, ch := open(t, "arn:aws:sns:eu-central-1:111122223333:fin.fifo", format)
		p := channeltest.Post(strings.Repeat("é", 300))
		m := &p.Message
		m.Why, m.Todo, m.Subject, m.Footer, m.Key, m.Ask, m.Rows, m.Lines = huge, huge, huge, huge, huge, huge, huge, []string{huge, huge}
		m.Outcome.Job, m.Outcome.Unit, m.Outcome.Title, m.Outcome.Cause.Text, m.Outcome.LogRef = huge, huge, huge, huge, huge
		for i := range 20_000 {
			m.Outcome.Outputs = append(m.Outcome.Outputs, outcome.Dataset{Name: huge[:100] + strconv.Itoa(i)})
		}
		if _, err := ch.Send(t.Context(), p); err != nil {
			t.Fatal(err)
		}
		got := server.Messages()[0]
		size := len(got.Body) + len(got.Subject)
		for k, v := range got.Attributes {
			size += len(k) + len("String") + len(v)
		}
		if size > 256<<10 {
			t.Errorf("%s: %d bytes", format, size)
		}
		if format != Text && !json.Valid([]byte(got.Body)) {
			t.Errorf("%s: the body is no JSON", format)
		}
		if len(got.Dedup) > 128 || len(got.Group) > 128 {
			t.Errorf("%s: ids of %d and %d characters", format, len(got.Dedup), len(got.Group))
		}
	}
}

func TestAWSChat(t *testing.T) {
	server, ch := open(t, "arn:aws:sns:eu-central-1:111122223333:fin-chat", AWSChat)
	failed, recovered := channeltest.Post("a"), channeltest.Post("b")
	failed.Message.Incident, recovered.Message.Incident = "FIN/settlements_daily/2026-11-20#1", "FIN/settlements_daily/2026-11-20#1"
	ready := channeltest.Post("c")
	failed.Message.Why = "<!channel> [your bank](http://evil.example) " + strings.Repeat("<", 9000)
	for _, p := range []channel.Post{failed, recovered, ready} {
		if _, err := ch.Send(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	var got []chat
	for _, m := range server.Messages() {
		var c chat
		if err := json.Unmarshal([]byte(m.Body), &c); err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	c := got[0]
	if c.Version != "1.0" || c.Source != "custom" || c.Content.TextType != "client-markdown" || c.Metadata.ThreadID != "FIN/settlements_daily/2026-11-20#1" {
		t.Errorf("%+v", c)
	}
	if c.Metadata.ThreadID != got[1].Metadata.ThreadID || got[2].Metadata.ThreadID != ready.Message.Key {
		t.Error("an incident is one thread, and what belongs to none goes by its key")
	}
	if d := c.Content.Description; strings.ContainsAny(d, "<>") || strings.Contains(d, "](") || len(d) > maxDescription {
		t.Errorf("markup came through, or %d characters: %.300s", len(d), d)
	}
	if c.Content.Title != "✖ FAILED  Daily card settlements for Fri 20 Nov 2026: not usable" || c.Content.NextSteps[0] != "wait" {
		t.Errorf("%+v", c.Content)
	}
}
