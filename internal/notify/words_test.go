package notify

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"weir/internal/notify/channel"
	"weir/internal/notify/slack"
	"weir/internal/outcome"
)

func TestMessages(t *testing.T) {
	inEachLanguage(t, "messages", func(tag string) string {
		var b strings.Builder
		for _, m := range examples(t, tag) {
			b.WriteString(m.Text() + "thread: " + m.Reply + "\n\n")
		}
		return b.String()
	})
}

// As JSON: what Slack gets, with its top-level text.
func TestMessagesOnSlack(t *testing.T) {
	inEachLanguage(t, "slack", func(tag string) string {
		var b strings.Builder
		told := map[outcome.State]bool{}
		for _, m := range examples(t, tag) {
			told[m.Outcome.State] = true
			doc, err := json.MarshalIndent(slack.Payload(channel.Post{ID: "e.root", Message: m}), "", " ")
			if err != nil {
				t.Fatal(err)
			}
			b.Write(append(doc, '\n'))
		}
		for _, s := range outcome.States() {
			if !told[s] || symbolOf[s] == "" {
				t.Errorf("%s is in no golden file, or has no symbol", s)
			}
		}
		return b.String()
	})
}

// examples are messages about each state.
func examples(t *testing.T, tag string) []channel.Message {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	var all []channel.Message
	tell := func(o outcome.Outcome, change func(*telling)) {
		tl := telling{Outcome: o, EventID: "e", Key: "k", Revision: 1, Zone: berlin, Language: tag, Ask: "@data-payments"}
		if change != nil {
			change(&tl)
		}
		m, unused := tl.message()
		if len(unused) > 0 {
			t.Errorf("not used: %v", unused)
		}
		all = append(all, m)
	}
	tell(settlements(outcome.Running, nil), nil)
	tell(settlements(outcome.Ready, nil), nil)
	tell(settlements(outcome.Warning, func(o *outcome.Outcome) {
		o.Rejected, o.Filtered, o.Cause.Text = 210000, 1500, "more rows were rejected than usual"
	}), nil)
	tell(settlements(outcome.Failed, nil), func(t *telling) {
		t.LastGood = time.Date(2026, 11, 19, 0, 0, 0, 0, time.UTC)
		t.Templates = []Template{{Todo: Words{"failed": "Do not send the morning report. Ask the acquirer for a new file of {date}."}}}
	})
	tell(settlements(outcome.Failed, func(o *outcome.Outcome) {
		o.Attempt, o.Cause.Retryable, o.LogRef = 1, true, "s3://logs/01JD7Q"
	}), nil)
	tell(settlements(outcome.Recovered, func(o *outcome.Outcome) { o.At = o.Ended.Add(83 * time.Minute) }), func(t *telling) {
		t.Since = t.Outcome.Ended.Add(5 * time.Minute)
	})
	tell(settlements(outcome.Cancelled, nil), nil)
	tell(settlements(outcome.Late, nil), nil)
	tell(settlements(outcome.Missing, nil), nil)
	tell(settlements(outcome.Replaced, nil), nil)
	tell(settlements(outcome.Ready, func(o *outcome.Outcome) { // an ingest run without a date
		o.Kind, o.Title, o.Interval, o.MaxAttempts, o.Rejected, o.RowsOut = "ingest", "Card transactions", outcome.Interval{}, 0, 0, o.RowsIn
	}), nil)
	tell(settlements(outcome.Failed, func(o *outcome.Outcome) { // an hour, an error like drivers write them
		o.Kind, o.Interval.End = "ingest", o.Interval.Start.Add(time.Hour)
		o.Cause.Text = "dial tcp 10.0.0.1:5432:\n\tconnection refused\n" + strings.Repeat("x", 600)
	}), nil)
	return all
}

func TestKeys(t *testing.T) {
	at := func(h int) time.Time { return time.Date(2026, 11, 20, h, 0, 0, 0, time.UTC) }
	for want, i := range map[string]outcome.Interval{
		"FIN/j/2026-11-20":             {Start: at(0), End: at(24)},
		"FIN/j/2026-11-20T14:00":       {Start: at(14), End: at(15)},
		"FIN/j/2026-11-20..2026-11-27": {Start: at(0), End: at(7 * 24)},
		"FIN/j/r1":                     {},
	} {
		if got := keyOf(outcome.Outcome{Unit: "FIN", Job: "j", RunID: "r1", Interval: i}); got != want {
			t.Errorf("key %s, want %s", got, want)
		}
	}
}

func TestWhatIsOlderThanWhatWasTold(t *testing.T) {
	now := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	told := outcome.Outcome{RunID: "r", State: outcome.Failed, Attempt: 2, Revision: 3, At: now}
	for name, c := range map[string]struct {
		change func(*outcome.Outcome)
		stale  bool
	}{
		"an earlier attempt":                   {func(o *outcome.Outcome) { o.Attempt = 1 }, true},
		"the next attempt runs":                {func(o *outcome.Outcome) { o.Attempt, o.State, o.Revision = 3, outcome.Running, 0 }, false},
		"running after the end, high revision": {func(o *outcome.Outcome) { o.State, o.Revision = outcome.Running, 1795416720 }, true},
		"an earlier revision":                  {func(o *outcome.Outcome) { o.Revision = 2 }, true},
		"a later revision":                     {func(o *outcome.Outcome) { o.Revision, o.State = 4, outcome.Ready }, false},
		"another run, earlier":                 {func(o *outcome.Outcome) { o.RunID, o.At = "s", now.Add(-time.Second) }, true},
		"another run, later":                   {func(o *outcome.Outcome) { o.RunID, o.At, o.Attempt = "s", now.Add(time.Second), 1 }, false},
		"no revisions, but an earlier time":    {func(o *outcome.Outcome) { o.At, o.State = now.Add(-time.Second), outcome.Ready }, true},
	} {
		st := &story{}
		st.advance(told)
		o := told
		c.change(&o)
		if why := st.stale(o); (why != "") != c.stale {
			t.Errorf("%s: %q", name, why)
		}
	}
	running := &story{}
	running.advance(outcome.Outcome{RunID: "r", State: outcome.Running, Revision: 1795416720, At: now}) // as other producers' events come
	if why := running.stale(outcome.Outcome{RunID: "r", State: outcome.Ready, At: now.Add(-time.Millisecond)}); why != "" {
		t.Errorf("the end of a run is not told: %s", why)
	}
}

func TestWhatANewStateAsksFor(t *testing.T) {
	for state, want := range map[outcome.State]change{ // must tell, reply in the thread, in the channel as well, mention
		outcome.Running: {}, outcome.Ready: {},
		outcome.Warning:   {reply: true},
		outcome.Replaced:  {reply: true},
		outcome.Failed:    {true, true, true, true},
		outcome.Late:      {true, true, true, true},
		outcome.Missing:   {true, true, true, true},
		outcome.Recovered: {true, true, true, false},
		outcome.Cancelled: {mustTell: true, reply: true},
	} {
		if got := changeOf(outcome.Outcome{State: state, Revision: 1}); got != want {
			t.Errorf("%s asks for %+v, want %+v", state, got, want)
		}
	}
}
