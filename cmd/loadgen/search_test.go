package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"weir/internal/cli"
	"weir/internal/load"
	"weir/internal/search"
)

// quick are the flags of a search that takes a second.
func quick(home, slo string, more ...string) []string {
	return append([]string{"search", "ci", "--home", home, "--slo", slo, "--from", "200/s", "--to", "400/s", "--trial", "250ms", "--warmup", "50ms", "--settle", "0s", "--json"}, more...)
}

func TestSearches(t *testing.T) {
	home, _ := installation(t)
	for _, x := range []struct {
		name    string
		args    []string
		code    int
		verdict string
		want    string // in stderr
	}{
		{"nothing fails", quick(home, "p99<30s, errors=0"), 0, "at least", "trial  1       200/s  kept      p99 "},
		{"nothing is kept", quick(home, "service_p50<1us"), exitSLO, "not kept", "below 200/s: not kept at the lowest rate (service_p50 "},
		{"the generator is no better than that", quick(home, "p99<1us"), exitInvalid, "generator", "the generator is the limit"},
		{"no time", quick(home, "p99<30s", "--max-time", "350ms", "--precision", "10%"), exitInvalid, "inconclusive", "--max-time 700ms` goes on"},
		{"no table", quick(home, "lost=0", "--drain", "1ms"), 1, "", "--slo lost=0 needs the table: "},
	} {
		code, out, errs := loadgen(t.Context(), x.args...)
		r := result(t, out)
		if got, _ := r["verdict"].(string); code != x.code || got != x.verdict || !strings.Contains(errs, x.want) {
			t.Errorf("%s: exit code %d, want %d\n%s\n%s", x.name, code, x.code, out, errs)
		}
	}
	code, _, errs := loadgen(t.Context(), "verify", "last", "--home", home, "--wait", "0s")
	if code != 1 || !strings.Contains(errs, "no such table") {
		t.Errorf("the newest run is that of a trial: %s", errs)
	}
}

// Limits on rows are proven from the table after each trial. One in which messages are lost is not kept, however fast it is.
func TestASearchProvesTheTable(t *testing.T) {
	home, pr := installation(t)
	for _, x := range []struct {
		name, topic, slo string
		loses            func(*kgo.Record) bool
		code             int
		verdict, reason  string
	}{
		{"all arrives", "bank.whole", "freshness<30s, lag<30s, lost=0, duplicated=0", func(*kgo.Record) bool { return false }, 0, "at least", ""},
		{"one in twenty is lost", "bank.leaky", "freshness<30s, lost=0", func(r *kgo.Record) bool { return r.Offset%20 == 3 }, exitIntegrity, "not kept", "lost "},
	} {
		if code, _, errs := loadgen(t.Context(), "run", "ci", "--home", home, "--topic", x.topic, "--rate", "1k/s", "--count", "10"); code != 0 {
			t.Fatal(errs)
		}
		var code int
		var out, errs string
		done := make(chan struct{})
		go func() {
			defer close(done)
			code, out, errs = loadgen(t.Context(), quick(home, x.slo, "--topic", x.topic, "--drain", "10s", "--repeats", "1")...)
		}()
		feed(t, pr, x.topic, x.loses, done)
		r := result(t, out)
		if code != x.code || r["verdict"] != x.verdict || !strings.Contains(out, `"reason":"`+x.reason) && x.reason != "" {
			t.Errorf("%s: exit code %d, want %d\n%s\n%s", x.name, code, x.code, out, errs)
		}
		first := r["trials"].([]any)[0].(map[string]any)["values"].(map[string]any)
		for _, metric := range []string{"freshness", "lag", "p99"} {
			if first[metric].(float64) <= 0 {
				t.Errorf("%s: %s is %v", x.name, metric, first[metric])
			}
		}
	}
}

