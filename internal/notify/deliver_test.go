package notify

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// seldom keeps tests of hours from polling all the time.
func seldom(o *Options) { o.Poll, o.LeaseTTL = 10*time.Second, 10*time.Minute }

func TestProgressIsShownAtMostEveryFifteenSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		run := settlements(outcome.Running, nil)
		accepted(t, s, run)
		drain(t, s, time.Minute)
		time.Sleep(3 * time.Second)
		two := later(run, outcome.Running, time.Second)
		accepted(t, s, two, later(two, outcome.Running, time.Second))
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post running, edit running" {
			t.Errorf("got %s", got)
		}
		if gap := daily.calls[1].at.Sub(daily.calls[0].at); gap < 15*time.Second || gap > 18*time.Second {
			t.Errorf("the edit came after %v", gap)
		}
	})
}

func TestOneMessagePerJobRunEditedInPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily, platform := &threads{}, &flat{}
		s := open(t, outbox(t), daily, platform, nil)
		defer closed(t, s)
		run := settlements(outcome.Running, nil)
		for _, o := range []outcome.Outcome{run, later(run, outcome.Failed, time.Minute), later(later(run, outcome.Failed, time.Minute), outcome.Ready, 78*time.Minute)} {
			accepted(t, s, o, o) // twice is told once
			drain(t, s, time.Minute)
		}
		want := "post running, edit failed, loud reply to S0PAYMENTS failed, edit recovered, loud reply recovered"
		if got := daily.ops(); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		last := daily.calls[4].post.Message
		if last.Reply != "✅ recovered after 1 h 18 min, published 08:00" || last.Word != "RECOVERED" {
			t.Errorf("told %q", last.Reply)
		}
		if platform.ops() != "" {
			t.Errorf("the default got %s", platform.ops())
		}
	})
}

func TestAFailureThatIsTheFirstMessageNeedsNoReply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		accepted(t, s, settlements(outcome.Failed, nil))
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post failed" {
			t.Errorf("got %s", got)
		}
		if m := daily.calls[0].post.Mention; m != "S0PAYMENTS" {
			t.Errorf("pings %q", m)
		}
	})
}

func TestAFailureThatARetryMayHealPingsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		run := settlements(outcome.Running, nil)
		accepted(t, s, run)
		drain(t, s, time.Minute)
		f := later(run, outcome.Failed, time.Minute)
		f.Cause.Retryable = true
		accepted(t, s, f)
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post running, edit failed" {
			t.Errorf("got %s", got)
		}
		second := later(f, outcome.Running, 2*time.Minute)
		second.Attempt, second.Cause = 2, outcome.Cause{}
		accepted(t, s, second, later(second, outcome.Ready, time.Minute))
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post running, edit failed, edit ready" {
			t.Errorf("healed by a retry: %s", got)
		}
	})
}

func TestNewerStateOvertakesWhatHasNotLeftButNeverAFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &flat{}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		run := settlements(outcome.Running, nil)
		f := later(run, outcome.Failed, time.Minute)
		accepted(t, s, run, f, later(f, outcome.Ready, time.Minute))
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post failed, post recovered" {
			t.Errorf("got %s", got)
		}
		st, err := s.Status(t.Context(), 10)
		if err != nil || st.Superseded != 1 || st.Sent != 2 || st.Waiting != 0 || st.OldestWait != 0 {
			t.Errorf("status %+v, %v", st, err)
		}
	})
}

func TestAnEventThatComesLateIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &flat{}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		run := settlements(outcome.Running, nil)
		accepted(t, s, later(run, outcome.Ready, time.Minute))
		ids := accepted(t, s, run)
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post ready" {
			t.Errorf("got %s", got)
		}
		x, err := s.Explain(t.Context(), ids[0])
		if err != nil || !strings.Contains(x.Text(), "suppressed: the same run has told ready since") {
			t.Errorf("explain: %v\n%s", err, x.Text())
		}
	})
}

func TestRetryAfterIsObeyedAndOnlyByItsChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := &channel.Failure{Class: channel.Again, Code: "ratelimited", HTTP: 429, After: 30 * time.Second}
		daily, platform := &flat{answer: []error{limited, limited}}, &flat{}
		s := open(t, outbox(t), daily, platform, nil)
		defer closed(t, s)
		start := time.Now()
		accepted(t, s, settlements(outcome.Ready, nil), settlements(outcome.Ready, func(o *outcome.Outcome) { o.Job = "gl_other" }),
			outcome.Outcome{RunID: "x", Job: "elsewhere", State: outcome.Ready, At: start})
		drain(t, s, 10*time.Minute)
		if len(daily.calls) != 4 {
			t.Fatalf("calls: %s", daily.ops())
		}
		for i := 1; i <= 2; i++ {
			if gap := daily.calls[i].at.Sub(daily.calls[i-1].at); gap < 30*time.Second || gap > 32*time.Second {
				t.Errorf("call %d came %v after a 429 that asked for 30s", i, gap)
			}
		}
		if gap := platform.calls[0].at.Sub(start); gap > time.Second {
			t.Errorf("the other channel waited %v", gap)
		}
	})
}

