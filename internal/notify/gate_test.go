package notify

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/outcome"
)

func TestAFailureThatAnotherOneExplainsIsALineInItsMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 09:00")
		d.tell(ends("settlements_daily", outcome.Failed, "2026-11-20"))
		d.tell(ends("gl_report", outcome.Late, "2026-11-20")) // overtaken by its failure, and never told
		id := d.tell(ends("gl_report", outcome.Failed, "2026-11-20"), ends("gl_stock", outcome.Late, "2026-11-20"))
		d.says("daily", "post failed, edit failed, edit failed")
		last := d.daily.calls[2].post.Message
		if want := "Also waiting for it: gl_report (failed 09:00), gl_stock (late 09:00)\n"; !strings.Contains(last.Text(), want) {
			t.Errorf("the cause says\n%s", last.Text())
		}
		d.explained(id[0], "fold: suppressed daily: it waits for settlements_daily, which is broken and is told there", "channel daily, message: suppressed")
		d.tell(ends("gl_other", outcome.Failed, "2026-11-19")) // another date is another matter
		time.Sleep(time.Minute)
		d.tell(ends("gl_stock", outcome.Ready, "2026-11-20"))
		d.says("daily", "post failed, edit failed, edit failed, post failed, edit failed, post ready")
		if got := d.daily.calls[4].post.Message.Text(); !strings.Contains(got, "Also waiting for it: gl_report (failed 09:00)\n") {
			t.Errorf("after one of them came:\n%s", got)
		}
		time.Sleep(time.Minute)
		mended := ends("settlements_daily", outcome.Ready, "2026-11-20")
		mended.RunID = "rerun"
		d.tell(mended)
		d.says("daily", "post failed, edit failed, edit failed, post failed, edit failed, post ready, post failed, edit recovered, loud reply recovered")
		if got := d.daily.calls[6].post.Message.Outcome.Job; got != "gl_report" {
			t.Errorf("told by itself: %s", got)
		}
		if got := d.daily.calls[7].post.Message.Text(); strings.Contains(got, "Also waiting") {
			t.Errorf("the mended cause says\n%s", got)
		}
		d.explained(id[0], "kept back: released daily: it was folded into the message of FIN/settlements_daily/2026-11-20, which is mended")
	})
}

// When the reader of a cause's message sees what waits, it says until when that was due.
func TestALineAboutAnEffectSaysWhenItIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights+"expect: {gl_report: {schedule: \"0 6 * * 1-5\", business_date: previous_working_day, finish_by: \"09:00\"}, gl_stock: {schedule: \"0 6 * * 1-5\", business_date: previous_working_day, finish_by: \"10:00\"}}\n")
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 09:05")
		d.tell(ends("settlements_daily", outcome.Failed, "2026-11-20"))
		d.tell(ends("gl_report", outcome.Late, "2026-11-20"), ends("gl_stock", outcome.Failed, "2026-11-20"), ends("gl_other", outcome.Failed, "2026-11-20"))
		got := d.daily.calls[len(d.daily.calls)-1].post.Message.Text()
		if want := "Also waiting for it: gl_other (failed 09:05), gl_report (due 09:00), gl_stock (failed 09:05, due 10:00)\n"; !strings.Contains(got, want) {
			t.Errorf("the cause says\n%s", got)
		}
	})
}

func TestAnEffectIsFoldedOnlyWhereItsCauseIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, strings.Replace(nights, "routes:\n", "routes:\n  - {when: job = gl_risk, to: [platform]}\n", 1))
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 09:00")
		d.tell(ends("settlements_daily", outcome.Failed, "2026-11-20"))
		d.tell(ends("gl_risk", outcome.Failed, "2026-11-20"))
		d.says("platform", "post failed")
		d.says("daily", "post failed")
	})
}

func TestASilenceKeepsBackAndTellsAfterwardsWhatIsStillBroken(t *testing.T) {
	for _, how := range []string{"it runs out", "it is ended"} {
		t.Run(how, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := deskOf(t, nights)
				defer func() { closed(t, d.Service) }()
				d.sleepTo("2026-11-23 09:00")
				d.tell(ends("gl_old", outcome.Failed, "2026-11-20"))
				x, err := d.AddSilence(t.Context(), Silence{Match: `unit = "FIN" and job ~ "gl_*"`, Owner: "anna", Reason: "migration", Until: time.Now().Add(4 * time.Hour)})
				if err != nil {
					t.Fatal(err)
				}
				ids := d.tell(ends("gl_report", outcome.Failed, "2026-11-20"), ends("gl_stock", outcome.Failed, "2026-11-20"), ends("gl_fine", outcome.Ready, "2026-11-20"), ends("clicks", outcome.Failed, "2026-11-20"))
				time.Sleep(time.Minute)
				healed, old := ends("gl_stock", outcome.Ready, "2026-11-20"), ends("gl_old", outcome.Ready, "2026-11-20")
				healed.RunID, old.RunID = "rerun", "rerun"
				d.tell(healed, old)
				d.says("daily", "post failed, post failed")
				d.explained(ids[0], "silence 1: suppressed daily: silence 1 of anna until 13:00 CET: migration", "channel daily, message: suppressed: silence 1 of anna")
				if all, err := d.Silences(t.Context(), false); err != nil || len(all) != 1 || all[0].Kept == 0 {
					t.Errorf("%+v, %v", all, err)
				}
				if how == "it is ended" {
					d.runTo("2026-11-23 10:00")
					if err := d.EndSilence(t.Context(), x.ID, "anna"); err != nil {
						t.Fatal(err)
					}
					d.runTo("2026-11-23 10:01")
				} else {
					d.runTo("2026-11-23 12:59")
					d.says("daily", "post failed, post failed")
					d.runTo("2026-11-23 13:01")
				}
				d.says("daily", "post failed, post failed, post failed, edit recovered, loud reply recovered")
				if got := d.daily.calls[2].post.Message.Outcome.Job; got != "gl_report" {
					t.Errorf("told afterwards: %s", got)
				}
				d.explained(ids[0], "kept back: released daily: silence 1 has ended and it is still so")
				d.runTo("2026-11-24 10:00")
				d.says("daily", "post failed, post failed, post failed, edit recovered, loud reply recovered")
			})
		})
	}
}

