package notify

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"weir/internal/db"
	"weir/internal/fake"
	"weir/internal/notify/channel"
	"weir/internal/outcome"
)

// far is a unit's world: Slack, SNS and a file.
type far struct {
	slack *fake.Slack
	sns   *fake.SNS
	home  string
	log   bytes.Buffer
}

const slackSecret, awsSecret = "xoxb-1-very-secret", "very-secret-aws-key"

func world(t *testing.T, more string) (*far, *Service) {
	t.Helper()
	t.Setenv("AWS_ACCESS_KEY_ID", "AKIAFAKEFAKEFAKEFAKE")
	t.Setenv("AWS_SECRET_ACCESS_KEY", awsSecret)
	f := &far{slack: fake.NewSlack(slackSecret), sns: fake.NewSNS(), home: t.TempDir()}
	t.Cleanup(f.slack.Close)
	t.Cleanup(f.sns.Close)
	f.token(t, slackSecret)
	u := units(t, fmt.Sprintf(`
version: 1
defaults: {timezone: Europe/Berlin%s}
channels:
  fin-daily: {slack: {channel: C0FINDAILY, token: "file:%s", url: %q, pace: 1ms}}
  fin-topic: {sns: {topic: "arn:aws:sns:eu-central-1:111122223333:fin.fifo", endpoint: %q}}
  platform: {console: {path: platform.txt}}
units:
  FIN: {title: Finance}
routes:
  - when: unit = FIN
    to: [fin-daily]
    routes:
      - {when: state = failed, to: [fin-daily, fin-topic], mention: S0PAYMENTS}
default: [platform]
fallback: [platform]
`, more, filepath.Join(f.home, "token"), f.slack.URL(), f.sns.URL()))
	s, err := Open(t.Context(), filepath.Join(f.home, "outbox.db"), u, Options{
		Log: slog.New(slog.NewTextHandler(&f.log, nil)), LookWait: 10 * time.Millisecond, FirstWait: 10 * time.Millisecond,
		ProbeEvery: 30 * time.Millisecond, CallTimeout: 2 * time.Second, Poll: 10 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { closed(t, s) })
	return f, s
}

func (f *far) token(t *testing.T, token string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(f.home, "token"), []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
}

// noSecret holds everything that weir wrote or says against the secrets.
func (f *far) noSecret(t *testing.T, s *Service, secrets ...string) {
	t.Helper()
	st, err := s.Status(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	said, err := json.Marshal(st)
	if err != nil {
		t.Fatal(err)
	}
	all := string(said) + f.log.String() + fmt.Sprintf("%v %+v", s.units, s.units)
	for _, m := range st.Messages {
		x, err := s.Explain(t.Context(), m.Event)
		if err != nil {
			t.Fatal(err)
		}
		all += x.Text()
	}
	for _, name := range []string{"outbox.db", "outbox.db-wal", "platform.txt"} {
		b, err := os.ReadFile(filepath.Join(f.home, name))
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
		all += string(b)
	}
	for _, secret := range secrets {
		if strings.Contains(all, secret) {
			t.Errorf("%q stands in the outbox, the log or an answer", secret)
		}
	}
}

func TestFailedThenRecoveredOnSlackAndFIFO(t *testing.T) {
	f, s := world(t, "")
	run := settlements(outcome.Running, nil)
	failed := later(run, outcome.Failed, time.Minute)
	failed.Cause.Text = "postgres://weir:hunter2@db refused <!channel>"
	for _, o := range []outcome.Outcome{run, failed, later(failed, outcome.Ready, 78*time.Minute)} {
		accepted(t, s, o)
		drain(t, s, 5*time.Second)
	}
	var got []string
	for _, m := range f.slack.Messages() {
		kind := "message"
		if m.ThreadTS != "" {
			kind = fmt.Sprintf("reply (in the channel: %v)", m.Broadcast)
		}
		got = append(got, fmt.Sprintf("%s, %d edits: %s", kind, m.Edits, m.Text))
	}
	golden(t, "slack_story", strings.Join(got, "\n")+"\n")
	fifo := f.sns.Messages()
	if len(fifo) != 2 || fifo[0].Attributes["state"] != "failed" || fifo[1].Attributes["state"] != "recovered" || fifo[0].Dedup == fifo[1].Dedup || fifo[0].Group != "FIN/settlements_daily" {
		t.Errorf("the FIFO topic got %+v", fifo)
	}
	f.noSecret(t, s, slackSecret, awsSecret, "hunter2")
}

func TestRevokedTokenMendedResendsByItself(t *testing.T) {
	f, s := world(t, "")
	f.slack.SetToken("xoxb-2-new-secret")
	f.sns.Deny(true)
	accepted(t, s, settlements(outcome.Failed, nil))
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	platform := func() string { b, _ := os.ReadFile(filepath.Join(f.home, "platform.txt")); return string(b) }
	until(t, "both channels are blocked and the fallback knows", func() bool { return strings.Count(platform(), "BLOCKED") == 2 })
	until(t, "they are probed", func() bool { return f.sns.Calls() > 3 && len(f.slack.Calls()) > 3 })
	if n := strings.Count(platform(), "BLOCKED"); n != 2 {
		t.Errorf("the fallback was told %d times, want once per channel", n)
	}
	f.token(t, "xoxb-2-new-secret")
	f.sns.Deny(false)
	until(t, "the messages leave and the fallback knows", func() bool {
		return len(f.slack.Messages()) == 1 && len(f.sns.Messages()) == 1 && strings.Count(platform(), "WORKS AGAIN") == 2
	})
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
	f.noSecret(t, s, slackSecret, "xoxb-2-new-secret", awsSecret)
}

// until waits for what another goroutine does with real sockets.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	end := time.After(5 * time.Second)
	for !ok() {
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("does not happen: %s", what)
		}
	}
}