func TestBlockedChannelResumesAloneAndTellsTheFallbackOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bad := &channel.Failure{Class: channel.Blocked, Code: "invalid_auth"}
		var answers []error
		for range 61 { // an hour of probes
			answers = append(answers, bad)
		}
		daily, platform := &threads{flat: flat{answer: answers}}, &threads{}
		s := open(t, outbox(t), daily, platform, seldom)
		defer closed(t, s)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		accepted(t, s, settlements(outcome.Failed, nil), settlements(outcome.Ready, func(o *outcome.Outcome) { o.Job = "gl_other" }))
		time.Sleep(30 * time.Minute)
		st, err := s.Status(ctx, 10)
		if err != nil {
			t.Fatal(err)
		}
		if c := st.Channels[0]; c.State != "blocked" || c.Waiting != 3 || !strings.Contains(c.Fix, "token") {
			t.Errorf("after half an hour: %+v", c)
		}
		if got := platform.ops(); got != "post failed" || !strings.Contains(platform.calls[0].text, "✖ BLOCKED  Channel daily: messages wait there") {
			t.Errorf("the fallback got %s: %+v", got, platform.calls)
		}
		time.Sleep(40 * time.Minute)
		if n := len(daily.calls); n != 63 {
			t.Errorf("%d calls, want 61 probes and 2 messages", n)
		}
		for i := 1; i < 61; i++ {
			if gap := daily.calls[i].at.Sub(daily.calls[i-1].at); gap < time.Minute {
				t.Errorf("probe %d came after %v", i, gap)
			}
		}
		if got := platform.ops(); got != "post failed, edit recovered, loud reply recovered" {
			t.Errorf("the fallback got %s", got)
		}
		st, err = s.Status(ctx, 10)
		if err != nil || st.Waiting != 0 || st.Dead != 0 || st.Channels[0].State != "ok" {
			t.Errorf("in the end: %+v, %v", st, err)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestUnknownResultIsLookedUpBeforeAnythingIsSentAgain(t *testing.T) {
	accepted500 := &channel.Failure{Class: channel.Unknown, Code: "http_500", Err: errors.New("accepted")}
	refused500 := &channel.Failure{Class: channel.Unknown, Code: "http_500", Err: errors.New("not taken")}
	for name, c := range map[string]struct {
		answer error
		slow   int
		want   string
	}{
		"it had arrived":                    {accepted500, 0, "post ready"},
		"it had arrived, but is shown late": {accepted500, 1, "post ready"},
		"it had not arrived":                {refused500, 0, "post ready, post ready"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				daily := &threads{flat: flat{answer: []error{c.answer}}, slow: c.slow}
				s := open(t, outbox(t), daily, &flat{}, nil)
				defer closed(t, s)
				accepted(t, s, settlements(outcome.Ready, nil))
				start := time.Now()
				drain(t, s, time.Minute)
				if got := daily.ops(); got != c.want {
					t.Errorf("got %s, want %s", got, c.want)
				}
				if waited := time.Since(start); waited < 2*time.Second {
					t.Errorf("looked after %v: too soon for the far side to show it", waited)
				}
			})
		})
	}
}

func TestUnknownResultOnAChannelThatCannotBeAsked(t *testing.T) {
	unknown := &channel.Failure{Class: channel.Unknown, Code: "timeout"}
	for state, want := range map[outcome.State]string{outcome.Failed: "post failed, post failed", outcome.Ready: "post ready"} {
		t.Run(string(state), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				daily := &flat{answer: []error{unknown}}
				s := open(t, outbox(t), daily, &flat{}, nil)
				defer closed(t, s)
				accepted(t, s, settlements(state, nil))
				drain(t, s, time.Minute)
				if got := daily.ops(); got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				held, err := s.Outbox(t.Context(), Filter{State: stHeld})
				if err != nil || (len(held) == 1) != (state == outcome.Ready) {
					t.Fatalf("held: %+v, %v", held, err)
				}
				if len(held) == 1 {
					if err := s.Redrive(t.Context(), held[0].Delivery); err != nil {
						t.Fatal(err)
					}
					drain(t, s, time.Minute)
					if got := daily.ops(); got != "post ready, post ready" {
						t.Errorf("after the redrive: %s", got)
					}
				}
			})
		})
	}
}

