package slack

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/notify/channeltest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

const token = "xoxb-1-very-secret"

func open(t *testing.T) (*fake.Slack, channel.Channel) {
	server := fake.NewSlack(token)
	t.Cleanup(server.Close)
	return server, New(Config{Channel: "C0FINDAILY", URL: server.URL(), Token: func() (string, error) { return token, nil }})
}

func TestConformance(t *testing.T) {
	channeltest.Run(t, channeltest.Config{
		Secrets: []string{token},
		Open: func(t *testing.T) channeltest.Far {
			server, ch := open(t)
			return channeltest.Far{
				Channel: ch,
				Fault:   func(f fake.Fault) { server.Next(f) },
				Loosen:  server.Forget,
				NoAuth: func(refuse bool) {
					if refuse {
						server.SetToken("other")
					} else {
						server.SetToken(token)
					}
				},
				Arrived: func() (ids []string) {
					for _, m := range server.Messages() {
						ids = append(ids, m.ID())
					}
					return ids
				},
			}
		},
	})
}

func TestErrorTextCannotMentionOrForgeALink(t *testing.T) {
	server, ch := open(t)
	p := channeltest.Post("a")
	p.Message.Todo, p.Message.Reply = "ask <@U0BOSS00> <!here>", "<!everyone> failed"
	root, err := ch.Send(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ch.(channel.Editor).Reply(t.Context(), root.Ref, p); err != nil {
		t.Fatal(err)
	}
	p.Plain = true
	if _, err := ch.Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	for _, m := range server.Messages() {
		var blocks []struct {
			Type string
			Text struct {
				Type, Text string
				Verbatim   bool
			}
		}
		if m.Blocks != nil {
			if err := json.Unmarshal(m.Blocks, &blocks); err != nil {
				t.Fatal(err)
			}
		}
		texts := []string{m.Text}
		for _, b := range blocks {
			if b.Text.Type == "mrkdwn" {
				texts = append(texts, b.Text.Text)
				if !b.Text.Verbatim {
					t.Errorf("%q is not verbatim: Slack would make links of bare addresses", b.Text.Text)
				}
			}
		}
		for _, s := range texts {
			if strings.ContainsAny(s, "<>") {
				t.Errorf("markup came through: %q", s)
			}
		}
	}
}

func TestMentions(t *testing.T) {
	for who, want := range map[string]string{
		"S0PAYMENTS": "<!subteam^S0PAYMENTS>", "@U0BOSS00": "<@U0BOSS00>", "@here": "<!here>", "@data-payments": "@data-payments", "<!channel>": "&lt;!channel&gt;",
	} {
		if got := mention(who); got != want {
			t.Errorf("mention %s: %s, want %s", who, got, want)
		}
	}
}

func TestAskNamesPeopleAndNeverAWholeChannel(t *testing.T) {
	for who, want := range map[string]string{"@data-payments": "@data-payments", "S0PAYMENTS or @U0BOSS00": "<!subteam^S0PAYMENTS> or <@U0BOSS00>", "@here @channel <!everyone>": "@here @channel &lt;!everyone&gt;"} {
		if got := asked(who); got != want {
			t.Errorf("%s: %s, want %s", who, got, want)
		}
	}
}

func TestGoldenBlocks(t *testing.T) {
	server, ch := open(t)
	p := channeltest.Post("a")
	p.Mention, p.Message.Ask = "S0PAYMENTS", "@data-payments"
	p.Message.Lines, p.Message.Rows = []string{"The figures you see are still those of Thu 19 Nov 2026."}, "Rows in 4,182,331   loaded 0   rejected 0"
	if _, err := ch.Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	m := server.Messages()[0]
	var v any
	if err := json.Unmarshal(m.Blocks, &v); err != nil {
		t.Fatal(err)
	}
	pretty, _ := json.MarshalIndent(v, "", "  ")
	got := "text: " + m.Text + "\n" + string(pretty) + "\n"
	golden := "testdata/failed.golden"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil || got != string(want) {
		t.Errorf("blocks differ from %s (%v):\n%s", golden, err, got)
	}
}
