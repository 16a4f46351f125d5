package notify

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/config"
	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/notify/slack"
	"weir/internal/outcome"
)

// Somebody revokes the token, and puts a new one in place an hour later. Nobody touches notify meanwhile, and its budgets are
// shorter than the hour: they must not count while the channel is blocked.
func TestAcceptance_TokenRevokedForAnHourThenFixedMessagesLeaveByThemselves(t *testing.T) {
	server := fake.NewSlack("xoxb-old")
	defer server.Close()
	synctest.Test(t, func(t *testing.T) {
		var token atomic.Value // as a file that somebody changes
		token.Store("xoxb-old")
		daily := slack.New(slack.Config{Channel: "C0FINDAILY", URL: server.URL(), HTTP: &http.Client{Transport: fake.Direct(server)},
			Token: func() (string, error) { return token.Load().(string), nil }})
		platform := &flat{}
		u := units(t, twoChannels)
		u.Defaults.Retry = Retry{Budget: config.Duration(30 * time.Minute), Tries: 3}
		s, err := Open(t.Context(), outbox(t), u, Options{Extra: map[string]channel.Channel{"daily": daily, "platform": platform}, Poll: 10 * time.Second, LeaseTTL: 10 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, s)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		run := settlements(outcome.Running, nil)
		accepted(t, s, run)
		time.Sleep(time.Minute)

		server.SetToken("xoxb-new")
		from := len(server.Calls())
		failed := later(run, outcome.Failed, time.Minute)
		accepted(t, s, failed, settlements(outcome.Ready, func(o *outcome.Outcome) { o.Job, o.RunID = "gl_report", "r2" }))
		time.Sleep(30 * time.Minute)
		accepted(t, s, settlements(outcome.Failed, func(o *outcome.Outcome) { o.Job, o.RunID = "gl_totals", "r3" }))
		time.Sleep(30 * time.Minute)
		if n := len(server.Calls()) - from; n < 55 || n > 65 {
			t.Errorf("%d calls in the hour; one each minute tries the channel", n)
		}
		if got := told(platform); got != "BLOCKED" {
			t.Errorf("the fallback was told %q, want one notice", got)
		}
		if st, err := s.Status(t.Context(), 1); err != nil || st.Dead != 0 || st.Waiting == 0 {
			t.Errorf("%+v, %v", st, err)
		}

		token.Store("xoxb-new")
		time.Sleep(2 * time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		var got []string
		for _, m := range server.Messages() {
			got = append(got, strings.Join(strings.Fields(m.Text)[:2], " ")+map[bool]string{true: " in the thread"}[m.ThreadTS != ""])
		}
		// The first one was edited, and its reply follows; the others are new. None is there twice.
		if want := "✖ FAILED, ✅ READY, ✖ FAILED, ✖ failed in the thread"; sorted(got) != sorted(strings.Split(want, ", ")) {
			t.Errorf("Slack has %q", got)
		}
		if got := told(platform); got != "BLOCKED, WORKS AGAIN" {
			t.Errorf("the fallback was told %q", got)
		}
		if st, err := s.Status(t.Context(), 1); err != nil || st.Waiting != 0 || st.Dead != 0 || st.Channels[0].State != "ok" {
			t.Errorf("%+v, %v", st, err)
		}
	})
}

func sorted(s []string) string {
	slices.Sort(s)
	return strings.Join(s, ", ")
}

// told are the words of the notices that a channel got.
func told(f *flat) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var words []string
	for _, c := range f.calls {
		words = append(words, c.post.Message.Word)
	}
	return strings.Join(words, ", ")
}
