package notify

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

func TestRetryAfterPausesTheMethodAndNotTheOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		one := settlements(outcome.Running, nil)
		accepted(t, s, one)
		drain(t, s, time.Minute)
		begin := time.Now()
		daily.answer = []error{&channel.Failure{Class: channel.Again, Code: "ratelimited", HTTP: 429, After: time.Minute}}
		accepted(t, s, later(one, outcome.Ready, time.Minute))
		other := func(o *outcome.Outcome) { o.Job, o.RunID = "gl_report", "01JD7R" }
		accepted(t, s, settlements(outcome.Ready, other))
		go func() {
			time.Sleep(10 * time.Second)
			st, err := s.Status(t.Context(), 1)
			if p := st.Channels[0].Pauses; err != nil || len(p) != 1 || p[0].Method != "edit" || time.Until(p[0].Until) < 45*time.Second {
				t.Errorf("while edits rest the status shows %+v, %v", p, err)
			}
		}()
		drain(t, s, 5*time.Minute)
		if st, err := s.Status(t.Context(), 1); err != nil || st.Channels[0].Pauses != nil {
			t.Errorf("afterwards it shows %+v, %v", st.Channels[0], err)
		}
		var got []string
		for _, c := range daily.calls {
			got = append(got, fmt.Sprintf("%s %s", c.op, c.post.Message.Outcome.Job))
		}
		if want := "post settlements_daily, edit settlements_daily, post gl_report, edit settlements_daily"; strings.Join(got, ", ") != want {
			t.Fatalf("got  %s\nwant %s", strings.Join(got, ", "), want)
		}
		if at := daily.calls[2].at.Sub(begin); at > 10*time.Second {
			t.Errorf("the other message waited %v for the pause of edits", at)
		}
		if at := daily.calls[3].at.Sub(daily.calls[1].at); at < time.Minute || at > 63*time.Second {
			t.Errorf("the edit came again after %v", at)
		}
	})
}

const slackUnits = `
version: 1
channels:
  daily: {slack: {channel: C0A, token: env:T}}
  other: {slack: {channel: C0B, token: env:T}}
units: {FIN: {jobs: ["*_a"]}, RSK: {jobs: ["*_b"]}}
routes: [{when: unit = "FIN", to: [daily]}]
default: [other]
`

func TestEditsOfAnAppStayUnderFiftyPerMinuteOverItsChannels(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily, other := &threads{}, &threads{}
		s, err := Open(t.Context(), outbox(t), units(t, slackUnits), Options{Extra: map[string]channel.Channel{"daily": daily, "other": other}})
		if err != nil {
			t.Fatal(err)
		}
		defer closed(t, s)
		const n = 35 // of each channel: together more than a minute takes
		for _, state := range []outcome.State{outcome.Running, outcome.Ready} {
			for i := range n {
				for _, job := range []string{"job_a", "job_b"} {
					accepted(t, s, settlements(state, func(o *outcome.Outcome) {
						o.Job, o.Unit, o.RunID = job, "", fmt.Sprint("r", i)
						o.Interval = outcome.Interval{}
					}))
				}
			}
			drain(t, s, time.Hour)
		}
		var edits []time.Time
		for _, c := range append(daily.calls, other.calls...) {
			if c.op == "edit" {
				edits = append(edits, c.at)
			}
		}
		if len(edits) != 2*n {
			t.Fatalf("%d edits", len(edits))
		}
		for _, from := range edits {
			k := 0
			for _, at := range edits {
				if d := at.Sub(from); d >= 0 && d < time.Minute {
					k++
				}
			}
			if k > 50 {
				t.Fatalf("%d edits in a minute", k)
			}
		}
	})
}

func TestAMessageThatIsGoneGoesOnInANewOneThatSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		run := settlements(outcome.Running, nil)
		accepted(t, s, run)
		drain(t, s, time.Minute)
		daily.answer = []error{&channel.Failure{Class: channel.Gone, Code: "message_not_found"}}
		failed := later(run, outcome.Failed, time.Minute)
		accepted(t, s, failed)
		drain(t, s, time.Minute)
		accepted(t, s, later(failed, outcome.Ready, time.Hour))
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post running, edit failed, post failed, edit recovered, loud reply recovered" {
			t.Fatalf("got %s", got)
		}
		for i, want := range []bool{false, false, true, false, false} {
			if got := daily.calls[i].post.Continues; got != want {
				t.Errorf("call %d continues: %v", i, got)
			}
		}
	})
}

// The thread vanishes between the edit and the reply: the reply becomes the new message, and later edits go there.
func TestAReplyWhoseThreadIsGoneBecomesTheMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		run := settlements(outcome.Running, nil)
		accepted(t, s, run)
		drain(t, s, time.Minute)
		daily.answer = []error{nil, &channel.Failure{Class: channel.Gone, Code: "thread_not_found"}}
		failed := later(run, outcome.Failed, time.Minute)
		accepted(t, s, failed)
		drain(t, s, time.Minute)
		accepted(t, s, later(failed, outcome.Ready, time.Hour))
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post running, edit failed, loud reply to S0PAYMENTS failed, post failed, edit recovered, loud reply recovered" {
			t.Fatalf("got %s", got)
		}
	})
}

type repeatable struct{ flat }

func (*repeatable) Repeatable(time.Duration) bool { return true }

// A gateway that cannot say what has become of a post can still say when to come again.
func TestRetryAfterIsObeyedAlsoWhereTheResultIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &repeatable{flat{answer: []error{&channel.Failure{Class: channel.Unknown, Code: "http_500", HTTP: 500, After: 90 * time.Second}}}}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		accepted(t, s, settlements(outcome.Ready, nil))
		drain(t, s, 5*time.Minute)
		if len(daily.calls) != 2 || daily.calls[1].at.Sub(daily.calls[0].at) < 90*time.Second {
			t.Errorf("%d calls", len(daily.calls))
		}
	})
}
