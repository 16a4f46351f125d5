package notify

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// nights is a unit with quiet hours, but without a digest.
const nights = `
version: 1
defaults: {timezone: Europe/Berlin}
channels:
  daily: {console: {path: stdout}}
  platform: {console: {path: stdout}}
  topic: {sns: {topic: "arn:aws:sns:eu-central-1:111122223333:fin.fifo"}}
units:
  FIN:
    title: Finance
    jobs: ["gl_*", settlements_daily, clicks, returns]
    calendar: target2
    on_call: S0ONCALL
    quiet: {hours: "20:00-07:30", weekends: true, hold: [ready, warning], let_through: "severity=critical"}
routes:
  - when: unit = "FIN"
    to: [daily]
    mention: S0PAYMENTS
default: [platform]
fallback: [platform]
fold: [{cause: settlements_daily, effects: ["gl_*"]}]
`

var withDigest = strings.Replace(nights, "    on_call:", "    digest: {at: \"08:00\", channel: daily}\n    on_call:", 1)

// desk is a unit's outbox in virtual time.
type desk struct {
	*Service
	t               *testing.T
	path, units     string
	daily           *threads
	platform, topic *flat
	zone            *time.Location
	opt             func(*Options)
}

func deskOf(t *testing.T, text string) *desk {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, path: filepath.Join(t.TempDir(), "outbox.db"), units: text, daily: &threads{}, platform: &flat{}, topic: &flat{}, zone: zone}
	d.reopen()
	return d
}

func (d *desk) reopen() {
	d.t.Helper()
	if d.Service != nil {
		closed(d.t, d.Service)
	}
	opt := Options{Extra: map[string]channel.Channel{"daily": d.daily, "platform": d.platform, "topic": d.topic}}
	seldom(&opt)
	if d.opt != nil {
		d.opt(&opt)
	}
	s, err := Open(d.t.Context(), d.path, units(d.t, d.units), opt)
	if err != nil {
		d.t.Fatal(err)
	}
	d.Service = s
}

// sleepTo waits until the wall shows s, with nothing running.
func (d *desk) sleepTo(s string) {
	d.t.Helper()
	at := wallTime(d.t, d.zone, s)
	if wait := time.Until(at); wait > 0 {
		d.pause(d.t.Context(), wait, nil)
	} else {
		d.t.Fatalf("it is past %s already: %v", s, time.Now().In(d.zone))
	}
}

// runTo lets the time pass until the wall shows s, and does what is due meanwhile: as Run does, without its polls.
func (d *desk) runTo(s string) {
	d.t.Helper()
	for end := wallTime(d.t, d.zone, s); time.Now().Before(end); {
		if ours, _, err := d.acquire(d.t.Context()); err != nil || !ours {
			d.t.Fatal(ours, err)
		}
		next, err := d.keep(d.t.Context(), time.Now())
		if err != nil {
			d.t.Fatal(err)
		}
		drain(d.t, d.Service, 10*time.Minute)
		d.pause(d.t.Context(), max(time.Millisecond, min(time.Until(next), time.Until(end))), nil)
	}
}

// ends is the outcome of a job's run for a business date, now.
func ends(job string, state outcome.State, date string) outcome.Outcome {
	o := outcome.Outcome{RunID: job + " " + date, Job: job, Unit: "FIN", State: state, At: time.Now(), Attempt: 1}
	if date != "" {
		from, err := time.Parse(time.DateOnly, date)
		if err != nil {
			panic(err)
		}
		o.Interval = outcome.Interval{Start: from, End: from.AddDate(0, 0, 1)}
	}
	return o
}

func (d *desk) tell(os ...outcome.Outcome) []string {
	d.t.Helper()
	ids := accepted(d.t, d.Service, os...)
	drain(d.t, d.Service, 10*time.Minute)
	return ids
}

func (d *desk) says(name, want string) {
	d.t.Helper()
	got := map[string]*flat{"daily": &d.daily.flat, "platform": d.platform, "topic": d.topic}[name].ops()
	if got != want {
		d.t.Errorf("%s: %s got\n     %s\nwant %s", time.Now().In(d.zone).Format("Mon 2 Jan 15:04"), name, got, want)
	}
}

func (d *desk) explained(id string, want ...string) {
	d.t.Helper()
	x, err := d.Explain(d.t.Context(), id)
	if err != nil {
		d.t.Fatal(err)
	}
	for _, w := range want {
		if !strings.Contains(x.Text(), w) {
			d.t.Errorf("explain lacks %q:\n%s", w, x.Text())
		}
	}
}