// A search that is interrupted in a trial goes on with the next, and a finished one only tells its result again.
func TestAnInterruptedSearchIsResumed(t *testing.T) {
	home, _ := installation(t)
	file := filepath.Join(t.TempDir(), "mine.yaml")
	profile := "apiVersion: weir/v1\nkind: LoadProfile\nname: mine\nrate: {arrival: poisson, stages: [{target: 1k/s}]}\nvolume: {messages: 500}\ntopic: {name: orders}\n"
	if err := os.WriteFile(file, []byte(profile), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	var out bytes.Buffer
	errs := &trap{text: "trial  3", do: func() { cancel(cli.ErrInterrupted) }}
	args := quick(home, "p99<30s", "--to", "800/s")
	args[1] = file
	code := cli.Run(ctx, "loadgen", cli.Env{Args: args, Stdin: strings.NewReader(""), Stdout: &out, Stderr: errs, Getenv: func(string) string { return "" }}, newCommand)
	if code != cli.ExitInterrupted || !strings.Contains(errs.String(), "interrupted after 2 trials") {
		t.Fatalf("exit code %d\n%s\n%s", code, out.String(), errs)
	}
	before, err := readSearch(home, "last")
	if err != nil || len(before.Trials) != 2 {
		t.Fatalf("%v: %+v", err, before)
	}

	code, text, told := loadgen(t.Context(), "search", "--resume", "last", "--home", home, "--json")
	r := result(t, text)
	if code != 0 || r["verdict"] != "at least" || r["highest_kept"] != 800.0 || strings.Contains(told, "trial  2") {
		t.Errorf("exit code %d\n%s\n%s", code, text, told)
	}
	after, err := readSearch(home, before.ID)
	if err != nil || len(after.Trials) != 4 || after.Trials[1].Run != before.Trials[1].Run {
		t.Errorf("%v: %+v", err, after)
	}
	again, text2, _ := loadgen(t.Context(), "search", "--resume", before.ID, "--home", home, "--json")
	if again != 0 || text2 != text {
		t.Errorf("exit code %d: %s, before %s", again, text2, text)
	}

	if err := os.WriteFile(file, []byte(profile+"seed: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := loadgen(t.Context(), "search", "--resume", "last", "--home", home); code != 2 || !strings.Contains(errs, "has changed since search") {
		t.Errorf("another profile: exit code %d, %s", code, errs)
	}
}

// trap is a stream that does something once a text has come.
type trap struct {
	mu   sync.Mutex
	b    bytes.Buffer
	text string
	do   func()
}

func (w *trap) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b.Write(p)
	if w.do != nil && strings.Contains(w.b.String(), w.text) {
		w.do()
		w.do = nil
	}
	return len(p), nil
}

func (w *trap) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.String()
}

func TestWrongSearches(t *testing.T) {
	t.Chdir(t.TempDir())
	home := t.TempDir()
	for _, x := range []struct{ args, want string }{
		{"search", "expected a profile and --slo, or --resume"},
		{"search ci", "expected a profile and --slo, or --resume"},
		{"search ci --slo p98<1s", "--slo: column 1: expected one of p50, p90,"},
		{"search ci --slo p99<100", "--slo: column 5: expected a time above 0 with its unit"},
		{"search nothing --slo p99<1s", "there is no profile nothing"},
		{"search ci --slo p99<1s --from fast", `--from: "fast" is no rate`},
		{"search ci --slo p99<1s --from max", "--from: expected a rate above 0"},
		{"search ci --slo p99<1s --from 2k/s --to 1k/s", "--to: expected a rate above that of from (2000/s), got 1000/s"},
		{"search ci --slo p99<1s --from 2k/s --to 1MiB/s", "--from and --to: expected both in messages or both in bytes"},
		{"search ci --slo p99<1s --precision 5", "--precision: "},
		{"search ci --slo p99<1s --precision 80%", "--precision: expected 0.5% to 50%, got 80%"},
		{"search ci --slo p99<1s --repeats 0", "--repeats: expected 1 to 15, got 0"},
		{"search ci --slo p99<1s --repeats many", `--repeats: expected a whole number, got "many"`},
		{"search ci --slo p99<1s --trial 0s", "--trial: expected more than 0s"},
		{"search ci --slo p99<1s --settle -1s", "--warmup, --settle, --drain: expected 0s or more"},
		{"search ci --slo p99<1s --max-time 10s", "--max-time: expected more than one trial takes (36s), got 10s"},
		{"search ci --slo p99<1s --size 1", "profile ci with these flags: size: 1 B cannot be reached"},
		{"search --resume last", "--resume: there is no search in"},
		{"search --resume ../x", "--resume: expected the id of a search or last"},
		{"search --resume 01ARZ3NDEKTSV4RRFFQ69G5FAV", "--resume: there is no search 01ARZ3NDEKTSV4RRFFQ69G5FAV in"},
		{"search ci --resume last", "expected nothing but --max-time, --brokers and --registry beside it, got ci"},
		{"search --resume last --slo p99<1s", "beside it, got --slo"},
	} {
		code, _, errs := loadgen(t.Context(), append(strings.Fields(x.args), "--home", home)...)
		if code != 2 || !strings.Contains(errs, x.want) {
			t.Errorf("%s: exit code %d, %s", x.args, code, errs)
		}
	}
}

