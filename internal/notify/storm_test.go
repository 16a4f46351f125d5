package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"weir/internal/fake"
	"weir/internal/outcome"
)

// The storm: a child process (this test binary again) accepts events and sends them to Slack and SNS, which refuse, lie and cut
// connections; it is killed with kill -9 at random, again and again. Afterwards what Slack and SNS have is compared with what went in.

type storm struct {
	Outbox     string
	Slack, SNS string // addresses
	Blind      bool   // resend after an unknown result without looking: must double
	Jobs       int    // per channel
	From, Upto int    // events to accept
	Stay       bool   // go on until killed
}

const (
	stormToken    = "xoxb-storm"
	stormChannels = 4 // c0 and c1 are Slack's; c2 a FIFO topic; c3 a standard topic, whose readers drop doubles by event_id
	stormTopic    = "arn:aws:sns:eu-central-1:111122223333:"
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

func (c storm) units() string {
	s := "version: 1\nchannels:\n"
	for i := range 2 {
		s += fmt.Sprintf("  c%d: {slack: {channel: C%d, token: env:STORM_TOKEN, url: %q, pace: 1ms}}\n", i, i, c.Slack)
	}
	for i, topic := range []string{"two.fifo", "three"} {
		s += fmt.Sprintf("  c%d: {sns: {topic: %q, endpoint: %q}}\n", i+2, stormTopic+topic, c.SNS)
	}
	s += "routes:\n"
	for i := range stormChannels {
		s += fmt.Sprintf("  - {when: 'job ~ \"job%d_*\"', to: [c%d]}\n", i, i)
	}
	return s + "default: [c0]\n"
}

// TestStormChild is the child, and does nothing otherwise.
func TestStormChild(t *testing.T) {
	var c storm
	spec := os.Getenv("WEIR_NOTIFY_STORM")
	if spec == "" {
		t.Skip("only as the child of TestAcceptance_KillStorm")
	}
	if err := json.Unmarshal([]byte(spec), &c); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), c.Outbox, units(t, c.units()), Options{
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
	cmd.Env = append(os.Environ(), "WEIR_NOTIFY_STORM="+string(spec), "AWS_ACCESS_KEY_ID=AKIAFAKE", "AWS_SECRET_ACCESS_KEY=fake", "AWS_CONFIG_FILE="+os.DevNull)
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

func (c storm) brave(t *testing.T, far *fake.Slack, topics *fake.SNS, kills int, seed uint64) (r stormResult) {
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
	job := map[string]string{} // by event
	for _, o := range stormEvents(c.Jobs) {
		job[o.EventID()] = o.Job
	}
	told := map[string]string{} // by job: the words in their order
	r.inSlack(far, job, told)
	r.inTopics(topics, told)
	for _, job := range slices.Sorted(maps.Keys(jobsOf(job))) {
		words := strings.ToUpper(told[job])
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

func jobsOf(byEvent map[string]string) map[string]bool {
	jobs := map[string]bool{}
	for _, job := range byEvent {
		jobs[job] = true
	}
	return jobs
}

// inSlack: no post is there twice, and a job has one message, which is edited, with replies.
func (r *stormResult) inSlack(far *fake.Slack, job, told map[string]string) {
	posts, roots := map[string]int{}, map[string]int{}
	for _, m := range far.Messages() {
		event, part, _ := strings.Cut(m.ID(), ".")
		of := job[event]
		if posts[m.Posted]++; posts[m.Posted] > 1 {
			r.doubled++
		}
		if part != "root" {
			told[of] += m.Text[:strings.Index(m.Text, " at ")+1]
			continue
		}
		if roots[of]++; roots[of] > 1 {
			r.doubled++
		}
		for _, text := range m.Texts {
			told[of] += text[:strings.Index(text, "  ")] + " "
		}
	}
	for _, call := range far.Calls() {
		if strings.HasPrefix(call.Method, "conversations.") {
			r.looks++
		}
	}
}

// inTopics reads as the topics' readers do: what a FIFO topic gives is taken as it is, in a standard topic a known event_id is dropped.
func (r *stormResult) inTopics(topics *fake.SNS, told map[string]string) {
	seen := map[string]bool{}
	for _, m := range topics.Messages() {
		id := m.Topic + " " + m.Attributes["event_id"]
		if seen[id] && m.Group != "" {
			r.doubled++
		}
		if !seen[id] || m.Group != "" {
			told[m.Attributes["job"]] += m.Attributes["state"] + " "
		}
		seen[id] = true
	}
}

// WEIR_NOTIFY_STORM_SIZE=full has 200 messages for each of the four channels and more kills: test/real asks for it.
func TestAcceptance_KillStormLosesNothingDoublesNothingKeepsTheOrder(t *testing.T) {
	jobs, kills := 25, 15
	if os.Getenv("WEIR_NOTIFY_STORM_SIZE") == "full" {
		jobs, kills = 100, 20 // each job is told twice at least: failed, recovered
	}
	for name, c := range map[string]struct {
		blind       bool
		jobs, kills int
		rates       map[fake.Fault]float64
	}{
		"look up: nothing lost, doubled or out of order": {false, jobs, kills, map[fake.Fault]float64{fake.TooMany: 0.015, fake.Refuse500: 0.025, fake.Accept500: 0.04, fake.AcceptCut: 0.035, fake.Cut: 0.015}},
		"blind resend doubles, so the test can fail":     {true, 12, 3, map[fake.Fault]float64{fake.Accept500: 0.1, fake.AcceptCut: 0.1}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			far, topics := fake.NewSlack(stormToken), fake.NewSNS()
			defer far.Close()
			defer topics.Close()
			far.Random(7, c.rates)
			topics.Random(8, c.rates)
			far.Delay, topics.Delay = 8*time.Millisecond, 8*time.Millisecond // so that kills hit calls that are under way
			s := storm{Outbox: filepath.Join(t.TempDir(), "outbox.db"), Slack: far.URL(), SNS: topics.URL(), Blind: c.blind, Jobs: c.jobs}
			began := time.Now()
			r := s.brave(t, far, topics, c.kills, 7)
			t.Logf("%d kills, %d events, Slack: %d messages and replies, %d calls, %d looks, SNS: %d messages, %d calls: lost %d, doubled %d, out of order %d, in %v",
				r.kills, 3*c.jobs*stormChannels, len(far.Messages()), len(far.Calls()), r.looks, len(topics.Messages()), topics.Calls(), r.lost, r.doubled, r.disordered, time.Since(began).Round(time.Millisecond))
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