func TestWhatIsHeldOverTheWeekendIsToldOnceIfItIsStillTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-20 21:00") // a Friday
		clicks := d.tell(ends("clicks", outcome.Ready, "2026-11-20"))
		d.says("daily", "")
		d.explained(clicks[0], "units.FIN.quiet: held daily: quiet hours until Mon 23 Nov 07:30 CET", "channel daily, message: held: quiet hours until Mon 23 Nov 07:30 CET")
		d.runTo("2026-11-21 02:14")
		first := d.tell(ends("returns", outcome.Ready, "2026-11-20"))
		d.runTo("2026-11-21 03:10")
		fails := ends("returns", outcome.Failed, "2026-11-20")
		fails.RunID = "rerun"
		d.tell(fails) // not in hold: told at once
		d.says("daily", "post failed")
		d.explained(first[0], "superseded: overtaken: failed at Sat 21 Nov 03:10 CET, before it could be told")
		if st, err := d.Status(t.Context(), 0); err != nil || st.Held != 1 || st.Waiting != 0 || st.OldestWait != 0 {
			t.Errorf("%+v, %v", st, err)
		}
		d.runTo("2026-11-23 07:29")
		d.says("daily", "post failed")
		d.runTo("2026-11-23 07:31")
		d.says("daily", "post failed, post ready")
		d.explained(clicks[0], "kept back: released daily: quiet hours until Mon 23 Nov 07:30 CET", "channel daily, message: sent 2026-11-23 07:30")
		d.runTo("2026-11-24 12:00")
		d.says("daily", "post failed, post ready")
	})
}

func TestQuietHoursLetCriticalThroughAndProgramsDoNotSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, strings.Replace(nights, "to: [daily]", "to: [daily, topic]", 1))
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 21:00")
		critical := ends("clicks", outcome.Warning, "2026-11-23")
		critical.Severity = "critical"
		d.tell(critical, ends("returns", outcome.Warning, "2026-11-23"))
		d.says("daily", "post warning")
		d.says("topic", "post warning, post warning")
	})
}

func TestAnEditDisturbsNobodyInQuietHoursButItsReplyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 19:50")
		d.tell(ends("clicks", outcome.Running, "2026-11-23"))
		d.sleepTo("2026-11-23 20:10")
		d.tell(ends("clicks", outcome.Warning, "2026-11-23"))
		d.says("daily", "post running, edit warning")
		d.runTo("2026-11-24 08:00")
		d.says("daily", "post running, edit warning, reply warning")
	})
}

func TestDowntimeOverTheEndOfQuietHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 21:00")
		id := d.tell(ends("clicks", outcome.Ready, "2026-11-23"))[0]
		d.sleepTo("2026-11-24 21:00") // down all day; it is quiet again
		d.reopen()
		d.runTo("2026-11-24 21:05")
		d.says("daily", "")
		d.explained(id, "held: quiet hours until Wed 25 Nov 07:30 CET")
		d.sleepTo("2026-11-25 11:00") // down again, but now people are awake
		d.reopen()
		d.runTo("2026-11-25 11:05")
		d.says("daily", "post ready")
	})
}

func TestAcceptance_ClockJumpOverTheEndOfQuietHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, withDigest)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 07:00")
		if ours, _, err := d.acquire(t.Context()); err != nil || !ours {
			t.Fatal(ours, err)
		}
		at := func(s string) time.Time { return wallTime(t, d.zone, s) }
		keep := func(s string) {
			t.Helper()
			if _, err := d.keep(t.Context(), at(s)); err != nil {
				t.Fatal(err)
			}
		}
		keep("2026-11-23 07:00")
		for _, jump := range []string{"2026-11-23 08:01", "2026-11-23 06:00", "2026-11-23 08:02", "2026-11-20 12:00", "2026-11-23 09:00"} {
			keep(jump) // the clock is set forward and back again
		}
		if got, err := d.Outbox(t.Context(), Filter{Job: "digest"}); err != nil || len(got) != 1 {
			t.Errorf("%d digests, %v", len(got), err)
		}
	})
}

func TestAcceptance_DSTDayDigestComesAtItsHourOnBoth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, withDigest)
		defer func() { closed(t, d.Service) }()
		for _, c := range []struct{ from, to string }{{"2026-03-27 12:00", "2026-03-31 12:00"}, {"2026-10-23 12:00", "2026-10-27 12:00"}} {
			d.sleepTo(c.from)
			d.reopen()
			d.runTo(c.to)
		}
		var hours []string
		for _, c := range d.daily.calls {
			hours = append(hours, c.at.In(d.zone).Format("2 Jan 15:04"))
		}
		want := "28 Mar 08:00, 29 Mar 08:00, 30 Mar 08:00, 31 Mar 08:00, 23 Oct 12:00, 24 Oct 08:00, 25 Oct 08:00, 26 Oct 08:00, 27 Oct 08:00"
		if got := strings.Join(hours, ", "); got != want {
			t.Errorf("digests at\n     %s\nwant %s", got, want)
		}
	})
}

