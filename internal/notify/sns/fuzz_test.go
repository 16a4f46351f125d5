package sns

import (
	"encoding/json"
	"strings"
	"testing"

	"weir/internal/notify/channeltest"
)

// Whatever stands in an event, SNS takes the message in each format: its size, its subject, its ids, its characters.
func FuzzMessage(f *testing.F) {
	for _, s := range []string{"", "x", "<!channel> [a](b)", "\x00\x01\xff", "日本語", "Umsätze\n", strings.Repeat("<", 5000)} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, why, subject, job string) {
		p := channeltest.Post("7f3a" + job)
		m := &p.Message
		m.Why, m.Todo, m.Subject, m.Outcome.Cause.Text, m.Outcome.Job, m.Outcome.Title, m.Key, p.Group = why, why, subject, why, job, subject, job, job
		for _, format := range Formats() {
			in, err := (&topic{Config: Config{Topic: "arn", Format: format, Env: job}, fifo: true}).input(p)
			if err != nil {
				t.Fatal(err)
			}
			size := len(*in.Message)
			for k, a := range in.MessageAttributes {
				size += len(k) + len(*a.DataType) + len(*a.StringValue)
				if *a.StringValue == "" || visible(*a.StringValue) != *a.StringValue {
					t.Errorf("attribute %s is %q", k, *a.StringValue)
				}
			}
			if in.Subject != nil {
				size += len(*in.Subject)
				if n := len(*in.Subject); n == 0 || n > 100 || strings.ContainsFunc(*in.Subject, func(r rune) bool { return r < ' ' || r > '~' }) || strings.HasPrefix(*in.Subject, " ") {
					t.Errorf("subject %q", *in.Subject)
				}
			}
			if size > maxBytes || len(in.MessageAttributes) > 9 || *in.Message == "" {
				t.Errorf("%s: %d bytes, %d attributes", format, size, len(in.MessageAttributes))
			}
			if format != Text && !json.Valid([]byte(*in.Message)) || format == Text && visible(*in.Message) != *in.Message {
				t.Errorf("%s: %.200q", format, *in.Message)
			}
			if format == AWSChat {
				chat := chatOf(p)
				if strings.ContainsAny(chat.Content.Title+chat.Content.Description+chat.Metadata.Summary, "<>") {
					t.Errorf("markup came through: %+v", chat.Content)
				}
			}
			if n := len(*in.MessageDeduplicationId); n == 0 || n > 128 || len(*in.MessageGroupId) > 128 {
				t.Errorf("ids %q, %q", *in.MessageDeduplicationId, *in.MessageGroupId)
			}
		}
	})
}
