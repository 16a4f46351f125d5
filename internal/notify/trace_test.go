package notify

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// The way of one message: who sends, what was tried, what a person can do about it.
func TestTrace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		far := &threads{}
		far.answer = []error{&channel.Failure{Class: channel.Blocked, Code: "not_in_channel", Err: errors.New("the app is not there")}}
		s := open(t, outbox(t), far, &flat{}, nil)
		defer closed(t, s)
		accepted(t, s, settlements(outcome.Failed, nil))
		fix := func(want string) Trace {
			t.Helper()
			all, err := s.Outbox(t.Context(), Filter{Channel: "daily"})
			if err != nil || len(all) == 0 {
				t.Fatalf("%v, %v", all, err)
			}
			x, err := s.Trace(t.Context(), all[len(all)-1].Delivery)
			if err != nil || !strings.Contains(x.Fix, want) {
				t.Fatalf("fix %q, want %q (%v)", x.Fix, want, err)
			}
			return x
		}
		if _, _, err := s.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		who, err := s.sender(t.Context())
		if err != nil || who == nil || !who.Here || who.PID != os.Getpid() {
			t.Fatalf("sender %+v, %v", who, err)
		}
		if _, err := s.routeNext(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := (&worker{s: s, name: "daily", channel: far}).step(t.Context()); err != nil {
			t.Fatal(err)
		}
		x := fix("invite the app to the channel; then it leaves by itself")
		if len(x.Delivery.Attempts) != 1 || x.Revision != 1 || len(x.Routes) < 2 || len(x.Previews) != len(Formats()) || !strings.Contains(x.Previews[0].Text, "FAILED") {
			t.Errorf("%+v", x)
		}
		time.Sleep(time.Minute) // until the channel is tried again
		if who, err := s.sender(t.Context()); err != nil || who != nil {
			t.Errorf("its lease has run out, and yet it sends: %+v, %v", who, err)
		}
		drain(t, s, 5*time.Minute)
		if x := fix(""); x.Delivery.State != stSent || x.Fix != "" {
			t.Errorf("sent, and yet: %s, %q", x.Delivery.State, x.Fix)
		}
	})
}