func TestTheDigestTellsWhatIsStillTrue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, withDigest)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 15:00")
		d.runTo("2026-11-23 21:00")
		d.tell(ends("settlements_daily", outcome.Failed, "2026-11-23"), ends("gl_stock", outcome.Late, "2026-11-20"))
		d.runTo("2026-11-24 02:14")
		id := d.tell(ends("clicks", outcome.Ready, "2026-11-23"))[0]
		d.runTo("2026-11-24 02:20")
		d.tell(ends("returns", outcome.Ready, "2026-11-23"))
		d.runTo("2026-11-24 07:45")
		d.says("daily", "post failed, post late")
		d.runTo("2026-11-24 09:00")
		d.says("daily", "post failed, post late, post ready")
		m := d.daily.calls[2].post.Message
		golden(t, "digest", m.Text())
		d.explained(id, "held daily: quiet hours until 07:30 CET, then in the digest of 08:00", "superseded: quiet hours until 07:30 CET, then in the digest of 08:00; told in the digest of Tue 24 Nov 08:00 CET")
		d.runTo("2026-11-26 07:00")
		if n := len(d.daily.calls); n != 4 {
			t.Errorf("%d messages after two days: %s", n, d.daily.ops())
		}
		if got := d.daily.calls[3].post.Message.First(); got != "≡ DIGEST  Finance for Wed 25 Nov 2026: 0 ready · 1 late · 1 failed" {
			t.Errorf("the next digest says %s", got)
		}
	})
}

func TestAfterDowntimeOneDigestTellsAllAndNoneComesInQuietHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, withDigest)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-23 15:00")
		d.runTo("2026-11-23 15:01")
		d.tell(ends("clicks", outcome.Ready, "2026-11-22"))
		d.sleepTo("2026-11-26 22:00") // three digests missed, and it is quiet
		d.reopen()
		d.runTo("2026-11-26 22:10")
		d.says("daily", "post ready")
		d.sleepTo("2026-11-27 10:00")
		d.reopen()
		d.runTo("2026-11-27 10:10")
		d.says("daily", "post ready, post ready")
		if got := d.daily.calls[1].post.Message.First(); got != "≡ DIGEST  Finance for Fri 27 Nov 2026: 1 ready · 0 late · 0 failed" {
			t.Errorf("it says %s", got)
		}
	})
}

// Whatever is let go: dying at any step loses nothing and tells nothing twice.
func TestDyingAtAnyStepOfARelease(t *testing.T) {
	for name, text := range map[string]string{"each by itself": nights, "in a digest": withDigest} {
		t.Run(name, func(t *testing.T) {
			steps := dieAt(t, text, -1)
			if steps < 4 {
				t.Fatalf("only %d steps", steps)
			}
			for n := range steps {
				dieAt(t, text, n)
			}
		})
	}
}

func dieAt(t *testing.T, text string, n int) (steps int) {
	t.Run(fmt.Sprintf("dies at step %d", n), func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			d := deskOf(t, text)
			defer func() { closed(t, d.Service) }()
			d.sleepTo("2026-11-23 15:00")
			d.runTo("2026-11-23 21:00")
			d.tell(ends("clicks", outcome.Ready, "2026-11-23"), ends("returns", outcome.Warning, "2026-11-23"), ends("gl_stock", outcome.Ready, "2026-11-23"))
			d.sleepTo("2026-11-24 09:00")
			ctx, die := context.WithCancelCause(t.Context())
			d.opt = func(o *Options) {
				o.crash = func(string) error {
					if steps++; n >= 0 && steps == n+1 {
						die(errors.New("killed"))
						return errors.New("killed")
					}
					return nil
				}
			}
			d.reopen()
			if err := d.Run(timeout(ctx, t)); err != nil {
				t.Fatal(err)
			}
			d.opt = nil
			d.reopen()
			d.runTo("2026-11-24 09:30")
			want := "post ready, post warning, post ready"
			if text == withDigest {
				want = "post ready" // the digest
				if len(d.daily.calls) == 1 && !strings.Contains(d.daily.calls[0].post.Message.Text(), "Held overnight: clicks ready 21:00, returns warning 21:00, gl_stock ready 21:00\n") {
					t.Errorf("the digest says %s", d.daily.calls[0].post.Message.Text())
				}
			}
			d.says("daily", want)
			if st, err := d.Status(t.Context(), 0); err != nil || st.Held+st.Waiting+st.Unknown+st.Dead != 0 {
				t.Errorf("left over: %+v, %v", st, err)
			}
		})
	})
	return steps
}

func timeout(ctx context.Context, t *testing.T) context.Context {
	ctx, stop := context.WithTimeout(ctx, 5*time.Minute)
	t.Cleanup(stop)
	return ctx
}
