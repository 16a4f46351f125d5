package show

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/control"
	"weir/internal/notify"
	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// moody is a channel that answers each post with what it is told to.
type moody struct {
	answer error
	got    []string
}

func (m *moody) Send(_ context.Context, p channel.Post) (channel.Receipt, error) {
	if m.answer != nil {
		return channel.Receipt{}, m.answer
	}
	m.got = append(m.got, p.Message.First())
	return channel.Receipt{Ref: "1"}, nil
}

const outboxUnits = `version: 1
defaults: {timezone: Europe/Berlin}
channels:
  daily: {console: {path: daily.txt}}
  topic: {console: {path: topic.txt}}
  alerts: {console: {path: alerts.txt}}
units: {FIN: {title: Finance}, RSK: {title: Risk}}
routes:
  - {when: unit = "FIN", to: [daily, topic]}
  - {when: unit = "RSK", to: [alerts]}
default: [daily]
expect:
  gl_report: {unit: FIN, schedule: "0 6 * * *", finish_by: "00:30"}
`

// anOutbox has a dead message on topic, one that waits for the blocked alerts, and one that was sent on daily.
func anOutbox(t *testing.T, topic *moody) *notify.Service {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "units.yaml")
	if err := os.WriteFile(file, []byte(outboxUnits), 0o600); err != nil {
		t.Fatal(err)
	}
	units, err := notify.LoadUnits(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := notify.Open(t.Context(), filepath.Join(dir, "outbox.db"), units, notify.Options{Extra: map[string]channel.Channel{
		"daily": &moody{}, "topic": topic, "alerts": &moody{answer: &channel.Failure{Class: channel.Blocked, Code: "not_in_channel"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	day := time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC)
	for _, o := range []outcome.Outcome{
		{RunID: "r1", Job: "settlements", Unit: "FIN", State: outcome.Failed, At: time.Now(), Cause: outcome.Cause{Code: "x", Text: "no input"}, Interval: outcome.Interval{Start: day, End: day.AddDate(0, 0, 1)}},
		{RunID: "r2", Job: "positions", Unit: "RSK", State: outcome.Ready, At: time.Now()},
	} {
		if _, err := s.Accept(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func sending(t *testing.T, s *notify.Service, while func()) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	while()
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func do[T any](t *testing.T, verbs map[string]control.Verb, name, args string) (T, error) {
	t.Helper()
	var v T
	out, err := verbs[name](t.Context(), json.RawMessage(args))
	if err != nil {
		return v, err
	}
	v, ok := out.(T)
	if !ok {
		t.Fatalf("%s gives %T", name, out)
	}
	return v, nil
}

// What the outbox holds stands on the hub, with what a person has to do about it; and the person can do it from there.
func TestTheOutboxIsShownAndChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := &moody{answer: &channel.Failure{Class: channel.Refused, Code: "InvalidParameter", Err: errors.New("too long")}}
		s := anOutbox(t, topic)
		hub := control.NewHub("test", "home")
		hub.Update(func(sn *control.Snapshot) {
			sn.Attention = []control.Attention{{Level: control.Warn, What: "LAG", Job: "orders"}}
		})
		shown := Outbox{Hub: hub}
		look := func() *control.Snapshot {
			t.Helper()
			if _, err := shown.Look(t.Context(), s); err != nil {
				t.Fatal(err)
			}
			return hub.Snapshot()
		}
		verbs := Messages(func() (*notify.Service, error) { return s, nil }, "anna")
		var dead control.Message
		sending(t, s, func() {
			time.Sleep(5 * time.Second)
			sn := look()
			n := sn.Notify
			if n.Sender == "" || n.Zone != "Europe/Berlin" || n.Dead != 1 || n.Waiting < 1 || len(n.Messages) < 3 {
				t.Errorf("shown: %+v", n)
			}
			i := slices.IndexFunc(n.Messages, func(m control.Message) bool { return m.State == "dead" })
			if i < 0 {
				t.Fatalf("no dead message: %+v", n.Messages)
			}
			if dead = n.Messages[i]; dead.Channel != "topic" || dead.Job != "settlements" || dead.Date != "2026-11-19" || dead.Outcome != "failed" {
				t.Errorf("dead: %+v", dead)
			}
			var what []string
			for _, a := range sn.Attention {
				what = append(what, a.What+" "+a.Job)
			}
			if got := strings.Join(what, ", "); !strings.HasPrefix(got, "BLOCKED alerts, DEAD settlements") || !strings.HasSuffix(got, "LAG orders") {
				t.Errorf("attention: %s", got)
			}

			trace, err := do[control.Trace](t, verbs, control.VerbNotifyTrace, `{"id":`+num(dead.ID)+`}`)
			if err != nil || len(trace.Tries) != 2 || trace.Tries[0].Good || !strings.Contains(trace.Tries[0].Text, "InvalidParameter") || trace.Fix == "" ||
				!strings.Contains(strings.Join(trace.Routes, "\n"), "sent to topic") || !strings.Contains(trace.Whole, "channel daily, message: sent") || !strings.Contains(trace.Whole, "channel alerts: not told") {
				t.Errorf("trace: %+v, %v", trace, err)
			}
			if len(trace.Previews) < 4 || !strings.Contains(trace.Previews[0].Text, "no input") || !strings.Contains(trace.Previews[1].Text, `"blocks"`) {
				t.Errorf("previews: %+v", trace.Previews)
			}

			topic.answer = nil
			if _, err := do[string](t, verbs, control.VerbNotifyRedrive, `{"id":`+num(dead.ID)+`}`); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Second)
			if len(topic.got) != 1 {
				t.Errorf("redriven: %v", topic.got)
			}
			if n := look().Notify; n.Dead != 0 || slices.ContainsFunc(hub.Snapshot().Attention, func(a control.Attention) bool { return a.What == "DEAD" }) {
				t.Errorf("after the redrive: %+v", n)
			}
			if _, err := do[string](t, verbs, control.VerbNotifyRedrive, `{"id":`+num(dead.ID)+`}`); err == nil {
				t.Error("what was sent is redriven")
			}
		})
		if n := look().Notify; n.Sender != "" {
			t.Errorf("nobody sends, and yet %q does", n.Sender)
		}
		time.Sleep(2 * time.Minute)
		if a := look().Attention[0]; a.What != "BLOCKED" {
			t.Errorf("first: %+v", a)
		}
		if !slices.ContainsFunc(hub.Snapshot().Attention, func(a control.Attention) bool { return a.What == "UNSENT" && a.Next == "notify serve" }) {
			t.Errorf("nobody sends: %+v", hub.Snapshot().Attention)
		}
		trace, err := do[control.Trace](t, verbs, control.VerbNotifyTrace, `{"id":999}`)
		if err == nil {
			t.Errorf("trace of none: %+v", trace)
		}
	})
}

// Silences and tests of channels, with their refusals.
func TestTheOutboxIsSilencedAndTested(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		topic := &moody{}
		s := anOutbox(t, topic)
		verbs := Messages(func() (*notify.Service, error) { return s, nil }, "anna")
		x, err := do[control.Silence](t, verbs, control.VerbNotifySilence, `{"match":"unit = \"RSK\"","for":"4h","reason":"migration"}`)
		if err != nil || x.Owner != "anna" || time.Until(x.Until) != 4*time.Hour {
			t.Errorf("silence: %+v, %v", x, err)
		}
		hub := control.NewHub("test", "home")
		if n, err := (&Outbox{Hub: hub}).Look(t.Context(), s); err != nil || len(n.Silences) != 1 || n.Silences[0].Reason != "migration" {
			t.Errorf("shown: %+v, %v", n, err)
		}
		if _, err := do[string](t, verbs, control.VerbNotifyUnsilence, `{"id":`+num(x.ID)+`}`); err != nil {
			t.Error(err)
		}
		for verb, args := range map[string]string{
			control.VerbNotifySilence:   `{"match":"","for":"4h","reason":"all"}`,
			control.VerbNotifyUnsilence: `{"id":77}`,
			control.VerbNotifyDrop:      `{"id":1,"reason":"not dead"}`,
			control.VerbNotifyTest:      `{"channel":"alerts"}`,
			control.VerbNotifyTrace:     `{"number":1}`,
		} {
			if _, err := do[any](t, verbs, verb, args); err == nil {
				t.Errorf("%s %s is done", verb, args)
			}
		}
		if got, err := do[string](t, verbs, control.VerbNotifyTest, `{"channel":"topic"}`); err != nil || !strings.Contains(got, "topic took the message") || len(topic.got) != 1 {
			t.Errorf("test: %s, %v", got, err)
		}
		found, err := do[[]control.ChannelFinding](t, verbs, control.VerbNotifyDoctor, `{"channel":"daily"}`)
		if err != nil || len(found) == 0 || found[0].Channel != "daily" {
			t.Errorf("doctor: %+v, %v", found, err)
		}
	})
}

// Late and missing runs need attention; a failure that its pipeline has told is told once.
func TestWhatIsOverdueNeedsAttention(t *testing.T) {
	n := &control.Notify{Sender: "process 1", Expected: []control.Expected{
		{Job: "a", State: "late", Date: "2026-11-20", Due: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}, {Job: "b", State: "missing"}, {Job: "c", State: "failed"}, {Job: "d", State: "done"}, {Job: "e", State: "to come"},
	}}
	for i := range 6 {
		n.Messages = append(n.Messages, control.Message{ID: int64(i), State: "dead", Job: "j"})
	}
	n.Dead = 9
	var got []string
	for _, a := range attention(n, time.FixedZone("CET", 3600)) {
		if a.Screen != NotifyScreen || a.Item == "" {
			t.Errorf("leads nowhere: %+v", a)
		}
		got = append(got, strings.TrimSpace(a.What+" "+a.Job+" "+a.Detail))
	}
	want := []string{"DEAD j :", "DEAD j :", "DEAD j :", "DEAD 6 more", "LATE a 2026-11-20 due 09:00", "MISSING b", "FAILED c"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

// A home without a server: the outbox is shown as soon as there is one, and looking makes none.
func TestAnOwnOutboxAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := anOutbox(t, &moody{})
		there, opened := false, 0
		broken := errors.New("units.yaml:3:1: unknown key")
		o := &OwnOutbox{By: "anna", There: func() bool { return there }, Open: func(context.Context) (*notify.Service, error) {
			if opened++; broken != nil {
				return nil, broken
			}
			return s, nil
		}}
		hub := control.NewHub("test", "home")
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan bool)
		go func() {
			o.Watch(ctx, hub)
			close(ended)
		}()
		time.Sleep(3 * time.Second)
		if _, err := do[any](t, o.Verbs(), control.VerbNotifyTrace, `{"id":1}`); err == nil || opened > 0 || hub.Snapshot().Notify != nil {
			t.Errorf("there is none: opened %d, %v, %+v", opened, err, hub.Snapshot().Notify)
		}
		there = true
		time.Sleep(2 * time.Second)
		if n := hub.Snapshot().Notify; n == nil || !strings.Contains(n.Error, "units.yaml:3:1") {
			t.Errorf("it cannot be opened: %+v", n)
		}
		broken = nil
		time.Sleep(2 * time.Second)
		if n := hub.Snapshot().Notify; n == nil || n.Error != "" || !n.Own || n.Waiting != 2 {
			t.Errorf("it is open: %+v", n)
		}
		stop()
		<-ended
	})
}

func num(id int64) string { b, _ := json.Marshal(id); return string(b) }
