package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/fake"
	"weir/internal/outcome"
)

// The storm: a child process (this test binary again) accepts events and sends them to a Slack that refuses, lies and cuts
// connections; it is killed with kill -9 at random, again and again. Afterwards Slack's side is compared with what went in.

type storm struct {
	Outbox, URL string
	Blind       bool // resend after an unknown result without looking: must double
	Jobs        int  // per channel
	From, Upto  int  // events to accept
	Stay        bool // go on until killed
}

const (
	stormToken    = "xoxb-storm"
	stormChannels = 4
)

// stormEvents: each job runs, fails and recovers; first all run, then all fail, then all are ready.
func stormEvents(jobs int) []outcome.Outcome {
	begin := time.Date(2026, 11, 20, 6, 0, 0, 0, time.UTC)
	var all []outcome.Outcome
	for rev, state := range []outcome.State{outcome.Running, outcome.Failed, outcome.Ready} {
		for i := range jobs * stormChannels {
			all = append(all, outcome.Outcome{RunID: fmt.Sprintf("r%d", i), Job: fmt.Sprintf("job%d_%d", i%stormChannels, i/stormChannels), Title: fmt.Sprintf("Job %d", i),
				State: state, Revision: rev, At: begin.Add(time.Duration(rev) * time.Hour)})
		}
	}
	return all
}

func stormUnits(url string) string {
	var ch, routes strings.Builder
	for i := range stormChannels {
		fmt.Fprintf(&ch, "  c%d: {slack: {channel: C%d, token: env:STORM_TOKEN, url: %q, pace: 1ms}}\n", i, i, url)
		fmt.Fprintf(&routes, "  - {when: 'job ~ \"job%d_*\"', to: [c%d]}\n", i, i)
	}
	return "version: 1\nchannels:\n" + ch.String() + "routes:\n" + routes.String() + "default: [c0]\n"
}

// TestStormChild is the child, and does nothing otherwise.
func TestStormChild(t *testing.T) {
	var c storm
	spec := os.Getenv("WEIR_NOTIFY_STORM")
	if spec == "" {
		t.Skip("only as the child of TestKillStorm")
	}
	if err := json.Unmarshal([]byte(spec), &c); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), c.Outbox, units(t, stormUnits(c.URL)), Options{
		blind: c.Blind, LookWait: 15 * time.Millisecond, FirstWait: 10 * time.Millisecond, CallTimeout: time.Second, Poll: 10 * time.Millisecond,
		Getenv: func(string) string { return stormToken },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer closed(t, s)
	ctx, stop := context.WithCancel(t.Context())
	sender := make(chan error, 1)
	go func() { sender <- s.Run(ctx) }()
	for !s.running.Load() { // else the drain below sends, and this one is told that somebody does already
		runtime.Gosched()
	}
	for i, o := range stormEvents(c.Jobs)[c.From:c.Upto] {
		if _, err := s.Accept(ctx, o); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("accepted %d\n", c.From+i+1) // what is said here must never be lost
	}
	if c.Stay {
		<-t.Context().Done()
	}
	drain(t, s, 30*time.Second)
	stop()
	if err := <-sender; err != nil {
		t.Fatal(err)
	}
}

// run starts a child and kills it after a while; 0 lets it end. It says how many events the child has accepted.
func (c storm) run(t *testing.T, kill time.Duration) (accepted int) {
	t.Helper()
	spec, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestStormChild$")
	cmd.Env = append(os.Environ(), "WEIR_NOTIFY_STORM="+string(spec))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var killed atomic.Bool
	if kill > 0 {
		timer := time.AfterFunc(kill, func() { killed.Store(true); _ = cmd.Process.Kill() }) // SIGKILL
		defer timer.Stop()
	}
	accepted = c.From
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if _, err := fmt.Sscanf(lines.Text(), "accepted %d", &accepted); err != nil {
			said = append(said, lines.Text())
		}
	}
	if err := cmd.Wait(); err != nil && !killed.Load() {
		t.Fatalf("child: %v\n%s", err, strings.Join(said, "\n"))
	}
	return accepted
}

