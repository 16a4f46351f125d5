package notify

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// Every event of a day in which everything happens: explain ends with the reason for every channel, sent or not.
func TestExplainEndsWithTheReasonForEveryChannel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		text := strings.Replace(withDigest, "    mention: S0PAYMENTS\n", `    mention: S0PAYMENTS
    routes:
      - {when: 'state = failed and severity = critical', to: [daily, topic]}
  - {when: job = never, to: [topic]}
`, 1)
		d := deskOf(t, text)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 09:00")
		d.runTo("2026-11-23 09:01")
		var ids []string
		tell := func(os ...outcome.Outcome) { ids = append(ids, d.tell(os...)...); time.Sleep(time.Minute) }
		tell(settlements(outcome.Running, nil), settlements(outcome.Failed, nil), ends("elsewhere", outcome.Ready, ""))
		tell(settlements(outcome.Running, nil)) // the same again
		tell(ends("gl_report", outcome.Failed, "2026-11-20"), ends("clicks", outcome.Late, "2026-11-20"), ends("clicks", outcome.Missing, "2026-11-20"))
		stale := ends("clicks", outcome.Running, "2026-11-20")
		stale.At = stale.At.Add(-time.Hour)
		tell(stale)
		healing := ends("returns", outcome.Failed, "2026-11-20")
		healing.MaxAttempts, healing.Cause.Retryable = 3, true
		tell(healing)
		if _, err := d.AddSilence(t.Context(), Silence{Match: "job = quiet_one", Owner: "anna", Reason: "test", Until: time.Now().Add(time.Hour)}); err != nil {
			t.Fatal(err)
		}
		tell(ends("quiet_one", outcome.Failed, "2026-11-20"))
		d.daily.answer = []error{&channel.Failure{Class: channel.Refused, Code: "too_big"}, &channel.Failure{Class: channel.Refused, Code: "too_big"}}
		tell(ends("big", outcome.Ready, "2026-11-20"))
		dead, err := d.Outbox(t.Context(), Filter{State: stDead})
		if err != nil || len(dead) != 1 {
			t.Fatalf("dead: %+v, %v", dead, err)
		}
		if err := d.Drop(t.Context(), dead[0].Delivery, "anna", "told by telephone"); err != nil {
			t.Fatal(err)
		}
		d.explained(ids[len(ids)-1], "channel daily, message: dropped: dropped by anna at 2026-11-23", "told by telephone", "delivery ", ": dropped daily")
		d.runTo("2026-11-23 21:00")
		for _, s := range outcome.States() {
			tell(ends("state_"+string(s), s, "2026-11-20"))
		}
		tell(ends("clicks", outcome.Ready, "2026-11-20"), ends("state_ready", outcome.Warning, "2026-11-20"))
		check := func() {
			t.Helper()
			for _, id := range ids {
				x, err := d.Explain(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				ends := x.Text()[strings.Index(x.Text(), "\nroutes\n"):]
				for _, name := range []string{"daily", "platform", "topic"} {
					if strings.Count(ends, "\nchannel "+name) == 0 {
						t.Errorf("no word about %s:\n%s", name, x.Text())
					}
				}
				for _, e := range x.Deliveries {
					if e.Reason == "" && !slices.Contains([]string{stSent, stReady}, e.State) {
						t.Errorf("%s in %s is %s without a reason:\n%s", e.Part, e.Channel, e.State, x.Text())
					}
				}
				for _, c := range x.Silent {
					if c.Reason == "" {
						t.Errorf("%s was not told, without a reason:\n%s", c.Channel, x.Text())
					}
				}
			}
		}
		check()
		digests, err := d.Outbox(t.Context(), Filter{Job: "digest"})
		if err != nil || len(digests) != 0 {
			t.Errorf("digests before their time: %v, %v", digests, err)
		}
		d.runTo("2026-11-24 12:00")
		if digests, err = d.Outbox(t.Context(), Filter{Job: "digest"}); err != nil || len(digests) != 1 {
			t.Fatalf("digests: %v, %v", digests, err)
		}
		ids = append(ids, digests[0].Event)
		check()
		var states []string
		all, err := d.Outbox(t.Context(), Filter{Limit: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if !slices.Contains(states, e.State) {
				states = append(states, e.State)
			}
		}
		for _, want := range []string{stSent, stSuppressed, stSuperseded, stDropped} {
			if !slices.Contains(states, want) {
				t.Errorf("the corpus has nothing that is %s", want)
			}
		}
	})
}