func TestASilenceNeedsAnOwnerAReasonAndAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights)
		defer func() { closed(t, d.Service) }()
		good := Silence{Match: "job = x", Owner: "anna", Reason: "because", Until: time.Now().Add(time.Hour)}
		for want, change := range map[string]func(*Silence){
			"owner: say whose":                         func(s *Silence) { s.Owner = "" },
			"reason: say why":                          func(s *Silence) { s.Reason = "" },
			"until: say for how long":                  func(s *Silence) { s.Until = time.Time{} },
			"longer than silences_max (14 days)":       func(s *Silence) { s.Until = time.Now().Add(15 * day) },
			"match: say what":                          func(s *Silence) { s.Match = "" },
			`match: column 1: there is no field "jbo"`: func(s *Silence) { s.Match = "jbo = x" },
		} {
			x := good
			change(&x)
			if _, err := d.AddSilence(t.Context(), x); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %s", err, want)
			}
		}
		if err := d.EndSilence(t.Context(), 17, "anna"); err == nil {
			t.Error("ended what is not there")
		}
	})
}

func TestOneMentionPerIncidentAndOnCallWhenItBecomesCritical(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 09:00")
		step := func(state outcome.State, change func(*outcome.Outcome)) {
			t.Helper()
			time.Sleep(20 * time.Minute)
			o := ends("clicks", state, "2026-11-20")
			o.RunID = "run " + o.At.String()
			if change != nil {
				change(&o)
			}
			d.tell(o)
		}
		step(outcome.Running, nil)
		step(outcome.Late, nil)
		step(outcome.Late, nil)
		step(outcome.Failed, nil)
		step(outcome.Failed, func(o *outcome.Outcome) { o.Severity = "critical" })
		step(outcome.Failed, func(o *outcome.Outcome) { o.Severity = "critical" })
		step(outcome.Ready, nil)
		step(outcome.Warning, nil)
		step(outcome.Failed, nil)
		want := "post running, edit late, loud reply to S0PAYMENTS late, edit late, reply late, edit failed, reply failed, edit failed, loud reply to S0PAYMENTS S0ONCALL failed, " +
			"edit failed, reply failed, edit recovered, loud reply recovered, edit warning, reply warning, edit failed, loud reply to S0PAYMENTS failed"
		d.says("daily", want)
	})
}

func TestAFailureThatNoRetryHealsIsToldAfterTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 09:00")
		f := ends("clicks", outcome.Failed, "2026-11-20")
		f.MaxAttempts, f.Cause.Retryable = 3, true
		d.tell(f)
		d.says("daily", "") // nothing stands there to be edited
		d.runTo("2026-11-23 09:05")
		again := ends("clicks", outcome.Running, "2026-11-20")
		again.Attempt, again.MaxAttempts = 2, 3
		d.tell(again)
		d.runTo("2026-11-23 09:09")
		d.says("daily", "post running")
		d.runTo("2026-11-23 09:11")
		d.says("daily", "post running, loud reply to S0PAYMENTS failed")
		time.Sleep(time.Minute)
		again.State, again.At = outcome.Ready, time.Now()
		d.tell(again)
		d.says("daily", "post running, loud reply to S0PAYMENTS failed, edit recovered, loud reply recovered")
	})
}

func TestWhatIsTooOldExpiresAndIsToldInTheDigest(t *testing.T) {
	for name, text := range map[string]string{"in the digest": withDigest, "to the fallback": nights} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := deskOf(t, strings.Replace(text, "defaults: {", "defaults: {ttl: 2d, ", 1))
				defer func() { closed(t, d.Service) }()
				d.sleepTo("2026-11-23 09:00")
				d.runTo("2026-11-23 09:01")
				id := accepted(t, d.Service, ends("clicks", outcome.Failed, "2026-11-20"))[0]
				if ours, _, err := d.acquire(t.Context()); err != nil || !ours {
					t.Fatal(ours, err)
				}
				if did, err := d.routeNext(t.Context()); err != nil || !did { // and then nothing runs for two days
					t.Fatal(did, err)
				}
				d.sleepTo("2026-11-25 09:02")
				d.runTo("2026-11-26 08:05")
				d.explained(id, "channel daily, message: expired: it could not leave for 2 days (ttl)")
				if text == withDigest {
					d.says("daily", "post ready, post ready")
					for i, want := range []bool{true, false} { // told once
						if text := d.daily.calls[i].post.Message.Text(); strings.Contains(text, "Expired: 2 messages waited too long") != want {
							t.Errorf("digest %d says\n%s", i, text)
						}
					}
					return
				}
				d.says("daily", "")
				d.says("platform", "post failed")
			})
		})
	}
}