type stormResult struct{ kills, lost, doubled, disordered, looks int }

func (c storm) brave(t *testing.T, server *fake.Slack, kills int, seed uint64) (r stormResult) {
	t.Helper()
	total := len(stormEvents(c.Jobs))
	rng := rand.New(rand.NewPCG(seed, 1))
	for k := range kills {
		c.Upto, c.Stay = max(c.From, total*(k+1)/(kills+1)), true
		c.From = c.run(t, time.Duration(100+rng.IntN(350))*time.Millisecond)
		r.kills++
	}
	c.Upto, c.Stay = total, false
	if c.From = c.run(t, 0); c.From != total {
		t.Fatalf("the last child accepted %d of %d", c.From, total)
	}
	key := map[string]string{}
	for _, o := range stormEvents(c.Jobs) {
		key[o.EventID()] = o.Job
	}
	posts := map[string]int{}   // by post id, never more than one
	roots := map[string]int{}   // by job, exactly one
	told := map[string]string{} // by job: the words in their order
	for _, m := range server.Messages() {
		event, part, _ := strings.Cut(m.ID(), ".")
		job := key[event]
		if posts[m.Posted]++; posts[m.Posted] > 1 {
			r.doubled++
		}
		if part == "root" {
			if roots[job]++; roots[job] > 1 {
				r.doubled++
			}
			for _, text := range m.Texts {
				told[job] += text[:strings.Index(text, "  ")] + " "
			}
		} else {
			told[job] += m.Text[:strings.Index(m.Text, " at ")+1]
		}
	}
	for _, call := range server.Calls() {
		if strings.HasPrefix(call.Method, "conversations.") {
			r.looks++
		}
	}
	for _, job := range key {
		words := told[job]
		running, failed, recovered := strings.Index(words, "RUNNING"), strings.Index(words, "FAILED"), strings.Index(words, "RECOVERED")
		if failed < 0 || recovered < 0 {
			r.lost++
			t.Logf("%s: told %q", job, words)
		} else if failed > recovered || running > failed {
			r.disordered++
			t.Logf("%s: told %q", job, words)
		}
	}
	return r
}

func TestKillStorm(t *testing.T) {
	for name, c := range map[string]struct {
		blind       bool
		jobs, kills int
		rates       map[fake.Fault]float64
	}{
		"look up: nothing lost, doubled or out of order": {false, 25, 13, map[fake.Fault]float64{fake.TooMany: 0.015, fake.Refuse500: 0.03, fake.Accept500: 0.04, fake.AcceptCut: 0.04, fake.Cut: 0.02}},
		"blind resend doubles, so the test can fail":     {true, 12, 3, map[fake.Fault]float64{fake.Accept500: 0.1, fake.AcceptCut: 0.1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fake.NewSlack(stormToken)
			defer server.Close()
			server.Random(7, c.rates)
			server.Delay = 8 * time.Millisecond // so that kills hit calls that are under way
			s := storm{Outbox: filepath.Join(t.TempDir(), "outbox.db"), URL: server.URL(), Blind: c.blind, Jobs: c.jobs}
			began := time.Now()
			r := s.brave(t, server, c.kills, 7)
			t.Logf("%d kills, %d events, %d messages and replies, %d calls, %d looks: lost %d, doubled %d, out of order %d, in %v",
				r.kills, 3*c.jobs*stormChannels, len(server.Messages()), len(server.Calls()), r.looks, r.lost, r.doubled, r.disordered, time.Since(began).Round(time.Millisecond))
			if r.lost > 0 {
				t.Errorf("lost %d", r.lost)
			}
			switch {
			case !c.blind && (r.doubled > 0 || r.disordered > 0):
				t.Errorf("doubled %d, out of order %d", r.doubled, r.disordered)
			case c.blind && r.doubled == 0:
				t.Error("the blind mode doubled nothing: this test cannot see doubles")
			}
		})
	}
}
