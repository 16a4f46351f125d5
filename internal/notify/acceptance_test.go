package notify

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/notify/slack"
	"weir/internal/outcome"
)

// Slack says 429 and names a time, again and again: until it is over there is not one more call, then one, and nothing is lost.
func TestAcceptance_Slack429AtMostOneCallForEachRetryAfter(t *testing.T) {
	server := fake.NewSlack(stormToken)
	defer server.Close()
	const pause, refusals = 30 * time.Second, 5
	server.RetryAfter = pause
	synctest.Test(t, func(t *testing.T) {
		daily := slack.New(slack.Config{Channel: "C0FINDAILY", URL: server.URL(), HTTP: &http.Client{Transport: fake.Direct(server)},
			Token: func() (string, error) { return stormToken, nil }})
		s := open(t, outbox(t), daily, &flat{}, seldom)
		defer closed(t, s)
		for range refusals {
			server.Next(fake.TooMany)
		}
		const events = 20
		for i := range events {
			accepted(t, s, settlements(outcome.Ready, func(o *outcome.Outcome) { o.Job, o.RunID = fmt.Sprintf("gl_%d", i), fmt.Sprintf("r%d", i) }))
		}
		start := time.Now()
		drain(t, s, time.Hour)
		calls := server.Calls()
		for i := 1; i < len(calls); i++ {
			if gap := calls[i].At.Sub(calls[i-1].At); calls[i-1].Fault == fake.TooMany && gap < pause {
				t.Errorf("call %d (%s) came %v after a 429 that asked for %v", i, calls[i].Method, gap, pause)
			}
		}
		if n := len(server.Messages()); n != events || len(calls) != events+refusals {
			t.Errorf("%d messages in %d calls, want %d in %d", n, len(calls), events, events+refusals)
		}
		if took := time.Since(start); took < refusals*pause {
			t.Errorf("it took %v: less than the pauses", took)
		}
	})
}

// What is dead after its tries is told to the fallback once, stays, and goes out once when somebody redrives it; not a second time.
func TestAcceptance_RedriveOfADeadOneSendsItOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answers []error
		for range 40 {
			answers = append(answers, &channel.Failure{Class: channel.Again, Code: "busy"})
		}
		daily, platform := &flat{answer: answers}, &flat{}
		s := open(t, outbox(t), daily, platform, seldom)
		defer closed(t, s)
		id := accepted(t, s, settlements(outcome.Ready, nil))[0]
		drain(t, s, 48*time.Hour)
		dead, err := s.Outbox(t.Context(), Filter{State: stDead})
		if err != nil || len(dead) != 1 || len(daily.calls) != 40 || told(platform) != "NOT DELIVERED" {
			t.Fatalf("dead: %+v, %v; %d tries; the fallback was told %q", dead, err, len(daily.calls), told(platform))
		}
		time.Sleep(24 * time.Hour)
		drain(t, s, time.Minute)
		if n := len(daily.calls); n != 40 {
			t.Errorf("a dead one was tried: %d calls", n)
		}
		if err := s.Redrive(t.Context(), dead[0].Delivery); err != nil {
			t.Fatal(err)
		}
		drain(t, s, time.Minute)
		if n := len(daily.calls); n != 41 {
			t.Errorf("%d calls after the redrive, want one more", n)
		}
		if err := s.Redrive(t.Context(), dead[0].Delivery); err == nil || !strings.Contains(err.Error(), "neither dead nor held") {
			t.Errorf("what has been sent can be redriven: %v", err)
		}
		drain(t, s, time.Minute)
		x, err := s.Explain(t.Context(), id)
		if err != nil || len(daily.calls) != 41 || !strings.Contains(x.Text(), "channel daily, message: sent") {
			t.Errorf("%d calls; explain: %v\n%s", len(daily.calls), err, x.Text())
		}
	})
}