func TestRefusedMessageGoesAsPlainTextAndThenSomebodyIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := &channel.Failure{Class: channel.Refused, Code: "invalid_blocks"}
		daily, platform := &flat{answer: []error{refused, refused}}, &flat{}
		s := open(t, outbox(t), daily, platform, nil)
		defer closed(t, s)
		accepted(t, s, settlements(outcome.Ready, nil))
		drain(t, s, time.Minute)
		if len(daily.calls) != 2 || daily.calls[0].post.Plain || !daily.calls[1].post.Plain {
			t.Errorf("calls %+v", daily.calls)
		}
		drain(t, s, time.Minute)
		if len(platform.calls) != 1 || !strings.Contains(platform.calls[0].text, "NOT DELIVERED  Message to channel daily about Daily card settlements for Fri 20 Nov 2026") {
			t.Errorf("the fallback got %+v", platform.calls)
		}
	})
}

func TestBudgetEndsInADeadLetter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answers []error
		for range 1000 {
			answers = append(answers, &channel.Failure{Class: channel.Again, Code: "busy"})
		}
		daily, platform := &flat{answer: answers}, &flat{}
		s := open(t, outbox(t), daily, platform, seldom)
		defer closed(t, s)
		accepted(t, s, settlements(outcome.Ready, nil))
		drain(t, s, 48*time.Hour)
		if n := len(daily.calls); n != 40 {
			t.Errorf("%d tries, want 40", n)
		}
		for i := 1; i < len(daily.calls); i++ {
			if gap := daily.calls[i].at.Sub(daily.calls[i-1].at); gap > 5*time.Minute+idle {
				t.Errorf("waited %v", gap)
			}
		}
		st, err := s.Status(t.Context(), 10)
		if err != nil || st.Dead != 1 || len(platform.calls) != 1 {
			t.Errorf("status %+v, %v; fallback: %s", st, err, platform.ops())
		}
	})
}

func TestVanishedMessageIsPostedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{flat: flat{answer: []error{nil, &channel.Failure{Class: channel.Gone, Code: "message_not_found"}}}}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		run := settlements(outcome.Running, nil)
		accepted(t, s, run)
		drain(t, s, time.Minute)
		accepted(t, s, later(run, outcome.Failed, time.Minute))
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post running, edit failed, post failed" {
			t.Errorf("got %s", got)
		}
	})
}

func TestAResultThatCouldNotBeWrittenDownIsLookedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		accepted(t, s, settlements(outcome.Ready, nil))
		drain(t, s, time.Minute)
		if err := s.db.Write(t.Context(), func(tx *sql.Tx) error { // as if the record had met a full disk
			_, err := tx.Exec("UPDATE delivery SET state = 'sending', owner = ?", s.owner)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post ready" {
			t.Errorf("got %s", got)
		}
	})
}

func TestStandbyTakesOverWhenTheLeaseRunsOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := outbox(t)
		daily := &threads{}
		a := open(t, path, daily, &flat{}, nil)
		defer closed(t, a)
		b := open(t, path, daily, &flat{}, nil)
		defer closed(t, b)
		if ours, _, err := a.acquire(t.Context()); err != nil || !ours {
			t.Fatalf("acquire: %v, %v", ours, err)
		}
		accepted(t, b, settlements(outcome.Ready, nil))
		start := time.Now()
		drain(t, b, time.Minute)
		if waited := time.Since(start); waited < 15*time.Second || waited > 21*time.Second {
			t.Errorf("took over after %v, the lease is 15s", waited)
		}
		err := a.db.Write(t.Context(), func(tx *sql.Tx) error { _, err := a.holds(t.Context(), tx); return err })
		if !errors.Is(err, errNoLease) {
			t.Errorf("the sender that slept goes on: %v", err)
		}
	})
}

func TestARunWithoutADateMendsItsPredecessor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		daily := &threads{}
		s := open(t, outbox(t), daily, &flat{}, nil)
		defer closed(t, s)
		now := time.Now()
		one := outcome.Outcome{RunID: "one", Job: "gl_stream", State: outcome.Failed, At: now}
		two := outcome.Outcome{RunID: "two", Job: "gl_stream", State: outcome.Ready, At: now.Add(time.Hour)}
		three := outcome.Outcome{RunID: "three", Job: "gl_stream", State: outcome.Ready, At: now.Add(2 * time.Hour)}
		accepted(t, s, one, two, three)
		drain(t, s, time.Minute)
		if got := daily.ops(); got != "post failed, post recovered, post ready" {
			t.Errorf("got %s", got)
		}
	})
}
