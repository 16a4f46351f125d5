package slack

import (
	"encoding/json"
	"testing"

	"weir/internal/fake"
	"weir/internal/notify/channeltest"
)

// Whatever stands in an event, Slack takes the message, and the only markup in it is the mention of units.yaml.
func FuzzMessage(f *testing.F) {
	for _, s := range nasty {
		if len(s) < 5000 {
			f.Add(s, s, "x", false)
			f.Add("x", "y", s, true)
		}
	}
	f.Fuzz(func(t *testing.T, why, todo, subject string, plain bool) {
		p := channeltest.Post("a")
		p.Mention, p.Plain = "S0PAYMENTS", plain
		p.Message.Why, p.Message.Todo, p.Message.Subject, p.Message.Footer, p.Message.Lines = why, todo, subject, why, []string{todo, subject}
		b, err := json.Marshal(Payload(p))
		if err != nil {
			t.Fatal(err)
		}
		var m fake.SlackMessage
		if err := json.Unmarshal(b, &m); err != nil {
			t.Fatal(err)
		}
		m.Metadata.Payload = map[string]any{"id": "a"}
		check(t, m, !plain)
	})
}
