package notify

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// forgotten removes all that is over, and says how many events each step has removed.
func (d *desk) forgotten() (steps []int) {
	d.t.Helper()
	if ours, _, err := d.acquire(d.t.Context()); err != nil || !ours {
		d.t.Fatal(ours, err)
	}
	for after := int64(0); ; {
		had := d.rows("event")
		next, err := d.forget(d.t.Context(), after, time.Now())
		if err != nil {
			d.t.Fatal(err)
		}
		if n := had - d.rows("event"); n > 0 {
			steps = append(steps, n)
		}
		if after = next; after == 0 {
			return steps
		}
	}
}

func (d *desk) rows(table string) (n int) {
	d.t.Helper()
	if err := d.db.Read().QueryRowContext(d.t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		d.t.Fatal(err)
	}
	return n
}

func (d *desk) knows(event string) bool {
	d.t.Helper()
	_, err := d.Explain(d.t.Context(), event)
	if err != nil && !errors.Is(err, ErrNoEvent) {
		d.t.Fatal(err)
	}
	return err == nil
}

// What is settled leaves after its time. What is dead, broken, silenced, or the last good data of a job, stays.
func TestWhatWasToldLeavesWhenItIsSettledAndOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights+"keep: 10d\n")
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-02 09:00")
		old := d.tell(ends("clicks", outcome.Failed, "2026-10-30"))[0]
		mended := ends("clicks", outcome.Ready, "2026-10-30")
		mended.RunID = "rerun"
		time.Sleep(time.Minute)
		old2 := d.tell(mended)[0]
		lastGoodData := d.tell(ends("returns", outcome.Ready, "2026-10-30"))[0] // a job that runs seldom
		broken := d.tell(ends("settlements_daily", outcome.Failed, "2026-10-30"))[0]
		alone := d.tell(ends("risk", outcome.Failed, "2026-10-30"))[0]
		folded := d.tell(ends("gl_report", outcome.Failed, "2026-10-30"))[0]
		silence, err := d.AddSilence(t.Context(), Silence{Match: `job = "gl_stock"`, Owner: "anna", Reason: "migration", Until: time.Now().Add(13 * day)})
		if err != nil {
			t.Fatal(err)
		}
		silenced := d.tell(ends("gl_stock", outcome.Cancelled, "2026-10-29"))[0]
		d.daily.answer = []error{&channel.Failure{Class: channel.Refused, Code: "too_big"}, &channel.Failure{Class: channel.Refused, Code: "too_big"}}
		dead := d.tell(ends("positions", outcome.Cancelled, "2026-10-30"))[0]
		given, err := d.Outbox(t.Context(), Filter{Channel: "platform"})
		if err != nil || len(given) != 1 {
			t.Fatal(given, err)
		}
		notice := given[0].Event
		d.sleepTo("2026-11-09 09:00")
		d.tell(ends("clicks", outcome.Ready, "2026-11-06"))
		if n := d.forgotten(); n != nil {
			t.Errorf("removed before its time: %v", n)
		}
		sends, err := d.Sends(t.Context())
		if err != nil {
			t.Fatal(err)
		}

		d.sleepTo("2026-11-12 10:00")
		had := map[string]int{}
		for _, table := range []string{"story", "message", "delivery", "attempt", "decision"} {
			had[table] = d.rows(table)
		}
		steps := 0
		d.Service.opt.crash = func(string) error {
			if steps++; steps == 4 {
				return errors.New("killed")
			}
			return nil
		}
		if _, err := d.forget(t.Context(), 0, time.Now()); err == nil || !d.knows(old) || d.rows("delivery") != had["delivery"] {
			t.Errorf("half of it has gone: %v", err)
		}
		d.Service.opt.crash = nil
		d.forgotten()
		if d.knows(notice) {
			t.Error("that something was given up is still told after eleven days")
		}
		for what, event := range map[string]string{"the last good data": lastGoodData, "what is broken": broken, "what is broken and has no effects": alone, "what is folded": folded, "what is silenced": silenced, "what is dead": dead} {
			if !d.knows(event) {
				t.Errorf("%s is gone", what)
			}
		}
		if d.knows(old) || d.knows(old2) {
			t.Error("a story of eleven days is still there")
		}
		for table, n := range had {
			if now := d.rows(table); now >= n {
				t.Errorf("%s has %d rows; before it had %d", table, now, n)
			}
		}
		if after, err := d.Sends(t.Context()); err != nil || fmt.Sprint(after) != fmt.Sprint(sends) {
			t.Errorf("calls are counted as %v, before as %v; %v", after, sends, err)
		}
		if d.tell(ends("returns", outcome.Failed, "2026-11-11")); !strings.Contains(d.daily.calls[len(d.daily.calls)-1].post.Message.Text(), "Fri 30 Oct") {
			t.Errorf("the last good data are not told:\n%s", d.daily.calls[len(d.daily.calls)-1].post.Message.Text())
		}

		if err := d.EndSilence(t.Context(), silence.ID, "anna"); err != nil {
			t.Fatal(err)
		}
		dropped, err := d.Outbox(t.Context(), Filter{State: stDead})
		if err != nil || len(dropped) != 1 {
			t.Fatal(dropped, err)
		}
		if err := d.Drop(t.Context(), dropped[0].Delivery, "anna", "told by telephone"); err != nil {
			t.Fatal(err)
		}
		for _, job := range []string{"settlements_daily", "gl_report"} {
			healed := ends(job, outcome.Ready, "2026-10-30")
			healed.RunID = "rerun"
			d.tell(healed)
			d.tell(ends(job, outcome.Ready, "2026-11-11"))
		}
		d.runTo("2026-11-12 10:05")
		if d.forgotten(); !d.knows(dead) {
			t.Error("what was dropped is gone at once, with the reason")
		}
		d.sleepTo("2026-11-26 11:00")
		d.forgotten()
		for what, event := range map[string]string{"what was broken": broken, "what was folded": folded, "what was silenced": silenced, "what was dead": dead} {
			if d.knows(event) {
				t.Errorf("%s is still there, ten days after its end", what)
			}
		}
		if !d.knows(lastGoodData) {
			t.Error("the last good data are gone")
		}
	})
}

// Many old events leave in small steps, while the sender runs.
func TestOldEventsLeaveInSmallSteps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights+"keep: 10d\n")
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-02 09:00")
		for i := range 2*forgetAtOnce + forgetAtOnce/2 {
			o := ends("clicks", outcome.Ready, "2026-10-30")
			o.RunID, o.Interval = fmt.Sprintf("r%d", i), outcome.Interval{}
			accepted(t, d.Service, o)
		}
		drain(t, d.Service, time.Hour)
		d.sleepTo("2026-11-13 09:00")
		if steps := d.forgotten(); fmt.Sprint(steps) != "[100 100 50]" || d.rows("attempt") != 0 || d.rows("story") != 0 {
			t.Errorf("steps %v; %d attempts and %d stories are left", steps, d.rows("attempt"), d.rows("story"))
		}
	})
}

// The sender does it by itself.
func TestTheSenderForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := deskOf(t, nights)
		defer func() { closed(t, d.Service) }()
		d.sleepTo("2026-11-02 09:00")
		d.tell(ends("clicks", outcome.Ready, ""))
		time.Sleep(time.Duration(keepTold) + time.Second)
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		time.Sleep(2 * time.Minute)
		stop()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n := d.rows("event"); n != 0 {
			t.Errorf("%d events are left after 90 days", n)
		}
	})
}
