package slackhook

import (
	"strings"
	"testing"

	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/notify/channeltest"
)

const path = "/services/T0/B0/very-secret"

func open(t *testing.T) (*fake.SlackHook, channel.Channel) {
	server := fake.NewSlackHook(path)
	t.Cleanup(server.Close)
	return server, New(Config{URL: func() (string, error) { return server.URL() + path, nil }})
}

func TestConformance(t *testing.T) {
	channeltest.Run(t, channeltest.Config{
		Secrets: []string{"very-secret"}, Undecidable: true,
		Open: func(t *testing.T) channeltest.Far {
			server, ch := open(t)
			return channeltest.Far{Channel: ch, Fault: func(f fake.Fault) { server.Next(f) }, NoAuth: server.Revoke,
				Arrived: func() (ids []string) {
					for _, m := range server.Messages() { // a webhook cannot carry an id: the posts of this test are all alike
						if !strings.Contains(m.Text, "FAILED") {
							t.Errorf("text %q", m.Text)
						}
						ids = append(ids, "a")
					}
					return ids
				}}
		},
	})
}

func TestTheMessageIsThatOfTheApp(t *testing.T) {
	server, ch := open(t)
	p := channeltest.Post("a")
	p.Mention = "S0PAYMENTS"
	if _, err := ch.Send(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	m := server.Messages()[0]
	if !strings.Contains(m.Text, "<!subteam^S0PAYMENTS>") || strings.Contains(string(m.Blocks), "<!channel>") || !strings.Contains(string(m.Blocks), `"header"`) {
		t.Errorf("text %q\nblocks %s", m.Text, m.Blocks)
	}
}

func TestWhatAnswersMean(t *testing.T) {
	for _, c := range []struct {
		status int
		word   string
		class  channel.Class
		code   string
	}{
		{400, "invalid_payload", channel.Refused, "invalid_payload"},
		{403, "action_prohibited", channel.Blocked, "action_prohibited"},
		{404, "no_service", channel.Blocked, "no_service"},
		{410, "channel_is_archived", channel.Blocked, "channel_is_archived"},
		{500, "rollup_error", channel.Unknown, "rollup_error"},
		{407, "<html>proxy", channel.Refused, "http_407"},
		{302, "", channel.Blocked, "http_302"},
	} {
		server, ch := open(t)
		server.Answer(c.status, c.word)
		_, err := ch.Send(t.Context(), channeltest.Post("a"))
		if f := channel.Classify(err); f.Class != c.class || f.Code != c.code || f.HTTP != c.status {
			t.Errorf("%d %s: %+v", c.status, c.word, f)
		}
	}
	if _, err := New(Config{URL: func() (string, error) { return "://" + path, nil }}).Send(t.Context(), channeltest.Post("a")); channel.Classify(err).Class != channel.Blocked || strings.Contains(err.Error(), "secret") {
		t.Errorf("%v", err)
	}
}