func TestHistoryThatMayNotBeRead(t *testing.T) {
	for more, want := range map[string]string{"": "sent 2", ", on_unknown: hold": "held 1"} {
		t.Run("on_unknown"+more, func(t *testing.T) {
			f, s := world(t, more)
			f.slack.DenyHistory()
			f.slack.Next(fake.Accept500)
			accepted(t, s, later(settlements(outcome.Failed, nil), outcome.Failed, 0))
			drain(t, s, 5*time.Second)
			st, err := s.Status(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprintf("sent %d, held %d", st.Sent, st.Held); !strings.Contains(got, want) {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestSenderThatDiedAfterWritingTheFileDoesNotWriteAgain(t *testing.T) {
	home := t.TempDir()
	s, err := Open(t.Context(), filepath.Join(home, "outbox.db"), DefaultUnits(), Options{Home: home, LookWait: time.Millisecond, LeaseTTL: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	ids := accepted(t, s, settlements(outcome.Ready, nil))
	drain(t, s, 5*time.Second)
	// As if it had died between the call and its record:
	if err := s.db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE delivery SET state = 'sending', owner = 'dead', sent_at = 0")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	drain(t, s, 5*time.Second)
	b, err := os.ReadFile(filepath.Join(home, "notifications.txt"))
	if err != nil || strings.Count(string(b), "READY") != 1 {
		t.Errorf("%v:\n%s", err, b)
	}
	x, err := s.Explain(t.Context(), ids[0])
	if err != nil || !strings.Contains(x.Text(), "look: found") {
		t.Errorf("%v:\n%s", err, x.Text())
	}
}

func TestFullDiskRefusesAndKeepsNothing(t *testing.T) {
	fileOnly(t)
	s := open(t, outbox(t), &flat{}, &flat{}, nil)
	defer closed(t, s)
	if err := s.db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("PRAGMA max_page_count = 1") // SQLite keeps the pages that there are, and then says what it says on a full disk
		return err
	}); err != nil {
		t.Fatal(err)
	}
	big := settlements(outcome.Failed, func(o *outcome.Outcome) { o.Todo = strings.Repeat("x ", 50_000) })
	_, err := s.Accept(t.Context(), big)
	if !errors.Is(err, db.ErrFull) {
		t.Fatalf("accept: %v", err)
	}
	event := outcome.FromOutcome(big)
	if _, err := s.AcceptAll(t.Context(), []Arrival{{Outcome: settlements(outcome.Ready, nil)}, {Event: &event}}); !errors.Is(err, db.ErrFull) {
		t.Fatalf("accept all: %v", err)
	}
	st, err := s.Status(t.Context(), 10)
	if err != nil || st.Unrouted != 0 || st.Waiting != 0 {
		t.Errorf("%+v, %v", st, err)
	}
	if _, err := s.Explain(t.Context(), big.EventID()); !errors.Is(err, ErrNoEvent) {
		t.Errorf("explain: %v", err)
	}
}

func TestHomeThatIsNotWritable(t *testing.T) {
	fileOnly(t)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), filepath.Join(file, "outbox.db"), DefaultUnits(), Options{})
	if !errors.Is(err, db.ErrReadOnly) {
		t.Errorf("got %v", err)
	}
}

var millis = regexp.MustCompile(`, \d+ ms`)

func TestExplain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limited := &channel.Failure{Class: channel.Again, Code: "ratelimited", HTTP: 429, After: 30 * time.Second}
		lied := &channel.Failure{Class: channel.Unknown, Code: "http_500", HTTP: 500, Err: errors.New("accepted")}
		daily, platform := &threads{flat: flat{answer: []error{limited, lied}}}, &flat{answer: []error{
			&channel.Failure{Class: channel.Refused, Code: "too_big"}, &channel.Failure{Class: channel.Refused, Code: "too_big"}}}
		s := open(t, outbox(t), daily, platform, nil)
		defer closed(t, s)
		run := settlements(outcome.Running, nil)
		failed := later(run, outcome.Failed, time.Minute)
		other := outcome.Outcome{RunID: "x1", Job: "clicks", State: outcome.Ready, At: time.Now()}
		ids := accepted(t, s, run, failed, run, other)
		waiting, err := s.Explain(t.Context(), ids[0])
		if err != nil {
			t.Fatal(err)
		}
		text := waiting.Text() + "\n"
		drain(t, s, time.Hour)
		for _, what := range []string{ids[0], ids[1][:8], "clicks"} {
			x, err := s.Explain(t.Context(), what)
			if err != nil {
				t.Fatal(err)
			}
			text += x.Text() + "\n"
		}
		// The jitter is random: only the order of the times matters here.
		text = millis.ReplaceAllString(regexp.MustCompile(`\d\d:\d\d:\d\d\.\d+`).ReplaceAllString(text, "hh:mm:ss"), ", n ms")
		golden(t, "explain", text)
	})
}
