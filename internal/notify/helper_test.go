package notify

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/internal/config"
	"weir/internal/notify/channel"
	"weir/internal/notify/words"
	"weir/internal/outcome"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s:\n--- got\n%s\n--- want\n%s", path, got, want)
	}
}

// inEachLanguage compares what is said in each language with NAME.golden (English) and NAME.TAG.golden.
func inEachLanguage(t *testing.T, name string, say func(tag string) string) {
	t.Helper()
	for _, tag := range words.Tags() {
		file := name
		if tag != "en" {
			file += "." + tag
		}
		golden(t, file, say(tag))
	}
}

// flat is a channel without powers that notes what comes and answers from a script; nil or the end of it means well.
type flat struct {
	mu     sync.Mutex
	answer []error
	calls  []call
}

type call struct {
	at   time.Time
	op   string
	id   string
	text string
	post channel.Post
}

func (f *flat) do(op string, p channel.Post) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, call{time.Now(), op, p.ID, p.Message.First(), p})
	if len(f.answer) == 0 {
		return nil
	}
	err := f.answer[0]
	f.answer = f.answer[1:]
	return err
}

func (f *flat) Send(_ context.Context, p channel.Post) (channel.Receipt, error) {
	return channel.Receipt{}, f.do("post", p)
}

func (f *flat) ops() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var s []string
	for _, c := range f.calls {
		s = append(s, c.op+" "+string(c.post.Message.Outcome.State))
	}
	return strings.Join(s, ", ")
}

// threads is a channel that can edit, reply and be asked.
type threads struct {
	flat
	there map[string]string // post id -> ref
	slow  int               // so many looks do not show what is there
}

func (f *threads) take(op, ref string, p channel.Post) (channel.Receipt, error) {
	err := f.do(op, p)
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.there == nil {
		f.there = map[string]string{}
	}
	if ref == "" {
		ref = fmt.Sprintf("ts%d", len(f.calls))
	}
	if err == nil || strings.Contains(err.Error(), "accepted") {
		f.there[p.ID] = ref
	}
	return channel.Receipt{Ref: ref}, err
}

func (f *threads) Send(_ context.Context, p channel.Post) (channel.Receipt, error) {
	return f.take("post", "", p)
}

func (f *threads) Edit(_ context.Context, ref string, p channel.Post) (channel.Receipt, error) {
	return f.take("edit", ref, p)
}

func (f *threads) Reply(_ context.Context, _ string, p channel.Post) (channel.Receipt, error) {
	op := "reply"
	if p.Loud {
		op = "loud reply"
	}
	if p.Mention != "" {
		op += " to " + p.Mention
	}
	return f.take(op, "", p)
}

func (f *threads) Find(_ context.Context, id, _ string, _ time.Time) (channel.Receipt, bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.slow > 0 {
		f.slow--
		return channel.Receipt{}, false, nil
	}
	ref, ok := f.there[id]
	return channel.Receipt{Ref: ref}, ok, nil
}

const twoChannels = `
version: 1
defaults: {timezone: Europe/Berlin}
channels:
  daily: {console: {path: stdout}}
  platform: {console: {path: stdout}}
units:
  FIN: {title: Finance, jobs: ["gl_*"], ask: "@data-payments"}
routes:
  - when: unit = "FIN"
    to: [daily]
    mention: S0PAYMENTS
default: [platform]
fallback: [platform]
`

func units(t *testing.T, text string) Units {
	t.Helper()
	var u Units
	if err := config.Decode("units.yaml", []byte(text), &u); err != nil {
		t.Fatal(err)
	}
	return u
}

// open gives a service over the two channels.
func open(t *testing.T, path string, daily, platform channel.Channel, change func(*Options)) *Service {
	t.Helper()
	opt := Options{Extra: map[string]channel.Channel{"daily": daily, "platform": platform}}
	if change != nil {
		change(&opt)
	}
	s, err := Open(t.Context(), path, units(t, twoChannels), opt)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func outbox(t *testing.T) string { return filepath.Join(t.TempDir(), "outbox.db") }

// settlements is an outcome of the job that the message examples are about.
func settlements(state outcome.State, change func(*outcome.Outcome)) outcome.Outcome {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		panic(err)
	}
	o := outcome.Outcome{
		RunID: "01JD7Q", Job: "settlements_daily", Kind: "report", Title: "Daily card settlements", Unit: "FIN", State: state,
		Interval: outcome.Interval{Start: time.Date(2026, 11, 20, 0, 0, 0, 0, berlin), End: time.Date(2026, 11, 21, 0, 0, 0, 0, berlin)},
		Attempt:  1, MaxAttempts: 3,
		Started: time.Date(2026, 11, 23, 6, 41, 0, 0, berlin), Ended: time.Date(2026, 11, 23, 7, 3, 0, 0, berlin),
		RowsIn: 4182331, RowsOut: 4182310, Rejected: 21, Outputs: []outcome.Dataset{{Name: "finance.settlements_daily"}},
	}
	switch state {
	case outcome.Running:
		o.Ended, o.RowsIn, o.RowsOut, o.Rejected = time.Time{}, 0, 0, 0
	case outcome.Failed:
		o.Attempt, o.RowsOut, o.Rejected, o.Ended = 3, 0, 0, o.Ended.Add(5*time.Minute)
		o.Cause = outcome.Cause{Code: "schema.column_missing", Text: `file settlements_20261120.csv has 14 columns, 15 expected ("fee_eur" is missing)`}
	}
	if change != nil {
		change(&o)
	}
	return o
}

func accepted(t *testing.T, s *Service, os ...outcome.Outcome) []string {
	t.Helper()
	var ids []string
	for _, o := range os {
		id, err := s.Accept(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

func drain(t *testing.T, s *Service, within time.Duration) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), within)
	defer stop()
	if err := s.Drain(ctx); err != nil {
		t.Fatal(err)
	}
}

func closed(t *testing.T, s *Service) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// later is the outcome of the same run a bit later: the next revision.
func later(o outcome.Outcome, state outcome.State, by time.Duration) outcome.Outcome {
	o.State, o.Revision = state, o.Revision+1
	o.At = o.When().Add(by)
	return o
}