func TestTrialsAreJudged(t *testing.T) {
	slo, err := search.ParseSLO("p99<100ms, lost=0")
	if err != nil {
		t.Fatal(err)
	}
	good := map[string]float64{"p99": 20, "lost": 0, "errors": 0}
	slow := map[string]float64{"p99": 200, "lost": 0, "errors": 0}
	lag := func(ms float64) load.Quantiles { return load.Quantiles{P99: ms} }
	for _, x := range []struct {
		name   string
		sum    load.Summary
		values map[string]float64
		behind string
		want   search.Outcome
		reason string
	}{
		{"good", load.Summary{Verdict: load.VerdictPass}, good, "", search.Kept, ""},
		{"slow", load.Summary{Verdict: load.VerdictSLO}, slow, "", search.NotKept, "p99 200ms, not <100ms"},
		{"lost", load.Summary{Verdict: load.VerdictPass}, map[string]float64{"p99": 1, "lost": 2}, "", search.NotKept, "lost 2, not =0"},
		{"some were not acknowledged", load.Summary{Verdict: load.VerdictFailed}, map[string]float64{"p99": 1, "lost": 0, "errors": 0.5}, "", search.NotKept, "errors 50%, not =0%"},
		{"behind", load.Summary{Verdict: load.VerdictPass}, good, "the table had not caught up", search.NotKept, "the table had not caught up"},
		{"late by itself", load.Summary{Verdict: load.VerdictInvalid, Reason: "this machine is too slow", Lag: lag(900)}, slow, "", search.Invalid, "this machine is too slow"},
		{"late, and ended for that", load.Summary{Verdict: load.VerdictSLO, Lag: lag(900)}, slow, "", search.Invalid, "the generator was 900 ms behind"},
		{"late by as much as the limit is broken", load.Summary{Verdict: load.VerdictPass, Lag: lag(60)}, slow, "", search.Invalid, "the generator was 60.0 ms behind"},
		{"late, and kept even so", load.Summary{Verdict: load.VerdictPass, Lag: lag(60)}, good, "", search.Kept, ""},
		{"held up by the target", load.Summary{Verdict: load.VerdictInvalid, Lag: lag(900), BlockedS: 3}, slow, "", search.NotKept, "its window was full for 3.0 s"},
	} {
		if got, reason := judgeTrial(slo, x.sum, x.values, x.behind); got != x.want || !strings.Contains(reason, x.reason) {
			t.Errorf("%s: %s: %s", x.name, got, reason)
		}
	}
}

// found is a search that has found something.
func found(t *testing.T) *searching {
	slo, err := search.ParseSLO("p99<100ms, freshness<30s, lost=0")
	if err != nil {
		t.Fatal(err)
	}
	s := &searching{ID: "01K8ZJ9V4T8QH0M6W2X3Y5A7BC", Profile: "ci", SLO: slo}
	s.Config = search.Config{From: 1000, To: 1e6, Precision: 0.05, Repeats: 3, MaxTrials: 50, MaxTime: 3600e9, Trial: 36e9}
	for {
		step, r := s.Config.Next(s.Trials)
		if r != nil {
			s.Result = r
			return s
		}
		x := search.Trial{Rate: step.Rate, Phase: step.Phase, Took: 37e9, Outcome: search.Kept, Values: map[string]float64{"p99": 5 + step.Rate/1000, "freshness": 2100, "lost": 0}}
		if x.Rate > 12_700 {
			x.Outcome, x.Values["p99"], x.Reason = search.NotKept, 4321, "p99 4321ms, not <100ms"
		}
		s.Trials = append(s.Trials, x)
	}
}

func TestTheStateHoldsTheWholeSearch(t *testing.T) {
	s := found(t)
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var again searching
	if err := json.Unmarshal(b, &again); err != nil || searchText(&again) != searchText(s) {
		t.Errorf("%v: got %s", err, searchText(&again))
	}
}
